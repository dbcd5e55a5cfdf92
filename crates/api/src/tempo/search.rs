//! Search: summaries of traces, and the spans that fit.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use signalbox_lang::traceql::{AttributeScope, Condition, Field, KIND_WORDS, STATUS_WORDS};
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::Span;
use signalbox_query::traceql::FoundTrace;

use super::params::{self, Refusal};
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::otlp::key_value;

/// What Tempo shows while the root is not there.
const ROOT_MISSING: &str = "<root span not yet received>";

/// `GET /api/search`
pub(super) async fn search(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let query = params::search(&params)?;
    let mut fields = Vec::new();
    if let Some(condition) = &query.search.filter.condition {
        collect_fields(condition, &mut fields);
    }
    let found = state.engine.search_traces(&tenant, query.search).await?;
    let spans: usize = found.iter().map(|found| found.trace.spans.len()).sum();
    let traces: Vec<Value> = found.iter().map(|found| summary(found, query.spans_per_trace, &fields)).collect();
    Ok(axum::Json(json!({ "traces": traces, "metrics": { "inspectedTraces": found.len(), "inspectedSpans": spans.to_string() } })).into_response())
}

fn collect_fields(condition: &Condition, fields: &mut Vec<Field>) {
    match condition {
        Condition::And(left, right) | Condition::Or(left, right) => {
            collect_fields(left, fields);
            collect_fields(right, fields);
        }
        Condition::Compare(comparison) if !fields.contains(&comparison.field) => fields.push(comparison.field.clone()),
        Condition::Compare(_) | Condition::Constant(_) => {}
    }
}

fn summary(found: &FoundTrace, spans_per_trace: usize, fields: &[Field]) -> Value {
    let trace = &found.trace;
    let root = trace.root();
    let spans: Vec<Value> = found.matched.iter().take(spans_per_trace).map(|index| span_json(&trace.spans[*index], fields)).collect();
    let span_set = json!({ "spans": spans, "matched": found.matched.len() });
    let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for span in &trace.spans {
        let (count, errors) = services.entry(&span.service).or_default();
        *count += 1;
        *errors += u64::from(span.status_code == 2);
    }
    let service_stats: Map<String, Value> = services
        .into_iter()
        .map(|(service, (count, errors))| {
            let stats = if errors > 0 { json!({ "spanCount": count, "errorCount": errors }) } else { json!({ "spanCount": count }) };
            (service.to_owned(), stats)
        })
        .collect();
    json!({
        "traceID": trace.trace_id.to_string(),
        "rootServiceName": root.map_or(ROOT_MISSING, |root| root.service.as_str()),
        "rootTraceName": root.map_or("", |root| root.name.as_str()),
        "startTimeUnixNano": trace.start_ns().to_string(),
        "durationMs": trace.duration_ns() / 1_000_000,
        "spanSet": span_set.clone(),
        "spanSets": [span_set],
        "serviceStats": service_stats,
    })
}

/// A span with those of its fields that the query names.
fn span_json(span: &Span, fields: &[Field]) -> Value {
    let attributes: Vec<Value> = fields.iter().filter_map(|field| field_value(span, field)).map(|(name, value)| json!(key_value(&name, &value))).collect();
    json!({
        "spanID": span.span_id.map(|id| id.to_string()).unwrap_or_default(),
        "name": span.name,
        "startTimeUnixNano": span.start_ns.to_string(),
        "durationNanos": span.duration_ns.to_string(),
        "attributes": attributes,
    })
}

fn field_value(span: &Span, field: &Field) -> Option<(String, AttributeValue)> {
    let word = |words: &[&str], code: i32| usize::try_from(code).ok().and_then(|code| words.get(code)).map(|word| AttributeValue::String((*word).to_owned()));
    match field {
        // A span says its name and duration anyway.
        Field::Name | Field::Duration => None,
        Field::Status => Some(("status".to_owned(), word(&STATUS_WORDS, span.status_code)?)),
        Field::StatusMessage => Some(("statusMessage".to_owned(), AttributeValue::String(span.status_message.clone()))),
        Field::Kind => Some(("kind".to_owned(), word(&KIND_WORDS, span.kind)?)),
        Field::Attribute(scope, name) => {
            let own = span.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            let value = match scope {
                AttributeScope::Span => own,
                AttributeScope::Resource => span.resource.get(name),
                AttributeScope::Any => own.or_else(|| span.resource.get(name)),
            };
            Some((name.clone(), value?.clone()))
        }
    }
}
