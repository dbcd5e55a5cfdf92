//! Data set T1: traces through 20 services, 4 to 36 spans each.
//!
//! A call from service to service is a span of the client and one of the server; between them lie spans of databases and of work inside. Durations
//! have a heavy tail, one trace in fifty may have errors. Trace `i` of `n` starts at `start + i * range / n` and up to a second later; its
//! identifier is the one that records of L1 name. A failed span has the event of an exception, others have events and links only if these
//! are asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::draw::Draw;
use super::events::{self, Event, Link};
use super::logs::{self, Value};
use super::{PODS, SERVICES, namespace, wire};

/// Whom each service calls.
const CALLS: [&[usize]; 20] = [
    &[1, 5],
    &[2, 3, 4, 6, 14, 8],
    &[10, 12],
    &[2, 7],
    &[2, 6, 12],
    &[6],
    &[],
    &[2, 18],
    &[9, 10, 11, 13],
    &[15, 16, 12],
    &[],
    &[12, 17],
    &[],
    &[17],
    &[18],
    &[12],
    &[18],
    &[],
    &[],
    &[4, 18],
];
const OPERATIONS: [&str; 5] = ["list", "get", "create", "update", "search"];
const STATEMENTS: [(&str, &str); 3] =
    [("postgresql", "SELECT * FROM {} WHERE id = $1"), ("postgresql", "INSERT INTO {} (id, body) VALUES ($1, $2)"), ("redis", "GET {}:item")];
const WORK: [&str; 4] = ["serialize", "validate", "authorize", "render"];
const ROUTES: [&str; 5] = ["/api/v1/items", "/api/v1/items/:id", "/api/v1/orders", "/api/v1/orders/:id", "/api/v1/cart/:id"];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
const STATUSES: [i64; 10] = [200, 200, 200, 200, 200, 200, 201, 204, 404, 400];
/// Calls deeper than this call nobody.
const DEPTH_MAX: u32 = 6;

/// OpenTelemetry's numbers of kinds.
const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

/// A span.
#[derive(Debug, Clone)]
pub struct Span {
    trace: [u8; 16],
    id: u64,
    parent: Option<u64>,
    service: usize,
    pod: usize,
    name: String,
    kind: u64,
    start_ns: u64,
    end_ns: u64,
    attributes: Vec<(&'static str, Value)>,
    is_error: bool,
    events: Vec<Event>,
    links: Vec<Link>,
}

impl Span {
    /// The name of its service.
    pub fn service(&self) -> &'static str {
        SERVICES[self.service]
    }

    /// How long it takes, in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        self.end_ns - self.start_ns
    }

    /// Whether its status is an error.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// Whether it has an attribute with a text.
    pub fn has(&self, name: &str, text: &str) -> bool {
        self.attributes.iter().any(|(own, value)| *own == name && matches!(value, Value::Text(value) if value == text))
    }
}

/// The data set.
#[derive(Debug, Clone)]
pub struct Traces {
    seed: u64,
    traces: u64,
    start_ns: u64,
    range_ns: u64,
    events: u64,
}

/// A span that calls others.
struct Caller {
    /// Place in the trace.
    place: usize,
    depth: u32,
}

/// A trace in the making.
struct Tree {
    draw: Draw,
    trace: [u8; 16],
    user: u64,
    spans: Vec<Span>,
}

impl Traces {
    /// So many traces over so many seconds.
    pub fn new(seed: u64, traces: u64, start_seconds: u64, range_seconds: u64) -> Self {
        Self { seed, traces, start_ns: start_seconds * 1_000_000_000, range_ns: range_seconds * 1_000_000_000, events: 0 }
    }

    /// With up to so many events a span, and links.
    #[must_use]
    pub fn with_events(self, events: u64) -> Self {
        Self { events, ..self }
    }

    /// Number of traces.
    pub fn len(&self) -> u64 {
        self.traces
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.traces == 0
    }

