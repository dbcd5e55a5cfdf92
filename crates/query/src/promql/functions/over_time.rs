//! `*_over_time`: aggregations of the samples in a window.

use std::sync::Arc;

use signalbox_model::Result;
use signalbox_store::HistogramPoint;

use super::quantile::quantile as quantile_of;
use super::{Context, Outcome};
use crate::promql::histogram::{Incompatible, sum::HistogramSum};
use crate::promql::kahan::{Kahan, Mean};
use crate::promql::ops::over::{Samples, Window};

type Answer = Result<Option<Outcome>>;

fn float(value: f64) -> Answer {
    Ok(Some(Outcome::Float(value)))
}

/// The floats of a window for functions that ignore histograms; `None` when there is no float.
fn floats<'a>(window: &Window<'a>, context: &Context<'_>) -> Option<&'a [f64]> {
    let Samples { values, histograms, .. } = window.samples;
    if values.is_empty() {
        return None;
    }
    if !histograms.is_empty() {
        context.notes.histograms_ignored_in_range(context.metric, context.span);
    }
    Some(values)
}

/// Whether a window holds floats and histograms; tells it.
fn is_mixed(window: &Window<'_>, context: &Context<'_>) -> bool {
    let is_mixed = !window.samples.values.is_empty() && !window.samples.histograms.is_empty();
    if is_mixed {
        context.notes.mixed_floats_and_histograms(context.metric, context.span);
    }
    is_mixed
}

pub(super) fn sum(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    if is_mixed(window, context) {
        return Ok(None);
    }
    if window.samples.values.is_empty() {
        return Ok(sum_histograms(window.samples.histograms, context, HistogramSum::total));
    }
    let mut sum = Kahan::default();
    window.samples.values.iter().for_each(|value| sum.add(*value));
    float(if sum.sum.is_infinite() { sum.sum } else { sum.total() })
}

pub(super) fn avg(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    if is_mixed(window, context) {
        return Ok(None);
    }
    let [first, rest @ ..] = window.samples.values else {
        return Ok(sum_histograms(window.samples.histograms, context, HistogramSum::mean));
    };
    let mut mean = Mean::starting_at(*first);
    rest.iter().for_each(|value| mean.add(*value));
    float(mean.value())
}

fn sum_histograms(points: &[HistogramPoint], context: &Context<'_>, finish: fn(HistogramSum) -> Option<signalbox_model::Histogram>) -> Option<Outcome> {
    let mut sum = HistogramSum::default();
    for point in points {
        if sum.add(&point.histogram) == Err(Incompatible) {
            context.notes.mixed_exponential_and_custom(context.metric, context.span);
            return None;
        }
    }
    sum.tell(context.notes, context.span);
    finish(sum).map(Arc::new).map(Outcome::Histogram)
}

pub(super) fn count(window: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    float((window.samples.times.len() + window.samples.histograms.len()) as f64)
}

pub(super) fn present(_: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    float(1.0)
}

pub(super) fn first(window: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    let Samples { times, values, histograms, .. } = window.samples;
    Ok(match (times.first(), histograms.first()) {
        (Some(ts_ms), Some(point)) if *ts_ms >= point.ts_ms => Some(Outcome::Histogram(Arc::clone(&point.histogram))),
        (Some(_), _) => Some(Outcome::Float(values[0])),
        (None, point) => point.map(|point| Outcome::Histogram(Arc::clone(&point.histogram))),
    })
}

pub(super) fn last(window: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    let Samples { times, values, histograms, .. } = window.samples;
    Ok(match (times.last(), histograms.last()) {
        (Some(ts_ms), Some(point)) if *ts_ms <= point.ts_ms => Some(Outcome::Histogram(Arc::clone(&point.histogram))),
        (Some(_), _) => values.last().copied().map(Outcome::Float),
        (None, point) => point.map(|point| Outcome::Histogram(Arc::clone(&point.histogram))),
    })
}

/// Position of the best value. `is_better` compares a candidate with the best so far; NaN never stays.
fn best(values: &[f64], is_better: impl Fn(f64, f64) -> bool) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if is_better(*value, values[best]) || values[best].is_nan() {
            best = index;
        }
    }
    best
}

fn value_of_best(window: &Window<'_>, context: &Context<'_>, is_better: impl Fn(f64, f64) -> bool) -> Answer {
    Ok(floats(window, context).map(|values| Outcome::Float(values[best(values, is_better)])))
}

fn time_of_best(window: &Window<'_>, context: &Context<'_>, is_better: impl Fn(f64, f64) -> bool) -> Answer {
    Ok(floats(window, context).map(|values| Outcome::Float(window.samples.times[best(values, is_better)] as f64 / 1000.0)))
}

