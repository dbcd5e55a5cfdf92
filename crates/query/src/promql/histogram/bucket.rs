//! Buckets of native histograms with their bounds.

use signalbox_model::Histogram;

use super::{is_custom, negative, positive};

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::promql) struct Bucket {
    pub(in crate::promql) lower: f64,
    pub(in crate::promql) upper: f64,
    pub(in crate::promql) lower_inclusive: bool,
    pub(in crate::promql) upper_inclusive: bool,
    pub(in crate::promql) count: f64,
}

/// Upper bound of an exponential bucket, as an absolute value.
pub(super) fn bound(index: i32, schema: i32) -> f64 {
    let exponent =
        if schema < 0 { f64::from(index) * f64::from(1u32 << schema.unsigned_abs().min(31)) } else { f64::from(index) / f64::from(1u32 << schema.min(31)) };
    // The last bucket below infinity ends at the largest number.
    if exponent == 1024.0 { f64::MAX } else { exponent.exp2() }
}

/// All buckets in ascending order, empty ones among them; the zero bucket if it is not empty.
pub(in crate::promql) fn buckets(histogram: &Histogram) -> impl DoubleEndedIterator<Item = Bucket> + use<> {
    let schema = histogram.schema;
    let mut all = Vec::with_capacity(histogram.positive_buckets.len() + histogram.negative_buckets.len() + 1);
    if is_custom(histogram) {
        let bounds = &histogram.custom_values;
        for (index, count) in positive(histogram) {
            let upper = usize::try_from(index).ok().and_then(|index| bounds.get(index)).copied().unwrap_or(f64::INFINITY);
            let lower = usize::try_from(index - 1).ok().and_then(|index| bounds.get(index)).copied().unwrap_or(f64::NEG_INFINITY);
            all.push(Bucket { lower, upper, lower_inclusive: lower.is_infinite(), upper_inclusive: true, count });
        }
        return all.into_iter();
    }
    for (index, count) in negative(histogram).into_iter().rev() {
        let (lower, upper) = (-bound(index, schema), -bound(index - 1, schema));
        all.push(Bucket { lower, upper, lower_inclusive: true, upper_inclusive: false, count });
    }
    if histogram.zero_count > 0.0 {
        let threshold = histogram.zero_threshold;
        all.push(Bucket { lower: -threshold, upper: threshold, lower_inclusive: true, upper_inclusive: true, count: histogram.zero_count });
    }
    for (index, count) in positive(histogram) {
        let (lower, upper) = (bound(index - 1, schema), bound(index, schema));
        all.push(Bucket { lower, upper, lower_inclusive: false, upper_inclusive: true, count });
    }
    all.into_iter()
}
