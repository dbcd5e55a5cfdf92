//! Answers in Jaeger's JSON.

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use signalbox_lang::traceql::KIND_WORDS;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, ErrorKind};
use signalbox_query::rows::{Attributes, Resource, Span, SpanEvent};
use signalbox_query::traceql::Trace;

use super::shown_service;
use crate::http::status;

/// Beyond this JavaScript rounds integers; Jaeger sends them as text.
const EXACT_MAX: u64 = (1 << 53) - 1;
const SERVICE_NAME: &str = "service.name";

/// A refusal in the envelope of all answers.
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = status(&self.0);
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a trace query: {}", self.0);
        }
        let errors = json!([{ "code": code.as_u16(), "msg": self.0.message() }]);
        (code, axum::Json(json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors }))).into_response()
    }
}

/// The envelope of all answers.
pub(super) fn structured(data: Vec<Value>, total: usize) -> Response {
    axum::Json(json!({ "data": data, "total": total, "limit": 0, "offset": 0, "errors": null })).into_response()
}

/// A trace with its table of processes.
pub(super) fn trace_json(trace: &Trace) -> Value {
    let mut processes: Vec<(&str, &Resource)> = Vec::new();
    let mut spans = Vec::with_capacity(trace.spans.len());
    for span in &trace.spans {
        let known = processes.iter().position(|(service, resource)| *service == span.service && **resource == *span.resource);
        let position = known.unwrap_or_else(|| {
            processes.push((&span.service, &span.resource));
            processes.len() - 1
        });
        spans.push(span_json(span, &format!("p{}", position + 1)));
    }
    let table: Map<String, Value> =
        processes.iter().enumerate().map(|(position, (service, resource))| (format!("p{}", position + 1), process_json(service, resource))).collect();
    json!({ "traceID": trace.trace_id.to_string(), "spans": spans, "processes": table, "warnings": null })
}

fn process_json(service: &str, resource: &Resource) -> Value {
    let mut tags: Vec<Value> = resource.attributes.iter().filter(|(key, _)| key != SERVICE_NAME).map(|(key, value)| tag(key, value)).collect();
    push_text(&mut tags, "otel.resource.schema_url", &resource.schema_url);
    push_count(&mut tags, "otel.resource.dropped_attributes_count", resource.dropped_attributes_count);
    json!({ "serviceName": shown_service(service), "tags": tags })
}

fn span_json(span: &Span, process: &str) -> Value {
    let trace_id = span.trace_id.to_string();
    let mut references = Vec::new();
    if let Some(parent) = span.parent_span_id {
        references.push(json!({ "refType": "CHILD_OF", "traceID": trace_id, "spanID": parent.to_string() }));
    }
    for link in &span.links {
        let is_child = link.attributes.iter().any(|(key, value)| key == "opentracing.ref_type" && value.to_text() == "child_of");
        let (trace_id, span_id) = (link.trace_id.map(|id| id.to_string()), link.span_id.map(|id| id.to_string()));
        let kind = if is_child { "CHILD_OF" } else { "FOLLOWS_FROM" };
        references.push(json!({ "refType": kind, "traceID": trace_id.unwrap_or_default(), "spanID": span_id.unwrap_or_default() }));
    }
    let warnings = if span.duration_ns < 0 { json!(["the span ends before it starts"]) } else { Value::Null };
    json!({
        "traceID": trace_id,
        "spanID": span.span_id.map(|id| id.to_string()).unwrap_or_default(),
        "flags": span.flags,
        "operationName": span.name,
        "references": references,
        "startTime": span.start_ns.div_euclid(1_000),
        "duration": span.duration_ns.max(0) / 1_000,
        "tags": span_tags(span),
        "logs": span.events.iter().map(log_json).collect::<Vec<_>>(),
        "processID": process,
        "warnings": warnings,
    })
}

fn span_tags(span: &Span) -> Vec<Value> {
    let mut tags = tags(&span.attributes);
    push_text(&mut tags, "otel.scope.name", &span.scope.name);
    push_text(&mut tags, "otel.scope.version", &span.scope.version);
    push_text(&mut tags, "otel.scope.schema_url", &span.scope.schema_url);
    push_count(&mut tags, "otel.scope.dropped_attributes_count", span.scope.dropped_attributes_count);
    tags.extend(span.scope.attributes.iter().map(|(key, value)| tag(&format!("otel.scope.{key}"), value)));
    if span.kind != 0 {
        let word = usize::try_from(span.kind).ok().and_then(|kind| KIND_WORDS.get(kind).copied()).unwrap_or("unspecified");
        push_text(&mut tags, "span.kind", word);
    }
    match span.status_code {
        1 => push_text(&mut tags, "otel.status_code", "OK"),
        2 => {
            push_text(&mut tags, "otel.status_code", "ERROR");
            // Where the source says itself whether this is an error, it knows better.
            if !span.attributes.iter().any(|(key, _)| key == "error") {
                tags.push(tag("error", &AttributeValue::Bool(true)));
            }
        }
        _ => {}
    }
    push_text(&mut tags, "otel.status_description", &span.status_message);
    push_text(&mut tags, "w3c.tracestate", &span.trace_state);
    push_count(&mut tags, "otel.dropped_attributes_count", span.dropped_attributes_count);
    push_count(&mut tags, "otel.dropped_events_count", span.dropped_events_count);
    push_count(&mut tags, "otel.dropped_links_count", span.dropped_links_count);
    tags
}

fn log_json(event: &SpanEvent) -> Value {
    let mut fields = Vec::new();
    if !event.attributes.iter().any(|(key, _)| key == "event") {
        push_text(&mut fields, "event", &event.name);
    }
    fields.extend(tags(&event.attributes));
    push_count(&mut fields, "otel.dropped_attributes_count", event.dropped_attributes_count);
    json!({ "timestamp": event.timestamp_ns.div_euclid(1_000), "fields": fields })
}

fn tags(attributes: &Attributes) -> Vec<Value> {
    attributes.iter().map(|(key, value)| tag(key, value)).collect()
}

fn push_text(tags: &mut Vec<Value>, key: &str, text: &str) {
    if !text.is_empty() {
        tags.push(tag(key, &AttributeValue::String(text.to_owned())));
    }
}

fn push_count(tags: &mut Vec<Value>, key: &str, count: u32) {
    if count > 0 {
        tags.push(tag(key, &AttributeValue::Int(i64::from(count))));
    }
}

fn tag(key: &str, value: &AttributeValue) -> Value {
    let (kind, value) = match value {
        AttributeValue::Bool(value) => ("bool", json!(value)),
        AttributeValue::Int(value) if value.unsigned_abs() <= EXACT_MAX => ("int64", json!(value)),
        AttributeValue::Int(value) => ("int64", json!(value.to_string())),
        AttributeValue::Double(value) if value.is_finite() => ("float64", json!(value)),
        AttributeValue::Double(_) => ("float64", json!(value.to_text())),
        // Base64, as Go writes bytes.
        AttributeValue::Bytes(_) => ("binary", json!(value.to_text())),
        AttributeValue::String(text) => ("string", json!(text)),
        AttributeValue::Array(_) | AttributeValue::Map(_) | AttributeValue::Empty => ("string", json!(value.to_text())),
    };
    json!({ "key": key, "type": kind, "value": value })
}
