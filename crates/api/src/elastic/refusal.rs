//! Refusals in Elasticsearch's JSON.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use signalbox_model::{Error, ErrorKind};

use crate::http::status;

/// Why a request is refused: status, type of the exception, reason.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    reason: String,
}

pub(super) type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    /// The request is wrong, or asks for something that is not spoken.
    pub(super) fn illegal(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "illegal_argument_exception", reason: reason.into() }
    }

    /// A body that cannot be understood.
    pub(super) fn parsing(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "parsing_exception", reason: reason.into() }
    }

    pub(super) fn no_index(index: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "index_not_found_exception", reason: format!("no such index [{index}]") }
    }

    pub(super) fn json(&self) -> Value {
        let cause = json!({ "type": self.kind, "reason": self.reason });
        json!({
            "error": { "root_cause": [cause], "type": self.kind, "reason": self.reason },
            "status": self.status.as_u16(),
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?error, "cannot answer a search: {error}");
        }
        let (code, kind) = match error.kind() {
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "illegal_argument_exception"),
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "content_too_long_exception"),
            ErrorKind::Limit if error.message().starts_with("too many buckets") => (StatusCode::BAD_REQUEST, "too_many_buckets_exception"),
            ErrorKind::Limit => (StatusCode::TOO_MANY_REQUESTS, "circuit_breaking_exception"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "circuit_breaking_exception"),
            ErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout_exception"),
            _ => (status(&error), "exception"),
        };
        Self { status: code, kind, reason: error.message().to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(self.json())).into_response()
    }
}
