//! Functions of the samples in a range: a window slides over each series, step by step.
//!
//! A window is open on the left and closed on the right. Its bounds only move forward, so each sample enters and leaves once.

use std::sync::Arc;

use signalbox_lang::promql::{Function, RangeEdges};
use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::ResetHint;
use signalbox_model::{Error, Labels, Result};
use signalbox_store::{HistogramPoint, SeriesSamples};

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::functions::{self, Context, Outcome};
use crate::promql::plan::{OverRange, RangeSource};
use crate::promql::resets::told;
use crate::promql::row::{Bitmap, Row, Steps};

/// Samples of one series without staleness markers, ascending in time.
#[derive(Debug, Clone, Copy)]
pub(in crate::promql) struct Samples<'a> {
    pub(in crate::promql) times: &'a [i64],
    pub(in crate::promql) values: &'a [f64],
    /// Start times of the floats, 0 when unknown; empty when they do not count.
    pub(in crate::promql) starts: &'a [i64],
    pub(in crate::promql) histograms: &'a [HistogramPoint],
    /// Series of one reading with the same number have the same times; 0 says nothing.
    pub(in crate::promql) times_id: u64,
}

/// Samples in a range that ends at `end_ms`. With `anchored` and `smoothed`, samples around the range are among them.
#[derive(Debug, Clone, Copy)]
pub(in crate::promql) struct Window<'a> {
    /// The instant of evaluation, which an offset moves away from the range.
    pub(in crate::promql) instant_ms: i64,
    /// Not in the range.
    pub(in crate::promql) start_ms: i64,
    pub(in crate::promql) end_ms: i64,
    pub(in crate::promql) samples: Samples<'a>,
}

/// Room for the samples of a series that has staleness markers.
#[derive(Debug, Default)]
pub(in crate::promql) struct Cleaned {
    times: Vec<i64>,
    values: Vec<f64>,
    starts: Vec<i64>,
    histograms: Vec<HistogramPoint>,
}

impl Cleaned {
    /// The samples without staleness markers: where they lie if there is none, copied otherwise.
    pub(in crate::promql) fn of<'a>(&'a mut self, samples: &SeriesSamples<'a>) -> Samples<'a> {
        let (mut times, mut values, mut starts, mut histograms) = (samples.ts_ms, samples.values, samples.start_ms, samples.histograms);
        let mut times_id = samples.times_id;
        if has_stale(values) {
            self.times.clear();
            self.values.clear();
            for (ts_ms, value) in times.iter().zip(values).filter(|(_, value)| !is_stale_nan(**value)) {
                self.times.push(*ts_ms);
                self.values.push(*value);
            }
            self.starts.clear();
            self.starts.extend(starts.iter().zip(samples.values).filter(|(_, value)| !is_stale_nan(**value)).map(|(start_ms, _)| *start_ms));
            (times, values, starts, times_id) = (&self.times, &self.values, &self.starts, 0);
        }
        if histograms.iter().any(|point| is_stale_nan(point.histogram.sum)) {
            self.histograms.clear();
            self.histograms.extend(histograms.iter().filter(|point| !is_stale_nan(point.histogram.sum)).cloned());
            histograms = &self.histograms;
        }
        Samples { times, values, starts, histograms, times_id }
    }
}

/// Whether a staleness marker is among the values. Blocks without any NaN, which are most, are passed at once.
fn has_stale(values: &[f64]) -> bool {
    let has_nan = |block: &[f64]| block.iter().fold(false, |any, value| any | value.is_nan());
    values.chunks(64).any(|block| has_nan(block) && block.iter().any(|value| is_stale_nan(*value)))
}

/// How much of the time around the windows of a source is read with them: before and after, in milliseconds.
pub(in crate::promql) fn margins(edges: RangeEdges, lookback_ms: i64) -> (i64, i64) {
    match edges {
        RangeEdges::Plain => (0, 0),
        RangeEdges::Anchored => (lookback_ms, 0),
        RangeEdges::Smoothed => (lookback_ms, lookback_ms),
    }
}

