//! Answers in Loki's JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_model::TimeRange;
use signalbox_model::attributes::write_json_string;
use signalbox_query::logql::{LogAnswer, StreamLabels, label_name};
use signalbox_query::rows::LogRecord;

/// Where a value carries what a record has beside its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As the third element.
    Flat,
    /// As `structuredMetadata` of the third element.
    Categorized,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let flags = headers.get("x-loki-response-encoding-flags").and_then(|value| value.to_str().ok()).unwrap_or("");
        if flags.split(',').any(|flag| flag.trim() == "categorize-labels") { Self::Categorized } else { Self::Flat }
    }
}

/// `{"status": "success", "data": ...}`
pub(super) fn success(data: Value) -> Response {
    axum::Json(json!({ "status": "success", "data": data })).into_response()
}

/// One sample of a constant.
pub(super) fn vector(value: f64, time_ns: i64) -> Response {
    let result = json!([{ "metric": {}, "value": [seconds(time_ns), number(value)] }]);
    success(json!({ "resultType": "vector", "result": result, "stats": {} }))
}

/// A constant at every step.
pub(super) fn matrix(value: f64, range: TimeRange, step_ns: i64) -> Response {
    let mut values = Vec::new();
    let mut time_ns = range.start_ns;
    while time_ns <= range.end_ns {
        values.push(json!([seconds(time_ns), number(value)]));
        let Some(next_ns) = time_ns.checked_add(step_ns) else { break };
        time_ns = next_ns;
    }
    success(json!({ "resultType": "matrix", "result": [{ "metric": {}, "values": values }], "stats": {} }))
}

fn seconds(time_ns: i64) -> Value {
    if time_ns % 1_000_000_000 == 0 { json!(time_ns / 1_000_000_000) } else { json!(time_ns as f64 / 1e9) }
}

fn number(value: f64) -> String {
    if value.is_infinite() { (if value > 0.0 { "+Inf" } else { "-Inf" }).to_owned() } else { value.to_string() }
}

/// Records by stream, each stream in the order of the answer.
pub(super) fn streams(answer: &LogAnswer, encoding: Encoding, took: Duration) -> Response {
    let mut streams: BTreeMap<StreamLabels, Vec<&LogRecord>> = BTreeMap::new();
    for record in &answer.records {
        streams.entry(record.stream_labels()).or_default().push(record);
    }
    // Written by hand: a value is an array of mixed types, and answers are large.
    let mut out = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",");
    if encoding == Encoding::Categorized {
        out.push_str("\"encodingFlags\":[\"categorize-labels\"],");
    }
    out.push_str("\"result\":[");
    for (position, (labels, records)) in streams.iter().enumerate() {
        out.push_str(if position > 0 { ",{\"stream\":" } else { "{\"stream\":" });
        write_object(&mut out, labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        out.push_str(",\"values\":[");
        for (position, record) in records.iter().enumerate() {
            out.push_str(if position > 0 { ",[\"" } else { "[\"" });
            out.push_str(&record.timestamp_ns.to_string());
            out.push_str("\",");
            write_json_string(&mut out, record.line.as_deref().unwrap_or(""));
            out.push_str(if encoding == Encoding::Categorized { ",{\"structuredMetadata\":" } else { "," });
            let metadata = metadata(record, labels);
            write_object(&mut out, metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            out.push_str(if encoding == Encoding::Categorized { "}]" } else { "]" });
        }
        out.push_str("]}");
    }
    out.push_str("],\"stats\":");
    out.push_str(&stats(answer, took).to_string());
    out.push_str("}}");
    ([(CONTENT_TYPE, "application/json; charset=UTF-8")], out).into_response()
}

fn write_object<'a>(out: &mut String, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (position, (name, value)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(out, name);
        out.push(':');
        write_json_string(out, value);
    }
    out.push('}');
}

/// All fields of a record that are neither its line nor labels of its stream.
fn metadata(record: &LogRecord, labels: &StreamLabels) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    // A name that two things have ends in _extracted for the later, as in Loki.
    let mut add = |name: &str, value: String| {
        if value.is_empty() {
            return;
        }
        let mut name = label_name(name).into_owned();
        while labels.contains_key(&name) || metadata.contains_key(&name) {
            name.push_str("_extracted");
        }
        metadata.insert(name, value);
    };
    let some = |count: u32| if count == 0 { String::new() } else { count.to_string() };
    add("trace_id", record.trace_id.map(|id| id.to_string()).unwrap_or_default());
    add("span_id", record.span_id.map(|id| id.to_string()).unwrap_or_default());
    add("flags", some(record.flags));
    add("observed_timestamp", record.observed_timestamp_ns.map(|time| time.to_string()).unwrap_or_default());
    add("severity_number", if record.severity_number == 0 { String::new() } else { record.severity_number.to_string() });
    add("severity_text", record.severity_text.clone());
    add("event_name", record.event_name.clone());
    add("dropped_attributes_count", some(record.dropped_attributes_count));
    add("scope_name", record.scope.name.clone());
    add("scope_version", record.scope.version.clone());
    add("scope_schema_url", record.scope.schema_url.clone());
    add("scope_dropped_attributes_count", some(record.scope.dropped_attributes_count));
    add("resource_schema_url", record.resource.schema_url.clone());
    add("resource_dropped_attributes_count", some(record.resource.dropped_attributes_count));
    for (name, value) in &record.attributes {
        add(name, value.to_text());
    }
    for (name, value) in &record.scope.attributes {
        add(name, value.to_text());
    }
    metadata
}

fn stats(answer: &LogAnswer, took: Duration) -> Value {
    let seconds = took.as_secs_f64();
    let per_second = |count: u64| if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 };
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(answer.bytes_read),
            "linesProcessedPerSecond": per_second(answer.rows_read),
            "totalBytesProcessed": answer.bytes_read,
            "totalLinesProcessed": answer.rows_read,
            "execTime": seconds,
            "queueTime": 0,
            "subqueries": 0,
            "totalEntriesReturned": answer.records.len(),
            "splits": 0,
            "shards": 0,
        },
        "querier": {},
        "ingester": {},
        "cache": {},
    })
}
