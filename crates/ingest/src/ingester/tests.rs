#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{ErrorKind, Exemplar, MetricKind, MetricMetadata, SeriesKey, SpanId, Table, TraceId};

use super::*;

const NOW_NS: i64 = 1_700_000_000_000_000_000;
const NOW_MS: i64 = NOW_NS / 1_000_000;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ns(&self) -> i64 {
        NOW_NS
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct House {
    ingester: Ingester,
    store: Store,
    tenant: Tenant,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
        let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, Arc::new(StoppedClock)).await.unwrap();
        Self { ingester: Ingester::new(store.clone(), settings, Arc::new(StoppedClock)), store, tenant: Tenant::default(), _dir: dir }
    }

    async fn write(&self, batch: Batch) -> (BTreeMap<&'static str, u64>, Written) {
        let accepted = self.ingester.write(&self.tenant, vec![batch]).await.unwrap();
        (accepted.rejected.iter().map(|rejected| (rejected.reason, rejected.rows)).collect(), accepted.written)
    }

    /// Values of a series by its name, in order of time.
    fn values(&self, name: &str) -> Vec<f64> {
        let snapshot = self.store.snapshot(&self.tenant);
        let series = snapshot.select(&[Matcher::equal("__name__", name)], TimeRange::ALL, 100).unwrap();
        let mut values = Vec::new();
        let mut visit = |_, samples: signalbox_store::SeriesSamples<'_>| {
            values.extend_from_slice(samples.values);
            Ok(())
        };
        snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
        values
    }

    fn rows(&self, table: Table) -> usize {
        let request = signalbox_store::ScanRequest::all(TimeRange::ALL);
        let parts = self.store.snapshot(&self.tenant).scan(table, &request).unwrap();
        parts.into_iter().map(|part| part.read().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>()).sum()
    }
}

fn key(name: &str) -> SeriesKey {
    SeriesKey(name.bytes().fold(1, |key, byte| key * 256 + u128::from(byte)))
}

/// One sample each of new series.
fn metrics(samples: &[(&str, i64, f64)]) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for (name, ts_ms, value) in samples {
        let labels = Labels::from_pairs([("__name__", *name)]);
        batch.series.push(SeriesEntry::New { key: key(name), labels });
        batch.samples.push(batch.series.len() as u32 - 1, *ts_ms, *value);
    }
    batch
}

#[tokio::test]
async fn admitted_samples_are_readable_when_the_write_returns() {
    let house = House::new(Settings::default()).await;
    let (rejected, written) = house.write(Batch::Metrics(metrics(&[("a", NOW_MS, 1.0), ("b", NOW_MS, 2.0)]))).await;
    assert_eq!((rejected.len(), written.samples), (0, 2));
    assert_eq!((house.values("a"), house.values("b")), (vec![1.0], vec![2.0]));
}

#[tokio::test]
async fn time_outside_the_window_is_refused_and_late_is_not() {
    let house = House::new(Settings::default()).await;
    let day = 24 * 3600 * 1000;
    let batch =
        metrics(&[("late", NOW_MS - 29 * day, 1.0), ("old", NOW_MS - 31 * day, 1.0), ("ahead", NOW_MS + 11 * 60_000, 1.0), ("soon", NOW_MS + 9 * 60_000, 1.0)]);
    let (rejected, written) = house.write(Batch::Metrics(batch)).await;
    assert_eq!((rejected, written.samples), (BTreeMap::from([("too_old", 1), ("too_far_in_future", 1)]), 2));
    assert_eq!((house.values("late"), house.values("old")), (vec![1.0], vec![]));
    // A series of which every sample was refused does not exist.
    assert_eq!(house.store.active_series(&house.tenant), 2);
}

#[tokio::test]
async fn at_the_series_limit_only_new_series_are_refused() {
    let house = House::new(Settings { series_max: 2, ..Settings::default() }).await;
    house.write(Batch::Metrics(metrics(&[("a", NOW_MS - 5, 1.0), ("b", NOW_MS - 5, 1.0)]))).await;
    // `a` by its handle, `b` by a spelling that no decoder has met, `c` new.
    let known = house.ingester.known_series(&house.tenant).find(key("a")).unwrap();
    let mut batch = metrics(&[("a", NOW_MS, 2.0), ("b", NOW_MS, 3.0), ("c", NOW_MS, 4.0)]);
    batch.series[0] = SeriesEntry::Known(known);
    let SeriesEntry::New { key, .. } = &mut batch.series[1] else { panic!("b is announced with its labels") };
    key.0 += 1;
    batch.exemplars.push(Exemplar { series: 2, ts_ms: NOW_MS, value: 1.0, trace_id: None, span_id: None, labels: Labels::empty() });
    let (rejected, written) = house.write(Batch::Metrics(batch)).await;
    assert_eq!((rejected, written.samples, written.exemplars), (BTreeMap::from([("series_limit", 1)]), 2, 0));
    assert_eq!((house.values("a"), house.values("b"), house.values("c")), (vec![1.0, 2.0], vec![1.0, 3.0], vec![]));
}

