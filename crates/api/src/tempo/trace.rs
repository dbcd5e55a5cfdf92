//! A trace by its identifier, and who answers.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use prost::Message;
use serde_json::json;
use signalbox_model::{Error, ErrorKind, Result, Tenant};
use signalbox_proto::otlp::trace::v1::TracesData;

use super::params::{Refusal, trace_id};
use crate::ApiState;
use crate::http::Asker;
use crate::otlp::traces_data;

/// Answer of the second version: the trace below a field of its own. Its first field is wire-compatible with `tempopb.Trace`.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
}

/// `GET /api/traces/{id}`
pub(super) async fn v1(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Refusal> {
    let trace = find(&state, &tenant, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(protobuf(&trace));
    }
    Ok(axum::Json(json!({ "batches": trace.resource_spans })).into_response())
}

/// `GET /api/v2/traces/{id}`
pub(super) async fn v2(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Refusal> {
    let trace = find(&state, &tenant, &id).await?;
    if wants_protobuf(&headers) {
        return Ok(protobuf(&TraceByIdResponse { trace: Some(trace) }));
    }
    Ok(axum::Json(json!({ "trace": { "resourceSpans": trace.resource_spans }, "metrics": {} })).into_response())
}

async fn find(state: &ApiState, tenant: &Tenant, id: &str) -> Result<TracesData> {
    let trace = state.engine.trace(tenant, trace_id(id)?).await?;
    trace.map(|trace| traces_data(&trace)).ok_or_else(|| Error::new(ErrorKind::NotFound, "trace not found"))
}

fn wants_protobuf(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("application/protobuf"))
}

fn protobuf(message: &impl Message) -> Response {
    ([(CONTENT_TYPE, "application/protobuf")], message.encode_to_vec()).into_response()
}

/// `GET /api/echo`
pub(super) async fn echo() -> &'static str {
    "echo"
}

/// `GET /api/status/buildinfo`
pub(super) async fn build_info() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    axum::Json(json!({ "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" })).into_response()
}
