//! Spans to a batch.

use signalbox_model::Batch;
use signalbox_model::attributes::{SCOPE_NAME, SCOPE_VERSION, write_json_bytes, write_json_double, write_json_string};
use signalbox_model::builder::{AttributesBuilder, EventRow, LinkRow, SpanBuilder, SpanRow};

use super::record::{Attributes, Scope, Span, Value};
use crate::door::{Context, Decoded, Rejections};

/// Attribute of a resource that names the service.
const SERVICE: &str = "service.name";

/// Makes a batch of spans; a span is judged as a whole before anything of it is appended.
#[derive(Debug)]
pub struct Assembler<'c> {
    context: Context<'c>,
    builder: SpanBuilder,
    rejections: Rejections,
    scratch: String,
}

impl<'c> Assembler<'c> {
    /// An empty batch.
    pub fn new(context: &Context<'c>) -> Self {
        Self { context: *context, builder: SpanBuilder::default(), rejections: Rejections::default(), scratch: String::new() }
    }

    /// What the decoder may know.
    pub(crate) fn context(&self) -> &Context<'c> {
        &self.context
    }

    /// Announces who sent the spans that follow.
    pub fn enter(&mut self, resource: &Attributes<'_>) {
        write_object(&mut self.scratch, resource.iter().map(|(key, value)| (key.as_ref(), value)));
        let service = resource.iter().find(|(key, _)| key == SERVICE).and_then(|(_, value)| value.text()).unwrap_or_default();
        self.builder.set_resource(&self.scratch, service);
    }

    /// Announces the library that made the spans that follow.
    pub fn set_scope(&mut self, scope: &Scope<'_>) {
        self.scratch.clear();
        self.scratch.push('{');
        for (key, text) in [(SCOPE_NAME, &scope.name), (SCOPE_VERSION, &scope.version)] {
            if !text.is_empty() {
                if self.scratch.len() > 1 {
                    self.scratch.push(',');
                }
                write_json_string(&mut self.scratch, key);
                self.scratch.push(':');
                write_json_string(&mut self.scratch, text);
            }
        }
        self.scratch.push('}');
        self.builder.set_scope(&self.scratch);
    }

    /// Appends a span.
    pub fn push(&mut self, span: &Span<'_>) {
        let (Some(trace_id), Some(span_id)) = (span.trace_id, span.span_id) else {
            return self.rejections.add(1, "invalid_id", || format!("span {:?} has no valid trace id and span id", span.name));
        };
        let is_time_valid = span.events.iter().all(|event| event.timestamp_ns.is_some());
        let (Some(start_ns), Some(end_ns), true) = (span.start_ns, span.end_ns, is_time_valid) else {
            return self.rejections.add(1, "invalid_timestamp", || "timestamp is later than the year 2262".into());
        };
        append_all(self.builder.attributes(), &span.attributes);
        for event in &span.events {
            append_all(self.builder.event_attributes(), &event.attributes);
            self.builder.close_event(&EventRow {
                timestamp_ns: event.timestamp_ns.unwrap_or_default(),
                name: &event.name,
                dropped_attributes_count: event.dropped_attributes_count,
            });
        }
        for link in &span.links {
            append_all(self.builder.link_attributes(), &link.attributes);
            self.builder.close_link(&LinkRow {
                trace_id: link.trace_id,
                span_id: link.span_id,
                trace_state: &link.trace_state,
                flags: 0,
                dropped_attributes_count: link.dropped_attributes_count,
            });
        }
        self.builder.close_row(&SpanRow {
            trace_id,
            span_id,
            parent_span_id: span.parent_span_id,
            start_ns,
            end_ns,
            name: &span.name,
            kind: span.kind,
            status_code: span.status_code,
            status_message: &span.status_message,
            trace_state: &span.trace_state,
            flags: span.flags,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }

    /// Counts spans that were not understood.
    pub fn reject(&mut self, rows: u64, reason: &'static str, message: impl FnOnce() -> String) {
        self.rejections.add(rows, reason, message);
    }

    /// What a door hands on.
    pub fn finish(self) -> Decoded {
        let batches = if self.builder.is_empty() { Vec::new() } else { vec![Batch::Traces(self.builder.finish())] };
        Decoded { batches, rejected: self.rejections.finish(), points: None }
    }
}

fn append_all(builder: &mut AttributesBuilder, attributes: &Attributes<'_>) {
    for (key, value) in attributes {
        match value {
            Value::Text(text) => builder.append_string(key, text),
            Value::Bool(value) => builder.append_bool(key, *value),
            Value::Int(value) => builder.append_int(key, *value),
            Value::Double(value) => builder.append_double(key, *value),
            Value::Bytes(bytes) => builder.append_bytes(key, bytes),
        }
    }
}

fn write_object<'v>(out: &mut String, entries: impl Iterator<Item = (&'v str, &'v Value<'v>)>) {
    out.clear();
    out.push('{');
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(out, key);
        out.push(':');
        match value {
            Value::Text(text) => write_json_string(out, text),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Double(value) => write_json_double(out, *value),
            Value::Bytes(bytes) => write_json_bytes(out, bytes),
        }
    }
    out.push('}');
}
