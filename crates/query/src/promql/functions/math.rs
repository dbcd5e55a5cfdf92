//! Functions of one float, applied to every float of a vector. Histograms are left out.

use std::f64::consts::PI;

use signalbox_lang::promql::Function;
use signalbox_model::Result;

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::{FunctionCall, Plan};
use crate::promql::row::Row;

/// The function of floats that a function applies, if it is of this kind.
pub(super) fn of_one_float(function: Function) -> Option<fn(f64) -> f64> {
    Some(match function {
        Function::Abs => f64::abs,
        Function::Acos => f64::acos,
        Function::Acosh => f64::acosh,
        Function::Asin => f64::asin,
        Function::Asinh => f64::asinh,
        Function::Atan => f64::atan,
        Function::Atanh => f64::atanh,
        Function::Ceil => f64::ceil,
        Function::Cos => f64::cos,
        Function::Cosh => f64::cosh,
        Function::Deg => |value| value * 180.0 / PI,
        Function::Exp => f64::exp,
        Function::Floor => f64::floor,
        Function::Ln => f64::ln,
        Function::Log10 => f64::log10,
        Function::Log2 => f64::log2,
        Function::Rad => |value| value * PI / 180.0,
        Function::Sgn => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        Function::Sin => f64::sin,
        Function::Sinh => f64::sinh,
        Function::Sqrt => f64::sqrt,
        Function::Tan => f64::tan,
        Function::Tanh => f64::tanh,
        _ => return None,
    })
}

pub(super) fn stream(evaluator: &Evaluator<'_>, input: &Plan, function: fn(f64) -> f64, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    evaluator.stream(input, frame, &mut |row| {
        row.steps.map_floats(function);
        pass_on(row, sink)
    })
}

/// Hands over a row that was computed, unless nothing is left of it.
pub(super) fn pass_on(row: &mut Row, sink: &mut Sink<'_>) -> Result<()> {
    if row.steps.is_empty() {
        return Ok(());
    }
    row.drop_name = true;
    sink(row)
}

pub(super) fn clamp(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let constant = |value| Ok(vec![value; frame.steps]);
    let (lower, upper) = match (call.function, call.args.as_slice()) {
        (Function::ClampMin, [_, lower, ..]) => (evaluator.scalar(lower, frame)?, constant(f64::INFINITY)?),
        (Function::ClampMax, [_, upper, ..]) => (constant(f64::NEG_INFINITY)?, evaluator.scalar(upper, frame)?),
        (_, [_, lower, upper, ..]) => (evaluator.scalar(lower, frame)?, evaluator.scalar(upper, frame)?),
        _ => (constant(f64::NEG_INFINITY)?, constant(f64::INFINITY)?),
    };
    evaluator.stream(&call.args[0], frame, &mut |row| {
        row.steps.histograms.clear();
        for step in 0..frame.steps {
            if upper[step] < lower[step] {
                row.steps.remove(step);
            } else {
                row.steps.values[step] = larger(lower[step], smaller(upper[step], row.steps.values[step]));
            }
        }
        pass_on(row, sink)
    })
}

/// To the nearest multiple, halves up.
pub(super) fn round(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let nearest = call.args.get(1).map_or_else(|| Ok(vec![1.0; frame.steps]), |nearest| evaluator.scalar(nearest, frame))?;
    evaluator.stream(&call.args[0], frame, &mut |row| {
        row.steps.histograms.clear();
        for (value, nearest) in row.steps.values.iter_mut().zip(&nearest) {
            // The inverse loses fewer digits than dividing.
            let inverse = 1.0 / nearest;
            *value = (*value * inverse + 0.5).floor() / inverse;
        }
        pass_on(row, sink)
    })
}

/// The larger of two numbers as Go has it: infinity wins over NaN, NaN over the rest.
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        f64::INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.max(right)
    }
}

/// The smaller of two numbers, as [`larger`].
pub(super) fn smaller(left: f64, right: f64) -> f64 {
    -larger(-left, -right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_wins_over_nan() {
        assert_eq!((larger(1.0, 2.0), smaller(1.0, 2.0), larger(f64::NAN, f64::INFINITY)), (2.0, 1.0, f64::INFINITY));
        assert!(larger(f64::NAN, 1.0).is_nan() && smaller(f64::NAN, f64::INFINITY).is_nan());
    }
}
