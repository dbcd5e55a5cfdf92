//! What is the same at every step: evaluated at the first, repeated at all.

use signalbox_model::Result;

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::Plan;
use crate::promql::row::{Cell, Row};

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    if frame.steps == 1 {
        return evaluator.stream(plan, frame, sink);
    }
    let mut repeated = Row::default();
    evaluator.tally.enter(&frame.first());
    let streamed = evaluator.stream(plan, &frame.first(), &mut |row| {
        repeated.labels.clone_from(&row.labels);
        repeated.drop_name = row.drop_name;
        repeated.steps.reset(frame.steps);
        match row.steps.get(0) {
            None => return Ok(()),
            Some(Cell::Float(value)) => (0..frame.steps).for_each(|step| repeated.steps.set(step, value)),
            Some(cell @ Cell::Histogram(_)) => (0..frame.steps).for_each(|step| repeated.steps.put(step, cell)),
        }
        sink(&mut repeated)
    });
    evaluator.tally.leave_once();
    streamed
}
