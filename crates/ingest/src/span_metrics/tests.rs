#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::Value;
use signalbox_model::builder::{SpanBuilder, SpanRow};
use signalbox_model::{Batch, Clock, ErrorKind, Matcher, MetricBatch, SeriesEntry, SpanBatch, SpanId, Tenant, TimeRange, TraceId};
use signalbox_store::{SeriesSamples, Store};
use signalbox_testkit::ManualClock;

use super::*;
use crate::{Ingester, Settings, Sink as _};

const NOW_MS: i64 = 1_700_000_000_000;

/// A span of a test.
#[derive(Debug, Clone)]
struct Made {
    service: &'static str,
    name: &'static str,
    kind: i32,
    status: i32,
    ids: (u64, u64, u64),
    ms: u64,
    attributes: Vec<(&'static str, &'static str)>,
}

fn made(service: &'static str, name: &'static str, kind: i32, ids: (u64, u64, u64), ms: u64) -> Made {
    Made { service, name, kind, status: 0, ids, ms, attributes: Vec::new() }
}

impl Made {
    fn failed(self) -> Self {
        Self { status: 2, ..self }
    }

    fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.attributes.push((key, value));
        self
    }
}

fn trace(number: u64) -> TraceId {
    TraceId::from_slice(&u128::from(number).to_be_bytes()).unwrap()
}

fn span(number: u64) -> Option<SpanId> {
    SpanId::from_slice(&number.to_be_bytes())
}

fn batch(spans: &[Made]) -> SpanBatch {
    let mut builder = SpanBuilder::default();
    for made in spans {
        builder.set_resource(&format!("{{\"service.name\":{:?},\"zone\":\"eu\"}}", made.service), made.service);
        for (key, value) in &made.attributes {
            builder.attributes().append_string(key, value);
        }
        let (trace_id, span_id, parent) = made.ids;
        let start_ns = NOW_MS * 1_000_000;
        builder
            .close_row(&SpanRow { end_ns: start_ns + made.ms.cast_signed() * 1_000_000, ..row(trace(trace_id), span(span_id).unwrap(), span(parent), made) });
    }
    builder.finish()
}

fn row(trace_id: TraceId, span_id: SpanId, parent_span_id: Option<SpanId>, made: &Made) -> SpanRow<'static> {
    SpanRow {
        trace_id,
        span_id,
        parent_span_id,
        start_ns: NOW_MS * 1_000_000,
        end_ns: NOW_MS * 1_000_000,
        name: made.name,
        kind: made.kind,
        status_code: made.status,
        status_message: "",
        trace_state: "",
        flags: 0,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    }
}

/// As the store numbers rows.
fn numbered(batch: &SpanBatch, first: u64) -> RecordBatch {
    let mut columns = batch.rows().columns().to_vec();
    let numbers = arrow_array::UInt64Array::from_iter_values(first..first + batch.rows().num_rows() as u64);
    columns[schema::index(&schema::spans(), schema::SEQUENCE)] = Arc::new(numbers);
    RecordBatch::try_new(schema::spans(), columns).unwrap()
}

fn state(settings: &SpanMetricsSettings) -> State {
    State::new(settings, Position { counted: 0, paired: 0 }, NOW_MS)
}

/// Last value of each float series, as in the text of a metrics page, without those of the position.
fn values(batch: &MetricBatch) -> BTreeMap<String, f64> {
    let labels: Vec<Labels> =
        batch.series.iter().map(|entry| if let SeriesEntry::New { labels, .. } = entry { labels.clone() } else { panic!("{entry:?}") }).collect();
    let columns = &batch.samples;
    let values = columns.series.iter().zip(&columns.value).map(|(series, value)| (labels[*series as usize].to_string(), *value));
    values.filter(|(series, _)| !series.starts_with(POSITION)).collect()
}

fn written(state: &mut State) -> BTreeMap<String, f64> {
    values(&state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 15_000, Duration::from_secs(60)))
}

fn counts(values: &BTreeMap<String, f64>, start: &str) -> BTreeMap<String, f64> {
    let of = |(series, value): (&String, &f64)| Some((series.strip_prefix(start)?.to_owned(), *value));
    values.iter().filter_map(of).collect()
}

