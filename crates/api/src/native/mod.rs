//! What only Signalbox speaks: SQL over everything.

use axum::Router;
use axum::routing::post;

use crate::ApiState;

mod render;
mod sql;

/// `/api/v1/sql`, to be mounted at the root.
pub fn router(state: ApiState) -> Router {
    Router::new().route("/api/v1/sql", post(sql::answer)).with_state(state)
}
