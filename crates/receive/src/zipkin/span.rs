//! A span of Zipkin's second model, and what becomes of it.

use std::borrow::Cow;

use signalbox_model::{SpanId, TraceId};

use crate::spans::{self, Assembler, Attributes, Event, Link, Scope, Value, kind, put, status, take_text};

/// Attribute that says that the span came without a start.
pub(super) const START_ABSENT: &str = "otel.zipkin.absentField.startTime";
/// Tag that names the attribute that the service of the endpoint was, if it was not `service.name`.
const SERVICE_SOURCE: &str = "otlp.service.name.source";
/// Links, of a client that has some, are tags of this name and a number.
const LINK: &str = "otlp.link.";
const LINKS_MAX: usize = 128;

/// Tags that are attributes of a resource: what starts like this, or is this.
const RESOURCE_PREFIXES: [&str; 15] = [
    "aws.ecs.",
    "aws.eks.",
    "aws.log.",
    "browser.",
    "cloud.",
    "container.",
    "deployment.",
    "device.",
    "host.",
    "k8s.",
    "os.",
    "process.",
    "telemetry.auto.",
    "telemetry.distro.",
    "telemetry.sdk.",
];
const RESOURCE_NAMES: [&str; 4] = ["service.name", "service.namespace", "service.version", "service.instance.id"];

/// One side of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Endpoint<'a> {
    pub(super) service: Cow<'a, str>,
    /// As it is written on the wire.
    pub(super) ipv4: Option<Cow<'a, str>>,
    pub(super) ipv6: Option<Cow<'a, str>>,
    pub(super) port: u16,
}

impl Endpoint<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.service.is_empty() && self.ipv4.is_none() && self.ipv6.is_none() && self.port == 0
    }
}

/// An identifier as it was read: what is none is not the same as what is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Id<T> {
    Missing,
    Bad,
    Good(T),
}

impl<T> Id<T> {
    pub(super) fn good(self) -> Option<T> {
        match self {
            Self::Good(id) => Some(id),
            Self::Missing | Self::Bad => None,
        }
    }
}

/// A span of Zipkin's second model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span<'a> {
    pub(super) trace_id: Id<TraceId>,
    pub(super) id: Id<SpanId>,
    pub(super) parent_id: Id<SpanId>,
    /// OpenTelemetry's kind.
    pub(super) kind: i32,
    pub(super) name: Cow<'a, str>,
    /// Microseconds since the Unix epoch; 0 if there is none.
    pub(super) timestamp: u64,
    /// Microseconds; 0 if there is none.
    pub(super) duration: u64,
    pub(super) local: Endpoint<'a>,
    pub(super) remote: Endpoint<'a>,
    pub(super) annotations: Vec<(u64, Cow<'a, str>)>,
    pub(super) tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) is_debug: bool,
    pub(super) is_shared: bool,
}

impl Default for Span<'_> {
    fn default() -> Self {
        Self {
            trace_id: Id::Missing,
            id: Id::Missing,
            parent_id: Id::Missing,
            kind: kind::UNSPECIFIED,
            name: Cow::Borrowed(""),
            timestamp: 0,
            duration: 0,
            local: Endpoint::default(),
            remote: Endpoint::default(),
            annotations: Vec::new(),
            tags: Vec::new(),
            is_debug: false,
            is_shared: false,
        }
    }
}

fn nanoseconds(microseconds: u64) -> Option<i64> {
    i64::try_from(microseconds).ok()?.checked_mul(1000)
}

