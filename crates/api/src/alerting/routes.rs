//! `GET /api/v1/alerting/routes` shows the tree of routes, `POST /api/v1/alerting/routes/test` says where an alert would go.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;

use super::answer::Refusal;
use super::rules::{read, show};
use crate::ApiState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestBody {
    labels: BTreeMap<String, String>,
}

/// The tree.
pub(super) async fn tree(State(state): State<ApiState>) -> Result<Response, Refusal> {
    show(&state.alert_desk.routes().await?)
}

/// Where an alert with these labels would go.
pub(super) async fn test(State(state): State<ApiState>, body: Bytes) -> Result<Response, Refusal> {
    let body: TestBody = read(&body)?;
    show(&state.alert_desk.test_routes(&body.labels).await?)
}
