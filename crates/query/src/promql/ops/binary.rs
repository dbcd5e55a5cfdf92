//! Binary operators: scalars with scalars, vectors with scalars; vectors with vectors are in `matching` and `sets`.
//!
//! Chains such as `a + b + c + ...` lean to the left and may be hundreds of levels high: they are walked, not recursed into.

use signalbox_lang::Span;
use signalbox_lang::promql::ValueType;
use signalbox_model::Result;

use super::arithmetic::{Combined, changes_metric, combine, compute, holds, of_scalars};
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::notes::Notes;
use crate::promql::plan::{Node, Operation, Plan};
use crate::promql::row::{Cell, Row};

/// The operations of a chain, innermost first, and its leftmost operand.
fn chain(plan: &Plan, value_type: ValueType) -> (&Plan, Vec<(&Operation, Span)>) {
    let (mut leftmost, mut operations) = (plan, Vec::new());
    while let Node::Binary(operation) = &leftmost.node {
        if leftmost.value_type != value_type {
            break;
        }
        operations.push((operation.as_ref(), leftmost.span));
        leftmost = &operation.left;
    }
    operations.reverse();
    (leftmost, operations)
}

/// A chain of scalars.
pub(in crate::promql) fn scalar(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame) -> Result<Vec<f64>> {
    let (leftmost, operations) = chain(plan, ValueType::Scalar);
    let mut values = evaluator.scalar(leftmost, frame)?;
    for (operation, _) in operations {
        let right = evaluator.scalar(&operation.right, frame)?;
        values.iter_mut().zip(right).for_each(|(left, right)| *left = of_scalars(operation.op, *left, right));
    }
    Ok(values)
}

/// An operation with a vector on one side at least.
pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let (leftmost, operations) = chain(plan, ValueType::Vector);
    if let [(operation, span)] = operations.as_slice()
        && let Some(scalar_side) = ScalarSide::of(operation)
    {
        // One vector and one scalar: series pass through.
        let (scalar, vector) = scalar_side.operands(operation);
        let scalar = evaluator.scalar(scalar, frame)?;
        return evaluator.stream(vector, frame, &mut |row| {
            apply_scalar(row, &scalar, scalar_side, operation, *span, &evaluator.notes);
            if row.steps.is_empty() { Ok(()) } else { sink(row) }
        });
    }
    let mut operations = operations.into_iter().peekable();
    let mut rows = match operations.next_if(|(operation, _)| ScalarSide::of(operation) == Some(ScalarSide::Left)) {
        None => evaluator.collect(leftmost, frame)?,
        Some((operation, span)) => {
            let scalar = evaluator.scalar(&operation.left, frame)?;
            let mut rows = evaluator.collect(&operation.right, frame)?;
            rows.iter_mut().for_each(|row| apply_scalar(row, &scalar, ScalarSide::Left, operation, span, &evaluator.notes));
            rows
        }
    };
    for (operation, span) in operations {
        evaluator.leash.check()?;
        if let Some(matching) = &operation.matching {
            let right = evaluator.collect(&operation.right, frame)?;
            evaluator.release(&rows);
            evaluator.release(&right);
            rows = if operation.op.is_set() {
                super::sets::apply(operation.op, matching, rows, right, frame)
            } else {
                super::matching::apply(operation, matching, rows, right, frame, span, &evaluator.notes)?
            };
            rows.iter().try_for_each(|row| evaluator.hold_row(row))?;
        } else {
            let scalar = evaluator.scalar(&operation.right, frame)?;
            rows.iter_mut().for_each(|row| apply_scalar(row, &scalar, ScalarSide::Right, operation, span, &evaluator.notes));
        }
        rows.retain(|row| !row.steps.is_empty());
    }
    evaluator.release(&rows);
    rows.iter_mut().filter(|row| !row.steps.is_empty()).try_for_each(sink)
}

/// On which side of an operator the scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScalarSide {
    Left,
    Right,
}

impl ScalarSide {
    fn of(operation: &Operation) -> Option<Self> {
        match (operation.left.value_type, operation.right.value_type) {
            (ValueType::Scalar, _) => Some(Self::Left),
            (_, ValueType::Scalar) => Some(Self::Right),
            _ => None,
        }
    }

    /// The scalar and the vector.
    fn operands(self, operation: &Operation) -> (&Plan, &Plan) {
        match self {
            Self::Left => (&operation.left, &operation.right),
            Self::Right => (&operation.right, &operation.left),
        }
    }
}

fn apply_scalar(row: &mut Row, scalar: &[f64], side: ScalarSide, operation: &Operation, span: Span, notes: &Notes) {
    let (op, return_bool) = (operation.op, operation.return_bool);
    let loses_name = changes_metric(op) || return_bool;
    row.drop_name |= loses_name;
    if changes_metric(op) && !row.steps.has_histograms() {
        // The common case as one loop over all steps; what is computed where there is no float does not matter.
        let pairs = row.steps.values.iter_mut().zip(scalar);
        match side {
            ScalarSide::Right => pairs.for_each(|(value, scalar)| *value = compute(op, *value, *scalar)),
            ScalarSide::Left => pairs.for_each(|(value, scalar)| *value = compute(op, *scalar, *value)),
        }
        return;
    }
    for (step, scalar) in scalar.iter().enumerate() {
        let Some(cell) = row.steps.get(step) else { continue };
        if let (Cell::Float(value), true) = (cell, op.is_comparison()) {
            let is_true = match side {
                ScalarSide::Right => holds(op, value, *scalar),
                ScalarSide::Left => holds(op, *scalar, value),
            };
            if return_bool {
                row.steps.set(step, f64::from(u8::from(is_true)));
            } else if !is_true {
                row.steps.remove(step);
            }
            continue;
        }
        let (left, right) = match side {
            ScalarSide::Right => (cell, Cell::Float(*scalar)),
            ScalarSide::Left => (Cell::Float(*scalar), cell),
        };
        match combine(op, left, right, span, notes) {
            Some((_, is_true)) if return_bool => row.steps.set(step, f64::from(u8::from(is_true))),
            Some((Combined::Float(value), true)) => row.steps.set(step, value),
            Some((Combined::Histogram(histogram), true)) => row.steps.set_histogram(step, histogram),
            Some((_, false)) | None => row.steps.remove(step),
        }
    }
}
