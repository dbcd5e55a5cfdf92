//! `GET /api/v1/alerting/receivers` lists who can be told, `POST /api/v1/alerting/receivers/test` tells them, for real.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;

use super::answer::Refusal;
use super::rules::{read, show};
use crate::ApiState;
use crate::alertmanager::ReceiverTest;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestBody {
    receiver: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// All receivers with their channels.
pub(super) async fn list(State(state): State<ApiState>) -> Result<Response, Refusal> {
    show(&state.alert_desk.receivers().await)
}

/// Sends a test through every channel of a receiver.
pub(super) async fn test(State(state): State<ApiState>, body: Bytes) -> Result<Response, Refusal> {
    let TestBody { receiver, labels, annotations } = read(&body)?;
    show(&state.alert_desk.test_receiver(ReceiverTest { receiver, labels, annotations }).await?)
}
