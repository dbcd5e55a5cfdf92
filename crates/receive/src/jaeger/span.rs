//! A span of Jaeger, however it was written down, and what becomes of it.

use std::borrow::Cow;

use signalbox_model::{SpanId, TraceId};

use crate::spans::{self, Assembler, Attributes, Event, Link, Scope, Value, kind, put, status, take, take_text};

/// Jaeger's flags.
const SAMPLED: u32 = 1;
const DEBUG: u32 = 2;

/// Name of the attribute of a link that says which kind of reference it was.
const REFERENCE: &str = "opentracing.ref_type";

/// A reference to another span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reference {
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    pub(super) is_child: bool,
}

/// A span of Jaeger.
#[derive(Debug, Clone, Default)]
pub(super) struct Span<'a> {
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    /// Where the format has one beside the references.
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) name: Cow<'a, str>,
    pub(super) references: Vec<Reference>,
    pub(super) flags: u32,
    /// Nanoseconds since the Unix epoch; `None` if that is later than the year 2262.
    pub(super) start_ns: Option<i64>,
    pub(super) duration_ns: Option<i64>,
    pub(super) tags: Attributes<'a>,
    /// Events whose name is among their attributes.
    pub(super) logs: Vec<Event<'a>>,
}

/// The resource of a process.
pub(super) fn resource<'a>(service: Cow<'a, str>, mut tags: Attributes<'a>) -> Attributes<'a> {
    spans::unique(&mut tags);
    if !service.is_empty() {
        let _tag = take(&mut tags, "service.name");
        tags.insert(0, (Cow::Borrowed("service.name"), Value::Text(service)));
    }
    tags
}

impl<'a> Span<'a> {
    /// Hands the span on; who sent it was announced.
    pub(super) fn push(self, assembler: &mut Assembler<'_>) {
        let Self { trace_id, span_id, parent_span_id, name, references, flags, start_ns, duration_ns, tags: mut attributes, logs } = self;
        spans::unique(&mut attributes);
        let parent = parent_span_id.or_else(|| parent_of(&references, trace_id));
        let (status_code, status_message) = status_of(&mut attributes);
        let mut any = |names: [&str; 2]| names.into_iter().find_map(|name| take_text(&mut attributes, name)).unwrap_or_default();
        let scope = Scope { name: any(["otel.scope.name", "otel.library.name"]), version: any(["otel.scope.version", "otel.library.version"]) };
        let kind = kind_of(&mut attributes);
        let trace_state = take_text(&mut attributes, "w3c.tracestate").unwrap_or_default();
        if flags & DEBUG != 0 {
            put(&mut attributes, "jaeger.debug", Value::Bool(true));
        }
        let end_ns = start_ns.zip(duration_ns).and_then(|(start, duration)| start.checked_add(duration));
        let span = spans::Span {
            trace_id,
            span_id,
            parent_span_id: parent,
            start_ns: start_ns.filter(|start| *start >= 0),
            end_ns,
            name,
            kind,
            status_code,
            status_message,
            trace_state,
            flags: flags & SAMPLED,
            attributes,
            events: logs.into_iter().map(event).collect(),
            links: references.iter().filter_map(|reference| link(reference, trace_id, parent)).collect(),
        };
        assembler.set_scope(&scope);
        assembler.push(&span);
    }
}

/// The first span of this trace that it is a child of, else the first that it follows.
fn parent_of(references: &[Reference], trace_id: Option<TraceId>) -> Option<SpanId> {
    let of_kind = |is_child: bool| {
        let mut found = references.iter().filter(move |reference| reference.is_child == is_child && reference.trace_id == trace_id);
        found.find_map(|reference| reference.span_id)
    };
    of_kind(true).or_else(|| of_kind(false))
}

/// What the parent does not say already.
fn link(reference: &Reference, trace_id: Option<TraceId>, parent: Option<SpanId>) -> Option<Link<'static>> {
    if reference.is_child && reference.trace_id == trace_id && reference.span_id == parent {
        return None;
    }
    let word = if reference.is_child { "child_of" } else { "follows_from" };
    Some(Link {
        trace_id: reference.trace_id?,
        span_id: reference.span_id?,
        trace_state: Cow::Borrowed(""),
        attributes: vec![(Cow::Borrowed(REFERENCE), Value::Text(Cow::Borrowed(word)))],
        dropped_attributes_count: 0,
    })
}

fn event(mut log: Event<'_>) -> Event<'_> {
    spans::unique(&mut log.attributes);
    log.name = take_text(&mut log.attributes, "event").unwrap_or_default();
    log
}

fn kind_of(attributes: &mut Attributes<'_>) -> i32 {
    let word = attributes.iter().find(|(key, _)| key == "span.kind").and_then(|(_, value)| value.text());
    let kind = match word {
        Some("client") => kind::CLIENT,
        Some("server") => kind::SERVER,
        Some("producer") => kind::PRODUCER,
        Some("consumer") => kind::CONSUMER,
        Some("internal") => kind::INTERNAL,
        _ => return kind::UNSPECIFIED,
    };
    let _word = take(attributes, "span.kind");
    kind
}

/// `error` is the last word; what OpenTelemetry wrote of the status is taken out.
fn status_of<'a>(attributes: &mut Attributes<'a>) -> (i32, Cow<'a, str>) {
    let is_error = match attributes.iter().find(|(key, _)| key == "error").map(|(_, value)| value) {
        Some(Value::Bool(true)) => take(attributes, "error").is_some(),
        // As some clients write it; it stays as it is.
        Some(Value::Text(text)) => text == "true",
        _ => false,
    };
    let code = attributes.iter().find(|(key, _)| key == "otel.status_code").and_then(|(_, value)| value.text()).and_then(|text| match text {
        "OK" | "Ok" => Some(status::OK),
        "ERROR" | "Error" => Some(status::ERROR),
        "UNSET" | "Unset" => Some(status::UNSET),
        _ => None,
    });
    if code.is_some() {
        let _code = take(attributes, "otel.status_code");
    }
    let code = if is_error { status::ERROR } else { code.unwrap_or(status::UNSET) };
    let message = if code == status::UNSET { None } else { take_text(attributes, "otel.status_description") };
    (code, message.unwrap_or_default())
}
