//! Changes of native histograms over a window, resets accounted for.

use std::sync::Arc;

use signalbox_lang::promql::RangeEdges;
use signalbox_model::histogram::{Histogram, ResetHint};
use signalbox_store::HistogramPoint;

use super::rate::Bounds;
use super::start_times::{is_histogram_reset, is_overlap, is_start_of_new};
use super::{Context, Outcome};
use crate::promql::histogram::{self, Done, Incompatible};
use crate::promql::notes::HistogramOperation;
use crate::promql::ops::over::Window;

/// The last of two or more histograms minus the first, plus what each reset took. `None` if they do not fit together.
pub(super) fn change(points: &[HistogramPoint], is_counter: bool, context: &Context<'_>) -> Option<Histogram> {
    let [first, middle @ .., last] = points else { return None };
    let (first, last) = (&first.histogram, &last.histogram);
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    if is_counter && points.iter().any(|point| is_gauge(&point.histogram)) {
        context.notes.histogram_not_counter(context.metric, context.span);
    }
    if !(is_counter || is_gauge(first) && is_gauge(last)) {
        context.notes.histogram_not_gauge(context.metric, context.span);
    }
    let second = &points[1].histogram;
    // A first histogram that was reset right away does not matter, whatever its buckets are.
    let nothing = Histogram { schema: second.schema, custom_values: second.custom_values.clone(), ..Histogram::default() };
    let base: &Histogram = if is_counter && is_histogram_reset(&points[0], &points[1], context) { &nothing } else { first };
    let is_mixed = histogram::is_custom(last) != histogram::is_custom(base)
        || is_counter && middle.iter().any(|point| histogram::is_custom(&point.histogram) != histogram::is_custom(base));
    if is_mixed {
        context.notes.mixed_exponential_and_custom(context.metric, context.span);
        return None;
    }
    let mut change = Histogram::clone(last);
    let relevant = middle.iter().filter(|_| is_counter).map(|point| point.histogram.schema);
    let schema = relevant.chain([base.schema, last.schema]).min().unwrap_or(last.schema);
    histogram::reduce(&mut change, schema);
    tell(histogram::subtract(&mut change, base), HistogramOperation::Subtraction, context)?;
    if is_counter {
        let mut previous = base;
        for (index, point) in points.iter().enumerate().skip(1) {
            let is_start = context.uses_starts && {
                let before = &points[index - 1];
                is_start_of_new(before.start_ms, before.ts_ms, point.start_ms, point.ts_ms)
            };
            if is_start || histogram::is_reset(&point.histogram, previous) {
                tell(histogram::add(&mut change, previous), HistogramOperation::Addition, context)?;
            }
            previous = &point.histogram;
        }
    }
    if is_counter && context.uses_starts && points.windows(2).any(|pair| is_overlap(pair[0].start_ms, pair[0].ts_ms, pair[1].start_ms)) {
        context.notes.start_time_overlap(context.metric, context.span);
    }
    change.reset_hint = ResetHint::Gauge;
    histogram::compact(&mut change);
    Some(change)
}

/// Adds what a counter had reached at its first sample when it is known to have started in the range.
pub(super) fn add_first(change: &mut Histogram, first: &Histogram, context: &Context<'_>) -> bool {
    tell(histogram::add(change, first), HistogramOperation::Addition, context).is_some()
}

/// Tells what was odd about a combination; `None` if it was not possible. Hints about resets that contradict each other are
/// expected here.
fn tell(done: Result<Done, Incompatible>, operation: HistogramOperation, context: &Context<'_>) -> Option<()> {
    match done {
        Ok(done) => {
            if done.are_bounds_reconciled {
                context.notes.mismatched_custom_buckets(operation, context.span);
            }
            Some(())
        }
        Err(Incompatible) => {
            context.notes.mixed_exponential_and_custom(context.metric, context.span);
            None
        }
    }
}

