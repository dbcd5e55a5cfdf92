//! OTLP's JSON as traces, for `POST /api/transform`.

use std::collections::HashMap;
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result, SpanId, TraceId};
use signalbox_proto::otlp::common::v1::any_value::Value;
use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::trace::v1::span::{Event, Link};
use signalbox_proto::otlp::trace::v1::{Span as OtlpSpan, TracesData};
use signalbox_query::rows::{Attributes, Resource, Scope, Span, SpanEvent, SpanLink};
use signalbox_query::traceql::Trace;

const SERVICE_NAME: &str = "service.name";

/// Traces in the order of their first spans.
///
/// # Errors
/// `Invalid` if the text is no OTLP, or a span has no identifiers.
pub(super) fn traces(json: &[u8]) -> Result<Vec<Trace>> {
    let sent: TracesData = serde_json::from_slice(json).map_err(|error| Error::invalid(format!("cannot unmarshal OTLP: {error}")))?;
    let mut traces: Vec<Trace> = Vec::new();
    let mut place_of: HashMap<TraceId, usize> = HashMap::new();
    for of_resource in sent.resource_spans {
        let of = of_resource.resource.unwrap_or_default();
        let resource = Arc::new(Resource {
            attributes: attributes(of.attributes),
            schema_url: of_resource.schema_url,
            dropped_attributes_count: of.dropped_attributes_count,
        });
        for of_scope in of_resource.scope_spans {
            let of = of_scope.scope.unwrap_or_default();
            let scope = Arc::new(Scope {
                name: of.name,
                version: of.version,
                attributes: attributes(of.attributes),
                schema_url: of_scope.schema_url,
                dropped_attributes_count: of.dropped_attributes_count,
            });
            for sent in of_scope.spans {
                let span = span(sent, &resource, &scope)?;
                let place = *place_of.entry(span.trace_id).or_insert_with(|| {
                    traces.push(Trace { trace_id: span.trace_id, spans: Vec::new() });
                    traces.len() - 1
                });
                traces[place].spans.push(span);
            }
        }
    }
    Ok(traces)
}

fn span(sent: OtlpSpan, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span> {
    let trace_id = TraceId::from_slice(&sent.trace_id).ok_or_else(|| Error::invalid("cannot unmarshal OTLP: a span has no trace ID of 16 bytes"))?;
    let span_id = SpanId::from_slice(&sent.span_id).ok_or_else(|| Error::invalid("cannot unmarshal OTLP: a span has no span ID of 8 bytes"))?;
    let status = sent.status.unwrap_or_default();
    Ok(Span {
        trace_id,
        span_id: Some(span_id),
        parent_span_id: SpanId::from_slice(&sent.parent_span_id),
        start_ns: sent.start_time_unix_nano.cast_signed(),
        duration_ns: sent.end_time_unix_nano.wrapping_sub(sent.start_time_unix_nano).cast_signed(),
        service: resource.get(SERVICE_NAME).map(AttributeValue::to_text).unwrap_or_default(),
        name: sent.name,
        kind: sent.kind,
        status_code: status.code,
        status_message: status.message,
        trace_state: sent.trace_state,
        flags: sent.flags,
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        attributes: attributes(sent.attributes),
        events: sent.events.into_iter().map(event).collect(),
        links: sent.links.into_iter().map(link).collect(),
        dropped_attributes_count: sent.dropped_attributes_count,
        dropped_events_count: sent.dropped_events_count,
        dropped_links_count: sent.dropped_links_count,
    })
}

fn event(sent: Event) -> SpanEvent {
    SpanEvent {
        timestamp_ns: sent.time_unix_nano.cast_signed(),
        name: sent.name,
        attributes: attributes(sent.attributes),
        dropped_attributes_count: sent.dropped_attributes_count,
    }
}

fn link(sent: Link) -> SpanLink {
    SpanLink {
        trace_id: TraceId::from_slice(&sent.trace_id),
        span_id: SpanId::from_slice(&sent.span_id),
        trace_state: sent.trace_state,
        flags: sent.flags,
        attributes: attributes(sent.attributes),
        dropped_attributes_count: sent.dropped_attributes_count,
    }
}

/// Attributes of OTLP.
pub(super) fn attributes(sent: Vec<KeyValue>) -> Attributes {
    sent.into_iter().map(|sent| (sent.key, sent.value.map_or(AttributeValue::Empty, attribute_value))).collect()
}

fn attribute_value(sent: AnyValue) -> AttributeValue {
    match sent.value {
        Some(Value::StringValue(text)) => AttributeValue::String(text),
        Some(Value::BoolValue(value)) => AttributeValue::Bool(value),
        Some(Value::IntValue(value)) => AttributeValue::Int(value),
        Some(Value::DoubleValue(value)) => AttributeValue::Double(value),
        Some(Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(Value::ArrayValue(items)) => AttributeValue::Array(items.values.into_iter().map(attribute_value).collect()),
        Some(Value::KvlistValue(entries)) => AttributeValue::Map(attributes(entries.values)),
        _ => AttributeValue::Empty,
    }
}
