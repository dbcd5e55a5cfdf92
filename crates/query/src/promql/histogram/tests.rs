//! Sums, resets and texts of native histograms, on small ones that can be added up by hand.

use super::*;

fn exponential(schema: i32, first: i32, counts: &[f64]) -> Histogram {
    let count = counts.iter().sum();
    let spans = vec![Span { offset: first, length: counts.len() as u32 }];
    Histogram { schema, count, sum: count, positive_spans: spans, positive_buckets: counts.to_vec(), ..Histogram::default() }
}

fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
    Histogram { custom_values: bounds.to_vec(), ..exponential(Histogram::CUSTOM_SCHEMA, 0, counts) }
}

#[test]
fn sums_meet_at_the_lower_resolution() {
    let mut sum = exponential(1, 1, &[1.0, 2.0, 3.0, 4.0]);
    add(&mut sum, &exponential(0, 1, &[10.0])).unwrap();
    assert_eq!((sum.schema, sum.count), (0, 20.0));
    assert_eq!(positive(&sum), [(1, 13.0), (2, 7.0)]);
    subtract(&mut sum, &exponential(0, 1, &[13.0, 7.0])).unwrap();
    compact(&mut sum);
    assert_eq!((sum.count, sum.positive_buckets.len()), (0.0, 0));
}

#[test]
fn zero_buckets_meet_at_the_wider_one() {
    let wide = Histogram { zero_threshold: 2.0, zero_count: 5.0, count: 5.0, ..Histogram::default() };
    let mut sum = exponential(0, 0, &[1.0, 2.0, 3.0]);
    add(&mut sum, &wide).unwrap();
    // The buckets (0.5,1] and (1,2] are in the zero bucket now.
    assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 8.0));
    assert_eq!(positive(&sum), [(2, 3.0)]);
    let cut = Histogram { zero_threshold: 1.5, ..wide };
    let mut sum = exponential(0, 1, &[2.0]);
    add(&mut sum, &cut).unwrap();
    assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 7.0));
}

#[test]
fn custom_bounds_meet_at_those_that_both_have() {
    let mut sum = custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let done = add(&mut sum, &custom(&[2.0, 5.0], &[10.0, 20.0, 30.0])).unwrap();
    assert!(done.are_bounds_reconciled);
    assert_eq!((sum.custom_values.as_slice(), positive(&sum)), ([2.0, 5.0].as_slice(), vec![(0, 13.0), (1, 23.0), (2, 34.0)]));
    assert_eq!(add(&mut sum, &exponential(0, 1, &[1.0])), Err(Incompatible));
}

#[test]
fn resets_show_in_any_bucket() {
    let before = exponential(0, 1, &[1.0, 2.0]);
    assert!(!is_reset(&exponential(0, 1, &[1.0, 3.0]), &before));
    assert!(is_reset(&exponential(0, 1, &[0.0, 9.0]), &before));
    assert!(is_reset(&exponential(1, 1, &[9.0, 9.0]), &before));
    let hinted = |reset_hint| Histogram { reset_hint, ..exponential(0, 1, &[1.0, 2.0]) };
    assert!(is_reset(&hinted(ResetHint::Reset), &before) && !is_reset(&hinted(ResetHint::NotReset), &exponential(0, 1, &[9.0])));
    assert!(is_reset(&custom(&[1.0], &[1.0, 9.0]), &custom(&[1.0], &[2.0])));
}

#[test]
fn hints_that_contradict_each_other_are_told() {
    let mut sum = Histogram { reset_hint: ResetHint::Reset, ..exponential(0, 1, &[1.0]) };
    let done = add(&mut sum, &Histogram { reset_hint: ResetHint::NotReset, ..exponential(0, 1, &[1.0]) }).unwrap();
    assert!(done.is_reset_collision && sum.reset_hint == ResetHint::Unknown);
}

#[test]
fn prints_as_prometheus_does() {
    let mut histogram = exponential(0, 1, &[1.0, 0.0, 2.0]);
    histogram.zero_threshold = 0.5;
    histogram.zero_count = 4.0;
    assert_eq!(to_text(&histogram), "{count:3, sum:3, [-0.5,0.5]:4, (1,2]:1, (4,8]:2}");
    assert_eq!(to_text(&custom(&[1.0, 2.0], &[1.0, 0.0, 3.0])), "{count:4, sum:4, [-Inf,1]:1, (2,+Inf]:3}");
}
