//! Native histograms of both versions: integer differences or float counts become absolute counts.

use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Histogram, HistogramSample};

use super::series::Fault;
use crate::wire::{Reader, WireError, zigzag};

/// Coarsest and finest resolution that is kept.
const SCHEMA_MIN: i32 = -4;
const SCHEMA_MAX: i32 = 8;
/// Finest resolution that the specification reserves; finer ones than [`SCHEMA_MAX`] are coarsened.
const SCHEMA_RESERVED_MAX: i32 = 52;

/// The fields as they are on the wire.
#[derive(Debug, Default)]
pub(super) struct WireHistogram {
    count: f64,
    is_float: bool,
    sum: f64,
    schema: i32,
    zero_threshold: f64,
    zero_count: f64,
    positive: Side,
    negative: Side,
    reset_hint: i32,
    ts_ms: i64,
    custom_values: Vec<f64>,
    start_ms: i64,
}

#[derive(Debug, Default)]
struct Side {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl WireHistogram {
    pub(super) fn read(mut reader: Reader<'_>) -> Result<Self, WireError> {
        let mut wire = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => (wire.count, wire.is_float) = (field.varint()? as f64, false),
                2 => (wire.count, wire.is_float) = (field.double()?, true),
                3 => wire.sum = field.double()?,
                4 => wire.schema = field.sint32()?,
                5 => wire.zero_threshold = field.double()?,
                6 => wire.zero_count = field.varint()? as f64,
                7 => wire.zero_count = field.double()?,
                8 => wire.negative.spans.push(span(field.message()?)?),
                9 => field.each_varint(|value| wire.negative.deltas.push(zigzag(value)))?,
                10 => field.each_fixed64(|bits| wire.negative.counts.push(f64::from_bits(bits)))?,
                11 => wire.positive.spans.push(span(field.message()?)?),
                12 => field.each_varint(|value| wire.positive.deltas.push(zigzag(value)))?,
                13 => field.each_fixed64(|bits| wire.positive.counts.push(f64::from_bits(bits)))?,
                14 => wire.reset_hint = field.int32()?,
                15 => wire.ts_ms = field.int64()?,
                16 => field.each_fixed64(|bits| wire.custom_values.push(f64::from_bits(bits)))?,
                17 => wire.start_ms = field.int64()?,
                _ => {}
            }
        }
        Ok(wire)
    }
}

fn span(mut reader: Reader<'_>) -> Result<Span, WireError> {
    let mut span = Span { offset: 0, length: 0 };
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => span.offset = field.sint32()?,
            2 => span.length = field.uint32()?,
            _ => {}
        }
    }
    Ok(span)
}

fn fault<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(("invalid_histogram", message.into()))
}

/// Checks a histogram and gives it its form in memory.
pub(super) fn native(wire: WireHistogram, series: u32, created_ms: i64) -> Result<HistogramSample, Fault> {
    let start_ms = if wire.start_ms == 0 { created_ms } else { wire.start_ms };
    let ts_ms = wire.ts_ms;
    let reset_hint = match wire.reset_hint {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    };
    if is_stale_nan(wire.sum) {
        let histogram = Histogram { sum: wire.sum, is_integer: !wire.is_float, reset_hint, ..Histogram::default() };
        return Ok(HistogramSample { series, ts_ms, start_ms, is_delta: false, histogram });
    }
    check(&wire)?;
    let is_integer = !wire.is_float;
    let (positive_spans, positive_buckets) = wire.positive.absolute(is_integer)?;
    let (negative_spans, negative_buckets) = wire.negative.absolute(is_integer)?;
    let total = wire.zero_count + positive_buckets.iter().chain(&negative_buckets).sum::<f64>();
    // NaN observations are in the count and in no bucket. Float counts may be off by rounding.
    let is_short = if is_integer { total > wire.count } else { total > wire.count * (1.0 + 1e-9) };
    if is_short || wire.count.is_nan() {
        return fault(format!("its count {} is less than {total} in its buckets", wire.count));
    }
    let mut histogram = Histogram {
        schema: wire.schema,
        zero_threshold: wire.zero_threshold,
        zero_count: wire.zero_count,
        count: wire.count,
        sum: wire.sum,
        is_integer,
        reset_hint,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values: wire.custom_values,
    };
    histogram.coarsen(SCHEMA_MAX).map_err(|error| ("invalid_histogram", error.to_string()))?;
    Ok(HistogramSample { series, ts_ms, start_ms, is_delta: false, histogram })
}

fn check(wire: &WireHistogram) -> Result<(), Fault> {
    if wire.schema == Histogram::CUSTOM_SCHEMA {
        if !wire.negative.spans.is_empty() || wire.zero_count != 0.0 {
            return fault("custom buckets have no negative side and no zero bucket");
        }
        if !wire.custom_values.is_sorted_by(|left, right| left < right) || wire.custom_values.iter().any(|bound| !bound.is_finite()) {
            return fault("its custom bounds do not ascend, or are not finite");
        }
        let end: i64 = wire.positive.spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
        if end > wire.custom_values.len() as i64 + 1 || wire.positive.spans.first().is_some_and(|span| span.offset < 0) {
            return fault("a bucket lies outside its custom bounds");
        }
    } else if !(SCHEMA_MIN..=SCHEMA_RESERVED_MAX).contains(&wire.schema) {
        return fault(format!("its schema {} is unknown", wire.schema));
    } else if !wire.custom_values.is_empty() {
        return fault("exponential buckets have no custom bounds");
    }
    if wire.zero_threshold.is_nan() || wire.zero_threshold < 0.0 || wire.zero_count.is_nan() || wire.zero_count < 0.0 {
        return fault("its zero bucket is negative or NaN");
    }
    Ok(())
}

impl Side {
    fn absolute(self, is_integer: bool) -> Result<(Vec<Span>, Vec<f64>), Fault> {
        let buckets: Vec<f64> = if is_integer {
            let mut count = 0i64;
            let mut buckets = Vec::with_capacity(self.deltas.len());
            for delta in self.deltas {
                count = count.checked_add(delta).ok_or_else(|| ("invalid_histogram", "a bucket count is too large".to_owned()))?;
                buckets.push(count as f64);
            }
            buckets
        } else {
            self.counts
        };
        if buckets.iter().any(|count| count.is_nan() || *count < 0.0) {
            return fault("a bucket count is negative or NaN");
        }
        if self.spans.iter().map(|span| u64::from(span.length)).sum::<u64>() != buckets.len() as u64 {
            return fault("its spans do not cover its buckets");
        }
        if self.spans.iter().skip(1).any(|span| span.offset < 0) {
            return fault("its spans overlap");
        }
        let last: i64 = self.spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
        if i32::try_from(last).is_err() {
            return fault("a bucket's index does not fit");
        }
        Ok((self.spans, buckets))
    }
}
