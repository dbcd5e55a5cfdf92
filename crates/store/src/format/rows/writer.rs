//! Writes a segment of rows that come in their order.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use signalbox_model::{Error, Result, TimeRange, schema};

use super::attributes::{IN_MAP_KEY, Splitter};
use super::cluster::{CLUSTERED_LEVEL, CLUSTERS_KEY, Cluster, ends_to_json};
use super::patterns::Patterns;
use super::text::{self, TextBuilder};
use super::traces::{FILTER_BLOB, INDEX_BLOB, TracesBuilder};
use super::{Layout, Target, columns};
use crate::format::{Segment, SegmentWriter};

/// A segment in the making.
#[derive(Debug)]
pub(super) struct RowsWriter {
    file: SegmentWriter,
    traces: TracesBuilder,
    text: TextBuilder,
    bounds: (i64, i64),
    splitter: Splitter,
    patterns: Patterns,
    /// Of segments that have clusters.
    clusters: Option<Clusters>,
}

#[derive(Debug, Default)]
struct Clusters {
    next: Cluster,
    rows: u64,
    /// Where those end that are written.
    ends: Vec<u64>,
}

impl RowsWriter {
    /// Starts a segment with a layout.
    pub(super) fn create(layout: Layout, target: &mut Target<'_>) -> Result<Self> {
        let schema = layout.schema()?;
        let segment = (target.record)(layout.table)?;
        let has_clusters = layout.has_pattern && segment.level >= CLUSTERED_LEVEL;
        let properties = columns::properties(&layout, &schema, super::zstd_level(segment.level));
        let properties = properties.map_err(|error| Error::internal("cannot set up the columns of a segment").with_source(error))?;
        let file = SegmentWriter::create(target.disk, target.dir, segment, schema, properties)?;
        let splitter = Splitter::new(layout)?;
        let clusters = has_clusters.then(Clusters::default);
        Ok(Self {
            file,
            traces: TracesBuilder::default(),
            text: TextBuilder::default(),
            bounds: (i64::MAX, i64::MIN),
            splitter,
            patterns: Patterns::default(),
            clusters,
        })
    }

    /// Appends rows as they came in, in their order.
    pub(super) fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let pattern = if self.splitter.layout().has_pattern { Some(self.patterns.of_rows(rows)?) } else { None };
        let rows = self.splitter.split(rows, pattern)?;
        self.push_at_rest(&rows)
    }

    /// What brings rows at rest into the layout.
    pub(super) fn parts(&mut self) -> (&mut Splitter, &mut Patterns) {
        (&mut self.splitter, &mut self.patterns)
    }

    /// Appends rows in the layout, in their order.
    pub(super) fn push_at_rest(&mut self, rows: &RecordBatch) -> Result<()> {
        let other_schema = || Error::internal("cannot write rows: their schema is another one");
        let times = rows.column_by_name(schema::TIMESTAMP).and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        for time in times.ok_or_else(other_schema)?.values() {
            self.bounds = (self.bounds.0.min(*time), self.bounds.1.max(*time));
        }
        let Some(clusters) = &mut self.clusters else { return self.write(rows) };
        clusters.rows += rows.num_rows() as u64;
        if clusters.next.push(rows) { self.write_cluster() } else { Ok(()) }
    }

    /// Writes the cluster that is in the making.
    fn write_cluster(&mut self) -> Result<()> {
        let Some(clusters) = self.clusters.as_mut().filter(|clusters| clusters.ends.last() != Some(&clusters.rows)) else { return Ok(()) };
        clusters.ends.push(clusters.rows);
        for rows in clusters.next.take()? {
            self.write(&rows?)?;
        }
        Ok(())
    }

    /// Appends rows as they rest.
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let other_schema = || Error::internal("cannot write rows: their schema is another one");
        let traces = rows.column_by_name(schema::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt());
        self.traces.push(traces.ok_or_else(other_schema)?)?;
        self.text.push(rows)?;
        self.file.write(rows)
    }

    /// Whether no row was appended.
    pub(super) fn is_empty(&self) -> bool {
        self.bounds.0 > self.bounds.1
    }

    /// Completes the segment, which must have rows.
    pub(super) fn finish(mut self) -> Result<Segment> {
        match self.write_cluster().and_then(|()| self.embed()) {
            Ok(()) => self.file.finish(TimeRange::from_ns(self.bounds.0, self.bounds.1)),
            Err(error) => {
                self.file.abandon();
                Err(error)
            }
        }
    }

    fn embed(&mut self) -> Result<()> {
        let (filter, index) = std::mem::take(&mut self.traces).finish();
        self.file.embed(FILTER_BLOB, &filter.encode())?;
        self.file.embed(INDEX_BLOB, &index.encode())?;
        let text = std::mem::take(&mut self.text).finish();
        self.file.embed(text::PRINTS_BLOB, &text.prints)?;
        self.file.embed(text::GRAMS_BLOB, &text.grams)?;
        self.file.embed(text::INDEX_BLOB, &text.index)?;
        if let Some(clusters) = &self.clusters {
            self.file.annotate(CLUSTERS_KEY, ends_to_json(&clusters.ends));
        }
        if self.splitter.layout().promoted.is_some() {
            self.file.annotate(IN_MAP_KEY, self.splitter.in_map().to_json());
        }
        Ok(())
    }

    /// Gives up and removes the file.
    pub(super) fn abandon(self) {
        self.file.abandon();
    }
}
