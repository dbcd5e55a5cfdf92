//! One error shape for all crates: the kind says what the *caller* should do, the message is for people.

use std::time::Duration;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an error. A new variant only if a caller acts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong; sending it again cannot help.
    Invalid,
    /// The request is understood and larger than a limit of size; sending it again cannot help.
    TooLarge,
    /// What was asked for does not exist.
    NotFound,
    /// The caller may not do this.
    Denied,
    /// A limit of rate, cardinality or memory is reached; slow down.
    Limit,
    /// Temporarily impossible; retry the same request later.
    Unavailable,
    /// The time allowed for the request has passed.
    Timeout,
    /// The caller went away or the process is stopping.
    Canceled,
    /// Stored bytes fail their checksum or structure; an operator must look.
    Corrupt,
    /// A bug in Signalbox.
    Internal,
}

/// An error with its kind, a message (lowercase, no full stop: what was tried, on what, what was found) and its source.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a source.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, source: None }
    }

    /// [`ErrorKind::Invalid`] with this message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// [`ErrorKind::Limit`] with this message.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// [`ErrorKind::Unavailable`] with this message.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// [`ErrorKind::Corrupt`] with this message.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// [`ErrorKind::Internal`] with this message.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Attaches the error that caused this one; it goes to the log, never to a client.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says when a retry is sensible.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message for people, safe to show to the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long the caller should wait before a retry, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
