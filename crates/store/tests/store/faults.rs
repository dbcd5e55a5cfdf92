//! Calls of the disk that fail: each call of a run in turn, for once; a full disk; a catalog that fails.

use std::time::Duration;

use futures::executor::block_on;
use signalbox_model::{ErrorKind, Table};
use signalbox_store::catalog::{CatalogState, FailedCommit};
use signalbox_testkit::disk::{EIO, ENOSPC};
use signalbox_testkit::{Call, Fault, Outcome, SimDisk};

use crate::world::{HOUR_MS, World};

/// Threads that run.
const THREADS: usize = 2;
const EVERYTHING: [Table; 3] = [Table::Samples, Table::Logs, Table::Spans];

/// A process that goes on whatever fails: what is acknowledged is noted, what fails is forgotten.
fn run(world: &mut World) {
    let Ok(store) = world.open() else { return };
    for (round, tenant) in [0, 1, 0].into_iter().enumerate() {
        if let Err(error) = world.append(&store, tenant, &EVERYTHING, 0) {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            world.clock.advance(Duration::from_secs(2));
        }
        if round == 2 {
            world.step(3 * HOUR_MS);
        }
        // Both may fail; nothing may be lost by it.
        let _flushed = block_on(store.flush());
        let _maintained = block_on(store.maintain());
    }
    let _appended = world.append(&store, 1, &EVERYTHING, 0);
}

/// What must hold after the run: before and after a restart, and after a flush that works.
fn check(world: &mut World, context: &str) {
    world.disk.heal();
    world.clock.advance(Duration::from_secs(2));
    let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
    world.ledger.check_store(&store, &format!("{context}, opened again"));
    world.append(&store, 0, &EVERYTHING, 0).unwrap_or_else(|error| panic!("{context}: {error}"));
    block_on(store.flush()).unwrap_or_else(|error| panic!("{context}: {error}"));
    block_on(store.maintain()).unwrap_or_else(|error| panic!("{context}: {error}"));
    drop(store);
    let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
    world.ledger.check_store(&store, &format!("{context}, flushed and opened again"));
}

/// Runs and checks with each fault, on some threads.
fn with_each(faults: &[Fault]) {
    std::thread::scope(|scope| {
        for first in 0..THREADS {
            scope.spawn(move || {
                for fault in faults.iter().skip(first).step_by(THREADS) {
                    let mut world = World::new(SimDisk::default(), CatalogState::default());
                    world.disk.fail(*fault);
                    run(&mut world);
                    check(&mut world, &format!("{fault:?}"));
                }
            });
        }
    });
}

#[test]
fn no_call_that_fails_once_loses_or_doubles_anything() {
    let mut calm = World::new(SimDisk::default(), CatalogState::default());
    run(&mut calm);
    let mut faults = Vec::new();
    for call in [Call::Open, Call::Read, Call::Write, Call::Sync, Call::Rename, Call::Remove, Call::List, Call::SyncDir, Call::CreateDir] {
        let outcome = match call {
            Call::Write => Outcome::Error(ENOSPC),
            _ => Outcome::Error(EIO),
        };
        // Reads are many and alike.
        let stride = if call == Call::Read { 11 } else { 1 };
        faults.extend((1..=calm.disk.calls(call)).step_by(stride).map(|nth| Fault { call, nth, outcome, is_sticky: false }));
    }
    faults.extend((1..=calm.disk.calls(Call::Write)).step_by(5).map(|nth| Fault { call: Call::Write, nth, outcome: Outcome::Short(7), is_sticky: false }));
    println!("{} runs with one failing call each", faults.len());
    assert!(faults.len() > 80, "only {} runs", faults.len());
    with_each(&faults);
}

