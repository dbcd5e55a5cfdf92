//! Builder of log batches.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{Int32Array, RecordBatch, TimestampNanosecondArray, UInt32Array, UInt64Array};

use super::{AttributesBuilder, DictionaryBuilder};
use crate::{LogBatch, SpanId, TraceId, schema};

/// The scalar fields of one record; attributes are appended through [`LogBuilder::attributes`] before the row is closed.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogRow<'a> {
    /// Nanoseconds since the Unix epoch. When the source knows none, the observed time, else the time of arrival.
    pub timestamp_ns: i64,
    /// Nanoseconds since the Unix epoch, `None` when unknown.
    pub observed_timestamp_ns: Option<i64>,
    /// OpenTelemetry severity number, 0 when unknown.
    pub severity_number: i32,
    /// Severity as the source spells it.
    pub severity_text: &'a str,
    /// Name of the event.
    pub event_name: &'a str,
    /// Text of the body; `None` when there is none.
    pub body: Option<&'a str>,
    /// Letter of the type of the body, see [`crate::attributes`]; `s` for text.
    pub body_letter: Option<char>,
    /// Trace that the record belongs to.
    pub trace_id: Option<TraceId>,
    /// Span that the record belongs to.
    pub span_id: Option<SpanId>,
    /// W3C trace flags.
    pub flags: u32,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// Builds a [`LogBatch`].
#[derive(Debug)]
pub struct LogBuilder {
    timestamp: Vec<i64>,
    observed_timestamp: Vec<Option<i64>>,
    service: DictionaryBuilder,
    severity_number: Vec<i32>,
    severity_text: DictionaryBuilder,
    event_name: DictionaryBuilder,
    body: StringBuilder,
    body_type: StringBuilder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    flags: Vec<u32>,
    resource: DictionaryBuilder,
    scope: DictionaryBuilder,
    attributes: AttributesBuilder,
    dropped_attributes_count: Vec<u32>,
    current: (u32, u32, u32),
}

impl Default for LogBuilder {
    fn default() -> Self {
        let mut builder = Self {
            timestamp: Vec::new(),
            observed_timestamp: Vec::new(),
            service: DictionaryBuilder::default(),
            severity_number: Vec::new(),
            severity_text: DictionaryBuilder::default(),
            event_name: DictionaryBuilder::default(),
            body: StringBuilder::new(),
            body_type: StringBuilder::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            flags: Vec::new(),
            resource: DictionaryBuilder::default(),
            scope: DictionaryBuilder::default(),
            attributes: AttributesBuilder::default(),
            dropped_attributes_count: Vec::new(),
            current: (0, 0, 0),
        };
        builder.set_resource("{}", "");
        builder.set_scope("{}");
        builder
    }
}

impl LogBuilder {
    /// Announces the resource of the rows that follow: its JSON form and its `service.name`.
    pub fn set_resource(&mut self, json: &str, service: &str) {
        self.current.0 = self.resource.intern(json);
        self.current.1 = self.service.intern(service);
    }

    /// Announces the scope of the rows that follow: its JSON form.
    pub fn set_scope(&mut self, json: &str) {
        self.current.2 = self.scope.intern(json);
    }

    /// Attributes of the row that is open.
    pub fn attributes(&mut self) -> &mut AttributesBuilder {
        &mut self.attributes
    }

    /// Closes the row.
    pub fn close_row(&mut self, row: &LogRow<'_>) {
        self.timestamp.push(row.timestamp_ns);
        self.observed_timestamp.push(row.observed_timestamp_ns);
        self.resource.push(self.current.0);
        self.service.push(self.current.1);
        self.scope.push(self.current.2);
        self.severity_number.push(row.severity_number);
        self.severity_text.push_text(row.severity_text);
        self.event_name.push_text(row.event_name);
        self.body.append_option(row.body);
        let letter = row.body_letter.filter(|letter| *letter != 's').map(String::from);
        self.body_type.append_option(letter);
        append_id(&mut self.trace_id, row.trace_id.as_ref().map(|id| id.as_bytes().as_slice()));
        append_id(&mut self.span_id, row.span_id.as_ref().map(|id| id.as_bytes().as_slice()));
        self.flags.push(row.flags);
        self.attributes.close_row();
        self.dropped_attributes_count.push(row.dropped_attributes_count);
    }

    /// Number of closed rows.
    pub fn len(&self) -> usize {
        self.timestamp.len()
    }

    /// Whether no row was closed.
    pub fn is_empty(&self) -> bool {
        self.timestamp.is_empty()
    }

    /// The batch.
    pub fn finish(mut self) -> LogBatch {
        let rows = self.timestamp.len();
        let (attributes, attribute_types) = self.attributes.finish();
        let columns: Vec<arrow_array::ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.timestamp).with_timezone("UTC")),
            Arc::new(TimestampNanosecondArray::from(self.observed_timestamp).with_timezone("UTC")),
            Arc::new(UInt64Array::from(vec![0; rows])),
            self.service.finish(),
            Arc::new(Int32Array::from(self.severity_number)),
            self.severity_text.finish(),
            self.event_name.finish(),
            Arc::new(self.body.finish()),
            Arc::new(self.body_type.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(UInt32Array::from(self.flags)),
            self.resource.finish(),
            self.scope.finish(),
            attributes,
            attribute_types,
            Arc::new(UInt32Array::from(self.dropped_attributes_count)),
        ];
        let batch = RecordBatch::try_new(schema::logs(), columns).expect("one value a column is appended for each row");
        LogBatch::new(batch).expect("the schema is this module's own")
    }
}

pub(super) fn append_id(builder: &mut FixedSizeBinaryBuilder, id: Option<&[u8]>) {
    match id {
        Some(bytes) => builder.append_value(bytes).expect("identifiers have the width of their column"),
        None => builder.append_null(),
    }
}
