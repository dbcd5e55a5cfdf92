//! Loki's yes and no: 204, or a status with one line of plain text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::http::{MESSAGE_BYTES_MAX, Outcome, Refusal};

/// The answer to a request that was taken. When some entries were refused it is 400 with the reasons: what is good is kept,
/// and agents do not repeat the request.
pub(super) fn accept(outcome: &Outcome) -> Response<Body> {
    if outcome.rejected.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let is_single = matches!(&outcome.rejected[..], [only] if only.rows == 1);
    let reasons: Vec<String> = outcome
        .rejected
        .iter()
        .map(|rejected| if is_single { rejected.message.clone() } else { format!("{} errors like: {}", rejected.rows, rejected.message) })
        .collect();
    text(StatusCode::BAD_REQUEST, &reasons.join("; "))
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    // Loki knows no 415.
    let status = if refusal.status == StatusCode::UNSUPPORTED_MEDIA_TYPE { StatusCode::BAD_REQUEST } else { refusal.status };
    let mut response = text(status, refusal.message());
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// An answer as Go's `http.Error` writes it.
pub(super) fn text(status: StatusCode, message: &str) -> Response<Body> {
    let message = &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
