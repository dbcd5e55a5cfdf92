//! InfluxDB's yes and no, in the words of its three generations.
//!
//! All of them answer 204 when everything was taken, and 400 with the lines that were not: what is good is kept and durable,
//! and senders do not repeat the request.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use signalbox_model::Rejected;

use super::points::{LineFault, Report};
use crate::http::{MESSAGE_BYTES_MAX, Outcome, Refusal};

/// Which API was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// `/write`.
    One,
    /// `/api/v2/write`.
    Two,
    /// `/api/v3/write_lp`.
    Three,
}

/// The answer to a request that was taken, at least in part.
pub(super) fn accept(generation: Generation, outcome: &Outcome, report: &Report) -> Response<Body> {
    if outcome.rejected.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    // The decoder's reasons stand first, one for each; what follows is what admission refused.
    let admission = outcome.rejected.get(report.reasons..).unwrap_or_default();
    let is_partial = report.taken > 0 && (outcome.written.rows() > 0 || admission.is_empty());
    match generation {
        Generation::One => error_1(StatusCode::BAD_REQUEST, &message(report, admission, is_partial)),
        Generation::Two => {
            let message = message(report, admission, is_partial);
            let first = report.faults.first().map(|line| line.fault.line);
            json_response(StatusCode::BAD_REQUEST, &json!({"code": "invalid", "message": message, "error": message, "line": first}))
        }
        Generation::Three => {
            let mut lines: Vec<Value> = report.faults.iter().map(line_3).collect();
            lines.extend(admission.iter().map(|rejected| json!({"original_line": "", "line_number": 0, "error_message": in_words(rejected)})));
            json_response(StatusCode::BAD_REQUEST, &json!({"error": "partial write of line protocol occurred", "data": lines}))
        }
    }
}

/// The answer to a request that wanted all or nothing (3.x, `accept_partial=false`), and has a faulty line.
pub(super) fn refuse_all(report: &Report) -> Response<Body> {
    let first = report.faults.first().map(line_3);
    json_response(StatusCode::BAD_REQUEST, &json!({"error": "parsing failed for write_lp endpoint", "data": first}))
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(generation: Generation, refusal: &Refusal) -> Response<Body> {
    let mut response = match generation {
        Generation::One => error_1(refusal.status, refusal.message()),
        Generation::Two => json_response(refusal.status, &json!({"code": code_2(refusal.status), "message": refusal.message()})),
        Generation::Three => json_response(refusal.status, &json!({"error": refusal.message()})),
    };
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// An error as 1.x tells it: in the body and, for those who do not read it, in a header.
pub(super) fn error_1(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = json_response(status, &json!({ "error": message }));
    let first_line: String = message.chars().take_while(|letter| *letter != '\n').filter(|letter| !letter.is_control()).collect();
    if let Ok(value) = HeaderValue::from_bytes(first_line.as_bytes()) {
        response.headers_mut().insert(HeaderName::from_static("x-influxdb-error"), value);
    }
    response
}

/// Any JSON.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    // InfluxDB ends its JSON with a line break.
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What went wrong, line by line, as 1.x has it: `dropped` counts what was understood and not kept.
fn message(report: &Report, admission: &[Rejected], is_partial: bool) -> String {
    let mut text = String::new();
    let mut told = 0;
    for LineFault { fault, is_out_of_time } in &report.faults {
        let part = if *is_out_of_time {
            format!("{} (line {})", fault.reason, fault.line)
        } else {
            format!("unable to parse '{}': at line {}:{}: {}", fault.text, fault.line, fault.column, fault.reason)
        };
        if text.len() + part.len() > MESSAGE_BYTES_MAX {
            break;
        }
        separate(&mut text);
        text.push_str(&part);
        told += 1;
    }
    if report.refused > told {
        separate(&mut text);
        text.push_str(&format!("and {} more lines", report.refused - told));
    }
    for rejected in admission {
        separate(&mut text);
        text.push_str(&in_words(rejected));
    }
    let dropped = report.out_of_time + admission.iter().map(|rejected| rejected.rows).sum::<u64>();
    if is_partial || dropped > 0 { format!("partial write: {text} dropped={dropped}") } else { text }
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

fn in_words(rejected: &Rejected) -> String {
    format!("{} samples refused ({}): {}", rejected.rows, rejected.reason, rejected.message)
}

fn line_3(line: &LineFault) -> Value {
    json!({"original_line": line.fault.text, "line_number": line.fault.line, "error_message": format!("{} (byte {})", line.fault.reason, line.fault.column)})
}

fn code_2(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::NOT_IMPLEMENTED => "not implemented",
        _ => "invalid",
    }
}
