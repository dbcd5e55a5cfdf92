//! Adding native histograms: bring both to the coarser resolution and the wider zero bucket, then add bucket by bucket.

use std::collections::BTreeMap;

use signalbox_model::Histogram;
use signalbox_model::histogram::Span;

/// Counts by index of the bucket.
type Buckets = BTreeMap<i32, f64>;

/// The sum of two histograms; `None` if they have no common form, such as two different sets of custom bounds.
pub(super) fn add(left: &Histogram, right: &Histogram) -> Option<Histogram> {
    let is_custom = |histogram: &Histogram| histogram.schema == Histogram::CUSTOM_SCHEMA;
    if is_custom(left) != is_custom(right) || (is_custom(left) && left.custom_values != right.custom_values) {
        return None;
    }
    let schema = left.schema.min(right.schema);
    let mut positive = buckets(&left.positive_spans, &left.positive_buckets, left.schema - schema);
    merge(&mut positive, buckets(&right.positive_spans, &right.positive_buckets, right.schema - schema));
    let mut negative = buckets(&left.negative_spans, &left.negative_buckets, left.schema - schema);
    merge(&mut negative, buckets(&right.negative_spans, &right.negative_buckets, right.schema - schema));
    let mut zero_count = left.zero_count + right.zero_count;
    let mut zero_threshold = left.zero_threshold.max(right.zero_threshold);
    if !is_custom(left) {
        zero_threshold = widen_zero_bucket(zero_threshold, schema, [&positive, &negative]);
        for side in [&mut positive, &mut negative] {
            side.retain(|index, count| {
                let is_inside = upper_bound(*index, schema) <= zero_threshold;
                zero_count += if is_inside { *count } else { 0.0 };
                !is_inside
            });
        }
    }
    let (positive_spans, positive_buckets) = spans(&positive);
    let (negative_spans, negative_buckets) = spans(&negative);
    Some(Histogram {
        schema,
        zero_threshold,
        zero_count,
        count: left.count + right.count,
        sum: left.sum + right.sum,
        is_integer: left.is_integer && right.is_integer,
        reset_hint: left.reset_hint,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values: left.custom_values.clone(),
    })
}

/// Buckets by index, at a resolution coarser by `shift`. Indexes count upper bounds: `(i - 1) >> shift`, plus 1.
fn buckets(spans: &[Span], counts: &[f64], shift: i32) -> Buckets {
    let (mut buckets, mut index, mut counts) = (Buckets::new(), 0i32, counts.iter());
    for span in spans {
        index = index.saturating_add(span.offset);
        for count in counts.by_ref().take(span.length as usize) {
            let at = if shift > 0 { (index.saturating_sub(1) >> shift.min(31)) + 1 } else { index };
            *buckets.entry(at).or_default() += count;
            index = index.saturating_add(1);
        }
    }
    buckets
}

fn merge(into: &mut Buckets, from: Buckets) {
    for (index, count) in from {
        *into.entry(index).or_default() += count;
    }
}

/// The narrowest zero bucket that is at least as wide as `threshold` and cuts no filled bucket in two.
fn widen_zero_bucket(mut threshold: f64, schema: i32, sides: [&Buckets; 2]) -> f64 {
    loop {
        let is_cut = |index: i32| upper_bound(index - 1, schema) < threshold && threshold < upper_bound(index, schema);
        let cut = sides.iter().flat_map(|side| side.iter()).filter(|(index, count)| **count > 0.0 && is_cut(**index)).map(|(index, _)| *index).max();
        match cut {
            Some(index) => threshold = upper_bound(index, schema),
            None => return threshold,
        }
    }
}

/// `2^(index * 2^-schema)`.
fn upper_bound(index: i32, schema: i32) -> f64 {
    (f64::from(index) * f64::from(-schema).exp2()).exp2()
}

fn spans(buckets: &Buckets) -> (Vec<Span>, Vec<f64>) {
    let (mut spans, mut counts, mut next) = (Vec::<Span>::new(), Vec::new(), 0i32);
    for (index, count) in buckets.iter().filter(|(_, count)| **count != 0.0) {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        counts.push(*count);
        next = index + 1;
    }
    (spans, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, zero: (f64, f64), offset: i32, counts: &[f64]) -> Histogram {
        Histogram {
            schema,
            zero_threshold: zero.0,
            zero_count: zero.1,
            count: zero.1 + counts.iter().sum::<f64>(),
            sum: 1.0,
            is_integer: true,
            positive_spans: vec![Span { offset, length: counts.len() as u32 }],
            positive_buckets: counts.to_vec(),
            ..Histogram::default()
        }
    }

    #[test]
    fn adds_bucket_by_bucket() {
        let total = add(&histogram(2, (0.0, 1.0), 3, &[1.0, 2.0]), &histogram(2, (0.0, 2.0), 4, &[10.0, 20.0])).expect("same form");
        assert_eq!(total.positive_spans, [Span { offset: 3, length: 3 }]);
        assert_eq!((total.positive_buckets, total.zero_count, total.count, total.sum), (vec![1.0, 12.0, 20.0], 3.0, 36.0, 2.0));
    }

    #[test]
    fn meets_at_the_coarser_resolution() {
        // At schema 1 buckets 1 and 2 make bucket 1 of schema 0, 3 and 4 make bucket 2.
        let total = add(&histogram(1, (0.0, 0.0), 1, &[1.0, 2.0, 3.0, 4.0]), &histogram(0, (0.0, 0.0), 2, &[5.0])).expect("same kind");
        assert_eq!((total.schema, total.positive_spans, total.positive_buckets), (0, vec![Span { offset: 1, length: 2 }], vec![3.0, 12.0]));
    }

    #[test]
    fn the_wider_zero_bucket_swallows_what_it_touches() {
        // Bucket 1 of schema 0 is (1, 2], which the threshold 1.5 cuts: the zero bucket grows to 2.
        let total = add(&histogram(0, (0.1, 0.0), 1, &[4.0, 7.0]), &histogram(0, (1.5, 3.0), 5, &[1.0])).expect("same kind");
        assert_eq!((total.zero_threshold, total.zero_count), (2.0, 7.0));
        assert_eq!((total.positive_spans, total.positive_buckets), (vec![Span { offset: 2, length: 1 }, Span { offset: 2, length: 1 }], vec![7.0, 1.0]));
    }

    #[test]
    fn different_custom_bounds_do_not_add() {
        let custom = |bounds: &[f64]| Histogram { schema: Histogram::CUSTOM_SCHEMA, custom_values: bounds.to_vec(), ..Histogram::default() };
        assert!(add(&custom(&[1.0]), &custom(&[2.0])).is_none());
        assert!(add(&custom(&[1.0]), &Histogram::default()).is_none());
        assert!(add(&custom(&[1.0]), &custom(&[1.0])).is_some());
    }
}