#[test]
fn spans_are_counted_by_operation() {
    let settings = SpanMetricsSettings { dimensions: vec!["http.method".into(), "zone".into(), "service".into()], ..SpanMetricsSettings::default() };
    let mut state = state(&settings);
    let spans = [
        made("shop", "GET /", 2, (1, 1, 0), 3).with("http.method", "GET"),
        made("shop", "GET /", 2, (2, 1, 0), 5).with("http.method", "GET"),
        made("shop", "GET /", 2, (3, 1, 0), 70).with("http.method", "GET").failed(),
        made("shop", "work", 99, (4, 1, 0), 0),
        made("shop", "work", 0, (4, 2, 0), 1),
    ];
    state.add(&numbered(&batch(&spans), 10), Duration::ZERO).unwrap();
    let values = written(&mut state);
    let calls = counts(&values, "traces_spanmetrics_calls_total");
    let get = |status: &str| {
        format!(
            "{{http_method=\"GET\", service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"GET /\", status_code=\"STATUS_CODE_{status}\", zone=\"eu\"}}"
        )
    };
    let work = "{service=\"shop\", span_kind=\"SPAN_KIND_UNSPECIFIED\", span_name=\"work\", status_code=\"STATUS_CODE_UNSET\", zone=\"eu\"}".to_owned();
    assert_eq!(calls, BTreeMap::from([(get("UNSET"), 2.0), (get("ERROR"), 1.0), (work, 2.0)]));
    let buckets = counts(&values, "traces_spanmetrics_latency_bucket{http_method=\"GET\", le=");
    let of_unset: Vec<(&str, f64)> =
        buckets.iter().filter(|(rest, _)| rest.contains("UNSET")).map(|(rest, count)| (rest.split('"').nth(1).unwrap(), *count)).collect();
    assert_eq!(of_unset.len(), 15);
    for (le, count) in of_unset {
        let le: f64 = le.parse().unwrap();
        assert_eq!(count, [0.003, 0.005].iter().filter(|seconds| **seconds <= le).count() as f64, "{le}");
    }
    assert_eq!(values[&format!("traces_spanmetrics_latency_sum{}", get("ERROR"))], 0.07);
    assert_eq!(values[&format!("traces_spanmetrics_latency_count{}", get("ERROR"))], 1.0);
}

#[test]
fn what_is_counted_is_not_counted_again_and_numbers_go_on() {
    let mut state = state(&SpanMetricsSettings::default());
    let spans = batch(&[made("a", "x", 1, (1, 1, 0), 1), made("a", "x", 1, (1, 2, 0), 1)]);
    state.add(&numbered(&spans, 5), Duration::ZERO).unwrap();
    state.add(&numbered(&spans, 5), Duration::ZERO).unwrap();
    state.add(&numbered(&spans, 6), Duration::ZERO).unwrap();
    assert_eq!(state.position.counted, 8);
    assert_eq!(counts(&written(&mut state), "traces_spanmetrics_calls_total").into_values().collect::<Vec<_>>(), [3.0]);
}

#[test]
fn too_many_operations_and_edges_are_counted_together() {
    let mut state = state(&SpanMetricsSettings { groups_max: 2, ..SpanMetricsSettings::default() });
    let names = ["a", "b", "c", "d", "c", "a"];
    let spans: Vec<Made> = names.iter().zip(1..).map(|(name, number)| made(name, name, 2, (number, 1, 0), 1)).collect();
    state.add(&numbered(&batch(&spans), 0), Duration::ZERO).unwrap();
    let values = written(&mut state);
    let calls = counts(&values, "traces_spanmetrics_calls_total");
    assert_eq!(calls.len(), 3);
    assert_eq!(calls["{metric_overflow=\"true\"}"], 3.0);
    assert_eq!(values["traces_service_graph_request_total{metric_overflow=\"true\"}"], 3.0);
    assert_eq!(calls.values().sum::<f64>(), 6.0);
}

