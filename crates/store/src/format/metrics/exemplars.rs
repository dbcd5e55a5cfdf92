//! Exemplars as rows and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Float64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use arrow::record_batch::RecordBatch;
use signalbox_model::builder::DictionaryBuilder;
use signalbox_model::{Error, Exemplar, Labels, Result, SpanId, TraceId, schema};

use super::{SeriesText, labels_json};

/// Rows with the schema of `exemplars`.
///
/// # Errors
/// `Internal`, never.
pub(crate) fn exemplar_rows<'a>(exemplars: impl Iterator<Item = (SeriesText<'a>, &'a Exemplar)>) -> Result<RecordBatch> {
    let failed = |error| Error::internal("cannot build rows of exemplars").with_source(error);
    let (mut name, mut labels) = (DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut traces, mut spans) = (FixedSizeBinaryBuilder::new(TraceId::LEN as i32), FixedSizeBinaryBuilder::new(SpanId::LEN as i32));
    let mut all: Vec<&Exemplar> = Vec::new();
    for (series, exemplar) in exemplars {
        name.push_text(series.name);
        labels.push_text(series.labels);
        match &exemplar.trace_id {
            Some(trace) => traces.append_value(trace.as_bytes()).map_err(failed)?,
            None => traces.append_null(),
        }
        match &exemplar.span_id {
            Some(span) => spans.append_value(span.as_bytes()).map_err(failed)?,
            None => spans.append_null(),
        }
        all.push(exemplar);
    }
    let columns: Vec<ArrayRef> = vec![
        name.finish(),
        labels.finish(),
        Arc::new(TimestampMillisecondArray::from_iter_values(all.iter().map(|exemplar| exemplar.ts_ms)).with_timezone("UTC")),
        Arc::new(Float64Array::from_iter_values(all.iter().map(|exemplar| exemplar.value))),
        Arc::new(traces.finish()),
        Arc::new(spans.finish()),
        Arc::new(StringArray::from_iter_values(all.iter().map(|exemplar| labels_json(&exemplar.labels)))),
    ];
    RecordBatch::try_new(schema::exemplars(), columns).map_err(failed)
}

/// The exemplars of rows with the schema of `exemplars`.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if the columns are not those.
pub(crate) fn exemplars_of(rows: &RecordBatch) -> Result<Vec<Exemplar>> {
    decode(rows).ok_or_else(|| Error::corrupt("cannot read exemplars: a column has another type or labels are no JSON"))
}

fn decode(rows: &RecordBatch) -> Option<Vec<Exemplar>> {
    let times = rows.column_by_name(schema::TIMESTAMP)?.as_primitive_opt::<TimestampMillisecondType>()?;
    let values = rows.column_by_name(schema::metrics::VALUE)?.as_primitive_opt::<Float64Type>()?;
    let traces = rows.column_by_name(schema::TRACE_ID)?.as_fixed_size_binary_opt()?;
    let spans = rows.column_by_name(schema::SPAN_ID)?.as_fixed_size_binary_opt()?;
    let labels = rows.column_by_name("exemplar_labels")?.as_string_opt::<i32>()?;
    let exemplar = |at: usize| {
        Some(Exemplar {
            series: 0,
            ts_ms: times.value(at),
            value: values.value(at),
            trace_id: if traces.is_null(at) { None } else { TraceId::from_slice(traces.value(at)) },
            span_id: if spans.is_null(at) { None } else { SpanId::from_slice(spans.value(at)) },
            labels: labels_from_json(labels.value(at))?,
        })
    };
    (0..rows.num_rows()).map(exemplar).collect()
}

/// The inverse of [`labels_json`].
pub(crate) fn labels_from_json(json: &str) -> Option<Labels> {
    let pairs: std::collections::BTreeMap<String, String> = serde_json::from_str(json).ok()?;
    Some(Labels::from_pairs(pairs))
}
