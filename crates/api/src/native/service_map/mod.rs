//! `GET /api/v1/service_map`: services, and who calls whom, with rate, errors and durations; `GET /api/v1/service_map/operations`:
//! the same by operation. Both come from the metrics that are made of spans, so they cost the same however many spans there are.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `start`, `end` | bounds of the range, seconds since the Unix epoch | the last hour |
//! | `service` | only this service and those that it calls or is called by; of operations, only its own | all |
//!
//! Rates are by second, over the range; durations are in seconds, null where nothing is known of them.
//!
//! ```json
//! {
//!   "start_ms": 1700000000000, "end_ms": 1700003600000,
//!   "nodes": [{"name": "checkout", "kind": "service", "rate": 12.5, "error_rate": 0.1, "p50": 0.02, "p95": 0.3, "p99": 1.2}],
//!   "edges": [{"client": "checkout", "server": "orders", "connection": "database", "rate": 8.0, "error_rate": 0.0,
//!              "p50": 0.002, "p95": 0.01, "p99": 0.03}]
//! }
//! ```
//!
//! The kind of a node: `service` sends spans, what its servers and consumers did is its rate; `database`; `external` is called and sends no
//! spans; `user` calls from outside. What these do is what their edges say. The connection of an edge: `request`, `messaging_system`,
//! `database` or `virtual_node`; its durations are those of the client, or where that sends no spans, of the server.
//!
//! ```json
//! {
//!   "start_ms": 1700000000000, "end_ms": 1700003600000,
//!   "operations": [{"service": "checkout", "name": "POST /pay", "kind": "server", "rate": 2.5, "error_rate": 0.1,
//!                   "p50": 0.02, "p95": 0.3, "p99": 1.2}]
//! }
//! ```
//!
//! Nodes and edges are sorted by name, operations by rate, the highest first. What goes wrong has a status and
//! `{"error": {"kind": "invalid", "message": "..."}}`.

mod ask;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_model::{Error, Result, Tenant, TimeRange};

use crate::ApiState;
use crate::http::{Asker, Params};
use ask::{Measured, Measures, Question};

const HOUR_MS: i64 = 3_600_000;
/// Operations of an answer: those that are called most.
const OPERATIONS_MAX: usize = 1000;

const CALLS: &str = "traces_spanmetrics_calls_total";
const LATENCY: &str = "traces_spanmetrics_latency";
const REQUESTS: &str = "traces_service_graph_request_total";
const FAILED: &str = "traces_service_graph_request_failed_total";
const CLIENT_SECONDS: &str = "traces_service_graph_request_client_seconds";
const SERVER_SECONDS: &str = "traces_service_graph_request_server_seconds";
const SERVED: &str = r#"span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER""#;
const ERRORS: &str = r#"status_code="STATUS_CODE_ERROR""#;

/// Answers with nodes and edges.
pub(super) async fn answer(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Response {
    respond(map(&state, &tenant, &params).await)
}

/// Answers with operations.
pub(super) async fn operations(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Response {
    respond(list(&state, &tenant, &params).await)
}

fn respond(answered: Result<Value>) -> Response {
    match answered {
        Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response(),
        Err(error) => super::sql::refuse(&error),
    }
}

async fn map(state: &ApiState, tenant: &Tenant, params: &Params) -> Result<Value> {
    let range = range(params, state.engine.clock().now_ms())?;
    let question = Question { state, tenant, range };
    let services = question.measure(&["service"], (CALLS, SERVED), (CALLS, &format!("{SERVED}, {ERRORS}")), &[(LATENCY, SERVED)]).await?;
    let all = question.rates(&["service"], CALLS, "").await?;
    let by_edge = ["client", "server", "connection_type"];
    let edges = question.measure(&by_edge, (REQUESTS, ""), (FAILED, ""), &[(CLIENT_SECONDS, ""), (SERVER_SECONDS, "")]).await?;
    let called = question.measure(&["server", "connection_type"], (REQUESTS, ""), (FAILED, ""), &[(CLIENT_SECONDS, ""), (SERVER_SECONDS, "")]).await?;
    let instrumented = all.into_keys().filter_map(|labels| labels.into_iter().next()).collect();
    Ok(render(range, params.get("service"), instrumented, services, edges, called))
}

async fn list(state: &ApiState, tenant: &Tenant, params: &Params) -> Result<Value> {
    let range = range(params, state.engine.clock().now_ms())?;
    let question = Question { state, tenant, range };
    let own = params.get("service").map(|service| format!("service={}", signalbox_lang::text::quote(service))).unwrap_or_default();
    let failed = format!("{own}{}{ERRORS}", if own.is_empty() { "" } else { ", " });
    let found = question.measure(&["service", "span_name", "span_kind"], (CALLS, &own), (CALLS, &failed), &[(LATENCY, &own)]).await?;
    let mut operations: Vec<(Vec<String>, Measured)> = found.into_iter().collect();
    operations.sort_by(|left, right| right.1.rate.total_cmp(&left.1.rate).then_with(|| left.0.cmp(&right.0)));
    operations.truncate(OPERATIONS_MAX);
    let operation = |(labels, measured): &(Vec<String>, Measured)| {
        let [service, name, kind] = labels.as_slice() else { return Value::Null };
        let kind = kind.strip_prefix("SPAN_KIND_").unwrap_or(kind).to_lowercase();
        measured.join(json!({ "service": service, "name": name, "kind": kind }))
    };
    let operations: Vec<Value> = operations.iter().map(operation).collect();
    Ok(json!({ "start_ms": range.start_ms(), "end_ms": range.end_ms(), "operations": operations }))
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Service,
    Database,
    External,
    User,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Database => "database",
            Self::External => "external",
            Self::User => "user",
        }
    }
}

