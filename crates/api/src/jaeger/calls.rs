//! Jaeger's gRPC: the second and the third query service, and the storage that a query service of Jaeger reads from.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures::stream::{self, StreamExt as _};
use signalbox_model::{Result, Tenant, TimeRange, TraceId};
use signalbox_proto::google_rpc::Timestamp;
use signalbox_proto::jaeger::model::DependencyLink;
use signalbox_proto::jaeger::{api_v2, api_v3, storage_v2};
use signalbox_proto::otlp::trace::v1::TracesData;
use signalbox_query::traceql::{Moment, Trace};

use super::adjust::{Adjustment, ShownTrace};
use super::question::{Question, times, trace_id};
use super::summary::summary;
use super::{filter, listing, model, params, shown_service};
use crate::ApiState;
use crate::grpc::{Call, Code, Replies, Reply, Status, unknown_method};
use crate::otlp::traces_data;

/// Spans of one message of the second service. Clients take messages of at most 4 MiB unless they are told otherwise.
const SPANS_PER_CHUNK: usize = 100;
/// Spans of one message of OTLP, for the same reason; a large trace is several messages behind each other.
const SPANS_PER_MESSAGE: usize = 500;
/// Who found dependencies out.
const SOURCE: &str = "signalbox";

/// The query services.
pub(super) fn query_routes() -> Router<ApiState> {
    Router::new()
        .route("/jaeger.api_v2.QueryService/GetTrace", post(trace_v2))
        .route("/jaeger.api_v2.QueryService/ArchiveTrace", post(archive))
        .route("/jaeger.api_v2.QueryService/FindTraces", post(search_v2))
        .route("/jaeger.api_v2.QueryService/GetServices", post(services))
        .route("/jaeger.api_v2.QueryService/GetOperations", post(operations_v2))
        .route("/jaeger.api_v2.QueryService/GetDependencies", post(dependencies_v2))
        .route("/jaeger.api_v3.QueryService/GetTrace", post(trace_v3))
        .route("/jaeger.api_v3.QueryService/FindTraces", post(search_v3))
        .route("/jaeger.api_v3.QueryService/FindTraceSummaries", post(summaries_v3))
        .route("/jaeger.api_v3.QueryService/GetServices", post(services))
        .route("/jaeger.api_v3.QueryService/GetOperations", post(operations))
        .route("/jaeger.api_v3.QueryService/GetDependencies", post(dependencies_v3))
}

/// The storage. Writing to it is OTLP's `Export`, which belongs to its receiver.
pub(super) fn storage_routes() -> Router<ApiState> {
    Router::new()
        .route("/jaeger.storage.v2.TraceReader/GetTraces", post(stored_traces))
        .route("/jaeger.storage.v2.TraceReader/GetServices", post(services))
        .route("/jaeger.storage.v2.TraceReader/GetOperations", post(operations))
        .route("/jaeger.storage.v2.TraceReader/FindTraces", post(stored_search))
        .route("/jaeger.storage.v2.TraceReader/FindTraceIDs", post(stored_ids))
        .route("/jaeger.storage.v2.TraceReader/FindTraceSummaries", post(stored_summaries))
        .route("/jaeger.storage.v2.DependencyReader/GetDependencies", post(stored_dependencies))
        .route("/jaeger.storage.v2.Capabilities/GetCapabilities", post(capabilities))
        .fallback(unknown_method)
}

/// Traces one after the other, each read when its turn comes.
fn read_each(state: ApiState, moment: Moment, ids: Vec<TraceId>) -> impl futures::Stream<Item = Result<Trace, Status>> + Send {
    stream::iter(ids)
        .then(move |id| {
            let (engine, moment) = (state.engine.clone(), moment.clone());
            async move { engine.trace_at(&moment, id).await.map_err(Status::from) }
        })
        .filter_map(|read| std::future::ready(read.transpose()))
}

