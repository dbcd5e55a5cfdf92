//! OTLP/gRPC.
//!
//! The three `Export` calls, unary; see [`crate::grpc`].

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::post;
use signalbox_model::Signal;
use tokio::net::TcpListener;

use super::{Format, Settings, reply};
use crate::door::{Context, Entry};
pub use crate::grpc::with_unknown_calls;
use crate::grpc::{self, failure, success};
use crate::http::Protocol;

const GRPC: Protocol = Protocol("otlp_grpc");

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
}

/// OTLP/gRPC as routes, to be served over HTTP/2.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings });
    let mut router = Router::new();
    for (signal, path) in [
        (Signal::Metrics, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
        (Signal::Logs, "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        (Signal::Traces, "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ] {
        let export = move |State(door): State<Arc<Door>>, request: Request<Body>| async move { export(&door, signal, request).await };
        router = router.route(path, post(export));
    }
    router.layer(axum::extract::DefaultBodyLimit::disable()).with_state(door)
}

/// Serves OTLP/gRPC (HTTP/2 with prior knowledge) until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// Of the listener.
pub async fn serve(listener: TcpListener, entry: Entry, settings: Settings, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    axum::serve(listener, with_unknown_calls(routes(entry, settings))).with_graceful_shutdown(shutdown).await
}

async fn export(door: &Door, signal: Signal, request: Request<Body>) -> Response<Body> {
    if let Some(refusal) = grpc::not_a_call(&request) {
        return refusal;
    }
    let translation = door.settings.translation.clone();
    let decode = move |bytes: &[u8], context: &Context<'_>| super::decode(signal, Format::Protobuf, bytes, context, &translation);
    match grpc::take(&door.entry, GRPC, &door.settings.limits, request, decode).await {
        Ok(outcome) => success(&reply::response(signal, &outcome)),
        Err((code, refusal)) => failure(code, &refusal),
    }
}
