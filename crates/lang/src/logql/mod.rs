//! LogQL as Loki defines it: selectors of streams with filters of lines.
//!
//! Everything else of the language is known by name and refused by name, so that nobody gets a wrong answer: parsers,
//! label filters, formatting and aggregations answer "not supported yet".

pub mod ast;

mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use ast::{BinaryOp, Expr, LineFilter, LineOp, LinePattern, LogExpr, MetricExpr, Stage};
pub use parse::{FILTERS_MAX, NESTING_MAX, TEXT_BYTES_MAX, parse};
