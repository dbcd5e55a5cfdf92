//! PromQL as Prometheus 3 defines it, experimental functions and modifiers included.
//!
//! `lex` cuts the text into tokens, `parse` builds the tree of `ast`, `check` proves its types, `print` writes it back.
//! Errors carry line, column and the words of Prometheus, because people search the web for them.

pub mod ast;
pub mod duration_expr;
pub mod functions;
pub mod limits;
pub mod series;

mod check;
mod failure;
mod lex;
mod number;
mod parse;
mod prettify;
mod print;
mod token;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, MatrixSelector, NumberLiteral, RangeEdges, StringLiteral, Subquery, Unary,
    UnaryOp, ValueType, VectorMatching, VectorSelector,
};
pub use duration_expr::{DurationContext, DurationExpr, DurationKind, DurationOp, DurationValue};
pub use functions::{Function, Signature};
pub use parse::{parse, parse_matchers};
pub use prettify::{prettify, prettify_to};

pub use crate::duration::parse_ms as parse_duration;
