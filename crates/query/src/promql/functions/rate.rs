//! The rate family: how fast counters and gauges change.

use std::sync::Arc;

use signalbox_lang::promql::{Function, RangeEdges};
use signalbox_model::Result;
use signalbox_model::histogram::{Histogram, ResetHint};
use signalbox_store::HistogramPoint;

use super::start_times::{is_overlap, is_start_of_new, start_inside};
use super::{Context, Outcome};
use crate::promql::histogram;
use crate::promql::notes::HistogramOperation;
use crate::promql::ops::over::{Samples, Window};

mod stretches;

pub(in crate::promql) use stretches::Stretches;

/// Whether the function is `rate`, `increase` or `delta`.
pub(in crate::promql) fn is_of_family(function: Function) -> bool {
    matches!(function, Function::Rate | Function::Increase | Function::Delta)
}

/// Tells when the name of a metric is not that of a counter.
pub(in crate::promql) fn check_counter_name(context: &Context<'_>) {
    let is_counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| context.metric.ends_with(suffix));
    if !context.metric.is_empty() && !is_counter {
        context.notes.possible_non_counter(context.metric, context.span);
    }
}

/// Where the samples of a window lie.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) count: usize,
    /// When the counter was zero, if that is known and in the range.
    pub(super) start_ms: Option<i64>,
}

