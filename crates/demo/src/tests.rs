use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::Mutex;
use prost::Message as _;
use signalbox_model::ErrorKind;
use signalbox_proto::otlp::collector::logs::v1::ExportLogsServiceRequest;
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceRequest;
use signalbox_proto::otlp::collector::trace::v1::ExportTraceServiceRequest;
use signalbox_proto::otlp::common::v1::KeyValue;
use signalbox_proto::otlp::common::v1::any_value::Value;
use signalbox_proto::otlp::logs::v1::LogRecord;
use signalbox_proto::otlp::metrics::v1::metric::Data;
use signalbox_proto::otlp::metrics::v1::{Exemplar, Metric, number_data_point};
use signalbox_proto::otlp::trace::v1::Span;
use signalbox_proto::otlp::trace::v1::span::SpanKind;
use signalbox_testkit::ManualClock;

use crate::world::{Incident, SECOND, incident};
use crate::{Export, Settings, Shop, run};

const SEED: u64 = 7;
/// A whole period of all incidents from the epoch on, some time in 2026.
const OPENED: u64 = 1_790_000_400 / 3_600 * 3_600;

fn hour(seed: u64, seconds: u64) -> Export {
    let mut shop = Shop::open(seed, 1.0, OPENED);
    let mut all = Export::default();
    for _ in 0..seconds {
        all.append(shop.step());
    }
    all
}

fn spans(export: &Export) -> Vec<Span> {
    let request = export.traces(SEED);
    request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn records(export: &Export) -> Vec<LogRecord> {
    let request = export.logs(SEED);
    request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records).collect()
}

/// The metrics of an export by instance and name.
fn metrics(request: &ExportMetricsServiceRequest) -> BTreeMap<(String, String), Metric> {
    let mut found = BTreeMap::new();
    for resource in &request.resource_metrics {
        let instance = value(&resource.resource.as_ref().unwrap().attributes, "service.instance.id");
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            found.insert((instance.clone(), metric.name.clone()), metric.clone());
        }
    }
    found
}

fn value(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key).and_then(|attribute| attribute.value.as_ref());
    match found.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn exemplars(metric: &Metric) -> Vec<&Exemplar> {
    match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => histogram.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Data::Sum(sum) => sum.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_same_seed_sends_the_same_and_another_sends_another() {
    let (first, second, other) = (hour(SEED, 90), hour(SEED, 90), hour(SEED + 1, 90));
    assert_eq!(first.traces(SEED), second.traces(SEED));
    assert_eq!(first.logs(SEED), second.logs(SEED));
    assert_eq!(first.metrics, second.metrics);
    assert_ne!(first.traces(SEED), other.traces(SEED + 1));
    let shared: BTreeSet<Vec<u8>> = spans(&first).into_iter().map(|span| span.trace_id).collect();
    assert!(spans(&other).iter().all(|span| !shared.contains(&span.trace_id)));
}

#[test]
fn a_second_does_not_depend_on_when_the_shop_opened() {
    let mut later = Shop::open(SEED, 1.0, OPENED + 30);
    let late: BTreeSet<Vec<u8>> = (0..60).flat_map(|_| spans(&later.step())).map(|span| span.span_id).collect();
    let early: BTreeSet<Vec<u8>> = spans(&hour(SEED, 90)).into_iter().map(|span| span.span_id).collect();
    assert!(late.len() > 100 && late.is_subset(&early));
}

#[test]
fn identifiers_link_up() {
    let export = hour(SEED, 1_260);
    let mut late = export;
    // What began late has ended, too.
    let mut shop = Shop::open(SEED, 1.0, OPENED);
    (0..1_260).for_each(|_| drop(shop.step()));
    (0..30).for_each(|_| late.append(shop.step()));
    let all = spans(&late);
    let known: BTreeMap<(&[u8], &[u8]), &Span> = all.iter().map(|span| ((&*span.trace_id, &*span.span_id), span)).collect();
    assert_eq!(known.len(), all.len(), "every span has an identifier of its own");
    let last_ns = (OPENED + 1_260) * SECOND;
    let settled = |at_ns: u64| at_ns < last_ns;
    for span in all.iter().filter(|span| settled(span.start_time_unix_nano)) {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        if !span.parent_span_id.is_empty() {
            let parent = known.get(&(&*span.trace_id, &*span.parent_span_id)).expect("the parent was sent");
            assert!(
                parent.start_time_unix_nano <= span.start_time_unix_nano && span.end_time_unix_nano <= parent.end_time_unix_nano,
                "{} in {}",
                span.name,
                parent.name
            );
        }
        for link in &span.links {
            assert_eq!(known[&(&*link.trace_id, &*link.span_id)].kind, SpanKind::Producer as i32);
        }
        for event in &span.events {
            assert!((span.start_time_unix_nano..=span.end_time_unix_nano).contains(&event.time_unix_nano), "{} of {}", event.name, span.name);
        }
    }
    assert!(all.iter().any(|span| !span.links.is_empty()), "some spans have links");
    assert!(all.iter().any(|span| span.events.iter().any(|event| event.name == "exception")), "some spans have exceptions");
    let written = records(&late);
    let in_traces: Vec<&LogRecord> = written.iter().filter(|record| !record.trace_id.is_empty() && settled(record.time_unix_nano)).collect();
    assert!(in_traces.len() > 1_000 && in_traces.len() < written.len());
    for record in in_traces {
        let span = known[&(&*record.trace_id, &*record.span_id)];
        assert!((span.start_time_unix_nano..=span.end_time_unix_nano).contains(&record.time_unix_nano), "{record:?} in {}", span.name);
    }
    let examples: Vec<Exemplar> = late
        .metrics
        .iter()
        .flat_map(|request| metrics(request).into_values().flat_map(|metric| exemplars(&metric).into_iter().cloned().collect::<Vec<_>>()))
        .collect();
    assert!(examples.len() > 1_000);
    for exemplar in examples.iter().filter(|exemplar| settled(exemplar.time_unix_nano)) {
        let span = known[&(&*exemplar.trace_id, &*exemplar.span_id)];
        assert!((span.start_time_unix_nano..=span.end_time_unix_nano).contains(&exemplar.time_unix_nano));
    }
}

#[test]
fn charges_fail_while_the_bank_is_away_and_hardly_otherwise() {
    let all = spans(&hour(SEED, 1_800));
    let charges: Vec<&Span> = all.iter().filter(|span| span.name == "POST /charges" && span.kind == SpanKind::Server as i32).collect();
    let failed = |during: bool| {
        let chosen: Vec<_> = charges.iter().filter(|span| (incident(span.start_time_unix_nano) == Some(Incident::PaymentOutage)) == during).collect();
        let failed = chosen.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == 2)).count();
        failed as f64 / chosen.len() as f64
    };
    assert!(failed(true) > 0.4, "{}", failed(true));
    assert!(failed(false) < 0.05, "{}", failed(false));
}

