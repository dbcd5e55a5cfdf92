//! Requests of the size and shape that agents send, for measurements.

use prost::Message as _;
use signalbox_model::{KnownSeries, SeriesKey, SeriesRef};
use signalbox_proto::otlp::collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use signalbox_proto::otlp::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use signalbox_proto::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use signalbox_proto::otlp::metrics::v1::{Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point};
use signalbox_proto::otlp::resource::v1::Resource;
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use signalbox_proto::{remote_write_v1 as v1, remote_write_v2 as v2};

/// When everything happened.
pub(crate) const NOW_NS: i64 = 1_700_000_000_000_000_000;
/// Rows of each request.
pub(crate) const ROWS: u64 = 5_000;

/// A head that has met every series.
pub(crate) struct AllKnown;

impl KnownSeries for AllKnown {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        Some(SeriesRef(key.0 as u32))
    }
}

fn text(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::StringValue(value)) }), ..KeyValue::default() }
}

fn int(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..KeyValue::default() }
}

fn resource(number: u64) -> Option<Resource> {
    let attributes = vec![
        text("service.name", format!("service-{}", number % 10)),
        text("service.instance.id", format!("7b1f9f4e-0000-4000-8000-{number:012}")),
        text("k8s.pod.name", format!("service-{number}-7d9f")),
        text("k8s.namespace.name", "shop".into()),
        text("host.name", format!("node-{}", number % 7)),
        text("telemetry.sdk.language", "java".into()),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "io.opentelemetry.tomcat-10.0".into(), version: "2.1.0".into(), ..InstrumentationScope::default() })
}

fn http_attributes(number: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", ["GET", "POST", "PUT"][(number % 3) as usize].into()),
        text("http.route", format!("/api/v1/items/{}", number % 50)),
        int("http.response.status_code", 200 + (number % 5) as i64),
        text("network.protocol.version", "1.1".into()),
        text("server.address", format!("item-{}.shop.svc", number % 20)),
        text("url.scheme", "https".into()),
    ]
}

/// Metrics: 10 resources, 500 points each.
pub(crate) fn metrics() -> Vec<u8> {
    let point = |number: u64| NumberDataPoint {
        attributes: http_attributes(number),
        start_time_unix_nano: NOW_NS as u64 - 60_000_000_000,
        time_unix_nano: NOW_NS as u64,
        value: Some(number_data_point::Value::AsDouble(number as f64 * 0.25)),
        ..NumberDataPoint::default()
    };
    let metric = |first: u64, number: u64| {
        let data = Sum { data_points: (0..50).map(|at| point(first + number * 50 + at)).collect(), aggregation_temporality: 2, is_monotonic: true };
        Metric {
            name: format!("http.server.requests.{number}"),
            unit: "{request}".into(),
            description: "Requests served".into(),
            data: Some(Data::Sum(data)),
            ..Metric::default()
        }
    };
    let resource_metrics = (0..ROWS / 500).map(|number| {
        let metrics = (0..10).map(|at| metric(number * 500, at)).collect();
        ResourceMetrics {
            resource: resource(number),
            scope_metrics: vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }
    });
    ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() }.encode_to_vec()
}

/// Log records: 10 resources, 500 records each.
pub(crate) fn logs() -> Vec<u8> {
    let record = |number: u64| LogRecord {
        time_unix_nano: NOW_NS as u64 + number,
        observed_time_unix_nano: NOW_NS as u64 + number + 5,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!("order {number} was placed by customer {} and will be shipped within two working days", number * 7))),
        }),
        attributes: http_attributes(number),
        trace_id: vec![(number % 250) as u8 + 1; 16],
        span_id: vec![(number % 250) as u8 + 1; 8],
        ..LogRecord::default()
    };
    let resource_logs = (0..ROWS / 500).map(|at| {
        let log_records = (0..500).map(|number| record(at * 500 + number)).collect();
        ResourceLogs { resource: resource(at), scope_logs: vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }], ..ResourceLogs::default() }
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec()
}

