//! Deleting series: gone at once and for good, whatever happens to the process, and nothing else goes with them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMillisecondType};
use futures::executor::block_on;
use signalbox_model::{Batch, Exemplar, Histogram, HistogramSample, Labels, MatchOp, Matcher, MetricBatch, SeriesEntry, SeriesKey, Table, Tenant, TimeRange};
use signalbox_store::catalog::CatalogState;
use signalbox_store::disk::RealDisk;
use signalbox_store::{ScanRequest, Settings, Store};
use signalbox_testkit::{ManualClock, SimDisk, Survival};

use crate::world::{HOUR_MS, World};

/// Table, job, and time of a row.
type Rows = BTreeSet<(&'static str, String, i64)>;

/// A sample, a histogram and an exemplar of each of three jobs.
fn batch(ts_ms: i64) -> Batch {
    let mut batch = MetricBatch::default();
    for (number, job) in (0u32..).zip(["api", "web", "db"]) {
        let labels = Labels::from_pairs([("__name__", "m"), ("job", job)]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(number.into()), labels });
        batch.samples.push(number, ts_ms, 1.5);
        batch.histograms.push(HistogramSample { series: number, ts_ms, start_ms: 0, is_delta: false, histogram: Histogram::default() });
        batch.exemplars.push(Exemplar { series: number, ts_ms, value: 1.0, trace_id: None, span_id: None, labels: Labels::empty() });
    }
    Batch::Metrics(batch)
}

fn all_of(batches: &[i64]) -> Rows {
    let tables = ["samples", "histograms", "exemplars"];
    let row = |ts_ms: i64| tables.into_iter().flat_map(move |table| ["api", "web", "db"].map(|job| (table, job.to_owned(), ts_ms)));
    batches.iter().copied().flat_map(row).collect()
}

fn without(mut rows: Rows, jobs: &[&str], range: std::ops::RangeInclusive<i64>) -> Rows {
    rows.retain(|(_, job, ts_ms)| !jobs.contains(&job.as_str()) || !range.contains(ts_ms));
    rows
}

/// All rows by series and by scan, which must agree.
fn shown(store: &Store) -> Rows {
    let snapshot = store.snapshot(Tenant::default());
    let series = snapshot.select(&[], TimeRange::ALL, 100).unwrap();
    let mut by_series = Rows::new();
    let job = |labels: &Labels| labels.get("job").unwrap().to_owned();
    snapshot
        .read(&series, TimeRange::ALL, &mut |at, samples| {
            by_series.extend(samples.ts_ms.iter().map(|ts_ms| ("samples", job(&series[at].labels), *ts_ms)));
            by_series.extend(samples.histograms.iter().map(|point| ("histograms", job(&series[at].labels), point.ts_ms)));
            Ok(())
        })
        .unwrap();
    for (labels, exemplars) in snapshot.exemplars(&[], TimeRange::ALL).unwrap() {
        by_series.extend(exemplars.iter().map(|exemplar| ("exemplars", job(&labels), exemplar.ts_ms)));
    }
    let mut by_scan = Rows::new();
    for (table, name) in [(Table::Samples, "samples"), (Table::Histograms, "histograms"), (Table::Exemplars, "exemplars")] {
        for part in snapshot.scan(table, &ScanRequest::all(TimeRange::ALL)).unwrap() {
            for rows in part.read().unwrap() {
                let rows = rows.unwrap();
                let labels = cast(rows.column_by_name("labels").unwrap(), &DataType::Utf8).unwrap();
                let times = rows.column_by_name("timestamp").unwrap().as_primitive::<TimestampMillisecondType>();
                for (labels, ts_ms) in labels.as_string::<i32>().iter().zip(times.values()) {
                    let job = labels.unwrap().split('"').nth(7).unwrap().to_owned();
                    by_scan.insert((name, job, *ts_ms));
                }
            }
        }
    }
    assert_eq!(by_series, by_scan, "series and scans show the same");
    let values = snapshot.label_values("job", &[], TimeRange::ALL).unwrap();
    let of_series: BTreeSet<String> = series.iter().map(|series| job(&series.labels)).collect();
    assert_eq!(values, of_series);
    let with_rows: BTreeSet<String> = by_scan.iter().filter(|row| row.0 != "exemplars").map(|row| row.1.clone()).collect();
    assert_eq!(values, with_rows, "a series is found if it has rows");
    by_scan
}

fn matchers(text: &str) -> Vec<Matcher> {
    vec![Matcher::equal("__name__", "m"), Matcher::new("job", MatchOp::Regex, text).unwrap()]
}

fn append(store: &Store, ts_ms: i64) {
    block_on(store.append(&Tenant::default(), vec![batch(ts_ms)])).unwrap();
}

