//! TraceQL of single conditions, as the first readers of traces took it. [`super::parse_query`] reads the whole language.

pub mod ast;

mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use ast::{AttributeScope, Comparison, Condition, Field, SpanFilter, Value};
pub use parse::parse;