impl<'a> Span<'a> {
    /// Hands the span on.
    pub(super) fn push(self, assembler: &mut Assembler<'_>) {
        if self.parent_id == Id::Bad {
            return assembler.reject(1, "invalid_id", || format!("span {:?} has a parent that is no id", self.name));
        }
        let Self { trace_id, id, parent_id, kind, name, timestamp, duration, local, remote, annotations, tags, is_debug, is_shared } = self;
        let start = match timestamp {
            0 => annotations.iter().map(|(at, _)| *at).filter(|at| *at > 0).min(),
            start => Some(start),
        };
        let arrival = u64::try_from(assembler.context().now_ns / 1000).unwrap_or(0);
        let start = start.unwrap_or_else(|| arrival.saturating_sub(duration));
        let mut attributes: Attributes<'a> = tags.into_iter().map(|(key, text)| (key, Value::Text(text))).collect();
        spans::unique(&mut attributes);
        let resource = resource(&mut attributes, local.service.clone());
        let scope = scope(&mut attributes);
        let (status_code, status_message) = status_of(&mut attributes);
        let kind = match take_text_if(&mut attributes, "span.kind", |text| kind == kind::UNSPECIFIED && text == "internal") {
            Some(_) => kind::INTERNAL,
            None => kind,
        };
        let span = spans::Span {
            trace_id: trace_id.good(),
            span_id: id.good(),
            parent_span_id: parent_id.good().filter(|parent| Some(*parent) != id.good()),
            start_ns: nanoseconds(start),
            end_ns: start.checked_add(duration).and_then(nanoseconds),
            name,
            kind,
            status_code,
            status_message,
            trace_state: take_text(&mut attributes, "w3c.tracestate").unwrap_or_default(),
            flags: 0,
            links: links(&mut attributes),
            events: annotations.into_iter().map(|(at, text)| event(at, text)).collect(),
            attributes: {
                endpoint(&mut attributes, local, ["", "net.host.ip", "net.host.ipv6", "net.host.port"]);
                endpoint(&mut attributes, remote, ["peer.service", "net.peer.ip", "net.peer.ipv6", "net.peer.port"]);
                for (name, is_set) in [(START_ABSENT, timestamp == 0), ("zipkin.debug", is_debug), ("zipkin.shared", is_shared)] {
                    if is_set {
                        put(&mut attributes, name, Value::Bool(true));
                    }
                }
                attributes
            },
        };
        assembler.enter(&resource);
        assembler.set_scope(&scope);
        assembler.push(&span);
    }
}

/// Names of the attributes for service, address, address beside another one, and port. A tag of that name wins.
fn endpoint<'a>(attributes: &mut Attributes<'a>, endpoint: Endpoint<'a>, [service, address, second, port]: [&'static str; 4]) {
    let mut add = |name: &'static str, value: Value<'a>| {
        if !name.is_empty() && attributes.iter().all(|(known, _)| known != name) {
            attributes.push((Cow::Borrowed(name), value));
        }
    };
    if !endpoint.service.is_empty() {
        add(service, Value::Text(endpoint.service));
    }
    let name_of_ipv6 = if endpoint.ipv4.is_some() { second } else { address };
    for (name, ip) in [(address, endpoint.ipv4), (name_of_ipv6, endpoint.ipv6)] {
        if let Some(ip) = ip {
            add(name, Value::Text(ip));
        }
    }
    if endpoint.port > 0 {
        add(port, Value::Int(endpoint.port.into()));
    }
}

fn take_text_if<'a>(attributes: &mut Attributes<'a>, key: &str, is_it: impl Fn(&str) -> bool) -> Option<Cow<'a, str>> {
    let found = attributes.iter().any(|(known, value)| known == key && value.text().is_some_and(&is_it));
    if found { take_text(attributes, key) } else { None }
}

fn resource<'a>(attributes: &mut Attributes<'a>, service: Cow<'a, str>) -> Attributes<'a> {
    let mut resource = Attributes::new();
    let source = take_text(attributes, SERVICE_SOURCE);
    if !service.is_empty() {
        resource.push((source.filter(|source| !source.is_empty()).unwrap_or(Cow::Borrowed("service.name")), Value::Text(service)));
    }
    let is_of_resource = |key: &str| RESOURCE_NAMES.contains(&key) || RESOURCE_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let mut position = 0;
    while let Some((key, _)) = attributes.get(position) {
        // The service of the endpoint is the service; a tag of that name stays a tag.
        if is_of_resource(key) && resource.iter().all(|(known, _)| known != key) {
            resource.push(attributes.remove(position));
        } else {
            position += 1;
        }
    }
    resource
}

fn scope<'a>(attributes: &mut Attributes<'a>) -> Scope<'a> {
    let mut any = |names: [&str; 2]| names.into_iter().find_map(|name| take_text(attributes, name)).unwrap_or_default();
    Scope { name: any(["otel.scope.name", "otel.library.name"]), version: any(["otel.scope.version", "otel.library.version"]) }
}

