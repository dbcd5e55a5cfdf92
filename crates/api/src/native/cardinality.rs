//! `GET /api/v1/cardinality`: what series there are, what they cost, how fast new ones come, and who asks for them.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `start`, `end` | bounds of the range, seconds since the Unix epoch | the last 24 hours |
//! | `match[]` | a selector of PromQL; only its series are counted | all series |
//! | `label` | only values of this label are listed in `pairs` | those of all labels |
//! | `top` | entries of each list, 1 to 1000 | 20 |
//! | `order` | what `metrics` and `pairs` are sorted by: `series`, `bytes` or `created` | `series` |
//! | `step` | seconds; new series are counted in steps of this length | 3600; 86400 for more than 7 days |
//!
//! The answer. Numbers are exact if `sampled_one_in` is 1; else one series in so many was looked at, numbers of series, rows
//! and bytes are scaled up, and those of names and values are lower bounds. `bytes` are of segments: rows in memory count
//! nothing. A series is *created* if its first sample in the range is later than the first step. `asked_by` and `usage` count
//! PromQL since the start of the process.
//!
//! ```json
//! {
//!   "start_ms": 1700000000000, "end_ms": 1700086400000,
//!   "series": 51, "rows": 5040, "bytes": 12345, "created": 30, "sampled_one_in": 1,
//!   "metric_names": 3, "label_names": 3, "label_pairs": 55,
//!   "step_ms": 3600000, "created_by_step": [[1700000000000, 0], [1700003600000, 10]],
//!   "metrics": [{"name": "up", "series": 10, "rows": 2400, "bytes": 1000, "created": 0,
//!                "queries": 7, "last_query_ms": 1700086400000,
//!                "asked_by": [{"asker": "Grafana/11.2.0 dashboard abc", "queries": 7, "last_query_ms": 1700086400000}]}],
//!   "labels": [{"name": "pod", "values": 50, "series": 50, "bytes": 9000, "text_bytes": 400}],
//!   "pairs": [{"name": "job", "value": "api", "series": 50, "bytes": 9000}],
//!   "usage": {"since_ms": 1700000000000, "metrics": 2,
//!             "most": [{"name": "up", "queries": 7, "last_query_ms": 1700086400000, "asked_by": []}]}
//! }
//! ```
//!
//! `last_query_ms` is null for what was never asked for; `name` is empty in `usage` for selectors that name no metric. What goes
//! wrong has a status and `{"error": {"kind": "invalid", "message": "..."}}`.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_lang::promql;
use signalbox_model::{Error, Matcher, Result, Tenant, TimeRange};
use signalbox_query::cardinality::{Cardinality, CardinalityOrder, CardinalityRequest, MetricCardinality};
use signalbox_query::usage::{AskerUsage, MetricUsage};

use crate::ApiState;
use crate::http::{Asker, Params};

const DAY_MS: i64 = 86_400_000;
const TOP_DEFAULT: usize = 20;
const TOP_MAX: usize = 1000;