/// Spans: 10 resources, 500 spans each, one event.
pub(crate) fn spans() -> Vec<u8> {
    let span = |number: u64| Span {
        trace_id: vec![(number % 250) as u8 + 1; 16],
        span_id: number.wrapping_add(1).to_be_bytes().to_vec(),
        parent_span_id: vec![3; 8],
        name: format!("GET /api/v1/items/{}", number % 50),
        kind: 2,
        start_time_unix_nano: NOW_NS as u64,
        end_time_unix_nano: NOW_NS as u64 + 1_000_000 + number,
        attributes: http_attributes(number),
        events: vec![Event { time_unix_nano: NOW_NS as u64 + 5, name: "cache miss".into(), attributes: vec![int("attempt", 1)], ..Event::default() }],
        ..Span::default()
    };
    let resource_spans = (0..ROWS / 500).map(|at| {
        let spans = (0..500).map(|number| span(at * 500 + number)).collect();
        ResourceSpans { resource: resource(at), scope_spans: vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }], ..ResourceSpans::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn label_pairs(number: u64) -> [(&'static str, String); 8] {
    [
        ("__name__", format!("http_requests_total_{}", number % 100)),
        ("cluster", "production-eu".into()),
        ("instance", format!("10.0.{}.{}:8080", number / 250, number % 250)),
        ("job", "shop".into()),
        ("method", ["GET", "POST", "PUT"][(number % 3) as usize].into()),
        ("namespace", "shop".into()),
        ("pod", format!("shop-{}", number / 100)),
        ("status", format!("{}", 200 + number % 5)),
    ]
}

/// Remote write 1.0, decompressed: a sample each of many series.
pub(crate) fn remote_write_v1() -> Vec<u8> {
    let series = |number: u64| v1::TimeSeries {
        labels: label_pairs(number).into_iter().map(|(name, value)| v1::Label { name: name.into(), value }).collect(),
        samples: vec![v1::Sample { value: number as f64, timestamp: NOW_NS / 1_000_000 }],
        ..v1::TimeSeries::default()
    };
    v1::WriteRequest { timeseries: (0..ROWS).map(series).collect(), metadata: vec![] }.encode_to_vec()
}

/// The same in 2.0.
pub(crate) fn remote_write_v2() -> Vec<u8> {
    let mut places = std::collections::HashMap::from([(String::new(), 0u32)]);
    let mut symbols = vec![String::new()];
    let mut reference = |text: &str| {
        *places.entry(text.to_owned()).or_insert_with(|| {
            symbols.push(text.to_owned());
            symbols.len() as u32 - 1
        })
    };
    let mut timeseries = Vec::new();
    for number in 0..ROWS {
        let labels_refs = label_pairs(number).iter().flat_map(|(name, value)| [reference(name), reference(value)]).collect();
        let sample = v2::Sample { value: number as f64, timestamp: NOW_NS / 1_000_000, start_timestamp: 0 };
        timeseries.push(v2::TimeSeries { labels_refs, samples: vec![sample], ..v2::TimeSeries::default() });
    }
    v2::Request { symbols, timeseries }.encode_to_vec()
}

/// Points of InfluxDB's line protocol as Telegraf writes them: 10 fields each.
pub(crate) fn influx() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..ROWS / 10 {
        let (host, cpu) = (number / 16, number % 16);
        body.push_str(&format!("cpu,cpu=cpu{cpu},host=node-{host}.shop.example,rack=r{},region=eu-west-1 ", host % 8));
        let fields = ["guest", "guest_nice", "idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
        let values: Vec<String> = fields.iter().enumerate().map(|(at, field)| format!("usage_{field}={}", (number * 7 + at as u64) as f64 / 13.0)).collect();
        body.push_str(&values.join(","));
        body.push_str(&format!(" {NOW_NS}\n"));
    }
    body.into_bytes()
}

/// A message of `logproto`.
#[derive(Clone, PartialEq, prost::Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Stream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<PushEntry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PushEntry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Instant>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Instant {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// The attributes of a log record of [`logs`] as texts.
fn record_fields(number: u64) -> Vec<(&'static str, String)> {
    vec![
        ("http.request.method", ["GET", "POST", "PUT"][(number % 3) as usize].into()),
        ("http.route", format!("/api/v1/items/{}", number % 50)),
        ("http.response.status_code", (200 + number % 5).to_string()),
        ("network.protocol.version", "1.1".into()),
        ("server.address", format!("item-{}.shop.svc", number % 20)),
        ("url.scheme", "https".into()),
        ("trace_id", format!("{:02x}", number % 250 + 1).repeat(16)),
        ("span_id", format!("{:02x}", number % 250 + 1).repeat(8)),
    ]
}

/// The records of [`logs`] as a push of Loki, without its snappy.
pub(crate) fn loki() -> Vec<u8> {
    let entry = |number: u64| PushEntry {
        timestamp: Some(Instant { seconds: NOW_NS / 1_000_000_000, nanos: number as i32 }),
        line: format!("INFO order {number} was placed by customer {} and will be shipped within two working days", number * 7),
        metadata: record_fields(number).into_iter().map(|(name, value)| Pair { name: name.into(), value }).collect(),
    };
    let stream = |at: u64| Stream {
        labels: format!("{{service_name=\"service-{}\", pod=\"service-{at}-7d9f\", namespace=\"shop\", node=\"node-{}\", container=\"app\"}}", at % 10, at % 7),
        entries: (0..500).map(|number| entry(at * 500 + number)).collect(),
    };
    PushRequest { streams: (0..ROWS / 500).map(stream).collect() }.encode_to_vec()
}

/// The records of [`logs`] as JSON, an object a line.
pub(crate) fn json_lines() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..ROWS {
        let at = number / 500;
        body.push_str(&format!(
            "{{\"_time\":\"2023-11-14T22:13:20.{number:09}Z\",\"_msg\":\"order {number} was placed by customer {} and will be shipped within two working days\",\"level\":\"INFO\",\"service.name\":\"service-{}\",\"service.instance.id\":\"7b1f9f4e-0000-4000-8000-{at:012}\",\"k8s.pod.name\":\"service-{at}-7d9f\",\"k8s.namespace.name\":\"shop\",\"host.name\":\"node-{}\"",
            number * 7,
            at % 10,
            at % 7
        ));
        for (name, value) in record_fields(number) {
            if name == "http.response.status_code" {
                body.push_str(&format!(",\"{name}\":{value}"));
            } else {
                body.push_str(&format!(",\"{name}\":\"{value}\""));
            }
        }
        body.push_str("}\n");
    }
    body.into_bytes()
}
