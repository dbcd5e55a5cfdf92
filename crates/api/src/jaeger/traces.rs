//! Whole traces: searched for, by identifier, or translated of what is sent.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde_json::json;
use signalbox_model::{Error, ErrorKind};

use super::adjust::{Adjustment, ShownTrace};
use super::answer::{Refusal, Structured};
use super::json::TraceJson;
use super::params::{TracesQuery, adjustment, micros, trace_id};
use super::{model, transform};
use crate::ApiState;
use crate::http::{Asker, Params};
use crate::trace_search::Room;

/// `GET /api/traces`
pub(super) async fn search(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let adjustment = adjustment(&params, &state.jaeger)?;
    let (mut traces, mut errors) = (Vec::new(), Vec::new());
    match TracesQuery::parse(&params, state.engine.clock().now_ns())? {
        TracesQuery::ByIds(ids) => {
            let (mut room, moment) = (Room::default(), state.engine.moment(&tenant));
            for id in ids {
                match state.engine.trace_at(&moment, id).await? {
                    Some(trace) => {
                        room.take(&trace)?;
                        traces.push(trace);
                    }
                    None => errors.push(json!({ "msg": "trace not found", "traceID": model::trace_id(id) })),
                }
            }
        }
        TracesQuery::Search(search) => traces = search.traces(&state.engine, &tenant).await?,
    }
    let shown: Vec<TraceJson> = traces.into_iter().map(|trace| TraceJson::new(ShownTrace::new(trace, adjustment))).collect();
    Ok(Structured::of(shown).with_errors(errors).respond(&params))
}

/// `GET /api/traces/{id}`: `start` and `end` are hints of where to look, which the index of identifiers does not need.
pub(super) async fn by_id(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>, params: Params) -> Result<Response, Refusal> {
    let (id, adjustment) = (trace_id(&id)?, adjustment(&params, &state.jaeger)?);
    micros(&params, "start")?;
    micros(&params, "end")?;
    let trace = state.engine.trace(&tenant, id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "trace not found"))?;
    Ok(Structured::of([TraceJson::new(ShownTrace::new(trace, adjustment))]).respond(&params))
}

/// `POST /api/archive/{id}`: the answer has no traces.
pub(super) async fn archive(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>, params: Params) -> Result<Response, Refusal> {
    super::archive::archive(&state, &tenant, trace_id(&id)?).await?;
    Ok(Structured::of(Vec::<TraceJson>::new()).respond(&params))
}

/// `POST /api/transform`: OTLP's JSON in, Jaeger's out; nothing is stored.
pub(super) async fn transform(RawQuery(query): RawQuery, body: Bytes) -> Result<Response, Refusal> {
    let (params, traces) = (Params::parse(query.as_deref().unwrap_or("")), transform::traces(&body)?);
    let shown: Vec<TraceJson> = traces.into_iter().map(|trace| TraceJson::new(ShownTrace::new(trace, Adjustment::Raw))).collect();
    Ok(Structured::of(shown).respond(&params))
}
