//! What happens on behalf of one request: spans, log records and measurements that know each other.

use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_proto::otlp::trace::v1::span::{Event as SpanEvent, Link, SpanKind};
use signalbox_proto::otlp::trace::v1::status::StatusCode;
use signalbox_proto::otlp::trace::v1::{Span, Status};

use crate::attributes::{body, int, text};
use crate::dice::Dice;
use crate::logs::Severity;
use crate::metrics::Instrument;
use crate::services::Route;
use crate::world::{Incident, Instance, incident};

/// The span is sampled, and whether its parent is remote is known.
const FLAGS: u32 = 0x101;
/// The parent is in another process.
const FLAG_REMOTE: u32 = 0x200;

/// One thing that an instance tells, at the time it knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When: spans at their end.
    pub at_ns: u64,
    /// Who.
    pub from: Instance,
    /// What.
    pub what: What,
}

/// What an instance tells.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A finished span.
    Span(Box<Span>),
    /// A log record.
    Log(Box<LogRecord>),
    /// A measurement.
    Measure(Measure),
}

/// A value that an instrument takes in, and the span in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Of what.
    pub instrument: Instrument,
    /// Attributes of the point it goes into.
    pub attributes: Vec<KeyValue>,
    /// In the instrument's unit.
    pub value: f64,
    /// Trace and span.
    pub context: ([u8; 16], [u8; 8]),
}

/// A running span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) instance: Instance,
    pub(crate) span: [u8; 8],
}

/// A span that is not finished.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) place: Place,
    pub(crate) span: Span,
}

impl Open {
    /// Adds an attribute.
    pub(crate) fn set(&mut self, attribute: KeyValue) {
        self.span.attributes.push(attribute);
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, name: &str, at_ns: u64, attributes: Vec<KeyValue>) {
        self.span.events.push(SpanEvent { time_unix_nano: at_ns, name: name.to_owned(), attributes, dropped_attributes_count: 0 });
    }

    /// Marks the span as failed.
    pub(crate) fn fail(&mut self, kind: &str, message: &str) {
        self.set(text("error.type", kind));
        self.span.status = Some(Status { message: message.to_owned(), code: StatusCode::Error as i32 });
    }

    /// Marks the span as failed by an exception.
    pub(crate) fn throw(&mut self, at_ns: u64, kind: &str, message: &str, stack: &str) {
        let stacktrace = format!("{kind}: {message}\n{stack}");
        self.event("exception", at_ns, vec![text("exception.type", kind), text("exception.message", message), text("exception.stacktrace", stacktrace)]);
        self.fail(kind, message);
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) end_ns: u64,
    pub(crate) status: u16,
}

/// All that happens on behalf of one request.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) dice: Dice,
    pub(crate) incident: Option<Incident>,
    pub(crate) events: Vec<Event>,
    trace: [u8; 16],
}

impl Story {
    /// A new trace that begins at a time.
    pub(crate) fn begin(seed: u64, words: &[u64], at_ns: u64) -> Self {
        let mut dice = Dice::new(seed, words);
        let trace = dice.id();
        Self { dice, incident: incident(at_ns), events: Vec::new(), trace }
    }

    /// Tells a part in a trace of its own.
    pub(crate) fn in_new_trace(&mut self, tell: impl FnOnce(&mut Self)) {
        let new = self.dice.id();
        let old = std::mem::replace(&mut self.trace, new);
        tell(self);
        self.trace = old;
    }

    /// The trace and a span of it, as a link.
    pub(crate) fn link(&self, place: Place, attributes: Vec<KeyValue>) -> Link {
        Link { trace_id: self.trace.to_vec(), span_id: place.span.to_vec(), attributes, flags: FLAGS, ..Link::default() }
    }

    /// Starts a span below a span of the same or of another process.
    pub(crate) fn open(&mut self, instance: Instance, parent: Option<Place>, name: impl Into<String>, kind: SpanKind, at_ns: u64) -> Open {
        let id = self.dice.id::<8>();
        let is_remote = parent.is_some_and(|parent| parent.instance != instance);
        let span = Span {
            trace_id: self.trace.to_vec(),
            span_id: id.to_vec(),
            parent_span_id: parent.map(|parent| parent.span.to_vec()).unwrap_or_default(),
            flags: FLAGS | if is_remote { FLAG_REMOTE } else { 0 },
            name: name.into(),
            kind: kind as i32,
            start_time_unix_nano: at_ns,
            ..Span::default()
        };
        Open { place: Place { instance, span: id }, span }
    }

