//! PromQL, LogQL, TraceQL, the search language and lists of matchers: text to syntax tree and back, pure.
//!
//! Queries come from strangers: every parser here is hand-written, runs in linear time, bounds length, nesting and size
//! before it allocates, and answers with the place of the error. Nothing here evaluates anything.

pub mod duration;
pub mod go_duration;
pub mod logql;
pub mod matchers;
pub mod promql;
pub mod search;
pub mod span;
pub mod template;
pub mod text;
pub mod traceql;

pub use span::Span;
