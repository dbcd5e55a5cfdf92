//! `GET /alertmanagers`: to which Alertmanagers alerts are sent. There is none: `notify` delivers by itself.

use axum::response::Response;

use super::render;

/// `GET /alertmanagers`
pub(super) async fn alertmanagers() -> Response {
    render::success("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}")
}