#[test]
fn a_series_begins_with_0_and_ends_when_it_is_idle() {
    let settings = SpanMetricsSettings { idle_seconds: 100, histograms: Histograms::Both, ..SpanMetricsSettings::default() };
    let mut state = state(&settings);
    state.add(&numbered(&batch(&[made("a", "x", 1, (1, 7, 0), 3)]), 0), Duration::ZERO).unwrap();
    let first = state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 15_000, Duration::from_secs(15));
    let calls = |batch: &MetricBatch| -> Vec<(i64, f64)> {
        let columns = &batch.samples;
        let at = (0..columns.len()).filter(|at| columns.series[*at] == 0);
        at.map(|at| (columns.ts_ms[at], columns.value[at])).collect()
    };
    assert_eq!(calls(&first), [(NOW_MS, 0.0), (NOW_MS + 15_000, 1.0)]);
    let histograms: Vec<(i64, f64)> = first.histograms.iter().map(|sample| (sample.ts_ms, sample.histogram.count)).collect();
    assert_eq!(histograms, [(NOW_MS, 0.0), (NOW_MS + 15_000, 1.0)]);
    assert_eq!(first.exemplars.len(), 2, "of the native histogram and of a bucket");
    assert!(first.exemplars.iter().all(|exemplar| exemplar.trace_id == Some(trace(1)) && exemplar.span_id == span(7) && exemplar.value == 0.003));
    assert!(first.metadata.iter().any(|family| family.name == "traces_spanmetrics_latency" && family.kind == MetricKind::Histogram));
    // What failed to be written is written again as it was.
    assert_eq!(calls(&state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 15_000, Duration::from_secs(15))), calls(&first));
    state.written(NOW_MS + 15_000, Duration::from_secs(15));
    let second = state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 30_000, Duration::from_secs(30));
    assert_eq!((calls(&second), second.exemplars.len(), second.metadata.len()), (vec![(NOW_MS + 30_000, 1.0)], 0, 0));
    state.written(NOW_MS + 30_000, Duration::from_secs(30));
    let last = state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 45_000, Duration::from_secs(101));
    assert!(signalbox_model::batch::is_stale_nan(calls(&last)[0].1));
    assert!(last.histograms.iter().all(|sample| signalbox_model::batch::is_stale_nan(sample.histogram.sum)));
    state.written(NOW_MS + 45_000, Duration::from_secs(101));
    assert_eq!(values(&state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 60_000, Duration::from_secs(116))).len(), 0);
    state.add(&numbered(&batch(&[made("a", "x", 1, (1, 8, 0), 3)]), 1), Duration::from_secs(120)).unwrap();
    let again = state.batch(&signalbox_model::series::NoKnownSeries, NOW_MS + 75_000, Duration::from_secs(130));
    assert_eq!(calls(&again), [(NOW_MS + 45_000, 0.0), (NOW_MS + 75_000, 1.0)]);
}

/// Edges as `client>server type: requests failed`.
fn edges(values: &BTreeMap<String, f64>) -> Vec<String> {
    let part = |series: &str, name: &str| {
        let rest = series.split(&format!("{name}=\"")).nth(1).unwrap_or("");
        rest.split('"').next().unwrap_or("").to_owned()
    };
    let edge = |(series, requests): (&String, &f64)| {
        let failed = values[&format!("traces_service_graph_request_failed_total{series}")];
        format!("{}>{} {}: {requests} {failed}", part(series, "client"), part(series, "server"), part(series, "connection_type"))
    };
    let mut edges: Vec<String> = counts(values, "traces_service_graph_request_total").iter().map(edge).collect();
    edges.sort();
    edges
}

#[test]
fn both_sides_make_an_edge_in_any_order() {
    let mut state = state(&SpanMetricsSettings::default());
    let early = [made("back", "in", 2, (1, 2, 1), 4), made("front", "out", 3, (2, 1, 0), 9)];
    let late = [made("front", "out", 3, (1, 1, 0), 10), made("back", "in", 2, (2, 2, 1), 5).failed(), made("back", "in", 2, (3, 2, 1), 5)];
    state.add(&numbered(&batch(&early), 0), Duration::ZERO).unwrap();
    state.add(&numbered(&batch(&late), 2), Duration::ZERO).unwrap();
    assert_eq!(state.pairs.oldest(), Some(4), "a server without its client waits");
    let values = written(&mut state);
    assert_eq!(edges(&values), ["front>back : 2 1"]);
    let labels = "{client=\"front\", server=\"back\"}";
    assert_eq!(values[&format!("traces_service_graph_request_client_seconds_sum{labels}")], 0.019);
    assert_eq!(values[&format!("traces_service_graph_request_server_seconds_sum{labels}")], 0.009);
    assert_eq!(state.pairs.unpaired, Unpaired { expired: 1, dropped: 0 });
}

