#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use signalbox_model::{Batch, Matcher, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_testkit::{ManualClock, SimDisk};

use super::*;
use crate::{Settings, Store};

const HOUR_MS: i64 = 3_600_000;

/// Series of three metrics; those of `churning` are others every hour.
fn series(hour: i64) -> Vec<Labels> {
    let mut found = Vec::new();
    for pod in 0..10 {
        for (name, pod) in [("steady", format!("pod-{pod}")), ("churning", format!("pod-{hour}-{pod}"))] {
            found.push(Labels::from_pairs([("__name__", name), ("job", "api"), ("pod", &pod)]));
        }
    }
    found.push(Labels::from_pairs([("__name__", "lonely"), ("job", "web")]));
    found
}

fn store() -> Store {
    let (disk, clock) = (Arc::new(SimDisk::default()), Arc::new(ManualClock::at_ms(0)));
    let store = block_on(Store::open(Settings::small(), Path::new("data"), disk, clock)).unwrap();
    for hour in 0..4 {
        let mut batch = MetricBatch::default();
        for (number, labels) in (0u32..).zip(series(hour)) {
            batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
            (0..60).for_each(|minute| batch.samples.push(number, hour * HOUR_MS + minute * 60_000, f64::from(number) + minute as f64));
        }
        block_on(store.append(&Tenant::default(), vec![Batch::Metrics(batch)])).unwrap();
        // The last hour stays in the head, one is in two segments.
        if hour < 3 {
            block_on(store.flush()).unwrap();
        }
    }
    store
}

fn request(matchers: Vec<Matcher>) -> CardinalityRequest {
    CardinalityRequest { matchers, range: TimeRange::from_ms(0, 4 * HOUR_MS - 1), label: None, top: 5, order: CardinalityOrder::Series, step_ms: HOUR_MS }
}

fn count(store: &Store, request: &CardinalityRequest) -> Cardinality {
    store.snapshot(Tenant::default()).cardinality(request, &mut || Ok(())).unwrap()
}

#[test]
fn series_are_counted_once_by_metric_label_value_and_hour() {
    let store = store();
    let found = count(&store, &request(Vec::new()));
    let distinct: BTreeSet<Labels> = (0..4).flat_map(series).collect();
    assert_eq!((found.series, found.rows, found.sampled_one_in), (distinct.len() as u64, 4 * 21 * 60, 1));
    let metrics: Vec<(&str, u64, u64)> = found.metrics.iter().map(|metric| (metric.name.as_str(), metric.series, metric.created)).collect();
    assert_eq!(metrics, [("churning", 40, 30), ("steady", 10, 0), ("lonely", 1, 0)]);
    assert_eq!((found.created, found.metric_names, found.label_pairs), (30, 3, 3 + 2 + 50));
    assert_eq!(found.created_by_step, [(0, 0), (HOUR_MS, 10), (2 * HOUR_MS, 10), (3 * HOUR_MS, 10)]);
    let mut text_bytes: BTreeMap<&str, u64> = BTreeMap::new();
    distinct.iter().flat_map(Labels::iter).for_each(|(name, value)| *text_bytes.entry(name).or_default() += value.len() as u64);
    let labels: Vec<(&str, u64, u64)> = found.labels.iter().map(|label| (label.name.as_str(), label.values, label.series)).collect();
    assert_eq!(labels, [("pod", 50, 50), ("__name__", 3, 51), ("job", 2, 51)]);
    assert!(found.labels.iter().all(|label| text_bytes[label.name.as_str()] == label.text_bytes));
    assert_eq!((found.pairs.len(), found.pairs[0].name.as_str(), found.pairs[0].value.as_str(), found.pairs[0].series), (5, "job", "api", 50));
}

#[test]
fn bytes_add_up_to_those_of_the_segments() {
    let store = store();
    block_on(store.flush()).unwrap();
    let found = count(&store, &request(Vec::new()));
    let body: u64 = store.inner.tenants.segments().iter().map(|segment| segment.record().body_bytes).sum();
    let by_metric: u64 = found.metrics.iter().map(|metric| metric.bytes).sum();
    assert!(found.bytes <= body && found.bytes > body / 2, "{} of {body}: all but embedded indexes", found.bytes);
    assert!(by_metric <= found.bytes && by_metric + 3 >= found.bytes, "{by_metric} of {}", found.bytes);
}

#[test]
fn a_selector_narrows_and_deleted_series_are_none() {
    let store = store();
    let found = count(&store, &request(vec![Matcher::equal("job", "web")]));
    assert_eq!((found.series, found.rows, found.metrics.len()), (1, 4 * 60, 1));
    block_on(store.delete_series(&Tenant::default(), &[vec![Matcher::equal("__name__", "churning")]], TimeRange::ALL)).unwrap();
    assert_eq!(count(&store, &request(Vec::new())).series, 11);
}

#[test]
fn too_many_to_hold_are_estimated() {
    let store = store();
    let snapshot = store.snapshot(Tenant::default());
    for bounds in [Bounds { series: 20, pairs: 1000 }, Bounds { series: 1000, pairs: 20 }] {
        let found = snapshot.metrics.count(&request(Vec::new()), bounds, &mut || Ok(())).unwrap();
        assert!(found.sampled_one_in >= 2 && found.series.is_multiple_of(found.sampled_one_in));
        assert!(found.series >= 51 / 4 && found.series <= 51 * 4, "about 51: {}", found.series);
        assert!(found.label_pairs <= 21 || bounds.pairs == 1000);
    }
}

#[test]
fn long_ranges_have_a_bounded_number_of_steps() {
    for range in [TimeRange::ALL, TimeRange::from_ms(0, 0), TimeRange::from_ms(0, 400 * HOUR_MS)] {
        let steps = Steps::of(range, 1);
        assert!(steps.count as i64 <= STEPS_MAX + 1, "{steps:?}");
    }
    assert_eq!(Steps::of(TimeRange::from_ms(0, 10 * HOUR_MS - 1), HOUR_MS).count, 10);
}

#[test]
fn the_values_of_one_label_can_be_listed_without_the_others() {
    let store = store();
    let only = CardinalityRequest { label: Some("pod".into()), top: 100, ..request(Vec::new()) };
    let found = count(&store, &only);
    // Ten steady pods, and ten others every hour.
    assert_eq!((found.pairs.len(), found.pairs.iter().filter(|pair| pair.name == "pod").count()), (50, 50));
    assert_eq!(found.labels.iter().find(|label| label.name == "pod").map(|label| label.values), Some(50));
    let unknown = CardinalityRequest { label: Some("nothing".into()), ..request(Vec::new()) };
    assert_eq!(count(&store, &unknown).pairs, []);
}
