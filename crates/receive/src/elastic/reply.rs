//! Elasticsearch's yes and no: a status for each item, exceptions with their types.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json as object};
use signalbox_model::ErrorKind;

use super::action::Fault;
use super::bulk::{Item, ItemFault, Report};
use crate::http::{Outcome, Refusal};

/// The items with what admission refused: it says how many and why, not which. Its limits are about size, so it is the
/// largest documents that are told.
fn judged(outcome: &Outcome, report: &Report) -> Vec<Item> {
    let mut items = report.items.clone();
    let mut largest: Vec<usize> = (0..items.len()).filter(|at| items.get(*at).is_some_and(|item| item.fault.is_none())).collect();
    largest.sort_by_key(|at| std::cmp::Reverse(items.get(*at).map_or(0, |item| item.bytes)));
    let mut largest = largest.into_iter();
    for rejected in outcome.rejected.iter().skip(report.reasons) {
        for at in largest.by_ref().take(usize::try_from(rejected.rows).unwrap_or(usize::MAX)) {
            if let Some(item) = items.get_mut(at) {
                item.fault = Some(ItemFault { status: 400, kind: "illegal_argument_exception", reason: rejected.message.clone() });
            }
        }
    }
    items
}

fn shown(item: &Item) -> Value {
    match &item.fault {
        None => object!({
            "_index": item.index, "_id": item.id, "_version": 1, "result": "created",
            "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1, "status": 201,
        }),
        Some(fault) => object!({
            "_index": item.index, "_id": item.id, "status": fault.status,
            "error": {"type": fault.kind, "reason": fault.reason, "index": item.index},
        }),
    }
}

/// The answer to a bulk request.
pub(super) fn items(outcome: &Outcome, report: &Report, took: Duration, filter: &str) -> Response<Body> {
    let items = judged(outcome, report);
    let has_errors = items.iter().any(|item| item.fault.is_some());
    let shown: Vec<Value> = items.iter().map(|item| object!({ item.action.name(): shown(item) })).collect();
    let body = object!({"took": took.as_millis() as u64, "errors": has_errors, "items": shown});
    let paths: Vec<Vec<&str>> = filter.split(',').filter(|path| !path.is_empty()).map(|path| path.split('.').collect()).collect();
    if paths.is_empty() {
        return json(StatusCode::OK, &body);
    }
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    json(StatusCode::OK, &filtered(&body, &paths).unwrap_or_else(|| object!({})))
}

/// What of a value is on one of the paths (`items.*.error`); arrays are passed through.
fn filtered(value: &Value, paths: &[&[&str]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    match value {
        Value::Array(items) => {
            let kept: Vec<Value> = items.iter().filter_map(|item| filtered(item, paths)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, member) in members {
                let inner: Vec<&[&str]> = paths.iter().flat_map(|path| below(path, name)).collect();
                if let Some(member) = (!inner.is_empty()).then(|| filtered(member, &inner)).flatten() {
                    kept.insert(name.clone(), member);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        _ => None,
    }
}

/// What of a path is left below a member.
fn below<'p, 'n>(path: &'p [&'n str], name: &str) -> Vec<&'p [&'n str]> {
    match path.split_first() {
        Some((&"**", rest)) => {
            let mut left = vec![path];
            left.extend(below(rest, name));
            left
        }
        Some((step, rest)) if *step == "*" || *step == name => vec![rest],
        _ => Vec::new(),
    }
}

/// The answer to a single document.
pub(super) fn item(outcome: &Outcome, report: &Report) -> Response<Body> {
    let items = judged(outcome, report);
    let Some(item) = items.first() else { return error(StatusCode::BAD_REQUEST, "parse_exception", "request body is required") };
    match &item.fault {
        Some(fault) => error(StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST), fault.kind, &fault.reason),
        None => {
            let mut body = shown(item);
            if let Some(members) = body.as_object_mut() {
                members.remove("status");
            }
            json(StatusCode::CREATED, &body)
        }
    }
}

/// The answer to a request that is refused as a whole for what it says.
pub(super) fn fault(fault: &Fault) -> Response<Body> {
    error(StatusCode::BAD_REQUEST, fault.kind, &fault.reason)
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    // Clients repeat 429 and nothing else by default.
    let (status, kind) = match refusal.error.kind() {
        ErrorKind::Limit | ErrorKind::Unavailable | ErrorKind::Timeout => (StatusCode::TOO_MANY_REQUESTS, "es_rejected_execution_exception"),
        ErrorKind::TooLarge => (refusal.status, "content_too_long_exception"),
        ErrorKind::Corrupt | ErrorKind::Internal | ErrorKind::Canceled => (StatusCode::SERVICE_UNAVAILABLE, "unavailable_shards_exception"),
        _ => (refusal.status, "parse_exception"),
    };
    let mut response = error(status, kind, refusal.message());
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// An exception.
pub(super) fn error(status: StatusCode, kind: &str, reason: &str) -> Response<Body> {
    let cause = object!({"type": kind, "reason": reason});
    json(status, &object!({"error": {"root_cause": [cause], "type": kind, "reason": reason}, "status": status.as_u16()}))
}

/// Any JSON.
pub(super) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