fn render(range: TimeRange, only: Option<&str>, instrumented: BTreeSet<String>, services: Measures, edges: Measures, called: Measures) -> Value {
    let edges: Vec<([String; 3], Measured)> = edges
        .into_iter()
        .filter_map(|(labels, measured)| Some((<[String; 3]>::try_from(labels).ok()?, measured)))
        .filter(|([client, server, _], _)| only.is_none_or(|only| client == only || server == only))
        .collect();
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let mut note = |name: &str, kind: Kind| {
        let kind = if instrumented.contains(name) { Kind::Service } else { kind };
        let known = kinds.entry(name.to_owned()).or_insert(kind);
        *known = kind.min(*known);
    };
    for ([client, server, connection], _) in &edges {
        note(client, if connection == "virtual_node" { Kind::User } else { Kind::Service });
        note(server, if connection == "database" { Kind::Database } else { Kind::External });
    }
    instrumented.iter().filter(|name| only.is_none_or(|only| *name == only)).for_each(|name| note(name, Kind::Service));
    let by_service: BTreeMap<String, Measured> = services.into_iter().filter_map(|(labels, measured)| Some((labels.into_iter().next()?, measured))).collect();
    // Of several connections to one name the busiest says how long its calls take.
    let mut by_server: BTreeMap<String, Measured> = BTreeMap::new();
    for (labels, measured) in called {
        let Some(server) = labels.into_iter().next() else { continue };
        match by_server.get_mut(&server) {
            Some(known) => known.add(&measured),
            None => drop(by_server.insert(server, measured)),
        }
    }
    let node = |(name, kind): (&String, &Kind)| {
        let measured = match kind {
            Kind::Service => by_service.get(name),
            Kind::Database | Kind::External => by_server.get(name),
            Kind::User => None,
        };
        measured.cloned().unwrap_or_default().join(json!({ "name": name, "kind": kind.as_str() }))
    };
    let edge = |([client, server, connection], measured): &([String; 3], Measured)| {
        let connection = if connection.is_empty() { "request" } else { connection };
        measured.join(json!({ "client": client, "server": server, "connection": connection }))
    };
    json!({
        "start_ms": range.start_ms(), "end_ms": range.end_ms(),
        "nodes": kinds.iter().map(node).collect::<Vec<_>>(),
        "edges": edges.iter().map(edge).collect::<Vec<_>>(),
    })
}

fn range(params: &Params, now_ms: i64) -> Result<TimeRange> {
    let end_ms = super::cardinality::seconds(params, "end")?.unwrap_or(now_ms);
    let start_ms = super::cardinality::seconds(params, "start")?.unwrap_or(end_ms.saturating_sub(HOUR_MS));
    if end_ms <= start_ms {
        return Err(Error::invalid("cannot show services: end is not behind start"));
    }
    Ok(TimeRange::from_ms(start_ms, end_ms))
}
