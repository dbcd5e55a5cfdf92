//! What there is to search for: services, operations, calls between services.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_lang::traceql::KIND_WORDS;
use signalbox_model::{Error, Result};

use super::params::dependency_range;
use super::render::{Refusal, structured};
use super::{shown_service, stored_service};
use crate::ApiState;
use crate::http::{Asker, Params};

/// `GET /api/services`
pub(super) async fn services(State(state): State<ApiState>, Asker(tenant): Asker) -> Result<Response, Refusal> {
    let services = state.engine.services(&tenant).await?;
    let names: Vec<Value> = services.iter().map(|service| json!(shown_service(service))).collect();
    let total = names.len();
    Ok(structured(names, total))
}

/// `GET /api/services/{service}/operations`
pub(super) async fn operation_names(State(state): State<ApiState>, Asker(tenant): Asker, Path(service): Path<String>) -> Result<Response, Refusal> {
    let operations = state.engine.operations(&tenant, stored_service(&service)).await?;
    let mut names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    names.dedup();
    let total = names.len();
    Ok(structured(names.into_iter().map(Value::from).collect(), total))
}

/// `GET /api/operations?service=&spanKind=`
pub(super) async fn operations(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let service = params.get("service").ok_or_else(|| Error::invalid("parameter 'service' is required"))?;
    let kind_word = |kind: i32| match kind {
        0 => "",
        kind => usize::try_from(kind).ok().and_then(|kind| KIND_WORDS.get(kind).copied()).unwrap_or(""),
    };
    let wanted = params.get("spanKind");
    let operations = state.engine.operations(&tenant, stored_service(service)).await?;
    let of_kind = operations.iter().filter(|operation| wanted.is_none_or(|wanted| kind_word(operation.kind) == wanted));
    let found: Vec<Value> = of_kind.map(|operation| json!({ "name": operation.name, "spanKind": kind_word(operation.kind) })).collect();
    let total = found.len();
    Ok(structured(found, total))
}

/// `GET /api/dependencies?endTs=&lookback=`
pub(super) async fn dependencies(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let range = dependency_range(&params, state.engine.clock().now_ns())?;
    let calls = state.engine.dependencies(&tenant, range).await?;
    let call = |call: &signalbox_query::traceql::Dependency| json!({ "parent": shown_service(&call.parent), "child": shown_service(&call.child), "callCount": call.calls });
    Ok(structured(calls.iter().map(call).collect(), 0))
}
