//! Whole traces: searched for, or by identifier.

use axum::extract::{Path, State};
use axum::response::Response;
use signalbox_model::{Error, ErrorKind};

use super::params::{TracesQuery, trace_id};
use super::render::{Refusal, structured, trace_json};
use crate::ApiState;
use crate::http::{Asker, Params};

/// `GET /api/traces`
pub(super) async fn search(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let mut traces = Vec::new();
    match TracesQuery::parse(&params, state.engine.clock().now_ns())? {
        TracesQuery::ByIds(ids) => {
            for id in ids {
                traces.extend(state.engine.trace(&tenant, id).await?);
            }
        }
        TracesQuery::Search(search) => traces.extend(state.engine.search_traces(&tenant, search).await?.into_iter().map(|found| found.trace)),
    }
    Ok(structured(traces.iter().map(trace_json).collect(), 0))
}

/// `GET /api/traces/{id}`
pub(super) async fn by_id(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>) -> Result<Response, Refusal> {
    match state.engine.trace(&tenant, trace_id(&id)?).await? {
        Some(trace) => Ok(structured(vec![trace_json(&trace)], 0)),
        None => Err(Error::new(ErrorKind::NotFound, "trace not found").into()),
    }
}
