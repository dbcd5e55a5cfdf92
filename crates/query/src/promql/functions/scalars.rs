//! From vectors to scalars and back.

use signalbox_lang::promql::Function;
use signalbox_model::{Labels, Result};

use super::math::{larger, smaller};
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::{FunctionCall, Plan};
use crate::promql::row::{Bitmap, Row, Steps};

pub(super) fn vector(evaluator: &Evaluator<'_>, input: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    sink(&mut Row::new(Labels::empty(), Steps::dense(evaluator.scalar(input, frame)?)))
}

/// The only float of a vector; NaN where there is none or more than one.
pub(super) fn scalar(evaluator: &Evaluator<'_>, input: &Plan, frame: &Frame) -> Result<Vec<f64>> {
    let mut values = vec![f64::NAN; frame.steps];
    let mut seen = Bitmap::with_steps(frame.steps);
    evaluator.stream(input, frame, &mut |row| {
        for step in row.steps.floats.iter() {
            values[step] = if seen.get(step) { f64::NAN } else { row.steps.values[step] };
            seen.set(step);
        }
        Ok(())
    })?;
    Ok(values)
}

/// `max_of` and `min_of`.
pub(super) fn extreme(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame) -> Result<Vec<f64>> {
    let choose = if call.function == Function::MaxOf { larger } else { smaller };
    let (left, right) = (evaluator.scalar(&call.args[0], frame)?, evaluator.scalar(&call.args[1], frame)?);
    Ok(left.into_iter().zip(right).map(|(left, right)| choose(left, right)).collect())
}