pub(super) fn max(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    value_of_best(window, context, |value, best| value > best)
}

pub(super) fn min(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    value_of_best(window, context, |value, best| value < best)
}

/// Of equal values the latest counts.
pub(super) fn ts_of_max(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    time_of_best(window, context, |value, best| value >= best)
}

/// Of equal values the latest counts.
pub(super) fn ts_of_min(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    time_of_best(window, context, |value, best| value <= best)
}

pub(super) fn ts_of_first(window: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    let histograms = window.samples.histograms.first().map(|point| point.ts_ms);
    Ok(window.samples.times.first().copied().into_iter().chain(histograms).min().map(|ts_ms| Outcome::Float(ts_ms as f64 / 1000.0)))
}

pub(super) fn ts_of_last(window: &Window<'_>, _: &[f64], _: &Context<'_>) -> Answer {
    let histograms = window.samples.histograms.last().map(|point| point.ts_ms);
    Ok(window.samples.times.last().copied().into_iter().chain(histograms).max().map(|ts_ms| Outcome::Float(ts_ms as f64 / 1000.0)))
}

pub(super) fn quantile(window: &Window<'_>, params: &[f64], context: &Context<'_>) -> Answer {
    let q = params[0];
    if window.samples.values.is_empty() {
        return Ok(None);
    }
    if !(0.0..=1.0).contains(&q) {
        context.notes.invalid_quantile(q, context.span);
    }
    Ok(floats(window, context).map(|values| Outcome::Float(quantile_of(q, &mut values.to_vec()))))
}

/// The median of the distances from the median.
pub(super) fn mad(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    let Some(values) = floats(window, context) else { return Ok(None) };
    if values.iter().any(|value| value.is_nan()) {
        return float(f64::NAN);
    }
    let mut values = values.to_vec();
    let median = quantile_of(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    float(quantile_of(0.5, &mut values))
}

fn variance(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
    for value in values {
        count += 1.0;
        let distance = value - mean.total();
        mean.add(distance / count);
        squares.add(distance * (value - mean.total()));
    }
    squares.total() / count
}

pub(super) fn stdvar(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    Ok(floats(window, context).map(|values| Outcome::Float(variance(values))))
}

pub(super) fn stddev(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Answer {
    Ok(floats(window, context).map(|values| Outcome::Float(variance(values).sqrt())))
}

#[cfg(test)]
mod tests {
    use signalbox_lang::Span;
    use signalbox_lang::promql::RangeEdges;

    use super::super::Kernel;
    use super::*;
    use crate::promql::notes::Notes;

    fn of(kernel: Kernel, values: &[f64]) -> f64 {
        let notes = Notes::default();
        let context = Context { notes: &notes, span: Span::default(), metric: "x", range_ms: 60_000, edges: RangeEdges::Plain, uses_starts: false };
        let times: Vec<i64> = (1..=values.len() as i64).map(|index| index * 1_000).collect();
        let window =
            Window { instant_ms: 60_000, start_ms: 0, end_ms: 60_000, samples: Samples { times: &times, values, starts: &[], histograms: &[], times_id: 0 } };
        match kernel(&window, &[0.5, 0.0], &context).unwrap() {
            Some(Outcome::Float(value)) => value,
            other => panic!("want a float, got {other:?}"),
        }
    }

    #[test]
    fn aggregations_of_a_window() {
        let values = [4.0, 2.0, 9.0, 2.0];
        let cases: [(Kernel, f64); 14] = [
            (sum, 17.0),
            (avg, 4.25),
            (count, 4.0),
            (present, 1.0),
            (first, 4.0),
            (last, 2.0),
            (max, 9.0),
            (min, 2.0),
            (ts_of_max, 3.0),
            (ts_of_min, 4.0),
            (ts_of_first, 1.0),
            (ts_of_last, 4.0),
            (quantile, 3.0),
            (mad, 1.0),
        ];
        for (index, (kernel, expected)) in cases.into_iter().enumerate() {
            assert_eq!(of(kernel, &values), expected, "case {index}");
        }
        assert_eq!((of(stdvar, &[1.0, 3.0]), of(stddev, &[1.0, 5.0])), (1.0, 2.0));
        assert_eq!((of(max, &[f64::NAN, 1.0]), of(min, &[f64::NAN, f64::NAN]).is_nan()), (1.0, true));
        assert_eq!(of(sum, &[1.0, 1e100, 1.0, -1e100]), 2.0);
    }
}
