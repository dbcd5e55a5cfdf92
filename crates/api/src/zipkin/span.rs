//! A span in Zipkin's JSON.

use serde::{Serialize, Serializer};
use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_query::rows::{Attributes, Span, SpanEvent};

use super::endpoint::{self, CONSUMED, Endpoint};

/// The source sent no start.
const NO_START: &str = "otel.zipkin.absentField.startTime";
const SERVICE_NAME: &str = "service.name";
const OK: i32 = 1;
const ERROR: i32 = 2;
const INTERNAL: i32 = 1;

/// A span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZipkinSpan {
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: Tags,
    #[serde(skip_serializing_if = "is_false")]
    debug: bool,
    #[serde(skip_serializing_if = "is_false")]
    shared: bool,
}

#[derive(Debug, Serialize)]
struct Annotation {
    timestamp: i64,
    value: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl ZipkinSpan {
    pub(super) fn new(span: &Span) -> Self {
        let is_set = |key: &str| span.attributes.iter().any(|(candidate, value)| candidate == key && value.to_text() == "true");
        let has_start = span.start_ns != 0 && !is_set(NO_START);
        Self {
            trace_id: trace_id(&span.trace_id.to_string()),
            parent_id: span.parent_span_id.map(|id| id.to_string()),
            id: span.span_id.map(|id| id.to_string()).unwrap_or_default(),
            kind: kind(span.kind),
            name: span.name.clone(),
            timestamp: has_start.then(|| span.start_ns.div_euclid(1_000)),
            // Less than one is rounded up; none at all is not known.
            duration: (span.duration_ns > 0).then(|| (span.duration_ns / 1_000).max(1)),
            local_endpoint: endpoint::local(span),
            remote_endpoint: endpoint::remote(span),
            annotations: span.events.iter().map(annotation).collect(),
            tags: tags(span),
            debug: is_set("zipkin.debug"),
            shared: is_set("zipkin.shared"),
        }
    }
}

/// 16 digits where the upper half is zero.
fn trace_id(digits: &str) -> String {
    digits.strip_prefix("0000000000000000").unwrap_or(digits).to_owned()
}

fn kind(kind: i32) -> Option<&'static str> {
    match kind {
        2 => Some("SERVER"),
        3 => Some("CLIENT"),
        4 => Some("PRODUCER"),
        5 => Some("CONSUMER"),
        _ => None,
    }
}

/// The name of an event, and its attributes behind it.
fn annotation(event: &SpanEvent) -> Annotation {
    let value = if event.attributes.is_empty() { event.name.clone() } else { format!("{:?}: {}", event.name, object(&event.attributes)) };
    Annotation { timestamp: event.timestamp_ns.div_euclid(1_000), value }
}

fn object(attributes: &Attributes) -> String {
    let mut json = String::new();
    write_json(&mut json, &AttributeValue::Map(attributes.clone()));
    json
}

/// Names and texts; the last of one name counts, in the place of the first.
#[derive(Debug, Default)]
struct Tags(Vec<(String, String)>);

impl Tags {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, key: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    fn put_text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.put(key, value.to_owned());
        }
    }

    fn put_count(&mut self, key: &str, count: u32) {
        if count > 0 {
            self.put(key, count.to_string());
        }
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn tags(span: &Span) -> Tags {
    let mut tags = Tags::default();
    for (key, value) in span.resource.attributes.iter().filter(|(key, _)| key != SERVICE_NAME) {
        tags.put(key, value.to_text());
    }
    tags.put_text("otel.scope.name", &span.scope.name);
    tags.put_text("otel.scope.version", &span.scope.version);
    for (key, value) in span.attributes.iter().filter(|(key, _)| key != NO_START && !CONSUMED.contains(&key.as_str())) {
        tags.put(key, value.to_text());
    }
    if span.kind == INTERNAL {
        tags.put("span.kind", "internal".to_owned());
    }
    put_status(&mut tags, span);
    tags.put_text("w3c.tracestate", &span.trace_state);
    tags.put_count("otel.dropped_attributes_count", span.dropped_attributes_count);
    tags.put_count("otel.dropped_events_count", span.dropped_events_count);
    tags.put_count("otel.dropped_links_count", span.dropped_links_count);
    for (number, link) in span.links.iter().enumerate() {
        let (trace_id, span_id) = (link.trace_id.map(|id| id.to_string()), link.span_id.map(|id| id.to_string()));
        let text = [
            trace_id.unwrap_or_default(),
            span_id.unwrap_or_default(),
            link.trace_state.clone(),
            object(&link.attributes),
            link.dropped_attributes_count.to_string(),
        ];
        tags.put(&format!("otlp.link.{number}"), text.join("|"));
    }
    tags
}

/// Zipkin takes any span with a tag `error` for failed, whatever its value.
fn put_status(tags: &mut Tags, span: &Span) {
    let is_false = |value: &AttributeValue| value.to_text() == "false";
    let own = span.attributes.iter().find(|(key, _)| key == "error").map(|(_, value)| value);
    match span.status_code {
        // It came with the tag, and nothing else is to be said.
        ERROR if matches!(own, Some(AttributeValue::String(text)) if span.status_message.is_empty() || span.status_message == *text) => {}
        ERROR => {
            tags.put("otel.status_code", "ERROR".to_owned());
            tags.put("error", span.status_message.clone());
        }
        code => {
            if code == OK {
                tags.put("otel.status_code", "OK".to_owned());
            }
            if own.is_some_and(is_false) {
                tags.0.retain(|(key, _)| key != "error");
            }
        }
    }
}

#[cfg(test)]
mod tests;
