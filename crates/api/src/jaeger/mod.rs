//! Jaeger's query APIs, as its UI, Grafana, Kiali and its own query service use them:
//! <https://www.jaegertracing.io/docs/latest/apis/>.
//!
//! | API | here |
//! |---|---|
//! | JSON of the UI, `/api/…` | [`traces`], [`listing`], [`spm`] |
//! | third API, `/api/v3/…`: OTLP's JSON | [`v3`] |
//! | gRPC: `jaeger.api_v2`, `jaeger.api_v3`, `jaeger.storage.v2` | [`calls`] |
//!
//! Spans of OpenTelemetry are shown as Jaeger's own translation writes them ([`model`]): what Jaeger has no field for is a tag
//! (`span.kind`, `error`, `otel.status_code`, `otel.status_description`, `otel.scope.name`, `w3c.tracestate`,
//! `otel.dropped_*_count`), links are `FOLLOWS_FROM` references. Before that they are adjusted as its query service does
//! ([`adjust`]). Times are microseconds in JSON.

use axum::Router;
use axum::routing::{get, post};

use crate::ApiState;

mod adjust;
mod answer;
mod archive;
mod calls;
mod filter;
mod json;
mod listing;
mod model;
mod params;
mod question;
mod settings;
mod spm;
mod summary;
mod traces;
mod transform;
mod v3;

pub use archive::{Archive, NoArchive};
pub use settings::Settings;

/// What Jaeger calls the service of a span without one.
pub(crate) const UNKNOWN_SERVICE: &str = "unknown_service";

/// The API over HTTP, to be mounted below `/jaeger`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/services", get(listing::services))
        .route("/api/services/{service}/operations", get(listing::operation_names))
        .route("/api/operations", get(listing::operations))
        .route("/api/dependencies", get(listing::dependencies))
        .route("/api/traces", get(traces::search))
        .route("/api/traces/{trace_id}", get(traces::by_id))
        .route("/api/archive/{trace_id}", post(traces::archive))
        .route("/api/transform", post(traces::transform))
        .route("/api/metrics/latencies", get(spm::latencies))
        .route("/api/metrics/calls", get(spm::calls))
        .route("/api/metrics/errors", get(spm::errors))
        .route("/api/metrics/minstep", get(spm::min_step))
        .route("/api/v3/services", get(v3::services))
        .route("/api/v3/operations", get(v3::operations))
        .route("/api/v3/dependencies", get(v3::dependencies))
        .route("/api/v3/traces", get(v3::search))
        .route("/api/v3/traces/{trace_id}", get(v3::by_id))
        .route("/api/v3/trace-summaries", get(v3::summaries))
        .fallback(answer::nothing_there)
        .with_state(state)
}

/// The query services over gRPC, at the root: their paths are nobody else's.
pub fn grpc_router(state: ApiState) -> Router {
    calls::query_routes().with_state(state)
}

/// The storage that a query service of Jaeger reads from, over gRPC; what it writes is OTLP.
pub fn storage_router(state: ApiState) -> Router {
    calls::storage_routes().with_state(state)
}

/// The stored name of a service that is shown under [`UNKNOWN_SERVICE`] when it has none.
fn stored_service(shown: &str) -> &str {
    if shown == UNKNOWN_SERVICE { "" } else { shown }
}

fn shown_service(stored: &str) -> &str {
    if stored.is_empty() { UNKNOWN_SERVICE } else { stored }
}
