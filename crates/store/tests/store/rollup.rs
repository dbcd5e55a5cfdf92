//! Rollups: what is old becomes thin, once, and stays what it was at the edges; whatever else happens to the segments.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures::executor::block_on;
use signalbox_model::{Batch, Exemplar, Histogram, HistogramSample, Labels, Matcher, MetricBatch, SeriesEntry, SeriesKey, Tenant, TimeRange};
use signalbox_store::catalog::CatalogState;
use signalbox_store::settings::{RollupSettings, SelectorRetention};
use signalbox_store::{Settings, Store};
use signalbox_testkit::{SimDisk, Survival};

use crate::ledger::T0_MS;
use crate::world::{DAY_MS, World};

const MINUTE_MS: i64 = 60_000;
/// Samples of a batch: one a minute.
const SAMPLES: i64 = 60;

/// Kind, job and time of a row with the bits of its value.
type Rows = BTreeMap<(&'static str, String, i64), u64>;

fn rule(job: &str, after_days: u64, resolution_seconds: u64) -> RollupSettings {
    RollupSettings { selector: String::new(), after_seconds: after_days * 86_400, resolution_seconds, matchers: vec![Matcher::equal("job", job)] }
}

fn world(rollups: Vec<RollupSettings>) -> World {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings.rollups = rollups;
    world
}

/// An hour of samples, histograms and exemplars of two jobs, from a time on; all rows of it.
fn append(store: &Store, from_ms: i64) -> Rows {
    let (mut batch, mut rows) = (MetricBatch::default(), Rows::new());
    for (series, job) in (0u32..).zip(["api", "web"]) {
        let labels = Labels::from_pairs([("__name__", "m_total"), ("job", job)]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(series.into()), labels });
        for minute in 1..=SAMPLES {
            let (ts_ms, value) = (from_ms + minute * MINUTE_MS, from_ms as f64 + minute as f64 / 3.0);
            batch.samples.push(series, ts_ms, value);
            let histogram = Histogram { count: value, sum: value, ..Histogram::default() };
            batch.histograms.push(HistogramSample { series, ts_ms, start_ms: 0, is_delta: false, histogram });
            batch.exemplars.push(Exemplar { series, ts_ms, value, trace_id: None, span_id: None, labels: Labels::empty() });
            rows.extend(["sample", "histogram", "exemplar"].map(|kind| ((kind, job.to_owned(), ts_ms), value.to_bits())));
        }
    }
    block_on(store.append(&Tenant::default(), vec![Batch::Metrics(batch)])).unwrap();
    rows
}

fn shown(store: &Store) -> Rows {
    let snapshot = store.snapshot(Tenant::default());
    let series = snapshot.select(&[], TimeRange::ALL, 100).unwrap();
    let job = |labels: &Labels| labels.get("job").unwrap().to_owned();
    let mut rows = Rows::new();
    let mut visit = |at: usize, samples: signalbox_store::SeriesSamples<'_>| {
        let job = job(&series[at].labels);
        rows.extend(samples.ts_ms.iter().zip(samples.values).map(|(ts_ms, value)| (("sample", job.clone(), *ts_ms), value.to_bits())));
        rows.extend(samples.histograms.iter().map(|point| (("histogram", job.clone(), point.ts_ms), point.histogram.sum.to_bits())));
        Ok(())
    };
    snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
    for (labels, exemplars) in snapshot.exemplars(&[], TimeRange::ALL).unwrap() {
        rows.extend(exemplars.iter().map(|exemplar| (("exemplar", job(&labels), exemplar.ts_ms), exemplar.value.to_bits())));
    }
    rows
}