/// By what the change between the first and the last sample is multiplied to cover the range: samples close to its ends are
/// taken to reach there, others only half of the way to the next expected sample. `zero` is how many such changes before
/// the first sample a counter was zero, before which it cannot have been.
#[inline]
pub(super) fn factor(window: &Window<'_>, spread: Spread, zero: Option<f64>, is_rate: bool, range_ms: i64) -> f64 {
    let mut to_start = (spread.first_ms - window.start_ms) as f64 / 1000.0;
    let mut to_end = (window.end_ms - spread.last_ms) as f64 / 1000.0;
    let mut sampled = (spread.last_ms - spread.first_ms) as f64 / 1000.0;
    let between = if spread.count > 1 { sampled / (spread.count - 1) as f64 } else { 0.0 };
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if let Some(start_ms) = spread.start_ms {
        to_start = 0.0;
        sampled = (spread.last_ms - start_ms) as f64 / 1000.0;
    } else if let Some(zero) = zero {
        let to_zero = sampled * zero;
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
    if is_rate { factor / (range_ms as f64 / 1000.0) } else { factor }
}

pub(super) fn rate(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    change(Function::Rate, window, context)
}

pub(super) fn increase(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    change(Function::Increase, window, context)
}

pub(super) fn delta(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    change(Function::Delta, window, context)
}

/// The family for one window, where [`Stretches`] do not do.
fn change(function: Function, window: &Window<'_>, context: &Context<'_>) -> Result<Option<Outcome>> {
    let (is_counter, is_rate) = (function != Function::Delta, function == Function::Rate);
    let Samples { values, histograms, .. } = window.samples;
    if !values.is_empty() && !histograms.is_empty() {
        context.notes.mixed_floats_and_histograms(context.metric, context.span);
        return Ok(None);
    }
    if context.edges != RangeEdges::Plain {
        let extended = if histograms.is_empty() { extended_change } else { super::rate_histogram::extended_change };
        return Ok(extended(window, is_counter, is_rate, context));
    }
    if !values.is_empty() {
        return Ok(float_change(window, is_counter, is_rate, context));
    }
    let [first, .., last] = histograms else {
        return Ok(histograms.first().and_then(|only| super::start_times::of_one_histogram(window, only, is_counter, is_rate, context)));
    };
    let Some(mut change) = super::rate_histogram::change(histograms, is_counter, context) else { return Ok(None) };
    let start_ms = if is_counter && context.uses_starts { start_inside(window, first.ts_ms, first.start_ms) } else { None };
    let spread = Spread { first_ms: first.ts_ms, last_ms: last.ts_ms, count: histograms.len(), start_ms };
    if start_ms.is_some() && !super::rate_histogram::add_first(&mut change, &first.histogram, context) {
        return Ok(None);
    }
    let zero = (is_counter && change.count > 0.0 && first.histogram.count >= 0.0).then(|| first.histogram.count / change.count);
    histogram::scale(&mut change, factor(window, spread, zero, is_rate, context.range_ms));
    Ok(Some(Outcome::Histogram(Arc::new(change))))
}

fn float_change(window: &Window<'_>, is_counter: bool, is_rate: bool, context: &Context<'_>) -> Option<Outcome> {
    let Samples { times, values, starts, .. } = window.samples;
    let (first, last) = (*values.first()?, *values.last()?);
    let mut change = last - first;
    if is_counter {
        let is_reset = |index: usize| starts.len() == times.len() && is_start_of_new(starts[index - 1], times[index - 1], starts[index], times[index]);
        for index in 1..values.len() {
            if values[index] < values[index - 1] || is_reset(index) {
                change += values[index - 1];
            }
        }
        if (1..starts.len()).any(|index| is_overlap(starts[index - 1], times[index - 1], starts[index])) {
            context.notes.start_time_overlap(context.metric, context.span);
        }
    }
    let start_ms = starts.first().filter(|_| is_counter).and_then(|start_ms| start_inside(window, times[0], *start_ms));
    if start_ms.is_some() {
        change += first;
    } else if values.len() < 2 {
        return None;
    }
    let spread = Spread { first_ms: times[0], last_ms: times[times.len() - 1], count: times.len(), start_ms };
    let zero = (is_counter && change > 0.0 && first >= 0.0).then(|| first / change);
    Some(Outcome::Float(change * factor(window, spread, zero, is_rate, context.range_ms)))
}

/// Which samples stand for the ends of an `anchored` or `smoothed` range.
pub(in crate::promql) struct Bounds {
    pub(in crate::promql) first: usize,
    pub(in crate::promql) last: usize,
}

impl Bounds {
    /// `None` when there is nothing to measure.
    pub(in crate::promql) fn of(times: &[i64], start_ms: i64, end_ms: i64, is_smoothed: bool) -> Option<Self> {
        let newest = times.len().checked_sub(1)?;
        let first = times[..newest].partition_point(|ts| *ts <= start_ms).saturating_sub(1);
        let last = if is_smoothed { times[..newest].partition_point(|ts| *ts < end_ms) } else { newest };
        let is_empty = times[last] <= start_ms || (is_smoothed && times[first] > end_ms);
        (!is_empty).then_some(Self { first, last })
    }
}

/// The value at an instant between a sample and the next. A counter that was reset between them started from zero.
pub(in crate::promql) fn interpolate(times: &[i64], values: &[f64], index: usize, at_ms: i64, is_counter: bool) -> f64 {
    let (mut from, to) = (values[index], values[index + 1]);
    if is_counter && to < from {
        from = 0.0;
    }
    from + (to - from) * (at_ms - times[index]) as f64 / (times[index + 1] - times[index]) as f64
}

fn extended_change(window: &Window<'_>, is_counter: bool, is_rate: bool, context: &Context<'_>) -> Option<Outcome> {
    let is_smoothed = context.edges == RangeEdges::Smoothed;
    let (times, values) = (window.samples.times, window.samples.values);
    let (start_ms, end_ms) = (window.start_ms, window.end_ms);
    let Bounds { mut first, last } = Bounds::of(times, start_ms, end_ms, is_smoothed)?;
    let left = if is_smoothed && times[first] < start_ms { interpolate(times, values, first, start_ms, is_counter) } else { values[first] };
    let right = if is_smoothed && last > 0 && times[last] > end_ms { interpolate(times, values, last - 1, end_ms, is_counter) } else { values[last] };
    let mut change = right - left;
    if is_counter {
        // The ends account for resets around them; what is left are the samples strictly inside.
        if times[first] <= start_ms {
            first += 1;
        }
        let end = if times[last] >= end_ms { last } else { last + 1 };
        let mut correction = 0.0;
        let mut previous = left;
        for value in values.get(first..end).unwrap_or_default() {
            if *value < previous {
                correction += previous;
            }
            previous = *value;
        }
        if right < previous {
            correction += previous;
        }
        change += correction;
    }
    Some(Outcome::Float(if is_rate { change / (context.range_ms as f64 / 1000.0) } else { change }))
}

pub(super) fn irate(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    instant_change(window, true, context)
}

pub(super) fn idelta(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    instant_change(window, false, context)
}

/// One of the last two samples.
#[derive(Clone, Copy)]
enum Latest<'a> {
    /// Time, value, start time.
    Float(i64, f64, i64),
    Histogram(&'a HistogramPoint),
}

impl Latest<'_> {
    fn ts_ms(&self) -> i64 {
        match self {
            Self::Float(ts_ms, ..) => *ts_ms,
            Self::Histogram(point) => point.ts_ms,
        }
    }
}

