//! `-vector`.

use std::sync::Arc;

use signalbox_model::Result;

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::histogram;
use crate::promql::plan::Plan;

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    evaluator.stream(plan, frame, &mut |row| {
        row.steps.values.iter_mut().for_each(|value| *value = -*value);
        for histogram in row.steps.histograms.iter_mut().flatten() {
            histogram::scale(Arc::make_mut(histogram), -1.0);
        }
        row.drop_name = true;
        sink(row)
    })
}
