//! `changes` and `resets`: how often neighbouring samples differ.

use signalbox_lang::promql::RangeEdges;
use signalbox_model::Result;
use signalbox_store::HistogramPoint;

use super::start_times::{is_histogram_reset, is_start_of_new};
use super::{Context, Outcome};
use crate::promql::histogram;
use crate::promql::ops::over::{Samples, Window};

#[derive(Clone, Copy)]
enum Sample<'a> {
    /// Value, time, start time.
    Float(f64, i64, i64),
    Histogram(&'a HistogramPoint),
}

/// Counts pairs of neighbours, floats and histograms in the order of time.
fn count(window: &Window<'_>, context: &Context<'_>, counts: impl Fn(Sample<'_>, Sample<'_>) -> bool) -> Option<Outcome> {
    let Samples { times, values, starts, histograms, .. } = window.samples;
    let (mut float, mut point) = (0, 0);
    if context.edges == RangeEdges::Anchored {
        (float, point) = anchor(window)?;
    }
    let (mut previous, mut found) = (None, 0);
    while float < times.len() || point < histograms.len() {
        let is_float = point >= histograms.len() || (float < times.len() && times[float] < histograms[point].ts_ms);
        let sample = if is_float {
            float += 1;
            Sample::Float(values[float - 1], times[float - 1], starts.get(float - 1).copied().unwrap_or(0))
        } else {
            point += 1;
            Sample::Histogram(&histograms[point - 1])
        };
        if previous.is_some_and(|previous| counts(previous, sample)) {
            found += 1;
        }
        previous = Some(sample);
    }
    Some(Outcome::Float(f64::from(found)))
}

/// Where counting begins with `anchored`: at the latest sample that is not after the start, of whichever kind. `None` when
/// no sample is after it.
fn anchor(window: &Window<'_>) -> Option<(usize, usize)> {
    let Samples { times, histograms, .. } = window.samples;
    let floats = times.partition_point(|ts_ms| *ts_ms <= window.start_ms);
    let points = histograms.partition_point(|point| point.ts_ms <= window.start_ms);
    if floats == times.len() && points == histograms.len() {
        return None;
    }
    Some(match (floats.checked_sub(1), points.checked_sub(1)) {
        (None, None) => (0, 0),
        (Some(float), None) => (float, points),
        (Some(float), Some(point)) if times[float] >= histograms[point].ts_ms => (float, points),
        (_, Some(point)) => (floats, point),
    })
}

pub(super) fn changes(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    Ok(count(window, context, |previous, sample| match (previous, sample) {
        (Sample::Float(previous, ..), Sample::Float(value, ..)) => value != previous && !(value.is_nan() && previous.is_nan()),
        (Sample::Histogram(previous), Sample::Histogram(value)) => !histogram::equals(&value.histogram, &previous.histogram),
        _ => true,
    }))
}

pub(super) fn resets(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    Ok(count(window, context, |previous, sample| match (previous, sample) {
        (Sample::Float(previous, previous_ms, previous_start), Sample::Float(value, ts_ms, start)) => {
            value < previous || is_start_of_new(previous_start, previous_ms, start, ts_ms)
        }
        (Sample::Histogram(previous), Sample::Histogram(value)) => is_histogram_reset(previous, value, context),
        _ => true,
    }))
}