/// The traces that a search finds.
async fn found(state: &ApiState, moment: &Moment, question: &Question) -> Result<Vec<TraceId>, Status> {
    let search = question.search(state.engine.clock().now_ns())?;
    Ok(search.summaries(&state.engine, moment).await?.traces.iter().map(|summary| summary.trace_id).collect())
}

fn adjustment(state: &ApiState, is_raw: bool) -> Adjustment {
    if is_raw { Adjustment::Raw } else { state.jaeger.adjustment() }
}

fn missing() -> Status {
    Status::new(Code::NotFound, "trace not found")
}

fn no_query() -> Status {
    Status::new(Code::InvalidArgument, "missing query")
}

/// Spans in Jaeger's model, with their processes.
fn chunks_v2(trace: Trace, adjustment: Adjustment) -> Vec<api_v2::SpansResponseChunk> {
    let spans = ShownTrace::new(trace, adjustment).spans.into_iter().map(|shown| {
        let process = model::process(&shown.span.service, &shown.span.resource);
        signalbox_proto::jaeger::model::Span { process: Some(process), ..model::span(shown) }
    });
    let spans: Vec<_> = spans.collect();
    spans.chunks(SPANS_PER_CHUNK).map(|spans| api_v2::SpansResponseChunk { spans: spans.to_vec() }).collect()
}

/// Spans as OTLP.
fn messages(trace: Trace, adjustment: Adjustment) -> Vec<TracesData> {
    let Trace { trace_id, mut spans } = ShownTrace::new(trace, adjustment).into_trace();
    let mut messages = Vec::with_capacity(spans.len().div_ceil(SPANS_PER_MESSAGE));
    while !spans.is_empty() {
        let rest = spans.split_off(spans.len().min(SPANS_PER_MESSAGE));
        messages.push(traces_data(&Trace { trace_id, spans }));
        spans = rest;
    }
    messages
}

fn stream_of<A: prost::Message + 'static>(
    traces: impl futures::Stream<Item = Result<Trace, Status>> + Send + 'static,
    split: impl Fn(Trace) -> Vec<A> + Send + 'static,
) -> Replies<A> {
    Replies::new(traces.flat_map(move |read| match read {
        Ok(trace) => stream::iter(split(trace).into_iter().map(Ok).collect::<Vec<_>>()),
        Err(status) => stream::iter(vec![Err(status)]),
    }))
}

async fn trace_v2(State(state): State<ApiState>, call: Call<api_v2::GetTraceRequest>) -> Result<Replies<api_v2::SpansResponseChunk>, Status> {
    let trace = state.engine.trace(&call.asker, trace_id(&call.message.trace_id)?).await?.ok_or_else(missing)?;
    Ok(Replies::of(chunks_v2(trace, adjustment(&state, call.message.raw_traces))))
}

async fn archive(State(state): State<ApiState>, call: Call<api_v2::ArchiveTraceRequest>) -> Result<Reply<api_v2::ArchiveTraceResponse>, Status> {
    super::archive::archive(&state, &call.asker, trace_id(&call.message.trace_id)?).await?;
    Ok(Reply(api_v2::ArchiveTraceResponse {}))
}

async fn search_v2(State(state): State<ApiState>, call: Call<api_v2::FindTracesRequest>) -> Result<Replies<api_v2::SpansResponseChunk>, Status> {
    let question = Question::from(call.message.query.ok_or_else(no_query)?);
    let moment = state.engine.moment(&call.asker);
    let (ids, adjustment) = (found(&state, &moment, &question).await?, adjustment(&state, question.raw));
    Ok(stream_of(read_each(state, moment, ids), move |trace| chunks_v2(trace, adjustment)))
}

async fn services(State(state): State<ApiState>, call: Call<api_v2::GetServicesRequest>) -> Result<Reply<api_v2::GetServicesResponse>, Status> {
    let services = listing::service_names(&state.engine, &call.asker).await?;
    Ok(Reply(api_v2::GetServicesResponse { services }))
}

