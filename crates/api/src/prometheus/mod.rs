//! Prometheus' HTTP API: <https://prometheus.io/docs/prometheus/latest/querying/api/>.
//!
//! Answers are `{"status":"success","data":…,"warnings":[…],"infos":[…]}`, refusals
//! `{"status":"error","errorType":…,"error":…}` in the words of Prometheus, because people search the web for them.
//! Samples are written as they are: no tree of JSON values is built for an answer.

use axum::Router;
use axum::routing::get;

use crate::ApiState;

mod alerts;
mod ast;
mod labels;
mod language;
mod metadata;
mod number;
mod params;
mod query;
mod refusal;
mod render;
mod rules;
mod status;

/// The API, to be mounted below `/api/v1`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(metadata::exemplars).post(metadata::exemplars))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route("/metadata", get(metadata::metadata))
        .route("/format_query", get(language::format).post(language::format))
        .route("/parse_query", get(language::parse).post(language::parse))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/tsdb", get(status::tsdb))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(alerts::alerts))
        .with_state(state)
}
