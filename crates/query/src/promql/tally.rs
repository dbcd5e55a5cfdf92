//! How many samples each step of a query takes, as Prometheus counts them for `stats`. Costs nothing unless somebody asks.
//!
//! A selector counts a sample at each step that has one, a function over a range all samples of the window of each step, a
//! native histogram as many as its buckets weigh. What is *read* counts a sample once where windows overlap.

use std::cell::{Cell, RefCell};

use signalbox_model::Histogram;

use super::frame::Frame;
use super::ops::over::Windows;
use super::plan::RangeSource;
use super::row::Steps;

/// Samples by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleCounts {
    /// First instant, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Distance of two instants in milliseconds.
    pub step_ms: i64,
    /// Samples that each step takes; overlapping windows count a sample at each step.
    pub taken: Vec<u64>,
    /// Samples that each step takes and none before it took.
    pub read: Vec<u64>,
}

impl SampleCounts {
    fn of(frame: &Frame) -> Self {
        Self { start_ms: frame.start_ms, step_ms: frame.step_ms, taken: vec![0; frame.steps], read: vec![0; frame.steps] }
    }

    fn add(&mut self, step: usize, taken: u64, read: u64) {
        for (counts, count) in [(&mut self.taken, taken), (&mut self.read, read)] {
            if let Some(of_step) = counts.get_mut(step) {
                *of_step += count;
            }
        }
    }
}

/// The counts of a query, with those of the subqueries that are under way on top. Empty if nobody asks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    layers: RefCell<Vec<SampleCounts>>,
    /// Whether the next range vector is the answer itself.
    is_answer: Cell<bool>,
}

impl Tally {
    /// That counts.
    pub(super) fn counting(frame: &Frame) -> Self {
        Self { layers: RefCell::new(vec![SampleCounts::of(frame)]), is_answer: Cell::new(false) }
    }

    pub(super) fn finish(self) -> Option<SampleCounts> {
        self.layers.into_inner().into_iter().next()
    }

    fn is_on(&self) -> bool {
        !self.layers.borrow().is_empty()
    }

    /// What a selector gives at each step.
    pub(super) fn count_steps(&self, steps: &Steps) {
        let mut layers = self.layers.borrow_mut();
        let Some(counts) = layers.last_mut() else { return };
        steps.floats.iter().for_each(|step| counts.add(step, 1, 1));
        for (step, histogram) in steps.histograms.iter().enumerate() {
            let weight = histogram.as_deref().map_or(0, weight);
            counts.add(step, weight, weight);
        }
    }

    /// The windows over one series, in the steps of what lies around the source.
    pub(super) fn count_windows<'a>(&self, source: &RangeSource, windows: impl FnOnce() -> Windows<'a>) {
        let is_stored = matches!(source, RangeSource::Selector { .. });
        let mut layers = self.layers.borrow_mut();
        // The steps of a subquery are on top while it runs.
        let Some(counts) = layers.iter_mut().nth_back(if is_stored { 0 } else { 1 }) else { return };
        let is_fixed = source.place().at_ms.is_some();
        for (step, window) in windows() {
            let samples = &window.samples;
            let newest_ms = samples.times.last().copied().into_iter().chain(samples.histograms.last().map(|point| point.ts_ms)).max();
            if newest_ms.is_none() {
                continue;
            }
            let weigh = |from: usize| samples.histograms[from..].iter().map(|point| weight(&point.histogram)).sum::<u64>();
            let taken = samples.times.len() as u64 + weigh(0);
            let read = match step {
                // What a subquery reads is counted where it reads.
                _ if !is_stored => 0,
                0 => taken,
                _ if is_fixed => 0,
                _ => {
                    let known_ms = window.end_ms.saturating_sub(counts.step_ms);
                    let floats = samples.times.len() - samples.times.partition_point(|ts_ms| *ts_ms <= known_ms);
                    floats as u64 + weigh(samples.histograms.partition_point(|point| point.ts_ms <= known_ms))
                }
            };
            counts.add(step, taken, read);
        }
    }

    /// The next range vector is the answer itself.
    pub(super) fn expect_answer(&self) {
        self.is_answer.set(true);
    }

    /// Whether the range vector that begins is the answer itself.
    pub(super) fn begin_range(&self) -> bool {
        self.is_answer.take()
    }

    /// Steps of their own begin.
    pub(super) fn enter(&self, frame: &Frame) {
        if self.is_on() {
            self.layers.borrow_mut().push(SampleCounts::of(frame));
        }
    }

    /// What is the same at all steps was evaluated once.
    pub(super) fn leave_once(&self) {
        let mut layers = self.layers.borrow_mut();
        let (Some(once), Some(counts)) = (pop(&mut layers), layers.last_mut()) else { return };
        let taken: u64 = once.taken.iter().sum();
        counts.taken.iter_mut().for_each(|of_step| *of_step += taken);
        counts.add(0, 0, once.read.iter().sum());
    }

    /// A subquery has run. What it read counts at the first step that uses it; what no window reaches does not count.
    pub(super) fn leave_subquery(&self, source: &RangeSource, is_answer: bool) {
        let mut layers = self.layers.borrow_mut();
        let (Some(inner), Some(counts)) = (pop(&mut layers), layers.last_mut()) else { return };
        if is_answer {
            let last = counts.taken.len().saturating_sub(1);
            counts.add(last, inner.taken.iter().sum(), 0);
        }
        let steps = counts.taken.len();
        for (index, read) in inner.read.iter().enumerate().filter(|(_, read)| **read > 0) {
            if steps <= 1 {
                counts.add(0, 0, *read);
                continue;
            }
            let at_ms = inner.start_ms.saturating_add(inner.step_ms.saturating_mul(index as i64)).saturating_add(source.place().offset_ms);
            let after_ms = at_ms.saturating_sub(counts.start_ms).max(0);
            let step = usize::try_from(after_ms / counts.step_ms + i64::from(after_ms % counts.step_ms != 0)).unwrap_or(usize::MAX).min(steps - 1);
            let step_ms = counts.start_ms.saturating_add(counts.step_ms.saturating_mul(step as i64));
            if at_ms > step_ms.saturating_sub(source.range_ms()) {
                counts.add(step, 0, *read);
            }
        }
    }
}

/// The top, if it is not the query itself.
fn pop(layers: &mut Vec<SampleCounts>) -> Option<SampleCounts> {
    if layers.len() > 1 { layers.pop() } else { None }
}

/// A histogram in samples: the bytes that Prometheus holds for it and its time, in pairs of eight.
fn weight(histogram: &Histogram) -> u64 {
    /// Without spans, buckets and bounds.
    const BYTES: usize = 168;
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let numbers = histogram.positive_buckets.len() + histogram.negative_buckets.len() + histogram.custom_values.len();
    ((BYTES + 8 * (spans + numbers) + 8) / 16) as u64
}
