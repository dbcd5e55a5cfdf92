//! Arithmetic of native histograms, with the results that Prometheus gives.
//!
//! Histograms of different resolution meet at the lower one, zero buckets at the wider one, custom bounds at those that
//! both have. Exponential and custom buckets do not mix.

use std::fmt::Write;

use signalbox_model::Histogram;
use signalbox_model::histogram::{ResetHint, Span};

mod bucket;
mod reset;
pub(super) mod sum;
mod trim;

pub(super) use bucket::{Bucket, buckets};
pub(super) use reset::is_reset;
pub(super) use trim::{share_below, trim};

use super::kahan::Kahan;
use super::number::format_g;
use bucket::bound;

/// One has exponential buckets and the other custom ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incompatible;

/// What was odd about an addition or subtraction that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Done {
    /// One histogram says that there was a reset, the other that there was none.
    pub(super) is_reset_collision: bool,
    /// Custom bounds were not the same.
    pub(super) are_bounds_reconciled: bool,
}

/// Index and count of buckets, ascending by index.
type Entries = Vec<(i32, f64)>;

pub(super) fn is_custom(histogram: &Histogram) -> bool {
    histogram.schema == Histogram::CUSTOM_SCHEMA
}

fn entries(spans: &[Span], counts: &[f64]) -> Entries {
    let mut index = 0;
    let mut found = Vec::with_capacity(counts.len());
    let mut counts = counts.iter();
    for span in spans {
        index += span.offset;
        for count in counts.by_ref().take(span.length as usize) {
            found.push((index, *count));
            index += 1;
        }
    }
    found
}

fn positive(histogram: &Histogram) -> Entries {
    entries(&histogram.positive_spans, &histogram.positive_buckets)
}

fn negative(histogram: &Histogram) -> Entries {
    entries(&histogram.negative_spans, &histogram.negative_buckets)
}

fn spans(entries: &[(i32, f64)]) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for (index, _) in entries {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        next = index + 1;
    }
    (spans, entries.iter().map(|(_, count)| *count).collect())
}

fn set_positive(histogram: &mut Histogram, entries: &[(i32, f64)]) {
    (histogram.positive_spans, histogram.positive_buckets) = spans(entries);
}

fn set_negative(histogram: &mut Histogram, entries: &[(i32, f64)]) {
    (histogram.negative_spans, histogram.negative_buckets) = spans(entries);
}

/// Multiplies all counts and the sum. By a negative factor the result is a gauge.
pub(super) fn scale(histogram: &mut Histogram, factor: f64) {
    histogram.zero_count *= factor;
    histogram.count *= factor;
    histogram.sum *= factor;
    histogram.positive_buckets.iter_mut().chain(&mut histogram.negative_buckets).for_each(|count| *count *= factor);
    mark_scaled(histogram, factor);
}

/// Divides all counts and the sum. Division by zero leaves no buckets.
pub(super) fn divide(histogram: &mut Histogram, divisor: f64) {
    histogram.zero_count /= divisor;
    histogram.count /= divisor;
    histogram.sum /= divisor;
    if divisor == 0.0 {
        set_positive(histogram, &[]);
        set_negative(histogram, &[]);
    }
    histogram.positive_buckets.iter_mut().chain(&mut histogram.negative_buckets).for_each(|count| *count /= divisor);
    mark_scaled(histogram, divisor);
}

fn mark_scaled(histogram: &mut Histogram, factor: f64) {
    histogram.is_integer = false;
    if factor < 0.0 {
        histogram.reset_hint = ResetHint::Gauge;
    }
}

pub(super) fn add(histogram: &mut Histogram, other: &Histogram) -> Result<Done, Incompatible> {
    combine(histogram, other, 1.0)
}

pub(super) fn subtract(histogram: &mut Histogram, other: &Histogram) -> Result<Done, Incompatible> {
    combine(histogram, other, -1.0)
}