fn instant_change(window: &Window<'_>, is_rate: bool, context: &Context<'_>) -> Result<Option<Outcome>> {
    let Samples { times, values, starts, histograms, .. } = window.samples;
    let start = |index: usize| starts.get(index).copied().unwrap_or(0);
    let floats = (0..times.len()).rev().take(2).map(|index| Latest::Float(times[index], values[index], start(index)));
    let mut latest: Vec<Latest<'_>> = floats.chain(histograms.iter().rev().take(2).map(Latest::Histogram)).collect();
    latest.sort_by_key(Latest::ts_ms);
    let [.., before, last] = latest.as_slice() else { return Ok(None) };
    let interval_s = (last.ts_ms() - before.ts_ms()) as f64 / 1000.0;
    if interval_s == 0.0 {
        return Ok(None);
    }
    match (before, last) {
        (Latest::Float(before_ms, before, before_start), Latest::Float(last_ms, last, last_start)) => {
            let is_reset = last < before || is_start_of_new(*before_start, *before_ms, *last_start, *last_ms);
            let change = if is_rate && is_reset { *last } else { last - before };
            Ok(Some(Outcome::Float(if is_rate { change / interval_s } else { change })))
        }
        (Latest::Histogram(before), Latest::Histogram(last)) => Ok(histogram_change(before, last, is_rate, interval_s, context)),
        _ => {
            context.notes.mixed_floats_and_histograms(context.metric, context.span);
            Ok(None)
        }
    }
}

fn histogram_change(before: &HistogramPoint, last: &HistogramPoint, is_rate: bool, interval_s: f64, context: &Context<'_>) -> Option<Outcome> {
    let is_reset = super::start_times::is_histogram_reset(before, last, context);
    let (before, last): (&Histogram, &Histogram) = (&before.histogram, &last.histogram);
    let gauges = [before, last].into_iter().filter(|histogram| histogram.reset_hint == ResetHint::Gauge).count();
    if is_rate && gauges > 0 {
        context.notes.histogram_not_counter(context.metric, context.span);
    }
    if !is_rate && gauges < 2 {
        context.notes.histogram_not_gauge(context.metric, context.span);
    }
    let mut change = last.clone();
    if !is_rate || !is_reset {
        match histogram::subtract(&mut change, before) {
            Ok(done) if done.are_bounds_reconciled => context.notes.mismatched_custom_buckets(HistogramOperation::Subtraction, context.span),
            Ok(_) => {}
            Err(histogram::Incompatible) => {
                context.notes.mixed_exponential_and_custom(context.metric, context.span);
                return None;
            }
        }
    }
    change.reset_hint = ResetHint::Gauge;
    histogram::compact(&mut change);
    if is_rate {
        histogram::scale(&mut change, 1.0 / interval_s);
    }
    Some(Outcome::Histogram(Arc::new(change)))
}

#[cfg(test)]
mod tests;
