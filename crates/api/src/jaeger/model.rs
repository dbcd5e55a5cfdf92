//! Spans of OpenTelemetry in Jaeger's model, as Jaeger's own translation writes them.

use signalbox_lang::traceql::KIND_WORDS;
use signalbox_model::TraceId;
use signalbox_model::attributes::AttributeValue;
use signalbox_proto::google_rpc::{Duration, Timestamp};
use signalbox_proto::jaeger::model::{KeyValue, Log, Process, Span as JaegerSpan, SpanRef, SpanRefType, ValueType};
use signalbox_query::rows::{Attributes, Resource, Span, SpanEvent};

use super::adjust::ShownSpan;
use super::shown_service;

const SERVICE_NAME: &str = "service.name";
/// Sampled, debug, firehose: flags beyond the first byte are OTLP's own.
const FLAGS_MASK: u32 = 0xff;

/// A span without its process.
pub(super) fn span(shown: ShownSpan) -> JaegerSpan {
    let ShownSpan { span, warnings } = shown;
    JaegerSpan {
        trace_id: span.trace_id.as_bytes().to_vec(),
        span_id: span.span_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        references: references(&span),
        flags: span.flags & FLAGS_MASK,
        start_time: Some(Timestamp::from_ns(span.start_ns)),
        duration: Some(Duration::from_ns(span.duration_ns.max(0))),
        tags: span_tags(&span),
        logs: span.events.iter().map(log).collect(),
        operation_name: span.name,
        process: None,
        process_id: String::new(),
        warnings,
    }
}

/// Who sent the spans of a service.
pub(super) fn process(service: &str, resource: &Resource) -> Process {
    let mut tags: Vec<KeyValue> = resource.attributes.iter().filter(|(key, _)| key != SERVICE_NAME).map(|(key, value)| tag(key, value)).collect();
    push_text(&mut tags, "otel.resource.schema_url", &resource.schema_url);
    push_count(&mut tags, "otel.resource.dropped_attributes_count", resource.dropped_attributes_count);
    Process { service_name: shown_service(service).to_owned(), tags }
}

/// A trace identifier as Jaeger writes it: 16 digits where the upper half is zero.
pub(super) fn trace_id_text(bytes: &[u8]) -> String {
    match bytes {
        [0, 0, 0, 0, 0, 0, 0, 0, low @ ..] => hex::encode(low),
        other => hex::encode(other),
    }
}

/// [`trace_id_text`] of an identifier.
pub(super) fn trace_id(id: TraceId) -> String {
    trace_id_text(id.as_bytes())
}

/// The parent first, since many look only at the first.
fn references(span: &Span) -> Vec<SpanRef> {
    let mut references = Vec::with_capacity(span.links.len() + 1);
    if let Some(parent) = span.parent_span_id {
        let trace_id = span.trace_id.as_bytes().to_vec();
        references.push(SpanRef { trace_id, span_id: parent.as_bytes().to_vec(), ref_type: SpanRefType::ChildOf as i32 });
    }
    for link in &span.links {
        let is_child = link.attributes.iter().any(|(key, value)| key == "opentracing.ref_type" && value.to_text() == "child_of");
        references.push(SpanRef {
            trace_id: link.trace_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            span_id: link.span_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            ref_type: if is_child { SpanRefType::ChildOf } else { SpanRefType::FollowsFrom } as i32,
        });
    }
    references
}

fn span_tags(span: &Span) -> Vec<KeyValue> {
    let mut tags = Vec::with_capacity(span.attributes.len() + 6);
    push_text(&mut tags, "otel.scope.name", &span.scope.name);
    push_text(&mut tags, "otel.scope.version", &span.scope.version);
    push_text(&mut tags, "otel.scope.schema_url", &span.scope.schema_url);
    push_count(&mut tags, "otel.scope.dropped_attributes_count", span.scope.dropped_attributes_count);
    tags.extend(span.scope.attributes.iter().map(|(key, value)| tag(&format!("otel.scope.{key}"), value)));
    tags.extend(all_tags(&span.attributes));
    if span.kind != 0 {
        let word = usize::try_from(span.kind).ok().and_then(|kind| KIND_WORDS.get(kind).copied()).unwrap_or("unspecified");
        push_text(&mut tags, "span.kind", word);
    }
    match span.status_code {
        1 => push_text(&mut tags, "otel.status_code", "OK"),
        2 => {
            push_text(&mut tags, "otel.status_code", "ERROR");
            let error = AttributeValue::Bool(true);
            if !span.attributes.iter().any(|(key, value)| key == "error" && *value == error) {
                tags.push(tag("error", &error));
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

fn log(event: &SpanEvent) -> Log {
    let mut fields = Vec::with_capacity(event.attributes.len() + 1);
    if !event.attributes.iter().any(|(key, _)| key == "event") {
        push_text(&mut fields, "event", &event.name);
    }
    fields.extend(all_tags(&event.attributes));
    push_count(&mut fields, "otel.dropped_attributes_count", event.dropped_attributes_count);
    Log { timestamp: Some(Timestamp::from_ns(event.timestamp_ns)), fields }
}

fn all_tags(attributes: &Attributes) -> impl Iterator<Item = KeyValue> {
    attributes.iter().map(|(key, value)| tag(key, value))
}

fn push_text(tags: &mut Vec<KeyValue>, key: &str, text: &str) {
    if !text.is_empty() {
        tags.push(KeyValue { key: key.to_owned(), v_str: text.to_owned(), ..KeyValue::default() });
    }
}

fn push_count(tags: &mut Vec<KeyValue>, key: &str, count: u32) {
    if count > 0 {
        tags.push(tag(key, &AttributeValue::Int(i64::from(count))));
    }
}

/// Arrays and maps are their JSON.
fn tag(key: &str, value: &AttributeValue) -> KeyValue {
    let mut tag = KeyValue { key: key.to_owned(), ..KeyValue::default() };
    let of_type = match value {
        AttributeValue::Bool(value) => {
            tag.v_bool = *value;
            ValueType::Bool
        }
        AttributeValue::Int(value) => {
            tag.v_int64 = *value;
            ValueType::Int64
        }
        AttributeValue::Double(value) => {
            tag.v_float64 = *value;
            ValueType::Float64
        }
        AttributeValue::Bytes(bytes) => {
            tag.v_binary.clone_from(bytes);
            ValueType::Binary
        }
        AttributeValue::String(_) | AttributeValue::Array(_) | AttributeValue::Map(_) | AttributeValue::Empty => {
            tag.v_str = value.to_text();
            ValueType::String
        }
    };
    tag.set_v_type(of_type);
    tag
}
