//! Parts of a scan of a table of metrics: segments, and the buffers of the head.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampMillisecondArray};
use arrow::record_batch::RecordBatch;
use parking_lot::RwLock;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use signalbox_model::builder::DictionaryBuilder;
use signalbox_model::{Error, Labels, Result, SeriesRef, Table, TimeRange, schema};

use super::run::Run;
use crate::format::metrics::{MetricSegment, SeriesText, exemplar_rows, histogram_rows, labels_json};
use crate::read::rows::reader::NotedFile;
use crate::scan::{Batches, ScanPart, ScanRequest};
use crate::write::head::metrics::HeadPart;
use crate::write::head::metrics::series::SeriesTable;

const BATCH_ROWS: usize = 8192;

/// A segment as a part; it is opened when the part is read.
pub(super) fn segment_part(segment: &Arc<MetricSegment>, request: &ScanRequest) -> ScanPart {
    let (record, segment, request) = (segment.record(), Arc::clone(segment), request.clone());
    ScanPart::new(record.range, record.rows, move || read_segment(&segment, &request))
}

fn read_segment(segment: &Arc<MetricSegment>, request: &ScanRequest) -> Result<Batches> {
    let opened = segment.opened()?;
    let metadata = opened.segment.metadata.clone();
    let parquet = metadata.metadata();
    let groups: Vec<usize> = (0..parquet.num_row_groups()).filter(|group| may_overlap(parquet.row_group(*group), request.range)).collect();
    let selection = if segment.deletions().is_empty() { None } else { Some(shown_rows(&segment.hidden_rows()?, parquet, &groups)) };
    let projection = match &request.projection {
        Some(columns) => ProjectionMask::roots(parquet.file_metadata().schema_descr(), columns.iter().copied()),
        None => ProjectionMask::all(),
    };
    let columns = request.projection.as_ref().map_or(parquet.file_metadata().schema_descr().num_columns(), Vec::len);
    let file = NotedFile::new(opened.segment.file.clone(), columns);
    let (failure, segment) = (file.failure(), Arc::clone(segment));
    let failed = move |error: &dyn std::error::Error| {
        let found = failure.lock().take();
        segment.noted(found.unwrap_or_else(|| Error::corrupt(format!("cannot read segment {}: {error}", segment.record().url))))
    };
    let mut builder =
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_row_groups(groups).with_projection(projection).with_batch_size(BATCH_ROWS);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    let mut batches = builder.build().map_err(|error| failed(&error))?;
    let mut is_over = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let next = batches.next();
        is_over = !matches!(next, Some(Ok(_)));
        next.map(|rows| rows.map_err(|error| failed(&error)))
    })))
}

/// The rows of some row groups without the hidden ones, which are given ascending and by their place in the file.
fn shown_rows(hidden: &[Range<u64>], parquet: &ParquetMetaData, groups: &[usize]) -> RowSelection {
    let (mut selectors, mut start) = (Vec::new(), 0u64);
    for (group, metadata) in parquet.row_groups().iter().enumerate() {
        let end = start + metadata.num_rows().max(0).cast_unsigned();
        if groups.contains(&group) {
            let mut at = start;
            for rows in &hidden[hidden.partition_point(|rows| rows.end <= start)..] {
                if rows.start >= end {
                    break;
                }
                let (from, to) = (rows.start.max(start), rows.end.min(end));
                selectors.push(RowSelector::select((from - at) as usize));
                selectors.push(RowSelector::skip((to - from) as usize));
                at = to;
            }
            selectors.push(RowSelector::select((end - at) as usize));
        }
        start = end;
    }
    RowSelection::from(selectors)
}

/// Whether the times of a row group may lie in a range.
fn may_overlap(group: &RowGroupMetaData, range: TimeRange) -> bool {
    const TIMES: usize = 2;
    let Some(Statistics::Int64(times)) = group.columns().get(TIMES).and_then(|column| column.statistics()) else { return true };
    let before = times.max_opt().is_some_and(|last| *last < range.start_ms());
    let after = times.min_opt().is_some_and(|first| *first > range.end_ms());
    !(before || after)
}

