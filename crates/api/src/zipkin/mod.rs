//! Zipkin's read API, second version: <https://zipkin.io/zipkin-api/>.
//!
//! Spans of OpenTelemetry are shown as its specification maps them (`trace/sdk_exporters/zipkin.md`), and with the names of
//! the OpenTelemetry collector where the specification has none, so that what came in as Zipkin reads back equal:
//!
//! | Zipkin | span |
//! |---|---|
//! | `traceId`, `id`, `parentId` | identifiers; 16 digits where the upper half of a trace's is zero |
//! | `kind` | client, server, producer, consumer; internal is the tag `span.kind` |
//! | `timestamp`, `duration` | microseconds; absent where the source sent none (`otel.zipkin.absentField.startTime`) |
//! | `localEndpoint` | `service.name` of the resource, `net.host.ip`, `net.host.port` |
//! | `remoteEndpoint` | `peer.service`, `net.peer.ip`, `net.peer.port`; else what newer conventions call the peer |
//! | `annotations` | events; their attributes as JSON behind the name |
//! | `tags` | attributes of span and resource, scope, status, `otlp.link.N`, `w3c.tracestate` |
//! | `debug`, `shared` | `zipkin.debug`, `zipkin.shared` |

use axum::Router;
use axum::routing::get;

use crate::ApiState;

mod annotation;
mod endpoint;
mod listing;
mod params;
mod span;
mod traces;

/// The API, to be mounted below `/zipkin`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/v2/services", get(listing::services))
        .route("/api/v2/spans", get(listing::span_names))
        .route("/api/v2/remoteServices", get(listing::remote_services))
        .route("/api/v2/autocompleteKeys", get(listing::keys))
        .route("/api/v2/autocompleteValues", get(listing::values))
        .route("/api/v2/dependencies", get(listing::dependencies))
        .route("/api/v2/traces", get(traces::search))
        .route("/api/v2/trace/{trace_id}", get(traces::by_id))
        .route("/api/v2/traceMany", get(traces::many))
        .with_state(state)
}
