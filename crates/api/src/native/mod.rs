//! What only Signalbox speaks: SQL over everything, search over logs, traces compared, exports, the service map, and the cost of series.

use axum::Router;
use axum::routing::{get, post};

use crate::ApiState;

pub(crate) mod asker;
mod cardinality;
mod deletions;
mod export;
mod render;
pub(crate) mod search;
mod service_map;
mod sql;
mod traces;

/// `/api/v1/sql`, `/api/v1/export`, `/api/v1/logs/…`, `/api/v1/traces/…`, `/api/v1/cardinality` and `/api/v1/service_map…`, to be mounted
/// at the root.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v1/sql", post(sql::answer))
        .route("/api/v1/export", get(export::answer).post(export::answer))
        .route("/api/v1/logs/search", get(search::records).post(search::records))
        .route("/api/v1/logs/histogram", get(search::histogram).post(search::histogram))
        .route("/api/v1/logs/facets", get(search::facets).post(search::facets))
        .route("/api/v1/logs/deletions", get(deletions::list))
        .route("/api/v1/traces/{trace_id}", get(traces::trace))
        .route("/api/v1/traces/diff", get(traces::diff).post(traces::diff))
        .route("/api/v1/traces/critical_path", get(traces::critical_path).post(traces::critical_path))
        .route("/api/v1/traces/attributes", get(traces::attributes).post(traces::attributes))
        .route("/api/v1/cardinality", get(cardinality::answer))
        .route("/api/v1/service_map", get(service_map::answer))
        .route("/api/v1/service_map/operations", get(service_map::operations))
        .with_state(state)
}
