//! Log records as they are answered.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::text::quote;
use signalbox_model::attributes::write_json_string;
use signalbox_proto::google_rpc::Timestamp;
use signalbox_proto::loki::{Answer, Entry, Stream, StreamsData, StreamsResponse};
use signalbox_query::logql::{Direction, LabelSet, LogAnswer, LogEntry};

use super::answer::{Form, SUCCESS, VERSION, json_text, pairs};
use super::statistics::{self, Read};

/// Where a value carries what a record has beside its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Among the labels of the stream.
    Flat,
    /// As `structuredMetadata` and `parsed` of the third element.
    Categorized,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let flags = headers.get("x-loki-response-encoding-flags").and_then(|value| value.to_str().ok()).unwrap_or("");
        if flags.split(',').any(|flag| flag.trim() == "categorize-labels") { Self::Categorized } else { Self::Flat }
    }
}

/// What was asked of records, as far as the answer repeats it.
pub(super) struct Asked {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    pub(super) direction: Direction,
    pub(super) limit: usize,
}

/// Records by stream, streams by their labels, each in the order of the answer. Flat, a stream has all labels of its records.
pub(super) fn streams(answer: &LogAnswer, asked: &Asked, took: Duration) -> Response {
    let read = Read { rows: answer.rows_read, bytes: answer.bytes_read, entries: answer.entries.len() };
    let cost = statistics::of(&read, took);
    match asked.form {
        Form::Protobuf => {
            let result = by_stream(&answer.entries, asked.encoding).into_iter().map(|(labels, entries)| stream(&labels, &entries)).collect();
            asked.form.answer(Answer::Streams(StreamsResponse {
                status: SUCCESS.to_owned(),
                data: Some(StreamsData { result_type: "streams".to_owned(), result }),
                direction: i32::from(asked.direction == Direction::Backward),
                limit: u32::try_from(asked.limit).unwrap_or(u32::MAX),
                version: VERSION,
                statistics: Some(cost),
            }))
        }
        Form::Json => {
            // Written by hand: a value is an array of mixed types, and answers are large.
            let mut out = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",");
            if asked.encoding == Encoding::Categorized {
                out.push_str("\"encodingFlags\":[\"categorize-labels\"],");
            }
            out.push_str("\"result\":");
            write_streams(&mut out, &answer.entries, asked.encoding);
            out.push_str(",\"stats\":");
            out.push_str(&statistics::value(Some(&cost)).to_string());
            out.push_str("}}");
            json_text(&out)
        }
    }
}

fn by_stream(entries: &[LogEntry], encoding: Encoding) -> BTreeMap<LabelSet, Vec<&LogEntry>> {
    let mut streams: BTreeMap<LabelSet, Vec<&LogEntry>> = BTreeMap::new();
    for entry in entries {
        let mut labels = LabelSet::clone(&entry.stream);
        if encoding == Encoding::Flat {
            labels.extend(entry.metadata.iter().chain(&entry.parsed).cloned());
            labels.sort();
        }
        streams.entry(labels).or_default().push(entry);
    }
    streams
}

fn stream(labels: &LabelSet, entries: &[&LogEntry]) -> Stream {
    let entry = |entry: &&LogEntry| Entry {
        timestamp: Some(Timestamp::from_ns(entry.record.timestamp_ns)),
        line: entry.line.clone(),
        structured_metadata: pairs(&entry.metadata),
        parsed: pairs(&entry.parsed),
    };
    Stream { labels: selector(labels), entries: entries.iter().map(entry).collect() }
}

/// `{a="b", c="d"}`
fn selector(labels: &LabelSet) -> String {
    let mut out = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        out.push_str(if position > 0 { ", " } else { "" });
        out.push_str(name);
        out.push('=');
        out.push_str(&quote(value));
    }
    out.push('}');
    out
}

/// Records by stream, each stream in their order, as an array.
pub(super) fn write_streams(out: &mut String, entries: &[LogEntry], encoding: Encoding) {
    out.push('[');
    for (position, (labels, entries)) in by_stream(entries, encoding).iter().enumerate() {
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
        out.push_str(",{");
        if !entry.metadata.is_empty() {
            out.push_str("\"structuredMetadata\":");
            write_object(out, &entry.metadata);
        }
        if !entry.parsed.is_empty() {
            out.push_str(if entry.metadata.is_empty() { "\"parsed\":" } else { ",\"parsed\":" });
            write_object(out, &entry.parsed);
        }
        out.push('}');
    }
    out.push(']');
}

fn write_object(out: &mut String, entries: &LabelSet) {
    out.push('{');
    for (position, (name, value)) in entries.iter().enumerate() {
        out.push_str(if position > 0 { "," } else { "" });
        write_json_string(out, name);
        out.push(':');
        write_json_string(out, value);
    }
    out.push('}');
}
