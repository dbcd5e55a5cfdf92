//! Who answers, and whom it can tell.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{DeskReceiver, Refusal, holds, receiver_matchers, time};
use crate::ApiState;
use crate::http::Params;

/// `GET /api/v2/status`: one node, so the cluster is disabled.
pub(super) async fn status(State(state): State<ApiState>) -> Response {
    axum::Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"),
            "revision": "",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
        "config": { "original": state.alert_desk.config() },
        "uptime": time(state.started_ns.div_euclid(1_000_000)),
    }))
    .into_response()
}

/// `GET /api/v2/receivers`
pub(super) async fn receivers(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let matchers = receiver_matchers(&params)?;
    let is_wanted = |receiver: &&DeskReceiver| holds(&matchers, |name| receiver.labels.get(name).map(String::as_str));
    let show = |receiver: &DeskReceiver| match receiver.labels.is_empty() {
        true => json!({ "name": receiver.name }),
        false => json!({ "name": receiver.name, "labels": receiver.labels }),
    };
    let receivers = state.alert_desk.receivers().await;
    Ok(axum::Json(receivers.iter().filter(is_wanted).map(show).collect::<Vec<Value>>()).into_response())
}

/// `GET /-/healthy`, `/-/ready`
pub(super) async fn healthy() -> &'static str {
    "OK"
}

/// The first version of the API, which is gone from Alertmanager too.
pub(super) async fn gone() -> Response {
    let message =
        "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API";
    (StatusCode::GONE, axum::Json(json!({ "status": "deprecated", "error": message }))).into_response()
}