#[test]
fn metrics_agree_with_the_spans() {
    let export = hour(SEED, 600);
    let served = spans(&export).iter().filter(|span| span.kind == SpanKind::Server as i32).count() as u64;
    let last = metrics(export.metrics.last().unwrap());
    let counts = last.iter().filter(|((_, name), _)| name == "http.server.request.duration").map(|(_, metric)| {
        let Some(Data::Histogram(histogram)) = &metric.data else { panic!("a histogram") };
        for point in &histogram.data_points {
            assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
            assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        }
        histogram.data_points.iter().map(|point| point.count).sum::<u64>()
    });
    assert_eq!(counts.sum::<u64>(), served);
    let refused = records(&export).iter().filter(|record| matches!(&record.body.as_ref().unwrap().value, Some(Value::StringValue(text)) if text.starts_with("charge declined") || text.starts_with("charge failed"))).count();
    let deltas = export.metrics.iter().flat_map(|request| metrics(request).into_iter().filter(|((_, name), _)| name == "payment.failures").collect::<Vec<_>>());
    let summed: i64 = deltas
        .map(|(_, metric)| {
            let Some(Data::Sum(sum)) = &metric.data else { panic!("a sum") };
            sum.data_points
                .iter()
                .map(|point| if let Some(number_data_point::Value::AsInt(value)) = point.value { value } else { panic!("whole") })
                .sum::<i64>()
        })
        .sum();
    assert!(refused > 10);
    assert_eq!(summed as usize, refused);
}

