//! Limits of log records and spans.

use arrow::compute::filter_record_batch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{BooleanArray, MapArray, RecordBatch};
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, LogBatch, Result, SpanBatch};

use super::{Reason, Settings, Tally, Window};

/// The records that are admitted.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Internal`] only: the schema of a batch is proven.
pub(crate) fn admit_logs(batch: LogBatch, settings: &Settings, window: &Window, tally: &mut Tally) -> Result<LogBatch> {
    let rows = batch.rows();
    let mut faults = common_faults(rows, settings, window);
    let bodies = column(rows, logs::BODY).as_string::<i32>();
    for (fault, lengths) in faults.iter_mut().zip(bodies.offsets().windows(2)) {
        if fault.is_none() && span_of(lengths) > settings.log_body_bytes_max {
            *fault = Some(Reason::BodyTooLong);
        }
    }
    match keep(rows, &faults, tally)? {
        Some(kept) => LogBatch::new(kept),
        None => Ok(batch),
    }
}

/// The spans that are admitted.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Internal`] only: the schema of a batch is proven.
pub(crate) fn admit_spans(batch: SpanBatch, settings: &Settings, window: &Window, tally: &mut Tally) -> Result<SpanBatch> {
    let rows = batch.rows();
    let mut faults = common_faults(rows, settings, window);
    for list in [schema::traces::EVENTS, schema::traces::LINKS] {
        let lists = column(rows, list).as_list::<i32>();
        let Some(attributes) = lists.values().as_struct().column_by_name(schema::ATTRIBUTES).map(|column| column.as_map().clone()) else { continue };
        for (fault, items) in faults.iter_mut().zip(lists.offsets().windows(2)) {
            let range = items.first().zip(items.last());
            let (first, last) = range.map_or((0, 0), |(first, last)| (*first as usize, *last as usize));
            *fault = fault.or_else(|| (first..last).find_map(|item| attribute_fault(&attributes, item, settings)));
        }
    }
    match keep(rows, &faults, tally)? {
        Some(kept) => SpanBatch::new(kept),
        None => Ok(batch),
    }
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> &'a dyn arrow_array::Array {
    rows.column(schema::index(&rows.schema(), name)).as_ref()
}

fn common_faults(rows: &RecordBatch, settings: &Settings, window: &Window) -> Vec<Option<Reason>> {
    let times = column(rows, schema::TIMESTAMP).as_primitive::<TimestampNanosecondType>();
    let attributes = column(rows, schema::ATTRIBUTES).as_map();
    let judge = |(row, time): (usize, &i64)| window.refuses_ns(*time).or_else(|| attribute_fault(attributes, row, settings));
    times.values().iter().enumerate().map(judge).collect()
}

fn attribute_fault(attributes: &MapArray, row: usize, settings: &Settings) -> Option<Reason> {
    let bounds = attributes.offsets().get(row).zip(attributes.offsets().get(row + 1));
    let (first, last) = bounds.map_or((0, 0), |(first, last)| (*first as usize, *last as usize));
    if last - first > settings.attributes_max {
        return Some(Reason::TooManyAttributes);
    }
    let values = attributes.values().as_string::<i32>();
    let lengths = values.offsets().get(first..=last).unwrap_or_default();
    let is_too_long = lengths.windows(2).any(|bounds| span_of(bounds) > settings.attribute_value_bytes_max);
    is_too_long.then_some(Reason::AttributeTooLong)
}

fn span_of(bounds: &[i32]) -> usize {
    match bounds {
        [first, last] => (last - first) as usize,
        _ => 0,
    }
}

/// The rows without a fault; `None` when that is all of them.
fn keep(rows: &RecordBatch, faults: &[Option<Reason>], tally: &mut Tally) -> Result<Option<RecordBatch>> {
    if faults.iter().all(Option::is_none) {
        return Ok(None);
    }
    faults.iter().flatten().for_each(|reason| tally.add(*reason));
    let mask: BooleanArray = faults.iter().map(|fault| Some(fault.is_none())).collect();
    filter_record_batch(rows, &mask).map(Some).map_err(|source| Error::internal("cannot filter rows").with_source(source))
}
