//! One trace, span by span.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use signalbox_lang::traceql::STATUS_WORDS;
use signalbox_model::{Error, Result, Tenant};
use signalbox_query::rows::{Span, SpanEvent, SpanLink};
use signalbox_query::traceql::Trace;
use signalbox_query::traceql::forest::{Forest, Node};
use signalbox_query::traceql::skew::{self, Skew};

use super::{aside, doubts, find_by_id, kind, respond};
use crate::ApiState;
use crate::http::Asker;
use crate::native::search::attributes;

/// `/api/v1/traces/{trace_id}`
pub(crate) async fn trace(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>) -> Response {
    respond(answer(&state, &tenant, &id).await)
}

async fn answer(state: &ApiState, tenant: &Tenant, id: &str) -> Result<Value> {
    let invalid = || Error::invalid(format!("cannot find trace {id:?}: want up to 32 hexadecimal digits, not all 0"));
    let trace = find_by_id(state, tenant, signalbox_model::TraceId::from_hex(id).ok_or_else(invalid)?).await?;
    aside(move || told(&trace)).await
}

fn told(trace: &Trace) -> Value {
    let forest = Forest::of(trace);
    let skews = forest.skews();
    let spans: Vec<Value> = forest.nodes.iter().zip(&skews).map(|(node, skew)| span(node, *skew)).collect();
    json!({
        "trace_id": trace.trace_id.to_string(),
        "start_ns": trace.start_ns().to_string(),
        "duration_ns": trace.duration_ns(),
        "doubts": doubts(&forest.doubts),
        "warnings": skew::warning(&skews).into_iter().collect::<Vec<String>>(),
        "spans": spans,
    })
}

fn span(node: &Node<'_>, skew: Option<Skew>) -> Value {
    let span: &Span = node.span;
    let mut object = Map::new();
    let mut add = |name: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        };
        if !is_empty {
            object.insert(name.to_owned(), value);
        }
    };
    add("span_id", json!(span.span_id.map(|id| id.to_string())));
    add("parent_span_id", json!(span.parent_span_id.map(|id| id.to_string())));
    add("depth", json!(node.depth));
    add("service", json!(span.service));
    add("name", json!(span.name));
    add("kind", json!(kind(span.kind)));
    add("status", json!(usize::try_from(span.status_code).ok().and_then(|code| STATUS_WORDS.get(code)).unwrap_or(&"unset")));
    add("status_message", json!(span.status_message));
    add("start_ns", json!(span.start_ns.to_string()));
    add("duration_ns", json!(span.duration_ns));
    add("skew", skew.map_or(Value::Null, skew_json));
    add("attributes", attributes(&span.attributes));
    add("resource", attributes(&span.resource.attributes));
    add("scope", json!(span.scope.name));
    add("events", span.events.iter().map(event).collect());
    add("links", span.links.iter().map(link).collect());
    Value::Object(object)
}

fn skew_json(skew: Skew) -> Value {
    match skew {
        Skew::Before(ns) => json!({ "before_parent_ns": ns }),
        Skew::After(ns) => json!({ "after_parent_ns": ns }),
    }
}

fn event(event: &SpanEvent) -> Value {
    json!({ "timestamp_ns": event.timestamp_ns.to_string(), "name": event.name, "attributes": attributes(&event.attributes) })
}

fn link(link: &SpanLink) -> Value {
    let (trace_id, span_id) = (link.trace_id.map(|id| id.to_string()), link.span_id.map(|id| id.to_string()));
    json!({ "trace_id": trace_id, "span_id": span_id, "attributes": attributes(&link.attributes) })
}
