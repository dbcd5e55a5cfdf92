//! What is refused, in the two shapes that Alertmanager has: its own words as a JSON text, and number and message where a request
//! could not even be read.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use signalbox_model::Error;

use crate::http::status as status_of;

/// Number of a value of the wrong type.
const WRONG_TYPE: u16 = 601;
/// Number of a value that is missing.
const MISSING: u16 = 602;
/// Number of a list that is too short.
const TOO_FEW: u16 = 612;

/// A request that is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Read, and refused for what it says.
    Said(Error),
    /// Not read, and why.
    Unread { status: StatusCode, code: u16, message: String },
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl Refusal {
    /// In Alertmanager's words.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::Said(Error::invalid(message))
    }

    fn unread(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Unread { status, code: status.as_u16(), message: message.into() }
    }

    fn unfit(code: u16, message: String) -> Self {
        Self::Unread { status: StatusCode::UNPROCESSABLE_ENTITY, code, message }
    }

    /// A field without which the body makes no sense.
    pub(super) fn missing(path: &str) -> Self {
        Self::unfit(MISSING, format!("{path} in body is required"))
    }

    /// A list without elements.
    pub(super) fn empty(path: &str) -> Self {
        Self::unfit(TOO_FEW, format!("{path} in body should have at least 1 items"))
    }

    /// A value that is none of its type.
    pub(super) fn wrong_type(path: &str, place: &str, kind: &str, value: &str) -> Self {
        Self::unfit(WRONG_TYPE, format!("{path} in {place} must be of type {kind}: {value:?}"))
    }

    /// A body that is no such thing.
    pub(super) fn unreadable(name: &str, why: impl std::fmt::Display) -> Self {
        Self::unread(StatusCode::BAD_REQUEST, format!("parsing {name} body from \"\" failed, because {why}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(error) => (status_of(&error), axum::Json(Value::String(error.message().to_owned()))).into_response(),
            Self::Unread { status, code, message } => (status, axum::Json(json!({ "code": code, "message": message }))).into_response(),
        }
    }
}

/// The body of a request: JSON, and said to be JSON, so that no page of somebody else can make a browser post it.
pub(super) fn read<T: DeserializeOwned>(name: &str, headers: &HeaderMap, body: &Bytes) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(Refusal::missing(name));
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/octet-stream");
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let message = format!("unsupported media type {media_type:?}, only [application/json] are allowed");
        return Err(Refusal::unread(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::unreadable(name, error))
}

/// What is at no path.
pub(super) async fn nothing_there(uri: Uri) -> Refusal {
    Refusal::unread(StatusCode::NOT_FOUND, format!("path {} was not found", uri.path()))
}

/// A method that a path does not have.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let path = uri.path();
    let allowed = match path.rsplit('/').next() {
        Some("alerts" | "silences") => "POST,GET",
        _ if path.starts_with("/api/v2/silence/") => "DELETE,GET",
        _ => "GET",
    };
    Refusal::unread(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not allowed, but [{allowed}] are"))
}
