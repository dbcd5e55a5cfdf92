//! The envelope of answers and refusals.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use signalbox_model::{Error, ErrorKind};

use crate::http::status;

/// Data in its envelope.
pub(super) fn success(data: &Value) -> Response {
    axum::Json(json!({ "status": "success", "data": data })).into_response()
}

/// RFC 3339 with milliseconds.
pub(super) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "0001-01-01T00:00:00.000Z".to_owned(), |time| format!("{time:.3}"))
}

/// As [`time`], of nanoseconds.
pub(super) fn time_ns(ns: i64) -> String {
    time(ns.div_euclid(1_000_000))
}

/// A number as JSON; what JSON has no number for is text.
pub(super) fn number(value: f64) -> Value {
    match value {
        value if value.is_finite() => json!(value),
        value if value.is_nan() => json!("NaN"),
        value if value > 0.0 => json!("+Inf"),
        _ => json!("-Inf"),
    }
}

/// A fingerprint as everybody writes it: 16 hexadecimal digits.
pub(super) fn fingerprint(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Refusal(Error);

impl Refusal {
    /// There is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::NotFound, message))
    }

    /// The request is wrong.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self(Error::invalid(message))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = match self.0.kind() {
            ErrorKind::Invalid | ErrorKind::TooLarge => "bad_data",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Denied => "forbidden",
            ErrorKind::Limit => "execution",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Canceled => "canceled",
            ErrorKind::Corrupt | ErrorKind::Internal => "internal",
        };
        if kind == "internal" {
            tracing::error!(error = ?self.0, "cannot tell about alerts: {}", self.0);
        }
        (status(&self.0), axum::Json(json!({ "status": "error", "errorType": kind, "error": self.0.message() }))).into_response()
    }
}
