//! The whole write road: request, decoder, admission, store.

use std::sync::Arc;

use axum::Router;
use prost::Message as _;
use signalbox_ingest::{Ingester, Sink as _};
use signalbox_model::{Batch, Matcher, SeriesEntry, Signal, Tenant, TimeRange};
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceResponse;
use signalbox_proto::otlp::metrics::v1::{HistogramDataPoint, NumberDataPoint};
use signalbox_proto::{remote_write_v1 as v1, remote_write_v2 as v2};
use signalbox_receive::influx;
use signalbox_receive::otlp::{self, Format, Translation};
use signalbox_receive::remote_write::{self, Version};
use signalbox_receive::transform::Transform;
use signalbox_receive::{Budget, Context, Entry};
use signalbox_store::Store;

use crate::messages::{CUMULATIVE, DELTA, TIME, gauge, histogram, histogram_point, metric, metrics, metrics_of, number, pairs, sum};
use crate::random::as_v2;
use crate::support::{NOW_MS, NOW_NS, StoppedClock, post};

struct House {
    store: Store,
    ingester: Ingester,
    router: Router,
    _dir: tempfile::TempDir,
}

async fn house(settings: signalbox_ingest::Settings) -> House {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, Arc::new(StoppedClock)).await.unwrap();
    let ingester = Ingester::new(store.clone(), settings, Arc::new(StoppedClock));
    let entry = Entry { sink: Arc::new(ingester.clone()), clock: Arc::new(StoppedClock), budget: Budget::new(64 << 20), transform: Transform::default() };
    let router = otlp::routes(entry.clone(), otlp::Settings::default())
        .unwrap()
        .merge(remote_write::routes(entry.clone(), remote_write::Settings::default()))
        .merge(influx::routes(entry, influx::Settings::default()));
    House { store, ingester, router, _dir: dir }
}

impl House {
    async fn send(&self, body: Vec<u8>) -> i64 {
        let answer = post(&self.router, "/v1/metrics", &[("content-type", "application/x-protobuf")], body).await;
        assert_eq!(answer.status, 200);
        ExportMetricsServiceResponse::decode(&*answer.body).unwrap().partial_success.map_or(0, |partial| partial.rejected_data_points)
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let snapshot = self.store.snapshot(Tenant::default());
        let series = snapshot.select(&[Matcher::equal("__name__", name)], TimeRange::ALL, 100).unwrap();
        let mut values = Vec::new();
        let mut visit = |_, samples: signalbox_store::SeriesSamples<'_>| {
            values.extend_from_slice(samples.values);
            Ok(())
        };
        snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
        values
    }

    /// How many series of a request are known, and how many are announced with their labels.
    fn known_and_new(&self, decode: impl FnOnce(&Context<'_>) -> Vec<Batch>) -> (usize, usize) {
        let known = self.ingester.known_series(&Tenant::default());
        let context = Context { now_ns: NOW_NS, known: &*known, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None };
        let batches = decode(&context);
        let Some(Batch::Metrics(batch)) = batches.first() else { panic!("a batch of metrics") };
        let known = batch.series.iter().filter(|entry| matches!(entry, SeriesEntry::Known(_))).count();
        (known, batch.series.len() - known)
    }
}

fn at(ts_ms: i64, point: NumberDataPoint) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: ts_ms as u64 * 1_000_000, ..point }
}

#[tokio::test]
async fn a_series_is_parsed_once_whatever_it_is_made_of() {
    let house = house(signalbox_ingest::Settings::default()).await;
    let metric_list = vec![
        metric("g", "s", gauge(vec![number(1.0, pairs(&[("a", "b")]))])),
        metric("c", "", sum(CUMULATIVE, true, vec![number(2.0, pairs(&[("a", "b")]))])),
        metric("h", "", histogram(CUMULATIVE, vec![histogram_point()])),
    ];
    let bytes = metrics_of(pairs(&[("service.name", "s"), ("host.name", "n")]), Default::default(), "", metric_list);
    let decode = |context: &Context<'_>| otlp::decode(Signal::Metrics, Format::Protobuf, &bytes, context, &Translation::default()).unwrap().batches;
    assert_eq!(house.known_and_new(decode), (0, 8));
    assert_eq!(house.send(bytes.clone()).await, 0);
    assert_eq!(house.known_and_new(decode), (8, 0));
    // Another translation makes other series.
    let other = Translation { scope_labels: false, ..Translation::default() };
    let decode = |context: &Context<'_>| otlp::decode(Signal::Metrics, Format::Protobuf, &bytes, context, &other).unwrap().batches;
    assert_eq!(house.known_and_new(decode), (0, 8));
    assert_eq!((house.values("g_seconds"), house.values("target_info")), (vec![1.0], vec![1.0]));
}

