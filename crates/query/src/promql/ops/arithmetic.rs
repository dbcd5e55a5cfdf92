//! What the binary operators do with two values.

use std::sync::Arc;

use signalbox_lang::Span;
use signalbox_lang::promql::BinaryOp;
use signalbox_model::Histogram;
use signalbox_model::histogram::ResetHint;

use crate::promql::histogram::{self, Incompatible};
use crate::promql::notes::{HistogramOperation, Notes};
use crate::promql::row::Cell;

/// What an operator makes of two values of vectors.
#[derive(Debug, Clone)]
pub(super) enum Combined {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// The result, and whether a comparison holds: it is `true` for the other operators.
pub(super) type Verdict = Option<(Combined, bool)>;

/// Whether the value is no longer one of the metric, so that the name goes.
pub(super) fn changes_metric(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow | BinaryOp::Atan2)
}

/// An operator on two floats that computes; comparisons answer the left one.
#[inline]
pub(super) fn compute(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => left,
    }
}

/// Whether a comparison of two floats holds; `true` for operators that compute.
#[inline]
pub(super) fn holds(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        _ => true,
    }
}

/// An operator on two scalars: comparisons answer 0 or 1.
pub(super) fn of_scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() { f64::from(u8::from(holds(op, left, right))) } else { compute(op, left, right) }
}

/// An operator on values of which one at least is of a vector. `None` when the two do not go together, which is told.
pub(super) fn combine(op: BinaryOp, left: Cell<'_>, right: Cell<'_>, span: Span, notes: &Notes) -> Verdict {
    match (left, right) {
        (Cell::Float(left), Cell::Float(right)) if !matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper) => {
            Some((Combined::Float(compute(op, left, right)), holds(op, left, right)))
        }
        (Cell::Float(factor), Cell::Histogram(histogram)) | (Cell::Histogram(histogram), Cell::Float(factor)) if op == BinaryOp::Mul => {
            changed(histogram, |changed| histogram::scale(changed, factor))
        }
        (Cell::Histogram(histogram), Cell::Float(divisor)) if op == BinaryOp::Div => changed(histogram, |changed| histogram::divide(changed, divisor)),
        (Cell::Histogram(histogram), Cell::Float(threshold)) if matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper) => {
            let mut trimmed = Histogram::clone(histogram);
            histogram::trim(&mut trimmed, threshold, op == BinaryOp::TrimUpper);
            Some((Combined::Histogram(Arc::new(trimmed)), true))
        }
        (Cell::Histogram(left), Cell::Histogram(right)) => of_histograms(op, left, right, span, notes),
        _ => incompatible(op, left, right, span, notes),
    }
}

fn changed(histogram: &Histogram, change: impl FnOnce(&mut Histogram)) -> Verdict {
    let mut changed = histogram.clone();
    change(&mut changed);
    histogram::compact(&mut changed);
    Some((Combined::Histogram(Arc::new(changed)), true))
}

fn incompatible(op: BinaryOp, left: Cell<'_>, right: Cell<'_>, span: Span, notes: &Notes) -> Verdict {
    let name = |cell| if matches!(cell, Cell::Float(_)) { "float" } else { "histogram" };
    notes.incompatible_types(name(left), op.as_str(), name(right), span);
    None
}

fn of_histograms(op: BinaryOp, left: &Arc<Histogram>, right: &Arc<Histogram>, span: Span, notes: &Notes) -> Verdict {
    let (operation, done, mut changed) = match op {
        BinaryOp::Equal => return Some((Combined::Histogram(Arc::clone(left)), histogram::equals(left, right))),
        BinaryOp::NotEqual => return Some((Combined::Histogram(Arc::clone(left)), !histogram::equals(left, right))),
        BinaryOp::Add => {
            let mut changed = Histogram::clone(left);
            (HistogramOperation::Addition, histogram::add(&mut changed, right), changed)
        }
        BinaryOp::Sub => {
            let mut changed = Histogram::clone(left);
            let done = histogram::subtract(&mut changed, right);
            changed.reset_hint = ResetHint::Gauge;
            (HistogramOperation::Subtraction, done, changed)
        }
        _ => return incompatible(op, Cell::Histogram(left), Cell::Histogram(right), span, notes),
    };
    match done {
        Ok(done) => {
            if done.is_reset_collision {
                notes.counter_reset_collision(operation, span);
            }
            if done.are_bounds_reconciled {
                notes.mismatched_custom_buckets(operation, span);
            }
            histogram::compact(&mut changed);
            Some((Combined::Histogram(Arc::new(changed)), true))
        }
        Err(Incompatible) => {
            notes.incompatible_buckets(op.as_str(), span);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        let cases = [
            (BinaryOp::Add, 7.0, 2.0, 9.0),
            (BinaryOp::Sub, 7.0, 2.0, 5.0),
            (BinaryOp::Mul, 7.0, 2.0, 14.0),
            (BinaryOp::Div, 7.0, 2.0, 3.5),
            (BinaryOp::Div, 1.0, 0.0, f64::INFINITY),
            (BinaryOp::Mod, -7.0, 2.0, -1.0),
            (BinaryOp::Pow, 2.0, 10.0, 1024.0),
            (BinaryOp::Atan2, 0.0, 1.0, 0.0),
            (BinaryOp::Equal, 1.0, 1.0, 1.0),
            (BinaryOp::NotEqual, f64::NAN, f64::NAN, 1.0),
            (BinaryOp::Less, 1.0, 2.0, 1.0),
            (BinaryOp::LessOrEqual, 3.0, 2.0, 0.0),
            (BinaryOp::Greater, 1.0, 2.0, 0.0),
            (BinaryOp::GreaterOrEqual, 2.0, 2.0, 1.0),
        ];
        for (op, left, right, expected) in cases {
            assert_eq!(of_scalars(op, left, right), expected, "{left} {} {right}", op.as_str());
        }
    }

    #[test]
    fn values_that_do_not_go_together_are_told() {
        let notes = Notes::default();
        let histogram = Arc::new(Histogram::default());
        assert!(combine(BinaryOp::Add, Cell::Float(1.0), Cell::Histogram(&histogram), Span::default(), &notes).is_none());
        assert!(combine(BinaryOp::Mul, Cell::Float(1.0), Cell::Histogram(&histogram), Span::default(), &notes).is_some());
        let (_, infos) = notes.finish("h");
        assert_eq!(infos, ["PromQL info: incompatible sample types encountered for binary operator \"+\": float + histogram (1:1)"]);
    }
}
