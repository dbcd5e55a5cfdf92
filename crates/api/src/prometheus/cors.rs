//! What is true of all paths: calls from pages of other origins by Prometheus' rules, `OPTIONS`, and methods that a path has not.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::ApiState;

const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("Accept, Authorization, Content-Type, Origin");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("Date");
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const ANYBODY: HeaderValue = HeaderValue::from_static("*");

/// Says on every answer who may read it.
pub(super) async fn allow(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned();
    let mut response = if request.method() == Method::OPTIONS { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        *response.body_mut() = Body::from("Method Not Allowed\n");
        response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let head = response.headers_mut();
    head.append(header::VARY, ORIGIN);
    if let Some(origin) = origin {
        write(head, &state, origin);
    }
    response
}

fn write(head: &mut HeaderMap, state: &ApiState, origin: HeaderValue) {
    head.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    head.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    head.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    match &state.prometheus.cors_origin {
        None => drop(head.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY)),
        Some(allowed) if origin.to_str().is_ok_and(|origin| allowed.is_match(origin)) => drop(head.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin)),
        Some(_) => {}
    }
}
