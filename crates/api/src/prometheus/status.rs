//! Who answers, and how it was started.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_lang::duration;
use signalbox_telemetry::{names, process, registry};

use super::render;
use crate::ApiState;

/// What Go says for "no bound on memory".
const NO_MEMORY_LIMIT: i64 = i64::MAX;

fn build() -> Value {
    json!({ "version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" })
}

/// `GET /status/buildinfo`
pub(super) async fn build_info(OriginalUri(uri): OriginalUri) -> Response {
    let mut build = build();
    if uri.path().starts_with("/prometheus/") {
        // Mimir's prefix: Grafana asks there whether rules may be set, and sets none where nothing is said.
        build["features"] = json!({ "ruler_config_api": "true", "alertmanager_config_api": "false" });
    }
    render::success(&build.to_string())
}

/// `GET /version`, beside the API: the same without an envelope.
pub(super) async fn version() -> Response {
    ([(CONTENT_TYPE, "application/json")], format!("{}\n", build())).into_response()
}

/// `GET /status/runtimeinfo`. What is Go's has the nearest truth: threads for goroutines, cores for `GOMAXPROCS`.
pub(super) async fn runtime_info(State(state): State<ApiState>) -> Response {
    let time = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default().to_string();
    let (configured_at_ns, is_configured) = state.prometheus.notices.configured();
    let surroundings = &state.surroundings;
    let reading = |readings: Vec<signalbox_telemetry::Reading>, name: names::Name| -> i64 {
        readings.iter().filter(|reading| reading.family == name.name).map(|reading| reading.value as i64).sum()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let data = json!({
        "startTime": time(state.started_ns),
        "CWD": surroundings.working_dir,
        "hostname": surroundings.hostname,
        "serverTime": time(state.engine.clock().now_ns()),
        "reloadConfigSuccess": is_configured,
        "lastConfigTime": time(configured_at_ns),
        "corruptionCount": reading(registry().read(), names::STORE_CORRUPTION_DETECTED_TOTAL),
        "goroutineCount": reading(process::readings(state.started_ns), names::PROCESS_THREADS),
        "GOMAXPROCS": cores,
        "GOMEMLIMIT": NO_MEMORY_LIMIT,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention(&state),
    });
    render::success(&data.to_string())
}

/// As Prometheus says it: `15d`, `15d or 512MB`; nothing when all is kept.
fn retention(state: &ApiState) -> String {
    let (seconds, bytes) = (state.surroundings.retention_seconds, state.surroundings.retention_bytes);
    let age = (seconds > 0).then(|| duration::format_ms(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)));
    let size = (bytes > 0).then(|| size_text(bytes));
    age.into_iter().chain(size).collect::<Vec<_>>().join(" or ")
}

/// Bytes with the largest unit that divides them, as Prometheus writes sizes.
fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let (mut rest, mut unit) = (bytes, 0);
    while rest != 0 && rest % 1024 == 0 && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{rest}{}", UNITS[unit])
}

/// `GET /status/config`: the `prometheus.yml` in force without its secrets, or what one would say.
pub(super) async fn config(State(state): State<ApiState>) -> Response {
    if let Some(yaml) = state.targets.config_yaml() {
        return render::success(&json!({ "yaml": yaml }).to_string());
    }
    let mut yaml = String::from("global:\n");
    let labels = &state.prometheus.external_labels;
    if labels.is_empty() {
        yaml.push_str("  external_labels: {}\n");
    } else {
        yaml.push_str("  external_labels:\n");
        for (name, value) in labels.iter() {
            // JSON is YAML.
            yaml.push_str(&format!("    {}: {}\n", json!(name), json!(value)));
        }
    }
    render::success(&json!({ "yaml": yaml }).to_string())
}

/// `GET /status/walreplay`: nothing is left to replay, or nobody would answer but "not yet".
pub(super) async fn wal_replay() -> Response {
    render::success("{\"min\":0,\"max\":0,\"current\":0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_prometheus_does() {
        for (bytes, want) in [(1, "1B"), (1023, "1023B"), (1024, "1KB"), (512 << 20, "512MB"), (1536 << 20, "1536MB"), (1 << 60, "1EB")] {
            assert_eq!(size_text(bytes), want);
        }
    }
}