#[tokio::test]
async fn labels_have_limits() {
    let house = House::new(Settings { labels_max: 2, label_name_bytes_max: 8, label_value_bytes_max: 4, ..Settings::default() }).await;
    let mut batch = MetricBatch::default();
    for pairs in [
        vec![("__name__", "ok"), ("a", "1234")],
        vec![("__name__", "n"), ("a", "12345")],
        vec![("__name__", "n"), ("too_long_", "1")],
        vec![("__name__", "n"), ("a", "1"), ("b", "2")],
    ] {
        batch.series.push(SeriesEntry::New { key: SeriesKey(batch.series.len() as u128), labels: Labels::from_pairs(pairs) });
        batch.samples.push(batch.series.len() as u32 - 1, NOW_MS, 1.0);
    }
    let (rejected, written) = house.write(Batch::Metrics(batch)).await;
    assert_eq!((rejected, written.samples), (BTreeMap::from([("label_too_long", 2), ("too_many_labels", 1)]), 1));
}

#[tokio::test]
async fn metadata_alone_is_written() {
    let house = House::new(Settings::default()).await;
    let metadata = MetricMetadata { name: "a".into(), kind: MetricKind::Counter, help: "h".into(), unit: String::new() };
    house.write(Batch::Metrics(MetricBatch { metadata: vec![metadata.clone()], ..MetricBatch::default() })).await;
    assert_eq!(house.store.snapshot(&house.tenant).metadata(), [metadata]);
}

#[tokio::test]
async fn deltas_are_stored_as_sums() {
    let house = House::new(Settings::default()).await;
    for (ts_ms, value) in [(NOW_MS - 20, 1.0), (NOW_MS - 10, 2.0), (NOW_MS - 10, 2.0), (NOW_MS, 3.0)] {
        let mut batch = metrics(&[("d", ts_ms, value)]);
        batch.deltas = std::mem::take(&mut batch.samples);
        house.write(Batch::Metrics(batch)).await;
    }
    assert_eq!(house.values("d"), [1.0, 3.0, 6.0]);
}

#[tokio::test]
async fn log_records_have_limits() {
    let house = House::new(Settings { log_body_bytes_max: 3, attributes_max: 1, attribute_value_bytes_max: 2, ..Settings::default() }).await;
    let mut builder = LogBuilder::default();
    let row = LogRow { timestamp_ns: NOW_NS, body: Some("abc"), ..LogRow::default() };
    builder.close_row(&row);
    builder.close_row(&LogRow { body: Some("abcd"), ..row });
    builder.close_row(&LogRow { timestamp_ns: 0, ..row });
    builder.attributes().append_string("a", "xyz");
    builder.close_row(&row);
    builder.attributes().append_int("a", 1);
    builder.attributes().append_int("b", 2);
    builder.close_row(&row);
    builder.attributes().append_int("a", 12);
    builder.close_row(&LogRow { body: None, ..row });
    let (rejected, written) = house.write(Batch::Logs(builder.finish())).await;
    let want = BTreeMap::from([("body_too_long", 1), ("too_old", 1), ("attribute_too_long", 1), ("too_many_attributes", 1)]);
    assert_eq!((rejected, written.logs, house.rows(Table::Logs)), (want, 2, 2));
}

#[tokio::test]
async fn spans_are_refused_for_an_attribute_of_an_event_too() {
    let house = House::new(Settings { attribute_value_bytes_max: 2, ..Settings::default() }).await;
    let mut builder = SpanBuilder::default();
    let row = SpanRow {
        trace_id: TraceId::from_slice(&[1; 16]).unwrap(),
        span_id: SpanId::from_slice(&[2; 8]).unwrap(),
        parent_span_id: None,
        start_ns: NOW_NS,
        end_ns: NOW_NS + 1,
        name: "n",
        kind: 1,
        status_code: 0,
        status_message: "",
        trace_state: "",
        flags: 0,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    };
    builder.close_row(&row);
    builder.event_attributes().append_string("a", "long");
    builder.close_event(&signalbox_model::builder::EventRow { timestamp_ns: NOW_NS, name: "e", dropped_attributes_count: 0 });
    builder.close_row(&row);
    let (rejected, written) = house.write(Batch::Traces(builder.finish())).await;
    assert_eq!((rejected, written.spans, house.rows(Table::Spans)), (BTreeMap::from([("attribute_too_long", 1)]), 1, 1));
}

#[tokio::test]
async fn too_much_in_flight_is_refused_at_once() {
    let house = House::new(Settings { in_flight_bytes_max: 10, ..Settings::default() }).await;
    let error = house.ingester.write(&house.tenant, vec![Batch::Metrics(metrics(&[("a", NOW_MS, 1.0)]))]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.retry_after().is_some());
    assert_eq!(house.ingester.inner.budget.taken(), 0);
}
