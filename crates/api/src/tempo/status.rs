//! Who answers and how it is set, and the paths of Tempo that are about one of many processes.

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::ApiState;

/// Paths that answer, for people who look for them.
pub(super) const PATHS: &[&str] = &[
    "GET /api/echo",
    "GET /api/metrics/query",
    "GET /api/metrics/query_range",
    "GET /api/search",
    "GET /api/search/tag/{name}/values",
    "GET /api/search/tags",
    "GET /api/status/buildinfo",
    "GET /api/traces/{id}",
    "GET /api/v2/search/tag/{name}/values",
    "GET /api/v2/search/tags",
    "GET /api/v2/traces/{id}",
    "POST /api/v2/traces/diff",
    "GET /ready",
    "GET /status",
    "POST /tempopb.StreamingQuerier/{method}",
];

/// `GET /api/echo`
pub(super) async fn echo() -> &'static str {
    "echo\n"
}

/// `GET /api/status/buildinfo`. A bare number would be taken for one of Tempo's: Grafana would find it too old to stream.
pub(super) async fn build_info() -> Response {
    let version = concat!("signalbox-", env!("CARGO_PKG_VERSION"));
    axum::Json(json!({ "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" })).into_response()
}

/// `GET /ready`, below the prefix: who gets an answer at all gets it from a server that is ready.
pub(super) async fn ready() -> &'static str {
    "ready\n"
}

/// `GET /status`
pub(super) async fn all(State(state): State<ApiState>) -> Response {
    let text = format!("{}\n{SERVICES}\n{}\n{}", version(), endpoints(), config(&state));
    plain(StatusCode::OK, text)
}

/// `GET /status/{part}`
pub(super) async fn part(State(state): State<ApiState>, Path(part): Path<String>) -> Response {
    match part.as_str() {
        "version" => plain(StatusCode::OK, version()),
        "services" => plain(StatusCode::OK, SERVICES.to_owned()),
        "endpoints" => plain(StatusCode::OK, endpoints()),
        "config" => plain(StatusCode::OK, config(&state)),
        "runtime_config" | "overrides" => plain(StatusCode::OK, "overrides: {}\n".to_owned()),
        "usage-stats" => plain(StatusCode::OK, "usage is reported to nobody\n".to_owned()),
        _ => {
            plain(StatusCode::NOT_FOUND, format!("cannot tell {part:?}: want version, services, endpoints, config, runtime_config, overrides or usage-stats\n"))
        }
    }
}

/// `/api/overrides`
pub(super) async fn overrides() -> Response {
    plain(StatusCode::NOT_FOUND, "there are no overrides: limits are set in the configuration, for all tenants\n".to_owned())
}

/// `/api/mcp`
pub(super) async fn mcp() -> Response {
    plain(StatusCode::NOT_FOUND, "there is no MCP server here: ask /api/search, /api/metrics/query_range and /api/v2/traces/{id}, which answer models with `Accept: application/vnd.grafana.llm`\n".to_owned())
}

/// Any other path.
pub(super) async fn unknown() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
}

const SERVICES: &str = "signalbox => Running\n";

fn version() -> String {
    format!("signalbox, version {}\n", env!("CARGO_PKG_VERSION"))
}

fn endpoints() -> String {
    PATHS.iter().fold(String::new(), |mut text, path| {
        // Text grows: writing into it cannot fail.
        let _written = writeln!(text, "{path}");
        text
    })
}

/// What Tempo would call its configuration, as far as its words fit.
fn config(state: &ApiState) -> String {
    let settings = state.engine.settings();
    // JSON is YAML.
    let shown = json!({
        "target": "all",
        "stream_over_http_enabled": true,
        "query_frontend": {
            "search": { "default_result_limit": super::search::LIMIT_DEFAULT, "max_result_limit": settings.results_max },
            "metrics": { "max_exemplars": super::metrics::EXEMPLARS_MAX, "max_response_series": super::metrics::SERIES_MAX },
            "max_outstanding_per_tenant": settings.waiting_max,
        },
        "querier": { "max_concurrent_queries": settings.concurrent_max, "search": { "query_timeout": format!("{}s", settings.timeout_seconds) } },
    });
    format!("{shown:#}\n")
}

fn plain(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
