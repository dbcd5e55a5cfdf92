//! LogQL as Loki 3 documents it: text to tree and back.
//!
//! Everything its manual has, in its words where it is refused; `variants` is in no released manual and refused by name.

pub mod ast;
pub mod pattern;

mod lex;
mod limits;
mod names;
mod parse;
mod prettify;
mod print;
#[cfg(test)]
mod tests;

pub use ast::{BinaryOp, Expr, LineFilter, LineOp, LinePattern, LogExpr, MetricExpr, Stage};
pub use lex::parse_bytes;
pub use limits::{ITEMS_MAX, NESTING_MAX, TEXT_BYTES_MAX};
pub use parse::parse;
pub use prettify::prettify;
