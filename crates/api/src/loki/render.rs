//! Answers in Loki's JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use signalbox_model::attributes::write_json_string;
use signalbox_query::logql::{LabelSet, LogAnswer, LogEntry, MetricAnswer, MetricSeries, MetricValue};

/// Where a value carries what a record has beside its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Among the labels of the stream.
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

/// The answer to a metric query.
pub(super) fn metric(answer: &MetricAnswer, time_ns: i64, took: Duration) -> Response {
    let points = |points: &[(i64, f64)]| points.iter().map(|(time_ns, value)| json!([seconds(*time_ns), number(*value)])).collect::<Vec<_>>();
    let labels = |series: &MetricSeries| series.labels.iter().cloned().collect::<BTreeMap<String, String>>();
    let (kind, result) = match &answer.value {
        MetricValue::Scalar(value) => ("scalar", json!([seconds(time_ns), number(*value)])),
        MetricValue::Vector(series) => {
            ("vector", series.iter().map(|series| json!({ "metric": labels(series), "value": points(&series.points).pop() })).collect())
        }
        MetricValue::Matrix(series) => ("matrix", series.iter().map(|series| json!({ "metric": labels(series), "values": points(&series.points) })).collect()),
    };
    let entries = match &answer.value {
        MetricValue::Scalar(_) => 1,
        MetricValue::Vector(series) | MetricValue::Matrix(series) => series.len(),
    };
    let read = Read { rows: answer.rows_read, bytes: answer.bytes_read, entries };
    success(json!({ "resultType": kind, "result": result, "stats": stats(&read, took) }))
}

/// An instant in seconds since the epoch.
pub(super) fn seconds(time_ns: i64) -> Value {
    if time_ns % 1_000_000_000 == 0 { json!(time_ns / 1_000_000_000) } else { json!(time_ns as f64 / 1e9) }
}

fn number(value: f64) -> String {
    if value.is_infinite() { (if value > 0.0 { "+Inf" } else { "-Inf" }).to_owned() } else { value.to_string() }
}

/// Records by stream, each stream in the order of the answer. Flat, a stream has all labels of its records.
pub(super) fn streams(answer: &LogAnswer, encoding: Encoding, took: Duration) -> Response {
    // Written by hand: a value is an array of mixed types, and answers are large.
    let mut out = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",");
    if encoding == Encoding::Categorized {
        out.push_str("\"encodingFlags\":[\"categorize-labels\"],");
    }
    out.push_str("\"result\":");
    write_streams(&mut out, &answer.entries, encoding);
    out.push_str(",\"stats\":");
    let read = Read { rows: answer.rows_read, bytes: answer.bytes_read, entries: answer.entries.len() };
    out.push_str(&stats(&read, took).to_string());
    out.push_str("}}");
    ([(CONTENT_TYPE, "application/json; charset=UTF-8")], out).into_response()
}

/// Records by stream, each stream in their order, as an array.
pub(super) fn write_streams(out: &mut String, entries: &[LogEntry], encoding: Encoding) {
    let mut streams: BTreeMap<LabelSet, Vec<&LogEntry>> = BTreeMap::new();
    for entry in entries {
        let mut labels = LabelSet::clone(&entry.stream);
        if encoding == Encoding::Flat {
            labels.extend(entry.metadata.iter().chain(&entry.parsed).cloned());
            labels.sort();
        }
        streams.entry(labels).or_default().push(entry);
    }
    out.push('[');
    for (position, (labels, entries)) in streams.iter().enumerate() {
        out.push_str(if position > 0 { ",{\"stream\":" } else { "{\"stream\":" });
        write_object(out, labels);
        out.push_str(",\"values\":[");
        for (position, entry) in entries.iter().enumerate() {
            out.push_str(if position > 0 { "," } else { "" });
            write_value(out, entry, encoding);
        }
        out.push_str("]}");
    }
    out.push(']');
}

fn write_value(out: &mut String, entry: &LogEntry, encoding: Encoding) {
    out.push_str("[\"");
    out.push_str(&entry.record.timestamp_ns.to_string());
    out.push_str("\",");
    write_json_string(out, &entry.line);
    if encoding == Encoding::Categorized {
        out.push_str(",{\"structuredMetadata\":");
        write_object(out, &entry.metadata);
        if !entry.parsed.is_empty() {
            out.push_str(",\"parsed\":");
            write_object(out, &entry.parsed);
        }
        out.push('}');
    }
    out.push(']');
}

/// An object of text.
pub(super) fn write_object(out: &mut String, entries: &LabelSet) {
    out.push('{');
    for (position, (name, value)) in entries.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(out, name);
        out.push(':');
        write_json_string(out, value);
    }
    out.push('}');
}

/// What a query cost.
pub(super) struct Read {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) entries: usize,
}

pub(super) fn stats(read: &Read, took: Duration) -> Value {
    let seconds = took.as_secs_f64();
    let per_second = |count: u64| if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 };
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(read.bytes),
            "linesProcessedPerSecond": per_second(read.rows),
            "totalBytesProcessed": read.bytes,
            "totalLinesProcessed": read.rows,
            "execTime": seconds,
            "queueTime": 0,
            "subqueries": 0,
            "totalEntriesReturned": read.entries,
            "splits": 0,
            "shards": 0,
        },
        "querier": {},
        "ingester": {},
        "cache": {},
    })
}
