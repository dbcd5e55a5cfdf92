//! What there is to search for: services, names of spans, peers, tags, calls between services.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use signalbox_lang::traceql::tree::{Attribute, CompareOp, MetricsExpr, MetricsFunction, Pipeline, Query, Root, Scope, SpansetExpr, Stage, Static};
use signalbox_model::TimeRange;
use signalbox_query::traceql::{MetricsRequest, TagNamesRequest, TagValuesRequest};

use super::endpoint::PEER_NAMES;
use super::params::{Refusal, range, recent, required};
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::trace_search::compare;

/// Values of one attribute that are listed.
const VALUES_MAX: usize = 10_000;

/// `GET /api/v2/services`
pub(super) async fn services(State(state): State<ApiState>, Asker(tenant): Asker) -> Result<Json<Vec<String>>, Refusal> {
    let services = state.engine.services(&tenant).await?;
    Ok(Json(services.into_iter().filter(|service| !service.is_empty()).collect()))
}

/// `GET /api/v2/spans?serviceName=`
pub(super) async fn span_names(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<BTreeSet<String>>, Refusal> {
    let operations = state.engine.operations(&tenant, required(&params, "serviceName")?).await?;
    Ok(Json(operations.into_iter().map(|operation| operation.name).filter(|name| !name.is_empty()).collect()))
}

/// `GET /api/v2/remoteServices?serviceName=`: who the spans of a service had at their other end.
pub(super) async fn remote_services(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<BTreeSet<String>>, Refusal> {
    let service = required(&params, "serviceName")?;
    let range = recent(state.engine.clock().now_ns());
    let mut names = BTreeSet::new();
    for key in PEER_NAMES {
        let answer = state.engine.traceql_metrics(&tenant, counts_by(service, key, range)).await?;
        let text = |labels: Vec<(String, Static)>| match labels.into_iter().next() {
            Some((_, Static::Text(name))) if !name.is_empty() => Some(name),
            _ => None,
        };
        names.extend(answer.series.into_iter().filter_map(|series| text(series.labels)));
    }
    Ok(Json(names))
}

/// How many spans of a service have each value of an attribute.
fn counts_by(service: &str, key: &str, range: TimeRange) -> MetricsRequest {
    let attribute = |scope: Scope, key: &str| Attribute::Named(scope, key.to_owned());
    let of_service = compare(attribute(Scope::Resource, "service.name"), CompareOp::Equal, Static::Text(service.to_owned()));
    let stages = vec![Stage::Spanset(SpansetExpr::Filter(Some(of_service)))];
    let function = MetricsFunction::CountOverTime { by: vec![attribute(Scope::Span, key)] };
    MetricsRequest {
        query: Query { root: Root::Metrics(MetricsExpr::Spans { pipeline: Pipeline { stages }, function }), hints: Vec::new() },
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        step_ns: range.end_ns.saturating_sub(range.start_ns).max(1),
        exemplars_max: 0,
    }
}

/// `GET /api/v2/autocompleteKeys`: Zipkin lists what was configured; here it is what spans have.
pub(super) async fn keys(State(state): State<ApiState>, Asker(tenant): Asker) -> Result<Json<BTreeSet<String>>, Refusal> {
    let range = recent(state.engine.clock().now_ns());
    let request = TagNamesRequest { scopes: vec![Scope::Span], range, query: None };
    let mut names = state.engine.traceql_tag_names(&tenant, request).await?;
    Ok(Json(names.remove(&Scope::Span).unwrap_or_default()))
}

/// `GET /api/v2/autocompleteValues?key=`
pub(super) async fn values(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<Vec<String>>, Refusal> {
    let range = recent(state.engine.clock().now_ns());
    let attribute = Attribute::Named(Scope::Span, required(&params, "key")?.to_owned());
    let request = TagValuesRequest { attribute, range, query: None, limit: VALUES_MAX };
    let found = state.engine.traceql_tag_values(&tenant, request).await?;
    let text = |value: &Static| if let Static::Text(text) = value { text.clone() } else { value.to_string() };
    Ok(Json(found.values.iter().map(text).collect()))
}

/// Calls of one service by another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    parent: String,
    child: String,
    call_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    error_count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// `GET /api/v2/dependencies?endTs=&lookback=`
pub(super) async fn dependencies(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<Vec<Link>>, Refusal> {
    required(&params, "endTs")?;
    let calls = state.engine.dependencies(&tenant, range(&params, state.engine.clock().now_ns())?).await?;
    // A service without a name is no node of the graph.
    let named = calls.into_iter().filter(|call| !call.parent.is_empty() && !call.child.is_empty());
    Ok(Json(named.map(|call| Link { parent: call.parent, child: call.child, call_count: call.calls, error_count: call.errors }).collect()))
}