/// Labels of a series, whether its name goes, and its samples.
pub(in crate::promql) type Visit<'v> = dyn FnMut(&Labels, bool, Samples<'_>) -> Result<()> + 'v;

/// Hands over each series of a range vector with all samples that some step may need.
pub(in crate::promql) fn for_each_series(evaluator: &Evaluator<'_>, source: &RangeSource, frame: &Frame, visit: &mut Visit<'_>) -> Result<()> {
    let place = source.place();
    let (first_ms, last_ms) = (place.of(frame.start_ms).saturating_sub(source.range_ms()), place.of(frame.last_ms()));
    let is_answer = evaluator.tally.begin_range();
    match source {
        RangeSource::Selector { select, .. } => {
            let (before_ms, after_ms) = margins(select.edges, evaluator.lookback_ms);
            let range_ms = (first_ms.saturating_sub(before_ms).saturating_add(1), last_ms.saturating_add(after_ms));
            let mut cleaned = Cleaned::default();
            evaluator.scan(&select.matchers, range_ms, &mut |series, samples| {
                let mut samples = cleaned.of(&samples);
                let told = select.tells_resets.then(|| told(samples.histograms));
                samples.histograms = told.as_deref().unwrap_or(samples.histograms);
                evaluator.tally.count_windows(source, || Windows::new(samples, frame, source, evaluator.lookback_ms));
                visit(&series.labels, false, samples)
            })
        }
        RangeSource::Subquery { plan, step_ms, .. } => {
            let Some(inner) = subquery_frame(first_ms, last_ms, *step_ms, evaluator.limits.subquery_steps_max)? else { return Ok(()) };
            let mut room = Cleaned::default();
            evaluator.tally.enter(&inner);
            evaluator.stream(plan, &inner, &mut |row| {
                room.take_steps(&row.steps, &inner);
                let samples = Samples { times: &room.times, values: &room.values, starts: &[], histograms: &room.histograms, times_id: 0 };
                if !is_answer {
                    evaluator.tally.count_windows(source, || Windows::new(samples, frame, source, evaluator.lookback_ms));
                }
                visit(&row.labels, row.drop_name, samples)
            })?;
            evaluator.tally.leave_subquery(source, is_answer);
            Ok(())
        }
    }
}

/// The multiples of the step after `first_ms` up to `last_ms`.
pub(in crate::promql) fn subquery_frame(first_ms: i64, last_ms: i64, step_ms: i64, steps_max: u64) -> Result<Option<Frame>> {
    let Some(start_ms) = first_ms.div_euclid(step_ms).checked_mul(step_ms).and_then(|aligned| aligned.checked_add(step_ms)) else { return Ok(None) };
    if start_ms > last_ms {
        return Ok(None);
    }
    let steps = (last_ms.saturating_sub(start_ms) / step_ms) as u64 + 1;
    if steps > steps_max {
        return Err(Error::limit(format!("cannot evaluate a subquery at {steps} steps: want at most {steps_max}")));
    }
    Ok(Some(Frame { start_ms, step_ms, steps: steps as usize }))
}

impl Cleaned {
    /// The values of a row as samples. What a subquery leaves out may have been a reset, so hints about resets are void.
    fn take_steps(&mut self, steps: &Steps, frame: &Frame) {
        self.times.clear();
        self.values.clear();
        self.histograms.clear();
        for step in steps.floats.iter() {
            self.times.push(frame.at(step));
            self.values.push(steps.values[step]);
        }
        for (step, histogram) in steps.histograms.iter().enumerate() {
            let Some(histogram) = histogram else { continue };
            let mut histogram = Arc::clone(histogram);
            if matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NotReset) {
                Arc::make_mut(&mut histogram).reset_hint = ResetHint::Unknown;
            }
            self.histograms.push(HistogramPoint { ts_ms: frame.at(step), start_ms: 0, histogram });
        }
    }
}

/// The windows over one series, one a step.
pub(in crate::promql) struct Windows<'a> {
    samples: Samples<'a>,
    frame: Frame,
    source: &'a RangeSource,
    margins: (i64, i64),
    step: usize,
    floats: (usize, usize),
    histograms: (usize, usize),
}

