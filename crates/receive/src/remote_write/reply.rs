//! Remote write's yes and no: 204, written counts, and 400 for a part that will never be accepted.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use signalbox_ingest::Written;

use crate::http::{Outcome, Refusal};

/// The answer to a request that was taken. Rejected rows make it a 400, which senders never retry: what is valid has been
/// written, and the headers say how much.
pub(super) fn accept(outcome: &Outcome) -> Response<Body> {
    let mut response = if outcome.rejected.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        text(StatusCode::BAD_REQUEST, outcome.message())
    };
    add_written(&mut response, &outcome.written);
    response
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = text(refusal.status, refusal.message().to_owned());
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    add_written(&mut response, &Written::default());
    response
}

fn text(status: StatusCode, message: String) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn add_written(response: &mut Response<Body>, written: &Written) {
    for (name, count) in [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", written.histograms),
        ("x-prometheus-remote-write-exemplars-written", written.exemplars),
    ] {
        response.headers_mut().insert(name, HeaderValue::from(count));
    }
}
