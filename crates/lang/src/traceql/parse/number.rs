//! Numbers outside of braces, which are calculated while the query is read: whole numbers divide to whole numbers.

use super::super::tree::{ArithmeticOp, Static};

/// `-a`
pub(super) fn negative(value: &Static) -> Static {
    match value {
        Static::Int(value) => Static::Int(value.wrapping_neg()),
        Static::Duration(value) => Static::Duration(value.wrapping_neg()),
        other => Static::Float(-float(other)),
    }
}

/// `a op b`
///
/// # Errors
/// What does not calculate: durations, division of whole numbers by zero, `%` and `^`, results beyond all bounds.
pub(super) fn calculate(op: ArithmeticOp, left: &Static, right: &Static) -> Result<Static, String> {
    if matches!(left, Static::Duration(_)) || matches!(right, Static::Duration(_)) {
        return Err("duration cannot be used in scalar arithmetic".to_owned());
    }
    if let (Static::Int(left), Static::Int(right)) = (left, right) {
        return match op {
            ArithmeticOp::Add => Ok(Static::Int(left.wrapping_add(*right))),
            ArithmeticOp::Subtract => Ok(Static::Int(left.wrapping_sub(*right))),
            ArithmeticOp::Multiply => Ok(Static::Int(left.wrapping_mul(*right))),
            ArithmeticOp::Divide if *right == 0 => Err("division by zero".to_owned()),
            ArithmeticOp::Divide => Ok(Static::Int(left.wrapping_div(*right))),
            ArithmeticOp::Modulo | ArithmeticOp::Power => Err(format!("{} does not calculate with numbers alone", op.as_str())),
        };
    }
    let (left, right) = (float(left), float(right));
    let value = match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo | ArithmeticOp::Power => return Err(format!("{} does not calculate with numbers alone", op.as_str())),
    };
    if value.is_finite() { Ok(Static::Float(value)) } else { Err("result is no finite number".to_owned()) }
}

/// The number itself; of a duration its nanoseconds.
pub(super) fn float(value: &Static) -> f64 {
    match value {
        Static::Int(value) | Static::Duration(value) => *value as f64,
        Static::Float(value) => *value,
        _ => 0.0,
    }
}
