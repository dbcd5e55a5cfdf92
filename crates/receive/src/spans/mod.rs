//! What the doors of foreign spans (Zipkin, Jaeger) share: the span that a wire format is read into, and how spans become a batch.
//!
//! A protocol reads its bytes into [`Span`]s and hands them to an [`Assembler`]; it never touches columns. OTLP, whose model is our own,
//! goes from bytes to columns without this.

mod assemble;
mod record;

pub use assemble::Assembler;
pub use record::{Attributes, Event, Link, Scope, Span, Value};
pub(crate) use record::{kind, put, status, take, take_text, unique};