fn delete(store: &Store, text: &str, first_ms: i64, last_ms: i64) {
    block_on(store.delete_series(&Tenant::default(), &[matchers(text)], TimeRange::from_ms(first_ms, last_ms))).unwrap();
}

fn open(dir: &Path) -> Store {
    block_on(Store::open(Settings::small(), dir, Arc::new(RealDisk::new(dir)), Arc::new(ManualClock::at_ms(1_000_000)))).unwrap()
}

#[test]
fn hidden_in_head_and_segments_at_once_and_over_restarts_and_gone_when_purged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 100);
    append(&store, 200);
    block_on(store.flush()).unwrap();
    append(&store, 300);
    let before = store.snapshot(Tenant::default());
    delete(&store, "api", 200, 300);
    let mut want = without(all_of(&[100, 200, 300]), &["api"], 200..=300);
    assert_eq!(shown(&store), want);
    assert_eq!(before.exemplars(&[Matcher::equal("job", "api")], TimeRange::ALL).unwrap()[0].1.len(), 3, "an older snapshot is of its instant");
    // What is written again is new, whatever its time.
    append(&store, 200);
    want = without(all_of(&[100, 200, 300]), &["api"], 300..=300);
    assert_eq!(shown(&store), want);
    delete(&store, "web|db", 0, 250);
    want = without(want, &["web", "db"], 0..=250);
    assert_eq!(shown(&store), want);
    drop((store, before));

    let store = open(dir.path());
    assert_eq!(shown(&store), want, "after a crash");
    block_on(store.purge()).unwrap();
    assert_eq!(shown(&store), want, "purged");
    append(&store, 100);
    want.extend(all_of(&[100]));
    assert_eq!(shown(&store), want, "the numbers of purged deletions are free again");
    block_on(store.close()).unwrap();
    let store = open(dir.path());
    assert_eq!(shown(&store), want, "after a restart");
    delete(&store, ".*", i64::MIN / 1_000_000, i64::MAX / 1_000_000);
    assert_eq!(shown(&store), Rows::new());
    block_on(store.purge()).unwrap();
    let segments = dir.path().join("segments/default");
    let files: usize = ["samples", "histograms", "exemplars"].iter().map(|table| std::fs::read_dir(segments.join(table)).unwrap().count()).sum();
    assert_eq!(files, 0, "nothing is left on the disk");
}

#[test]
fn purged_rows_are_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..50).for_each(|round| append(&store, round));
    delete(&store, "api", 0, 39);
    block_on(store.purge()).unwrap();
    let rows: usize = std::fs::read_dir(dir.path().join("segments/default/samples"))
        .unwrap()
        .map(|file| {
            let file = std::fs::File::open(file.unwrap().path()).unwrap();
            let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            builder.build().unwrap().map(|rows| rows.unwrap().num_rows()).sum::<usize>()
        })
        .sum();
    assert_eq!(rows, 3 * 50 - 40);
    assert_eq!(shown(&store).len(), 3 * rows);
}

#[test]
fn too_many_deletions_are_refused_until_they_are_purged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 100);
    block_on(store.flush()).unwrap();
    let sets = |count: usize| vec![matchers("none"); count];
    block_on(store.delete_series(&Tenant::default(), &sets(1000), TimeRange::ALL)).unwrap();
    let refused = block_on(store.delete_series(&Tenant::default(), &sets(1), TimeRange::ALL)).unwrap_err();
    assert_eq!(refused.kind(), signalbox_model::ErrorKind::Limit);
    block_on(store.purge()).unwrap();
    block_on(store.delete_series(&Tenant::default(), &sets(1), TimeRange::ALL)).unwrap();
    assert_eq!(shown(&store), all_of(&[100]));
}

/// What may be shown from so many operations of the disk on: one of these.
type Allowed = BTreeMap<usize, Vec<Rows>>;

/// Appends, flushes, deletions, a merge and a purge; `allowed` notes what may be seen between acknowledgements.
fn reference() -> (World, Allowed) {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    let mut allowed: Allowed = BTreeMap::from([(0, vec![Rows::new()])]);
    let mut now = Rows::new();
    let note = |world: &World, allowed: &mut Allowed, before: usize, now: &mut Rows, next: Rows| {
        allowed.insert(before, vec![now.clone(), next.clone()]);
        allowed.insert(world.disk.operations(), vec![next.clone()]);
        *now = next;
    };
    world.clock = ManualClock::at_ms(1_000_000);
    let mut store = world.open().unwrap();
    for round in 0..6i64 {
        let before = world.disk.operations();
        append(&store, round);
        let next = now.iter().cloned().chain(all_of(&[round])).collect();
        note(&world, &mut allowed, before, &mut now, next);
        if round % 2 == 0 {
            block_on(store.flush()).unwrap();
        }
        if round % 3 == 2 {
            let before = world.disk.operations();
            let job = ["api", "web", "db"][(round / 2) as usize];
            delete(&store, job, round - 1, round);
            let next = without(now.clone(), &[job], round - 1..=round);
            note(&world, &mut allowed, before, &mut now, next);
        }
        if round == 3 {
            drop(store);
            store = world.open().unwrap();
            world.clock.step_to_ns((1_000_000 + 3 * HOUR_MS) * 1_000_000);
            block_on(store.maintain()).unwrap();
        }
        assert_eq!(shown(&store), now, "round {round}");
    }
    block_on(store.purge()).unwrap();
    assert_eq!(shown(&store), now);
    let before = world.disk.operations();
    append(&store, 0);
    let next = now.iter().cloned().chain(all_of(&[0])).collect();
    note(&world, &mut allowed, before, &mut now, next);
    drop(store);
    (world, allowed)
}

