//! A trace by its identifier.

use std::collections::{HashMap, HashSet};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use prost::Message;
use serde_json::{Value, json};
use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Pipeline, Query, Root, SpansetExpr, Stage, Static};
use signalbox_model::{Error, ErrorKind, Result, SpanId, TimeRange};
use signalbox_proto::tempo::{PartialStatus, TraceByIdMetrics, TraceByIdResponse};
use signalbox_query::traceql::forest::Forest;
use signalbox_query::traceql::{Moment, SearchRequest, Trace, skew};

use super::json::resource_spans;
use super::params::{self, Format, Refusal, trace_id};
use super::search::parse;
use crate::ApiState;
use crate::http::{Askers, Params};
use crate::otlp::traces_data;

/// `GET /api/traces/{id}`
pub(super) async fn v1(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    headers: HeaderMap,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let moment = state.engine.moment(&owners);
    let trace = traces_data(&find(&state, &moment, &id, params::range(&params)?).await?);
    if Format::of(&headers) == Format::Protobuf {
        return Ok(([(CONTENT_TYPE, "application/protobuf")], trace.encode_to_vec()).into_response());
    }
    let batches: Vec<Value> = trace.resource_spans.iter().map(resource_spans).collect();
    Ok(axum::Json(json!({ "batches": batches })).into_response())
}

/// `GET /api/v2/traces/{id}`
pub(super) async fn v2(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    headers: HeaderMap,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let (range, part) = (params::range(&params)?, Part::of(&params)?);
    let moment = state.engine.moment(&owners);
    let mut trace = find(&state, &moment, &id, range).await?;
    let mut answer = TraceByIdResponse { metrics: Some(TraceByIdMetrics::default()), ..TraceByIdResponse::default() };
    if let Some(part) = part {
        let whole = trace.spans.len();
        trace = part.cut(&state, &moment, trace).await?;
        if trace.spans.len() < whole {
            answer.status = PartialStatus::Partial as i32;
            answer.message = "Trace filtered, only a subset of spans matching the filter is returned".to_owned();
        }
    }
    if answer.message.is_empty() {
        answer.message = skew::warning(&Forest::of(&trace).skews()).unwrap_or_default();
    }
    answer.trace = Some(traces_data(&trace));
    Ok(Format::of(&headers).answer(&answer))
}

/// The whole trace, if any span of it lies in the range.
pub(super) async fn find(state: &ApiState, moment: &Moment, id: &str, range: TimeRange) -> Result<Trace> {
    let trace = state.engine.trace_at(moment, trace_id(id)?).await?;
    let is_in_range = |trace: &Trace| trace.spans.iter().any(|span| span.start_ns <= range.end_ns && span.end_ns() >= range.start_ns);
    trace.filter(is_in_range).ok_or_else(|| Error::new(ErrorKind::NotFound, "trace not found"))
}

/// Which part of a trace is wanted: the spans that hold a filter, and some that are above and below.
#[derive(Debug, PartialEq)]
struct Part {
    filter: Option<FieldExpr>,
    /// How many levels above are kept.
    above: usize,
    /// How many levels below are kept.
    below: usize,
}

impl Part {
    /// `q`, `keep_hierarchy`, `match_depth` and `ancestor_depth`; `None` without `q`, whatever the others say.
    fn of(params: &Params) -> Result<Option<Self>> {
        let Some(text) = params.get("q").map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        let depth = |name: &str, default: i64| {
            let invalid = || Error::invalid(format!("invalid value for {name}: must be >= -1"));
            let levels = params.get(name).map_or(Ok(default), |text| text.parse().map_err(|_| invalid()))?;
            if levels < -1 { Err(invalid()) } else { Ok(usize::try_from(levels).unwrap_or(usize::MAX)) }
        };
        let keeps_hierarchy = match params.get("keep_hierarchy") {
            None | Some("false" | "0" | "f" | "F" | "FALSE" | "False") => false,
            Some("true" | "1" | "t" | "T" | "TRUE" | "True") => true,
            Some(text) => return Err(Error::invalid(format!("invalid value for keep_hierarchy: {text:?} is no truth"))),
        };
        let below = depth("match_depth", 0)?;
        let above = if keeps_hierarchy { depth("ancestor_depth", -1)? } else { 0 };
        let query = parse(text).map_err(|error| Error::invalid(error.message().replace("invalid TraceQL query", "invalid TraceQL filter")))?;
        let stages = match query.root {
            Root::Spansets(Pipeline { stages }) => stages,
            Root::Metrics(_) => Vec::new(),
        };
        match <[Stage; 1]>::try_from(stages) {
            Ok([Stage::Spanset(SpansetExpr::Filter(filter))]) if !filter.as_ref().is_some_and(asks_of_trace) => Ok(Some(Self { filter, above, below })),
            _ => Err(Error::invalid("invalid TraceQL filter: want one { … } that asks of spans, not of traces")),
        }
    }

