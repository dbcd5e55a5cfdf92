//! TraceQL by its definition: slow, plain, and with nothing of the engine in it.
//!
//! Written from Tempo's documentation and its evaluator. Where Tempo fails a query because of one span, the value is missing.

mod aggregate;
mod field;
mod pipeline;
mod series;
mod tree;
mod value;

pub(super) use field::Trace;
pub(super) use pipeline::search;
pub(super) use series::{Series, Steps, compared, metrics};
pub(super) use value::of_attribute;

/// Why a query has no answer that could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// A structural operator meets several sets of one trace.
    SeveralSets,
    /// Equal values decide which series are among the greatest.
    Tie,
}
