//! Why a query was refused, and where, before it becomes an error with a position.

use signalbox_model::Error;

use crate::Span;

/// Boxed, so that the results of recursive functions stay small.
pub(super) type Parsed<T> = Result<T, Box<Failure>>;

/// The first thing that is wrong with a query.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) span: Span,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { span, message: message.into() })
    }

    /// `1:7: parse error: …`, as Prometheus writes it.
    pub(super) fn into_error(self, text: &str) -> Error {
        if text.is_empty() {
            return Error::invalid(format!("unknown position: parse error: {}", self.message));
        }
        Error::invalid(format!("{}: parse error: {}", self.span.position(text), self.message))
    }
}
