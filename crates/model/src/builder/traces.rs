//! Builder of span batches.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StructArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};

use super::logs::append_id;
use super::{AttributesBuilder, DictionaryBuilder};
use crate::schema::traces::{event_fields, link_fields};
use crate::{SpanBatch, SpanId, TraceId, schema};

/// The scalar fields of one span; attributes, events and links are appended before the row is closed.
#[derive(Debug, Clone, Copy)]
pub struct SpanRow<'a> {
    /// Trace.
    pub trace_id: TraceId,
    /// Span.
    pub span_id: SpanId,
    /// Parent, `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// Start in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// End in nanoseconds since the Unix epoch.
    pub end_ns: i64,
    /// Name of the operation.
    pub name: &'a str,
    /// OTLP span kind.
    pub kind: i32,
    /// OTLP status code.
    pub status_code: i32,
    /// Status message.
    pub status_message: &'a str,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// W3C trace flags and OTLP's remote bits.
    pub flags: u32,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
    /// How many events the source dropped.
    pub dropped_events_count: u32,
    /// How many links the source dropped.
    pub dropped_links_count: u32,
}

/// One event; its attributes are appended through [`SpanBuilder::event_attributes`] before it is closed.
#[derive(Debug, Clone, Copy)]
pub struct EventRow<'a> {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// Name of the event.
    pub name: &'a str,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// One link; its attributes are appended through [`SpanBuilder::link_attributes`] before it is closed.
#[derive(Debug, Clone, Copy)]
pub struct LinkRow<'a> {
    /// Linked trace.
    pub trace_id: TraceId,
    /// Linked span.
    pub span_id: SpanId,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// W3C trace flags.
    pub flags: u32,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// Builds a [`SpanBatch`].
#[derive(Debug)]
pub struct SpanBuilder {
    start: Vec<i64>,
    duration: Vec<i64>,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent_span_id: FixedSizeBinaryBuilder,
    service: DictionaryBuilder,
    name: DictionaryBuilder,
    kind: Vec<i32>,
    status_code: Vec<i32>,
    status_message: StringBuilder,
    trace_state: StringBuilder,
    flags: Vec<u32>,
    resource: DictionaryBuilder,
    scope: DictionaryBuilder,
    attributes: AttributesBuilder,
    dropped: [Vec<u32>; 3],
    events: Events,
    links: Links,
    current: (u32, u32, u32),
}

#[derive(Debug, Default)]
struct Events {
    offsets: Vec<i32>,
    timestamp: Vec<i64>,
    name: StringBuilder,
    attributes: AttributesBuilder,
    dropped: Vec<u32>,
}

#[derive(Debug)]
struct Links {
    offsets: Vec<i32>,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    trace_state: StringBuilder,
    flags: Vec<u32>,
    attributes: AttributesBuilder,
    dropped: Vec<u32>,
}

impl Default for SpanBuilder {
    fn default() -> Self {
        let mut builder = Self {
            start: Vec::new(),
            duration: Vec::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            parent_span_id: FixedSizeBinaryBuilder::new(8),
            service: DictionaryBuilder::default(),
            name: DictionaryBuilder::default(),
            kind: Vec::new(),
            status_code: Vec::new(),
            status_message: StringBuilder::new(),
            trace_state: StringBuilder::new(),
            flags: Vec::new(),
            resource: DictionaryBuilder::default(),
            scope: DictionaryBuilder::default(),
            attributes: AttributesBuilder::default(),
            dropped: Default::default(),
            events: Events { offsets: vec![0], ..Events::default() },
            links: Links {
                offsets: vec![0],
                trace_id: FixedSizeBinaryBuilder::new(16),
                span_id: FixedSizeBinaryBuilder::new(8),
                trace_state: StringBuilder::new(),
                flags: Vec::new(),
                attributes: AttributesBuilder::default(),
                dropped: Vec::new(),
            },
            current: (0, 0, 0),
        };
        builder.set_resource("{}", "");
        builder.set_scope("{}");
        builder
    }
}

impl SpanBuilder {
    /// Announces the resource of the rows that follow: its JSON form and its `service.name`.
    pub fn set_resource(&mut self, json: &str, service: &str) {
        self.current.0 = self.resource.intern(json);
        self.current.1 = self.service.intern(service);
    }

    /// Announces the scope of the rows that follow: its JSON form.
    pub fn set_scope(&mut self, json: &str) {
        self.current.2 = self.scope.intern(json);
    }

    /// Attributes of the span that is open.
    pub fn attributes(&mut self) -> &mut AttributesBuilder {
        &mut self.attributes
    }

