//! Jaeger's third API over HTTP: OTLP's JSON below `result`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use signalbox_lang::go_duration;
use signalbox_model::{Error, ErrorKind, Result, TimeRange, TraceId};
use signalbox_proto::jaeger::api_v3::TraceSummary;
use signalbox_proto::otlp::trace::v1::TracesData;
use signalbox_query::traceql::Trace;

use super::adjust::{Adjustment, ShownTrace};
use super::params::{LIMIT_DEFAULT, TAGS_MAX, boolean, ordered, tags_of_json};
use super::question::BESIDE_FILTER;
use super::summary::summary;
use super::{filter, listing, shown_service, stored_service};
use crate::ApiState;
use crate::http::{Asker, Params, status};
use crate::otlp::traces_data;
use crate::trace_search::{TraceSearch, tagged};

/// A refusal as the gateway of gRPC writes it.
#[derive(Debug)]
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = status(&self.0);
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a trace query: {}", self.0);
        }
        (code, Json(json!({ "error": { "httpCode": code.as_u16(), "message": self.0.message() } }))).into_response()
    }
}

/// The first of two names of a parameter that has a value: names have two spellings.
fn either<'a>(params: &'a Params, name: &'static str, old: &'static str) -> Option<(&'a str, &'static str)> {
    params.get(name).map(|value| (value, name)).or_else(|| params.get(old).map(|value| (value, old)))
}

fn malformed(name: &str, what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("malformed parameter {name}: {what}"))
}

fn time(params: &Params, name: &'static str, old: &'static str) -> Result<Option<i64>> {
    let Some((text, name)) = either(params, name, old) else { return Ok(None) };
    let time: jiff::Timestamp = text.parse().map_err(|_| malformed(name, format!("cannot parse {text:?} as a time of RFC 3339")))?;
    i64::try_from(time.as_nanosecond()).map(Some).map_err(|_| malformed(name, "the time is out of range"))
}

fn duration(params: &Params, name: &'static str, old: &'static str) -> Result<Option<i64>> {
    let Some((text, name)) = either(params, name, old) else { return Ok(None) };
    let ns = go_duration::parse(text).ok_or_else(|| malformed(name, format!("cannot parse {text:?} as a duration")))?;
    Ok((ns > 0).then_some(ns))
}

fn raw(params: &Params, name: &'static str, old: &'static str, state: &ApiState) -> Result<Adjustment> {
    let is_raw = boolean(params, name)? || boolean(params, old)?;
    Ok(if is_raw { Adjustment::Raw } else { state.jaeger.adjustment() })
}

/// `GET /api/v3/services`
pub(super) async fn services(State(state): State<ApiState>, Asker(tenant): Asker) -> Result<Response, Refusal> {
    Ok(Json(json!({ "services": listing::service_names(&state.engine, &tenant).await? })).into_response())
}

/// `GET /api/v3/operations?service=&spanKind=`
pub(super) async fn operations(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let kind = either(&params, "spanKind", "span_kind").map_or("", |(kind, _)| kind);
    let mut operations = listing::operations_of(&state.engine, &tenant, params.get("service").unwrap_or(""), kind).await?;
    for operation in operations.iter_mut().filter(|operation| operation.span_kind.is_empty()) {
        operation.span_kind = "internal";
    }
    Ok(Json(json!({ "operations": operations })).into_response())
}

/// `GET /api/v3/dependencies?startTime=&endTime=`
pub(super) async fn dependencies(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let (start, end) = (time(&params, "startTime", "start_time")?, time(&params, "endTime", "end_time")?);
    let (Some(start_ns), Some(end_ns)) = (start, end) else { return Err(Error::invalid("startTime and endTime are required").into()) };
    if start_ns >= end_ns {
        return Err(Error::invalid("startTime must be before endTime").into());
    }
    let calls = state.engine.dependencies(&tenant, TimeRange::from_ns(start_ns, end_ns)).await?;
    let shown = calls.iter().map(|call| {
        // 64-bit integers are text in the JSON of protobuf.
        json!({ "parent": shown_service(&call.parent), "child": shown_service(&call.child), "callCount": call.calls.to_string() })
    });
    Ok(Json(json!({ "dependencies": shown.collect::<Vec<_>>() })).into_response())
}

/// `GET /api/v3/traces/{id}`
pub(super) async fn by_id(State(state): State<ApiState>, Asker(tenant): Asker, Path(id): Path<String>, params: Params) -> Result<Response, Refusal> {
    let id = trace_id(&id)?;
    time(&params, "startTime", "start_time")?;
    time(&params, "endTime", "end_time")?;
    let adjustment = raw(&params, "rawTraces", "raw_traces", &state)?;
    Ok(answer(state.engine.trace(&tenant, id).await?, adjustment)?)
}

/// `GET /api/v3/traces`
pub(super) async fn search(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let adjustment = raw(&params, "query.rawTraces", "query.raw_traces", &state)?;
    Ok(answer(asked(&params)?.traces(&state.engine, &tenant).await?, adjustment)?)
}

/// `GET /api/v3/trace-summaries`
pub(super) async fn summaries(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let traces = asked(&params)?.traces(&state.engine, &tenant).await?;
    let adjustment = state.jaeger.adjustment();
    let summaries: Vec<Value> = traces.into_iter().map(|trace| summary_json(&summary(&ShownTrace::new(trace, adjustment)))).collect();
    Ok(Json(json!({ "summaries": summaries })).into_response())
}

