//! PromQL as Prometheus 3 defines it, experimental functions and modifiers included.
//!
//! `lex` cuts the text into tokens, `parse` builds the tree of `ast`, `check` proves its types, `print` writes it back.

pub mod ast;
pub mod duration_expr;
pub mod functions;
pub mod limits;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, MatrixSelector, NumberLiteral, RangeEdges, Subquery, Unary, UnaryOp,
    ValueType, VectorMatching, VectorSelector,
};
pub use duration_expr::{DurationContext, DurationExpr, DurationKind, DurationOp, DurationValue};
pub use functions::{Function, Signature};
