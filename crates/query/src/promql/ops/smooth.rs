//! `smoothed` instant selectors: values between two samples are interpolated.

use std::sync::Arc;

use signalbox_lang::Span;
use signalbox_model::histogram::ResetHint;
use signalbox_model::{Histogram, Result};

use super::over::{Cleaned, Samples};
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::functions::Context;
use crate::promql::functions::rate::interpolate;
use crate::promql::functions::rate_histogram;
use crate::promql::histogram::is_custom;
use crate::promql::plan::Select;
use crate::promql::row::{Row, Steps};

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, select: &Select, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let lookback_ms = evaluator.lookback_ms;
    let (first_ms, last_ms) = (select.place.of(frame.start_ms), select.place.of(frame.last_ms()));
    let (mut row, mut cleaned) = (Row::default(), Cleaned::default());
    let range_ms = (first_ms.saturating_sub(lookback_ms).saturating_add(1), last_ms.saturating_add(lookback_ms));
    evaluator.scan(&select.matchers, range_ms, &mut |series, samples| {
        let samples = cleaned.of(&samples);
        let metric = series.labels.metric_name();
        let context = Context { notes: &evaluator.notes, span, metric, range_ms: 0, edges: select.edges, uses_starts: false };
        row.steps.reset(frame.steps);
        for step in 0..frame.steps {
            let at_ms = select.place.of(frame.at(step));
            fill(&around(samples, at_ms, lookback_ms), at_ms, &context, step, &mut row.steps);
        }
        if row.steps.is_empty() {
            return Ok(());
        }
        row.labels.clone_from(&series.labels);
        row.drop_name = false;
        sink(&mut row)
    })
}

/// The samples within the lookback, before and after.
fn around(samples: Samples<'_>, at_ms: i64, lookback_ms: i64) -> Samples<'_> {
    let (from_ms, to_ms) = (at_ms.saturating_sub(lookback_ms), at_ms.saturating_add(lookback_ms));
    let Samples { times, values, histograms, .. } = samples;
    let floats = times.partition_point(|ts_ms| *ts_ms <= from_ms)..times.partition_point(|ts_ms| *ts_ms <= to_ms);
    let points = histograms.partition_point(|point| point.ts_ms <= from_ms)..histograms.partition_point(|point| point.ts_ms <= to_ms);
    Samples { times: &times[floats.clone()], values: &values[floats], starts: &[], histograms: &histograms[points], times_id: 0 }
}

fn fill(samples: &Samples<'_>, at_ms: i64, context: &Context<'_>, step: usize, steps: &mut Steps) {
    let Samples { times, values, histograms, .. } = *samples;
    if !times.is_empty() && !histograms.is_empty() {
        context.notes.mixed_floats_and_histograms(context.metric, context.span);
        return;
    }
    // The first sample that is not before the instant.
    let next = times.partition_point(|ts_ms| *ts_ms < at_ms);
    if times.get(next) == Some(&at_ms) {
        steps.set(step, values[next]);
    } else if next > 0 && next < times.len() {
        steps.set(step, interpolate(times, values, next - 1, at_ms, false));
    } else if next > 0 {
        steps.set(step, values[next - 1]);
    }
    let next = histograms.partition_point(|point| point.ts_ms < at_ms);
    let before = next.checked_sub(1).map(|before| &histograms[before]);
    let between = match (before, histograms.get(next)) {
        (_, Some(found)) if found.ts_ms == at_ms => Some(Histogram::clone(&found.histogram)),
        (Some(before), Some(after)) => {
            if is_custom(&before.histogram) != is_custom(&after.histogram) {
                context.notes.mixed_exponential_and_custom(context.metric, context.span);
                return;
            }
            let is_counter = [before, after].iter().any(|point| point.histogram.reset_hint != ResetHint::Gauge);
            rate_histogram::interpolate(before, after, at_ms, is_counter, context)
        }
        // Nothing is known yet of what comes after; what was known of resets is about samples, not about this value.
        (Some(before), None) => Some(Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(&before.histogram) }),
        (None, _) => None,
    };
    if let Some(between) = between {
        steps.set_histogram(step, Arc::new(between));
    }
}
