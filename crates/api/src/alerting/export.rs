//! `GET /api/v1/alerting/rules/export`: the rules in force as rule files that any server loads: those that are files as they stand
//! there, those that were set over HTTP as one file a namespace. With `namespace`, the YAML of that one alone.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::answer::{Refusal, success};
use crate::ApiState;
use crate::http::Params;
use crate::ruler::RuleFileText;

/// `GET rules/export`
pub(super) async fn export(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let files = state.ruler.files().await?;
    if let Some(namespace) = params.get("namespace") {
        let file = files.into_iter().find(|file| file.namespace == namespace);
        let file = file.ok_or_else(|| Refusal::not_found(format!("no rules are in namespace {namespace:?}")))?;
        return Ok(([(CONTENT_TYPE, "application/yaml")], file.text).into_response());
    }
    let show = |file: &RuleFileText| json!({ "namespace": file.namespace, "source": if file.is_file { "file" } else { "api" }, "text": file.text });
    Ok(success(&files.iter().map(show).collect::<Value>()))
}
