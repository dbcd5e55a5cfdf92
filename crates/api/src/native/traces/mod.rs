//! A trace, traces against traces, and spans against all others: `GET` or `POST` (as a form, or as a JSON object of texts and numbers).
//!
//! | path | answers |
//! |---|---|
//! | `/api/v1/traces/{trace_id}` | a trace, by `GET` alone |
//! | `/api/v1/traces/diff` | two traces laid over each other |
//! | `/api/v1/traces/critical_path` | what a trace waited for, or what the traces waited for that a query finds |
//! | `/api/v1/traces/attributes` | which values of attributes are more frequent among selected spans than among the others |
//!
//! | parameter | of | is |
//! |---|---|---|
//! | `base`, `compare` | diff | identifiers of the traces |
//! | `limit` | diff | nodes at most, 1000: those that changed most, and all above them |
//! | `trace_id` | critical_path | identifier of one trace |
//! | `query` | critical_path | TraceQL, instead of `trace_id`: the newest traces that it finds |
//! | `limit` | critical_path | traces at most, 100 |
//! | `query` | attributes | TraceQL that chooses spans; `{}` if there is none |
//! | `selection` | attributes | one pair of braces, such as `{ duration > 1s }` or `{ status = error }`: what the selected of them hold |
//! | `limit` | attributes | values at most, 50 |
//! | `start`, `end` | with a query | RFC 3339, seconds or nanoseconds since 1970, or `now-1h`; the last hour. `end` is not included |
//!
//! A trace is
//! ```json
//! {"trace_id": "5b8e…", "start_ns": "1700000000000000000", "duration_ns": 250000000,
//!  "doubts": {}, "warnings": ["clocks of hosts disagree: 1 span lies outside of the time of its parent, by 12.000 ms at most"],
//!  "spans": [{"span_id": "0000000000000001", "parent_span_id": "…", "depth": 1, "service": "shop", "name": "GET /order", "kind": "server",
//!    "status": "error", "status_message": "…", "start_ns": "…", "duration_ns": 250000000, "skew": {"before_parent_ns": 12000000},
//!    "attributes": {}, "resource": {}, "scope": "lib", "events": [{"timestamp_ns": "…", "name": "…", "attributes": {}}],
//!    "links": [{"trace_id": "…", "span_id": "…", "attributes": {}}]}]}
//! ```
//! with spans below their parents, siblings by start, and without what is empty. `skew` is there where a span starts more than a
//! millisecond before its parent (`before_parent_ns`) or after that has ended (`after_parent_ns`) by the clock of another host; consumers
//! of messages may be late. Times are as they were sent.
//!
//! `diff` answers
//! ```json
//! {"base": {"trace_id": "5b8e…", "start_ns": "1700000000000000000", "duration_ns": 250000000, "spans": 2, "errors": 0}, "compare": {},
//!  "spans": {"matched": 2, "moved": 0, "added": 0, "removed": 0}, "is_cut": false,
//!  "nodes": [{"parent": null, "service": "shop", "name": "GET /order", "kind": "server", "change": "changed",
//!    "base": {"count": 1, "errors": 0, "duration_ns": 250000000, "self_ns": 240000000}, "compare": {}}],
//!  "doubts": {"base": {"orphans": 0, "duplicates": 0, "cycles": 0, "skewed": 0}, "compare": {}}}
//! ```
//! A node is all spans with one service, name and kind below the same; `parent` is an index into `nodes`. `change` is `new`,
//! `missing`, `changed` (another number of spans or errors, or a tenth and a millisecond of self time) or `same`. Spans are
//! `moved` if they do the same below other work. `doubts` counts what had to be guessed: spans whose parents are not there, that
//! came twice, that are below themselves, whose clocks were set by their callers'.
//!
//! `critical_path` answers for one trace
//! ```json
//! {"trace_id": "5b8e…", "start_ns": "…", "duration_ns": 250000000, "doubts": {},
//!  "steps": [{"span_id": "0000000000000001", "service": "shop", "name": "GET /order", "kind": "server", "offset_ns": 0, "duration_ns": 1998766}],
//!  "operations": [{"service": "shop", "name": "GET /order", "kind": "server", "traces": 1, "spans": 1, "self_ns": 240000000, "share": 0.96,
//!    "longest_ns": 240000000}]}
//! ```
//! and for many `{"traces": 10, "spans": 120, "duration_ns": …, "is_cut": false, "doubts": {}, "operations": []}`. Steps follow each
//! other without gaps from the start of the root to its end. `is_cut` says that traces were left out since they have more than two
//! million spans together.
//!
//! `attributes` answers
//! ```json
//! {"selected": 100, "others": 10000, "is_cut": false,
//!  "values": [{"attribute": "resource.service.version", "value": "2.0", "selected": 90, "others": 500, "selected_share": 0.9,
//!    "others_share": 0.05, "lift": 18.0, "score": 0.71}]}
//! ```
//! A value is there if it is more frequent among the selected beyond doubt (99.9 %); `score` is by how much at least. `lift` is null
//! where none of the others has the value. Errors are those of SQL: `{"error": {"kind": "invalid", "message": "…"}}`.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use signalbox_lang::traceql::{self, KIND_WORDS};
use signalbox_model::{Error, ErrorKind, Result, Tenant, TraceId};
use signalbox_query::traceql::critical_path::{CriticalPaths, PathShare, critical_path as path_of};
use signalbox_query::traceql::diff::{DiffNode, Matching, NodeStats, matching, merged};
use signalbox_query::traceql::forest::{Doubts, Forest};
use signalbox_query::traceql::population::{Finding, PopulationRequest};
use signalbox_query::traceql::{SearchRequest, Trace};

