//! Search: summaries of traces, and the spans that fit.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Pipeline, Query, Root, Scope, SpansetExpr, Stage, Static};
use signalbox_lang::traceql::{self, KIND_WORDS, STATUS_WORDS};
use signalbox_model::{Error, Owners, Result};
use signalbox_proto::tempo;
use signalbox_query::traceql::{FoundSpan, SearchAnswer, SearchCost, SearchRequest, SpanSet, TraceSummary};

use super::params::{self, Format, Refusal, SearchAsked};
use super::values::{key, key_value};
use crate::ApiState;
use crate::http::{Askers, Params};

/// What Tempo shows while the root is not there, or has no service.
const ROOT_MISSING: &str = "<root span not yet received>";
/// Tempo's default of `spss`.
const SPANS_PER_SET_DEFAULT: usize = 3;
/// Tempo's default of `limit`.
pub(super) const LIMIT_DEFAULT: u32 = 20;

/// `GET /api/search`
pub(super) async fn search(State(state): State<ApiState>, Askers(owners): Askers, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let asked = params::search(&params, state.engine.clock().now_ns())?;
    let found = find(&state, &owners, asked).await?;
    Ok(Format::of(&headers).answer(&found))
}

/// Answers a search.
pub(super) async fn find(state: &ApiState, owners: &Owners, asked: SearchAsked) -> Result<tempo::SearchResponse> {
    let is_of_tags = asked.query.is_none();
    let request = request(state, asked)?;
    let mut found = response(&state.engine.traceql_search(owners, request).await?);
    if is_of_tags {
        // Who asks by tags knows the answers of the time before TraceQL: traces alone.
        for trace in &mut found.traces {
            (trace.span_set, trace.span_sets, trace.service_stats) = (None, Vec::new(), BTreeMap::new());
        }
    }
    Ok(found)
}

/// What a search means to the engine.
pub(super) fn request(state: &ApiState, asked: SearchAsked) -> Result<SearchRequest> {
    let query = match &asked.query {
        Some(text) => parse(text)?,
        None => Query { root: Root::Spansets(Pipeline { stages: vec![Stage::Spanset(SpansetExpr::Filter(of_tags(&asked.tags)))] }), hints: Vec::new() },
    };
    if matches!(query.root, Root::Metrics(_)) {
        return Err(Error::invalid("invalid TraceQL query: a metrics query makes series: ask /api/metrics/query_range"));
    }
    let (limit, results_max) = (u64::from(asked.limit.unwrap_or(LIMIT_DEFAULT)), state.engine.settings().results_max);
    if limit > results_max {
        return Err(Error::invalid(format!("limit {limit} exceeds max limit {results_max}")));
    }
    Ok(SearchRequest {
        query,
        range: params::seconds(asked.start, asked.end)?,
        trace_duration_min_ns: asked.min_ns,
        trace_duration_max_ns: asked.max_ns,
        limit: limit as usize,
        spans_per_set: if asked.spans_per_set == 0 { SPANS_PER_SET_DEFAULT } else { asked.spans_per_set as usize },
    })
}

/// Reads TraceQL.
pub(super) fn parse(text: &str) -> Result<Query> {
    traceql::parse_query(text).map_err(|error| Error::new(error.kind(), format!("invalid TraceQL query: {}", error.message())))
}

/// All tags hold; none is no condition.
fn of_tags(tags: &[(String, String)]) -> Option<FieldExpr> {
    let conditions = tags.iter().map(|(name, value)| of_tag(name, value));
    conditions.reduce(|left, right| FieldExpr::And(Box::new(left), Box::new(right)))
}