fn combine(histogram: &mut Histogram, other: &Histogram, sign: f64) -> Result<Done, Incompatible> {
    if is_custom(histogram) != is_custom(other) {
        return Err(Incompatible);
    }
    let mut done = Done { is_reset_collision: combine_hints(histogram, other), are_bounds_reconciled: false };
    histogram.is_integer = false;
    if !is_custom(histogram) {
        histogram.zero_count += sign * reconcile_zero_buckets(histogram, other);
    }
    histogram.count += sign * other.count;
    histogram.sum += sign * other.sum;
    if is_custom(histogram) {
        let (mut own, mut others) = (positive(histogram), positive(other));
        if histogram.custom_values != other.custom_values {
            done.are_bounds_reconciled = true;
            let shared = shared_bounds(&histogram.custom_values, &other.custom_values);
            own = onto_bounds(&own, &histogram.custom_values, &shared);
            others = onto_bounds(&others, &other.custom_values, &shared);
            histogram.custom_values = shared;
            let mut sum = merge(&own, &others, sign);
            sum.retain(|(_, count)| *count != 0.0);
            set_positive(histogram, &sum);
        } else {
            set_positive(histogram, &merge(&own, &others, sign));
        }
        return Ok(done);
    }
    let schema = histogram.schema.min(other.schema);
    reduce(histogram, schema);
    let beyond_zero = |entries: Entries| {
        let mut entries = reduced(&entries, other.schema, schema);
        entries.retain(|(index, _)| bound(*index, schema) > histogram.zero_threshold);
        entries
    };
    let (others_positive, others_negative) = (beyond_zero(positive(other)), beyond_zero(negative(other)));
    let (own_positive, own_negative) = (positive(histogram), negative(histogram));
    set_positive(histogram, &merge(&own_positive, &others_positive, sign));
    set_negative(histogram, &merge(&own_negative, &others_negative, sign));
    Ok(done)
}

/// Adds a histogram to a sum and to what rounding takes from the sum. The two have one layout before and after.
pub(super) fn add_compensated(sum: &mut Histogram, lost: &mut Histogram, other: &Histogram) -> Result<Done, Incompatible> {
    if is_custom(sum) != is_custom(other) {
        return Err(Incompatible);
    }
    let mut done = Done { is_reset_collision: combine_hints(sum, other), are_bounds_reconciled: false };
    sum.is_integer = false;
    let mut other_zero = 0.0;
    let (mut others_positive, mut others_negative) = (positive(other), negative(other));
    if is_custom(sum) {
        if sum.custom_values != other.custom_values {
            done.are_bounds_reconciled = true;
            let shared = shared_bounds(&sum.custom_values, &other.custom_values);
            others_positive = onto_bounds(&others_positive, &other.custom_values, &shared);
            for own in [&mut *sum, &mut *lost] {
                let entries = onto_bounds(&positive(own), &own.custom_values, &shared);
                set_positive(own, &entries);
                own.custom_values.clone_from(&shared);
            }
        }
    } else {
        other_zero = reconcile_zero_buckets(sum, other);
        if lost.zero_threshold != sum.zero_threshold {
            (lost.zero_count, _) = zero_count_within(lost, sum.zero_threshold);
            lost.zero_threshold = sum.zero_threshold;
            trim_zero_bucket(lost);
        }
        let schema = sum.schema.min(other.schema);
        reduce(sum, schema);
        reduce(lost, schema);
        for entries in [&mut others_positive, &mut others_negative] {
            *entries = reduced(entries, other.schema, schema);
            entries.retain(|(index, _)| bound(*index, schema) > sum.zero_threshold);
        }
    }
    let add = |total: &mut f64, lost: &mut f64, term: f64| {
        let mut kahan = Kahan { sum: *total, lost: *lost };
        kahan.add(term);
        (*total, *lost) = (kahan.sum, kahan.lost);
    };
    add(&mut sum.zero_count, &mut lost.zero_count, other_zero);
    add(&mut sum.count, &mut lost.count, other.count);
    add(&mut sum.sum, &mut lost.sum, other.sum);
    let (totals, rests) = merge_compensated(&positive(sum), &positive(lost), &others_positive);
    set_positive(sum, &totals);
    set_positive(lost, &rests);
    let (totals, rests) = merge_compensated(&negative(sum), &negative(lost), &others_negative);
    set_negative(sum, &totals);
    set_negative(lost, &rests);
    Ok(done)
}