#[test]
fn a_disk_that_fails_from_some_call_on_loses_nothing_that_was_acknowledged_before() {
    let kinds = [(Call::Write, ENOSPC), (Call::Write, EIO), (Call::Sync, EIO), (Call::SyncDir, EIO), (Call::Rename, EIO)];
    let fault = |(call, code): (Call, i32), nth| Fault { call, nth, outcome: Outcome::Error(code), is_sticky: true };
    let faults: Vec<Fault> = kinds.into_iter().flat_map(|kind| (1..40).step_by(6).map(move |nth| fault(kind, nth))).collect();
    with_each(&faults);
}

#[test]
fn a_full_disk_refuses_for_now_shows_all_and_takes_again_when_there_is_room() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    let store = world.open().unwrap();
    world.append(&store, 0, &EVERYTHING, 0).unwrap();
    world.disk.limit(Some(world.disk.used_bytes()));
    let refused = (0..100).find_map(|_| world.append(&store, 0, &EVERYTHING, 0).err()).expect("a full disk takes no hundred requests");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.retry_after().is_some(), "{refused}");
    world.ledger.check_store(&store, "full");
    assert_eq!(block_on(store.flush()).unwrap_err().kind(), ErrorKind::Unavailable);
    world.ledger.check_store(&store, "full, flush failed");
    world.disk.limit(None);
    world.clock.advance(Duration::from_secs(2));
    world.append(&store, 0, &EVERYTHING, 0).unwrap();
    block_on(store.flush()).unwrap();
    world.ledger.check_store(&store, "room again");
    drop(store);
    world.ledger.check_store(&world.open().unwrap(), "opened again");
}

#[test]
fn a_commit_that_fails_is_made_good_whether_or_not_it_was_applied() {
    for how in [FailedCommit::Lost, FailedCommit::Unacknowledged] {
        for is_restarted in [false, true] {
            let context = format!("{how:?}, restarted: {is_restarted}");
            let mut world = World::new(SimDisk::default(), CatalogState::default());
            let mut store = world.open().unwrap();
            for round in 0..2 {
                world.append(&store, 0, &EVERYTHING, 0).unwrap();
                world.catalog.memory.fail_next(how);
                let flushed = block_on(store.flush());
                assert_eq!(flushed.is_ok(), how == FailedCommit::Unacknowledged, "{context}: reading back tells");
                world.ledger.check_store(&store, &context);
                world.append(&store, 0, &EVERYTHING, 0).unwrap();
                if is_restarted {
                    drop(store);
                    store = world.open().unwrap();
                }
                block_on(store.flush()).unwrap();
                world.append(&store, 0, &EVERYTHING, 0).unwrap();
                block_on(store.flush()).unwrap();
                world.step((round + 1) * 3 * HOUR_MS);
                world.catalog.memory.fail_next(how);
                let maintained = block_on(store.maintain());
                assert_eq!(maintained.is_ok(), how == FailedCommit::Unacknowledged, "{context}: two segments of a window that is over are merged");
                world.ledger.check_store(&store, &context);
                block_on(store.maintain()).unwrap();
                world.ledger.check_store(&store, &context);
            }
            drop(store);
            world.ledger.check_store(&world.open().unwrap(), &context);
        }
    }
}

#[test]
fn heads_that_cannot_be_flushed_take_only_so_much_and_then_refuse_for_now() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings.flush_wal_bytes = 4_000;
    let store = world.open().unwrap();
    let is_segment = Fault { call: Call::CreateDir, nth: 1, outcome: Outcome::Error(EIO), is_sticky: true };
    world.disk.fail(is_segment);
    let refused = (0..200).find_map(|_| world.append(&store, 0, &EVERYTHING, 0).err()).expect("the heads take no two hundred requests");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.message().contains("wait to be flushed") && refused.retry_after().is_some(), "{refused}");
    assert!(block_on(store.flush()).is_err());
    world.ledger.check_store(&store, "full heads");
    world.disk.heal();
    block_on(store.flush()).unwrap();
    world.append(&store, 0, &EVERYTHING, 0).unwrap();
    world.ledger.check_store(&store, "flushed");
}
