//! `quantile`. All values of a group are needed. Histograms are left out.

use signalbox_model::Result;

use super::{Accumulate, Setting};
use crate::promql::eval::Evaluator;
use crate::promql::frame::Frame;
use crate::promql::functions::quantile::quantile;
use crate::promql::plan::Aggregation;
use crate::promql::row::{Row, Steps};

/// The parameter at all steps; tells when it is no quantile.
pub(super) fn param(evaluator: &Evaluator<'_>, aggregation: &Aggregation, frame: &Frame) -> Result<Vec<f64>> {
    let Some(param) = &aggregation.param else { return Ok(vec![f64::NAN; frame.steps]) };
    let q = evaluator.scalar(param, frame)?;
    if q.iter().any(|q| q.is_nan()) {
        evaluator.notes.invalid_quantile(f64::NAN, param.span);
    }
    let most = q.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most > 1.0 {
        evaluator.notes.invalid_quantile(most, param.span);
    }
    let least = q.iter().copied().fold(f64::INFINITY, f64::min);
    if least < 0.0 {
        evaluator.notes.invalid_quantile(least, param.span);
    }
    Ok(q)
}

/// The values of each group at each step.
pub(super) struct Quantiles<'a> {
    setting: Setting<'a>,
    q: Vec<f64>,
    groups: Vec<Vec<Vec<f64>>>,
}

impl<'a> Quantiles<'a> {
    pub(super) fn new(setting: Setting<'a>, q: Vec<f64>) -> Self {
        Self { setting, q, groups: Vec::new() }
    }
}

impl Accumulate for Quantiles<'_> {
    fn open(&mut self) {
        self.groups.push(vec![Vec::new(); self.setting.steps]);
    }

    fn add(&mut self, group: usize, row: &Row) -> u64 {
        let mut added_bytes = 0;
        for step in row.steps.floats.iter() {
            self.groups[group][step].push(row.steps.values[step]);
            added_bytes += size_of::<f64>() as u64;
        }
        if row.steps.has_histograms() {
            self.setting.notes.histogram_ignored_in_aggregation("quantile", self.setting.input);
        }
        added_bytes
    }

    fn close(&mut self, group: usize) -> Steps {
        let mut steps = Steps::empty(self.setting.steps);
        for (step, mut values) in std::mem::take(&mut self.groups[group]).into_iter().enumerate() {
            if !values.is_empty() {
                steps.set(step, quantile(self.q[step], &mut values));
            }
        }
        steps
    }

    fn bytes_per_step(&self) -> u64 {
        size_of::<Vec<f64>>() as u64
    }
}
