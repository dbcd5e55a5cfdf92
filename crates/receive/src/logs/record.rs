//! One log record between its wire format and a batch.

use std::borrow::Cow;
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};

/// Attributes in the order they came.
pub type Attributes<'a> = Vec<(Cow<'a, str>, AttributeValue)>;

/// Who sent: the attributes of the resource, shared by the records of one sender.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// Attributes by OpenTelemetry's names where there are any (`service.name`, `host.name`), else as the source names them.
    pub attributes: Vec<(String, AttributeValue)>,
}

impl Origin {
    /// An attribute of text.
    pub fn set(&mut self, name: impl Into<String>, text: impl Into<String>) {
        let (name, value) = (name.into(), AttributeValue::String(text.into()));
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// An attribute that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).and_then(|(_, value)| match value {
            AttributeValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// One log record. Fields are those of OpenTelemetry's log data model; only OTLP says when it was observed.
#[derive(Debug, Clone, Default)]
pub struct Record<'a> {
    /// Who sent.
    pub origin: Arc<Origin>,
    /// Nanoseconds since the Unix epoch; the time of arrival when there is none.
    pub timestamp_ns: Option<i64>,
    /// OpenTelemetry severity number, 0 when unknown.
    pub severity_number: i32,
    /// Severity as the source spells it, the empty text when unknown.
    pub severity_text: Cow<'a, str>,
    /// Name of the event.
    pub event_name: Cow<'a, str>,
    /// The body.
    pub body: Option<Cow<'a, str>>,
    /// Trace that the record belongs to.
    pub trace_id: Option<TraceId>,
    /// Span that the record belongs to.
    pub span_id: Option<SpanId>,
    /// W3C trace flags.
    pub flags: u32,
    /// Attributes of the record itself.
    pub attributes: Attributes<'a>,
}
