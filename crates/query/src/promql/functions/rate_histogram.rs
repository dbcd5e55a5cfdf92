//! Changes of native histograms over a window, resets accounted for.

use std::sync::Arc;

use signalbox_lang::promql::RangeEdges;
use signalbox_model::histogram::{Histogram, ResetHint};
use signalbox_model::{Error, Result};
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
    if !is_counter && !(is_gauge(first) && is_gauge(last)) {
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

/// The change over an `anchored` range. `smoothed` is refused: histograms are not interpolated.
pub(super) fn extended_change(window: &Window<'_>, is_counter: bool, is_rate: bool, context: &Context<'_>) -> Result<Option<Outcome>> {
    if context.edges == RangeEdges::Smoothed {
        return Err(Error::invalid("smoothed ranges of native histograms are not supported by this server"));
    }
    let points = window.samples.histograms;
    let times: Vec<i64> = points.iter().map(|point| point.ts_ms).collect();
    let Some(Bounds { first, last }) = Bounds::of(&times, window.start_ms, window.end_ms, false) else { return Ok(None) };
    let points = &points[first..=last];
    let change = match points {
        [only] => {
            let mut change = Histogram::clone(&only.histogram);
            tell(histogram::subtract(&mut change, &only.histogram), HistogramOperation::Subtraction, context)
                .map(|()| Histogram { reset_hint: ResetHint::Gauge, ..change })
        }
        _ => change(points, is_counter, context),
    };
    Ok(change.map(|mut change| {
        histogram::compact(&mut change);
        if is_rate {
            histogram::divide(&mut change, context.range_ms as f64 / 1000.0);
        }
        Outcome::Histogram(Arc::new(change))
    }))
}
