//! Quantiles, fractions and spread of native histograms.

use signalbox_lang::Span;
use signalbox_model::Histogram;

use crate::promql::histogram::{self, Bucket};
use crate::promql::kahan::Kahan;
use crate::promql::notes::Notes;

/// The quantile: interpolated on a logarithmic scale, linearly in the zero bucket and in custom buckets.
pub(super) fn quantile(q: f64, histogram: &Histogram, metric: &str, span: Span, notes: &Notes) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    let is_custom = histogram::is_custom(histogram);
    // Observations of NaN are in no bucket, so that ranks count from below then.
    let is_forward = histogram.sum.is_nan() || q < 0.5;
    let mut buckets: Box<dyn Iterator<Item = Bucket>> =
        if is_forward { Box::new(histogram::buckets(histogram)) } else { Box::new(histogram::buckets(histogram).rev()) };
    let mut rank = if is_forward { q * histogram.count } else { (1.0 - q) * histogram.count };
    let mut bucket = Bucket { lower: 0.0, upper: 0.0, includes_lower: false, includes_upper: false, count: 0.0 };
    let mut count = 0.0;
    for candidate in buckets.by_ref() {
        bucket = candidate;
        count += bucket.count;
        if bucket.count != 0.0 && count >= rank {
            break;
        }
    }
    if is_custom {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
    } else {
        cut_zero_bucket(&mut bucket, histogram);
    }
    count = if count > histogram.count { histogram.count } else { count };
    if count < rank {
        if histogram.sum.is_nan() {
            notes.quantile_of_nan_observations(metric, true, span);
            return f64::NAN;
        }
        return bucket.upper;
    }
    if is_forward {
        rank -= count - bucket.count;
    } else {
        rank = count - rank;
    }
    if histogram.sum.is_nan() && count + buckets.map(|bucket| bucket.count).sum::<f64>() < histogram.count {
        notes.quantile_of_nan_observations(metric, false, span);
    }
    let fraction = rank / bucket.count;
    if is_custom || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 { (lower + (upper - lower) * fraction).exp2() } else { -(upper + (lower - upper) * (1.0 - fraction)).exp2() }
}

/// With buckets on one side only, the zero bucket is taken to lie on that side.
fn cut_zero_bucket(bucket: &mut Bucket, histogram: &Histogram) {
    if bucket.lower < 0.0 && bucket.upper > 0.0 {
        if histogram.negative_buckets.is_empty() && !histogram.positive_buckets.is_empty() {
            bucket.lower = 0.0;
        } else if histogram.positive_buckets.is_empty() && !histogram.negative_buckets.is_empty() {
            bucket.upper = 0.0;
        }
    }
}

/// The share of observations between two values.
pub(super) fn fraction(lower: f64, upper: f64, histogram: &Histogram, metric: &str, span: Span, notes: &Notes) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let in_buckets: f64 = histogram::buckets(histogram).map(|bucket| bucket.count).sum();
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        if in_buckets < histogram.count {
            notes.fraction_of_nan_observations(metric, span);
        }
        count = in_buckets;
    }
    let is_custom = histogram::is_custom(histogram);
    let rank_of = |value: f64| {
        let mut rank = 0.0;
        for mut bucket in histogram::buckets(histogram) {
            let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if is_zero {
                cut_zero_bucket(&mut bucket, histogram);
            }
            if bucket.lower >= value {
                return rank;
            }
            if bucket.upper > value {
                if bucket.lower == f64::NEG_INFINITY {
                    return bucket.count;
                }
                return rank + bucket.count * histogram::share_below(bucket.lower, bucket.upper, value, is_custom || is_zero);
            }
            rank += bucket.count;
        }
        count
    };
    let within = |rank: f64| if rank > count { count } else { rank };
    (within(rank_of(upper)) - within(rank_of(lower))) / histogram.count
}

/// The variance, each bucket standing for its middle.
pub(super) fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut variance = Kahan::default();
    for bucket in histogram::buckets(histogram).filter(|bucket| bucket.count != 0.0) {
        let middle = if histogram::is_custom(histogram) {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let distance = middle - mean;
        variance.add(bucket.count * distance * distance);
    }
    variance.total() / histogram.count
}