impl<'a> Windows<'a> {
    pub(in crate::promql) fn new(samples: Samples<'a>, frame: &Frame, source: &'a RangeSource, lookback_ms: i64) -> Self {
        Self { samples, frame: *frame, source, margins: margins(source.edges(), lookback_ms), step: 0, floats: (0, 0), histograms: (0, 0) }
    }

    /// Positions of the floats in the latest window.
    pub(in crate::promql) fn positions(&self) -> (usize, usize) {
        self.floats
    }
}

impl<'a> Iterator for Windows<'a> {
    type Item = (usize, Window<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.step == self.frame.steps {
            return None;
        }
        let step = self.step;
        self.step += 1;
        let instant_ms = self.frame.at(step);
        let end_ms = self.source.place().of(instant_ms);
        let start_ms = end_ms.saturating_sub(self.source.range_ms());
        let (from_ms, to_ms) = (start_ms.saturating_sub(self.margins.0), end_ms.saturating_add(self.margins.1));
        let Samples { times, values, starts, histograms, .. } = self.samples;
        advance(&mut self.floats, times.len(), |index| times[index], from_ms, to_ms);
        advance(&mut self.histograms, histograms.len(), |index| histograms[index].ts_ms, from_ms, to_ms);
        let (floats, points) = (self.floats.0..self.floats.1, self.histograms.0..self.histograms.1);
        let starts = starts.get(floats.clone()).unwrap_or_default();
        let samples = Samples { times: &times[floats.clone()], values: &values[floats], starts, histograms: &histograms[points], times_id: 0 };
        Some((step, Window { instant_ms, start_ms, end_ms, samples }))
    }
}

#[inline]
fn advance(positions: &mut (usize, usize), count: usize, time: impl Fn(usize) -> i64, from_ms: i64, to_ms: i64) {
    while positions.1 < count && time(positions.1) <= to_ms {
        positions.1 += 1;
    }
    while positions.0 < positions.1 && time(positions.0) <= from_ms {
        positions.0 += 1;
    }
}

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, over: &OverRange, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    check_edges(over)?;
    let params = over.params.iter().map(|param| evaluator.scalar(param, frame)).collect::<Result<Vec<_>>>()?;
    if over.function == Function::AbsentOverTime {
        return absent(evaluator, over, frame, sink);
    }
    let mut stretches = functions::rate::is_of_family(over.function).then(|| functions::rate::Stretches::new(over.function, frame, &over.source));
    let keeps_name = matches!(over.function, Function::LastOverTime | Function::FirstOverTime);
    let mut row = Row::default();
    let uses_starts = evaluator.uses_start_times
        && matches!(over.source, RangeSource::Selector { .. })
        && matches!(over.function, Function::Rate | Function::Increase | Function::Irate | Function::Resets);
    for_each_series(evaluator, &over.source, frame, &mut |labels, drop_name, mut samples| {
        row.steps.reset(frame.steps);
        if !uses_starts {
            samples.starts = &[];
        }
        let context = Context {
            notes: &evaluator.notes,
            span: over.source_span,
            metric: labels.metric_name(),
            range_ms: over.source.range_ms(),
            edges: over.source.edges(),
            uses_starts,
        };
        let is_plain = context.edges == RangeEdges::Plain && samples.histograms.is_empty() && samples.starts.is_empty();
        match stretches.as_mut().filter(|_| is_plain) {
            Some(stretches) => stretches.fill(samples, &mut row.steps),
            None => {
                let windows = Windows::new(samples, frame, &over.source, evaluator.lookback_ms);
                fill(evaluator, over.function, windows, &params, &context, &mut row.steps)?;
            }
        }
        if row.steps.is_empty() {
            return Ok(());
        }
        if matches!(over.function, Function::Rate | Function::Increase) && !row.steps.floats.is_empty() {
            functions::rate::check_counter_name(&context);
        }
        row.labels.clone_from(labels);
        row.drop_name = drop_name || !keeps_name;
        sink(&mut row)
    })
}

/// Samples in windows between two looks at the leash: a millisecond or so.
const SAMPLES_PER_CHECK: usize = 1 << 20;