    /// Finishes a span.
    pub(crate) fn close(&mut self, open: Open, end_ns: u64) {
        let Open { place, mut span } = open;
        span.end_time_unix_nano = end_ns.max(span.start_time_unix_nano);
        self.events.push(Event { at_ns: span.end_time_unix_nano, from: place.instance, what: What::Span(Box::new(span)) });
    }

    /// Writes a log record in a span.
    pub(crate) fn log(&mut self, place: Place, at_ns: u64, severity: Severity, line: impl Into<String>, attributes: Vec<KeyValue>) {
        self.log_body(place, at_ns, severity, body(line), attributes);
    }

    /// Writes a log record whose body may be anything.
    pub(crate) fn log_body(&mut self, place: Place, at_ns: u64, severity: Severity, body: AnyValue, attributes: Vec<KeyValue>) {
        let mut record = severity.record(at_ns, body, attributes);
        record.trace_id = self.trace.to_vec();
        record.span_id = place.span.to_vec();
        record.flags = FLAGS & 0xff;
        self.events.push(Event { at_ns, from: place.instance, what: What::Log(Box::new(record)) });
    }

    /// Takes a measurement in a span.
    pub(crate) fn measure(&mut self, place: Place, at_ns: u64, instrument: Instrument, value: f64, attributes: Vec<KeyValue>) {
        let measure = Measure { instrument, attributes, value, context: (self.trace, place.span) };
        self.events.push(Event { at_ns, from: place.instance, what: What::Measure(measure) });
    }

    /// Serves a request: a server span around the work, its measurement, its line in the log.
    pub(crate) fn serve<W>(&mut self, parent: Option<Place>, route: &Route, path: &str, at_ns: u64, work: W) -> Answer
    where
        W: FnOnce(&mut Self, &mut Open, u64) -> Answer,
    {
        let number = self.dice.below(usize::from(route.service.instances())) as u8;
        let instance = Instance { service: route.service, number };
        let mut open = self.open(instance, parent, format!("{} {}", route.method, route.template), SpanKind::Server, at_ns);
        let place = open.place;
        open.span.attributes.extend([
            text("http.request.method", route.method),
            text("http.route", route.template),
            text("url.path", path),
            text("url.scheme", if parent.is_none() { "https" } else { "http" }),
            text("network.protocol.version", if parent.is_none() { "2" } else { "1.1" }),
        ]);
        let begun_ns = at_ns + self.dice.latency(250.0);
        let Answer { end_ns, status } = work(self, &mut open, begun_ns);
        let end_ns = end_ns + self.dice.latency(180.0);
        open.set(int("http.response.status_code", i64::from(status)));
        let mut labels =
            vec![text("http.request.method", route.method), text("http.route", route.template), int("http.response.status_code", i64::from(status))];
        if status >= 500 {
            if open.span.status.is_none() {
                open.fail(&status.to_string(), "");
            }
            labels.push(text("error.type", status.to_string()));
        }
        let took_ns = end_ns - at_ns;
        self.measure(place, end_ns, Instrument::HttpServerDuration, took_ns as f64 / 1e9, labels);
        let (severity, line) = crate::logs::access(route, path, status, took_ns);
        self.log(place, end_ns, severity, line, vec![text("http.route", route.template), int("http.response.status_code", i64::from(status))]);
        self.close(open, end_ns);
        Answer { end_ns, status }
    }

    /// Calls another service: a client span around a server span.
    pub(crate) fn call<W>(&mut self, caller: Place, route: &Route, path: &str, at_ns: u64, work: W) -> Answer
    where
        W: FnOnce(&mut Self, &mut Open, u64) -> Answer,
    {
        let mut open = self.open(caller.instance, Some(caller), format!("{} {}", route.method, route.template), SpanKind::Client, at_ns);
        let place = open.place;
        let there_ns = at_ns + self.dice.latency(400.0);
        let Answer { end_ns, status } = self.serve(Some(place), route, path, there_ns, work);
        let end_ns = end_ns + self.dice.latency(400.0);
        open.span.attributes.extend([
            text("http.request.method", route.method),
            text("url.template", route.template),
            text("url.full", format!("http://{}:8080{path}", route.service.name())),
            text("server.address", route.service.name()),
            int("server.port", 8080),
            int("http.response.status_code", i64::from(status)),
        ]);
        if status >= 400 {
            open.fail(&status.to_string(), "");
        }
        let labels =
            vec![text("http.request.method", route.method), text("server.address", route.service.name()), int("http.response.status_code", i64::from(status))];
        self.measure(place, end_ns, Instrument::HttpClientDuration, (end_ns - at_ns) as f64 / 1e9, labels);
        self.close(open, end_ns);
        Answer { end_ns, status }
    }
}