    /// The trace in the middle: a needle to look for.
    pub fn needle(&self) -> String {
        logs::trace_id(self.seed, self.traces / 2).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The spans of a trace by its number.
    pub fn trace(&self, number: u64) -> Vec<Span> {
        let mut draw = Draw::new(self.seed ^ 0x75ac, number);
        let wanted = 4 + draw.below(33) as usize;
        let start_ns = self.start_ns + (u128::from(number) * u128::from(self.range_ns) / u128::from(self.traces)) as u64 + draw.below(1_000_000_000);
        let at = draw.unit();
        let user = (at * at * at * 1_000_000.0) as u64;
        let root_ns = (2.0e6 * (-(draw.unit() * 0.9998 + 0.0001).ln()).powf(1.7) * 100.0) as u64 + 500_000;
        let may_fail = draw.below(50) == 0;
        let root = if draw.below(20) == 0 { SERVICES.len() - 1 } else { 0 };
        let mut tree = Tree { draw, trace: logs::trace_id(self.seed, number), user, spans: Vec::with_capacity(wanted) };
        tree.server(None, root, (start_ns, root_ns), may_fail);
        let mut callers = VecDeque::from([Caller { place: 0, depth: 0 }]);
        while tree.spans.len() < wanted {
            let Some(caller) = callers.pop_front() else { break };
            tree.calls(&caller, wanted, may_fail, &mut callers);
            if callers.is_empty() {
                callers.push_back(Caller { place: 0, depth: 0 });
            }
        }
        if self.events > 0 {
            for span in &mut tree.spans {
                span.events = events::events(self.events, span.id, (span.start_ns, span.end_ns));
                span.links = events::links(self.seed, number, span.id);
            }
        }
        tree.spans
    }
}

impl Tree {
    /// What a span calls, as long as spans are wanted.
    fn calls(&mut self, caller: &Caller, wanted: usize, may_fail: bool, callers: &mut VecDeque<Caller>) {
        let (service, start_ns, duration_ns) = {
            let span = &self.spans[caller.place];
            (span.service, span.start_ns, span.end_ns - span.start_ns)
        };
        let count = 1 + self.draw.below(4);
        for number in 0..count {
            if self.spans.len() >= wanted {
                break;
            }
            let from_ns = start_ns + duration_ns * number / (count + 1) + self.draw.below(duration_ns / 20 + 1);
            let took_ns = (duration_ns as f64 / (count + 1) as f64 * (0.3 + 0.65 * self.draw.unit())) as u64 + 1000;
            let callees = CALLS[service];
            if caller.depth < DEPTH_MAX && !callees.is_empty() && self.draw.below(10) < 6 {
                let callee = callees[self.draw.below(callees.len() as u64) as usize];
                let client = self.client(caller.place, callee, (from_ns, took_ns));
                if self.spans.len() >= wanted {
                    break;
                }
                let place = self.spans.len();
                let is_error = may_fail && self.draw.below(6) == 0;
                self.server(Some(client), callee, (from_ns + took_ns / 50, took_ns * 9 / 10), is_error);
                callers.push_back(Caller { place, depth: caller.depth + 1 });
            } else if self.draw.below(10) < 7 {
                self.database(caller.place, (from_ns, took_ns / 2));
            } else {
                let id = self.draw.next();
                let name = WORK[self.draw.below(4) as usize].to_owned();
                let attributes = vec![("thread.id", Value::Int(self.draw.below(64).cast_signed()))];
                self.inside(caller.place, id, name, INTERNAL, (from_ns, took_ns / 4), attributes);
            }
        }
    }

