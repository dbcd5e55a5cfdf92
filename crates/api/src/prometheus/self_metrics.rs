//! `GET /status/self_metrics`: our own metrics now, in the JSON of `io.prometheus.client.MetricFamily`.

use axum::extract::State;
use axum::response::Response;
use regex::RegexBuilder;
use serde_json::{Map, Value, json};
use signalbox_telemetry::{Reading, process, registry};

use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::Params;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// `GET /status/self_metrics?metric_name_pattern=`
pub(super) async fn self_metrics(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let pattern = params.get("metric_name_pattern").map(|pattern| RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES_MAX).build());
    let pattern = pattern.transpose().map_err(|error| Refusal::bad_data(format!("invalid metric_name_pattern: {error}")))?;
    let mut readings = process::readings(state.started_ns);
    readings.extend(registry().read());
    readings.retain(|reading| pattern.as_ref().is_none_or(|pattern| pattern.is_match(reading.family)));
    Ok(render::success(&Value::Array(families(&readings)).to_string()))
}

/// Names and values of labels.
type Pairs = Vec<(String, String)>;

/// Readings of one family follow each other.
fn families(readings: &[Reading]) -> Vec<Value> {
    readings
        .chunk_by(|left, right| left.family == right.family)
        .filter_map(|family| {
            let first = family.first()?;
            let metrics = if first.kind == "histogram" { histograms(family) } else { family.iter().map(simple).collect() };
            Some(json!({ "name": first.family, "help": first.help, "type": first.kind.to_uppercase(), "metric": metrics }))
        })
        .collect()
}

fn simple(reading: &Reading) -> Value {
    let kind = if reading.kind == "counter" { "counter" } else { "gauge" };
    json!({ "label": pairs(&reading.labels), kind: { "value": number(reading.value) } })
}

/// The buckets, the sum and the count of each set of labels.
fn histograms(family: &[Reading]) -> Vec<Value> {
    let mut found: Vec<(Pairs, Map<String, Value>)> = Vec::new();
    for reading in family {
        let bound = reading.labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound.clone());
        let labels: Vec<_> = reading.labels.iter().filter(|(name, _)| name != "le").cloned().collect();
        if found.last().is_none_or(|(last, _)| *last != labels) {
            found.push((labels, Map::new()));
        }
        let Some((_, histogram)) = found.last_mut() else { continue };
        match bound {
            Some(bound) => {
                let bucket = json!({ "cumulativeCount": whole(reading.value), "upperBound": number(bound.parse().unwrap_or(f64::INFINITY)) });
                if let Some(buckets) = histogram.entry("bucket").or_insert_with(|| json!([])).as_array_mut() {
                    buckets.push(bucket);
                }
            }
            None if reading.name.ends_with("_sum") => drop(histogram.insert("sampleSum".into(), number(reading.value))),
            None => drop(histogram.insert("sampleCount".into(), whole(reading.value))),
        }
    }
    found.into_iter().map(|(labels, histogram)| json!({ "label": pairs(&labels), "histogram": histogram })).collect()
}

fn pairs(labels: &[(String, String)]) -> Vec<Value> {
    labels.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// 64-bit integers are texts in the JSON of protobuf.
fn whole(value: f64) -> Value {
    json!((value as u64).to_string())
}

/// So are numbers that JSON has not.
fn number(value: f64) -> Value {
    match value {
        _ if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(kind: &'static str, name: &str, labels: &[(&str, &str)], value: f64) -> Reading {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Reading { family: if kind == "histogram" { "seconds" } else { "total" }, help: "Help.", kind, name: name.into(), labels, value }
    }

    #[test]
    fn families_are_in_the_json_of_protobuf() {
        let readings = [
            reading("counter", "total", &[("side", "read")], 3.0),
            reading("histogram", "seconds_bucket", &[("a", "b"), ("le", "0.5")], 1.0),
            reading("histogram", "seconds_bucket", &[("a", "b"), ("le", "+Inf")], 2.0),
            reading("histogram", "seconds_sum", &[("a", "b")], 7.25),
            reading("histogram", "seconds_count", &[("a", "b")], 2.0),
        ];
        let want = json!([
            { "name": "total", "help": "Help.", "type": "COUNTER", "metric": [{ "label": [{ "name": "side", "value": "read" }], "counter": { "value": 3.0 } }] },
            { "name": "seconds", "help": "Help.", "type": "HISTOGRAM", "metric": [{ "label": [{ "name": "a", "value": "b" }], "histogram": {
                "bucket": [{ "cumulativeCount": "1", "upperBound": 0.5 }, { "cumulativeCount": "2", "upperBound": "Infinity" }],
                "sampleSum": 7.25, "sampleCount": "2" } }] },
        ]);
        assert_eq!(Value::Array(families(&readings)), want);
    }
}
