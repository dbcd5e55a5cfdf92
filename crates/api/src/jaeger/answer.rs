//! The envelope of all answers.

use axum::response::{IntoResponse, Response};
use http::Uri;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Value, json};
use signalbox_model::{Error, ErrorKind};

use crate::http::{Params, status};

/// Indentation of answers that people read, as Jaeger has it.
const INDENT: &[u8] = b"    ";

/// A refusal in the envelope of all answers.
#[derive(Debug)]
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = status(&self.0);
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a trace query: {}", self.0);
        }
        let errors = json!([{ "code": code.as_u16(), "msg": self.0.message() }]);
        (code, axum::Json(json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors }))).into_response()
    }
}

/// Any path that is not there. What Jaeger's interface can be set up to ask for says what there is instead.
pub(super) async fn nothing_there(uri: Uri) -> Refusal {
    let path = uri.path();
    let message = if path.ends_with("/analytics/v1/dependencies") {
        "there are no deep dependencies here: calls between services are at /api/dependencies".to_owned()
    } else if path.ends_with("/api/quality-metrics") {
        "there are no metrics of how good traces are here: unset qualityMetrics in the configuration of the interface".to_owned()
    } else {
        format!("path {path} was not found")
    };
    Refusal(Error::new(ErrorKind::NotFound, message))
}

/// What is answered.
#[derive(Debug, Serialize)]
pub(super) struct Structured<T> {
    data: T,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Value>>,
}

impl<T: Serialize> Structured<T> {
    /// Data that is a part of nothing larger.
    pub(super) fn of(data: T) -> Self {
        Self { data, total: 0, limit: 0, offset: 0, errors: None }
    }

    /// Data with its number.
    pub(super) fn counted(data: T, total: usize) -> Self {
        Self { total, ..Self::of(data) }
    }

    /// With what could not be answered.
    pub(super) fn with_errors(self, errors: Vec<Value>) -> Self {
        Self { errors: (!errors.is_empty()).then_some(errors), ..self }
    }

    /// As the parameter `prettyPrint` wants it.
    pub(super) fn respond(&self, params: &Params) -> Response {
        respond(self, params)
    }
}

/// Any JSON, as the parameter `prettyPrint` wants it.
pub(super) fn respond(answer: &impl Serialize, params: &Params) -> Response {
    let body = match params.get("prettyPrint") {
        None | Some("false") => serde_json::to_vec(answer),
        Some(_) => {
            let mut body = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(INDENT);
            answer.serialize(&mut serde_json::Serializer::with_formatter(&mut body, formatter)).map(|()| body)
        }
    };
    match body {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => Refusal(Error::internal(format!("cannot write an answer: {error}"))).into_response(),
    }
}
