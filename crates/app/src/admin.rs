//! What operators and orchestrators ask: does it live, is it ready, how is it doing.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::{Request, StatusCode, header};
use signalbox_store::Store;
use signalbox_telemetry::{Reading, metrics, names, process, registry};

use crate::reload::Reloader;
use crate::serve::not_now;
use crate::shutdown::{Phase, Stand};

/// What the answers depend on.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    /// Where the server stands.
    pub phase: Phase,
    /// When the process started, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
}

/// `/-/healthy`, `/-/ready`, `/metrics`.
pub(crate) fn router(admin: Admin) -> Router {
    Router::new().route("/-/healthy", get(async || "healthy\n")).route("/-/ready", get(ready)).route("/metrics", get(exposition)).with_state(admin)
}

/// `POST /-/flush` and `POST /-/compact`, answered when it is done.
pub(crate) fn store_router(store: Store) -> Router {
    Router::new().route("/-/flush", post(flush)).route("/-/compact", post(compact)).with_state(store)
}

/// `POST /-/reload`, as SIGHUP: empty when it is done, else why it is not.
pub(crate) fn reload_router(reloader: Arc<Reloader>) -> Router {
    Router::new().route("/-/reload", post(reload).put(reload)).with_state(reloader)
}

async fn reload(State(reloader): State<Arc<Reloader>>) -> (StatusCode, String) {
    match reloader.reload().await {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => {
            tracing::error!("what is in force stays in force: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {error}\n"))
        }
    }
}

/// Health and metrics, and "not yet" to all other requests: for the time before the store is open.
pub(crate) fn router_before_the_store(admin: Admin) -> Router {
    let not_yet = async |request: Request<axum::body::Body>| not_now(request.headers(), "the store is being opened");
    router(admin).fallback(not_yet)
}

/// Everything that this process measures about itself, sorted by family.
pub(crate) fn readings(start_ns: i64) -> Vec<Reading> {
    registry().gauge(names::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
    let mut readings = process::readings(start_ns);
    readings.extend(registry().read());
    readings
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.phase.stand() {
        Stand::Opening => (StatusCode::SERVICE_UNAVAILABLE, "opening: the store is being opened and its WAL replayed\n"),
        Stand::Ready => (StatusCode::OK, "ready\n"),
        Stand::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining: the server is being stopped\n"),
    }
}

/// What the heads hold becomes segments.
async fn flush(State(store): State<Store>) -> impl IntoResponse {
    done(store.flush().await)
}

/// The same, and all segments are merged as far as they ever will be.
async fn compact(State(store): State<Store>) -> impl IntoResponse {
    done(store.compact().await)
}

fn done(result: signalbox_model::Result<()>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "done\n".into()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn exposition(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&readings(admin.start_ns)))
}
