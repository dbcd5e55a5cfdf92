//! `stdvar` and `stddev`. Histograms are left out.

use super::{Accumulate, Setting};
use crate::promql::row::{Row, Steps};

/// Welford's running variance.
#[derive(Clone, Copy)]
struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

/// The variance of each group at each step.
pub(super) struct Variances<'a> {
    setting: Setting<'a>,
    name: &'static str,
    finish: fn(f64) -> f64,
    groups: Vec<Vec<Variance>>,
}

impl<'a> Variances<'a> {
    pub(super) fn new(setting: Setting<'a>, name: &'static str, finish: fn(f64) -> f64) -> Self {
        Self { setting, name, finish, groups: Vec::new() }
    }
}

impl Accumulate for Variances<'_> {
    fn open(&mut self) {
        self.groups.push(vec![Variance { count: 0.0, mean: 0.0, squares: 0.0 }; self.setting.steps]);
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        for step in row.steps.floats.iter() {
            let value = row.steps.values[step];
            let variance = &mut self.groups[group][step];
            variance.count += 1.0;
            if variance.count == 1.0 {
                variance.mean = value;
                variance.squares = if value.is_finite() { 0.0 } else { f64::NAN };
                continue;
            }
            let distance = value - variance.mean;
            variance.mean += distance / variance.count;
            variance.squares += distance * (value - variance.mean);
        }
        if row.steps.has_histograms() {
            self.setting.notes.histogram_ignored_in_aggregation(self.name, self.setting.input);
        }
        0
    }

    fn close(&mut self, group: usize) -> Steps {
        let mut steps = Steps::empty(self.setting.steps);
        for (step, variance) in std::mem::take(&mut self.groups[group]).into_iter().enumerate() {
            if variance.count > 0.0 {
                steps.set(step, (self.finish)(variance.squares / variance.count));
            }
        }
        steps
    }

    fn bytes_per_step(&self) -> u64 {
        size_of::<Variance>() as u64
    }
}
