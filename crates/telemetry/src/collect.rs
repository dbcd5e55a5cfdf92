//! The layer that turns events into log records and spans into span records.
//!
//! Fields with a meaning of their own: `otel.name`, `otel.kind` (`server`, `client`, …), `otel.status_code` (`ok`, `error`),
//! `otel.status_description`, and `traceparent`, W3C's header of that name, on the first span of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Clock, SpanId, TraceId};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::queue::{LogRecord, Queue, SpanRecord};

/// Name of the span in which nothing is collected.
pub(crate) const QUIET: &str = "quiet";
/// Fields that one record keeps.
const ATTRIBUTES_MAX: usize = 32;
/// Bytes of one text that are kept.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Collects own telemetry into a queue.
pub(crate) struct Collector {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    sampler: Mutex<Sampler>,
}

/// What is known of a span while it is open.
enum Open {
    /// Nothing in it is collected.
    Quiet,
    /// It was not chosen; log records in it are collected.
    Unsampled,
    /// It will be a record.
    Sampled(Box<SpanRecord>),
}

/// Lets a number of traces begin in each second.
struct Sampler {
    per_second: u32,
    second: u64,
    left: u32,
}

impl Sampler {
    fn admits(&mut self, now: Duration) -> bool {
        if self.second != now.as_secs() {
            (self.second, self.left) = (now.as_secs(), self.per_second);
        }
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }
}

impl Collector {
    pub(crate) fn new(queue: Arc<Queue>, clock: Arc<dyn Clock>, traces_per_second_max: u32) -> Self {
        let sampler = Sampler { per_second: traces_per_second_max, second: clock.monotonic().as_secs(), left: traces_per_second_max };
        Self { queue, clock, sampler: Mutex::new(sampler) }
    }

    fn open(&self, attributes: &Attributes<'_>, parent: Option<Parent>) -> Open {
        let mut fields = Fields::default();
        let (trace_id, parent_span_id) = match parent {
            Some(Parent::Quiet) => return Open::Quiet,
            _ if attributes.metadata().name() == QUIET => return Open::Quiet,
            Some(Parent::Unsampled) => return Open::Unsampled,
            Some(Parent::Sampled(trace_id, span_id)) => {
                attributes.record(&mut fields);
                (trace_id, Some(span_id))
            }
            None => {
                attributes.record(&mut fields);
                let caller = fields.traceparent.as_deref().map(parse_traceparent);
                match caller {
                    Some(Some(Caller { is_sampled: false, .. })) => return Open::Unsampled,
                    _ if !self.sampler.lock().admits(self.clock.monotonic()) => return Open::Unsampled,
                    Some(Some(caller)) => (caller.trace_id, Some(caller.span_id)),
                    _ => (random_trace_id(), None),
                }
            }
        };
        let metadata = attributes.metadata();
        let mut record = SpanRecord {
            trace_id,
            span_id: random_span_id(),
            parent_span_id,
            start_ns: self.clock.now_ns(),
            end_ns: 0,
            name: metadata.name().to_owned(),
            kind: INTERNAL,
            status_code: 0,
            status_message: String::new(),
            scope: metadata.target().to_owned(),
            attributes: Vec::new(),
        };
        fields.fill(&mut record);
        Open::Sampled(Box::new(record))
    }
}

/// What a new span or event needs to know of the span around it.
enum Parent {
    Quiet,
    Unsampled,
    Sampled(TraceId, SpanId),
}