/// Buffers of the head as a part, if they have rows in the range. The rows are copied when the part is made.
pub(super) fn head_part(table: &RwLock<SeriesTable>, part: &HeadPart, kind: Table, request: &ScanRequest) -> Result<Option<ScanPart>> {
    let HeadPart { buffers, shown } = part;
    let series: Vec<(usize, Labels)> = {
        let table = table.read();
        let labels = |(slot, series): (usize, SeriesRef)| table.labels(series).map(|labels| (slot, labels));
        buffers.series().into_iter().enumerate().filter_map(labels).collect()
    };
    let mut bounds = (i64::MAX, i64::MIN);
    let rows = match kind {
        Table::Samples => sample_rows(part, &series, request.range, &mut bounds)?,
        Table::Histograms => {
            let points: Vec<_> = series.iter().map(|(slot, _)| buffers.read_histograms(*slot, shown, request.range)).collect();
            points.iter().flatten().for_each(|point| widen(&mut bounds, point.ts_ms));
            let texts = texts(&series, &|at| points[at].len());
            histogram_rows(borrow(&texts).zip(points.iter().flatten()))?
        }
        Table::Exemplars => {
            let points: Vec<_> = series.iter().map(|(slot, _)| buffers.read_exemplars(*slot, shown, request.range)).collect();
            points.iter().flatten().for_each(|point| widen(&mut bounds, point.ts_ms));
            let texts = texts(&series, &|at| points[at].len());
            exemplar_rows(borrow(&texts).zip(points.iter().flatten()))?
        }
        Table::Logs | Table::Spans => return Ok(None),
    };
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let count = rows.num_rows() as u64;
    let rows = match &request.projection {
        Some(columns) => rows.project(columns).map_err(|error| Error::internal("cannot project rows of metrics").with_source(error))?,
        None => rows,
    };
    Ok(Some(ScanPart::new(TimeRange::from_ms(bounds.0, bounds.1), count, move || Ok(Box::new(std::iter::once(Ok(rows))) as Batches))))
}

/// Name and labels of each series with the number of its rows.
fn texts(series: &[(usize, Labels)], rows: &dyn Fn(usize) -> usize) -> Vec<(String, String, usize)> {
    let text = |(at, (_, labels)): (usize, &(usize, Labels))| (labels.metric_name().to_owned(), labels_json(labels), rows(at));
    series.iter().enumerate().map(text).collect()
}

fn borrow(texts: &[(String, String, usize)]) -> impl Iterator<Item = SeriesText<'_>> {
    texts.iter().flat_map(|(name, labels, rows)| (0..*rows).map(move |_| SeriesText { name, labels }))
}

fn sample_rows(part: &HeadPart, series: &[(usize, Labels)], range: TimeRange, bounds: &mut (i64, i64)) -> Result<RecordBatch> {
    let (mut name, mut labels) = (DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut times, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::<Option<i64>>::new());
    let mut run = Run::default();
    for (slot, own) in series {
        part.buffers.read_samples(*slot, &part.shown, range, &mut run);
        let (Some(first), Some(last)) = (run.ts_ms().first(), run.ts_ms().last()) else { continue };
        widen(bounds, *first);
        widen(bounds, *last);
        let (name_code, labels_code) = (name.intern(own.metric_name()), labels.intern(&labels_json(own)));
        for _ in run.ts_ms() {
            name.push(name_code);
            labels.push(labels_code);
        }
        times.extend_from_slice(run.ts_ms());
        values.extend_from_slice(run.values());
        starts.extend(run.start_ms().iter().map(|start| (*start != 0).then_some(*start)));
        starts.resize(times.len(), None);
    }
    let rows = times.len();
    let columns: Vec<ArrayRef> = vec![
        name.finish(),
        labels.finish(),
        Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")),
        Arc::new(Int64Array::new_null(rows)),
        Arc::new(Int64Array::new_null(rows)),
        Arc::new(Float64Array::new_null(rows)),
        Arc::new(Float64Array::from(values)),
        Arc::new(TimestampMillisecondArray::from(starts).with_timezone("UTC")),
    ];
    RecordBatch::try_new(schema::samples(), columns).map_err(|error| Error::internal("cannot build rows of samples").with_source(error))
}

fn widen(bounds: &mut (i64, i64), ts_ms: i64) {
    *bounds = (bounds.0.min(ts_ms), bounds.1.max(ts_ms));
}
