//! Arithmetic over constants.

use signalbox_lang::logql::{BinaryOp, MetricExpr};
use signalbox_model::{Error, Result};

/// The value of the one sample of a constant vector.
///
/// # Errors
/// `Invalid` for anything else.
pub fn evaluate(expr: &MetricExpr) -> Result<f64> {
    let unsupported = || Error::invalid(format!("not supported yet: {expr}"));
    match expr {
        MetricExpr::Constant(value) => Ok(*value),
        MetricExpr::Binary(binary) => {
            let (left, right) = (evaluate(&binary.left)?, evaluate(&binary.right)?);
            match binary.op {
                BinaryOp::Add => Ok(left + right),
                BinaryOp::Subtract => Ok(left - right),
                BinaryOp::Multiply => Ok(left * right),
                BinaryOp::Divide => Ok(left / right),
                _ => Err(unsupported()),
            }
        }
        _ => Err(unsupported()),
    }
}
