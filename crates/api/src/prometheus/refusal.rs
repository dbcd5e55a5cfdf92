//! Refusals: `{"status":"error","errorType":…,"error":…}`.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use signalbox_model::attributes::write_json_string;
use signalbox_model::{Error, ErrorKind};

use crate::http::status;

/// Why there is no answer, in the words of Prometheus.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    /// The request is wrong.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    /// There is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "not_found", message: message.into() }
    }

    /// What the settings do not allow, with Prometheus' status for it.
    pub(super) fn admin_disabled() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "unavailable", message: "admin APIs disabled".to_owned() }
    }

    /// What the store refused to do: always an internal error in Prometheus.
    pub(super) fn of_admin(error: Error) -> Self {
        let refusal = Self::from(error);
        if refusal.kind == "execution" { Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "internal", ..refusal } } else { refusal }
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }
}

/// What the engine refused while it evaluated: the request itself was well formed.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (code, kind) = match error.kind() {
            ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::Limit => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            ErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            ErrorKind::Canceled => (status(&error), "canceled"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "forbidden"),
            ErrorKind::Corrupt | ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        if code == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = ?error, "cannot answer a metric query: {error}");
        }
        let message = match error.kind() {
            ErrorKind::Timeout => "query timed out in expression evaluation".to_owned(),
            ErrorKind::Canceled => "query was canceled in expression evaluation".to_owned(),
            _ => error.message().to_owned(),
        };
        Self { status: code, kind, message }
    }
}

/// A refusal outside of the envelope, as Go's `http.Error` writes it.
pub(super) fn plain_text(status: StatusCode, message: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{message}\n")).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = format!("{{\"status\":\"error\",\"errorType\":\"{}\",\"error\":", self.kind);
        write_json_string(&mut body, &self.message);
        body.push('}');
        (self.status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_types_of_prometheus() {
        let cases = [
            (ErrorKind::Invalid, 422, "execution"),
            (ErrorKind::Limit, 422, "execution"),
            (ErrorKind::Timeout, 503, "timeout"),
            (ErrorKind::Canceled, 499, "canceled"),
            (ErrorKind::Unavailable, 503, "unavailable"),
            (ErrorKind::NotFound, 404, "not_found"),
            (ErrorKind::Internal, 500, "internal"),
        ];
        for (kind, status, word) in cases {
            let refusal = Refusal::from(Error::new(kind, "why"));
            assert_eq!((refusal.status.as_u16(), refusal.kind), (status, word), "{kind:?}");
        }
        assert_eq!(Refusal::from(Error::new(ErrorKind::Timeout, "after 5 s")).message, "query timed out in expression evaluation");
    }
}
