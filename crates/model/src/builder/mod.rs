//! Builders of log and span batches: the only code that appends to Arrow arrays of telemetry.
//!
//! A decoder walks a request once: it announces the resource and the scope, appends the attributes of a row as it meets
//! them, and closes the row. Nothing is kept twice.

mod attributes;
mod dictionary;
mod logs;
mod traces;

pub use attributes::AttributesBuilder;
pub use dictionary::DictionaryBuilder;
pub use logs::{LogBuilder, LogRow};
pub use traces::{EventRow, LinkRow, SpanBuilder, SpanRow};
