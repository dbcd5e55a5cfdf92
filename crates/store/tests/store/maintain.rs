//! Compaction and retention against what was given; background work by the clock.

use std::path::Path;
use std::time::Duration;

use futures::executor::block_on;
use signalbox_model::{Table, Tenant};
use signalbox_store::catalog::CatalogState;
use signalbox_store::settings::Retention;
use signalbox_testkit::SimDisk;

use crate::ledger::{T0_MS, shown};
use crate::world::{DAY_MS, DIR, HOUR_MS, World};

const EVERYTHING: [Table; 3] = [Table::Samples, Table::Logs, Table::Spans];

fn world() -> World {
    World::new(SimDisk::default(), CatalogState::default())
}

/// Levels of the segments of the first tenant's table, in the order of the catalog.
fn levels(world: &World, table: Table) -> Vec<u8> {
    let segments = world.catalog.memory.state().segments;
    segments.iter().filter(|segment| segment.table == table && segment.tenant == Tenant::default()).map(|segment| segment.level).collect()
}

fn files(world: &World) -> usize {
    world.disk.files().keys().filter(|path| path.starts_with(Path::new(DIR).join("segments"))).count()
}

#[test]
fn segments_rise_level_by_level_and_show_the_same() {
    let mut world = world();
    let store = world.open().unwrap();
    for round in 0..30i64 {
        world.step(round * HOUR_MS);
        world.append(&store, (round % 4 == 3).into(), &EVERYTHING, 0).unwrap();
        block_on(store.flush()).unwrap();
        block_on(store.maintain()).unwrap();
        world.ledger.check_store(&store, &format!("round {round}"));
        assert!(levels(&world, Table::Samples).len() < 20, "{:?}", levels(&world, Table::Samples));
    }
    world.step(50 * HOUR_MS);
    block_on(store.maintain()).unwrap();
    world.ledger.check_store(&store, "two days later");
    for table in [Table::Samples, Table::Histograms, Table::Exemplars, Table::Logs, Table::Spans] {
        let levels = levels(&world, table);
        assert!(levels.len() <= 4 && levels.contains(&2), "{table:?}: {levels:?}");
    }
    assert_eq!(files(&world), world.catalog.memory.state().segments.len(), "files that are no more are gone");
}

#[test]
fn a_store_that_is_compacted_rests_at_the_last_level_and_shows_the_same() {
    let mut world = world();
    let store = world.open().unwrap();
    for round in 0..5i64 {
        world.step(round * HOUR_MS / 4);
        world.append(&store, (round % 4 == 3).into(), &EVERYTHING, 0).unwrap();
        if round < 3 {
            block_on(store.flush()).unwrap();
        }
    }
    for hint in ["once", "again"] {
        block_on(store.compact()).unwrap();
        world.ledger.check_store(&store, hint);
        for table in [Table::Samples, Table::Histograms, Table::Exemplars, Table::Logs, Table::Spans] {
            assert_eq!(levels(&world, table), [2], "{table:?}, {hint}");
        }
    }
}

#[test]
fn of_two_samples_of_one_time_the_later_stays_through_every_merge() {
    use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, TimeRange};
    let world = world();
    let store = world.open().unwrap();
    let mut want = std::collections::BTreeMap::new();
    for round in 0..40i64 {
        world.step(round * HOUR_MS);
        let mut batch = MetricBatch::default();
        batch.series.push(SeriesEntry::New { key: SeriesKey(1), labels: Labels::from_pairs([("__name__", "m")]) });
        for step in 0..5 {
            let ts_ms = T0_MS + round * 7 % 20 + step;
            batch.samples.push(0, ts_ms, (round * 100 + step) as f64);
            want.insert(ts_ms, (round * 100 + step) as f64);
        }
        block_on(store.append(&Tenant::default(), vec![Batch::Metrics(batch)])).unwrap();
        if round % 2 == 0 {
            block_on(store.flush()).unwrap();
        }
        if round % 5 == 4 {
            block_on(store.maintain()).unwrap();
        }
        let snapshot = store.snapshot(Tenant::default());
        let series = snapshot.select(&[], TimeRange::ALL, 10).unwrap();
        let mut got = std::collections::BTreeMap::new();
        let mut visit = |_, samples: signalbox_store::SeriesSamples<'_>| {
            got.extend(samples.ts_ms.iter().copied().zip(samples.values.iter().copied()));
            Ok(())
        };
        snapshot.read(&series, TimeRange::ALL, &mut visit).unwrap();
        assert_eq!(got, want, "round {round}");
    }
}

