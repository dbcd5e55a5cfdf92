//! Instant selectors: at each step the latest sample of a series, unless it is too old or says that the series ended.

use std::sync::Arc;

use signalbox_lang::Span;
use signalbox_lang::promql::RangeEdges;
use signalbox_model::Result;
use signalbox_model::batch::is_stale_nan;
use signalbox_store::SeriesSamples;

use crate::promql::eval::{Evaluator, Sink, Wanted};
use crate::promql::frame::Frame;
use crate::promql::plan::{Place, Select};
use crate::promql::resets::told;
use crate::promql::row::{Row, Steps};

/// What is taken of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::promql) enum Take {
    Value,
    /// That it is there: 1 for floats; histograms stay what they are.
    Presence,
    /// Its time in seconds.
    Time,
    /// As [`Self::Time`] of floats; histograms stay what they are.
    TimeOfFloat,
    /// Its start time in seconds, 0 when unknown.
    StartTime,
}

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, select: &Select, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    if select.edges == RangeEdges::Smoothed {
        return super::smooth::stream(evaluator, select, span, frame, sink);
    }
    stream_taking(evaluator, select, frame, Take::Value, sink)
}

pub(in crate::promql) fn stream_taking(evaluator: &Evaluator<'_>, select: &Select, frame: &Frame, take: Take, sink: &mut Sink<'_>) -> Result<()> {
    let lookback_ms = evaluator.lookback_ms;
    let first_ms = select.place.of(frame.start_ms).saturating_sub(lookback_ms).saturating_add(1);
    let mut row = Row::default();
    let wanted = if take == Take::Value { Wanted::Values } else { Wanted::Presence };
    evaluator.scan_for(wanted, &select.matchers, (first_ms, select.place.of(frame.last_ms())), &mut |series, samples| {
        row.steps.reset(frame.steps);
        let told = select.tells_resets.then(|| told(samples.histograms));
        let samples = SeriesSamples { histograms: told.as_deref().unwrap_or(samples.histograms), ..samples };
        fill(&samples, frame, select.place, lookback_ms, take, &mut row.steps);
        if row.steps.is_empty() {
            return Ok(());
        }
        evaluator.tally.count_steps(&row.steps);
        row.labels.clone_from(&series.labels);
        row.drop_name = false;
        sink(&mut row)
    })
}

/// The latest sample at each step. Steps ascend, so each sample is passed once.
fn fill(samples: &SeriesSamples<'_>, frame: &Frame, place: Place, lookback_ms: i64, take: Take, steps: &mut Steps) {
    let (times, histograms) = (samples.ts_ms, samples.histograms);
    // How many samples are not later than the instant.
    let (mut floats_before, mut histograms_before) = (0, 0);
    for step in 0..frame.steps {
        let at_ms = place.of(frame.at(step));
        while floats_before < times.len() && times[floats_before] <= at_ms {
            floats_before += 1;
        }
        while histograms_before < histograms.len() && histograms[histograms_before].ts_ms <= at_ms {
            histograms_before += 1;
        }
        let oldest_ms = at_ms.saturating_sub(lookback_ms);
        let float = floats_before.checked_sub(1).filter(|index| times[*index] > oldest_ms);
        let histogram = histograms_before.checked_sub(1).map(|index| &histograms[index]).filter(|point| point.ts_ms > oldest_ms);
        match (float, histogram) {
            (float, Some(point)) if float.is_none_or(|index| times[index] < point.ts_ms) => {
                if is_stale_nan(point.histogram.sum) {
                    continue;
                }
                match take {
                    Take::Value | Take::Presence | Take::TimeOfFloat => steps.set_histogram(step, Arc::clone(&point.histogram)),
                    Take::Time => steps.set(step, point.ts_ms as f64 / 1000.0),
                    Take::StartTime => steps.set(step, point.start_ms as f64 / 1000.0),
                }
            }
            (Some(index), _) => {
                let value = samples.values[index];
                if is_stale_nan(value) {
                    continue;
                }
                match take {
                    Take::Value => steps.set(step, value),
                    Take::Presence => steps.set(step, 1.0),
                    Take::Time | Take::TimeOfFloat => steps.set(step, times[index] as f64 / 1000.0),
                    Take::StartTime => steps.set(step, samples.start_ms.get(index).copied().unwrap_or(0) as f64 / 1000.0),
                }
            }
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use signalbox_model::batch::STALE_NAN_BITS;

    use super::*;

    #[test]
    fn the_latest_sample_counts_until_it_is_too_old_or_stale() {
        let stale = f64::from_bits(STALE_NAN_BITS);
        let samples = SeriesSamples { ts_ms: &[10, 20, 30, 60], values: &[1.0, 2.0, stale, 4.0], start_ms: &[], histograms: &[], times_id: 0 };
        let frame = Frame { start_ms: 0, step_ms: 10, steps: 10 };
        let place = Place { offset_ms: 0, at_ms: None };
        let mut steps = Steps::empty(10);
        fill(&samples, &frame, place, 20, Take::Value, &mut steps);
        let found: Vec<(usize, f64)> = steps.floats.iter().map(|step| (step, steps.values[step])).collect();
        // The lookback is open on the left: at 80 the sample of 60 is 20 old and gone.
        assert_eq!(found, [(1, 1.0), (2, 2.0), (6, 4.0), (7, 4.0)]);
        steps.reset(10);
        fill(&samples, &frame, Place { offset_ms: -10, at_ms: Some(5) }, 20, Take::Time, &mut steps);
        assert_eq!((steps.count(), steps.values[9]), (10, 0.01));
    }
}
