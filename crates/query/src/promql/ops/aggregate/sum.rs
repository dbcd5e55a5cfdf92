//! `sum` and `avg`, of floats or of native histograms.

use signalbox_model::Histogram;

use super::{Accumulate, Setting, put_histogram};
use crate::promql::eval::HISTOGRAM_BYTES;
use crate::promql::histogram::Incompatible;
use crate::promql::histogram::sum::HistogramSum;
use crate::promql::kahan::{Kahan, Mean};
use crate::promql::row::{Bitmap, Row, Steps};

/// Histograms of the groups that have some: rare, so they live apart from the arrays of floats.
#[derive(Default)]
struct Histograms {
    /// By group and step; a group without histograms has no steps.
    sums: Vec<Vec<Option<HistogramSum>>>,
    /// Where exponential and custom buckets met: there is no result.
    incompatible: Vec<Bitmap>,
}

impl Histograms {
    fn open(&mut self) {
        self.sums.push(Vec::new());
        self.incompatible.push(Bitmap::default());
    }

    /// Answers how many bytes are held for new sums.
    fn add(&mut self, group: usize, row: &Row, setting: Setting<'_>) -> u64 {
        let mut added_bytes = 0;
        for (step, histogram) in row.steps.histograms.iter().enumerate() {
            let Some(histogram) = histogram else { continue };
            let sums = &mut self.sums[group];
            if sums.is_empty() {
                sums.resize(setting.steps, None);
                self.incompatible[group].reset(setting.steps);
            }
            if self.incompatible[group].get(step) {
                continue;
            }
            if sums[step].is_none() {
                // The sum, and what rounding takes from it.
                added_bytes += 2 * HISTOGRAM_BYTES;
            }
            if sums[step].get_or_insert_default().add(histogram) == Err(Incompatible) {
                setting.notes.mixed_exponential_and_custom(row.labels.metric_name(), setting.input);
                self.incompatible[group].set(step);
            }
        }
        added_bytes
    }

    /// Puts the results at the steps without floats. Where both are, there is no result.
    fn close(&mut self, group: usize, steps: &mut Steps, setting: Setting<'_>, finish: fn(HistogramSum) -> Option<Histogram>) {
        for (step, sum) in std::mem::take(&mut self.sums[group]).into_iter().enumerate() {
            let Some(sum) = sum else { continue };
            if steps.floats.get(step) {
                setting.notes.mixed_floats_and_histograms_in_aggregation(setting.input);
                steps.remove(step);
            } else if !self.incompatible[group].get(step) {
                sum.tell(setting.notes, setting.input);
                put_histogram(steps, step, finish(sum));
            }
        }
    }
}

/// Sums of floats as arrays, so that adding a series is one loop over its steps.
pub(super) struct Sums<'a> {
    setting: Setting<'a>,
    groups: Vec<Sum>,
    histograms: Histograms,
}

struct Sum {
    sums: Vec<f64>,
    lost: Vec<f64>,
    seen: Bitmap,
}

impl<'a> Sums<'a> {
    pub(super) fn new(setting: Setting<'a>) -> Self {
        Self { setting, groups: Vec::new(), histograms: Histograms::default() }
    }
}

impl Accumulate for Sums<'_> {
    fn open(&mut self) {
        let steps = self.setting.steps;
        // Negative zero is what every number stays itself with.
        self.groups.push(Sum { sums: vec![-0.0; steps], lost: vec![0.0; steps], seen: Bitmap::with_steps(steps) });
        self.histograms.open();
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        let Sum { sums, lost, seen } = &mut self.groups[group];
        let values = &row.steps.values;
        seen.for_each_run(&row.steps.floats, |run| {
            let terms = sums[run.clone()].iter_mut().zip(&mut lost[run.clone()]).zip(&values[run]);
            for ((sum, lost), value) in terms {
                let mut kahan = Kahan { sum: *sum, lost: *lost };
                kahan.add(*value);
                (*sum, *lost) = (kahan.sum, kahan.lost);
            }
        });
        if row.steps.histograms.is_empty() { 0 } else { self.histograms.add(group, row, self.setting) }
    }

    fn close(&mut self, group: usize) -> Steps {
        let Sum { sums, lost, seen } = &mut self.groups[group];
        let mut values = std::mem::take(sums);
        values.iter_mut().zip(lost.iter()).for_each(|(sum, lost)| *sum += lost);
        let mut steps = Steps { values, floats: std::mem::take(seen), histograms: Vec::new() };
        self.histograms.close(group, &mut steps, self.setting, HistogramSum::total);
        steps
    }

    fn bytes_per_step(&self) -> u64 {
        16
    }
}

/// Means.
pub(super) struct Means<'a> {
    setting: Setting<'a>,
    groups: Vec<(Vec<Mean>, Bitmap)>,
    histograms: Histograms,
}

impl<'a> Means<'a> {
    pub(super) fn new(setting: Setting<'a>) -> Self {
        Self { setting, groups: Vec::new(), histograms: Histograms::default() }
    }
}

impl Accumulate for Means<'_> {
    fn open(&mut self) {
        let steps = self.setting.steps;
        self.groups.push((vec![Mean::starting_at(0.0); steps], Bitmap::with_steps(steps)));
        self.histograms.open();
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        let (means, seen) = &mut self.groups[group];
        for step in row.steps.floats.iter() {
            let value = row.steps.values[step];
            if seen.get(step) {
                means[step].add(value);
            } else {
                seen.set(step);
                means[step] = Mean::starting_at(value);
            }
        }
        if row.steps.histograms.is_empty() { 0 } else { self.histograms.add(group, row, self.setting) }
    }

    fn close(&mut self, group: usize) -> Steps {
        let (means, seen) = std::mem::take(&mut self.groups[group]);
        let mut steps = Steps { values: means.into_iter().map(Mean::value).collect(), floats: seen, histograms: Vec::new() };
        self.histograms.close(group, &mut steps, self.setting, HistogramSum::mean);
        steps
    }

    fn bytes_per_step(&self) -> u64 {
        size_of::<Mean>() as u64
    }
}