#[test]
fn no_power_loss_brings_back_what_was_deleted_or_takes_more() {
    let (reference, allowed) = reference();
    let last = reference.disk.operations();
    let mut states = 0;
    for operations in 1..=last {
        // A commit without a later operation of the disk may be lost with a power loss at that operation.
        let at = |entry: Option<(&usize, &Vec<Rows>)>| entry.map(|(_, rows)| rows.clone()).unwrap_or_default();
        let allowed = [at(allowed.range(..operations).next_back()), at(allowed.range(..=operations).next_back())].concat();
        let mut seen = HashSet::new();
        for survival in Survival::ALL {
            for (choice, catalog) in reference.catalog.states_at(operations).into_iter().enumerate() {
                let disk = reference.disk.crash(operations, survival, 7);
                let mut hasher = DefaultHasher::new();
                disk.files().hash(&mut hasher);
                states += 1;
                if !seen.insert((choice, hasher.finish())) {
                    continue;
                }
                let context = format!("{operations} operations, {survival:?}, catalog {choice}");
                let mut world = World::new(disk, catalog);
                world.clock = ManualClock::at_ms(1_000_000);
                let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
                let now = shown(&store);
                // A request that was not acknowledged may be there or not.
                assert!(allowed.contains(&now), "{context}: {now:?} is none of {allowed:?}");
                if states % 10 == 0 {
                    block_on(store.purge()).unwrap_or_else(|error| panic!("{context}: {error}"));
                    assert_eq!(shown(&store), now, "{context}: purged");
                    drop(store);
                    assert_eq!(shown(&world.open().unwrap()), now, "{context}: purged and opened again");
                }
            }
        }
    }
    assert!(states >= 500, "only {states} states");
}

/// Retention by selector: `api` is kept for a day, the rest for a month.
#[test]
fn series_of_a_selector_go_earlier_than_the_rest() {
    use signalbox_store::settings::SelectorRetention;

    use crate::ledger::T0_MS;
    use crate::world::DAY_MS;

    let mut world = World::new(SimDisk::default(), CatalogState::default());
    let rule = SelectorRetention { selector: String::new(), max_age_seconds: 24 * 3600, matchers: vec![Matcher::equal("job", "api")] };
    world.settings.retention.selectors = vec![rule];
    let store = world.open().unwrap();
    append(&store, T0_MS);
    block_on(store.flush()).unwrap();
    // A day later, so that the two are never merged.
    world.step(DAY_MS);
    append(&store, T0_MS + DAY_MS);
    block_on(store.flush()).unwrap();
    let all = all_of(&[T0_MS, T0_MS + DAY_MS]);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), all, "not yet");
    world.step(DAY_MS + 1);
    block_on(store.maintain()).unwrap();
    let want = without(all, &["api"], T0_MS..=T0_MS);
    assert_eq!(shown(&store), want);
    block_on(store.maintain()).unwrap();
    drop(store);
    assert_eq!(world.catalog.memory.state().deletions, [], "purged in the same round");
    let store = world.open().unwrap();
    assert_eq!(shown(&store), want);
    world.step(3 * DAY_MS);
    block_on(store.maintain()).unwrap();
    assert_eq!(shown(&store), without(want, &["api"], 0..=i64::MAX));
}

#[test]
fn rules_of_the_retention_that_make_no_sense_are_refused() {
    use signalbox_store::settings::SelectorRetention;

    let api = vec![Matcher::equal("job", "api")];
    for (max_age_seconds, matchers) in [(0, api.clone()), (3600, Vec::new()), (3600, vec![Matcher::equal("job", "")]), (u64::MAX, api)] {
        let mut settings = Settings::small();
        settings.retention.selectors = vec![SelectorRetention { selector: String::new(), max_age_seconds, matchers }];
        assert!(settings.check().unwrap_err().message().contains("store.retention.selectors[0]"), "{max_age_seconds}");
    }
}