#[test]
fn cumulative_counters_never_fall_and_exponential_buckets_add_up() {
    let mut before: BTreeMap<(String, String, Vec<u8>), f64> = BTreeMap::new();
    let mut exponential = 0;
    for request in &hour(SEED, 900).metrics {
        for ((instance, name), metric) in metrics(request) {
            match metric.data.unwrap() {
                Data::Sum(sum) if sum.is_monotonic && sum.aggregation_temporality == 2 => {
                    for point in sum.data_points {
                        let key: Vec<u8> = point.attributes.iter().flat_map(prost::Message::encode_to_vec).collect();
                        let now = match point.value.unwrap() {
                            number_data_point::Value::AsInt(value) => value as f64,
                            number_data_point::Value::AsDouble(value) => value,
                        };
                        let last = before.insert((instance.clone(), name.clone(), key), now).unwrap_or(0.0);
                        assert!(now >= last, "{name} fell from {last} to {now}");
                    }
                }
                Data::ExponentialHistogram(histogram) => {
                    for point in histogram.data_points {
                        exponential += 1;
                        let positive = point.positive.unwrap();
                        assert_eq!(positive.bucket_counts.iter().sum::<u64>() + point.zero_count, point.count);
                        let base = 2_f64.powf(2_f64.powi(-point.scale));
                        let upper = base.powi(positive.offset + positive.bucket_counts.len() as i32);
                        let lower = base.powi(positive.offset);
                        if histogram.aggregation_temporality == 1 {
                            assert!(point.min.unwrap() > lower * 0.999_999 && point.max.unwrap() < upper * 1.000_001, "{name}");
                        }
                    }
                }
                _ => {}
            }
        }
    }
    assert!(before.len() > 20 && exponential > 100);
}

/// An endpoint that keeps what it takes, after it has refused as told.
#[derive(Default)]
struct Endpoint {
    refusals: Mutex<Vec<(StatusCode, Option<&'static str>)>>,
    requests: Mutex<Vec<(String, Bytes)>>,
}

async fn take(State(endpoint): State<Arc<Endpoint>>, Path(signal): Path<String>, body: Bytes) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    if let Some((status, retry_after)) = endpoint.refusals.lock().pop() {
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.parse().unwrap());
        }
        return (status, headers, Vec::new());
    }
    endpoint.requests.lock().push((signal, body));
    (StatusCode::OK, headers, Vec::new())
}

async fn start(refusals: Vec<(StatusCode, Option<&'static str>)>) -> (Arc<Endpoint>, String) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let endpoint = Arc::new(Endpoint { refusals: Mutex::new(refusals), ..Endpoint::default() });
    let router = Router::new().route("/v1/{signal}", post(take)).with_state(Arc::clone(&endpoint)).layer(axum::extract::DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, address)
}

fn settings(endpoint: String) -> Settings {
    Settings { endpoint, requests_per_second: 1.0, backfill: Duration::from_secs(150), duration: Some(Duration::ZERO), seed: SEED }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at_ns(i64::try_from((OPENED + 150) * SECOND).unwrap()))
}

#[tokio::test]
async fn what_arrives_is_what_was_generated_although_the_server_refuses_at_first() {
    let refusals = vec![(StatusCode::SERVICE_UNAVAILABLE, Some("0")), (StatusCode::TOO_MANY_REQUESTS, Some("0")), (StatusCode::BAD_GATEWAY, None)];
    let (endpoint, address) = start(refusals).await;
    let sent = run(&settings(address), clock()).await.unwrap();
    let expected = hour(SEED, 150);
    let requests = endpoint.requests.lock();
    let of = |signal: &str| requests.iter().filter(|(name, _)| name == signal).map(|(_, body)| body.clone()).collect::<Vec<_>>();
    let mut arrived: Vec<Span> = Vec::new();
    for body in of("traces") {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        assert!(request.resource_spans.iter().all(|resource| resource.resource.is_some()));
        arrived.extend(request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans));
    }
    let order = |spans: &mut Vec<Span>| spans.sort_by(|left, right| left.span_id.cmp(&right.span_id));
    let mut generated = spans(&expected);
    order(&mut arrived);
    order(&mut generated);
    assert_eq!(arrived, generated);
    let mut lines = Vec::new();
    for body in of("logs") {
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        lines.extend(request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records));
    }
    let order = |records: &mut Vec<LogRecord>| records.sort_by_key(prost::Message::encode_to_vec);
    let mut generated = records(&expected);
    order(&mut lines);
    order(&mut generated);
    assert_eq!(lines, generated);
    let exports: Vec<_> = of("metrics").into_iter().map(|body| ExportMetricsServiceRequest::decode(body).unwrap()).collect();
    assert_eq!(exports, expected.metrics);
    assert_eq!(sent.rows, (arrived.len() + lines.len()) as u64);
    assert_eq!(sent.requests, requests.len() as u64);
}

#[tokio::test]
async fn a_refusal_for_good_ends_the_run() {
    let (endpoint, address) = start(vec![(StatusCode::BAD_REQUEST, None)]).await;
    let error = run(&settings(address), clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("400"), "{error}");
    assert!(endpoint.requests.lock().is_empty());
}
