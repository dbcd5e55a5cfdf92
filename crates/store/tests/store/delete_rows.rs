//! Deleting rows of logs and spans by their numbers: gone at once and for good, and nothing else goes with them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use futures::executor::block_on;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Table, Tenant, TimeRange, TraceId, schema};
use signalbox_store::catalog::CatalogState;
use signalbox_store::deletion::{Undelete, Undeleted};
use signalbox_store::disk::RealDisk;
use signalbox_store::row_numbers::RowNumbers;
use signalbox_store::{ScanRequest, Settings, Store};
use signalbox_testkit::{ManualClock, SimDisk, Survival};

use crate::world::{HOUR_MS, World};

/// Bodies by number of the row.
type Rows = BTreeSet<(u64, String)>;

fn trace(number: u64) -> TraceId {
    TraceId::from_slice(&u128::from(number + 1).to_be_bytes()).unwrap()
}

pub(crate) fn append(store: &Store, bodies: &[&str]) {
    let mut builder = LogBuilder::default();
    for (number, body) in (0..).zip(bodies) {
        builder.set_resource("{}", if number % 2 == 0 { "api" } else { "web" });
        builder.close_row(&LogRow { timestamp_ns: number, body: Some(body), trace_id: Some(trace(number.cast_unsigned())), ..LogRow::default() });
    }
    block_on(store.append(&Tenant::default(), vec![Batch::Logs(builder.finish())])).unwrap();
}

fn scanned(store: &Store, request: &ScanRequest) -> Rows {
    let mut found = Rows::new();
    for part in store.snapshot(Tenant::default()).scan(Table::Logs, request).unwrap() {
        for rows in part.read().unwrap() {
            let rows = rows.unwrap();
            let numbers = rows.column_by_name(schema::SEQUENCE).unwrap().as_primitive::<UInt64Type>();
            let bodies = rows.column_by_name(schema::logs::BODY).unwrap().as_string::<i32>();
            for (number, body) in numbers.values().iter().zip(bodies) {
                assert!(found.insert((*number, body.unwrap().to_owned())), "row {number} comes twice");
            }
        }
    }
    found
}

fn shown(store: &Store) -> Rows {
    scanned(store, &ScanRequest::all(TimeRange::ALL))
}

fn texts(rows: &Rows) -> Vec<&str> {
    rows.iter().map(|(_, body)| body.as_str()).collect()
}

/// Deletes the rows with these bodies.
fn delete(store: &Store, bodies: &[&str]) {
    let numbers = shown(store).into_iter().filter(|(_, body)| bodies.contains(&body.as_str())).map(|(number, _)| number).collect();
    block_on(store.delete_rows(&Tenant::default(), Table::Logs, RowNumbers::of(numbers), "a test")).unwrap();
}

pub(crate) fn open(dir: &Path) -> Store {
    block_on(Store::open(Settings::small(), dir, Arc::new(RealDisk::new(dir)), Arc::new(ManualClock::at_ms(1_000_000)))).unwrap()
}

#[test]
fn hidden_in_head_and_segments_at_once_and_over_restarts_and_gone_when_purged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, &["a", "b", "c"]);
    block_on(store.flush()).unwrap();
    append(&store, &["d", "e"]);
    let before = store.snapshot(Tenant::default());
    delete(&store, &["b", "e", "none"]);
    assert_eq!(texts(&shown(&store)), ["a", "c", "d"]);
    let of_trace = |number: u64| scanned(&store, &ScanRequest { trace_id: Some(trace(number)), ..ScanRequest::all(TimeRange::ALL) });
    assert_eq!(texts(&of_trace(1)), Vec::<&str>::new(), "b and e have the trace");
    assert_eq!(texts(&of_trace(0)), ["a", "d"]);
    let of_service = scanned(&store, &ScanRequest { services: vec!["web".into()], ..ScanRequest::all(TimeRange::ALL) });
    assert_eq!(texts(&of_service), Vec::<&str>::new(), "both rows of the service are deleted");
    let old = before.scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap();
    assert_eq!(
        old.into_iter().flat_map(|part| part.read().unwrap()).map(|rows| rows.unwrap().num_rows()).sum::<usize>(),
        5,
        "an older snapshot is of its instant"
    );
    // The same text again is another row.
    append(&store, &["b"]);
    let want = shown(&store);
    assert_eq!(texts(&want), ["a", "c", "d", "b"]);
    assert_eq!(store.deletions(&Tenant::default()).len(), 1);
    drop((store, before));

    let store = open(dir.path());
    assert_eq!(shown(&store), want, "after a crash");
    block_on(store.purge()).unwrap();
    assert_eq!(shown(&store), want, "purged");
    assert_eq!(store.deletions(&Tenant::default()).len(), 0);
    delete(&store, &["a", "b", "c", "d"]);
    assert_eq!(shown(&store), Rows::new());
    block_on(store.purge()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("segments/default/logs")).unwrap().count(), 0, "nothing is left on the disk");
    append(&store, &["f"]);
    block_on(store.close()).unwrap();
    assert_eq!(texts(&shown(&open(dir.path()))), ["f"]);
}