/// What a rollup leaves of rows of one segment a batch: by job the first of each and the last of each window.
fn thinned(batches: &[Rows], job: &str, resolution_ms: i64) -> Rows {
    let mut left = Rows::new();
    for batch in batches {
        for (key, value) in batch {
            let (kind, owner, ts_ms) = key;
            let window = |ts_ms: i64| (ts_ms - 1).div_euclid(resolution_ms);
            let of_series = |other: &&(&str, String, i64)| other.0 == *kind && other.1 == *owner;
            let next = batch.range((std::ops::Bound::Excluded(key.clone()), std::ops::Bound::Unbounded)).map(|(key, _)| key).find(of_series);
            let is_first = !batch.range(..key.clone()).any(|(key, _)| of_series(&key));
            let is_last = next.is_none_or(|(_, _, next_ms)| window(*next_ms) != window(*ts_ms));
            if owner != job || *kind == "exemplar" || is_first || is_last {
                left.insert(key.clone(), *value);
            }
        }
    }
    left
}

fn segments(world: &World) -> BTreeSet<String> {
    world.catalog.memory.state().segments.iter().map(|segment| segment.url.clone()).collect()
}

#[test]
fn what_is_old_becomes_thin_level_by_level_and_each_segment_once() {
    let world = world(vec![rule("api", 7, 300), rule("api", 14, 1800)]);
    let store = world.open().unwrap();
    let old = append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    world.step(DAY_MS);
    let new = append(&store, T0_MS + DAY_MS);
    block_on(store.flush()).unwrap();
    let all: Rows = old.clone().into_iter().chain(new.clone()).collect();
    world.step(7 * DAY_MS);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), all, "the end of the last window is not old enough");
    world.step(7 * DAY_MS + 62 * MINUTE_MS + 300_000);
    block_on(store.maintain()).unwrap();
    let want: Rows = thinned(std::slice::from_ref(&old), "api", 300_000).into_iter().chain(new.clone()).collect();
    assert!(want.len() < all.len());
    assert_eq!(shown(&store), want);
    let rested = segments(&world);
    for _ in 0..3 {
        block_on(store.maintain()).unwrap();
    }
    assert_eq!(segments(&world), rested, "nothing is written twice");
    drop(store);
    let store = world.open().unwrap();
    block_on(store.maintain()).unwrap();
    assert_eq!((segments(&world), shown(&store)), (rested, want), "nor after a restart");
    world.step(20 * DAY_MS);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), thinned(&[old, new], "api", 1_800_000), "coarser with the years");
}

#[test]
fn late_samples_are_thinned_by_themselves_and_with_the_rest_at_a_merge() {
    let mut world = world(vec![rule("api", 7, 300)]);
    world.settings.retention.metrics.max_age_seconds = 0;
    let store = world.open().unwrap();
    world.step(20 * DAY_MS);
    let old = append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), thinned(std::slice::from_ref(&old), "api", 300_000), "what comes late is old at once");
    // Between the minutes of the others.
    let late = append(&store, T0_MS + MINUTE_MS / 2);
    block_on(store.flush()).unwrap();
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), thinned(&[old.clone(), late.clone()], "api", 300_000));
    block_on(store.compact()).unwrap();
    let both = shown(&store);
    let window_ends: BTreeSet<i64> = old.keys().chain(late.keys()).map(|key| (key.2 - 1).div_euclid(300_000)).collect();
    for window in window_ends {
        let last = |rows: &Rows| {
            rows.iter()
                .rfind(|((kind, job, ts_ms), _)| *kind == "sample" && job == "api" && (ts_ms - 1).div_euclid(300_000) == window)
                .map(|(key, value)| (key.clone(), *value))
        };
        let all: Rows = old.clone().into_iter().chain(late.clone()).collect();
        assert_eq!(last(&both), last(&all));
    }
}

#[test]
fn raw_for_a_week_and_thin_for_longer_is_a_rollup_and_a_retention() {
    let mut world = world(vec![rule("api", 7, 600)]);
    world.settings.retention.selectors =
        vec![SelectorRetention { selector: String::new(), max_age_seconds: 10 * 86_400, matchers: vec![Matcher::equal("job", "web")] }];
    let store = world.open().unwrap();
    let all = append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    let thin = thinned(std::slice::from_ref(&all), "api", 600_000);
    world.step(8 * DAY_MS);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), thin);
    world.step(11 * DAY_MS);
    block_on(store.maintain()).unwrap();
    let only_api: Rows = thin.into_iter().filter(|((_, job, _), _)| job == "api").collect();
    assert_eq!(shown(&store), only_api, "the other job is gone, this one stays thin");
    world.step(32 * DAY_MS);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), Rows::new());
}

