//! `GET /openapi.yaml`: which paths there are, for machines and for people whose path was not found.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

const DESCRIPTION: &str = include_str!("openapi.yaml");

/// `GET /openapi.yaml`
pub(super) async fn openapi() -> Response {
    let text = DESCRIPTION.replace("version: \"VERSION\"", concat!("version: \"", env!("CARGO_PKG_VERSION"), "\""));
    ([(CONTENT_TYPE, "application/yaml; charset=utf-8")], text).into_response()
}