/// Sums and what rounding took from them, of the same buckets.
fn merge_compensated(own: &[(i32, f64)], lost: &[(i32, f64)], others: &[(i32, f64)]) -> (Entries, Entries) {
    let lost_at = |index: i32| lost.binary_search_by_key(&index, |entry| entry.0).map_or(0.0, |position| lost[position].1);
    let other_at = |index: i32| others.binary_search_by_key(&index, |entry| entry.0).ok().map(|position| others[position].1);
    let own_at = |index: i32| own.binary_search_by_key(&index, |entry| entry.0).map_or(0.0, |position| own[position].1);
    let mut totals = merge(own, others, 1.0);
    let mut rests = totals.clone();
    for (total, rest) in totals.iter_mut().zip(&mut rests) {
        let mut kahan = Kahan { sum: own_at(total.0), lost: lost_at(total.0) };
        if let Some(term) = other_at(total.0) {
            kahan.add(term);
        }
        (total.1, rest.1) = (kahan.sum, kahan.lost);
    }
    (totals, rests)
}

/// Settles what is known about resets; answers whether the two contradict each other.
fn combine_hints(histogram: &mut Histogram, other: &Histogram) -> bool {
    match (histogram.reset_hint, other.reset_hint) {
        (own, others) if own == others => false,
        (ResetHint::Gauge | ResetHint::Unknown, others) => {
            if others == ResetHint::Gauge {
                histogram.reset_hint = ResetHint::Gauge;
            }
            false
        }
        (_, others @ (ResetHint::Gauge | ResetHint::Unknown)) => {
            histogram.reset_hint = others;
            false
        }
        _ => {
            histogram.reset_hint = ResetHint::Unknown;
            true
        }
    }
}

fn merge(own: &[(i32, f64)], others: &[(i32, f64)], sign: f64) -> Entries {
    let mut merged = Vec::with_capacity(own.len() + others.len());
    let (mut own, mut others) = (own.iter().peekable(), others.iter().peekable());
    loop {
        let entry = match (own.peek(), others.peek()) {
            (Some((left, count)), Some((right, other))) if left == right => {
                let entry = (*left, count + sign * other);
                others.next();
                own.next();
                entry
            }
            (Some((left, _)), Some((right, other))) if right < left => {
                let entry = (*right, sign * other);
                others.next();
                entry
            }
            (Some(entry), _) => {
                let entry = **entry;
                own.next();
                entry
            }
            (None, Some((right, other))) => {
                let entry = (*right, sign * other);
                others.next();
                entry
            }
            (None, None) => return merged,
        };
        merged.push(entry);
    }
}

/// Entries at a lower resolution.
fn reduced(entries: &[(i32, f64)], from_schema: i32, to_schema: i32) -> Entries {
    let mut found: Entries = Vec::with_capacity(entries.len());
    for (index, count) in entries {
        let index = ((index - 1) >> (from_schema - to_schema).clamp(0, 31)) + 1;
        match found.last_mut() {
            Some((last, sum)) if *last == index => *sum += count,
            _ => found.push((index, *count)),
        }
    }
    found
}

/// Reduces the resolution of a histogram.
pub(super) fn reduce(histogram: &mut Histogram, schema: i32) {
    if schema < histogram.schema && !is_custom(histogram) {
        let (positive, negative) = (positive(histogram), negative(histogram));
        set_positive(histogram, &reduced(&positive, histogram.schema, schema));
        set_negative(histogram, &reduced(&negative, histogram.schema, schema));
        histogram.schema = schema;
    }
}

fn shared_bounds(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().copied().filter(|bound| right.contains(bound)).collect()
}

/// Moves the counts of custom buckets to coarser bounds, all of which the buckets have.
fn onto_bounds(entries: &[(i32, f64)], bounds: &[f64], shared: &[f64]) -> Entries {
    let mut sums = vec![Kahan::default(); shared.len() + 1];
    for (index, count) in entries {
        let upper = bounds.get(*index as usize).copied().unwrap_or(f64::INFINITY);
        sums[shared.partition_point(|bound| *bound < upper)].add(*count);
    }
    sums.into_iter().map(Kahan::total).enumerate().map(|(index, count)| (index as i32, count)).filter(|(_, count)| *count != 0.0).collect()
}