/// A tag means an attribute that contains the value, whatever its case, or is that number or truth; some names mean fields.
fn of_tag(name: &str, value: &str) -> FieldExpr {
    let compare = |attribute: Attribute, op: CompareOp, value: Static| {
        FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(attribute)), Box::new(FieldExpr::Static(value)))
    };
    let contains = |attribute: Attribute| compare(attribute, CompareOp::Regex, Static::Text(format!("(?is).*{}.*", regex::escape(value))));
    let code = |words: &[&str]| words.iter().position(|word| *word == value).and_then(|code| i32::try_from(code).ok());
    let field = Attribute::Intrinsic;
    match (name, code(&STATUS_WORDS), code(&KIND_WORDS)) {
        ("name", _, _) => contains(field(Intrinsic::Name)),
        ("root.name", _, _) => contains(field(Intrinsic::RootName)),
        ("root.service.name", _, _) => contains(field(Intrinsic::RootService)),
        ("status" | "status.code", Some(code), _) => compare(field(Intrinsic::Status), CompareOp::Equal, Static::Status(code)),
        ("kind", _, Some(kind)) => compare(field(Intrinsic::Kind), CompareOp::Equal, Static::Kind(kind)),
        ("error", _, _) if value == "true" => compare(field(Intrinsic::Status), CompareOp::Equal, Static::Status(2)),
        ("service.name", _, _) => contains(Attribute::Named(Scope::Resource, name.to_owned())),
        _ => {
            let attribute = Attribute::Named(Scope::Any, name.to_owned());
            let typed = match (value.parse::<i64>(), value.parse::<f64>(), value.parse::<bool>()) {
                (Ok(number), _, _) => Some(Static::Int(number)),
                (_, Ok(number), _) if number.is_finite() => Some(Static::Float(number)),
                (_, _, Ok(truth)) => Some(Static::Bool(truth)),
                _ => None,
            };
            let text = contains(attribute.clone());
            typed.map_or(text.clone(), |value| FieldExpr::Or(Box::new(text), Box::new(compare(attribute, CompareOp::Equal, value))))
        }
    }
}

/// What was found, on the wire.
fn response(answer: &SearchAnswer) -> tempo::SearchResponse {
    tempo::SearchResponse { traces: answer.traces.iter().map(summary).collect(), metrics: Some(metrics(&answer.cost)) }
}

/// What a question cost, when it is answered.
pub(super) fn metrics(cost: &SearchCost) -> tempo::SearchMetrics {
    tempo::SearchMetrics {
        inspected_traces: short(cost.traces),
        inspected_spans: cost.spans,
        total_blocks: short(cost.parts_total),
        total_jobs: 1,
        completed_jobs: 1,
        ..tempo::SearchMetrics::default()
    }
}

fn short(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn summary(trace: &TraceSummary) -> tempo::TraceSearchMetadata {
    let span_sets: Vec<tempo::SpanSet> = trace.sets.iter().map(span_set).collect();
    let stats = |service: &signalbox_query::traceql::ServiceSpans| tempo::ServiceStats { span_count: short(service.spans), error_count: short(service.errors) };
    let service_stats: BTreeMap<String, tempo::ServiceStats> = trace.services.iter().map(|service| (service.service.to_string(), stats(service))).collect();
    tempo::TraceSearchMetadata {
        trace_id: trace.trace_id.to_string(),
        root_service_name: trace.root_service.as_deref().filter(|name| !name.is_empty()).unwrap_or(ROOT_MISSING).to_owned(),
        root_trace_name: trace.root_name.as_deref().unwrap_or("").to_owned(),
        start_time_unix_nano: trace.start_ns.cast_unsigned(),
        duration_ms: short((trace.duration_ns.max(0) / 1_000_000).cast_unsigned()),
        span_set: span_sets.first().cloned(),
        span_sets,
        service_stats,
    }
}

fn span_set(set: &SpanSet) -> tempo::SpanSet {
    tempo::SpanSet {
        spans: set.spans.iter().map(span).collect(),
        matched: short(set.matched),
        attributes: set.attributes.iter().map(|(name, value)| key_value(name, value)).collect(),
    }
}

fn span(span: &FoundSpan) -> tempo::Span {
    let attributes = span.attributes.iter().filter_map(|(attribute, value)| Some(key_value(key(attribute)?, value)));
    tempo::Span {
        span_id: span.span_id.map(|id| id.to_string()).unwrap_or_default(),
        name: span.name.to_string(),
        start_time_unix_nano: span.start_ns.cast_unsigned(),
        duration_nanos: span.duration_ns.max(0).cast_unsigned(),
        attributes: attributes.collect(),
    }
}