async fn read_operations(state: &ApiState, call: &Call<api_v2::GetOperationsRequest>) -> Result<Vec<api_v2::Operation>, Status> {
    let found = listing::operations_of(&state.engine, &call.asker, &call.message.service, &call.message.span_kind).await?;
    Ok(found.into_iter().map(|operation| api_v2::Operation { name: operation.name, span_kind: operation.span_kind.to_owned() }).collect())
}

async fn operations_v2(State(state): State<ApiState>, call: Call<api_v2::GetOperationsRequest>) -> Result<Reply<api_v2::GetOperationsResponse>, Status> {
    let operations = read_operations(&state, &call).await?;
    let mut operation_names: Vec<String> = operations.iter().map(|operation| operation.name.clone()).collect();
    operation_names.dedup();
    Ok(Reply(api_v2::GetOperationsResponse { operation_names, operations }))
}

async fn operations(State(state): State<ApiState>, call: Call<api_v2::GetOperationsRequest>) -> Result<Reply<api_v3::GetOperationsResponse>, Status> {
    Ok(Reply(api_v3::GetOperationsResponse { operations: read_operations(&state, &call).await? }))
}

async fn read_dependencies(state: &ApiState, tenant: &Tenant, range: TimeRange) -> Result<Vec<DependencyLink>, Status> {
    let calls = state.engine.dependencies(tenant, range).await?;
    let link = |call: &signalbox_query::traceql::Dependency| DependencyLink {
        parent: shown_service(&call.parent).to_owned(),
        child: shown_service(&call.child).to_owned(),
        call_count: call.calls,
        source: SOURCE.to_owned(),
    };
    Ok(calls.iter().map(link).collect())
}

async fn dependencies_v2(State(state): State<ApiState>, call: Call<api_v2::GetDependenciesRequest>) -> Result<Reply<api_v2::GetDependenciesResponse>, Status> {
    let range = times(call.message.start_time, call.message.end_time)?;
    Ok(Reply(api_v2::GetDependenciesResponse { dependencies: read_dependencies(&state, &call.asker, range).await? }))
}

async fn dependencies_v3(State(state): State<ApiState>, call: Call<api_v3::GetDependenciesRequest>) -> Result<Reply<api_v3::DependenciesResponse>, Status> {
    let links = read_dependencies(&state, &call.asker, times(call.message.start_time, call.message.end_time)?).await?;
    let dependency = |link: DependencyLink| api_v3::Dependency { parent: link.parent, child: link.child, call_count: link.call_count };
    Ok(Reply(api_v3::DependenciesResponse { dependencies: links.into_iter().map(dependency).collect() }))
}

async fn stored_dependencies(
    State(state): State<ApiState>,
    call: Call<storage_v2::GetDependenciesRequest>,
) -> Result<Reply<storage_v2::GetDependenciesResponse>, Status> {
    let range = times(call.message.start_time, call.message.end_time)?;
    Ok(Reply(storage_v2::GetDependenciesResponse { dependencies: read_dependencies(&state, &call.asker, range).await? }))
}

async fn trace_v3(State(state): State<ApiState>, call: Call<api_v3::GetTraceRequest>) -> Result<Replies<TracesData>, Status> {
    let trace = state.engine.trace(&call.asker, params::trace_id(&call.message.trace_id)?).await?.ok_or_else(missing)?;
    Ok(Replies::of(messages(trace, adjustment(&state, call.message.raw_traces))))
}

async fn search_v3(State(state): State<ApiState>, call: Call<api_v3::FindTracesRequest>) -> Result<Replies<TracesData>, Status> {
    let question = Question::from(call.message.query.ok_or_else(no_query)?).with_times()?;
    let moment = state.engine.moment(&call.asker);
    let (ids, adjustment) = (found(&state, &moment, &question).await?, adjustment(&state, question.raw));
    Ok(stream_of(read_each(state, moment, ids), move |trace| messages(trace, adjustment)))
}

