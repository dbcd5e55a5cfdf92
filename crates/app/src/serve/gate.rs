//! The gate between a listener and its routes: closed until the store is open, so that a server that replays its WAL says
//! so at once instead of letting its clients wait.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tower::ServiceExt as _;

/// Routes that come later. Clones are one gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    before: Router,
    behind: Arc<OnceLock<Router>>,
}

impl Gate {
    /// A closed gate; `before` answers until it opens.
    pub(crate) fn closed(before: Router) -> Self {
        Self { before, behind: Arc::default() }
    }

    /// Opens the gate, once.
    pub(crate) fn open(&self, behind: Router) {
        // The second of two openings would change nothing.
        let _opened = self.behind.set(behind);
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        self.behind.get().unwrap_or(&self.before).clone().oneshot(request).await
    }
}

/// "Try again soon" in the protocol of a request.
pub(crate) fn not_now(headers: &HeaderMap, why: &'static str) -> Response<Body> {
    /// gRPC's UNAVAILABLE.
    const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");
    let is_grpc = headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let mut response = Response::new(Body::empty());
    if is_grpc {
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        head.insert("grpc-status", UNAVAILABLE);
        head.insert("grpc-message", HeaderValue::from_static(why));
        return response;
    }
    *response.body_mut() = Body::from(why);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
