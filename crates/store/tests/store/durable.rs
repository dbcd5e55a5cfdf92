//! The store on a real directory: what was acknowledged is there after it was dropped, closed, and opened again.
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, ErrorKind, Labels, MetricBatch, MetricKind, MetricMetadata, SeriesEntry, SeriesKey, Table, Tenant, TimeRange};
use signalbox_store::disk::RealDisk;
use signalbox_store::{ScanRequest, Settings, Store};
use signalbox_testkit::ManualClock;

fn open(dir: &Path) -> signalbox_model::Result<Store> {
    block_on(Store::open(Settings::small(), dir, Arc::new(RealDisk::new(dir)), Arc::new(ManualClock::at_ms(1_000_000))))
}

fn samples(round: i64) -> Batch {
    let mut batch = MetricBatch::default();
    for number in 0..10u32 {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", number.to_string())]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(number.into()), labels });
        batch.samples.push(number, 1_000 + round, f64::from(number) + round as f64);
    }
    batch.metadata.push(MetricMetadata { name: "m".into(), kind: MetricKind::Gauge, help: "A thing.".into(), unit: String::new() });
    Batch::Metrics(batch)
}

fn logs(round: i64) -> Batch {
    let mut builder = LogBuilder::default();
    for row in 0..5 {
        builder.close_row(&LogRow { timestamp_ns: round * 10 + row, body: Some(&format!("line {round} {row}")), ..LogRow::default() });
    }
    Batch::Logs(builder.finish())
}

/// Series, time and value.
type Samples = Vec<(String, i64, f64)>;

/// All samples, and the bodies of all logs with their numbers.
fn contents(store: &Store) -> (Samples, Vec<(u64, String)>) {
    let snapshot = store.snapshot(Tenant::default());
    let series = snapshot.select(&[], TimeRange::ALL, 1000).unwrap();
    let (mut found, mut rows) = (Vec::new(), Vec::new());
    let mut visit = |at: usize, samples: signalbox_store::SeriesSamples<'_>| {
        for (ts_ms, value) in samples.ts_ms.iter().zip(samples.values) {
            found.push((series[at].labels.get("n").unwrap().to_owned(), *ts_ms, *value));
        }
        Ok(())
    };
    snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
    found.sort_by(|left, right| left.partial_cmp(right).unwrap());
    for part in snapshot.scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap() {
        for batch in part.read().unwrap() {
            let batch = batch.unwrap();
            let numbers = batch.column_by_name("sequence").unwrap().as_any().downcast_ref::<arrow::array::UInt64Array>().unwrap().clone();
            let bodies = batch.column_by_name("body").unwrap().as_any().downcast_ref::<arrow::array::StringArray>().unwrap().clone();
            rows.extend((0..batch.num_rows()).map(|row| (numbers.value(row), bodies.value(row).to_owned())));
        }
    }
    rows.sort();
    (found, rows)
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash_a_flush_and_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = None;
    for round in 0..6 {
        let store = open(dir.path()).unwrap();
        if let Some(expected) = &expected {
            assert_eq!(contents(&store), *expected, "round {round}");
            assert_eq!(store.snapshot(Tenant::default()).metadata().len(), 1);
        }
        block_on(store.append(&Tenant::default(), vec![samples(round), logs(round)])).unwrap();
        if round % 2 == 0 {
            block_on(store.flush()).unwrap();
        }
        let now = contents(&store);
        assert_eq!((now.0.len(), now.1.len()), (10 * (round as usize + 1), 5 * (round as usize + 1)));
        assert!(now.1.iter().enumerate().all(|(at, (number, _))| *number == at as u64), "numbered from 0 on without a gap");
        expected = Some(now);
        if round % 3 == 0 {
            block_on(store.close()).unwrap();
            assert_eq!(block_on(store.append(&Tenant::default(), vec![samples(0)])).unwrap_err().kind(), ErrorKind::Unavailable);
        }
    }
}

#[test]
fn flushed_samples_are_in_segments_and_read_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for round in 0..20 {
        block_on(store.append(&Tenant::default(), vec![samples(round)])).unwrap();
        if round % 7 == 6 {
            block_on(store.flush()).unwrap();
        }
    }
    let before = contents(&store);
    assert_eq!(before.0.len(), 200);
    assert_eq!(std::fs::read_dir(dir.path().join("segments/default/samples")).unwrap().count(), 2);
    drop(store);
    assert_eq!(contents(&open(dir.path()).unwrap()), before);
}

#[test]
fn a_directory_that_is_in_use_is_refused_and_one_that_was_given_back_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("another process uses it"), "{error}");
    block_on(store.close()).unwrap();
    open(dir.path()).unwrap();
    drop(store);
}

#[test]
fn a_catalog_that_is_garbage_or_gone_costs_nothing_but_a_look_at_all_segments() {
    for garbage in [None, Some(b"this is no database, and it is long enough to look like one".repeat(100))] {
        let first = tempfile::tempdir().unwrap();
        let store = open(first.path()).unwrap();
        for round in 0..4 {
            block_on(store.append(&Tenant::default(), vec![samples(round), logs(round)])).unwrap();
            if round % 2 == 0 {
                block_on(store.flush()).unwrap();
            }
        }
        let before = contents(&store);
        drop(store);
        // Elsewhere, for SQLite closes the files of a dropped store in its own time.
        let dir = tempfile::tempdir().unwrap();
        copy(&first.path().join("wal"), &dir.path().join("wal"));
        copy(&first.path().join("segments"), &dir.path().join("segments"));
        if let Some(garbage) = &garbage {
            std::fs::write(dir.path().join("catalog.sqlite"), garbage).unwrap();
        }
        let store = open(dir.path()).unwrap();
        assert_eq!(contents(&store), before);
        block_on(store.append(&Tenant::default(), vec![logs(4)])).unwrap();
        block_on(store.close()).unwrap();
        let after = contents(&open(dir.path()).unwrap());
        assert_eq!((after.0.len(), after.1.len()), (before.0.len(), before.1.len() + 5));
        assert!(dir.path().join("catalog.sqlite.damaged").exists(), "what was there is kept");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { flush_wal_bytes: 0, ..Settings::small() };
    let opened = block_on(Store::open(settings, dir.path(), Arc::new(RealDisk::new(dir.path())), Arc::new(ManualClock::default())));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("store.flush_wal_bytes"), "{error}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
