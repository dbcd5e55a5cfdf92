//! Loki's HTTP API, as far as LogQL is spoken: <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.
//!
//! A stream is one resource and level: labels are the resource attributes with `.` as `_`, `service_name` and
//! `detected_level`. What a record has beside its line is the third element of its value, an object of text; a client that
//! sends `X-Loki-Response-Encoding-Flags: categorize-labels`, as Grafana does, gets it below `structuredMetadata`.

use axum::Router;
use axum::routing::get;

use crate::ApiState;

mod labels;
mod params;
mod query;
mod render;

/// The API, to be mounted below `/loki`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/labels", get(labels::names).post(labels::names))
        .route("/api/v1/label", get(labels::names))
        .route("/api/v1/label/{name}/values", get(labels::values))
        .route("/api/v1/series", get(labels::series).post(labels::series))
        .route("/api/v1/status/buildinfo", get(labels::build_info))
        .with_state(state)
}
