//! Log records.

use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Result, SpanId, TraceId};

use super::{AttributeColumns, Attributes, Resource, Scope, Shared, Texts, column, span_id, trace_id};

/// One log record with every field of OpenTelemetry's data model.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// Nanoseconds since the Unix epoch, `None` when unknown.
    pub observed_timestamp_ns: Option<i64>,
    /// Order of arrival, among records of one time.
    pub sequence: u64,
    /// OpenTelemetry severity number, 0 when unknown.
    pub severity_number: i32,
    /// Severity as the source spells it.
    pub severity_text: String,
    /// Name of the event, the empty text when the record is none.
    pub event_name: String,
    /// Text form of the body, `None` when there is none.
    pub line: Option<String>,
    /// Letter of the type of the body, see `model::attributes`.
    pub body_letter: char,
    /// Trace that the record belongs to.
    pub trace_id: Option<TraceId>,
    /// Span that the record belongs to.
    pub span_id: Option<SpanId>,
    /// W3C trace flags.
    pub flags: u32,
    /// Who sent.
    pub resource: Arc<Resource>,
    /// The instrumentation that recorded.
    pub scope: Arc<Scope>,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

impl LogRecord {
    /// The body with its type.
    pub fn body(&self) -> Option<AttributeValue> {
        self.line.as_ref().map(|line| AttributeValue::from_text(self.body_letter, line))
    }

    /// The level as one word: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, `unknown`, or what the source says.
    pub fn level(&self) -> String {
        level_of(self.severity_number, &self.severity_text)
    }
}

/// The level as one word, of the number if there is one, else of the text.
pub(crate) fn level_of(number: i32, text: &str) -> String {
    let word = match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => match text.to_ascii_lowercase().as_str() {
            "" => "unknown",
            "warning" => "warn",
            "err" => "error",
            "information" | "informational" | "notice" => "info",
            "critical" | "panic" | "alert" | "emergency" => "fatal",
            other => return other.to_owned(),
        },
    };
    word.to_owned()
}

/// The columns of a batch of log records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogColumns<'a> {
    timestamp: &'a TimestampNanosecondArray,
    observed_timestamp: &'a TimestampNanosecondArray,
    sequence: &'a UInt64Array,
    severity_number: &'a Int32Array,
    severity_text: Texts<'a>,
    event_name: Texts<'a>,
    body: &'a StringArray,
    body_type: &'a StringArray,
    trace_id: &'a FixedSizeBinaryArray,
    span_id: &'a FixedSizeBinaryArray,
    flags: &'a UInt32Array,
    resource: Texts<'a>,
    scope: Texts<'a>,
    attributes: AttributeColumns<'a>,
    dropped_attributes_count: &'a UInt32Array,
}

impl<'a> LogColumns<'a> {
    pub(crate) fn of(rows: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            timestamp: column(rows, schema::TIMESTAMP)?,
            observed_timestamp: column(rows, logs::OBSERVED_TIMESTAMP)?,
            sequence: column(rows, schema::SEQUENCE)?,
            severity_number: column(rows, logs::SEVERITY_NUMBER)?,
            severity_text: Texts::of(rows, logs::SEVERITY_TEXT)?,
            event_name: Texts::of(rows, logs::EVENT_NAME)?,
            body: column(rows, logs::BODY)?,
            body_type: column(rows, logs::BODY_TYPE)?,
            trace_id: column(rows, schema::TRACE_ID)?,
            span_id: column(rows, schema::SPAN_ID)?,
            flags: column(rows, logs::FLAGS)?,
            resource: Texts::of(rows, schema::RESOURCE)?,
            scope: Texts::of(rows, schema::SCOPE)?,
            attributes: AttributeColumns::of(rows)?,
            dropped_attributes_count: column(rows, logs::DROPPED_ATTRIBUTES_COUNT)?,
        })
    }

    /// All fields of a row.
    pub(crate) fn record(&self, row: usize, shared: &mut Shared) -> LogRecord {
        let observed = self.observed_timestamp;
        LogRecord {
            timestamp_ns: self.timestamp.value(row),
            observed_timestamp_ns: observed.is_valid(row).then(|| observed.value(row)),
            sequence: self.sequence.value(row),
            severity_number: self.severity_number.value(row),
            severity_text: self.severity_text.get(row).to_owned(),
            event_name: self.event_name.get(row).to_owned(),
            line: self.body.is_valid(row).then(|| self.body.value(row).to_owned()),
            body_letter: if self.body_type.is_valid(row) { self.body_type.value(row).chars().next().unwrap_or('s') } else { 's' },
            trace_id: trace_id(self.trace_id, row),
            span_id: span_id(self.span_id, row),
            flags: self.flags.value(row),
            resource: shared.resource(self.resource.get(row)),
            scope: shared.scope(self.scope.get(row)),
            attributes: self.attributes.all(row),
            dropped_attributes_count: self.dropped_attributes_count.value(row),
        }
    }
}
