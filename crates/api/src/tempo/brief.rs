//! `application/vnd.grafana.llm`: traces and values as short as a language model wants them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use signalbox_proto::otlp::common::v1::any_value::Value as Any;
use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::trace::v1::span::{Event, Link};
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span};
use signalbox_proto::tempo::{PartialStatus, SearchTagValuesV2Response, TraceByIdResponse};

use super::json::{Object, kind, status_code};

const SERVICE_NAME: &str = "service.name";

/// A trace: services with their scopes and spans, attributes as plain values.
pub(super) fn trace(answer: &TraceByIdResponse) -> Value {
    let resources = answer.trace.as_ref().map(|trace| trace.resource_spans.as_slice()).unwrap_or_default();
    let first = resources.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).next();
    let Some(first) = first else { return json!({}) };
    let services: Vec<Value> = resources.iter().map(service).collect();
    let status = if answer.status == PartialStatus::Partial as i32 { "PARTIAL" } else { "COMPLETE" };
    let object = Object::default().with("trace", json!({ "traceId": hex::encode(&first.trace_id), "services": services }));
    object.with("status", status.into()).text("message", &answer.message).done()
}

/// Values by type.
pub(super) fn tag_values(answer: &SearchTagValuesV2Response) -> Value {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for value in &answer.tag_values {
        by_type.entry(&value.r#type).or_default().push(&value.value);
    }
    json!({ "tagValues": by_type })
}

fn service(spans: &ResourceSpans) -> Value {
    let mut attributes = plain(spans.resource.as_ref().map(|resource| resource.attributes.as_slice()).unwrap_or_default());
    let name = match attributes.get(SERVICE_NAME) {
        Some(Value::String(name)) => name.clone(),
        _ => String::new(),
    };
    attributes.remove(SERVICE_NAME);
    let object = Object::default().text("serviceName", &name);
    let object = if attributes.is_empty() { object } else { object.with("resource", Value::Object(attributes)) };
    object.list("scopes", &spans.scope_spans, scope).done()
}

fn scope(spans: &ScopeSpans) -> Value {
    let object = spans.scope.iter().fold(Object::default(), |object, scope| object.text("name", &scope.name).text("version", &scope.version));
    object.list("spans", &spans.spans, span).done()
}

fn span(span: &Span) -> Value {
    let object = Object::default().with("spanId", hex::encode(&span.span_id).into()).with("name", span.name.as_str().into());
    let object = object.text("parentSpanId", &hex::encode(&span.parent_span_id));
    let object = if span.kind == 0 { object } else { object.with("kind", kind(span.kind).into()) };
    let (start_ns, end_ns) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let object = object.text("startTimeUnixNano", &nanoseconds(start_ns)).text("endTimeUnixNano", &nanoseconds(end_ns));
    let duration_ns = end_ns.saturating_sub(start_ns);
    let object = if duration_ns == 0 { object } else { object.with("durationMs", json!(duration_ns as f64 / 1e6)) };
    let object = described(object, &span.attributes).list("events", &span.events, event).list("links", &span.links, link);
    let (code, message) = span.status.as_ref().map_or((0, ""), |status| (status.code, status.message.as_str()));
    object.with("status", json!({ "code": status_code(code), "message": if code == 0 { "" } else { message } })).done()
}

fn event(event: &Event) -> Value {
    let object = Object::default().with("name", event.name.as_str().into()).text("timeUnixNano", &nanoseconds(event.time_unix_nano));
    described(object, &event.attributes).done()
}

fn link(link: &Link) -> Value {
    let object = Object::default().with("traceId", hex::encode(&link.trace_id).into()).with("spanId", hex::encode(&link.span_id).into());
    described(object, &link.attributes).done()
}

fn described(object: Object, attributes: &[KeyValue]) -> Object {
    if attributes.is_empty() { object } else { object.with("attributes", Value::Object(plain(attributes))) }
}

fn nanoseconds(instant_ns: u64) -> String {
    if instant_ns == 0 { String::new() } else { instant_ns.to_string() }
}

fn plain(attributes: &[KeyValue]) -> Map<String, Value> {
    attributes.iter().map(|pair| (pair.key.clone(), plain_value(pair.value.as_ref()))).collect()
}

fn plain_value(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.as_str().into(),
        Some(Any::BoolValue(truth)) => (*truth).into(),
        Some(Any::IntValue(integer)) => (*integer).into(),
        Some(Any::DoubleValue(float)) => json!(float),
        Some(Any::BytesValue(bytes)) => hex::encode(bytes).into(),
        Some(Any::ArrayValue(array)) => array.values.iter().map(|value| plain_value(Some(value))).collect(),
        Some(Any::KvlistValue(map)) => Value::Object(plain(&map.values)),
        _ => Value::Null,
    }
}
