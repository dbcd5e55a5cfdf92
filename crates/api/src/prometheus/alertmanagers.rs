//! `GET /alertmanagers`: to which other Alertmanagers alerts are sent, beside those that `notify` tells by itself.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::render;
use crate::ApiState;

/// `GET /alertmanagers`
pub(super) async fn alertmanagers(State(state): State<ApiState>) -> Response {
    let active: Vec<Value> = state.alert_desk.alertmanagers().into_iter().map(|url| json!({ "url": url })).collect();
    render::success(&json!({ "activeAlertmanagers": active, "droppedAlertmanagers": [] }).to_string())
}