/// What a histogram would count in a wider zero bucket, and how wide that must be not to end within a populated bucket.
fn zero_count_within(histogram: &Histogram, mut threshold: f64) -> (f64, f64) {
    let (positive, negative) = (positive(histogram), negative(histogram));
    'again: loop {
        let mut count = Kahan::starting_at(histogram.zero_count);
        for (entries, is_positive) in [(&positive, true), (&negative, false)] {
            for (index, bucket) in entries {
                let (lower, upper) = (bound(index - 1, histogram.schema), bound(*index, histogram.schema));
                if lower >= threshold {
                    break;
                }
                count.add(*bucket);
                if upper > threshold {
                    if *bucket != 0.0 {
                        threshold = upper;
                        if !is_positive {
                            continue 'again;
                        }
                    }
                    break;
                }
            }
        }
        return (count.total(), threshold);
    }
}

/// Widens the zero bucket until it fits both; answers the zero count that the other has then.
fn reconcile_zero_buckets(histogram: &mut Histogram, other: &Histogram) -> f64 {
    let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
    while threshold != histogram.zero_threshold {
        if histogram.zero_threshold > threshold {
            (count, threshold) = zero_count_within(other, histogram.zero_threshold);
        }
        if threshold > histogram.zero_threshold {
            (histogram.zero_count, histogram.zero_threshold) = zero_count_within(histogram, threshold);
            trim_zero_bucket(histogram);
        }
    }
    count
}

/// Forgets the buckets that lie in the zero bucket.
fn trim_zero_bucket(histogram: &mut Histogram) {
    let (mut positive, mut negative) = (positive(histogram), negative(histogram));
    let is_outside = |entry: &(i32, f64)| bound(entry.0 - 1, histogram.schema) >= histogram.zero_threshold && entry.1 != 0.0;
    positive.retain(is_outside);
    negative.retain(is_outside);
    set_positive(histogram, &positive);
    set_negative(histogram, &negative);
}

/// Forgets empty buckets.
pub(super) fn compact(histogram: &mut Histogram) {
    let (mut own_positive, mut own_negative) = (positive(histogram), negative(histogram));
    own_positive.retain(|(_, count)| *count != 0.0);
    own_negative.retain(|(_, count)| *count != 0.0);
    set_positive(histogram, &own_positive);
    set_negative(histogram, &own_negative);
}

/// Whether two histograms are the same to the bit; hints about resets do not count.
pub(super) fn equals(left: &Histogram, right: &Histogram) -> bool {
    let same = |left: f64, right: f64| left.to_bits() == right.to_bits();
    let same_entries =
        |left: Entries, right: Entries| left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| left.0 == right.0 && same(left.1, right.1));
    left.schema == right.schema
        && same(left.count, right.count)
        && same(left.sum, right.sum)
        && (!is_custom(left) || left.custom_values == right.custom_values)
        && left.zero_threshold == right.zero_threshold
        && same(left.zero_count, right.zero_count)
        && same_entries(positive(left), positive(right))
        && same_entries(negative(left), negative(right))
}

/// Whether some number of a histogram is infinite.
pub(super) fn has_overflow(histogram: &Histogram) -> bool {
    let counts = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    [histogram.zero_count, histogram.count, histogram.sum].iter().chain(counts).any(|value| value.is_infinite())
}

/// As Prometheus prints it: `{count:3, sum:5, [-1,1]:2, (1,2]:1}`.
pub(super) fn to_text(histogram: &Histogram) -> String {
    let mut text = format!("{{count:{}, sum:{}", format_g(histogram.count), format_g(histogram.sum));
    for bucket in buckets(histogram).filter(|bucket| bucket.count != 0.0) {
        let (open, close) = (if bucket.includes_lower { '[' } else { '(' }, if bucket.includes_upper { ']' } else { ')' });
        // Writing into a string cannot fail.
        _ = write!(text, ", {open}{},{}{close}:{}", format_g(bucket.lower), format_g(bucket.upper), format_g(bucket.count));
    }
    text + "}"
}

#[cfg(test)]
mod tests;
