//! GELF's yes and no over HTTP: 202, or a text that says why not.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::http::{Outcome, Refusal};

/// The answer to a request that was taken. Rejected messages make it a 400, which senders do not repeat: the others have
/// been written.
pub(super) fn accept(outcome: &Outcome) -> Response<Body> {
    if outcome.rejected.is_empty() { text(StatusCode::ACCEPTED, String::new()) } else { text(StatusCode::BAD_REQUEST, outcome.message()) }
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = text(refusal.status, refusal.message().to_owned());
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn text(status: StatusCode, message: String) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
