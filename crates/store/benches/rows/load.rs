//! Logs and spans of a shop of twenty services with ten pods each: lines of forty shapes with users, addresses, identifiers
//! and durations in them, half of them with a trace; traces of about twenty spans.

use arrow::record_batch::RecordBatch;
use signalbox_model::builder::{EventRow, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{SpanId, TraceId};

/// Start of the data.
pub(crate) const FIRST_NS: i64 = 1_795_456_800_000_000_000;
const SERVICES: [&str; 20] = [
    "gateway",
    "frontend",
    "catalog",
    "search",
    "cart",
    "auth",
    "user",
    "recommendation",
    "checkout",
    "payment",
    "inventory",
    "shipping",
    "currency",
    "email",
    "ads",
    "billing",
    "fraud",
    "notification",
    "analytics",
    "scheduler",
];
const SEVERITIES: [(i32, &str); 4] = [(5, "DEBUG"), (9, "INFO"), (13, "WARN"), (17, "ERROR")];
const PATHS: [&str; 6] = ["/api/v1/items", "/api/v1/items/{}", "/api/v1/orders", "/api/v1/orders/{}", "/api/v1/users/{}/profile", "/api/v1/cart/{}"];
/// Weight, severity, template.
const LINES: [(u64, usize, &str); 30] = [
    (300, 1, "{access}"),
    (60, 1, "request completed id={uuid} user={user} took {ms}ms"),
    (40, 1, "user {user} logged in from {ip} using session {hex}"),
    (40, 1, "order ORD-{id} created for user {user}, {n} items, total {n}.{n} EUR"),
    (30, 1, "payment {uuid} authorized by provider stripe in {ms}ms"),
    (30, 1, "published message to topic orders.events partition {p} offset {id}"),
    (30, 1, "consumed batch of {n} messages from topic orders.events partition {p} in {ms}ms"),
    (20, 1, "GET http://{svc}.shop.svc.cluster.local:8080{path} returned 200 in {ms}ms"),
    (20, 1, "scheduled job cleanup-expired-carts finished, removed {n} rows"),
    (20, 1, "email queued for delivery to user {user} template=order_confirmation id={hex}"),
    (20, 1, "inventory reserved sku=SKU-{n} quantity={p} warehouse={p}"),
    (20, 1, "cache refresh complete: {n} entries loaded in {ms}ms"),
    (15, 1, "opened connection #{n} to postgres at {ip}:5432"),
    (15, 1, "shipment ORD-{id} handed to carrier, tracking {hex}"),
    (15, 1, "feature flag new-checkout evaluated to true for user {user}"),
    (10, 1, "health check passed"),
    (10, 1, "configuration reloaded from /etc/app/config.yaml checksum {hex}"),
    (40, 0, "cache miss for key product:SKU-{n}"),
    (30, 0, "executing query SELECT * FROM orders WHERE user_id = {user} AND status = 'open' LIMIT {n}"),
    (20, 0, "span exported batch={n} queue={p}"),
    (15, 0, "retry policy evaluated: attempt {p} backoff {ms}ms"),
    (20, 2, "upstream {svc} responded slowly: {ms}ms exceeds threshold 500ms"),
    (15, 2, "retrying request {uuid} to {svc}, attempt {p}"),
    (10, 2, "connection pool exhausted, waiting for a free connection ({n} waiting)"),
    (10, 2, "deprecated endpoint {path} called by {ip}"),
    (12, 3, "timeout waiting for response from {svc} after {ms}ms request={uuid}"),
    (8, 3, "failed to process order ORD-{id}: payment declined code={n}"),
    (6, 3, "database error: deadlock detected on relation orders, transaction {id} aborted"),
    (5, 3, "connection refused: {ip}:{n}"),
    (4, 3, "unhandled exception in handler {path}: java.lang.NullPointerException at com.shop.{svc}.Handler.process(Handler.java:{n})"),
];

/// A stream of numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn wide(&mut self) -> u64 {
        self.below(1 << 32) << 32 | self.below(1 << 32)
    }

    /// Small numbers more often.
    fn skewed(&mut self, bound: u64) -> u64 {
        let unit = self.below(1 << 30) as f64 / (1u64 << 30) as f64;
        (unit * unit * unit * bound as f64) as u64
    }

    fn ip(&mut self) -> String {
        format!("10.{}.{}.{}", self.below(4), self.below(256), self.below(256))
    }

    fn path(&mut self) -> String {
        let number = self.below(100_000).to_string();
        PATHS[self.below(6) as usize].replace("{}", &number)
    }

    fn line(&mut self, template: &str) -> String {
        let (mut line, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            line.push_str(before);
            let Some((slot, after)) = after.split_once('}') else { break };
            line.push_str(&match slot {
                "uuid" => format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    self.below(1 << 32),
                    self.below(1 << 16),
                    self.below(4096),
                    self.below(4096),
                    self.below(1 << 48)
                ),
                "user" => self.skewed(1_000_000).to_string(),
                "ms" => self.skewed(5000).to_string(),
                "ip" => self.ip(),
                "hex" => format!("{:016x}", self.wide()),
                "id" => self.below(100_000_000).to_string(),
                "n" => self.below(500).to_string(),
                "p" => self.below(12).to_string(),
                "svc" => SERVICES[self.below(20) as usize].to_owned(),
                _ => self.path(),
            });
            rest = after;
        }
        line.push_str(rest);
        line
    }

    fn span_id(&mut self) -> SpanId {
        SpanId::from_slice(&(self.wide() | 1).to_be_bytes()).unwrap()
    }
}

