//! Loki's HTTP API: <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.
//!
//! A stream is one resource: its labels are the attributes of the resource with `.` as `_`, and `service_name`. What a record
//! has beside its line is the third element of its value; flat, it is among the labels of the stream. A client that sends
//! `X-Loki-Response-Encoding-Flags: categorize-labels`, as Grafana does, gets it below `structuredMetadata` and `parsed`.
//!
//! Refusals are plain text with the words of Loki, where it has some, because people search the web for them.

use axum::Router;
use axum::routing::{any, get, post};

use crate::ApiState;
use crate::ruler::{self, Dialect};

mod answer;
mod delete;
mod desk;
mod fields;
mod index;
mod labels;
mod params;
mod patterns;
mod query;
mod render;
mod settings;
mod statistics;
mod status;
mod tail;

pub use desk::Desk;
pub use settings::Settings;

/// The API, to be mounted below `/loki`. Alerts as Prometheus shows them are not here: who mounts this adds them.
pub fn router(state: ApiState) -> Router {
    let router = Router::new()
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/labels", get(labels::names).post(labels::names))
        .route("/api/v1/label", get(labels::names).post(labels::names))
        .route("/api/v1/label/{name}/values", get(labels::values).post(labels::values))
        .route("/api/v1/series", get(labels::series).post(labels::series))
        .route("/api/v1/detected_labels", get(labels::detected).post(labels::detected))
        .route("/api/v1/detected_fields", get(fields::fields).post(fields::fields))
        .route("/api/v1/detected_field/{name}/values", get(fields::values).post(fields::values))
        .route("/api/v1/patterns", get(patterns::patterns).post(patterns::patterns))
        .route("/api/v1/index/stats", get(index::stats).post(index::stats))
        .route("/api/v1/index/shards", get(index::shards).post(index::shards))
        .route("/api/v1/index/volume", get(index::volume).post(index::volume))
        .route("/api/v1/index/volume_range", get(index::volume_range).post(index::volume_range))
        .route("/api/v1/tail", get(tail::tail))
        .route("/api/v1/delete", post(delete::add).put(delete::add).get(delete::list).delete(delete::cancel))
        .route("/api/v1/format_query", get(status::format_query).post(status::format_query))
        .route("/api/v1/drilldown-limits", get(status::drilldown_limits))
        .route("/api/v1/status/buildinfo", get(status::build_info))
        .route("/ready", get(status::ready))
        .with_state(state.clone());
    let rules = ruler::routes(state.clone(), "/api/v1/rules", Dialect::Loki);
    router.merge(rules).merge(beside(state))
}

/// What Loki has beside its API, of one process; at the root of a listener of its own.
pub fn beside(state: ApiState) -> Router {
    let own = Router::new()
        .route("/config", get(status::config))
        .route("/config/tenant/v1/limits", get(status::tenant_limits))
        .route("/services", get(status::services))
        .route("/flush", get(status::flush).post(status::flush))
        .route("/ring", any(status::ring))
        .route("/log_level", any(status::log_level))
        .route("/api/prom/{*path}", get(status::retired))
        .with_state(state.clone());
    own.merge(ruler::routes(state, "/api/prom/rules", Dialect::Either))
}
