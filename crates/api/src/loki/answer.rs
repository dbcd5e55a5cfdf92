//! Answers as they are wanted: JSON, or the message of Loki's query frontend for `Accept: application/vnd.google.protobuf`.
//!
//! Each is made as the message, and JSON is written from it, so that the two say the same.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use serde_json::{Map, Value, json};
use signalbox_proto::google_rpc::Status;
use signalbox_proto::loki::{self, Answer, DetectedField, LabelPair, QueryResponse, SampleStream};
use signalbox_proto::prost::Message;

use super::statistics;

/// What Loki's frontend calls JSON.
const JSON: &str = "application/json; charset=UTF-8";
/// The `Accept` that asks for the message, and nothing but it: so Loki compares.
const PROTOBUF: &str = "application/vnd.google.protobuf";
/// Of the API, as messages have it.
pub(super) const VERSION: u32 = 1;
pub(super) const SUCCESS: &str = "success";

/// How an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Protobuf,
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let is_protobuf = parts.headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes() == PROTOBUF.as_bytes());
        Ok(if is_protobuf { Self::Protobuf } else { Self::Json })
    }
}

impl Form {
    /// The answer in this form.
    pub(super) fn answer(self, answer: Answer) -> Response {
        match self {
            Self::Json => json_text(&value(&answer).to_string()),
            Self::Protobuf => {
                // As Loki has it: of a question that was answered, there and empty.
                let message = QueryResponse { status: Some(Status::default()), response: Some(answer) };
                ([(CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response()
            }
        }
    }
}

/// JSON that is written already.
pub(super) fn json_text(text: &str) -> Response {
    ([(CONTENT_TYPE, JSON)], format!("{text}\n")).into_response()
}

/// Labels in the order of their names, as message and as JSON.
pub(super) fn pairs(labels: &[(String, String)]) -> Vec<LabelPair> {
    labels.iter().map(|(name, value)| LabelPair { name: name.clone(), value: value.clone() }).collect()
}

/// The answer to a metric query and the like, of a kind.
pub(super) fn metric(kind: &str, result: Vec<SampleStream>, statistics: loki::Statistics) -> Answer {
    let data = loki::PrometheusData { result_type: kind.to_owned(), result };
    let response = loki::PrometheusResponse { status: SUCCESS.to_owned(), data: Some(data) };
    Answer::Metric(loki::MetricResponse { response: Some(response), statistics: Some(statistics) })
}

fn value(answer: &Answer) -> Value {
    match answer {
        Answer::Series(series) => success(series.data.iter().map(|stream| object(&stream.labels)).collect()),
        // As Loki does it: nothing has no key.
        Answer::Labels(labels) if labels.data.is_empty() => json!({ "status": SUCCESS }),
        Answer::Labels(labels) => success(json!(labels.data)),
        Answer::Stats(stats) => index_stats(stats.response.as_ref()),
        Answer::Metric(metric) => {
            let data = metric.response.as_ref().and_then(|response| response.data.as_ref());
            let kind = data.map_or("", |data| data.result_type.as_str());
            let result = samples(kind, data.map_or(&[], |data| &data.result));
            success(json!({ "resultType": kind, "result": result, "stats": statistics::value(metric.statistics.as_ref()) }))
        }
        // Large answers: `render` writes them.
        Answer::Streams(_) => Value::Null,
        Answer::Shards(shards) => {
            let shards = shards.response.as_ref();
            let shard = |shard: &loki::Shard| {
                let bounds = shard.bounds.unwrap_or_default();
                json!({ "bounds": { "min": bounds.min, "max": bounds.max }, "stats": index_stats(shard.stats.as_ref()) })
            };
            json!({
                "shards": shards.map_or_else(Vec::new, |shards| shards.shards.iter().map(shard).collect()),
                "statistics": statistics::value(shards.and_then(|shards| shards.statistics.as_ref())),
                "chunkGroups": null,
            })
        }
        Answer::DetectedFields(detected) => detected.response.as_ref().map_or(Value::Null, detected_fields),
        Answer::Patterns(patterns) => success(patterns.response.iter().flat_map(|patterns| &patterns.series).map(pattern).collect()),
        Answer::DetectedLabels(detected) => {
            let labels = detected.response.iter().flat_map(|response| &response.detected_labels);
            let label = |label: &loki::DetectedLabel| json!({ "label": label.label, "cardinality": label.cardinality });
            let labels: Vec<Value> = labels.map(label).collect();
            if labels.is_empty() { json!({}) } else { json!({ "detectedLabels": labels }) }
        }
    }
}

fn success(data: Value) -> Value {
    json!({ "status": SUCCESS, "data": data })
}

fn object(labels: &[LabelPair]) -> Value {
    Value::Object(labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect())
}

fn index_stats(stats: Option<&loki::IndexStats>) -> Value {
    let stats = stats.copied().unwrap_or_default();
    json!({ "streams": stats.streams, "chunks": stats.chunks, "bytes": stats.bytes, "entries": stats.entries })
}

/// A matrix, a vector, or a scalar.
fn samples(kind: &str, series: &[SampleStream]) -> Value {
    let sample = |sample: &loki::Sample| json!([seconds(sample.timestamp_ms), number(sample.value)]);
    let first = |series: &SampleStream| series.samples.first().map_or(Value::Null, sample);
    match kind {
        "scalar" => series.first().map_or(Value::Null, first),
        "vector" => series.iter().map(|series| json!({ "metric": object(&series.labels), "value": first(series) })).collect(),
        _ => {
            let values = |series: &SampleStream| series.samples.iter().map(sample).collect::<Vec<_>>();
            series.iter().map(|series| json!({ "metric": object(&series.labels), "values": values(series) })).collect()
        }
    }
}

/// An instant in seconds since the epoch, to the millisecond.
pub(super) fn seconds(time_ms: i64) -> Value {
    if time_ms % 1_000 == 0 { json!(time_ms / 1_000) } else { json!(time_ms as f64 / 1e3) }
}

fn number(value: f64) -> String {
    if value.is_infinite() { (if value > 0.0 { "+Inf" } else { "-Inf" }).to_owned() } else { value.to_string() }
}

fn pattern(series: &loki::PatternSeries) -> Value {
    let samples: Vec<Value> = series.samples.iter().map(|sample| json!([sample.timestamp_ms.div_euclid(1_000), sample.value])).collect();
    json!({ "pattern": series.pattern, "level": series.level, "samples": samples })
}

/// What is empty is left out, as Loki leaves it out.
fn detected_fields(detected: &loki::DetectedFields) -> Value {
    let mut object = Map::new();
    if !detected.fields.is_empty() {
        object.insert("fields".to_owned(), detected.fields.iter().map(detected_field).collect());
    }
    if detected.limit > 0 {
        object.insert("limit".to_owned(), json!(detected.limit));
    }
    if !detected.values.is_empty() {
        object.insert("values".to_owned(), json!(detected.values));
    }
    Value::Object(object)
}

fn detected_field(field: &DetectedField) -> Value {
    // No parser is null, not an empty list: so does Logs Drilldown know structured metadata.
    let parsers = if field.parsers.is_empty() { Value::Null } else { json!(field.parsers) };
    let mut object = json!({ "label": field.label, "type": field.kind, "cardinality": field.cardinality, "parsers": parsers });
    if !field.json_path.is_empty() {
        object["jsonPath"] = json!(field.json_path);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds() {
        assert_eq!(
            [seconds(1_700_000_000_000), seconds(1_700_000_000_250), seconds(-1_500)].map(|value| value.to_string()),
            ["1700000000", "1700000000.25", "-1.5"]
        );
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        assert_eq!([1.0, 0.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e21].map(number), ["1", "0.5", "+Inf", "-Inf", "NaN", "1000000000000000000000"]);
    }
}
