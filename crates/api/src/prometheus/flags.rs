//! `GET /status/flags`: those flags of Prometheus that have a meaning here, with the values in force.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use signalbox_lang::duration;

use super::render;
use crate::ApiState;

/// `GET /status/flags`
pub(super) async fn flags(State(state): State<ApiState>) -> Response {
    let (own, query) = (&state.prometheus.settings, state.engine.settings());
    let seconds = |seconds: u64| duration::format_ms(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX));
    let data = json!({
        "query.lookback-delta": seconds(query.promql_lookback_seconds),
        "query.max-samples": query.promql_samples_max.to_string(),
        "query.timeout": seconds(query.timeout_seconds),
        "storage.remote.read-concurrent-limit": own.remote_read_concurrent_max.to_string(),
        "storage.remote.read-max-bytes-in-frame": own.remote_read_frame_bytes.to_string(),
        "storage.remote.read-sample-limit": own.remote_read_samples_max.to_string(),
        "storage.tsdb.retention.size": format!("{}B", state.surroundings.retention_bytes),
        "storage.tsdb.retention.time": seconds(state.surroundings.retention_seconds),
        "web.cors.origin": own.cors_origin,
        "web.enable-admin-api": own.admin_api.to_string(),
        "web.enable-otlp-receiver": "true",
        "web.enable-remote-write-receiver": "true",
        "web.search.max-limit": own.search_results_max.to_string(),
    });
    render::success(&data.to_string())
}
