//! Data set L1: log records of 20 services, 40 kinds of lines.
//!
//! Record `i` of `n` has the time `start + i * range / n` and up to two seconds more, so records come slightly out of order. A third are HTTP
//! access lines with six attributes; half belong to a trace, 20 neighbours to one. The request of a record follows from its number alone.

use std::fmt::Write as _;

use super::draw::{Draw, pick};
use super::{PODS, SERVICES, mix2, namespace, node_name, node_of, pod_name, wire};

/// OpenTelemetry's number of a severity and its text.
type Severity = (u64, &'static str);
const DEBUG: Severity = (5, "DEBUG");
const INFO: Severity = (9, "INFO");
const WARN: Severity = (13, "WARN");
const ERROR: Severity = (17, "ERROR");

/// Kinds of lines with their weights. Braces are filled in; see [`Logs::fill`].
const KINDS: [(Severity, f64, &str); 40] = [
    (INFO, 30.0, "{access}"),
    (INFO, 6.0, "request completed id={uuid} user={user} took {ms}ms"),
    (INFO, 4.0, "user {user} logged in from {ip} using session {hex}"),
    (INFO, 4.0, "order {oid} created for user {user}, {n} items, total {money} EUR"),
    (INFO, 3.0, "payment {uuid} authorized by provider stripe in {ms}ms"),
    (INFO, 3.0, "published message to topic orders.events partition {p} offset {off}"),
    (INFO, 3.0, "consumed batch of {n} messages from topic orders.events partition {p} in {ms}ms"),
    (INFO, 2.0, "GET http://{svc}.shop.svc.cluster.local:8080{path} returned 200 in {ms}ms"),
    (INFO, 2.0, "scheduled job cleanup-expired-carts finished, removed {n} rows"),
    (INFO, 2.0, "email queued for delivery to user {user} template=order_confirmation id={hex}"),
    (INFO, 2.0, "inventory reserved sku={sku} quantity={n} warehouse={p}"),
    (INFO, 2.0, "cache refresh complete: {n} entries loaded in {ms}ms"),
    (INFO, 1.5, "opened connection #{n} to postgres at {ip}:5432"),
    (INFO, 1.5, "shipment {oid} handed to carrier, tracking {hex}"),
    (INFO, 1.5, "feature flag new-checkout evaluated to true for user {user}"),
    (INFO, 1.0, "health check passed"),
    (INFO, 1.0, "configuration reloaded from /etc/app/config.yaml checksum {hex}"),
    (INFO, 0.5, "leader election: {svc}-{p} became leader for term {n}"),
    (INFO, 0.3, "graceful shutdown requested, draining {n} connections"),
    (DEBUG, 4.0, "cache miss for key product:{sku}"),
    (DEBUG, 3.0, "executing query SELECT * FROM orders WHERE user_id = {user} AND status = 'open' LIMIT {n}"),
    (DEBUG, 2.0, "span exported batch={n} queue={p}"),
    (DEBUG, 1.5, "retry policy evaluated: attempt {p} backoff {ms}ms"),
    (DEBUG, 1.0, "jwt validated kid={hex} sub={user}"),
    (WARN, 2.0, "upstream {svc} responded slowly: {ms}ms exceeds threshold 500ms"),
    (WARN, 1.5, "retrying request {uuid} to {svc}, attempt {p}"),
    (WARN, 1.0, "connection pool exhausted, waiting for a free connection ({n} waiting)"),
    (WARN, 1.0, "deprecated endpoint {path} called by {ip}"),
    (WARN, 0.8, "rate limit reached for client {ip}: {n} requests in the last minute"),
    (WARN, 0.5, "garbage collection pause {ms}ms"),
    (WARN, 0.3, "certificate for {svc}.shop.svc expires in {n} days"),
    (ERROR, 1.2, "timeout waiting for response from {svc} after {ms}ms request={uuid}"),
    (ERROR, 0.8, "failed to process order {oid}: payment declined code={n}"),
    (ERROR, 0.6, "database error: deadlock detected on relation orders, transaction {off} aborted"),
    (ERROR, 0.5, "connection refused: {ip}:{port}"),
    (
        ERROR,
        0.4,
        "unhandled exception in handler {path}: java.lang.NullPointerException at com.shop.{svc}.Handler.process(Handler.java:{n})\n\tat com.shop.{svc}.Router.dispatch(Router.java:88)\n\tat java.base/java.lang.Thread.run(Thread.java:840)",
    ),
    (ERROR, 0.2, "upstream connect error or disconnect/reset before headers. reset reason: connection timeout"),
    (ERROR, 0.05, "disk usage at {n}% on /data volume {hex}"),
    (ERROR, 0.002, "checksum mismatch in segment {hex} at offset {off}"),
    (INFO, 0.2, "heartbeat sent to coordinator {ip}"),
];
/// The kind that is an HTTP access line.
const ACCESS: &str = "{access}";

/// Paths with their routes and weights, cumulated.
const PATHS: [(&str, &str, f64); 8] = [
    ("/api/v1/items", "/api/v1/items", 0.25),
    ("/api/v1/items/{}", "/api/v1/items/:id", 0.5),
    ("/api/v1/orders", "/api/v1/orders", 0.62),
    ("/api/v1/orders/{}", "/api/v1/orders/:id", 0.72),
    ("/api/v1/users/{}/profile", "/api/v1/users/:id/profile", 0.8),
    ("/api/v1/cart/{}", "/api/v1/cart/:id", 0.9),
    ("/healthz", "/healthz", 0.95),
    ("/static/js/app.{}.js", "/static/*", 1.0),
];
/// Status codes with their weights, cumulated.
const STATUSES: [(i64, f64); 7] = [(200, 0.90), (201, 0.93), (304, 0.96), (404, 0.975), (400, 0.99), (500, 0.995), (503, 1.0)];
const METHODS: [&str; 6] = ["GET", "GET", "GET", "POST", "PUT", "DELETE"];
const CLASSES: [&str; 4] = ["Handler", "Client", "Repository", "Consumer"];
const PORTS: [u16; 4] = [5432, 6379, 9092, 8080];

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number.
    Int(i64),
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: u64,
    severity: Severity,
    service: usize,
    pod: usize,
    /// The line.
    pub body: String,
    /// Trace and span.
    pub trace: Option<([u8; 16], u64)>,
    /// Attributes.
    pub attributes: Vec<(&'static str, Value)>,
}

impl Record {
    /// Service and severity text.
    pub fn stream(&self) -> (&'static str, &'static str) {
        (SERVICES[self.service], self.severity.1)
    }
}

/// The data set.
#[derive(Debug, Clone)]
pub struct Logs {
    seed: u64,
    records: u64,
    start_ns: u64,
    range_ns: u64,
    services: Vec<f64>,
    kinds: Vec<f64>,
}

impl Logs {
    /// So many records over so many seconds.
    pub fn new(seed: u64, records: u64, start_seconds: u64, range_seconds: u64) -> Self {
        let cumulated = |weights: &mut dyn Iterator<Item = f64>| {
            let mut sum = 0.0;
            weights
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect()
        };
        let services = cumulated(&mut (1..=SERVICES.len()).map(|rank| 1.0 / (rank as f64).powf(0.7)));
        let kinds = cumulated(&mut KINDS.iter().map(|kind| kind.1));
        Self { seed, records, start_ns: start_seconds * 1_000_000_000, range_ns: range_seconds * 1_000_000_000, services, kinds }
    }

    /// Number of records.
    pub fn len(&self) -> u64 {
        self.records
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The trace that records around the middle belong to: a needle to look for.
    pub fn needle(&self) -> String {
        trace_id(self.seed, self.records / 2 / 20).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A record by its number.
    pub fn record(&self, number: u64) -> Record {
        let mut draw = Draw::new(self.seed ^ 0x1065, number);
        let service = pick(&self.services, draw.unit());
        let pod = draw.below(PODS as u64) as usize;
        let jitter_ns = draw.below(2_000_000_000);
        let timestamp_ns = self.start_ns + (u128::from(number) * u128::from(self.range_ns) / u128::from(self.records)) as u64 + jitter_ns;
        let (severity, _, kind) = KINDS[pick(&self.kinds, draw.unit())];
        let is_traced = draw.below(2) == 0;
        let trace = is_traced.then(|| (trace_id(self.seed, number / 20), draw.next()));
        let mut record = Record { timestamp_ns, severity, service, pod, body: String::with_capacity(160), trace, attributes: Vec::with_capacity(8) };
        if kind == ACCESS {
            access(&mut record, &mut draw)
        } else {
            fill(&mut record, kind, number, &mut draw)
        }
        record.attributes.push(("thread.name", Value::Text(format!("worker-{}", draw.below(16)))));
        let class = CLASSES[draw.below(4) as usize];
        record.attributes.push(("code.namespace", Value::Text(format!("com.shop.{}.{class}", SERVICES[service]))));
        record
    }
}

/// Identifier of a trace by its number.
pub(super) fn trace_id(seed: u64, number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mix2(seed ^ 0x7ace, number * 2).to_be_bytes());
    id[8..].copy_from_slice(&mix2(seed ^ 0x7ace, number * 2 + 1).to_be_bytes());
    id
}

fn path(draw: &mut Draw) -> (String, &'static str) {
    let at = draw.unit();
    let (path, route, _) = PATHS.into_iter().find(|(_, _, cumulated)| at < *cumulated).unwrap_or(PATHS[PATHS.len() - 1]);
    (path.replace("{}", &draw.below(100_000).to_string()), route)
}

/// Mostly few milliseconds, now and then many.
fn milliseconds(draw: &mut Draw) -> u64 {
    let at = draw.unit();
    ((1.0 / (1.0 - 0.999 * at)).powf(1.3) * 4.0) as u64
}

/// One of a million users, low numbers more often.
fn user(draw: &mut Draw) -> u64 {
    let at = draw.unit();
    (at * at * at * 1_000_000.0) as u64
}

fn access(record: &mut Record, draw: &mut Draw) {
    let (path, route) = path(draw);
    let method = METHODS[draw.below(6) as usize];
    let at = draw.unit();
    let status = STATUSES.into_iter().find(|(_, cumulated)| at < *cumulated).map_or(503, |(status, _)| status);
    let address = format!("{}.{}.{}.{}", 10 + draw.below(4) * 60, draw.below(32), draw.below(256), draw.below(256));
    let took = milliseconds(draw);
    let size = draw.below(60_000);
    push(&mut record.body, format_args!("{address} \"{method} {path} HTTP/1.1\" {status} {size} {took}ms"));
    record.attributes.push(("http.request.method", Value::Text(method.to_owned())));
    record.attributes.push(("url.path", Value::Text(path)));
    record.attributes.push(("http.route", Value::Text(route.to_owned())));
    record.attributes.push(("http.response.status_code", Value::Int(status)));
    record.attributes.push(("client.address", Value::Text(address)));
    record.attributes.push(("http.server.request.duration_ms", Value::Int(took.cast_signed())));
}

fn push(to: &mut String, what: std::fmt::Arguments<'_>) {
    to.write_fmt(what).expect("text takes everything");
}

/// Fills in the braces of a kind of lines.
fn fill(record: &mut Record, kind: &str, number: u64, draw: &mut Draw) {
    let mut rest = kind;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("braces of the kinds are closed");
        record.body.push_str(before);
        rest = after;
        let body = &mut record.body;
        match name {
            "uuid" => uuid(body, draw),
            "user" => {
                let user = user(draw).to_string();
                body.push_str(&user);
                record.attributes.push(("user.id", Value::Text(user)));
            }
            "ms" => push(body, format_args!("{}", milliseconds(draw))),
            "ip" => push(body, format_args!("10.{}.{}.{}", draw.below(4), draw.below(256), draw.below(256))),
            "hex" => push(body, format_args!("{:016x}", draw.next())),
            "oid" => push(body, format_args!("ORD-{:08}", draw.below(100_000_000))),
            "n" => push(body, format_args!("{}", draw.below(500))),
            "money" => push(body, format_args!("{}.{:02}", draw.below(900), draw.below(100))),
            "p" => push(body, format_args!("{}", draw.below(12))),
            "off" => push(body, format_args!("{}", 1_000_000 + number * 3 + draw.below(1000))),
            "sku" => push(body, format_args!("SKU-{:05}", draw.below(50_000))),
            "svc" => body.push_str(SERVICES[draw.below(20) as usize]),
            "path" => body.push_str(&path(draw).0),
            "port" => push(body, format_args!("{}", PORTS[draw.below(4) as usize])),
            other => unreachable!("no kind has a {other}"),
        }
    }
    record.body.push_str(rest);
}

fn uuid(to: &mut String, draw: &mut Draw) {
    let (high, low) = (draw.next(), draw.next());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    push(to, format_args!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | (low >> 50 & 0x3fff), low & 0xffff_ffff_ffff));
}

