//! Native histograms as rows and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int32Array, Int32Builder, ListArray, ListBuilder, PrimitiveArray,
    TimestampMillisecondArray, UInt32Builder,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Float64Type, Int32Type, TimestampMillisecondType, UInt32Type};
use arrow::record_batch::RecordBatch;
use signalbox_model::builder::DictionaryBuilder;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Error, Histogram, Result, schema};

use super::SeriesText;
use crate::snapshot::HistogramPoint;

/// Rows with the schema of `histograms`.
///
/// # Errors
/// `Internal`, never.
pub(crate) fn histogram_rows<'a>(points: impl Iterator<Item = (SeriesText<'a>, &'a HistogramPoint)>) -> Result<RecordBatch> {
    let (mut name, mut labels) = (DictionaryBuilder::default(), DictionaryBuilder::default());
    let mut all: Vec<&HistogramPoint> = Vec::new();
    for (series, point) in points {
        name.push_text(series.name);
        labels.push_text(series.labels);
        all.push(point);
    }
    let histograms = || all.iter().map(|point| point.histogram.as_ref());
    let double = |get: fn(&Histogram) -> f64| Arc::new(Float64Array::from_iter_values(histograms().map(get))) as ArrayRef;
    let starts = all.iter().map(|point| (point.start_ms != 0).then_some(point.start_ms));
    let columns: Vec<ArrayRef> = vec![
        name.finish(),
        labels.finish(),
        Arc::new(TimestampMillisecondArray::from_iter_values(all.iter().map(|point| point.ts_ms)).with_timezone("UTC")),
        Arc::new(TimestampMillisecondArray::from_iter(starts).with_timezone("UTC")),
        Arc::new(Int32Array::from_iter_values(histograms().map(|histogram| histogram.schema))),
        double(|histogram| histogram.zero_threshold),
        double(|histogram| histogram.zero_count),
        double(|histogram| histogram.count),
        double(|histogram| histogram.sum),
        Arc::new(histograms().map(|histogram| Some(histogram.is_integer)).collect::<BooleanArray>()),
        Arc::new(Int32Array::from_iter_values(histograms().map(|histogram| hint_code(histogram.reset_hint)))),
        offsets(histograms().map(|histogram| &histogram.positive_spans)),
        lengths(histograms().map(|histogram| &histogram.positive_spans)),
        doubles(histograms().map(|histogram| &histogram.positive_buckets)),
        offsets(histograms().map(|histogram| &histogram.negative_spans)),
        lengths(histograms().map(|histogram| &histogram.negative_spans)),
        doubles(histograms().map(|histogram| &histogram.negative_buckets)),
        doubles(histograms().map(|histogram| &histogram.custom_values)),
    ];
    RecordBatch::try_new(schema::histograms(), columns).map_err(|error| Error::internal("cannot build rows of histograms").with_source(error))
}

/// The histograms of rows with the schema of `histograms`.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if the columns are not those.
pub(crate) fn histograms_of(rows: &RecordBatch) -> Result<Vec<HistogramPoint>> {
    decode(rows).ok_or_else(|| Error::corrupt("cannot read histograms: a column has another type"))
}

fn decode(rows: &RecordBatch) -> Option<Vec<HistogramPoint>> {
    let column = |name: &str| rows.column_by_name(name);
    let double = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let int = |name: &str| column(name)?.as_primitive_opt::<Int32Type>();
    let list = |name: &str| column(name)?.as_list_opt::<i32>();
    let times = column(schema::TIMESTAMP)?.as_primitive_opt::<TimestampMillisecondType>()?;
    let starts = column(schema::metrics::START_TIMESTAMP)?.as_primitive_opt::<TimestampMillisecondType>()?;
    let (scale, hints, is_integer) = (int("schema")?, int("reset_hint")?, column("is_integer")?.as_boolean_opt()?);
    let (zero_threshold, zero_count, count, sum) = (double("zero_threshold")?, double("zero_count")?, double("count")?, double("sum")?);
    let (positive_offsets, positive_lengths, positive) = (list("positive_offsets")?, list("positive_lengths")?, list("positive_buckets")?);
    let (negative_offsets, negative_lengths, negative) = (list("negative_offsets")?, list("negative_lengths")?, list("negative_buckets")?);
    let custom = list("custom_values")?;
    let mut points = Vec::with_capacity(rows.num_rows());
    for at in 0..rows.num_rows() {
        let histogram = Histogram {
            schema: scale.value(at),
            zero_threshold: zero_threshold.value(at),
            zero_count: zero_count.value(at),
            count: count.value(at),
            sum: sum.value(at),
            is_integer: is_integer.value(at),
            reset_hint: hint(hints.value(at)),
            positive_spans: spans(positive_offsets, positive_lengths, at)?,
            positive_buckets: items::<Float64Type>(positive, at)?.values().to_vec(),
            negative_spans: spans(negative_offsets, negative_lengths, at)?,
            negative_buckets: items::<Float64Type>(negative, at)?.values().to_vec(),
            custom_values: items::<Float64Type>(custom, at)?.values().to_vec(),
        };
        let start_ms = if starts.is_null(at) { 0 } else { starts.value(at) };
        points.push(HistogramPoint { ts_ms: times.value(at), start_ms, histogram: Arc::new(histogram) });
    }
    Some(points)
}

fn items<T: ArrowPrimitiveType>(list: &ListArray, at: usize) -> Option<PrimitiveArray<T>> {
    list.value(at).as_primitive_opt::<T>().cloned()
}

fn spans(offsets: &ListArray, lengths: &ListArray, at: usize) -> Option<Vec<Span>> {
    let (offsets, lengths) = (items::<Int32Type>(offsets, at)?, items::<UInt32Type>(lengths, at)?);
    let both = offsets.values().iter().zip(lengths.values());
    (offsets.len() == lengths.len()).then(|| both.map(|(offset, length)| Span { offset: *offset, length: *length }).collect())
}

fn offsets<'a>(spans: impl Iterator<Item = &'a Vec<Span>>) -> ArrayRef {
    let mut list = ListBuilder::new(Int32Builder::new()).with_field(Field::new("item", DataType::Int32, false));
    for spans in spans {
        spans.iter().for_each(|span| list.values().append_value(span.offset));
        list.append(true);
    }
    Arc::new(list.finish())
}

fn lengths<'a>(spans: impl Iterator<Item = &'a Vec<Span>>) -> ArrayRef {
    let mut list = ListBuilder::new(UInt32Builder::new()).with_field(Field::new("item", DataType::UInt32, false));
    for spans in spans {
        spans.iter().for_each(|span| list.values().append_value(span.length));
        list.append(true);
    }
    Arc::new(list.finish())
}

fn doubles<'a>(values: impl Iterator<Item = &'a Vec<f64>>) -> ArrayRef {
    let mut list = ListBuilder::new(Float64Builder::new()).with_field(Field::new("item", DataType::Float64, false));
    for values in values {
        list.values().append_slice(values);
        list.append(true);
    }
    Arc::new(list.finish())
}

fn hint_code(hint: ResetHint) -> i32 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn hint(code: i32) -> ResetHint {
    match code {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}