    /// Attributes of the event that is open.
    pub fn event_attributes(&mut self) -> &mut AttributesBuilder {
        &mut self.events.attributes
    }

    /// Attributes of the link that is open.
    pub fn link_attributes(&mut self) -> &mut AttributesBuilder {
        &mut self.links.attributes
    }

    /// Closes an event of the span that is open.
    pub fn close_event(&mut self, event: &EventRow<'_>) {
        self.events.timestamp.push(event.timestamp_ns);
        self.events.name.append_value(event.name);
        self.events.attributes.close_row();
        self.events.dropped.push(event.dropped_attributes_count);
    }

    /// Closes a link of the span that is open.
    pub fn close_link(&mut self, link: &LinkRow<'_>) {
        append_id(&mut self.links.trace_id, Some(link.trace_id.as_bytes()));
        append_id(&mut self.links.span_id, Some(link.span_id.as_bytes()));
        self.links.trace_state.append_option(not_empty(link.trace_state));
        self.links.flags.push(link.flags);
        self.links.attributes.close_row();
        self.links.dropped.push(link.dropped_attributes_count);
    }

    /// Closes the span.
    pub fn close_row(&mut self, row: &SpanRow<'_>) {
        self.start.push(row.start_ns);
        self.duration.push(row.end_ns.wrapping_sub(row.start_ns));
        append_id(&mut self.trace_id, Some(row.trace_id.as_bytes()));
        append_id(&mut self.span_id, Some(row.span_id.as_bytes()));
        append_id(&mut self.parent_span_id, row.parent_span_id.as_ref().map(|id| id.as_bytes().as_slice()));
        self.resource.push(self.current.0);
        self.service.push(self.current.1);
        self.scope.push(self.current.2);
        self.name.push_text(row.name);
        self.kind.push(row.kind);
        self.status_code.push(row.status_code);
        self.status_message.append_option(not_empty(row.status_message));
        self.trace_state.append_option(not_empty(row.trace_state));
        self.flags.push(row.flags);
        self.attributes.close_row();
        for (column, count) in self.dropped.iter_mut().zip([row.dropped_attributes_count, row.dropped_events_count, row.dropped_links_count]) {
            column.push(count);
        }
        self.events.offsets.push(offset(self.events.dropped.len()));
        self.links.offsets.push(offset(self.links.dropped.len()));
    }

    /// Number of closed spans.
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Whether no span was closed.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// The batch.
    pub fn finish(mut self) -> SpanBatch {
        let rows = self.start.len();
        let (attributes, attribute_types) = self.attributes.finish();
        let [dropped_attributes, dropped_events, dropped_links] = self.dropped;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.start).with_timezone("UTC")),
            Arc::new(Int64Array::from(self.duration)),
            Arc::new(UInt64Array::from(vec![0; rows])),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.parent_span_id.finish()),
            self.service.finish(),
            self.name.finish(),
            Arc::new(Int32Array::from(self.kind)),
            Arc::new(Int32Array::from(self.status_code)),
            Arc::new(self.status_message.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(UInt32Array::from(self.flags)),
            self.resource.finish(),
            self.scope.finish(),
            attributes,
            attribute_types,
            Arc::new(UInt32Array::from(dropped_attributes)),
            Arc::new(UInt32Array::from(dropped_events)),
            Arc::new(UInt32Array::from(dropped_links)),
            self.events.finish(),
            self.links.finish(),
        ];
        let batch = RecordBatch::try_new(schema::spans(), columns).expect("one value a column is appended for each row");
        SpanBatch::new(batch).expect("the schema is this module's own")
    }
}

impl Events {
    fn finish(mut self) -> ArrayRef {
        let (attributes, attribute_types) = self.attributes.finish();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.timestamp).with_timezone("UTC")),
            Arc::new(self.name.finish()),
            attributes,
            attribute_types,
            Arc::new(UInt32Array::from(self.dropped)),
        ];
        list(event_fields(), columns, self.offsets)
    }
}

impl Links {
    fn finish(mut self) -> ArrayRef {
        let (attributes, attribute_types) = self.attributes.finish();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(UInt32Array::from(self.flags)),
            attributes,
            attribute_types,
            Arc::new(UInt32Array::from(self.dropped)),
        ];
        list(link_fields(), columns, self.offsets)
    }
}

fn list(fields: Fields, columns: Vec<ArrayRef>, offsets: Vec<i32>) -> ArrayRef {
    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), false));
    Arc::new(ListArray::new(item, OffsetBuffer::new(offsets.into()), Arc::new(StructArray::new(fields, columns, None)), None))
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("a request has fewer than 2^31 events and links: its size is limited")
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