/// Attributes of the resource of a pod.
pub(super) fn resource(service: usize, pod: usize) -> [(&'static str, String); 8] {
    [
        ("service.name", SERVICES[service].to_owned()),
        ("service.version", format!("v1.{service}.0")),
        ("deployment.environment.name", "prod".to_owned()),
        ("k8s.cluster.name", "prod-eu-1".to_owned()),
        ("k8s.namespace.name", namespace(service).to_owned()),
        ("k8s.pod.name", pod_name(service, pod, 0)),
        ("k8s.container.name", SERVICES[service].to_owned()),
        ("k8s.node.name", node_name(node_of(service, pod))),
    ]
}

/// Records as an OTLP request, by resource in the order in which resources first come.
pub fn otlp(records: &[Record]) -> Vec<u8> {
    let mut groups: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    let mut places = vec![None; SERVICES.len() * PODS];
    let (mut row, mut message) = (Vec::with_capacity(512), Vec::with_capacity(256));
    for record in records {
        let place = *places[record.service * PODS + record.pod].get_or_insert_with(|| {
            groups.push((record.service, record.pod, Vec::new()));
            groups.len() - 1
        });
        row.clear();
        wire::fixed64(&mut row, 1, record.timestamp_ns);
        wire::number(&mut row, 2, record.severity.0);
        wire::bytes(&mut row, 3, record.severity.1.as_bytes());
        message.clear();
        wire::bytes(&mut message, 1, record.body.as_bytes());
        wire::bytes(&mut row, 5, &message);
        for (name, value) in &record.attributes {
            attribute(&mut row, 6, name, value);
        }
        if let Some((trace, span)) = &record.trace {
            wire::fixed32(&mut row, 8, 1);
            wire::bytes(&mut row, 9, trace);
            wire::bytes(&mut row, 10, &span.to_be_bytes());
        }
        wire::fixed64(&mut row, 11, record.timestamp_ns + 1_000_000);
        wire::bytes(&mut groups[place].2, 2, &row);
    }
    let mut out = Vec::new();
    for (service, pod, rows) in groups {
        group(&mut out, service, pod, "com.shop.logging", &rows);
    }
    out
}

/// Appends the rows of a pod to a request, with their resource and scope.
pub(super) fn group(to: &mut Vec<u8>, service: usize, pod: usize, scope: &str, rows: &[u8]) {
    let mut origin = Vec::new();
    for (name, value) in resource(service, pod) {
        attribute(&mut origin, 1, name, &Value::Text(value));
    }
    let mut name = Vec::new();
    wire::bytes(&mut name, 1, scope.as_bytes());
    wire::bytes(&mut name, 2, b"1.0.0");
    let mut scope = Vec::with_capacity(rows.len() + 32);
    wire::bytes(&mut scope, 1, &name);
    scope.extend_from_slice(rows);
    let mut group = Vec::with_capacity(scope.len() + origin.len() + 16);
    wire::bytes(&mut group, 1, &origin);
    wire::bytes(&mut group, 2, &scope);
    wire::bytes(to, 1, &group);
}

pub(super) fn attribute(to: &mut Vec<u8>, field: u32, name: &str, value: &Value) {
    let (mut any, mut pair) = (Vec::with_capacity(16), Vec::new());
    match value {
        Value::Text(text) => wire::bytes(&mut any, 1, text.as_bytes()),
        Value::Int(number) => wire::number(&mut any, 3, number.cast_unsigned()),
    }
    wire::bytes(&mut pair, 1, name.as_bytes());
    wire::bytes(&mut pair, 2, &any);
    wire::bytes(to, field, &pair);
}

/// A record as a line of JSON, flat.
pub fn json(to: &mut String, record: &Record) {
    push(to, format_args!("{{\"ts\":{},\"level\":\"{}\",\"message\":", record.timestamp_ns, record.severity.1));
    quoted(to, &record.body);
    if let Some((trace, span)) = &record.trace {
        to.push_str(",\"trace_id\":\"");
        trace.iter().for_each(|byte| push(to, format_args!("{byte:02x}")));
        push(to, format_args!("\",\"span_id\":\"{span:016x}\""));
    }
    for (name, value) in resource(record.service, record.pod) {
        to.push(',');
        quoted(to, name);
        to.push(':');
        quoted(to, &value);
    }
    for (name, value) in &record.attributes {
        to.push(',');
        member(to, name, value);
    }
    to.push_str("}\n");
}

/// A member of an object.
pub(super) fn member(to: &mut String, name: &str, value: &Value) {
    quoted(to, name);
    to.push(':');
    match value {
        Value::Text(text) => quoted(to, text),
        Value::Int(number) => push(to, format_args!("{number}")),
    }
}

pub(super) fn quoted(to: &mut String, text: &str) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\t' => to.push_str("\\t"),
            other => to.push(other),
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_set_is_what_it_was() {
        let logs = Logs::new(1, 5_000_000, 1_795_456_800, 7200);
        assert_eq!(logs.needle(), "17a355f27463476b44365375f9f9ebb2");
        let traced = (2_500_000..2_500_020).filter(|number| logs.record(*number).trace.is_some()).count();
        assert_eq!(traced, 12);
        let records: Vec<Record> = (0..2000).map(|number| logs.record(number)).collect();
        let mut lines = String::new();
        records.iter().for_each(|record| json(&mut lines, record));
        let hash = |bytes: &[u8]| bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!((hash(&otlp(&records)), hash(lines.as_bytes())), (0x61f2_7656_55dd_4e59, 0xce9b_3870_b33c_cf6f));
    }
}