use super::search::Asked;
use super::sql::refuse;
use crate::ApiState;
use crate::http::Asker;

mod one;

pub(super) use one::trace;

const NODES_DEFAULT: u64 = 1_000;
const NODES_MAX: u64 = 100_000;
const TRACES_DEFAULT: u64 = 100;
const TRACES_MAX: u64 = 1_000;
const VALUES_DEFAULT: u64 = 50;
const VALUES_MAX: u64 = 1_000;
/// A node has changed if what it does itself differs by a tenth and a millisecond.
const SELF_PART: i64 = 10;
const SELF_NS: i64 = 1_000_000;

/// `/api/v1/traces/diff`
pub(super) async fn diff(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    respond(answer_diff(&state, &tenant, &asked).await)
}

/// `/api/v1/traces/critical_path`
pub(super) async fn critical_path(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    respond(answer_path(&state, &tenant, &asked).await)
}

/// `/api/v1/traces/attributes`
pub(super) async fn attributes(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    respond(answer_attributes(&state, &tenant, &asked).await)
}

fn respond(answer: Result<Value>) -> Response {
    answer.map_or_else(|error| refuse(&error), |answer| axum::Json(answer).into_response())
}

async fn find_by_id(state: &ApiState, tenant: &Tenant, id: TraceId) -> Result<Trace> {
    state.engine.trace(tenant, id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no trace {id}")))
}

async fn find(state: &ApiState, tenant: &Tenant, asked: &Asked, name: &str) -> Result<Trace> {
    let text = asked.get(name).ok_or_else(|| Error::invalid(format!("cannot find a trace: want its identifier as {name}")))?;
    let id = TraceId::from_hex(text).ok_or_else(|| Error::invalid(format!("cannot use {name} {text:?}: want up to 32 hexadecimal digits, not all 0")))?;
    find_by_id(state, tenant, id).await
}

/// Works on traces that may be large: not on a thread that answers others.
async fn aside(work: impl FnOnce() -> Value + Send + 'static) -> Result<Value> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("cannot look at a trace: the thread died").with_source(error))
}

async fn answer_diff(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<Value> {
    let limit = asked.number("limit", NODES_DEFAULT, NODES_MAX)? as usize;
    let (base, compare) = (find(state, tenant, asked, "base").await?, find(state, tenant, asked, "compare").await?);
    aside(move || {
        let (left, right) = (Forest::of(&base), Forest::of(&compare));
        let Matching { pairs, added, removed } = matching(&left, &right);
        let nodes = merged(&left, &right);
        let told = most_changed(&nodes, limit);
        let place = |at: usize| told.binary_search(&at).ok();
        let shown: Vec<Value> = told.iter().map(|at| diff_node(&nodes[*at], nodes[*at].parent.and_then(place))).collect();
        json!({
            "base": trace_json(&base),
            "compare": trace_json(&compare),
            "spans": {
                "matched": pairs.len(),
                "moved": pairs.iter().filter(|pair| pair.is_moved).count(),
                "added": added.len(),
                "removed": removed.len(),
            },
            "is_cut": told.len() < nodes.len(),
            "nodes": shown,
            "doubts": { "base": doubts(&left.doubts), "compare": doubts(&right.doubts) },
        })
    })
    .await
}

/// The nodes that changed most and all above them, by index, sorted: parents come first.
fn most_changed(nodes: &[DiffNode], limit: usize) -> Vec<usize> {
    if nodes.len() <= limit {
        return (0..nodes.len()).collect();
    }
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|at| {
        let node = &nodes[*at];
        let weight = node.compare.self_ns.abs_diff(node.base.self_ns);
        std::cmp::Reverse((node.compare.errors.abs_diff(node.base.errors), weight))
    });
    let mut told = BTreeSet::new();
    for at in order {
        let above: Vec<usize> = std::iter::successors(Some(at), |at| nodes[*at].parent).take_while(|at| !told.contains(at)).take(limit + 1).collect();
        if told.len() + above.len() > limit {
            continue;
        }
        told.extend(above);
    }
    told.into_iter().collect()
}

fn diff_node(node: &DiffNode, parent: Option<usize>) -> Value {
    let stats = |stats: &NodeStats| json!({ "count": stats.count, "errors": stats.errors, "duration_ns": stats.duration_ns, "self_ns": stats.self_ns });
    json!({
        "parent": parent,
        "service": node.service,
        "name": node.name,
        "kind": kind(node.kind),
        "change": change(&node.base, &node.compare),
        "base": stats(&node.base),
        "compare": stats(&node.compare),
    })
}

fn change(base: &NodeStats, compare: &NodeStats) -> &'static str {
    let delta_ns = compare.self_ns.saturating_sub(base.self_ns).saturating_abs();
    match (base.count, compare.count) {
        (0, _) => "new",
        (_, 0) => "missing",
        (before, after) if before != after || base.errors != compare.errors => "changed",
        _ if delta_ns >= SELF_NS.max(base.self_ns.max(compare.self_ns) / SELF_PART) => "changed",
        _ => "same",
    }
}