fn fill(evaluator: &Evaluator<'_>, function: Function, windows: Windows<'_>, params: &[Vec<f64>], context: &Context<'_>, steps: &mut Steps) -> Result<()> {
    let kernel = functions::kernel(function)?;
    // No function over a range takes more than two scalars.
    let mut at_step = [f64::NAN; 2];
    let mut unchecked = 0;
    for (step, window) in windows {
        unchecked += window.samples.times.len() + window.samples.histograms.len();
        if unchecked > SAMPLES_PER_CHECK {
            evaluator.leash.check()?;
            unchecked = 0;
        }
        if window.samples.times.is_empty() && window.samples.histograms.is_empty() {
            continue;
        }
        params.iter().zip(&mut at_step).for_each(|(param, value)| *value = param[step]);
        match kernel(&window, &at_step, context)? {
            Some(Outcome::Float(value)) => steps.set(step, value),
            Some(Outcome::Histogram(histogram)) => steps.set_histogram(step, histogram),
            None => {}
        }
    }
    Ok(())
}

fn check_edges(over: &OverRange) -> Result<()> {
    const ANCHORED: [Function; 5] = [Function::Changes, Function::Delta, Function::Increase, Function::Rate, Function::Resets];
    const SMOOTHED: [Function; 3] = [Function::Delta, Function::Increase, Function::Rate];
    let (modifier, allowed) = match over.source.edges() {
        RangeEdges::Plain => return Ok(()),
        RangeEdges::Anchored => ("anchored", ANCHORED.as_slice()),
        RangeEdges::Smoothed => ("smoothed", SMOOTHED.as_slice()),
    };
    if allowed.contains(&over.function) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(|function| function.as_str()).collect();
    Err(Error::invalid(format!("{modifier} modifier can only be used with: {} - not with {}", names.join(", "), over.function.as_str())))
}

/// `absent_over_time`: one series with 1 at the steps whose window is empty in all series.
fn absent(evaluator: &Evaluator<'_>, over: &OverRange, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let mut present = Bitmap::with_steps(frame.steps);
    for_each_series(evaluator, &over.source, frame, &mut |_, _, samples| {
        for (step, window) in Windows::new(samples, frame, &over.source, evaluator.lookback_ms) {
            if !window.samples.times.is_empty() || !window.samples.histograms.is_empty() {
                present.set(step);
            }
        }
        Ok(())
    })?;
    let mut row = Row { labels: over.fixed_labels.clone(), drop_name: true, steps: Steps::empty(frame.steps) };
    (0..frame.steps).filter(|step| !present.get(*step)).for_each(|step| row.steps.set(step, 1.0));
    if row.steps.is_empty() { Ok(()) } else { sink(&mut row) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::plan::{Place, Select};

    #[test]
    fn subqueries_are_aligned_to_their_step() {
        let frame = |first_ms, last_ms, step_ms| subquery_frame(first_ms, last_ms, step_ms, 1_000).unwrap();
        // Open on the left: a step at the very start of the range is outside.
        assert_eq!(frame(0, 100, 30), Some(Frame { start_ms: 30, step_ms: 30, steps: 3 }));
        assert_eq!(frame(-10, 0, 30), Some(Frame { start_ms: 0, step_ms: 30, steps: 1 }));
        assert_eq!(frame(31, 59, 30), None);
        assert!(subquery_frame(0, i64::MAX - 1, 1, 1_000).is_err());
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let source = RangeSource::Selector {
            select: Select { matchers: Vec::new(), place: Place { offset_ms: 0, at_ms: None }, edges: RangeEdges::Plain, tells_resets: false },
            range_ms: 20,
        };
        let samples = Samples { times: &[10, 20, 30, 40], values: &[1.0, 2.0, 3.0, 4.0], starts: &[], histograms: &[], times_id: 0 };
        let windows = Windows::new(samples, &Frame { start_ms: 10, step_ms: 15, steps: 4 }, &source, 0);
        let found: Vec<Vec<f64>> = windows.map(|(_, window)| window.samples.values.to_vec()).collect();
        assert_eq!(found, [vec![1.0], vec![1.0, 2.0], vec![3.0, 4.0], vec![4.0]]);
    }
}