/// Answers with the numbers of a range.
pub(super) async fn answer(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Response {
    match count(&state, &tenant, &params).await {
        Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response(),
        Err(error) => super::sql::refuse(&error),
    }
}

async fn count(state: &ApiState, tenant: &Tenant, params: &Params) -> Result<Value> {
    let request = request(params, state.engine.clock().now_ms())?;
    let (range, step_ms) = (request.range, request.step_ms);
    let counted = state.engine.cardinality(tenant, request.clone()).await?;
    let usage = state.engine.metric_usage(tenant);
    Ok(render(&counted, range, step_ms, &usage, request.top, state.started_ns / 1_000_000))
}

fn request(params: &Params, now_ms: i64) -> Result<CardinalityRequest> {
    let end_ms = seconds(params, "end")?.unwrap_or(now_ms);
    let start_ms = seconds(params, "start")?.unwrap_or(end_ms.saturating_sub(DAY_MS));
    if end_ms < start_ms {
        return Err(Error::invalid("cannot count: end is before start"));
    }
    let default_step_ms = if end_ms.saturating_sub(start_ms) > 7 * DAY_MS { DAY_MS } else { DAY_MS / 24 };
    let step_ms = seconds(params, "step")?.unwrap_or(default_step_ms);
    if step_ms <= 0 {
        return Err(Error::invalid(format!("cannot use step {}: want a positive number of seconds", params.get("step").unwrap_or_default())));
    }
    let top = match params.get("top") {
        None => TOP_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|top| (1..=TOP_MAX).contains(top))
            .ok_or_else(|| Error::invalid(format!("cannot use top {text}: want a number from 1 to {TOP_MAX}")))?,
    };
    let order = match params.get("order").unwrap_or("series") {
        "series" => CardinalityOrder::Series,
        "bytes" => CardinalityOrder::Bytes,
        "created" => CardinalityOrder::Created,
        other => return Err(Error::invalid(format!("cannot use order {other}: want series, bytes or created"))),
    };
    let mut selectors = params.all("match[]").filter(|text| !text.is_empty());
    let matchers: Vec<Matcher> = selectors.next().map(promql::parse_matchers).transpose()?.unwrap_or_default();
    if selectors.next().is_some() {
        return Err(Error::invalid("cannot count several selectors: want one match[]"));
    }
    let label = params.get("label").filter(|label| !label.is_empty()).map(str::to_owned);
    Ok(CardinalityRequest { matchers, range: TimeRange::from_ms(start_ms, end_ms), label, top, order, step_ms })
}

/// Seconds as milliseconds.
pub(super) fn seconds(params: &Params, name: &str) -> Result<Option<i64>> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let seconds = seconds.ok_or_else(|| Error::invalid(format!("cannot use {name} {text}: want seconds")))?;
    Ok(Some((seconds * 1000.0) as i64))
}

fn render(counted: &Cardinality, range: TimeRange, step_ms: i64, usage: &[MetricUsage], top: usize, since_ms: i64) -> Value {
    let by_name: HashMap<&str, &MetricUsage> = usage.iter().map(|metric| (metric.name.as_str(), metric)).collect();
    let metric = |metric: &MetricCardinality| {
        let usage = by_name.get(metric.name.as_str());
        json!({
            "name": metric.name, "series": metric.series, "rows": metric.rows, "bytes": metric.bytes, "created": metric.created,
            "queries": usage.map_or(0, |usage| usage.queries),
            "last_query_ms": usage.map(|usage| usage.last_ns / 1_000_000),
            "asked_by": usage.map_or(Vec::new(), |usage| usage.askers.iter().map(asker).collect()),
        })
    };
    let used = |metric: &MetricUsage| {
        let askers: Vec<Value> = metric.askers.iter().map(asker).collect();
        json!({ "name": metric.name, "queries": metric.queries, "last_query_ms": metric.last_ns / 1_000_000, "asked_by": askers })
    };
    let (first, second) = (counted.created_by_step.first(), counted.created_by_step.get(1));
    // A range of too many steps is counted in longer ones.
    let step_ms = first.zip(second).map_or(step_ms, |(first, second)| second.0 - first.0);
    json!({
        "start_ms": range.start_ms(), "end_ms": range.end_ms(),
        "series": counted.series, "rows": counted.rows, "bytes": counted.bytes, "created": counted.created,
        "sampled_one_in": counted.sampled_one_in,
        "metric_names": counted.metric_names, "label_names": counted.label_names, "label_pairs": counted.label_pairs,
        "step_ms": step_ms, "created_by_step": counted.created_by_step,
        "metrics": counted.metrics.iter().map(metric).collect::<Vec<_>>(),
        "labels": counted.labels.iter().take(top).map(|label| json!({
            "name": label.name, "values": label.values, "series": label.series, "bytes": label.bytes, "text_bytes": label.text_bytes,
        })).collect::<Vec<_>>(),
        "pairs": counted.pairs.iter().map(|pair| json!({
            "name": pair.name, "value": pair.value, "series": pair.series, "bytes": pair.bytes,
        })).collect::<Vec<_>>(),
        "usage": { "since_ms": since_ms, "metrics": usage.len(), "most": usage.iter().take(top).map(used).collect::<Vec<_>>() },
    })
}

fn asker(asker: &AskerUsage) -> Value {
    json!({ "asker": asker.asker, "queries": asker.queries, "last_query_ms": asker.last_ns / 1_000_000 })
}