/// The histogram at an instant between two others. A counter that was reset between them started from zero. `None` if they
/// do not fit together, which is told.
pub(in crate::promql) fn interpolate(
    before: &HistogramPoint,
    after: &HistogramPoint,
    at_ms: i64,
    is_counter: bool,
    context: &Context<'_>,
) -> Option<Histogram> {
    if at_ms == before.ts_ms {
        return Some(Histogram::clone(&before.histogram));
    }
    let mut between = Histogram::clone(&after.histogram);
    if at_ms == after.ts_ms {
        return Some(between);
    }
    let share = (at_ms - before.ts_ms) as f64 / (after.ts_ms - before.ts_ms) as f64;
    if is_counter && histogram::is_reset(&between, &before.histogram) {
        histogram::scale(&mut between, share);
        return Some(between);
    }
    tell(histogram::subtract(&mut between, &before.histogram), HistogramOperation::Subtraction, context)?;
    histogram::scale(&mut between, share);
    tell(histogram::add(&mut between, &before.histogram), HistogramOperation::Addition, context)?;
    Some(between)
}

/// The change over an `anchored` or `smoothed` range.
pub(super) fn extended_change(window: &Window<'_>, is_counter: bool, is_rate: bool, context: &Context<'_>) -> Option<Outcome> {
    let is_smoothed = context.edges == RangeEdges::Smoothed;
    let points = window.samples.histograms;
    let (start_ms, end_ms) = (window.start_ms, window.end_ms);
    let times: Vec<i64> = points.iter().map(|point| point.ts_ms).collect();
    let Bounds { first, last } = Bounds::of(&times, start_ms, end_ms, is_smoothed)?;
    check_kinds(&points[first..=last], is_counter, context)?;
    let left = if is_smoothed && times[first] < start_ms {
        interpolate(&points[first], &points[first + 1], start_ms, is_counter, context)?
    } else {
        Histogram::clone(&points[first].histogram)
    };
    let right = if is_smoothed && last > 0 && times[last] > end_ms {
        interpolate(&points[last - 1], &points[last], end_ms, is_counter, context)?
    } else {
        Histogram::clone(&points[last].histogram)
    };
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    if !(is_counter || is_gauge(&left) && is_gauge(&right)) {
        context.notes.histogram_not_gauge(context.metric, context.span);
    }
    let mut change = right.clone();
    tell(histogram::subtract(&mut change, &left), HistogramOperation::Subtraction, context)?;
    if is_counter {
        let is_inside = is_smoothed && times[first] < start_ms;
        for lost in resets(&points[first..=last], &left, &right, is_inside) {
            tell(histogram::add(&mut change, lost), HistogramOperation::Addition, context)?;
        }
    }
    if is_rate {
        histogram::divide(&mut change, context.range_ms as f64 / 1000.0);
    }
    change.reset_hint = ResetHint::Gauge;
    histogram::compact(&mut change);
    Some(Outcome::Histogram(Arc::new(change)))
}

/// Tells when histograms are gauges where counters are wanted; `None` when exponential and custom buckets mix.
fn check_kinds(points: &[HistogramPoint], is_counter: bool, context: &Context<'_>) -> Option<()> {
    let is_custom = histogram::is_custom(&points.first()?.histogram);
    for point in points {
        if histogram::is_custom(&point.histogram) != is_custom {
            context.notes.mixed_exponential_and_custom(context.metric, context.span);
            return None;
        }
        if is_counter && point.histogram.reset_hint == ResetHint::Gauge {
            context.notes.histogram_not_counter(context.metric, context.span);
        }
    }
    Some(())
}

/// What a counter had reached before each reset between the ends of a range. The first and the last histogram are not looked
/// at: `left` and `right` stand for them. `is_left_inside` says that `left` lies between the first two histograms, and then
/// a reset between those is accounted for already.
fn resets<'a>(points: &'a [HistogramPoint], left: &'a Histogram, right: &Histogram, is_left_inside: bool) -> Vec<&'a Histogram> {
    let (mut previous, mut from) = (left, 1);
    if is_left_inside && points.len() > 1 && histogram::is_reset(&points[1].histogram, &points[0].histogram) {
        previous = &points[1].histogram;
        from = 2;
    }
    let mut lost = Vec::new();
    // One histogram alone, or one reset that both ends are interpolated from: nothing is left to look at.
    if from >= points.len() {
        return lost;
    }
    for point in &points[from..points.len() - 1] {
        if histogram::is_reset(&point.histogram, previous) {
            lost.push(previous);
        }
        previous = &point.histogram;
    }
    if histogram::is_reset(right, previous) {
        lost.push(previous);
    }
    lost
}