    /// The trace with the wanted spans alone.
    async fn cut(&self, state: &ApiState, moment: &Moment, mut trace: Trace) -> Result<Trace> {
        let matched = self.matched(state, moment, &trace).await?;
        let (mut parents, mut children): (HashMap<SpanId, SpanId>, HashMap<SpanId, Vec<SpanId>>) = (HashMap::new(), HashMap::new());
        for span in &trace.spans {
            if let (Some(id), Some(parent)) = (span.span_id, span.parent_span_id) {
                parents.insert(id, parent);
                children.entry(parent).or_default().push(id);
            }
        }
        let mut kept = matched.clone();
        kept.extend(reached(&matched, self.above, |id| parents.get(&id).copied().into_iter().collect()));
        kept.extend(reached(&matched, self.below, |id| children.get(&id).cloned().unwrap_or_default()));
        trace.spans.retain(|span| span.span_id.is_some_and(|id| kept.contains(&id)));
        Ok(trace)
    }

    /// Spans of the trace that hold the filter, of the moment that it is of.
    async fn matched(&self, state: &ApiState, moment: &Moment, trace: &Trace) -> Result<HashSet<SpanId>> {
        let is_this = FieldExpr::Compare(
            CompareOp::Equal,
            Box::new(FieldExpr::Attribute(Attribute::Intrinsic(Intrinsic::TraceId))),
            Box::new(FieldExpr::Static(Static::Text(trace.trace_id.to_string()))),
        );
        let filter = match self.filter.clone() {
            Some(filter) => FieldExpr::And(Box::new(is_this), Box::new(filter)),
            None => is_this,
        };
        let query = Query { root: Root::Spansets(Pipeline { stages: vec![Stage::Spanset(SpansetExpr::Filter(Some(filter)))] }), hints: Vec::new() };
        let last_ns = trace.spans.iter().map(|span| span.start_ns).max().unwrap_or(i64::MAX);
        let range = TimeRange::from_ns(trace.start_ns(), last_ns);
        let search = SearchRequest { query, range, trace_duration_min_ns: None, trace_duration_max_ns: None, limit: 1, spans_per_set: 0 };
        let found = state.engine.traceql_search_at(moment, search).await?;
        Ok(found.traces.iter().flat_map(|trace| &trace.sets).flat_map(|set| &set.spans).filter_map(|span| span.span_id).collect())
    }
}

/// Whether a filter asks something of the whole trace.
fn asks_of_trace(filter: &FieldExpr) -> bool {
    match filter {
        FieldExpr::Static(_) => false,
        FieldExpr::Attribute(attribute) => {
            matches!(attribute, Attribute::Intrinsic(Intrinsic::TraceId | Intrinsic::TraceDuration | Intrinsic::RootName | Intrinsic::RootService))
        }
        FieldExpr::Not(inner) | FieldExpr::Negative(inner) => asks_of_trace(inner),
        FieldExpr::And(left, right) | FieldExpr::Or(left, right) | FieldExpr::Compare(_, left, right) | FieldExpr::Arithmetic(_, left, right) => {
            asks_of_trace(left) || asks_of_trace(right)
        }
    }
}

/// What is so many levels away at most.
fn reached(from: &HashSet<SpanId>, levels: usize, next: impl Fn(SpanId) -> Vec<SpanId>) -> HashSet<SpanId> {
    let mut seen = HashSet::new();
    let mut level: Vec<SpanId> = from.iter().copied().collect();
    for _ in 0..levels {
        level = level.into_iter().flat_map(&next).filter(|id| seen.insert(*id)).collect();
        if level.is_empty() {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_part_is_one_filter_over_spans() {
        let read = |text: &str| Part::of(&Params::parse(text)).map(|part| part.map(|part| (part.above, part.below)));
        assert_eq!(read("match_depth=x&keep_hierarchy=x").unwrap(), None);
        assert_eq!(read("q=%20").unwrap(), None);
        assert_eq!(read("q={}").unwrap(), Some((0, 0)));
        assert_eq!(read("q={status=error}&keep_hierarchy=true").unwrap(), Some((usize::MAX, 0)));
        assert_eq!(read("q={}&keep_hierarchy=true&ancestor_depth=2&match_depth=-1").unwrap(), Some((2, usize::MAX)));
        // Without the hierarchy nobody reads how much of it is wanted.
        assert_eq!(read("q={}&ancestor_depth=x&match_depth=1").unwrap(), Some((0, 1)));
        for text in [
            "q={",
            "q={}|count()>1",
            "q={}>>{}",
            "q={}|rate()",
            "q={rootName=\"a\"}",
            "q={.a=1%26%26!(trace:duration>1s)}",
            "q={}&match_depth=-2",
            "q={}&keep_hierarchy=yes",
            "q={}&keep_hierarchy=1&ancestor_depth=-2",
        ] {
            assert_eq!(read(text).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn levels_are_walked_once() {
        let id = |number: u8| SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, number]).unwrap();
        // 1 → 2 → 3 → 1
        let next = |from: SpanId| vec![id(from.as_bytes()[7] % 3 + 1)];
        for (levels, want) in [(0, 0), (1, 1), (2, 2), (usize::MAX, 3)] {
            assert_eq!(reached(&HashSet::from([id(1)]), levels, next).len(), want);
        }
    }
}
