//! Who answers.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_model::TimeRange;
use signalbox_query::promql::ListingRequest;

use super::params;
use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::{Asker, Params};

/// Entries of each list of `status/tsdb` when none are asked for, as in Prometheus.
const TOP_DEFAULT: usize = 10;
/// How far back a series counts, in milliseconds: about what the head of a Prometheus holds.
const ACTIVE_MS: i64 = 3 * 3_600_000;

/// `GET /status/buildinfo`
pub(super) async fn build_info() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let data = json!({ "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "", "application": "signalbox" });
    render::success(&data.to_string())
}

/// `GET /status/runtimeinfo`: what is known of the process here.
pub(super) async fn runtime_info(State(state): State<ApiState>) -> Response {
    let time = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default().to_string();
    let (started, now) = (state.started_ns, state.engine.clock().now_ns());
    render::success(&json!({ "startTime": time(started), "serverTime": time(now) }).to_string())
}

/// `GET /status/tsdb?limit=`: which names and labels have the most series, over the last three hours. There are no chunks here.
pub(super) async fn tsdb(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let top = params::limit(&params)?.unwrap_or(TOP_DEFAULT);
    let now_ms = state.engine.clock().now_ms();
    let range = TimeRange::from_ms(now_ms.saturating_sub(ACTIVE_MS), now_ms);
    let series = state.engine.series(&tenant, ListingRequest { sets: Vec::new(), range, limit: None }).await?.results;
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (name, value) in series.iter().flatten() {
        *pairs.entry((name, value)).or_default() += 1;
    }
    let (mut values, mut bytes): (BTreeMap<&str, u64>, BTreeMap<&str, u64>) = Default::default();
    for ((name, value), count) in &pairs {
        *values.entry(name).or_default() += 1;
        *bytes.entry(name).or_default() += value.len() as u64;
        if *name == signalbox_model::labels::METRIC_NAME {
            names.insert(value, *count);
        }
    }
    let texts: Vec<(String, u64)> = pairs.iter().map(|((name, value), count)| (format!("{name}={value}"), *count)).collect();
    let data = json!({
        "headStats": {
            "numSeries": series.len(),
            "numLabelPairs": pairs.len(),
            "chunkCount": 0,
            "minTime": range.start_ms(),
            "maxTime": range.end_ms(),
        },
        "seriesCountByMetricName": largest(names.into_iter(), top),
        "labelValueCountByLabelName": largest(values.into_iter(), top),
        "memoryInBytesByLabelName": largest(bytes.into_iter(), top),
        "seriesCountByLabelValuePair": largest(texts.iter().map(|(text, count)| (text.as_str(), *count)), top),
    });
    Ok(render::success(&data.to_string()))
}

fn largest<'a>(counts: impl Iterator<Item = (&'a str, u64)>, top: usize) -> Vec<Value> {
    let mut counts: Vec<(&str, u64)> = counts.collect();
    counts.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    counts.into_iter().take(top).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
