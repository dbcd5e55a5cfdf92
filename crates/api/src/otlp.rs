//! A trace back as OTLP, every field: for the dialects that answer with it.

use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_proto::otlp::common::v1::any_value::Value;
use signalbox_proto::otlp::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use signalbox_proto::otlp::resource::v1::Resource as OtlpResource;
use signalbox_proto::otlp::trace::v1::span::{Event, Link};
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status, TracesData};
use signalbox_query::rows::{Attributes, Resource, Scope, Span};
use signalbox_query::traceql::Trace;

/// Spans of one scope.
type ScopeGroup = (Arc<Scope>, Vec<OtlpSpan>);

/// The spans of a trace by resource and scope, in the order of their first spans. Spans of one resource share it: comparing what
/// resources say would take as long as the trace is large.
pub(crate) fn traces_data(trace: &Trace) -> TracesData {
    let mut groups: Vec<(Arc<Resource>, Vec<ScopeGroup>)> = Vec::new();
    for span in &trace.spans {
        let resource = groups.iter().position(|(resource, _)| Arc::ptr_eq(resource, &span.resource)).unwrap_or_else(|| {
            groups.push((Arc::clone(&span.resource), Vec::new()));
            groups.len() - 1
        });
        let scopes = &mut groups[resource].1;
        let scope = scopes.iter().position(|(scope, _)| Arc::ptr_eq(scope, &span.scope)).unwrap_or_else(|| {
            scopes.push((Arc::clone(&span.scope), Vec::new()));
            scopes.len() - 1
        });
        scopes[scope].1.push(otlp_span(span));
    }
    let scope_spans = |(scope, spans): ScopeGroup| ScopeSpans {
        scope: Some(InstrumentationScope {
            name: scope.name.clone(),
            version: scope.version.clone(),
            attributes: key_values(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes_count,
        }),
        spans,
        schema_url: scope.schema_url.clone(),
    };
    let resource_spans = groups.into_iter().map(|(resource, scopes)| ResourceSpans {
        resource: Some(OtlpResource {
            attributes: key_values(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes_count,
            entity_refs: Vec::new(),
        }),
        scope_spans: scopes.into_iter().map(scope_spans).collect(),
        schema_url: resource.schema_url.clone(),
    });
    TracesData { resource_spans: resource_spans.collect() }
}

fn otlp_span(span: &Span) -> OtlpSpan {
    let events = span.events.iter().map(|event| Event {
        time_unix_nano: event.timestamp_ns.cast_unsigned(),
        name: event.name.clone(),
        attributes: key_values(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    });
    let links = span.links.iter().map(|link| Link {
        trace_id: link.trace_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        span_id: link.span_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        trace_state: link.trace_state.clone(),
        attributes: key_values(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    });
    OtlpSpan {
        trace_id: span.trace_id.as_bytes().to_vec(),
        span_id: span.span_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start_ns.cast_unsigned(),
        end_time_unix_nano: span.end_ns().cast_unsigned(),
        attributes: key_values(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: events.collect(),
        dropped_events_count: span.dropped_events_count,
        links: links.collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(Status { message: span.status_message.clone(), code: span.status_code }),
    }
}

/// Attributes as OTLP.
pub(crate) fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| key_value(key, value)).collect()
}

/// One attribute as OTLP.
pub(crate) fn key_value(key: &str, value: &AttributeValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any_value(value)), key_strindex: 0 }
}

fn any_value(value: &AttributeValue) -> AnyValue {
    let value = match value {
        AttributeValue::String(text) => Value::StringValue(text.clone()),
        AttributeValue::Bool(value) => Value::BoolValue(*value),
        AttributeValue::Int(value) => Value::IntValue(*value),
        AttributeValue::Double(value) => Value::DoubleValue(*value),
        AttributeValue::Bytes(bytes) => Value::BytesValue(bytes.clone()),
        AttributeValue::Array(items) => Value::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() }),
        AttributeValue::Map(entries) => Value::KvlistValue(KeyValueList { values: key_values(entries) }),
        AttributeValue::Empty => return AnyValue { value: None },
    };
    AnyValue { value: Some(value) }
}
