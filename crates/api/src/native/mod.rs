//! What only Signalbox speaks: SQL over everything, search over logs, exports, and the cost of series.

use axum::Router;
use axum::routing::{get, post};

use crate::ApiState;

pub(crate) mod asker;
mod cardinality;
mod export;
mod render;
pub(crate) mod search;
mod sql;

/// `/api/v1/sql`, `/api/v1/export`, `/api/v1/logs/…` and `/api/v1/cardinality`, to be mounted at the root.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v1/sql", post(sql::answer))
        .route("/api/v1/export", get(export::answer).post(export::answer))
        .route("/api/v1/logs/search", get(search::records).post(search::records))
        .route("/api/v1/logs/histogram", get(search::histogram).post(search::histogram))
        .route("/api/v1/logs/facets", get(search::facets).post(search::facets))
        .route("/api/v1/cardinality", get(cardinality::answer))
        .with_state(state)
}
