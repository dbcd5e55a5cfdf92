//! Zipkin's first model, in which a span is a list of annotations with an endpoint each, as one or two spans of the second.
//!
//! `cs` and `cr` (sent and received by the client), `sr` and `ss` (by the server), `ms` and `mr` (a message) tell the kind, the start and
//! the duration; `ca`, `sa` and `ma` the other side. A span that client and server report as one becomes two.

use std::borrow::Cow;

use signalbox_model::{SpanId, TraceId};

use super::span::{self, Endpoint, Id};
use crate::spans::{Assembler, kind};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Annotation<'a> {
    /// Microseconds since the Unix epoch.
    pub(super) timestamp: u64,
    pub(super) value: Cow<'a, str>,
    pub(super) endpoint: Option<Endpoint<'a>>,
}

/// The value of a binary annotation; truth marks addresses.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Text(Cow<'a, str>),
}

/// A tag, or an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BinaryAnnotation<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) value: Value<'a>,
    pub(super) endpoint: Option<Endpoint<'a>>,
}

/// A span of Zipkin's first model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span<'a> {
    pub(super) trace_id: Id<TraceId>,
    pub(super) id: Id<SpanId>,
    pub(super) parent_id: Id<SpanId>,
    pub(super) name: Cow<'a, str>,
    /// Microseconds since the Unix epoch; 0 if there is none.
    pub(super) timestamp: u64,
    /// Microseconds; 0 if there is none.
    pub(super) duration: u64,
    pub(super) annotations: Vec<Annotation<'a>>,
    pub(super) binary_annotations: Vec<BinaryAnnotation<'a>>,
    pub(super) is_debug: bool,
}

/// When and where something with a meaning of its own happened.
type Moment<'a> = Option<(u64, Endpoint<'a>)>;

#[derive(Default)]
struct Moments<'a> {
    client_sent: Moment<'a>,
    client_received: Moment<'a>,
    server_received: Moment<'a>,
    server_sent: Moment<'a>,
    message_sent: Moment<'a>,
    message_received: Moment<'a>,
}

/// The spans that one becomes, by the service of their endpoint.
struct Sides<'a> {
    source: span::Span<'a>,
    sides: Vec<span::Span<'a>>,
}

