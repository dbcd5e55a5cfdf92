//! Prometheus' HTTP API: <https://prometheus.io/docs/prometheus/latest/querying/api/>.
//!
//! Answers are `{"status":"success","data":…,"warnings":[…],"infos":[…]}`, refusals
//! `{"status":"error","errorType":…,"error":…}` in the words of Prometheus, because people search the web for them.
//! Samples are written as they are: no tree of JSON values is built for an answer.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware;
use axum::routing::{any, get, post};

use crate::ApiState;

mod admin;
mod alertmanagers;
mod alerts;
mod ast;
mod cors;
mod desk;
mod features;
mod federate;
mod flags;
mod labels;
mod language;
mod metadata;
mod notices;
mod number;
mod openapi;
mod params;
mod query;
mod read;
mod refusal;
mod render;
mod rules;
mod search;
mod self_metrics;
mod settings;
mod status;
mod targets;
mod tsdb;

pub use desk::Desk;
pub use notices::Notices;
pub use settings::Settings;
pub use targets::{ActiveTarget, NoTargets, RelabelStep, TargetPool, TargetSource};

use refusal::Refusal;

/// Where the API is: where Prometheus has it, and below the prefix that clients of several dialects use.
const PREFIXES: [&str; 2] = ["", "/prometheus"];

/// The API and what Prometheus has beside it, with full paths.
pub fn router(state: &ApiState) -> Router {
    let mut router = Router::new();
    for prefix in PREFIXES {
        router = router.nest(&format!("{prefix}/api/v1"), api(state.clone())).merge(beside(prefix, state.clone()));
    }
    router
}

/// What lies below `/api/v1`. What receivers take there (`write`, `otlp/v1/metrics`) is theirs.
fn api(state: ApiState) -> Router {
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
        .route("/status/config", get(status::config))
        .route("/status/flags", get(flags::flags))
        .route("/status/walreplay", get(status::wal_replay))
        .route("/status/self_metrics", get(self_metrics::self_metrics))
        .route("/status/tsdb", get(tsdb::status))
        .route("/status/tsdb/blocks", get(tsdb::blocks))
        .route("/features", get(features::features))
        .route("/notifications", get(notices::list))
        .route("/notifications/live", get(notices::live))
        .route("/alertmanagers", get(alertmanagers::alertmanagers))
        .route("/search/metric_names", get(search::metric_names).post(search::metric_names))
        .route("/search/label_names", get(search::label_names).post(search::label_names))
        .route("/search/label_values", get(search::label_values).post(search::label_values))
        .route("/read", post(read::read))
        .route("/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series))
        .route("/admin/tsdb/clean_tombstones", post(admin::clean_tombstones).put(admin::clean_tombstones))
        .route("/admin/tsdb/snapshot", post(admin::snapshot).put(admin::snapshot))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/targets/relabel_steps", get(targets::relabel_steps).post(targets::relabel_steps))
        .route("/scrape_pools", get(targets::pools))
        .route("/scrape_pools/config", get(targets::pool_config))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(alerts::alerts))
        .route("/openapi.yaml", get(openapi::openapi))
        .route("/", any(nothing))
        .route("/{*path}", any(nothing))
        .layer(middleware::from_fn_with_state(state.clone(), cors::allow))
        .with_state(state)
}

/// Rules over logs and their alerts alone: Loki shows its own in the same form.
pub fn log_alerts_router(state: ApiState) -> Router {
    Router::new().route("/rules", get(rules::log_rules)).route("/alerts", get(alerts::log_alerts)).with_state(state)
}

fn beside(prefix: &str, state: ApiState) -> Router {
    Router::new()
        .route(&format!("{prefix}/version"), get(status::version))
        .route(&format!("{prefix}/federate"), get(federate::federate))
        // What is nested below a path has nothing at that path with a slash.
        .route(&format!("{prefix}/api/v1/"), any(nothing))
        .with_state(state)
}

/// What no path is, in an answer that a client can show.
async fn nothing(State(_state): State<ApiState>, request: Request) -> Refusal {
    Refusal::not_found(format!("no such path below /api/v1: {} (/api/v1/openapi.yaml lists them)", request.uri().path()))
}
