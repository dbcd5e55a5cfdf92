//! One folder per outbound dialect: HTTP to query to rendered answer.
//!
//! Each dialect is a folder with `router(state)`; `app` decides under which prefixes the routers are mounted. A dialect knows
//! the engine and its own wire format, never another dialect, never the store.

use std::sync::Arc;

use signalbox_meta::AlertBoard;
use signalbox_query::Engine;

pub mod http;
pub mod jaeger;
pub mod loki;
pub mod native;
pub mod prometheus;
pub mod tempo;

/// What every dialect needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Answers questions.
    pub engine: Arc<Engine>,
    /// When the server began to answer, in nanoseconds since the Unix epoch.
    pub(crate) started_ns: i64,
    /// How rules and alerts are.
    pub(crate) alerts: AlertBoard,
}

impl ApiState {
    /// The state of all dialects, without rules.
    pub fn new(engine: Arc<Engine>) -> Self {
        let started_ns = engine.clock().now_ns();
        Self { engine, started_ns, alerts: AlertBoard::default() }
    }

    /// With the board on which rules and alerts are shown.
    #[must_use]
    pub fn with_alerts(self, alerts: AlertBoard) -> Self {
        Self { alerts, ..self }
    }
}

/// All dialects under their prefixes.
pub fn router(state: &ApiState) -> axum::Router {
    axum::Router::new()
        .nest("/loki", loki::router(state.clone()))
        .nest("/jaeger", jaeger::router(state.clone()))
        .nest("/tempo", tempo::router(state.clone()))
        .nest("/api/v1", prometheus::router(state.clone()))
        .nest("/prometheus/api/v1", prometheus::router(state.clone()))
        .merge(native::router(state.clone()))
}
