//! Columns of a span. Every field of OpenTelemetry's span has its place.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, SchemaRef};

use super::{ATTRIBUTE_TYPES, ATTRIBUTES, RESOURCE, SCOPE, SEQUENCE, SERVICE, SPAN_ID, TIMESTAMP, TRACE_ID, attribute_map, dictionary, nanoseconds, schema};

/// End minus start in nanoseconds; negative when the clocks of the source were wrong.
pub const DURATION_NS: &str = "duration_ns";
/// Parent, null for a root.
pub const PARENT_SPAN_ID: &str = "parent_span_id";
/// W3C trace state, null when empty.
pub const TRACE_STATE: &str = "trace_state";
/// W3C trace flags and OTLP's remote bits.
pub const FLAGS: &str = "flags";
/// Name of the operation.
pub const NAME: &str = "name";
/// OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
pub const KIND: &str = "kind";
/// OTLP status: 0 unset, 1 ok, 2 error.
pub const STATUS_CODE: &str = "status_code";
/// Status message, null when empty.
pub const STATUS_MESSAGE: &str = "status_message";
/// How many attributes the source dropped.
pub const DROPPED_ATTRIBUTES_COUNT: &str = "dropped_attributes_count";
/// How many events the source dropped.
pub const DROPPED_EVENTS_COUNT: &str = "dropped_events_count";
/// How many links the source dropped.
pub const DROPPED_LINKS_COUNT: &str = "dropped_links_count";
/// Events of the span.
pub const EVENTS: &str = "events";
/// Links to other spans.
pub const LINKS: &str = "links";

pub(crate) fn event_fields() -> Fields {
    Fields::from(vec![
        Field::new(TIMESTAMP, nanoseconds(), false),
        Field::new(NAME, DataType::Utf8, false),
        Field::new(ATTRIBUTES, attribute_map(), false),
        Field::new(ATTRIBUTE_TYPES, DataType::Utf8, true),
        Field::new(DROPPED_ATTRIBUTES_COUNT, DataType::UInt32, false),
    ])
}

pub(crate) fn link_fields() -> Fields {
    Fields::from(vec![
        Field::new(TRACE_ID, DataType::FixedSizeBinary(16), false),
        Field::new(SPAN_ID, DataType::FixedSizeBinary(8), false),
        Field::new(TRACE_STATE, DataType::Utf8, true),
        Field::new(FLAGS, DataType::UInt32, false),
        Field::new(ATTRIBUTES, attribute_map(), false),
        Field::new(ATTRIBUTE_TYPES, DataType::Utf8, true),
        Field::new(DROPPED_ATTRIBUTES_COUNT, DataType::UInt32, false),
    ])
}

pub(crate) fn list_of(fields: Fields) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), false)))
}

/// The schema of `spans`.
pub fn spans() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema(vec![
            Field::new(TIMESTAMP, nanoseconds(), false),
            Field::new(DURATION_NS, DataType::Int64, false),
            Field::new(SEQUENCE, DataType::UInt64, false),
            Field::new(TRACE_ID, DataType::FixedSizeBinary(16), false),
            Field::new(SPAN_ID, DataType::FixedSizeBinary(8), false),
            Field::new(PARENT_SPAN_ID, DataType::FixedSizeBinary(8), true),
            Field::new(SERVICE, dictionary(), false),
            Field::new(NAME, dictionary(), false),
            Field::new(KIND, DataType::Int32, false),
            Field::new(STATUS_CODE, DataType::Int32, false),
            Field::new(STATUS_MESSAGE, DataType::Utf8, true),
            Field::new(TRACE_STATE, DataType::Utf8, true),
            Field::new(FLAGS, DataType::UInt32, false),
            Field::new(RESOURCE, dictionary(), false),
            Field::new(SCOPE, dictionary(), false),
            Field::new(ATTRIBUTES, attribute_map(), false),
            Field::new(ATTRIBUTE_TYPES, DataType::Utf8, true),
            Field::new(DROPPED_ATTRIBUTES_COUNT, DataType::UInt32, false),
            Field::new(DROPPED_EVENTS_COUNT, DataType::UInt32, false),
            Field::new(DROPPED_LINKS_COUNT, DataType::UInt32, false),
            Field::new(EVENTS, list_of(event_fields()), false),
            Field::new(LINKS, list_of(link_fields()), false),
        ])
    });
    SCHEMA.clone()
}
