//! `</` and `>/`: drops the observations on one side of a threshold.

use signalbox_model::Histogram;

use super::bucket::bound;
use super::{Bucket, compact, is_custom, negative, positive, set_negative, set_positive};

/// Which observations stay.
#[derive(Clone, Copy)]
struct Cut {
    threshold: f64,
    keeps_below: bool,
    is_linear: bool,
}

/// Keeps what is below the threshold, or what is above. Count and sum are estimated anew if anything was dropped.
pub(in crate::promql) fn trim(histogram: &mut Histogram, threshold: f64, keeps_below: bool) {
    let cut = Cut { threshold, keeps_below, is_linear: is_custom(histogram) };
    let schema = histogram.schema;
    let (mut above_zero, mut below_zero) = (positive(histogram), negative(histogram));
    let (has_positive, has_negative) = (above_zero.iter().any(|entry| entry.1 != 0.0), below_zero.iter().any(|entry| entry.1 != 0.0));
    let (mut count, mut sum, mut is_trimmed) = (0.0, 0.0, false);
    let mut take = |entry: &mut f64, lower: f64, upper: f64, is_positive: bool| {
        if *entry == 0.0 {
            return;
        }
        let bucket = Bucket { lower, upper, includes_lower: false, includes_upper: false, count: *entry };
        let (kept, middle) = cut.bucket(&bucket, is_positive);
        count += kept;
        sum += middle * kept;
        is_trimmed |= *entry != kept;
        *entry = kept;
    };
    for (index, entry) in &mut above_zero {
        let (lower, upper) = if cut.is_linear {
            let bounds = &histogram.custom_values;
            let at = |index: i32| usize::try_from(index).ok().and_then(|index| bounds.get(index)).copied();
            (at(*index - 1).unwrap_or(f64::NEG_INFINITY), at(*index).unwrap_or(f64::INFINITY))
        } else {
            (bound(*index - 1, schema), bound(*index, schema))
        };
        take(entry, lower, upper, true);
    }
    for (index, entry) in &mut below_zero {
        take(entry, -bound(*index, schema), -bound(*index - 1, schema), false);
    }
    if histogram.zero_count > 0.0 {
        let lower = if has_positive && !has_negative { 0.0 } else { -histogram.zero_threshold };
        let upper = if has_negative && !has_positive { 0.0 } else { histogram.zero_threshold };
        let (kept, middle) = cut.zero_bucket(lower, upper, histogram.zero_count);
        count += kept;
        sum += middle * kept;
        is_trimmed |= histogram.zero_count != kept;
        histogram.zero_count = kept;
    }
    if is_trimmed {
        histogram.is_integer = false;
        set_positive(histogram, &above_zero);
        set_negative(histogram, &below_zero);
        histogram.count = count;
        histogram.sum = sum;
        compact(histogram);
    }
}

impl Cut {
    /// How many observations of a bucket stay, and the middle of where they lie.
    fn bucket(self, bucket: &Bucket, is_positive: bool) -> (f64, f64) {
        let Self { threshold, keeps_below, is_linear } = self;
        let Bucket { lower, upper, count, .. } = *bucket;
        let (is_kept, is_cut) = if keeps_below { (upper <= threshold, lower < threshold) } else { (lower >= threshold, upper > threshold) };
        if is_kept {
            return (count, middle(lower, upper, is_positive, is_linear));
        }
        if !is_cut {
            return (0.0, 0.0);
        }
        if lower == f64::NEG_INFINITY || upper == f64::INFINITY {
            return self.endless_bucket(bucket);
        }
        let below = count * share_below(lower, upper, threshold, is_linear);
        if keeps_below { (below, middle(lower, threshold, is_positive, is_linear)) } else { (count - below, middle(threshold, upper, is_positive, is_linear)) }
    }

    /// Of a bucket without an end nobody knows where the observations lie: it goes as a whole, unless zero can stand for
    /// its lower end.
    fn endless_bucket(self, bucket: &Bucket) -> (f64, f64) {
        let Self { threshold, keeps_below, .. } = self;
        let Bucket { lower, upper, count, .. } = *bucket;
        if lower == f64::NEG_INFINITY {
            let is_positive = upper > 0.0 && upper.is_finite();
            return match (keeps_below, is_positive) {
                (true, true) if threshold > 0.0 => (count * threshold / upper, threshold / 2.0),
                (true, _) if upper <= 0.0 => (count, threshold),
                (false, true) if threshold >= 0.0 => (count * (1.0 - threshold / upper), (threshold + upper) / 2.0),
                _ => (0.0, 0.0),
            };
        }
        if !keeps_below && threshold >= lower { (count, threshold) } else { (0.0, 0.0) }
    }

    fn zero_bucket(self, lower: f64, upper: f64, count: f64) -> (f64, f64) {
        let whole = (count, (lower + upper) / 2.0);
        let threshold = self.threshold;
        if self.keeps_below {
            if threshold <= lower {
                (0.0, 0.0)
            } else if threshold >= upper {
                whole
            } else {
                (count * ((threshold - lower) / (upper - lower)), (lower + threshold) / 2.0)
            }
        } else if threshold <= lower {
            whole
        } else if threshold >= upper {
            (0.0, 0.0)
        } else {
            (count * ((upper - threshold) / (upper - lower)), (threshold + upper) / 2.0)
        }
    }
}

/// How much of a bucket lies below a value in it, on a logarithmic scale unless `is_linear`.
pub(in crate::promql) fn share_below(lower: f64, upper: f64, value: f64, is_linear: bool) -> f64 {
    if is_linear {
        return (value - lower) / (upper - lower);
    }
    let (low, high, at) = (lower.abs().log2(), upper.abs().log2(), value.abs().log2());
    if lower > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) }
}

fn middle(lower: f64, upper: f64, is_positive: bool, is_linear: bool) -> f64 {
    if lower.is_infinite() {
        return if upper.is_infinite() {
            0.0
        } else if upper > 0.0 {
            upper / 2.0
        } else {
            upper
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    if is_linear {
        return (lower + upper) / 2.0;
    }
    let geometric = (lower * upper).abs().sqrt();
    if is_positive { geometric } else { -geometric }
}
