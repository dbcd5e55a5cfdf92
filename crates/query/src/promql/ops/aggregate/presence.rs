//! `count` and `group`: what the values are does not matter.

use super::{Accumulate, Setting};
use crate::promql::row::{Row, Steps};

/// How many series have a value.
pub(super) struct Counts<'a> {
    setting: Setting<'a>,
    groups: Vec<Steps>,
}

impl<'a> Counts<'a> {
    pub(super) fn new(setting: Setting<'a>) -> Self {
        Self { setting, groups: Vec::new() }
    }
}

impl Accumulate for Counts<'_> {
    fn open(&mut self) {
        self.groups.push(Steps::empty(self.setting.steps));
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        let counts = &mut self.groups[group];
        for step in present(row) {
            counts.values[step] += 1.0;
            counts.floats.set(step);
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

/// 1 where any series has a value.
pub(super) struct Presence<'a> {
    setting: Setting<'a>,
    groups: Vec<Steps>,
}

impl<'a> Presence<'a> {
    pub(super) fn new(setting: Setting<'a>) -> Self {
        Self { setting, groups: Vec::new() }
    }
}

impl Accumulate for Presence<'_> {
    fn open(&mut self) {
        self.groups.push(Steps::empty(self.setting.steps));
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        for step in present(row) {
            self.groups[group].set(step, 1.0);
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

fn present(row: &Row) -> impl Iterator<Item = usize> + '_ {
    let histograms = row.steps.histograms.iter().enumerate().filter(|(_, histogram)| histogram.is_some()).map(|(step, _)| step);
    row.steps.floats.iter().chain(histograms)
}
