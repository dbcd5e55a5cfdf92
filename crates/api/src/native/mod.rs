//! What only Signalbox speaks: SQL over everything, and the cost of series.

use axum::Router;
use axum::routing::{get, post};

use crate::ApiState;

pub(crate) mod asker;
mod cardinality;
mod render;
mod sql;

/// `/api/v1/sql` and `/api/v1/cardinality`, to be mounted at the root.
pub fn router(state: ApiState) -> Router {
    Router::new().route("/api/v1/sql", post(sql::answer)).route("/api/v1/cardinality", get(cardinality::answer)).with_state(state)
}