#[tokio::test]
async fn remote_write_recognises_its_series_too() {
    let house = house(signalbox_ingest::Settings::default()).await;
    let series = |value| v1::TimeSeries {
        labels: [("__name__", "up"), ("job", "x")].map(|(name, value)| v1::Label { name: name.into(), value: value.into() }).to_vec(),
        samples: vec![v1::Sample { value, timestamp: NOW_MS + value as i64 }],
        ..v1::TimeSeries::default()
    };
    let first = v1::WriteRequest { timeseries: vec![series(1.0)], metadata: vec![] };
    let second: v2::Request = as_v2(&v1::WriteRequest { timeseries: vec![series(2.0)], metadata: vec![] });
    for (version, bytes, content_type) in
        [(Version::V1, first.encode_to_vec(), crate::remote_write::V1), (Version::V2, second.encode_to_vec(), crate::remote_write::V2)]
    {
        let decode = |context: &Context<'_>| remote_write::decode(version, &bytes, context).unwrap().batches;
        assert_eq!(house.known_and_new(decode), (0, 1));
        let body = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        assert_eq!(post(&house.router, "/api/v1/write", &[("content-type", content_type)], body).await.status, 204);
        assert_eq!(house.known_and_new(decode), (1, 0));
    }
    assert_eq!((house.values("up"), house.store.active_series(&Tenant::default())), (vec![1.0, 2.0], 1));
}

#[tokio::test]
async fn points_of_influx_are_recognised_too_and_the_good_ones_are_durable() {
    let house = house(signalbox_ingest::Settings::default()).await;
    let body = format!("cpu,host=a,cpu=0 idle=1.5,user=2i {NOW_NS}\nbad line\ncpu,host=a,cpu=1 idle=2.5,user=3i {NOW_NS}\ncpu,host=a old=1 1\n");
    let target = influx::Target { database: "telegraf".into(), ..influx::Target::default() };
    let decode = |context: &Context<'_>| influx::decode(body.as_bytes(), context, &target, &influx::Translation::default()).0.batches;
    // One more than will be written: the oldest line is refused by admission.
    assert_eq!(house.known_and_new(decode), (0, 5));
    let answer = post(&house.router, "/write?db=telegraf", &[], body.clone()).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 400, "{text}");
    assert!(
        text.contains("at line 2:9: missing '=' after field key")
            && text.contains("points beyond retention policy: older than the server accepts (line 4) dropped=1"),
        "{text}"
    );
    assert_eq!(house.known_and_new(decode), (4, 1));
    assert_eq!((house.values("cpu_idle"), house.values("cpu_user"), house.values("cpu_old")), (vec![1.5, 2.5], vec![2.0, 3.0], vec![]));
}

#[tokio::test]
async fn deltas_are_read_as_sums() {
    let house = house(signalbox_ingest::Settings::default()).await;
    for (step, value) in [(1, 3.0), (2, 4.0), (3, 5.0)] {
        let point = at(NOW_MS - 100 + step, number(value, vec![]));
        assert_eq!(house.send(metrics(vec![metric("d", "", sum(DELTA, true, vec![point]))])).await, 0);
        let point = HistogramDataPoint { time_unix_nano: TIME - 100_000_000 + step as u64 * 1_000_000, ..histogram_point() };
        assert_eq!(house.send(metrics(vec![metric("h", "", histogram(DELTA, vec![point]))])).await, 0);
    }
    assert_eq!((house.values("d_total"), house.values("h_count"), house.values("h_sum")), (vec![3.0, 7.0, 12.0], vec![6.0, 12.0, 18.0], vec![7.5, 15.0, 22.5]));
}

// OTLP-090: data points are counted, not the rows that one of them becomes.
#[tokio::test]
async fn a_rejected_histogram_is_one_data_point() {
    let house = house(signalbox_ingest::Settings { series_max: 3, ..signalbox_ingest::Settings::default() }).await;
    let old = HistogramDataPoint { time_unix_nano: 1, ..histogram_point() };
    let ahead = at(NOW_MS + 3_600_000, number(1.0, vec![]));
    let bytes = metrics(vec![metric("h", "", histogram(CUMULATIVE, vec![old.clone(), old])), metric("g", "", gauge(vec![ahead, number(1.0, vec![])]))]);
    assert_eq!(house.send(bytes).await, 3);
    assert_eq!(house.values("g"), [1.0]);
    // Five series where two still fit: no more points are rejected than were sent.
    assert_eq!(house.send(metrics(vec![metric("h", "", histogram(CUMULATIVE, vec![histogram_point()]))])).await, 1);
}