#[test]
fn edges_have_dimensions_of_both_sides() {
    let spans = [
        made("front", "out", 3, (1, 1, 0), 10).with("http.route", "/a").with("tier", "web"),
        made("back", "in", 2, (1, 2, 1), 4).with("http.route", "/b"),
        made("front", "out", 3, (2, 1, 0), 10).with("http.route", "/a"),
        made("back", "in", 2, (2, 2, 1), 4),
        made("front", "db", 3, (3, 1, 0), 1).with("db.system", "redis").with("http.route", "/a"),
        made("back", "in", 2, (4, 1, 0), 4).with("http.route", "/c"),
    ];
    let requests = |settings: SpanMetricsSettings| {
        let mut state = state(&settings);
        state.add(&numbered(&batch(&spans), 0), Duration::ZERO).unwrap();
        counts(&written(&mut state), "traces_service_graph_request_total").into_iter().collect::<Vec<_>>()
    };
    let edge_dimensions = ["http.route", "zone", "tier", "client"].map(str::to_owned).to_vec();
    let settings = SpanMetricsSettings { edge_dimensions, ..SpanMetricsSettings::default() };
    let mut found = requests(settings.clone());
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let want = [
        (r#"{client="front", connection_type="database", http_route="/a", server="redis", zone="eu"}"#, 1.0),
        (r#"{client="front", http_route="/a", server="back", zone="eu"}"#, 1.0),
        (r#"{client="front", http_route="/b", server="back", tier="web", zone="eu"}"#, 1.0),
        (r#"{client="user", connection_type="virtual_node", http_route="/c", server="back", zone="eu"}"#, 1.0),
    ];
    assert_eq!(found, want.map(|(labels, calls)| (labels.to_owned(), calls)));
    let by_side = SpanMetricsSettings { edge_dimensions: vec!["http.route".to_owned()], edge_dimensions_by_side: true, ..settings.clone() };
    let mut found = requests(by_side);
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let want = [
        (r#"{client="front", client_http_route="/a", connection_type="database", server="redis"}"#, 1.0),
        (r#"{client="front", client_http_route="/a", server="back", server_http_route="/b"}"#, 1.0),
        (r#"{client="front", client_http_route="/a", server="back"}"#, 1.0),
        (r#"{client="user", connection_type="virtual_node", server="back", server_http_route="/c"}"#, 1.0),
    ];
    assert_eq!(found, want.map(|(labels, calls)| (labels.to_owned(), calls)));
    // What is too many is counted together.
    let found = requests(SpanMetricsSettings { groups_max: 2, ..settings });
    assert_eq!((found.len(), found.iter().map(|(_, calls)| calls).sum::<f64>()), (3, 4.0), "{found:?}");
    assert!(found.iter().any(|(labels, calls)| labels.contains("metric_overflow") && *calls == 2.0), "{found:?}");
}

#[test]
fn others_are_named_by_attributes_or_not_at_all() {
    let mut state = state(&SpanMetricsSettings { waiting_max: 4, ..SpanMetricsSettings::default() });
    let spans = [
        made("a", "root", 2, (1, 1, 0), 1),
        made("a", "root", 2, (2, 1, 0), 1).with("peer.service", "browser"),
        made("a", "call", 3, (1, 2, 1), 1).with("peer.service", "bank").failed(),
        made("a", "call", 3, (1, 3, 1), 1),
        made("a", "db", 3, (1, 4, 1), 1).with("db.system", "mysql").with("network.peer.address", "10.0.0.1").with("network.peer.port", "3306"),
        made("a", "db", 3, (1, 5, 1), 1).with("db.system", "mysql").with("db.name", "orders"),
        made("a", "send", 4, (1, 6, 1), 1),
        made("b", "receive", 5, (1, 7, 6), 1),
        made("", "nobody", 3, (1, 8, 1), 1).with("peer.service", "bank"),
    ];
    state.add(&numbered(&batch(&spans), 0), Duration::ZERO).unwrap();
    let want = [
        "a>10.0.0.1:3306 database: 1 0",
        "a>b messaging_system: 1 0",
        "a>bank virtual_node: 1 1",
        "a>orders database: 1 0",
        "browser>a virtual_node: 1 0",
        "user>a virtual_node: 1 0",
    ];
    assert_eq!(edges(&written(&mut state)), want);
    assert_eq!(state.pairs.unpaired, Unpaired { expired: 1, dropped: 0 });
    let spans: Vec<Made> = (1..=6).map(|number| made("a", "call", 3, (9, number, 0), 1)).collect();
    state.add(&numbered(&batch(&spans), 100), Duration::from_secs(61)).unwrap();
    assert_eq!(state.pairs.unpaired, Unpaired { expired: 1, dropped: 2 });
}

#[test]
fn calls_that_were_found_before_are_not_found_again() {
    let mut state = State::new(&SpanMetricsSettings::default(), Position { counted: 3, paired: 0 }, NOW_MS);
    let spans = [
        made("a", "call", 3, (1, 1, 0), 1), // 0: its server is 1, counted
        made("b", "serve", 2, (1, 2, 1), 1),
        made("a", "call", 3, (2, 1, 0), 1), // 2: its server is 3, new
        made("b", "serve", 2, (2, 2, 1), 1),
    ];
    let next = state.add_from(&numbered(&batch(&spans), 0), 0, Duration::ZERO).unwrap();
    assert_eq!(next, 4);
    let values = written(&mut state);
    assert_eq!(edges(&values), ["a>b : 1 0"]);
    assert_eq!(counts(&values, "traces_spanmetrics_calls_total").values().sum::<f64>(), 1.0);
}

/// OTLP's JSON as spans.
fn of_json(text: &str) -> SpanBatch {
    let document: Value = serde_json::from_str(text).unwrap();
    let items = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let id = |value: &Value| base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
    let attributes = |value: &Value| -> Vec<(String, String)> {
        let text =
            |value: &Value| value.as_object().and_then(|value| value.values().next()).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        items(value, "attributes").iter().map(|pair| (pair["key"].as_str().unwrap().to_owned(), text(&pair["value"]).unwrap_or_default())).collect()
    };
    let word =
        |value: &Value, words: &[&str]| words.iter().position(|word| value.as_str().is_some_and(|text| text.ends_with(word))).map_or(0, |at| at as i32 + 1);
    let mut builder = SpanBuilder::default();
    for resource in items(&document, "resourceSpans").iter().chain(&items(&document, "batches")) {
        let service = attributes(&resource["resource"]).into_iter().find(|(key, _)| key == "service.name").map(|(_, value)| value).unwrap_or_default();
        builder.set_resource("{}", &service);
        for one in items(resource, "scopeSpans").iter().flat_map(|scope| items(scope, "spans")) {
            for (key, value) in attributes(&one) {
                builder.attributes().append_string(&key, &value);
            }
            let time = |key: &str| one[key].as_str().unwrap().parse().unwrap();
            let made = Made {
                status: word(&one["status"]["code"], &["_OK", "_ERROR"]),
                ..made("", "", word(&one["kind"], &["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]), (0, 0, 0), 0)
            };
            let (trace_id, span_id) = (TraceId::from_slice(&id(&one["traceId"])).unwrap(), SpanId::from_slice(&id(&one["spanId"])).unwrap());
            let row = row(trace_id, span_id, SpanId::from_slice(&id(&one["parentSpanId"])), &made);
            builder.close_row(&SpanRow { start_ns: time("startTimeUnixNano"), end_ns: time("endTimeUnixNano"), name: one["name"].as_str().unwrap(), ..row });
        }
    }
    builder.finish()
}

#[test]
fn edges_of_tempos_cases() {
    let (requests, queue) = ("mythical-requester>mythical-server : 1 0", "mythical-requester>mythical-recorder messaging_system: 1 0");
    let database = |name: &str| vec![queue.to_owned(), requests.to_owned(), format!("mythical-server>{name} database: 1 0")];
    let cases = [
        ("trace-with-queue-database.json", database("postgres")),
        ("trace-with-queue-database2.json", database("mythical-database")),
        ("trace-with-queue-database5.json", database("mythical-database")),
        ("trace-without-database-name.json", database("mythical-database")),
        ("trace-with-db-namespace.json", database("mydb")),
        ("trace-with-both-db-attributes.json", database("priority-db")),
        ("trace-with-db-system-name.json", database("postgresql")),
        ("trace-with-failed-requests.json", vec!["mythical-requester>mythical-server : 1 1".to_owned(), "mythical-server>postgres database: 1 1".to_owned()]),
        (
            "trace-with-expired-edges.json",
            vec![
                "mythical-requester>mysql database: 1 0".to_owned(),
                "mythical-server>mythical-requester : 1 0".to_owned(),
                "user>mythical-server virtual_node: 1 0".to_owned(),
            ],
        ),
    ];
    for (file, want) in cases {
        let Some(text) = signalbox_testkit::conformance::read(&format!("_agpl/traces/tempo-servicegraphs/{file}")) else { return };
        let mut state = state(&SpanMetricsSettings::default());
        state.add(&numbered(&of_json(&text), 0), Duration::ZERO).unwrap();
        let values = written(&mut state);
        let mut want = want;
        want.sort();
        assert_eq!(edges(&values), want, "{file}");
        if file == "trace-with-queue-database.json" {
            let seconds = |metric: &str, labels: &str| values[&format!("traces_service_graph_request_{metric}_seconds_sum{{{labels}}}")];
            let to_server = "client=\"mythical-requester\", server=\"mythical-server\"";
            assert!((seconds("client", to_server) - 0.045).abs() < 0.001 && (seconds("server", to_server) - 0.029).abs() < 0.001);
            let queue = "client=\"mythical-requester\", connection_type=\"messaging_system\", server=\"mythical-recorder\"";
            assert!((seconds("messaging_system", queue) - 0.009_881_6).abs() < 1e-6);
        }
        if file == "trace-with-expired-edges.json" {
            assert_eq!(state.pairs.unpaired.expired, 1);
        }
    }
}

/// A server's store and sink, which may be killed.
struct House {
    dir: tempfile::TempDir,
    clock: ManualClock,
    settings: Settings,
}

impl House {
    fn new() -> Self {
        let span_metrics = SpanMetricsSettings { interval_seconds: 3600, idle_seconds: 7200, ..SpanMetricsSettings::default() };
        Self { dir: tempfile::tempdir().unwrap(), clock: ManualClock::at_ms(NOW_MS), settings: Settings { span_metrics, ..Settings::default() } }
    }

    async fn open(&self) -> (Store, Ingester) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        // The directory is let go when the last task of the one before has ended.
        let store = loop {
            let disk = Arc::new(signalbox_store::disk::RealDisk::new(self.dir.path()));
            match Store::open(signalbox_store::Settings::small(), Path::new(self.dir.path()), disk, Arc::clone(&clock)).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        let ingester = Ingester::new(store.clone(), self.settings.clone(), clock);
        ingester.start().await.unwrap();
        self.clock.advance(Duration::from_secs(1));
        (store, ingester)
    }
}

async fn send(ingester: &Ingester, spans: &[Made]) {
    ingester.write(&Tenant::default(), vec![Batch::Traces(batch(spans))]).await.unwrap();
}

/// The increase of a series over everything that is stored, as PromQL counts it: what falls begins anew.
fn increase(store: &Store, name: &str) -> f64 {
    let snapshot = store.snapshot(Tenant::default());
    let series = snapshot.select(&[Matcher::equal("__name__", name)], TimeRange::ALL, 1000).unwrap();
    let mut sum = 0.0;
    let mut visit = |_: usize, samples: SeriesSamples<'_>| {
        let mut last = 0.0;
        for value in samples.values {
            sum += if *value < last { *value } else { value - last };
            last = *value;
        }
        Ok(())
    };
    snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_neither_loses_nor_doubles_spans() {
    let house = House::new();
    let (mut sent, mut number) = (0u64, 0);
    // Whether the metrics were written, and the heads flushed, before the kill.
    for (round, (writes, flushes)) in [(false, false), (true, false), (true, true), (false, true), (true, false), (false, false)].into_iter().enumerate() {
        let (store, ingester) = house.open().await;
        for _ in 0..=round {
            number += 1;
            send(&ingester, &[made("front", "out", 3, (number, 1, 0), 2), made("back", "in", 2, (number, 2, 1), 1)]).await;
            sent += 2;
        }
        // A client whose server comes after the kill, and a server whose client came before it.
        send(&ingester, &[made("back", "in", 2, (1000 + round as u64, 2, 1), 1), made("front", "out", 3, (1001 + round as u64, 1, 0), 2)]).await;
        sent += 2;
        house.clock.advance(Duration::from_secs(2));
        if writes {
            ingester.write_span_metrics().await.unwrap();
        }
        if flushes {
            store.flush().await.unwrap();
        }
        // Acknowledged, and in no metric yet.
        send(&ingester, &[made("front", "more", 1, (number, 9, 0), 2)]).await;
        sent += 1;
    }
    let (store, ingester) = house.open().await;
    house.clock.advance(Duration::from_secs(1));
    ingester.write_span_metrics().await.unwrap();
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), sent as f64);
    assert_eq!(increase(&store, "traces_spanmetrics_latency_count"), sent as f64);
    // 1 + 2 + … + 6 whole ones, and five that were torn apart by a kill.
    assert_eq!(increase(&store, "traces_service_graph_request_total"), 26.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_writes_everything_and_the_next_start_begins_anew() {
    let house = House::new();
    let (store, ingester) = house.open().await;
    send(&ingester, &[made("a", "x", 1, (1, 1, 0), 2)]).await;
    house.clock.advance(Duration::from_secs(2));
    ingester.stop().await.unwrap();
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), 1.0);
    store.close().await.unwrap();
    drop((store, ingester));
    let (store, ingester) = house.open().await;
    ingester.write_span_metrics().await.unwrap();
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), 1.0);
    send(&ingester, &[made("a", "x", 1, (1, 1, 0), 2)]).await;
    house.clock.advance(Duration::from_secs(2));
    ingester.write_span_metrics().await.unwrap();
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), 2.0);
    let exemplars = store.snapshot(Tenant::default()).exemplars(&[Matcher::equal("__name__", "traces_spanmetrics_latency")], TimeRange::ALL).unwrap();
    assert!(exemplars.iter().flat_map(|(_, exemplars)| exemplars).all(|exemplar| exemplar.trace_id == Some(trace(1))) && !exemplars.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_makes_no_counter_fall() {
    let house = House::new();
    let (store, ingester) = house.open().await;
    for round in 0..3i64 {
        send(&ingester, &[made("a", "x", 1, (1, 1, 0), 2)]).await;
        house.clock.step_to_ns((NOW_MS + 60_000 - round * 10_000) * 1_000_000);
        ingester.write_span_metrics().await.unwrap();
    }
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_come_while_it_is_off_are_never_counted() {
    let mut house = House::new();
    for (enabled, want) in [(true, 1.0), (false, 1.0), (true, 2.0)] {
        house.settings.span_metrics.enabled = enabled;
        let (store, ingester) = house.open().await;
        send(&ingester, &[made("a", "x", 1, (1, 1, 0), 2)]).await;
        house.clock.advance(Duration::from_secs(2));
        ingester.stop().await.unwrap();
        assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), want, "{enabled}");
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_follower_can_wait_for_is_counted_all_the_same() {
    let house = House::new();
    let (store, ingester) = house.open().await;
    // More batches than wait for a follower, appended while it has no turn.
    send(&ingester, &[made("a", "x", 1, (1, 1, 0), 2)]).await;
    let many: Vec<_> = (0..600).map(|number| Batch::Traces(batch(&[made("a", "x", 1, (number + 2, 1, 0), 2)]))).collect();
    for some in many.chunks(300) {
        store.append(&Tenant::default(), some.to_vec()).await.unwrap();
    }
    house.clock.advance(Duration::from_secs(2));
    ingester.write_span_metrics().await.unwrap();
    assert_eq!(increase(&store, "traces_spanmetrics_calls_total"), 601.0);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let default = SpanMetricsSettings::default;
    assert!(default().check().is_ok());
    for bad in [
        SpanMetricsSettings { interval_seconds: 0, ..default() },
        SpanMetricsSettings { idle_seconds: 1, ..default() },
        SpanMetricsSettings { operation_buckets_seconds: vec![2.0, 1.0], ..default() },
        SpanMetricsSettings { edge_buckets_seconds: vec![f64::NAN], ..default() },
        SpanMetricsSettings { dimensions: vec![String::new(); 17], ..default() },
        SpanMetricsSettings { edge_dimensions: vec![String::new(); 17], ..default() },
    ] {
        assert_eq!(bad.check().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
