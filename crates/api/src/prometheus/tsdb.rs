//! What is stored: which names and labels have the most series, and the segments.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_model::{Table, TimeRange};
use signalbox_query::cardinality::{CardinalityOrder, CardinalityRequest};

use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::{Asker, Params};

/// Entries of each list when none are asked for, and at most: as in Prometheus.
const TOP_DEFAULT: usize = 10;
const TOP_MAX: usize = 10_000;
/// How far back a series counts, in milliseconds: about what the head of a Prometheus holds.
const ACTIVE_MS: i64 = 3 * 3_600_000;

fn top(params: &Params) -> Result<usize, Refusal> {
    let Some(text) = params.get("limit") else { return Ok(TOP_DEFAULT) };
    match text.parse::<i64>().ok().and_then(|limit| usize::try_from(limit).ok()) {
        Some(limit @ 1..=TOP_MAX) => Ok(limit),
        Some(1..) => Err(Refusal::bad_data(format!("limit must not exceed {TOP_MAX}"))),
        _ => Err(Refusal::bad_data("limit must be a positive number")),
    }
}

/// `GET /status/tsdb?limit=`, over the last three hours. There are no chunks here.
pub(super) async fn status(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let top = top(&params)?;
    let now_ms = state.engine.clock().now_ms();
    let range = TimeRange::from_ms(now_ms.saturating_sub(ACTIVE_MS), now_ms);
    // As long as a step is, no series is new, and nobody asks.
    let request = CardinalityRequest { matchers: Vec::new(), range, label: None, top, order: CardinalityOrder::Series, step_ms: ACTIVE_MS + 1 };
    let counted = state.engine.cardinality(&tenant, request).await?;
    let names = counted.metrics.iter().map(|metric| (metric.name.as_str(), metric.series));
    let values = counted.labels.iter().map(|label| (label.name.as_str(), label.values));
    let bytes = counted.labels.iter().map(|label| (label.name.as_str(), label.text_bytes));
    let pairs: Vec<(String, u64)> = counted.pairs.iter().map(|pair| (format!("{}={}", pair.name, pair.value), pair.series)).collect();
    let data = json!({
        "headStats": {
            "numSeries": counted.series,
            "numLabelPairs": counted.label_pairs,
            "chunkCount": 0,
            "minTime": range.start_ms(),
            "maxTime": range.end_ms(),
        },
        "seriesCountByMetricName": largest(names.filter(|(name, _)| !name.is_empty()), top),
        "labelValueCountByLabelName": largest(values, top),
        "memoryInBytesByLabelName": largest(bytes, top),
        "seriesCountByLabelValuePair": largest(pairs.iter().map(|(text, count)| (text.as_str(), *count)), top),
    });
    Ok(render::success(&data.to_string()))
}

fn largest<'a>(counts: impl Iterator<Item = (&'a str, u64)>, top: usize) -> Vec<Value> {
    let mut counts: Vec<(&str, u64)> = counts.collect();
    counts.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    counts.into_iter().take(top).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// `GET /status/tsdb/blocks`: the segments of floats and histograms, oldest first. Chunks and the count of series do not exist
/// for a segment.
pub(super) async fn blocks(State(state): State<ApiState>, Asker(tenant): Asker) -> Response {
    let blocks: Vec<Value> = state
        .engine
        .metric_segments(&tenant)
        .iter()
        .map(|segment| {
            let is_float = segment.table == Table::Samples;
            let kind = if is_float { "numFloatSamples" } else { "numHistogramSamples" };
            json!({
                "ulid": segment.id,
                "minTime": segment.range.start_ms(),
                // Prometheus' blocks end before their end.
                "maxTime": segment.range.end_ms().saturating_add(1),
                "stats": { "numSamples": segment.rows, kind: segment.rows },
                "compaction": { "level": u64::from(segment.level) + 1, "sources": [segment.id] },
                "version": 1,
            })
        })
        .collect();
    render::success(&json!({ "blocks": blocks }).to_string())
}
