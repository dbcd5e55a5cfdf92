//! Tempo's API: <https://grafana.com/docs/tempo/latest/api_docs/>, over HTTP and over gRPC.
//!
//! | part | here |
//! |---|---|
//! | a trace | OTLP: protobuf for `Accept: application/protobuf`, else JSON as Tempo's Go code prints it, with identifiers in base64 |
//! | search, metrics, names and values of attributes | the messages of `tempopb`: `proto::tempo`; one function makes each, for both ways |
//! | JSON of messages | [`json`], the short form for language models [`brief`] |
//! | `tempopb.StreamingQuerier` | [`streaming`] |
//!
//! Refusals are plain text with the words of Tempo, where it has some.

use axum::Router;
use axum::routing::{any, get, post};

use crate::ApiState;

mod brief;
mod diff;
mod json;
mod metrics;
mod params;
mod partial;
mod search;
mod settings;
mod status;
mod streaming;
mod tags;
mod trace;
mod values;

pub use settings::Settings;
pub(crate) use streaming::router as streaming_router;

/// The API, to be mounted below `/tempo`, or at the root of an address of its own.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/traces/{trace_id}", get(trace::v1))
        .route("/api/v2/traces/{trace_id}", get(trace::v2))
        .route("/api/v2/traces/diff", post(diff::diff))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tags::names))
        .route("/api/v2/search/tags", get(tags::names_v2))
        .route("/api/search/tag/{name}/values", get(tags::values))
        .route("/api/v2/search/tag/{name}/values", get(tags::values_v2))
        .route("/api/metrics/query_range", get(metrics::range))
        .route("/api/metrics/query", get(metrics::instant))
        .route("/api/echo", get(status::echo))
        .route("/api/status/buildinfo", get(status::build_info))
        .route("/api/overrides", any(status::overrides))
        .route("/api/mcp", any(status::mcp))
        .route("/ready", get(status::ready))
        .route("/status", get(status::all))
        .route("/status/{part}", get(status::part))
        .fallback(status::unknown)
        .with_state(state)
}
