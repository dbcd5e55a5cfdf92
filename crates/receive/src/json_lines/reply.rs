//! How many records were taken, how many were not, and why.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::decode::Report;
use crate::http::{Outcome, Refusal};

/// The answer to a request that was understood.
pub(super) fn accept(outcome: &Outcome, report: &Report) -> Response<Body> {
    let mut errors: Vec<Value> = report.faults.iter().map(|fault| json!({"line": fault.line, "reason": fault.reason})).collect();
    // The decoder's reasons stand first; what follows is what admission refused.
    for rejected in outcome.rejected.iter().skip(report.reasons) {
        errors.push(json!({"records": rejected.rows, "reason": rejected.message}));
    }
    let rejected = outcome.rejected_rows();
    let accepted = (report.taken + report.refused).saturating_sub(rejected);
    let status = if accepted == 0 && rejected > 0 { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    respond(status, &json!({"accepted": accepted, "rejected": rejected, "errors": errors}))
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = respond(refusal.status, &json!({"error": refusal.message()}));
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