    /// A span of the process of its parent.
    fn inside(&mut self, parent: usize, id: u64, name: String, kind: u64, (start_ns, took_ns): (u64, u64), attributes: Vec<(&'static str, Value)>) {
        let (service, pod, parent) = (self.spans[parent].service, self.spans[parent].pod, self.spans[parent].id);
        let (trace, end_ns, (events, links)) = (self.trace, start_ns + took_ns, Default::default());
        let span = Span { trace, id, parent: Some(parent), service, pod, name, kind, start_ns, end_ns, attributes, is_error: false, events, links };
        self.spans.push(span);
    }

    /// The span of a client, and its identifier.
    fn client(&mut self, parent: usize, callee: usize, time: (u64, u64)) -> u64 {
        let operation = OPERATIONS[self.draw.below(5) as usize];
        let id = self.draw.next();
        let attributes = vec![
            ("rpc.system", Value::Text("grpc".to_owned())),
            ("rpc.service", Value::Text(SERVICES[callee].to_owned())),
            ("rpc.method", Value::Text(operation.to_owned())),
            ("server.address", Value::Text(format!("{}.{}.svc", SERVICES[callee], namespace(callee)))),
        ];
        self.inside(parent, id, format!("{}/{operation}", SERVICES[callee]), CLIENT, time, attributes);
        id
    }

    fn database(&mut self, parent: usize, time: (u64, u64)) {
        let (system, statement) = STATEMENTS[self.draw.below(3) as usize];
        let service = SERVICES[self.spans[parent].service];
        let statement = statement.replace("{}", service);
        let id = self.draw.next();
        let verb = statement.split(' ').next().unwrap_or_default();
        let name = format!("{verb} {service}");
        let attributes = vec![
            ("db.system", Value::Text(system.to_owned())),
            ("db.statement", Value::Text(statement)),
            ("server.address", Value::Text(format!("{system}.data.svc"))),
            ("server.port", Value::Int(if system == "redis" { 6379 } else { 5432 })),
        ];
        self.inside(parent, id, name, CLIENT, time, attributes);
    }

    fn server(&mut self, parent: Option<u64>, service: usize, (start_ns, took_ns): (u64, u64), is_error: bool) {
        let draw = &mut self.draw;
        let route = ROUTES[draw.below(5) as usize];
        let method = METHODS[draw.below(4) as usize];
        let status = if is_error { 500 } else { STATUSES[draw.below(10) as usize] };
        let id = draw.next();
        let pod = draw.below(PODS as u64) as usize;
        let attributes = vec![
            ("http.request.method", Value::Text(method.to_owned())),
            ("http.route", Value::Text(route.to_owned())),
            ("url.path", Value::Text(route.replace(":id", &draw.below(100_000).to_string()))),
            ("http.response.status_code", Value::Int(status)),
            ("user.id", Value::Text(self.user.to_string())),
            ("client.address", Value::Text(format!("10.{}.{}.{}", draw.below(4), draw.below(256), draw.below(256)))),
            ("network.protocol.version", Value::Text("1.1".to_owned())),
        ];
        let (name, trace, end_ns, (events, links)) = (format!("{method} {route}"), self.trace, start_ns + took_ns, Default::default());
        self.spans.push(Span { trace, id, parent, service, pod, name, kind: SERVER, start_ns, end_ns, attributes, is_error, events, links });
    }
}

/// Spans as an OTLP request, by resource in the order in which resources first come.
pub fn otlp(spans: &[Span]) -> Vec<u8> {
    let mut groups: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    let mut places = vec![None; SERVICES.len() * PODS];
    let mut row = Vec::with_capacity(512);
    for span in spans {
        let place = *places[span.service * PODS + span.pod].get_or_insert_with(|| {
            groups.push((span.service, span.pod, Vec::new()));
            groups.len() - 1
        });
        row.clear();
        encode(&mut row, span);
        wire::bytes(&mut groups[place].2, 2, &row);
    }
    let mut out = Vec::new();
    for (service, pod, rows) in groups {
        logs::group(&mut out, service, pod, "com.shop.tracing", &rows);
    }
    out
}

fn encode(row: &mut Vec<u8>, span: &Span) {
    wire::bytes(row, 1, &span.trace);
    wire::bytes(row, 2, &span.id.to_be_bytes());
    if let Some(parent) = span.parent {
        wire::bytes(row, 4, &parent.to_be_bytes());
    }
    wire::bytes(row, 5, span.name.as_bytes());
    wire::number(row, 6, span.kind);
    wire::fixed64(row, 7, span.start_ns);
    wire::fixed64(row, 8, span.end_ns);
    for (name, value) in &span.attributes {
        logs::attribute(row, 9, name, value);
    }
    span.events.iter().for_each(|event| events::encode_event(row, event));
    span.links.iter().for_each(|link| events::encode_link(row, link));
    if span.is_error {
        let (mut event, mut status) = (Vec::new(), Vec::new());
        wire::fixed64(&mut event, 1, span.end_ns - 1000);
        wire::bytes(&mut event, 2, b"exception");
        logs::attribute(&mut event, 3, "exception.type", &Value::Text("java.lang.IllegalStateException".to_owned()));
        logs::attribute(&mut event, 3, "exception.message", &Value::Text(format!("failed in {}", span.name)));
        wire::bytes(row, 11, &event);
        wire::bytes(&mut status, 2, b"internal error");
        wire::number(&mut status, 3, 2);
        wire::bytes(row, 15, &status);
    }
}

/// A span as a line of JSON, without its events and links.
pub fn json(to: &mut String, span: &Span) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (trace, parent) = (hex(&span.trace), span.parent.map_or("null".to_owned(), |parent| format!("\"{parent:016x}\"")));
    let Span { id, kind, start_ns, end_ns, is_error, .. } = span;
    let written = write!(
        to,
        "{{\"trace\":\"{trace}\",\"id\":\"{id:016x}\",\"parent\":{parent},\"kind\":{kind},\"start\":{start_ns},\"end\":{end_ns},\"error\":{is_error},\"name\":"
    );
    written.expect("text takes everything");
    logs::quoted(to, &span.name);
    for (field, pairs) in
        [("resource", &logs::resource(span.service, span.pod).map(|(name, value)| (name, Value::Text(value)))[..]), ("attributes", &span.attributes)]
    {
        to.push_str(",\"");
        to.push_str(field);
        to.push_str("\":{");
        for (number, (name, value)) in pairs.iter().enumerate() {
            if number > 0 {
                to.push(',');
            }
            logs::member(to, name, value);
        }
        to.push('}');
    }
    to.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_set_is_what_it_was() {
        let traces = Traces::new(1, 250_000, 1_795_456_800, 7200);
        assert_eq!(traces.needle(), "17a355f27463476b44365375f9f9ebb2");
        let spans: Vec<Span> = (0..200).flat_map(|number| traces.trace(number)).collect();
        let hash = |bytes: &[u8]| bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let mut lines = String::new();
        spans.iter().for_each(|span| json(&mut lines, span));
        assert_eq!((spans.len(), hash(&otlp(&spans)), hash(lines.as_bytes())), (4141, 0xd054_6e4d_36a6_e942, 0xf993_95a3_f94e_0e62));
        let more: Vec<Span> = (0..200).flat_map(|number| traces.clone().with_events(4).trace(number)).collect();
        let mut same = String::new();
        more.iter().for_each(|span| json(&mut same, span));
        assert!(same == lines && more.iter().map(|span| span.events.len()).sum::<usize>() > 4141 * 19 / 10);
        assert!((300..500).contains(&more.iter().map(|span| span.links.len()).sum::<usize>()));
    }
}
