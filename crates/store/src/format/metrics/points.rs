//! Writes a segment of histograms or exemplars, series by series.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use signalbox_model::{Error, Exemplar, Labels, Result, Table, TimeRange, schema};

use super::index::{BLOB, IndexBuilder};
use super::order::labels_json;
use super::units::POINT_ROWS;
use super::{SeriesText, Target, exemplar_rows, histogram_rows};
use crate::format::{Segment, SegmentWriter};
use crate::read::metrics::run::{sort_exemplars, sort_histograms};
use crate::snapshot::HistogramPoint;

/// A row of a table of points.
pub(crate) trait Point: Clone {
    const TABLE: Table;
    fn ts_ms(&self) -> i64;
    fn start_ms(&self) -> i64;
    fn schema() -> SchemaRef;
    fn rows<'a>(points: impl Iterator<Item = (SeriesText<'a>, &'a Self)>) -> Result<RecordBatch>
    where
        Self: 'a;
    /// Puts points into order of time and drops what is there twice; of what may be there once only, the last stays.
    fn arrange(points: &mut Vec<Self>);
}

impl Point for HistogramPoint {
    const TABLE: Table = Table::Histograms;
    fn ts_ms(&self) -> i64 {
        self.ts_ms
    }
    fn start_ms(&self) -> i64 {
        self.start_ms
    }
    fn schema() -> SchemaRef {
        schema::histograms()
    }
    fn rows<'a>(points: impl Iterator<Item = (SeriesText<'a>, &'a Self)>) -> Result<RecordBatch> {
        histogram_rows(points)
    }
    fn arrange(points: &mut Vec<Self>) {
        sort_histograms(points);
    }
}

impl Point for Exemplar {
    const TABLE: Table = Table::Exemplars;
    fn ts_ms(&self) -> i64 {
        self.ts_ms
    }
    fn start_ms(&self) -> i64 {
        0
    }
    fn schema() -> SchemaRef {
        schema::exemplars()
    }
    fn rows<'a>(points: impl Iterator<Item = (SeriesText<'a>, &'a Self)>) -> Result<RecordBatch> {
        exemplar_rows(points)
    }
    fn arrange(points: &mut Vec<Self>) {
        sort_exemplars(points);
    }
}

/// A segment of points in the making.
pub(crate) struct PointsWriter<P> {
    file: SegmentWriter,
    index: IndexBuilder,
    /// Series of the rows not yet written: name, labels, how many rows.
    series: Vec<(String, String, usize)>,
    points: Vec<P>,
}

impl<P: Point> PointsWriter<P> {
    pub(crate) fn create(target: &mut Target<'_>) -> Result<Self> {
        let segment = (target.record)(P::TABLE)?;
        let zstd = ZstdLevel::try_new(super::zstd_level(segment.level)).map_err(|error| Error::internal("cannot compress").with_source(error))?;
        let sorting = (0..3).map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect();
        let timestamp = ColumnPath::from(schema::TIMESTAMP);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_column_dictionary_enabled(timestamp.clone(), false)
            .set_column_encoding(timestamp, Encoding::DELTA_BINARY_PACKED)
            .set_dictionary_page_size_limit(64 << 20)
            .set_data_page_row_count_limit(POINT_ROWS)
            .set_write_batch_size(POINT_ROWS)
            .set_max_row_group_row_count(Some(32 * POINT_ROWS))
            .set_sorting_columns(Some(sorting))
            .build();
        let file = SegmentWriter::create(target.disk, target.dir, segment, P::schema(), properties)?;
        Ok(Self { file, index: IndexBuilder::default(), series: Vec::new(), points: Vec::new() })
    }

    /// Appends the points of a series: in order of time, series in their order.
    pub(crate) fn push(&mut self, labels: &Labels, points: &[P]) -> Result<()> {
        if points.is_empty() {
            return Ok(());
        }
        let times: Vec<i64> = points.iter().map(P::ts_ms).collect();
        self.index.push(labels, &times, points.iter().any(|point| point.start_ms() != 0))?;
        self.series.push((labels.metric_name().to_owned(), labels_json(labels), points.len()));
        self.points.extend_from_slice(points);
        if self.points.len() >= POINT_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.points.is_empty() {
            return Ok(());
        }
        let texts = self.series.iter().flat_map(|(name, labels, rows)| (0..*rows).map(move |_| SeriesText { name, labels }));
        let rows = P::rows(texts.zip(&self.points))?;
        self.file.write(&rows)?;
        self.series.clear();
        self.points.clear();
        Ok(())
    }

    /// Completes the segment; `None` if nothing was appended, and then there is no file.
    pub(crate) fn finish(mut self) -> Result<Option<Segment>> {
        let Some((first_ms, last_ms)) = self.index.range_ms() else {
            self.file.abandon();
            return Ok(None);
        };
        if let Err(error) = self.complete() {
            self.file.abandon();
            return Err(error);
        }
        self.file.finish(TimeRange::from_ms(first_ms, last_ms)).map(Some)
    }

    fn complete(&mut self) -> Result<()> {
        self.flush()?;
        let index = std::mem::take(&mut self.index).encode()?;
        self.file.embed(BLOB, &index)
    }

    /// Gives up and removes the file.
    pub(crate) fn abandon(self) {
        self.file.abandon();
    }
}