fn trace_json(trace: &Trace) -> Value {
    let errors = trace.spans.iter().filter(|span| span.status_code == 2).count();
    json!({
        "trace_id": trace.trace_id.to_string(),
        "start_ns": trace.start_ns().to_string(),
        "duration_ns": trace.duration_ns(),
        "spans": trace.spans.len(),
        "errors": errors,
    })
}

fn doubts(doubts: &Doubts) -> Value {
    json!({ "orphans": doubts.orphans, "duplicates": doubts.duplicates, "cycles": doubts.cycles, "skewed": doubts.skewed })
}

fn kind(kind: i32) -> &'static str {
    usize::try_from(kind).ok().and_then(|kind| KIND_WORDS.get(kind)).copied().unwrap_or("unspecified")
}

async fn answer_path(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<Value> {
    match (asked.get("trace_id"), asked.get("query")) {
        (Some(_), None) => {
            let trace = find(state, tenant, asked, "trace_id").await?;
            aside(move || one_path(&trace)).await
        }
        (None, Some(query)) => {
            let limit = asked.number("limit", TRACES_DEFAULT, TRACES_MAX)? as usize;
            let (query, range) = (traceql::parse_query(query)?, asked.range(state.engine.clock().now_ns())?);
            let search = SearchRequest { query, range, trace_duration_min_ns: None, trace_duration_max_ns: None, limit, spans_per_set: 1 };
            Ok(paths_json(&state.engine.critical_paths(tenant, search).await?))
        }
        _ => Err(Error::invalid("cannot tell a critical path: want trace_id, or query")),
    }
}

fn one_path(trace: &Trace) -> Value {
    let forest = Forest::of(trace);
    let steps = path_of(&forest);
    let start_ns = steps.first().map_or(0, |step| step.start_ns);
    let mut paths = CriticalPaths::default();
    paths.add(trace);
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            let span = forest.nodes[step.node].span;
            json!({
                "span_id": span.span_id.map(|id| id.to_string()).unwrap_or_default(),
                "service": span.service,
                "name": span.name,
                "kind": kind(span.kind),
                "offset_ns": step.start_ns - start_ns,
                "duration_ns": step.end_ns - step.start_ns,
            })
        })
        .collect();
    json!({
        "trace_id": trace.trace_id.to_string(),
        "start_ns": start_ns.to_string(),
        "duration_ns": paths.duration_ns,
        "doubts": doubts(&forest.doubts),
        "steps": steps,
        "operations": operations(&paths),
    })
}

