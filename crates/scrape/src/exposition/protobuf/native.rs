//! Native histograms: differences or float counts become absolute counts, and resolutions become coarser.

use signalbox_model::Histogram;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_proto::prometheus_client as wire;

/// Coarsest and finest resolution that is kept.
const SCHEMA_MIN: i32 = -4;
const SCHEMA_MAX: i32 = 8;
/// Finest resolution that is reserved; finer ones than [`SCHEMA_MAX`] are made coarser.
const SCHEMA_RESERVED_MAX: i32 = 52;

/// Whether a histogram has native buckets. One that never observed anything says so with an empty span.
pub fn is_native(histogram: &wire::Histogram) -> bool {
    !histogram.positive_span.is_empty() || !histogram.negative_span.is_empty() || histogram.zero_threshold > 0.0 || histogram.zero_count > 0
}

/// The native side of a histogram.
pub(super) fn histogram(wire: &wire::Histogram, is_gauge: bool) -> Result<Histogram, String> {
    let is_float = wire.sample_count_float > 0.0 || wire.zero_count_float > 0.0;
    if !(SCHEMA_MIN..=SCHEMA_RESERVED_MAX).contains(&wire.schema) {
        return Err(format!("its schema {} is unknown", wire.schema));
    }
    if wire.zero_threshold.is_nan() || wire.zero_threshold < 0.0 {
        return Err("its zero threshold is negative or no number".to_owned());
    }
    let (positive_spans, positive_buckets) = side(&wire.positive_span, &wire.positive_delta, &wire.positive_count, is_float)?;
    let (negative_spans, negative_buckets) = side(&wire.negative_span, &wire.negative_delta, &wire.negative_count, is_float)?;
    let mut histogram = Histogram {
        schema: wire.schema,
        zero_threshold: wire.zero_threshold,
        zero_count: if is_float { wire.zero_count_float } else { wire.zero_count as f64 },
        count: if is_float { wire.sample_count_float } else { wire.sample_count as f64 },
        sum: wire.sample_sum,
        is_integer: !is_float,
        reset_hint: if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown },
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values: Vec::new(),
    };
    if signalbox_model::batch::is_stale_nan(histogram.sum) {
        histogram.sum = f64::NAN;
    }
    check_count(&histogram)?;
    histogram.coarsen(SCHEMA_MAX).map_err(|error| error.to_string())?;
    Ok(histogram)
}

/// NaN observations are in the count and in no bucket; float counts may be off by rounding.
fn check_count(histogram: &Histogram) -> Result<(), String> {
    let total = histogram.zero_count + histogram.positive_buckets.iter().chain(&histogram.negative_buckets).sum::<f64>();
    let allowed = if histogram.is_integer { histogram.count } else { histogram.count * (1.0 + 1e-9) };
    let is_wrong = histogram.count.is_nan() || total.is_nan() || total > allowed || histogram.zero_count < 0.0;
    if is_wrong { Err(format!("found {total} observations in its buckets: want at most its count {}", histogram.count)) } else { Ok(()) }
}

fn side(spans: &[wire::BucketSpan], deltas: &[i64], counts: &[f64], is_float: bool) -> Result<(Vec<Span>, Vec<f64>), String> {
    let buckets: Vec<f64> = if is_float {
        counts.to_vec()
    } else {
        let mut count = 0i64;
        let absolute = deltas.iter().map(|delta| {
            count = count.checked_add(*delta)?;
            Some(count as f64)
        });
        absolute.collect::<Option<_>>().ok_or("a bucket count is too large")?
    };
    let wanted: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if wanted != buckets.len() as u64 {
        return Err(format!("its spans require {wanted} buckets, have {}", buckets.len()));
    }
    if buckets.iter().any(|count| count.is_nan() || *count < 0.0) {
        return Err("a bucket count is negative or no number".to_owned());
    }
    if spans.iter().skip(1).any(|span| span.offset < 0) {
        return Err("its spans overlap".to_owned());
    }
    let end: i64 = spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    if i32::try_from(end).is_err() {
        return Err("the index of a bucket does not fit".to_owned());
    }
    // An empty span only says that the histogram is native.
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    let mut gap = 0i32;
    for span in spans {
        gap = gap.checked_add(span.offset).ok_or("the index of a bucket does not fit")?;
        if span.length > 0 {
            kept.push(Span { offset: std::mem::take(&mut gap), length: span.length });
        }
    }
    Ok((kept, buckets))
}