/// A status that OpenTelemetry wrote is taken out of the tags; Zipkin's own `error` stays there.
fn status_of<'a>(attributes: &mut Attributes<'a>) -> (i32, Cow<'a, str>) {
    let code = take_text_if(attributes, "otel.status_code", |text| code_of(text).is_some());
    let Some(code) = code.and_then(|text| code_of(&text)) else {
        let error = attributes.iter().find(|(key, _)| key == "error").and_then(|(_, value)| value.text());
        return match error {
            None | Some("false") => (status::UNSET, Cow::Borrowed("")),
            Some("" | "true") => (status::ERROR, Cow::Borrowed("")),
            Some(text) => (status::ERROR, Cow::Owned(text.to_owned())),
        };
    };
    let description = take_text(attributes, "otel.status_description");
    if code != status::ERROR {
        return (code, Cow::Borrowed(""));
    }
    let error = take_text(attributes, "error").filter(|text| text != "true");
    (code, description.or(error).unwrap_or_default())
}

/// As the specification spells codes, and as older exporters do.
fn code_of(text: &str) -> Option<i32> {
    match text.strip_prefix("STATUS_CODE_").unwrap_or(text).to_ascii_uppercase().as_str() {
        "UNSET" => Some(status::UNSET),
        "OK" => Some(status::OK),
        "ERROR" => Some(status::ERROR),
        _ => None,
    }
}

/// The parts of `first|…|{json}|dropped` behind the parts at its front.
fn split_json(text: &str, front: usize) -> Option<(Vec<&str>, Attributes<'static>, u32)> {
    let mut parts: Vec<&str> = text.splitn(front + 1, '|').collect();
    let (json, dropped) = parts.pop().filter(|_| parts.len() == front)?.rsplit_once('|')?;
    let serde_json::Value::Object(object) = serde_json::from_str(json).ok()? else { return None };
    let attributes: Option<Attributes<'static>> = object.into_iter().map(|(key, value)| Some((Cow::Owned(key), scalar(value)?))).collect();
    Some((parts, attributes?, dropped.parse().ok()?))
}

fn scalar(value: serde_json::Value) -> Option<Value<'static>> {
    match value {
        serde_json::Value::String(text) => Some(Value::Text(Cow::Owned(text))),
        serde_json::Value::Bool(value) => Some(Value::Bool(value)),
        serde_json::Value::Number(number) => number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Double)),
        _ => None,
    }
}

/// An annotation; one that OpenTelemetry's collector made of an event has its attributes behind the name.
fn event(at: u64, text: Cow<'_, str>) -> Event<'_> {
    let timestamp_ns = nanoseconds(at);
    match split_json(&text, 1) {
        Some((name, attributes, dropped_attributes_count)) => {
            let name = name.first().copied().unwrap_or_default().to_owned();
            Event { timestamp_ns, name: Cow::Owned(name), attributes, dropped_attributes_count }
        }
        None => Event { timestamp_ns, name: text, ..Event::default() },
    }
}

/// Links as OpenTelemetry's collector writes them into tags: trace, span, state, attributes, dropped.
fn links<'a>(attributes: &mut Attributes<'a>) -> Vec<Link<'a>> {
    let mut links = Vec::new();
    if attributes.iter().all(|(key, _)| !key.starts_with(LINK)) {
        return links;
    }
    for number in 0..LINKS_MAX {
        let key = format!("{LINK}{number}");
        let Some(text) = attributes.iter().find(|(known, _)| *known == key).and_then(|(_, value)| value.text()) else { break };
        let Some(link) = link(text) else { continue };
        links.push(link);
        let _text = take_text(attributes, &key);
    }
    links
}

fn link(text: &str) -> Option<Link<'static>> {
    let (front, attributes, dropped_attributes_count) = split_json(text, 3)?;
    let [trace_id, span_id, trace_state] = front[..] else { return None };
    Some(Link {
        trace_id: TraceId::from_hex(trace_id.trim_matches('"'))?,
        span_id: SpanId::from_hex(span_id.trim_matches('"'))?,
        trace_state: Cow::Owned(trace_state.to_owned()),
        attributes,
        dropped_attributes_count,
    })
}