fn paths_json(paths: &CriticalPaths) -> Value {
    json!({
        "traces": paths.traces,
        "spans": paths.spans,
        "duration_ns": paths.duration_ns,
        "is_cut": paths.is_cut,
        "doubts": doubts(&paths.doubts),
        "operations": operations(paths),
    })
}

fn operations(paths: &CriticalPaths) -> Vec<Value> {
    let operation = |share: &PathShare| {
        json!({
            "service": share.service,
            "name": share.name,
            "kind": kind(share.kind),
            "traces": share.traces,
            "spans": share.spans,
            "self_ns": share.self_ns,
            "share": share.share,
            "longest_ns": share.longest_ns,
        })
    };
    paths.shares().iter().map(operation).collect()
}

async fn answer_attributes(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<Value> {
    let limit = asked.number("limit", VALUES_DEFAULT, VALUES_MAX)? as usize;
    let selection = asked.get("selection").ok_or_else(|| Error::invalid("cannot compare spans: want selection, such as { status = error }"))?;
    let request = PopulationRequest {
        query: traceql::parse_query(asked.get("query").unwrap_or("{}"))?,
        selection: traceql::parse_query(selection)?,
        range: asked.range(state.engine.clock().now_ns())?,
    };
    let population = state.engine.population(tenant, request).await?;
    let value = |found: &Finding| {
        json!({
            "attribute": found.name,
            "value": found.value,
            "selected": found.selected,
            "others": found.others,
            "selected_share": found.selected_share,
            "others_share": found.others_share,
            "lift": found.lift,
            "score": found.score,
        })
    };
    let values: Vec<Value> = population.findings(limit).iter().map(value).collect();
    Ok(json!({ "selected": population.selected(), "others": population.others(), "is_cut": population.is_cut(), "values": values }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_most_is_told_with_what_is_above() {
        let node = |parent: Option<usize>, before: i64, after: i64| DiffNode {
            parent,
            service: "a".to_owned(),
            name: "x".to_owned(),
            kind: 1,
            base: NodeStats { count: 1, self_ns: before, ..NodeStats::default() },
            compare: NodeStats { count: 1, self_ns: after, ..NodeStats::default() },
        };
        let nodes = [node(None, 5, 5), node(Some(0), 7, 7), node(Some(0), 1, 2), node(Some(2), 10, 99), node(Some(1), 3, 9)];
        assert_eq!(most_changed(&nodes, 9), [0, 1, 2, 3, 4]);
        assert_eq!(most_changed(&nodes, 3), [0, 2, 3]);
        assert_eq!(most_changed(&nodes, 4), [0, 1, 2, 3]);
        assert_eq!(most_changed(&nodes, 1), [0]);
    }

    #[test]
    fn a_change_is_more_than_what_differs_from_run_to_run() {
        let stats = |count: u64, errors: u64, self_ms: i64| NodeStats { count, errors, self_ns: self_ms * 1_000_000, duration_ns: 0 };
        for (base, compare, want) in [
            (stats(0, 0, 0), stats(1, 0, 5), "new"),
            (stats(1, 0, 5), stats(0, 0, 0), "missing"),
            (stats(1, 0, 5), stats(2, 0, 5), "changed"),
            (stats(1, 0, 5), stats(1, 1, 5), "changed"),
            (stats(1, 0, 100), stats(1, 0, 105), "same"),
            (stats(1, 0, 100), stats(1, 0, 120), "changed"),
            (stats(1, 0, 1), stats(1, 0, 1), "same"),
        ] {
            assert_eq!(change(&base, &compare), want);
        }
    }
}
