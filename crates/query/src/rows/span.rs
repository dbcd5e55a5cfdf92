//! Spans.

use std::sync::Arc;

use arrow::array::{
    AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array,
};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, SpanId, TraceId};

use super::{AttributeColumns, Attributes, Resource, Scope, Shared, Texts, column, optional_text, span_id, trace_id};

/// One span with every field of OpenTelemetry's data model.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Trace.
    pub trace_id: TraceId,
    /// Span; `None` only where the source sent none.
    pub span_id: Option<SpanId>,
    /// Parent, `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// Start in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// End minus start in nanoseconds.
    pub duration_ns: i64,
    /// `service.name`, the empty text when the resource has none.
    pub service: String,
    /// Name of the operation.
    pub name: String,
    /// OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// OTLP status code: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// Status message.
    pub status_message: String,
    /// W3C trace state.
    pub trace_state: String,
    /// W3C trace flags and OTLP's remote bits.
    pub flags: u32,
    /// Who sent.
    pub resource: Arc<Resource>,
    /// The instrumentation that recorded.
    pub scope: Arc<Scope>,
    /// Attributes.
    pub attributes: Attributes,
    /// Events.
    pub events: Vec<SpanEvent>,
    /// Links to other spans.
    pub links: Vec<SpanLink>,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
    /// How many events the source dropped.
    pub dropped_events_count: u32,
    /// How many links the source dropped.
    pub dropped_links_count: u32,
}

impl Span {
    /// End in nanoseconds since the Unix epoch.
    pub fn end_ns(&self) -> i64 {
        self.start_ns.wrapping_add(self.duration_ns)
    }
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanEvent {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// Name of the event.
    pub name: String,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// A reference to another span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanLink {
    /// Linked trace; `None` only where the source sent none.
    pub trace_id: Option<TraceId>,
    /// Linked span; `None` only where the source sent none.
    pub span_id: Option<SpanId>,
    /// W3C trace state.
    pub trace_state: String,
    /// W3C trace flags.
    pub flags: u32,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// The columns of a batch of spans that have no structure.
#[derive(Debug, Clone, Copy)]
struct SpanColumns<'a> {
    timestamp: &'a TimestampNanosecondArray,
    duration: &'a Int64Array,
    trace_id: &'a FixedSizeBinaryArray,
    span_id: &'a FixedSizeBinaryArray,
    parent_span_id: &'a FixedSizeBinaryArray,
    service: Texts<'a>,
    name: Texts<'a>,
    kind: &'a Int32Array,
    status_code: &'a Int32Array,
    status_message: &'a StringArray,
    resource: Texts<'a>,
    attributes: AttributeColumns<'a>,
}

/// The columns that only whole spans need.
#[derive(Debug, Clone, Copy)]
struct RestColumns<'a> {
    trace_state: &'a StringArray,
    flags: &'a UInt32Array,
    scope: Texts<'a>,
    dropped: [&'a UInt32Array; 3],
    events: &'a ListArray,
    links: &'a ListArray,
}

impl<'a> SpanColumns<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self> {
        let attributes: &MapArray = column(rows, schema::ATTRIBUTES)?;
        Ok(Self {
            timestamp: column(rows, schema::TIMESTAMP)?,
            duration: column(rows, traces::DURATION_NS)?,
            trace_id: column(rows, schema::TRACE_ID)?,
            span_id: column(rows, schema::SPAN_ID)?,
            parent_span_id: column(rows, traces::PARENT_SPAN_ID)?,
            service: Texts::of(rows, schema::SERVICE)?,
            name: Texts::of(rows, traces::NAME)?,
            kind: column(rows, traces::KIND)?,
            status_code: column(rows, traces::STATUS_CODE)?,
            status_message: column(rows, traces::STATUS_MESSAGE)?,
            resource: Texts::of(rows, schema::RESOURCE)?,
            attributes: AttributeColumns::new(attributes, column(rows, schema::ATTRIBUTE_TYPES)?)?,
        })
    }
}

