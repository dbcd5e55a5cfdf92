//! Jaeger's query API as its UI and Grafana use it: <https://www.jaegertracing.io/docs/latest/apis/>.
//!
//! Spans of OpenTelemetry as Jaeger's own translation writes them: what Jaeger has no field for is a tag (`span.kind`,
//! `error`, `otel.status_code`, `otel.status_description`, `otel.scope.name`, `w3c.tracestate`, `otel.dropped_*_count`), links
//! are `FOLLOWS_FROM` references. Times are microseconds.

use axum::Router;
use axum::routing::get;

use crate::ApiState;

mod listing;
mod params;
mod render;
mod traces;

/// What Jaeger calls the service of a span without one.
pub(crate) const UNKNOWN_SERVICE: &str = "unknown_service";

/// The API, to be mounted below `/jaeger`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/services", get(listing::services))
        .route("/api/services/{service}/operations", get(listing::operation_names))
        .route("/api/operations", get(listing::operations))
        .route("/api/dependencies", get(listing::dependencies))
        .route("/api/traces", get(traces::search))
        .route("/api/traces/{trace_id}", get(traces::by_id))
        .with_state(state)
}

/// The stored name of a service that is shown under [`UNKNOWN_SERVICE`] when it has none.
fn stored_service(shown: &str) -> &str {
    if shown == UNKNOWN_SERVICE { "" } else { shown }
}

fn shown_service(stored: &str) -> &str {
    if stored.is_empty() { UNKNOWN_SERVICE } else { stored }
}