fn parent_of<'a, S: LookupSpan<'a>>(span: Option<SpanRef<'a, S>>) -> Option<Parent> {
    let span = span?;
    let extensions = span.extensions();
    Some(match extensions.get::<Open>()? {
        Open::Quiet => Parent::Quiet,
        Open::Unsampled => Parent::Unsampled,
        Open::Sampled(record) => Parent::Sampled(record.trace_id, record.span_id),
    })
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let open = self.open(attributes, parent_of(span.parent()));
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Open::Sampled(record)) = span.extensions_mut().get_mut::<Open>() {
            let mut fields = Fields::default();
            values.record(&mut fields);
            fields.fill(record);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let span = match parent_of(context.event_span(event)) {
            Some(Parent::Quiet) => return,
            Some(Parent::Sampled(trace_id, span_id)) => Some((trace_id, span_id)),
            Some(Parent::Unsampled) | None => None,
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (severity_number, severity_text) = severity(*event.metadata().level());
        self.queue.push_log(LogRecord {
            timestamp_ns: self.clock.now_ns(),
            severity_number,
            severity_text,
            scope: event.metadata().target().to_owned(),
            body: fields.message,
            attributes: fields.attributes,
            span,
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(Open::Sampled(mut record)) = span.extensions_mut().remove::<Open>() {
            record.end_ns = self.clock.now_ns().max(record.start_ns);
            self.queue.push_span(*record);
        }
    }
}

/// OTLP's number of a span that neither serves nor asks.
const INTERNAL: i32 = 1;

/// Fields of a span or an event.
#[derive(Default)]
struct Fields {
    message: String,
    name: Option<String>,
    kind: Option<i32>,
    status_code: Option<i32>,
    status_message: Option<String>,
    traceparent: Option<String>,
    attributes: Vec<(&'static str, AttributeValue)>,
}

impl Fields {
    fn fill(self, record: &mut SpanRecord) {
        record.name = self.name.unwrap_or_else(|| std::mem::take(&mut record.name));
        record.kind = self.kind.unwrap_or(record.kind);
        record.status_code = self.status_code.unwrap_or(record.status_code);
        record.status_message = self.status_message.unwrap_or_else(|| std::mem::take(&mut record.status_message));
        let room = ATTRIBUTES_MAX.saturating_sub(record.attributes.len());
        record.attributes.extend(self.attributes.into_iter().take(room));
    }

    fn keep(&mut self, field: &Field, value: AttributeValue) {
        if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((field.name(), value));
        }
    }

    fn keep_text(&mut self, field: &Field, mut text: String) {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        match field.name() {
            "message" => self.message = text,
            "otel.name" => self.name = Some(text),
            "otel.kind" => self.kind = Some(kind(&text)),
            "otel.status_code" => self.status_code = Some(if text.eq_ignore_ascii_case("error") { 2 } else { 1 }),
            "otel.status_description" => self.status_message = Some(text),
            "traceparent" => self.traceparent = Some(text),
            _ => self.keep(field, AttributeValue::String(text)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, AttributeValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, i64::try_from(value).map_or_else(|_| AttributeValue::String(value.to_string()), AttributeValue::Int));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, AttributeValue::Double(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, AttributeValue::Bool(value));
    }
}

fn kind(word: &str) -> i32 {
    match word {
        "server" => 2,
        "client" => 3,
        "producer" => 4,
        "consumer" => 5,
        _ => INTERNAL,
    }
}

fn severity(level: Level) -> (i32, &'static str) {
    match level {
        Level::TRACE => (1, "TRACE"),
        Level::DEBUG => (5, "DEBUG"),
        Level::INFO => (9, "INFO"),
        Level::WARN => (13, "WARN"),
        Level::ERROR => (17, "ERROR"),
    }
}

/// Who called, by W3C Trace Context.
struct Caller {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may have more behind.
fn parse_traceparent(text: &str) -> Option<Caller> {
    let mut parts = text.trim().split('-');
    let version = parts.next().filter(|version| version.len() == 2 && *version != "ff")?;
    u8::from_str_radix(version, 16).ok()?;
    let trace_id = parts.next().filter(|digits| digits.len() == 32).and_then(TraceId::from_hex)?;
    let span_id = parts.next().filter(|digits| digits.len() == 16).and_then(SpanId::from_hex)?;
    let flags = parts.next().filter(|digits| digits.len() == 2).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
    Some(Caller { trace_id, span_id, is_sampled: flags & 1 == 1 })
}

fn random_trace_id() -> TraceId {
    // The range leaves out zero, the only bytes that are no identifier.
    TraceId::from_slice(&rand::random_range(1..=u128::MAX).to_be_bytes()).expect("it is not zero and has 16 bytes")
}

fn random_span_id() -> SpanId {
    SpanId::from_slice(&rand::random_range(1..=u64::MAX).to_be_bytes()).expect("it is not zero and has 8 bytes")
}

#[cfg(test)]
mod tests;