#[test]
fn merges_leave_deleted_rows_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..3 {
        append(&store, &[&format!("keep {round}"), "secret"]);
        block_on(store.flush()).unwrap();
    }
    delete(&store, &["secret"]);
    block_on(store.compact()).unwrap();
    assert_eq!(texts(&shown(&store)), ["keep 0", "keep 1", "keep 2"]);
    let mut rows = 0;
    for file in std::fs::read_dir(dir.path().join("segments/default/logs")).unwrap() {
        let file = std::fs::File::open(file.unwrap().path()).unwrap();
        let batches = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        rows += batches.map(|rows| rows.unwrap().num_rows()).sum::<usize>();
    }
    assert_eq!(rows, 3, "they are in no file");
    assert_eq!(store.deletions(&Tenant::default()).len(), 0, "and the deletion is forgotten");
}

#[test]
fn no_power_loss_brings_back_what_was_deleted_or_takes_more() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.clock = ManualClock::at_ms(1_000_000);
    let store = world.open().unwrap();
    append(&store, &["a", "b", "c", "d"]);
    block_on(store.flush()).unwrap();
    append(&store, &["e"]);
    let begun = world.disk.operations();
    delete(&store, &["b", "e"]);
    let deleted = world.disk.operations();
    world.clock.step_to_ns((1_000_000 + 3 * HOUR_MS) * 1_000_000);
    block_on(store.purge()).unwrap();
    drop(store);
    after_each_crash(&world, begun, &|operations, texts| {
        let is_whole = texts == ["a", "b", "c", "d", "e"] && operations <= deleted;
        is_whole || texts == ["a", "c", "d"]
    });
}

/// Opens the store as each loss of power from an operation of the disk on may leave it, and checks what is shown: `is_right` is given the
/// operations before the loss, and the texts.
fn after_each_crash(world: &World, begun: usize, is_right: &dyn Fn(usize, &[&str]) -> bool) {
    let last = world.disk.operations();
    for operations in begun..=last {
        for survival in Survival::ALL {
            for (choice, catalog) in world.catalog.states_at(operations).into_iter().enumerate() {
                let context = format!("{operations} operations of {last}, {survival:?}, catalog {choice}");
                let mut after = World::new(world.disk.crash(operations, survival, 7), catalog);
                after.clock = ManualClock::at_ms(1_000_000);
                let store = after.open().unwrap_or_else(|error| panic!("{context}: {error}"));
                let rows = shown(&store);
                assert!(is_right(operations, &texts(&rows)), "{context}: {rows:?}");
            }
        }
    }
}

fn undelete(store: &Store, which: Undelete) -> Undeleted {
    block_on(store.undelete_rows(&Tenant::default(), Table::Logs, "a test", which)).unwrap()
}

#[test]
fn what_was_taken_back_is_there_as_before_and_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, &["a", "b", "c"]);
    let whole = shown(&store);
    assert_eq!(undelete(&store, Undelete::Whole), Undeleted::Unknown);
    delete(&store, &["b"]);
    let hidden = store.snapshot(Tenant::default());
    let forgotten = store.deletions_forgotten();
    assert_eq!(undelete(&store, Undelete::Whole), Undeleted::Back);
    assert!(forgotten.has_changed().unwrap());
    assert_eq!(shown(&store), whole);
    let old = hidden.scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap();
    assert_eq!(old.into_iter().flat_map(|part| part.read().unwrap()).map(|rows| rows.unwrap().num_rows()).sum::<usize>(), 2, "an older snapshot");
    assert_eq!((store.deletions(&Tenant::default()).len(), undelete(&store, Undelete::Whole)), (0, Undeleted::Unknown));
    // Another one, whose number may be the same.
    delete(&store, &["c"]);
    assert_eq!(texts(&shown(&store)), ["a", "b"]);
    assert_eq!(undelete(&store, Undelete::Remains), Undeleted::Back);
    drop((store, hidden));
    let store = open(dir.path());
    assert_eq!(shown(&store), whole, "after a crash");
    block_on(store.compact()).unwrap();
    block_on(store.purge()).unwrap();
    assert_eq!(shown(&store), whole, "nothing erases it");
    delete(&store, &["a"]);
    block_on(store.purge()).unwrap();
    assert_eq!(undelete(&store, Undelete::Remains), Undeleted::Unknown, "it has left the disk");
    assert_eq!(texts(&shown(&store)), ["b", "c"]);
}

#[test]
fn no_power_loss_leaves_a_deletion_half_taken_back() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.clock = ManualClock::at_ms(1_000_000);
    let store = world.open().unwrap();
    append(&store, &["a", "b", "c"]);
    delete(&store, &["b", "c"]);
    let begun = world.disk.operations();
    assert_eq!(undelete(&store, Undelete::Whole), Undeleted::Back);
    let undeleted = world.disk.operations();
    world.clock.step_to_ns((1_000_000 + 3 * HOUR_MS) * 1_000_000);
    block_on(store.purge()).unwrap();
    drop(store);
    after_each_crash(&world, begun, &|operations, texts| {
        let is_hidden = texts == ["a"] && operations <= undeleted;
        is_hidden || texts == ["a", "b", "c"]
    });
}