impl<'a> Sides<'a> {
    /// The span of an endpoint, made when it is the first one of its service. Without an endpoint it is the first span.
    fn of(&mut self, endpoint: Option<&Endpoint<'a>>) -> &mut span::Span<'a> {
        let found = self.sides.iter().position(|side| match endpoint {
            None => true,
            Some(endpoint) => side.local.is_empty() || side.local.service == endpoint.service,
        });
        let position = found.unwrap_or_else(|| self.add());
        let side = &mut self.sides[position];
        if let Some(endpoint) = endpoint
            && side.local.is_empty()
        {
            side.local = endpoint.clone();
        }
        side
    }

    fn add(&mut self) -> usize {
        self.sides.push(self.source.clone());
        self.sides.len() - 1
    }

    /// The span of an endpoint that has a kind, another one than a span of another kind.
    fn of_kind(&mut self, kind: i32, endpoint: &Endpoint<'a>) -> &mut span::Span<'a> {
        let is_taken = |side: &span::Span<'_>| side.kind != kind::UNSPECIFIED && side.kind != kind;
        let fits = |side: &span::Span<'_>| side.local.is_empty() || side.local.service == endpoint.service;
        let position = self.sides.iter().position(|side| fits(side) && !is_taken(side)).unwrap_or_else(|| self.add());
        let side = &mut self.sides[position];
        side.kind = kind;
        if side.local.is_empty() {
            side.local = endpoint.clone();
        }
        side
    }
}

/// Hands the spans on that a span becomes.
pub(super) fn push(first: Span<'_>, assembler: &mut Assembler<'_>) {
    for side in second(first) {
        side.push(assembler);
    }
}

fn second(first: Span<'_>) -> Vec<span::Span<'_>> {
    let Span { trace_id, id, parent_id, name, timestamp, duration, annotations, binary_annotations, is_debug } = first;
    let source = span::Span { trace_id, id, parent_id, name, is_debug, ..span::Span::default() };
    let mut sides = Sides { source, sides: Vec::new() };
    let moments = moments(annotations, &mut sides);
    let addresses = addresses(binary_annotations, &mut sides);
    remotes(&moments, addresses, &mut sides);
    times(moments, (timestamp, duration), &mut sides);
    if sides.sides.is_empty() {
        let source = span::Span { timestamp, duration, ..sides.source };
        return vec![source];
    }
    sides.sides
}

fn moments<'a>(annotations: Vec<Annotation<'a>>, sides: &mut Sides<'a>) -> Moments<'a> {
    let mut moments = Moments::default();
    for Annotation { timestamp, value, endpoint } in annotations {
        let known = match value.as_ref() {
            "cs" => Some((&mut moments.client_sent, kind::CLIENT)),
            "cr" => Some((&mut moments.client_received, kind::CLIENT)),
            "sr" => Some((&mut moments.server_received, kind::SERVER)),
            "ss" => Some((&mut moments.server_sent, kind::SERVER)),
            "ms" => Some((&mut moments.message_sent, kind::PRODUCER)),
            "mr" => Some((&mut moments.message_received, kind::CONSUMER)),
            _ => None,
        };
        match (known, endpoint) {
            (Some((moment, kind)), Some(endpoint)) => {
                sides.of_kind(kind, &endpoint);
                *moment = Some((timestamp, endpoint));
            }
            (_, endpoint) => sides.of(endpoint.as_ref()).annotations.push((timestamp, value)),
        }
    }
    moments
}

/// The other sides: client, server, broker.
#[derive(Default)]
struct Addresses<'a> {
    client: Option<Endpoint<'a>>,
    server: Option<Endpoint<'a>>,
    broker: Option<Endpoint<'a>>,
}

fn addresses<'a>(annotations: Vec<BinaryAnnotation<'a>>, sides: &mut Sides<'a>) -> Addresses<'a> {
    let mut addresses = Addresses::default();
    for BinaryAnnotation { key, value, endpoint } in annotations {
        match (key.as_ref(), value) {
            ("ca", Value::Bool(_)) => addresses.client = endpoint,
            ("sa", Value::Bool(_)) => addresses.server = endpoint,
            ("ma", Value::Bool(_)) => addresses.broker = endpoint,
            (_, Value::Bool(value)) => {
                let text = if value { "true" } else { "false" };
                sides.of(endpoint.as_ref()).tags.push((key, Cow::Borrowed(text)));
            }
            // A local component without a name only says where.
            ("lc", Value::Text(text)) if text.is_empty() => {
                sides.of(endpoint.as_ref());
            }
            (_, Value::Text(text)) => sides.of(endpoint.as_ref()).tags.push((key, text)),
        }
    }
    addresses
}

fn remotes<'a>(moments: &Moments<'a>, addresses: Addresses<'a>, sides: &mut Sides<'a>) {
    let Addresses { client, server, broker } = addresses;
    let place = |moment: &Moment<'a>| moment.as_ref().map(|(_, endpoint)| endpoint.clone());
    let client_side = place(&moments.client_sent).or_else(|| place(&moments.client_received));
    let server_side = place(&moments.server_received).or_else(|| place(&moments.server_sent));
    match (client, server, client_side, server_side) {
        // Nobody says what happened, only between whom.
        (Some(client), Some(server), None, None) => sides.of(Some(&client)).remote = server,
        (None, Some(server), None, None) => sides.of(None).remote = server,
        (Some(client), None, None, None) => sides.of_kind(kind::SERVER, &Endpoint::default()).remote = client,
        (client, server, client_side, server_side) => {
            if let (Some(client), Some(at)) = (client.filter(|client| Some(client) != server_side.as_ref()), server_side) {
                sides.of_kind(kind::SERVER, &at).remote = client;
            }
            if let (Some(server), Some(at)) = (server, client_side) {
                sides.of_kind(kind::CLIENT, &at).remote = server;
            }
        }
    }
    if let Some(broker) = broker {
        for (kind, at) in [(kind::PRODUCER, &moments.message_sent), (kind::CONSUMER, &moments.message_received)] {
            if let Some((_, at)) = at {
                sides.of_kind(kind, at).remote = broker.clone();
            }
        }
    }
}

/// Start and duration: what the span says, else what its annotations say.
fn times<'a>(moments: Moments<'a>, (timestamp, duration): (u64, u64), sides: &mut Sides<'a>) {
    let Moments { client_sent, client_received, server_received, server_sent, message_sent, message_received } = moments;
    let has_client = client_sent.is_some() || client_received.is_some();
    let pairs = [
        (kind::CLIENT, client_sent, client_received),
        (kind::SERVER, server_received, server_sent),
        (kind::PRODUCER, message_sent, None),
        (kind::CONSUMER, message_received, None),
    ];
    let mut is_first = true;
    for (kind, from, to) in pairs {
        let Some((_, at)) = from.as_ref().or(to.as_ref()) else { continue };
        let (from, to) = (from.as_ref().map(|(at, _)| *at), to.as_ref().map(|(at, _)| *at));
        let side = sides.of_kind(kind, at);
        // Of a span that client and server share, the client owns the times, and of a message its sender.
        let is_owner = is_first;
        is_first = false;
        if is_owner && timestamp > 0 {
            (side.timestamp, side.duration) = (timestamp, duration);
        }
        if side.timestamp == 0 {
            side.timestamp = from.unwrap_or(0);
        }
        if side.duration == 0
            && let (Some(from), Some(to)) = (from, to)
        {
            side.duration = to.saturating_sub(from);
        }
        // The end of what has no beginning is worth keeping.
        if from.is_none()
            && side.timestamp == 0
            && let Some(to) = to
        {
            let name = if kind == kind::CLIENT { "cr" } else { "ss" };
            side.annotations.push((to, Cow::Borrowed(name)));
        }
        // The model has no word for it: a server that reports no times of its own shares the span of its client.
        side.is_shared = match kind {
            kind::SERVER => has_client || timestamp == 0,
            kind::CONSUMER => !is_owner,
            _ => false,
        };
    }
    if is_first {
        let side = sides.of(None);
        (side.timestamp, side.duration) = (timestamp, duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(service: &str) -> Option<Endpoint<'_>> {
        Some(Endpoint { service: service.into(), ..Endpoint::default() })
    }

    fn of<'a>(annotations: &[(u64, &'a str, &'a str)], times: (u64, u64)) -> Span<'a> {
        let annotations =
            annotations.iter().map(|(timestamp, value, service)| Annotation { timestamp: *timestamp, value: (*value).into(), endpoint: at(service) });
        Span {
            trace_id: Id::Missing,
            id: Id::Missing,
            parent_id: Id::Missing,
            name: "get".into(),
            timestamp: times.0,
            duration: times.1,
            annotations: annotations.collect(),
            binary_annotations: Vec::new(),
            is_debug: false,
        }
    }

    fn shape<'a>(spans: &'a [span::Span<'_>]) -> Vec<(i32, &'a str, u64, u64, bool, usize)> {
        spans.iter().map(|span| (span.kind, span.local.service.as_ref(), span.timestamp, span.duration, span.is_shared, span.annotations.len())).collect()
    }

    #[test]
    fn a_span_of_client_and_server_becomes_two() {
        let both = of(&[(10, "cs", "front"), (12, "sr", "back"), (13, "cache", "back"), (15, "ss", "back"), (18, "cr", "front")], (10, 8));
        assert_eq!(shape(&second(both)), [(kind::CLIENT, "front", 10, 8, false, 0), (kind::SERVER, "back", 12, 3, true, 1)]);
        let same_name = of(&[(10, "cs", "a"), (12, "sr", "a"), (15, "ss", "a"), (18, "cr", "a")], (0, 0));
        assert_eq!(shape(&second(same_name)), [(kind::CLIENT, "a", 10, 8, false, 0), (kind::SERVER, "a", 12, 3, true, 0)]);
    }

    #[test]
    fn one_side_alone_keeps_its_times() {
        assert_eq!(shape(&second(of(&[(12, "sr", "b"), (15, "ss", "b")], (0, 0)))), [(kind::SERVER, "b", 12, 3, true, 0)]);
        assert_eq!(shape(&second(of(&[(12, "sr", "b"), (15, "ss", "b")], (11, 5)))), [(kind::SERVER, "b", 11, 5, false, 0)]);
        assert_eq!(shape(&second(of(&[(12, "ms", "b")], (11, 5)))), [(kind::PRODUCER, "b", 11, 5, false, 0)]);
        assert_eq!(shape(&second(of(&[(15, "cr", "b")], (0, 0)))), [(kind::CLIENT, "b", 0, 0, false, 1)]);
        assert_eq!(shape(&second(of(&[(15, "x", "b")], (11, 5)))), [(kind::UNSPECIFIED, "b", 11, 5, false, 1)]);
        assert_eq!(shape(&second(of(&[], (11, 5)))), [(kind::UNSPECIFIED, "", 11, 5, false, 0)]);
    }

    #[test]
    fn addresses_are_the_other_side() {
        let mut span = of(&[(10, "cs", "front"), (18, "cr", "front")], (10, 8));
        let binary = |key: &'static str, value| BinaryAnnotation { key: key.into(), value, endpoint: at(if key == "sa" { "back" } else { "front" }) };
        span.binary_annotations = vec![binary("sa", Value::Bool(true)), binary("http.path", Value::Text("/".into())), binary("lc", Value::Text("".into()))];
        let spans = second(span.clone());
        assert_eq!((spans[0].remote.service.as_ref(), &spans[0].tags[..]), ("back", &[("http.path".into(), "/".into())][..]));
        span.annotations.clear();
        let spans = second(span);
        assert_eq!((spans.len(), spans[0].local.service.as_ref(), spans[0].remote.service.as_ref()), (1, "front", "back"));
    }
}
