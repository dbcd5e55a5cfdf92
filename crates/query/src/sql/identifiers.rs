//! Identifiers are bytes at rest and hexadecimal digits to people: `trace_id = '5b8e…'` compares with the digits.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Teaches a session to compare identifiers with text.
pub(crate) fn register(session: &SessionContext) -> signalbox_model::Result<()> {
    session.state_ref().write().register_expr_planner(Arc::new(HexLiterals)).map_err(super::to_error)
}

#[derive(Debug)]
struct HexLiterals;

impl ExprPlanner for HexLiterals {
    fn plan_binary_op(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(expr.op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            if let Some(bytes) = bytes_for(&expr.left, &expr.right, schema)? {
                expr.right = bytes;
            } else if let Some(bytes) = bytes_for(&expr.right, &expr.left, schema)? {
                expr.left = bytes;
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// The bytes of a text literal that is compared with an identifier.
fn bytes_for(identifier: &Expr, literal: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let Expr::Literal(ScalarValue::Utf8(Some(digits)) | ScalarValue::Utf8View(Some(digits)), metadata) = literal else { return Ok(None) };
    let Ok(DataType::FixedSizeBinary(width)) = identifier.get_type(schema) else { return Ok(None) };
    match from_hex(digits).filter(|bytes| i32::try_from(bytes.len()) == Ok(width)) {
        Some(bytes) => Ok(Some(Expr::Literal(ScalarValue::FixedSizeBinary(width, Some(bytes)), metadata.clone()))),
        None => plan_err!("cannot compare an identifier with {digits:?}: want {} hexadecimal digits", width * 2),
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}
