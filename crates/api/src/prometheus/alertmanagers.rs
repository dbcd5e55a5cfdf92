//! `GET /alertmanagers`: to which other Alertmanagers alerts are sent, beside those that `notify` tells by itself.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::render;
use crate::ApiState;

/// `GET /alertmanagers`
pub(super) async fn alertmanagers(State(state): State<ApiState>) -> Response {
    let peers = state.alert_desk.alertmanagers();
    let shown = |urls: Vec<String>| urls.into_iter().map(|url| json!({ "url": url })).collect::<Vec<Value>>();
    render::success(&json!({ "activeAlertmanagers": shown(peers.active), "droppedAlertmanagers": shown(peers.dropped) }).to_string())
}