/// The trace of a number: as random as real ones.
pub(crate) fn trace(number: u64) -> TraceId {
    let mix = |seed: u64| {
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_be_bytes()
    };
    TraceId::from_slice(&[mix(number.wrapping_mul(2) + 1), mix(number.wrapping_mul(2) + (1 << 60))].concat()).unwrap()
}

fn resource(service: usize, pod: u64) -> String {
    let name = SERVICES[service];
    let hash = (service as u64 * 31 + pod).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{{\"deployment.environment.name\":\"prod\",\"k8s.cluster.name\":\"prod-eu-1\",\"k8s.container.name\":\"{name}\",\"k8s.namespace.name\":\"shop\",\
         \"k8s.node.name\":\"ip-10-0-{}-{}\",\"k8s.pod.name\":\"{name}-{:07x}-{:05x}\",\"service.name\":\"{name}\",\"service.version\":\"v1.{service}.0\"}}",
        hash >> 62,
        hash >> 58,
        hash >> 36,
        hash & 0xf_ffff
    )
}

/// One request of log records: those from number `first` on, one every `nanos_each`.
pub(crate) fn logs(random: &mut Random, first: u64, rows: u64, nanos_each: i64) -> RecordBatch {
    let weights: u64 = LINES.iter().map(|line| line.0).sum();
    let mut numbers: Vec<(usize, u64, u64)> = (first..first + rows).map(|number| (random.skewed(20) as usize, random.below(10), number)).collect();
    numbers.sort_unstable();
    let (mut builder, mut last) = (LogBuilder::default(), None);
    builder.set_scope("{\"name\":\"com.shop.logging\",\"version\":\"1.0.0\"}");
    for (service, pod, number) in numbers {
        if last != Some((service, pod)) {
            builder.set_resource(&resource(service, pod), SERVICES[service]);
            last = Some((service, pod));
        }
        let mut at = random.below(weights);
        let line = LINES.iter().find(|line| {
            let is_it = at < line.0;
            at = at.saturating_sub(line.0);
            is_it
        });
        let (_, severity, template) = line.unwrap();
        let attributes = builder.attributes();
        let body = if *template == "{access}" {
            let (path, ip, took, size) = (random.path(), random.ip(), random.skewed(5000), random.below(60_000));
            let (method, status) =
                (["GET", "GET", "POST", "PUT"][random.below(4) as usize], [200, 200, 200, 200, 201, 304, 404, 500][random.below(8) as usize]);
            attributes.append_string("http.request.method", method);
            attributes.append_string("url.path", &path);
            attributes.append_string("http.route", PATHS[random.below(6) as usize]);
            attributes.append_int("http.response.status_code", status);
            attributes.append_string("client.address", &ip);
            attributes.append_int("http.server.request.duration_ms", took as i64);
            format!("{ip} \"{method} {path} HTTP/1.1\" {status} {size} {took}ms")
        } else {
            random.line(template)
        };
        attributes.append_string("thread.name", &format!("worker-{}", random.below(16)));
        attributes
            .append_string("code.namespace", &format!("com.shop.{}.{}", SERVICES[service], ["Handler", "Client", "Repository"][random.below(3) as usize]));
        let timestamp_ns = FIRST_NS + number as i64 * nanos_each + random.below(2_000_000_000) as i64;
        let trace_id = (random.below(2) == 0).then(|| trace(number / 20));
        builder.close_row(&LogRow {
            timestamp_ns,
            observed_timestamp_ns: Some(timestamp_ns + random.below(1_000_000) as i64),
            severity_number: SEVERITIES[*severity].0,
            severity_text: SEVERITIES[*severity].1,
            body: Some(&body),
            trace_id,
            span_id: trace_id.map(|_| random.span_id()),
            flags: u32::from(trace_id.is_some()),
            ..LogRow::default()
        });
    }
    builder.finish().into_rows()
}

struct Span {
    service: usize,
    pod: u64,
    trace: u64,
    id: SpanId,
    parent: Option<SpanId>,
    start_ns: i64,
    nanos: i64,
    kind: i32,
    user: u64,
}

/// One request of spans: the traces from number `first` on, one every `nanos_each`, grouped by resource.
pub(crate) fn spans(random: &mut Random, first: u64, traces: u64, nanos_each: i64) -> RecordBatch {
    let mut all: Vec<Span> = Vec::new();
    for number in first..first + traces {
        let (from, count, user) = (all.len(), 4 + random.below(33) as usize, random.skewed(1_000_000));
        let start_ns = FIRST_NS + number as i64 * nanos_each + random.below(1_000_000_000) as i64;
        let nanos = 500_000 + random.skewed(4_000_000_000) as i64;
        all.push(Span { service: 0, pod: random.below(10), trace: number, id: random.span_id(), parent: None, start_ns, nanos, kind: 2, user });
        while all.len() - from < count {
            let parent = &all[from + random.below((all.len() - from) as u64) as usize];
            let (service, pod, start_ns) = (parent.service, parent.pod, parent.start_ns + random.below(1 + parent.nanos as u64 / 2) as i64);
            let (parent_id, nanos) = (parent.id, 1000 + random.below(1 + parent.nanos as u64 / 2) as i64);
            let kind = [1, 3, 3, 2][random.below(4) as usize];
            let (service, pod) = if kind == 2 { (random.below(20) as usize, random.below(10)) } else { (service, pod) };
            all.push(Span { service, pod, trace: number, id: random.span_id(), parent: Some(parent_id), start_ns, nanos, kind, user });
        }
    }
    all.sort_by_key(|span| (span.service, span.pod));
    let (mut builder, mut last) = (SpanBuilder::default(), None);
    builder.set_scope("{\"name\":\"com.shop.tracing\",\"version\":\"1.0.0\"}");
    for span in all {
        if last != Some((span.service, span.pod)) {
            builder.set_resource(&resource(span.service, span.pod), SERVICES[span.service]);
            last = Some((span.service, span.pod));
        }
        let is_error = random.below(500) == 0;
        let name = attributes(&mut builder, random, &span, is_error);
        if is_error {
            builder.event_attributes().append_string("exception.type", "java.lang.IllegalStateException");
            builder.event_attributes().append_string("exception.message", &format!("failed in {name}"));
            builder.close_event(&EventRow { timestamp_ns: span.start_ns + span.nanos - 1000, name: "exception", dropped_attributes_count: 0 });
        }
        builder.close_row(&SpanRow {
            trace_id: trace(span.trace),
            span_id: span.id,
            parent_span_id: span.parent,
            start_ns: span.start_ns,
            end_ns: span.start_ns + span.nanos,
            name: &name,
            kind: span.kind,
            status_code: if is_error { 2 } else { 0 },
            status_message: if is_error { "internal error" } else { "" },
            trace_state: "",
            flags: 257,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    builder.finish().into_rows()
}

fn attributes(builder: &mut SpanBuilder, random: &mut Random, span: &Span, is_error: bool) -> String {
    let attributes = builder.attributes();
    let service = SERVICES[span.service];
    match span.kind {
        2 => {
            let (method, route) = (["GET", "GET", "POST", "PUT"][random.below(4) as usize], PATHS[random.below(6) as usize]);
            attributes.append_string("http.request.method", method);
            attributes.append_string("http.route", route);
            attributes.append_string("url.path", &random.path());
            attributes.append_int("http.response.status_code", if is_error { 500 } else { [200, 200, 200, 201, 404][random.below(5) as usize] });
            attributes.append_string("user.id", &span.user.to_string());
            attributes.append_string("client.address", &random.ip());
            attributes.append_string("network.protocol.version", "1.1");
            format!("{method} {route}")
        }
        3 => {
            attributes.append_string("db.system", "postgresql");
            attributes.append_string("db.statement", &format!("SELECT * FROM {service} WHERE id = $1"));
            attributes.append_string("server.address", "postgresql.data.svc");
            attributes.append_int("server.port", 5432);
            format!("SELECT {service}")
        }
        _ => {
            attributes.append_int("thread.id", random.below(64) as i64);
            ["serialize", "validate", "authorize", "render"][random.below(4) as usize].to_owned()
        }
    }
}
