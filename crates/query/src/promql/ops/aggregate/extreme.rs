//! `min` and `max`. Histograms are left out.

use super::{Accumulate, Setting};
use crate::promql::row::{Row, Steps};

/// The best value of each group at each step.
pub(super) struct Extremes<'a> {
    setting: Setting<'a>,
    name: &'static str,
    /// Whether a value is better than the best so far.
    is_better: fn(f64, f64) -> bool,
    groups: Vec<Steps>,
}

impl<'a> Extremes<'a> {
    pub(super) fn new(setting: Setting<'a>, name: &'static str, is_better: fn(f64, f64) -> bool) -> Self {
        Self { setting, name, is_better, groups: Vec::new() }
    }
}

impl Accumulate for Extremes<'_> {
    fn open(&mut self) {
        self.groups.push(Steps::empty(self.setting.steps));
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        let best = &mut self.groups[group];
        for step in row.steps.floats.iter() {
            let value = row.steps.values[step];
            // NaN gives way to everything.
            if !best.floats.get(step) || (self.is_better)(value, best.values[step]) || best.values[step].is_nan() {
                best.set(step, value);
            }
        }
        if row.steps.has_histograms() {
            self.setting.notes.histogram_ignored_in_aggregation(self.name, self.setting.input);
        }
        0
    }

    fn close(&mut self, group: usize) -> Steps {
        std::mem::take(&mut self.groups[group])
    }

    fn bytes_per_step(&self) -> u64 {
        8
    }
}