async fn summaries_v3(
    State(state): State<ApiState>,
    call: Call<api_v3::FindTraceSummariesRequest>,
) -> Result<Replies<api_v3::FindTraceSummariesResponse>, Status> {
    let question = Question::from(call.message.query.ok_or_else(no_query)?).with_times()?;
    let moment = state.engine.moment(&call.asker);
    let (ids, adjustment) = (found(&state, &moment, &question).await?, state.jaeger.adjustment());
    let traces = read_each(state, moment, ids);
    Ok(stream_of(traces, move |trace| vec![api_v3::FindTraceSummariesResponse { summaries: vec![summary(&ShownTrace::new(trace, adjustment))] }]))
}

async fn stored_traces(State(state): State<ApiState>, call: Call<storage_v2::GetTracesRequest>) -> Result<Replies<TracesData>, Status> {
    let ids = call.message.query.iter().map(|asked| trace_id(&asked.trace_id)).collect::<Result<Vec<_>>>()?;
    let moment = state.engine.moment(&call.asker);
    Ok(stream_of(read_each(state, moment, ids), |trace| messages(trace, Adjustment::Raw)))
}

async fn stored_search(State(state): State<ApiState>, call: Call<storage_v2::FindTracesRequest>) -> Result<Replies<TracesData>, Status> {
    let question = Question::from(call.message.query.ok_or_else(no_query)?);
    let moment = state.engine.moment(&call.asker);
    let ids = found(&state, &moment, &question).await?;
    Ok(stream_of(read_each(state, moment, ids), |trace| messages(trace, Adjustment::Raw)))
}

async fn stored_ids(State(state): State<ApiState>, call: Call<storage_v2::FindTracesRequest>) -> Result<Reply<storage_v2::FindTraceIdsResponse>, Status> {
    let search = Question::from(call.message.query.ok_or_else(no_query)?).search(state.engine.clock().now_ns())?;
    let answer = search.summaries(&state.engine, &state.engine.moment(&call.asker)).await?;
    let found = answer.traces.iter().map(|summary| storage_v2::FoundTraceId {
        trace_id: summary.trace_id.as_bytes().to_vec(),
        start: Some(Timestamp::from_ns(summary.start_ns)),
        end: Some(Timestamp::from_ns(summary.start_ns.saturating_add(summary.duration_ns))),
    });
    Ok(Reply(storage_v2::FindTraceIdsResponse { trace_ids: found.collect() }))
}

async fn stored_summaries(
    State(state): State<ApiState>,
    call: Call<storage_v2::FindTracesRequest>,
) -> Result<Replies<storage_v2::FindTraceSummariesResponse>, Status> {
    let question = Question::from(call.message.query.ok_or_else(no_query)?);
    let moment = state.engine.moment(&call.asker);
    let (ids, adjustment) = (found(&state, &moment, &question).await?, state.jaeger.adjustment());
    let short = move |trace: Trace| {
        let (id, of) = (trace.trace_id, summary(&ShownTrace::new(trace, adjustment)));
        storage_v2::TraceSummary {
            trace_id: id.as_bytes().to_vec(),
            root_service_name: of.root_service_name,
            root_operation_name: of.root_operation_name,
            min_start_time_unix_nano: of.min_start_time_unix_nano,
            max_end_time_unix_nano: of.max_end_time_unix_nano,
            span_count: of.span_count,
            error_span_count: of.error_span_count,
            orphan_span_count: of.orphan_span_count,
            services: of.services,
        }
    };
    let traces = read_each(state, moment, ids);
    Ok(stream_of(traces, move |trace| vec![storage_v2::FindTraceSummariesResponse { summaries: vec![short(trace)] }]))
}

/// A search needs no service, and all that it names holds for one span.
async fn capabilities(_call: Call<storage_v2::GetCapabilitiesRequest>) -> Reply<storage_v2::GetCapabilitiesResponse> {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    let filter = storage_v2::FilterCapabilities { levels: texts(&filter::LEVELS), operators: texts(&filter::OPERATORS) };
    let search = storage_v2::SearchCapabilities { without_service_name: true, same_span_conjunction: true, filter: Some(filter) };
    Reply(storage_v2::GetCapabilitiesResponse { search: Some(search) })
}
