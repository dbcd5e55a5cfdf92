//! Whole traces: searched for, or by identifier. A trace is a list of its spans.

use axum::Json;
use axum::extract::{Path, State};
use signalbox_model::{Error, ErrorKind};
use signalbox_query::traceql::Trace;

use super::params::{self, Refusal};
use super::span::ZipkinSpan;
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::trace_search::Room;

type Spans = Vec<ZipkinSpan>;

fn shown(trace: &Trace) -> Spans {
    trace.spans.iter().map(ZipkinSpan::new).collect()
}

/// `GET /api/v2/traces`
pub(super) async fn search(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<Vec<Spans>>, Refusal> {
    let search = params::search(&params, state.engine.clock().now_ns())?;
    let traces = search.traces(&state.engine, &tenant).await?;
    Ok(Json(traces.iter().map(shown).collect()))
}

/// `GET /api/v2/trace/{id}`
pub(super) async fn by_id(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>) -> Result<Json<Spans>, Refusal> {
    let trace = state.engine.trace(&tenant, params::trace_id(&id)?).await?;
    let trace = trace.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("{id} not found")))?;
    Ok(Json(shown(&trace)))
}

/// `GET /api/v2/traceMany?traceIds=`
pub(super) async fn many(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Json<Vec<Spans>>, Refusal> {
    let (mut traces, mut room, moment) = (Vec::new(), Room::default(), state.engine.moment(&tenant));
    for id in params::trace_ids(&params)? {
        if let Some(trace) = state.engine.trace_at(&moment, id).await? {
            room.take(&trace)?;
            traces.push(shown(&trace));
        }
    }
    Ok(Json(traces))
}
