//! TraceQL as Tempo defines it: one set of spans, chosen by conditions on their fields and attributes.
//!
//! Everything else of the language (pipelines, aggregates, structural operators, arithmetic, fields of traces, events and
//! links) is refused by name with "not supported yet".

pub mod ast;
pub mod tree;

mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use ast::{AttributeScope, CompareOp, Comparison, Condition, Field, KIND_WORDS, STATUS_WORDS, SpanFilter, Value};
pub use parse::{CONDITIONS_MAX, NESTING_MAX, TEXT_BYTES_MAX, parse};
