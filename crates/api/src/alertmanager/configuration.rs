//! Mimir's API for the Alertmanager configuration, `/api/v1/alerts`, as `mimirtool alertmanager` and `cortextool alertmanager` speak it: one
//! document with an `alertmanager.yml` and its templates. There is one, of the default tenant, as there is one set of rules.
//!
//! | key | what |
//! |---|---|
//! | `alertmanager_config` | text of an `alertmanager.yml` |
//! | `template_files` | texts by the names that its `templates` find; names are no paths |
//!
//! `GET` answers what was set, secrets included, as there; `POST` 201 when it is on stable storage and in force, 400 with what is wrong;
//! `DELETE` 200, also if there is none. Where the server has an `alertmanager.yml` as a file, that is in force: `GET` answers 404, `POST` 403.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, ErrorKind};

use super::status;
use crate::ApiState;
use crate::http::status as status_of;

/// What is posted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Posted {
    template_files: Option<BTreeMap<String, String>>,
    alertmanager_config: Option<String>,
}

/// A configuration and its templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeskConfig {
    /// Texts of templates, by name.
    pub template_files: BTreeMap<String, String>,
    /// Text of an `alertmanager.yml`.
    pub alertmanager_config: String,
}

/// `GET /api/v1/alerts`
pub(super) async fn get(State(state): State<ApiState>) -> Response {
    let answered = state.alert_desk.set_config().await.and_then(|config| {
        let text = serde_norway::to_string(&config).map_err(|error| Error::internal("cannot write the configuration as YAML").with_source(error))?;
        Ok(([(CONTENT_TYPE, "application/yaml")], text).into_response())
    });
    answered.unwrap_or_else(|error| refusal(&error, ""))
}

/// `POST /api/v1/alerts`
pub(super) async fn set(State(state): State<ApiState>, body: Bytes) -> Response {
    // Version 1 of Alertmanager's own API took lists of alerts here.
    if body.trim_ascii_start().starts_with(b"[") {
        return status::gone().await;
    }
    let config = match serde_norway::from_slice::<Posted>(&body) {
        Ok(posted) => {
            DeskConfig { template_files: posted.template_files.unwrap_or_default(), alertmanager_config: posted.alertmanager_config.unwrap_or_default() }
        }
        Err(error) => return refusal(&Error::invalid(error.to_string()), "error marshalling YAML Alertmanager config: "),
    };
    match state.alert_desk.put_config(config).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(error) => {
            let is_wrong = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::TooLarge);
            refusal(&error, if is_wrong { "error validating Alertmanager config: " } else { "unable to store the Alertmanager config: " })
        }
    }
}

/// `DELETE /api/v1/alerts`
pub(super) async fn delete(State(state): State<ApiState>) -> Response {
    match state.alert_desk.delete_config().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => refusal(&error, "unable to delete the Alertmanager config: "),
    }
}

/// A refusal in plain text.
fn refusal(error: &Error, what: &str) -> Response {
    if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
        tracing::error!(error = ?error, "cannot answer about the Alertmanager configuration: {error}");
    }
    (status_of(error), format!("{what}{}\n", error.message())).into_response()
}
