//! Who answers and how it is set, and the paths of Loki that are about one of many processes.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_lang::logql;

use super::params::Refusal;
use crate::ApiState;
use crate::http::Params;

/// `GET /status/buildinfo`
pub(super) async fn build_info() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    axum::Json(json!({ "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" })).into_response()
}

/// `GET|POST /format_query`
pub(super) async fn format_query(params: Params) -> Response {
    let query = params.get("query").unwrap_or("");
    match logql::parse(query) {
        Ok(expr) => axum::Json(json!({ "status": "success", "data": logql::prettify(&expr) })).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, axum::Json(json!({ "status": "invalid-query", "error": error.message() }))).into_response(),
    }
}

/// What Loki calls the limits of a tenant, of those that there are here.
fn limits(state: &ApiState) -> Value {
    let settings = state.engine.settings();
    json!({
        "discover_log_levels": true,
        "discover_service_name": [],
        "max_entries_limit_per_query": settings.results_max,
        "max_query_length": "0s",
        "max_query_lookback": "0s",
        "max_query_range": "0s",
        "max_query_series": settings.logql_series_max,
        "metric_aggregation_enabled": false,
        "pattern_persistence_enabled": true,
        "query_timeout": format!("{}s", settings.timeout_seconds),
        "volume_enabled": true,
    })
}

/// `GET /drilldown-limits`: what Grafana's Logs Drilldown asks before it shows anything.
pub(super) async fn drilldown_limits(State(state): State<ApiState>) -> Response {
    axum::Json(json!({ "limits": limits(&state), "pattern_ingester_enabled": true, "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// `GET /config`, as far as Loki's words fit.
pub(super) async fn config(State(state): State<ApiState>) -> Result<Response, Refusal> {
    // JSON is YAML.
    let text = format!("{:#}\n", json!({ "target": "all", "limits_config": limits(&state) }));
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// `GET /config/tenant/v1/limits`
pub(super) async fn tenant_limits(State(state): State<ApiState>) -> Response {
    // JSON is YAML.
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{:#}\n", limits(&state))).into_response()
}

/// `GET /services`
pub(super) async fn services() -> &'static str {
    "signalbox => Running\n"
}

/// `GET /ready`, below the prefix: who gets an answer at all gets it from a server that is ready.
pub(super) async fn ready() -> &'static str {
    "ready\n"
}

/// `GET|POST /flush`
pub(super) async fn flush(State(state): State<ApiState>) -> Result<StatusCode, Refusal> {
    state.engine.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `/ring`
pub(super) async fn ring() -> Response {
    (StatusCode::NOT_FOUND, "there is no ring: this is one process\n").into_response()
}

/// `/log_level`
pub(super) async fn log_level() -> Response {
    (StatusCode::NOT_FOUND, "the level of the log is set when the server starts: see `telemetry` in the configuration\n").into_response()
}

/// `/api/prom/{path}`: what Loki had before version 1.
pub(super) async fn retired(Path(path): Path<String>) -> Response {
    let instead = match path.split('/').next().unwrap_or("") {
        "query" => "/loki/api/v1/query_range",
        "label" => "/loki/api/v1/labels and /loki/api/v1/label/{name}/values",
        "series" => "/loki/api/v1/series",
        "tail" => "/loki/api/v1/tail",
        "rules" => "/loki/api/v1/rules",
        _ => "what is below /loki/api/v1",
    };
    (StatusCode::GONE, format!("/api/prom/{path} is an API that Loki itself has left behind: use {instead}\n")).into_response()
}
