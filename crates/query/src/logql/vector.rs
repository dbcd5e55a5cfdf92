//! Arithmetic over constants.

use signalbox_lang::logql::{ArithmeticOp, VectorExpr};

/// The value of the one sample of a constant vector.
pub fn evaluate(expr: &VectorExpr) -> f64 {
    match expr {
        VectorExpr::Vector(value) => *value,
        VectorExpr::Binary(op, left, right) => {
            let (left, right) = (evaluate(left), evaluate(right));
            match op {
                ArithmeticOp::Add => left + right,
                ArithmeticOp::Subtract => left - right,
                ArithmeticOp::Multiply => left * right,
                ArithmeticOp::Divide => left / right,
            }
        }
    }
}
