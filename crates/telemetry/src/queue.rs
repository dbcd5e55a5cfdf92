//! Own log records and spans on their way into the store: bounded, never blocking, losses counted.

use std::collections::VecDeque;

use parking_lot::Mutex;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};

use crate::metrics::{Counter, registry};
use crate::names;

/// Records of one kind that wait at most. At the default pace of one write a second this is far above what a healthy
/// server says, and a few megabytes.
pub const RECORDS_MAX: usize = 8192;

/// One own log record.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// OpenTelemetry severity number.
    pub severity_number: i32,
    /// The level's name.
    pub severity_text: &'static str,
    /// The module that spoke.
    pub scope: String,
    /// The message.
    pub body: String,
    /// Fields beside the message.
    pub attributes: Vec<(&'static str, AttributeValue)>,
    /// The span it was said in, if that is recorded.
    pub span: Option<(TraceId, SpanId)>,
}

/// One own span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRecord {
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
    /// Operation.
    pub name: String,
    /// OTLP span kind.
    pub kind: i32,
    /// OTLP status code.
    pub status_code: i32,
    /// Status message.
    pub status_message: String,
    /// The module that made it.
    pub scope: String,
    /// Fields.
    pub attributes: Vec<(&'static str, AttributeValue)>,
}

/// What waits to be stored. When it is full the newest are dropped and counted: what led to a flood is worth more than its end.
#[derive(Debug)]
pub struct Queue {
    logs: Lane<LogRecord>,
    spans: Lane<SpanRecord>,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: Mutex<VecDeque<T>>,
    dropped: Counter,
}

impl<T> Lane<T> {
    fn new(signal: &str) -> Self {
        Self { waiting: Mutex::default(), dropped: registry().counter(names::TELEMETRY_DROPPED_RECORDS_TOTAL, &[("signal", signal)]) }
    }

    fn push(&self, record: T) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < RECORDS_MAX {
            waiting.push_back(record);
        } else {
            self.dropped.add(1);
        }
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.waiting.lock()).into()
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { logs: Lane::new("logs"), spans: Lane::new("traces") }
    }
}

impl Queue {
    /// Adds a log record.
    pub fn push_log(&self, record: LogRecord) {
        self.logs.push(record);
    }

    /// Adds a span.
    pub fn push_span(&self, record: SpanRecord) {
        self.spans.push(record);
    }

    /// Takes everything that waits.
    pub fn take(&self) -> (Vec<LogRecord>, Vec<SpanRecord>) {
        (self.logs.take(), self.spans.take())
    }
}
