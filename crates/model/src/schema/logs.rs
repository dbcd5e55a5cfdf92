//! Columns of a log record. Every field of OpenTelemetry's log data model has its place.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::{ATTRIBUTE_TYPES, ATTRIBUTES, RESOURCE, SCOPE, SEQUENCE, SERVICE, SPAN_ID, TIMESTAMP, TRACE_ID, attribute_map, dictionary, nanoseconds, schema};

/// When the record was observed, null when unknown.
pub const OBSERVED_TIMESTAMP: &str = "observed_timestamp";
/// OpenTelemetry severity number, 0 when unknown.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// Severity as the source spells it, the empty text when unknown.
pub const SEVERITY_TEXT: &str = "severity_text";
/// Body: the text itself, or the text form of another type; null when there is none.
pub const BODY: &str = "body";
/// Type of the body as one letter of [`crate::attributes`]; null when it is a string or missing.
pub const BODY_TYPE: &str = "body_type";
/// Name of the event, the empty text when the record is none.
pub const EVENT_NAME: &str = "event_name";
/// W3C trace flags.
pub const FLAGS: &str = "flags";
/// How many attributes the source dropped.
pub const DROPPED_ATTRIBUTES_COUNT: &str = "dropped_attributes_count";

/// Nanoseconds from [`super::TIMESTAMP`] to [`OBSERVED_TIMESTAMP`], as segments keep the latter; wraps around, null when that is.
pub const OBSERVED_DELAY: &str = "observed_delay";

/// Pattern of the body, see [`crate::pattern`]: no column of what comes in, the store makes it. Null where there is no body, and
/// where a segment has too many patterns.
pub const PATTERN: &str = "pattern";

/// The schema of `logs` as they come in.
pub fn logs() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema(vec![
            Field::new(TIMESTAMP, nanoseconds(), false),
            Field::new(OBSERVED_TIMESTAMP, nanoseconds(), true),
            Field::new(SEQUENCE, DataType::UInt64, false),
            Field::new(SERVICE, dictionary(), false),
            Field::new(SEVERITY_NUMBER, DataType::Int32, false),
            Field::new(SEVERITY_TEXT, dictionary(), false),
            Field::new(EVENT_NAME, dictionary(), false),
            Field::new(BODY, DataType::Utf8, true),
            Field::new(BODY_TYPE, DataType::Utf8, true),
            Field::new(TRACE_ID, DataType::FixedSizeBinary(16), true),
            Field::new(SPAN_ID, DataType::FixedSizeBinary(8), true),
            Field::new(FLAGS, DataType::UInt32, false),
            Field::new(RESOURCE, dictionary(), false),
            Field::new(SCOPE, dictionary(), false),
            Field::new(ATTRIBUTES, attribute_map(), false),
            Field::new(ATTRIBUTE_TYPES, DataType::Utf8, true),
            Field::new(DROPPED_ATTRIBUTES_COUNT, DataType::UInt32, false),
        ])
    });
    SCHEMA.clone()
}

/// The schema of `logs` as the store gives them: that of [`logs`], and behind it [`PATTERN`].
pub fn stored_logs() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let own = [Arc::new(Field::new(PATTERN, dictionary(), true))];
        Arc::new(Schema::new(logs().fields().iter().cloned().chain(own).collect::<Vec<_>>()))
    });
    SCHEMA.clone()
}
