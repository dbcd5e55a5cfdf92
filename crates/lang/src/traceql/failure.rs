//! Why a query was refused, and where.

use std::fmt;

use signalbox_model::{Error, ErrorKind};

use crate::{Span, span::Position};

/// What sort of fault a query has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It is no TraceQL.
    Syntax,
    /// It says what cannot hold: types that do not fit, numbers out of bounds.
    Invalid,
    /// It is TraceQL that Tempo refuses too, by these words.
    Unsupported,
    /// It is longer, deeper or larger than a query may be.
    TooLarge,
}

/// The first thing that is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort of fault.
    pub class: Class,
    /// Where.
    pub position: Position,
    /// What, for people.
    pub message: String,
}

impl Failure {
    /// At a place of a text. Boxed, so that the results of recursive functions stay small.
    pub(super) fn new(class: Class, text: &str, span: Span, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { class, position: span.position(text), message: message.into() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parse error at line {}, col {}: {}", self.position.line, self.position.column, self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// As an error of the kind `Invalid`, or `TooLarge` for that class, with the place in its message.
    pub fn into_error(self) -> Error {
        let kind = if self.class == Class::TooLarge { ErrorKind::TooLarge } else { ErrorKind::Invalid };
        Error::new(kind, self.to_string())
    }
}
