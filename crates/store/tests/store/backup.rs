//! Snapshot directories: a store that is opened on one answers as the other did, and neither disturbs the other.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use signalbox_model::{Error, ErrorKind, Matcher, Result, Table, Tenant, TimeRange};
use signalbox_store::backup::Companion;
use signalbox_store::disk::RealDisk;
use signalbox_store::{Settings, Store};
use signalbox_testkit::ManualClock;

use crate::ledger::{Id, T0_MS, batch, shown, tenants};

fn open(dir: &Path) -> Store {
    block_on(Store::open(Settings::small(), dir, Arc::new(RealDisk::new(dir)), Arc::new(ManualClock::at_ms(T0_MS)))).unwrap()
}

fn append(store: &Store, number: i64) {
    for (tenant, name) in tenants().iter().enumerate() {
        let batches = [Table::Samples, Table::Logs, Table::Spans].map(|table| batch(Id { tenant, table, number }, T0_MS + number));
        block_on(store.append(name, batches.to_vec())).unwrap();
    }
}

#[derive(Debug)]
struct Note(Result<&'static str>);

#[async_trait]
impl Companion for Note {
    async fn copy_into(&self, dir: &Path) -> Result<()> {
        let text = self.0.as_ref().map_err(|error| Error::new(error.kind(), error.message().to_owned()))?;
        std::fs::write(dir.join("note"), text).unwrap();
        Ok(())
    }
}

fn companions(note: Note) -> Vec<Arc<dyn Companion>> {
    vec![Arc::new(note)]
}

#[test]
fn a_store_that_is_opened_on_a_snapshot_answers_as_the_other_did() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..3).for_each(|number| append(&store, number));
    block_on(store.flush()).unwrap();
    append(&store, 3);
    let everything = [vec![Matcher::equal("n", "1 of 2")]];
    block_on(store.delete_series(&tenants()[0], &everything, TimeRange::ALL)).unwrap();
    append(&store, 4);
    let want = shown(&store).unwrap();
    let metadata = store.snapshot(Tenant::default()).metadata();
    let path = block_on(store.snapshot_to("first", &companions(Note(Ok("state"))))).unwrap();
    assert_eq!(path, dir.path().join("snapshots/first"));
    assert_eq!(std::fs::read_to_string(path.join("note")).unwrap(), "state");

    // The store goes on, and lets go of the segments.
    append(&store, 5);
    block_on(store.delete_series(&tenants()[0], &[vec![Matcher::equal("__name__", "m")]], TimeRange::ALL)).unwrap();
    block_on(store.purge()).unwrap();

    let copy = open(&path);
    assert_eq!(shown(&copy).unwrap(), want);
    assert_eq!(copy.snapshot(Tenant::default()).metadata(), metadata);
    // It is a store like any other: rows are numbered on, segments get names that were not there.
    append(&copy, 6);
    block_on(copy.flush()).unwrap();
    let more = shown(&copy).unwrap();
    assert_eq!(more.len(), want.len() + 2 * 5);
    drop(copy);
    assert_eq!(shown(&open(&path)).unwrap(), more, "after a crash of the copy");
    assert!(shown(&store).unwrap().keys().all(|id| id.number != 6));
}

#[test]
fn what_is_moved_elsewhere_is_a_store_too() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(dir.path());
    append(&store, 0);
    let want = shown(&store).unwrap();
    let path = block_on(store.snapshot_to("a", &[])).unwrap();
    let moved = elsewhere.path().join("data");
    std::fs::rename(&path, &moved).unwrap();
    drop(store);
    drop(dir);
    assert_eq!(shown(&open(&moved)).unwrap(), want);
}

#[test]
fn a_snapshot_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 0);
    let failing = companions(Note(Err(Error::unavailable("cannot copy"))));
    assert_eq!(block_on(store.snapshot_to("a", &failing)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(std::fs::read_dir(dir.path().join("snapshots")).unwrap().count(), 0);
    block_on(store.snapshot_to("a", &[])).unwrap();
    for bad in ["a", "", ".b", "../b", "b/c", "b.partial", "ü", &"x".repeat(129)] {
        assert_eq!(block_on(store.snapshot_to(bad, &[])).unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
    assert_eq!(std::fs::read_dir(dir.path().join("snapshots")).unwrap().count(), 1);
}
