//! What there is to search for: services, operations, calls between services.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use signalbox_lang::traceql::KIND_WORDS;
use signalbox_model::{Error, Result, Tenant};
use signalbox_query::Engine;

use super::answer::{Refusal, Structured};
use super::params::millis_range;
use super::{shown_service, stored_service};
use crate::ApiState;
use crate::http::{Asker, Params};

const DAY_MS: i64 = 24 * 3_600_000;

/// Name and kind of spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OperationJson {
    pub(super) name: String,
    #[serde(rename = "spanKind")]
    pub(super) span_kind: &'static str,
}

/// Services that have spans, by name.
///
/// # Errors
/// Of the engine.
pub(super) async fn service_names(engine: &Engine, tenant: &Tenant) -> Result<Vec<String>> {
    Ok(engine.services(tenant).await?.iter().map(|service| shown_service(service).to_owned()).collect())
}

/// Operations of a service, of one kind if `kind` is not empty.
///
/// # Errors
/// Of the engine.
pub(super) async fn operations_of(engine: &Engine, tenant: &Tenant, service: &str, kind: &str) -> Result<Vec<OperationJson>> {
    let word = |kind: i32| match kind {
        0 => "",
        kind => usize::try_from(kind).ok().and_then(|kind| KIND_WORDS.get(kind).copied()).unwrap_or(""),
    };
    let operations = engine.operations(tenant, stored_service(service)).await?;
    let shown = operations.into_iter().map(|operation| OperationJson { name: operation.name, span_kind: word(operation.kind) });
    Ok(shown.filter(|operation| kind.is_empty() || operation.span_kind.eq_ignore_ascii_case(kind)).collect())
}

/// `GET /api/services`
pub(super) async fn services(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let names = service_names(&state.engine, &tenant).await?;
    let total = names.len();
    Ok(Structured::counted(names, total).respond(&params))
}

/// `GET /api/services/{service}/operations`
pub(super) async fn operation_names(
    State(state): State<ApiState>,
    Asker(tenant): Asker,
    Path(service): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let operations = operations_of(&state.engine, &tenant, &service, params.get("spanKind").unwrap_or("")).await?;
    let mut names: Vec<String> = operations.into_iter().map(|operation| operation.name).collect();
    names.dedup();
    let total = names.len();
    Ok(Structured::counted(names, total).respond(&params))
}

/// `GET /api/operations?service=&spanKind=`
pub(super) async fn operations(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let service = params.get("service").ok_or_else(|| Error::invalid("parameter 'service' is required"))?;
    let found = operations_of(&state.engine, &tenant, service, params.get("spanKind").unwrap_or("")).await?;
    let total = found.len();
    Ok(Structured::counted(found, total).respond(&params))
}

#[derive(Debug, Serialize)]
struct DependencyJson<'a> {
    parent: &'a str,
    child: &'a str,
    #[serde(rename = "callCount")]
    call_count: u64,
}

/// `GET /api/dependencies?endTs=&lookback=&service=`
pub(super) async fn dependencies(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let range = millis_range(&params, DAY_MS, state.engine.clock().now_ns())?;
    let calls = state.engine.dependencies(&tenant, range).await?;
    let shown = calls.iter().map(|call| DependencyJson { parent: shown_service(&call.parent), child: shown_service(&call.child), call_count: call.calls });
    let wanted = params.get("service");
    let of_service: Vec<DependencyJson<'_>> = shown.filter(|call| wanted.is_none_or(|wanted| call.parent == wanted || call.child == wanted)).collect();
    Ok(Structured::of(of_service).respond(&params))
}
