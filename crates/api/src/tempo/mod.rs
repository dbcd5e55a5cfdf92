//! Tempo's HTTP API, as far as TraceQL is spoken: <https://grafana.com/docs/tempo/latest/api_docs/>.
//!
//! A trace is OTLP: protobuf for `Accept: application/protobuf`, else OTLP's JSON (identifiers are hexadecimal digits).

use axum::Router;
use axum::routing::get;

use crate::ApiState;

mod params;
mod search;
mod tags;
mod trace;

/// The API, to be mounted below `/tempo`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/traces/{trace_id}", get(trace::v1))
        .route("/api/v2/traces/{trace_id}", get(trace::v2))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tags::names))
        .route("/api/v2/search/tags", get(tags::names_v2))
        .route("/api/search/tag/{name}/values", get(tags::values))
        .route("/api/v2/search/tag/{name}/values", get(tags::values_v2))
        .route("/api/echo", get(trace::echo))
        .route("/api/status/buildinfo", get(trace::build_info))
        .with_state(state)
}
