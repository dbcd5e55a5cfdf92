//! `absent`: 1 where a vector is empty.

use signalbox_model::Result;

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::FunctionCall;
use crate::promql::row::{Bitmap, Row, Steps};

pub(super) fn stream(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let mut present = Bitmap::with_steps(frame.steps);
    evaluator.stream_presence(&call.args[0], frame, &mut |row| {
        (0..frame.steps).filter(|step| row.steps.has(*step)).for_each(|step| present.set(step));
        Ok(())
    })?;
    let mut row = Row::new(call.fixed_labels.clone(), Steps::empty(frame.steps));
    (0..frame.steps).filter(|step| !present.get(*step)).for_each(|step| row.steps.set(step, 1.0));
    if row.steps.is_empty() { Ok(()) } else { sink(&mut row) }
}
