//! What operators do to the store: `POST|PUT /admin/tsdb/*`, when the settings allow it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use signalbox_lang::promql::parse_matchers;
use signalbox_lang::text::quote;
use signalbox_model::{Matcher, TimeRange};

use super::params::{optional_instant_ms, parse_bool};
use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::{Asker, Params};

fn check(state: &ApiState) -> Result<(), Refusal> {
    if state.prometheus.settings.admin_api { Ok(()) } else { Err(Refusal::admin_disabled()) }
}

/// `POST|PUT /admin/tsdb/delete_series?match[]=&start=&end=`: gone from every later answer; the bytes leave the disk with the
/// next compaction, or with `clean_tombstones`.
pub(super) async fn delete_series(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    check(&state)?;
    let mut sets = Vec::new();
    for text in params.all("match[]") {
        let set = parse_matchers(text).map_err(|error| Refusal::parameter("match[]", error.message()))?;
        // Prometheus would take `{}` and delete everything.
        if set.iter().all(Matcher::matches_empty) {
            return Err(Refusal::parameter("match[]", "match[] must contain at least one non-empty matcher"));
        }
        sets.push(set);
    }
    if sets.is_empty() {
        return Err(Refusal::bad_data("no match[] parameter provided"));
    }
    let start_ms = optional_instant_ms(&params, "start")?.unwrap_or(i64::MIN);
    let end_ms = optional_instant_ms(&params, "end")?.unwrap_or(i64::MAX);
    state.engine.delete_series(&tenant, &sets, TimeRange::from_ms(start_ms, end_ms)).await.map_err(Refusal::of_admin)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST|PUT /admin/tsdb/clean_tombstones`: rewrites what deletions have left on the disk.
pub(super) async fn clean_tombstones(State(state): State<ApiState>) -> Result<Response, Refusal> {
    check(&state)?;
    state.engine.clean_tombstones().await.map_err(Refusal::of_admin)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST|PUT /admin/tsdb/snapshot?skip_head=`: a copy of everything, `snapshots/<name>` below the data directory. What is not in
/// a segment yet is in the copy of the WAL or flushed before: there is no snapshot without it, so `skip_head` changes nothing.
pub(super) async fn snapshot(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    check(&state)?;
    if let Some(text) = params.get("skip_head")
        && parse_bool(text).is_none()
    {
        let reason = format!("unable to parse boolean: strconv.ParseBool: parsing {}: invalid syntax", quote(text));
        return Err(Refusal::parameter("skip_head", reason));
    }
    let name = snapshot_name(state.engine.clock().now_ns());
    state.engine.backup(&name).await.map_err(Refusal::of_admin)?;
    Ok(render::success(&json!({ "name": name }).to_string()))
}

/// As Prometheus names them: the second, and something that makes it the only one.
fn snapshot_name(now_ns: i64) -> String {
    let second = jiff::Timestamp::from_nanosecond(i128::from(now_ns)).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{second}-{:016x}", now_ns.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_named_by_their_time() {
        assert_eq!(snapshot_name(1_700_000_000_000_000_001), "20231114T221320Z-17979cfe362a0001");
    }
}