/// All traces in one message of OTLP.
fn answer(traces: impl IntoIterator<Item = Trace>, adjustment: Adjustment) -> Result<Response> {
    let mut all = TracesData::default();
    for trace in traces {
        all.resource_spans.extend(traces_data(&ShownTrace::new(trace, adjustment).into_trace()).resource_spans);
    }
    if all.resource_spans.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "No traces found"));
    }
    Ok(Json(json!({ "result": all })).into_response())
}

fn asked(params: &Params) -> Result<TraceSearch> {
    const FILTER: &str = "query.filter";
    const ATTRIBUTES: &str = "query.attributes";
    let tags = params.get(ATTRIBUTES).map(tags_of_json).transpose().map_err(|error| malformed(ATTRIBUTES, error.message()))?.unwrap_or_default();
    if tags.len() > TAGS_MAX {
        return Err(malformed(ATTRIBUTES, format!("want at most {TAGS_MAX}")));
    }
    let (start, end) = (time(params, "query.startTimeMin", "query.start_time_min")?, time(params, "query.startTimeMax", "query.start_time_max")?);
    let (Some(start_ns), Some(end_ns)) = (start, end) else {
        return Err(Error::invalid("query.startTimeMin and query.startTimeMax are required"));
    };
    if start_ns >= end_ns {
        return Err(Error::invalid("query.startTimeMin must be before query.startTimeMax"));
    }
    let depth = either(params, "query.searchDepth", "query.search_depth").or_else(|| either(params, "query.num_traces", "query.numTraces"));
    let depth = depth.map(|(text, name)| text.parse::<i64>().map_err(|_| malformed(name, format!("cannot parse {text:?} as integer")))).transpose()?;
    let min_ns = duration(params, "query.durationMin", "query.duration_min")?;
    let search = TraceSearch {
        service: either(params, "query.serviceName", "query.service_name").map(|(service, _)| stored_service(service).to_owned()),
        name: either(params, "query.operationName", "query.operation_name").map(|(name, _)| name.to_owned()),
        duration_min_ns: min_ns,
        duration_max_ns: ordered(min_ns, duration(params, "query.durationMax", "query.duration_max")?)?,
        conditions: tags.iter().map(|(name, value)| tagged(name, value)).collect(),
        ..TraceSearch::all(
            TimeRange::from_ns(start_ns, end_ns),
            depth.and_then(|depth| usize::try_from(depth).ok()).filter(|depth| *depth > 0).unwrap_or(LIMIT_DEFAULT),
        )
    };
    let Some(text) = params.get(FILTER).filter(|text| !text.is_empty()) else { return Ok(search) };
    let all = TraceSearch { conditions: Vec::new(), ..TraceSearch::all(search.range, search.limit) };
    if search != all {
        return Err(Error::invalid(BESIDE_FILTER));
    }
    let condition = filter::of_json(text).and_then(|filter| filter::condition(&filter)).map_err(|error| malformed(FILTER, error.message()))?;
    Ok(TraceSearch { conditions: vec![condition], ..all })
}

/// An identifier as hexadecimal digits, or as base64, which gateways of gRPC write.
fn trace_id(text: &str) -> Result<TraceId> {
    let of_base64 = || {
        let engines = [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
        // 16 bytes are 24 letters with padding.
        (text.len() <= 24).then(|| engines.iter().find_map(|engine| TraceId::from_slice(&engine.decode(text).ok()?))).flatten()
    };
    TraceId::from_hex(text).or_else(of_base64).ok_or_else(|| malformed("trace_id", format!("cannot parse {text:?}: want 1 to 32 hexadecimal digits")))
}

/// As protobuf's JSON: what is zero is left out, 64-bit integers are text.
fn summary_json(summary: &TraceSummary) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, is_zero: bool, value: Value| {
        if !is_zero {
            fields.insert(name.to_owned(), value);
        }
    };
    put("traceId", false, json!(summary.trace_id));
    put("rootServiceName", summary.root_service_name.is_empty(), json!(summary.root_service_name));
    put("rootOperationName", summary.root_operation_name.is_empty(), json!(summary.root_operation_name));
    for (name, ns) in [("minStartTimeUnixNano", summary.min_start_time_unix_nano), ("maxEndTimeUnixNano", summary.max_end_time_unix_nano)] {
        put(name, ns == 0, json!(ns.to_string()));
    }
    for (name, count) in [("spanCount", summary.span_count), ("errorSpanCount", summary.error_span_count), ("orphanSpanCount", summary.orphan_span_count)] {
        put(name, count == 0, json!(count));
    }
    let service = |service: &signalbox_proto::jaeger::api_v3::ServiceSummary| {
        let mut fields = Map::from_iter([("name".to_owned(), json!(service.name)), ("spanCount".to_owned(), json!(service.span_count))]);
        if service.error_span_count > 0 {
            fields.insert("errorSpanCount".to_owned(), json!(service.error_span_count));
        }
        Value::Object(fields)
    };
    put("services", summary.services.is_empty(), summary.services.iter().map(service).collect());
    Value::Object(fields)
}