/// All fields of those rows of a batch that are wanted, in order.
pub(crate) fn spans(rows: &RecordBatch, wanted: &[usize], shared: &mut Shared) -> Result<Vec<Span>> {
    let columns = SpanColumns::of(rows)?;
    let rest = RestColumns {
        trace_state: column(rows, traces::TRACE_STATE)?,
        flags: column(rows, traces::FLAGS)?,
        scope: Texts::of(rows, schema::SCOPE)?,
        dropped: [column(rows, traces::DROPPED_ATTRIBUTES_COUNT)?, column(rows, traces::DROPPED_EVENTS_COUNT)?, column(rows, traces::DROPPED_LINKS_COUNT)?],
        events: column(rows, traces::EVENTS)?,
        links: column(rows, traces::LINKS)?,
    };
    let mut spans = Vec::with_capacity(wanted.len());
    for row in wanted.iter().copied() {
        let Some(trace_id) = trace_id(columns.trace_id, row) else { continue };
        spans.push(Span {
            trace_id,
            span_id: span_id(columns.span_id, row),
            parent_span_id: span_id(columns.parent_span_id, row),
            start_ns: columns.timestamp.value(row),
            duration_ns: columns.duration.value(row),
            service: columns.service.get(row).to_owned(),
            name: columns.name.get(row).to_owned(),
            kind: columns.kind.value(row),
            status_code: columns.status_code.value(row),
            status_message: optional_text(columns.status_message, row),
            trace_state: optional_text(rest.trace_state, row),
            flags: rest.flags.value(row),
            resource: shared.resource(columns.resource.get(row)),
            scope: shared.scope(rest.scope.get(row)),
            attributes: columns.attributes.all(row),
            events: events(rest.events, row)?,
            links: links(rest.links, row)?,
            dropped_attributes_count: rest.dropped[0].value(row),
            dropped_events_count: rest.dropped[1].value(row),
            dropped_links_count: rest.dropped[2].value(row),
        });
    }
    Ok(spans)
}

/// The items of a list column as a batch of their own, and which of them belong to a row.
fn items(lists: &ListArray, row: usize) -> Result<(RecordBatch, std::ops::Range<usize>)> {
    let items = lists.values().as_struct_opt().ok_or_else(|| Error::internal("cannot read list: not of structs"))?;
    let offsets = lists.value_offsets();
    Ok((RecordBatch::from(items.clone()), offsets[row] as usize..offsets[row + 1] as usize))
}

fn events(lists: &ListArray, row: usize) -> Result<Vec<SpanEvent>> {
    if lists.value_length(row) == 0 {
        return Ok(Vec::new());
    }
    let (items, range) = items(lists, row)?;
    let attributes = AttributeColumns::new(column(&items, schema::ATTRIBUTES)?, column(&items, schema::ATTRIBUTE_TYPES)?)?;
    let timestamp: &TimestampNanosecondArray = column(&items, schema::TIMESTAMP)?;
    let name: &StringArray = column(&items, traces::NAME)?;
    let dropped: &UInt32Array = column(&items, traces::DROPPED_ATTRIBUTES_COUNT)?;
    let event = |item: usize| SpanEvent {
        timestamp_ns: timestamp.value(item),
        name: name.value(item).to_owned(),
        attributes: attributes.all(item),
        dropped_attributes_count: dropped.value(item),
    };
    Ok(range.map(event).collect())
}

fn links(lists: &ListArray, row: usize) -> Result<Vec<SpanLink>> {
    if lists.value_length(row) == 0 {
        return Ok(Vec::new());
    }
    let (items, range) = items(lists, row)?;
    let attributes = AttributeColumns::new(column(&items, schema::ATTRIBUTES)?, column(&items, schema::ATTRIBUTE_TYPES)?)?;
    let (traces_ids, span_ids): (&FixedSizeBinaryArray, &FixedSizeBinaryArray) = (column(&items, schema::TRACE_ID)?, column(&items, schema::SPAN_ID)?);
    let trace_state: &StringArray = column(&items, traces::TRACE_STATE)?;
    let (flags, dropped): (&UInt32Array, &UInt32Array) = (column(&items, traces::FLAGS)?, column(&items, traces::DROPPED_ATTRIBUTES_COUNT)?);
    let link = |item: usize| SpanLink {
        trace_id: trace_id(traces_ids, item),
        span_id: span_id(span_ids, item),
        trace_state: optional_text(trace_state, item),
        flags: flags.value(item),
        attributes: attributes.all(item),
        dropped_attributes_count: dropped.value(item),
    };
    Ok(range.map(link).collect())
}