#[test]
fn what_is_too_old_goes_and_a_snapshot_keeps_what_it_shows() {
    let mut world = world();
    let store = world.open().unwrap();
    let old = world.append(&store, 0, &EVERYTHING, 0).unwrap();
    block_on(store.flush()).unwrap();
    world.append(&store, 0, &EVERYTHING, 2 * DAY_MS).unwrap();
    block_on(store.flush()).unwrap();
    let snapshot = store.snapshot(Tenant::default());
    world.step(31 * DAY_MS);
    let before = files(&world);
    block_on(store.maintain()).unwrap();
    let left = shown(&store).unwrap();
    assert!(old.iter().all(|id| !left.contains_key(id)), "{left:?}");
    world.ledger.acknowledged.retain(|id, _| !old.contains(id));
    world.ledger.check_store(&store, "aged");
    assert_eq!(files(&world), before, "the snapshot holds the files");
    drop(snapshot);
    block_on(store.maintain()).unwrap();
    assert_eq!(files(&world), before / 2);
    drop(store);
    world.ledger.check_store(&world.open().unwrap(), "opened again");
}

#[test]
fn a_signal_that_takes_too_much_loses_its_oldest_segments_only() {
    let mut world = world();
    world.settings.retention.logs = Retention { max_age_seconds: 0, max_bytes: 20_000 };
    let store = world.open().unwrap();
    for round in 0..12 {
        world.append(&store, 0, &[Table::Samples, Table::Logs], round * 1000).unwrap();
        block_on(store.flush()).unwrap();
    }
    let bytes =
        |world: &World| world.catalog.memory.state().segments.iter().filter(|segment| segment.table == Table::Logs).map(|segment| segment.bytes).sum::<u64>();
    assert!(bytes(&world) > 20_000, "{}", bytes(&world));
    block_on(store.maintain()).unwrap();
    assert!(bytes(&world) <= 20_000);
    let left = shown(&store).unwrap();
    let numbers: Vec<i64> = left.keys().filter(|id| id.table == Table::Logs).map(|id| id.number).collect();
    assert!(!numbers.is_empty() && numbers.len() < 12);
    assert_eq!(numbers, (12 - numbers.len() as i64..12).collect::<Vec<_>>(), "the newest");
    assert_eq!(left.keys().filter(|id| id.table == Table::Samples).count(), 12, "metrics have bounds of their own");
}

#[test]
fn a_flush_comes_by_itself_when_it_is_time_or_when_much_waits() {
    for by_size in [false, true] {
        let mut world = world();
        world.settings.flush_wal_bytes = if by_size { 2_000 } else { 1 << 30 };
        let store = world.open().unwrap();
        world.append(&store, 0, &EVERYTHING, 0).unwrap();
        if by_size {
            world.append(&store, 0, &EVERYTHING, 0).unwrap();
        } else {
            world.clock.advance(Duration::from_secs(601));
        }
        // The thread looks once a second; there is no bound to how long a busy machine lets it wait.
        while world.catalog.memory.state().segments.is_empty() {
            std::thread::yield_now();
        }
        world.ledger.check_store(&store, "flushed by itself");
    }
}

#[test]
fn a_store_that_is_dropped_leaves_no_thread_and_no_lock() {
    let world = world();
    for _ in 0..3 {
        let store = world.open().unwrap();
        let clone = store.clone();
        drop(store);
        block_on(clone.flush()).unwrap();
        block_on(clone.close()).unwrap();
        block_on(clone.close()).unwrap();
        assert!(block_on(clone.flush()).is_err());
        assert!(block_on(clone.maintain()).is_err());
        // Reading goes on.
        assert!(shown(&clone).unwrap().is_empty());
    }
}
