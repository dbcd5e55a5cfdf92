//! Zipkin's yes and no: 202, or a status with a line of text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::http::{Outcome, Refusal};

/// The answer to a request that was taken. When some spans were refused it is 400 with the reasons: what is good is kept, and no reporter
/// repeats a request after 400.
pub(crate) fn accept(outcome: &Outcome) -> Response<Body> {
    if !outcome.rejected.is_empty() {
        return text(StatusCode::BAD_REQUEST, &outcome.message());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// The answer to a request of which nothing was written.
pub(crate) fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = text(refusal.status, refusal.message());
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn text(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
