//! Buckets of native histograms with their bounds.

use signalbox_model::Histogram;

pub(in crate::promql) use signalbox_model::histogram::Bucket;

/// Upper bound of an exponential bucket, as an absolute value.
pub(super) fn bound(index: i32, schema: i32) -> f64 {
    Histogram { schema, ..Histogram::default() }.upper_bound(index)
}

/// All buckets in ascending order, empty ones among them; the zero bucket if it is not empty.
pub(in crate::promql) fn buckets(histogram: &Histogram) -> impl DoubleEndedIterator<Item = Bucket> + use<> {
    histogram.buckets().into_iter()
}