#[test]
fn what_is_deleted_is_not_what_stays_of_a_window() {
    let world = world(vec![rule("api", 7, 300)]);
    let store = world.open().unwrap();
    let all = append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    let deleted = T0_MS + 8 * MINUTE_MS..=T0_MS + 12 * MINUTE_MS;
    let range = TimeRange::from_ms(*deleted.start(), *deleted.end());
    block_on(store.delete_series(&Tenant::default(), &[vec![Matcher::equal("job", "api")]], range)).unwrap();
    let rest: Rows = all.into_iter().filter(|((_, job, ts_ms), _)| job != "api" || !deleted.contains(ts_ms)).collect();
    assert_eq!(shown(&store), rest);
    world.step(8 * DAY_MS);
    block_on(store.maintain()).unwrap();
    let want = thinned(std::slice::from_ref(&rest), "api", 300_000);
    assert_eq!(shown(&store), want);
    block_on(store.delete_series(&Tenant::default(), &[vec![Matcher::equal("job", "api")]], TimeRange::ALL)).unwrap();
    block_on(store.purge()).unwrap();
    assert_eq!(shown(&store), want.into_iter().filter(|((_, job, _), _)| job != "api").collect());
}

#[test]
fn a_power_loss_leaves_rows_as_they_were_or_thin() {
    let reference = world(vec![rule("api", 7, 300)]);
    let store = reference.open().unwrap();
    let all = append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    let first = reference.disk.operations();
    reference.step(8 * DAY_MS);
    block_on(store.maintain()).unwrap();
    let thin = thinned(std::slice::from_ref(&all), "api", 300_000);
    assert_eq!(shown(&store), thin);
    drop(store);
    let last = reference.disk.operations();
    assert!(last > first + 10, "{first} to {last}");
    // Samples and histograms are two segments, each thin by itself.
    let is_allowed = |rows: &Rows| {
        ["sample", "histogram", "exemplar"].iter().all(|kind| {
            let of_kind = |rows: &Rows| rows.iter().filter(|((own, _, _), _)| own == kind).map(|(key, value)| (key.clone(), *value)).collect::<Rows>();
            of_kind(rows) == of_kind(&all) || of_kind(rows) == of_kind(&thin)
        })
    };
    let (mut states, mut seen) = (0, HashSet::new());
    for operations in first..=last {
        for survival in Survival::ALL {
            for (choice, catalog) in reference.catalog.states_at(operations).into_iter().enumerate() {
                let disk = reference.disk.crash(operations, survival, 7);
                let mut hasher = DefaultHasher::new();
                disk.files().hash(&mut hasher);
                if !seen.insert((operations, choice, hasher.finish())) {
                    continue;
                }
                states += 1;
                let context = format!("{operations} operations, {survival:?}, catalog {choice}");
                let mut world = World::new(disk, catalog);
                world.settings = reference.settings.clone();
                world.step(8 * DAY_MS);
                let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
                let now = shown(&store);
                assert!(is_allowed(&now), "{context}: {} rows", now.len());
                block_on(store.maintain()).unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(shown(&store), thin, "{context}");
            }
        }
    }
    assert!(states >= 20, "only {states} states");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let refused = |rollups: Vec<RollupSettings>| Settings { rollups, ..Settings::small() }.check().unwrap_err().message().to_owned();
    let everything = RollupSettings { matchers: vec![Matcher::equal("job", "")], ..rule("api", 1, 60) };
    for bad in [everything, rule("api", 0, 60), rule("api", 1, 0), rule("api", 400, 60)] {
        assert!(refused(vec![rule("web", 1, 60), bad]).contains("store.rollups[1]"));
    }
    let misfit = refused(vec![rule("api", 1, 60), rule("api", 2, 90)]);
    assert!(misfit.contains("store.rollups[1]") && misfit.contains("multiple"), "{misfit}");
    Settings { rollups: vec![rule("api", 2, 3600), rule("api", 1, 300), rule("web", 1, 300)], ..Settings::small() }.check().unwrap();
}
