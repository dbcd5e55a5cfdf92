//! Bytes that changed on the disk: what is read is right or refused, never wrong; what is not damaged is all there.

use std::path::{Path, PathBuf};

use futures::executor::block_on;
use signalbox_model::{ErrorKind, Table};
use signalbox_store::catalog::CatalogState;
use signalbox_testkit::SimDisk;

use crate::ledger::{Shown, shown};
use crate::world::{DIR, HOUR_MS, World};

const EVERYTHING: [Table; 3] = [Table::Samples, Table::Logs, Table::Spans];

/// Segments of levels 0 and 1, and a WAL with rows behind them. The catalog as it was then.
fn written() -> (World, CatalogState) {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    let store = world.open().unwrap();
    for round in 0..4 {
        world.append(&store, round % 2, &EVERYTHING, 0).unwrap();
        if round != 2 {
            block_on(store.flush()).unwrap();
        }
        if round == 1 {
            world.step(3 * HOUR_MS);
            block_on(store.maintain()).unwrap();
        }
    }
    world.append(&store, 0, &EVERYTHING, 0).unwrap();
    world.append(&store, 1, &EVERYTHING, 0).unwrap();
    world.ledger.check_store(&store, "written");
    drop(store);
    let state = world.catalog.memory.state();
    (world, state)
}

/// The same disk with one file changed.
fn changed(world: &World, state: &CatalogState, path: &Path, content: Vec<u8>) -> World {
    let disk = SimDisk::with_files(world.disk.files());
    disk.put(path, content);
    let mut changed = World::new(disk, state.clone());
    changed.step(3 * HOUR_MS);
    (changed.ledger, changed.next) = (world.ledger.clone(), 1000);
    changed
}

/// Opens, reads until damage is set aside, and checks that what is left is right. Gives what is left, and whether damage was
/// met while reading.
fn survivors(world: &mut World, context: &str) -> (Shown, bool) {
    let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut was_refused = false;
    let left = loop {
        match shown(&store) {
            Ok(left) => break left,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{context}: {error}");
                was_refused = true;
                block_on(store.maintain()).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
        }
    };
    let mut right = world.ledger.clone();
    right.acknowledged.clear();
    right.check(&left, context);
    // It goes on, and stays as it is over a restart.
    world.ledger.acknowledged.clear();
    world.append(&store, 0, &EVERYTHING, 0).unwrap_or_else(|error| panic!("{context}: {error}"));
    world.ledger.check_store(&store, context);
    drop(store);
    world.ledger.check_store(&world.open().unwrap(), context);
    (left, was_refused)
}

fn files(world: &World, part: &str) -> Vec<(PathBuf, Vec<u8>)> {
    world.disk.files().into_iter().filter(|(path, _)| path.starts_with(Path::new(DIR).join(part))).collect()
}

#[test]
fn a_flipped_bit_in_a_segment_is_never_a_wrong_row() {
    let (world, state) = written();
    let whole = shown(&world.open().unwrap()).unwrap();
    let (mut flips, mut refused, mut lost) = (0, 0, 0);
    let segments = files(&world, "segments");
    assert!(segments.len() >= 10, "{} segments", segments.len());
    for (path, content) in &segments {
        for step in 0..6 {
            let mut content = content.clone();
            let at = (content.len() * step / 6 + step * 7) % content.len();
            content[at] ^= 1 << (step % 8);
            let context = format!("bit {} of byte {at} of {}", step % 8, path.display());
            let (left, was_refused) = survivors(&mut changed(&world, &state, path, content), &context);
            // What is left lacks at most the rows of that segment; it lacks nothing if the damage is where no reader looks.
            let gone = whole.keys().filter(|id| !left.contains_key(id)).count();
            assert!(left.iter().all(|(id, rows)| whole.get(id) == Some(rows)), "{context}");
            assert!(gone <= 2, "{context}: {gone} batches are gone");
            (flips, refused, lost) = (flips + 1, refused + usize::from(was_refused), lost + gone);
        }
    }
    println!("{flips} flips: {refused} met by readers, {lost} batches lost with their segments");
    assert!(refused > flips / 2, "{refused} of {flips}");
}

#[test]
fn a_segment_that_is_cut_or_missing_does_not_prevent_opening() {
    let (world, state) = written();
    let whole = shown(&world.open().unwrap()).unwrap();
    for (path, content) in files(&world, "segments") {
        for len in [0, content.len() - 1] {
            let context = format!("{len} bytes of {}", path.display());
            let (left, was_refused) = survivors(&mut changed(&world, &state, &path, content[..len].to_vec()), &context);
            assert!(!was_refused, "{context}: found on opening");
            assert!((1..=2).contains(&(whole.len() - left.len())), "{context}");
        }
    }
}

#[test]
fn a_flipped_bit_in_the_wal_costs_one_batch_at_most() {
    let (world, state) = written();
    let whole = shown(&world.open().unwrap()).unwrap();
    let mut flips = 0;
    for (path, content) in files(&world, "wal") {
        let used = content.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for at in (0..used).step_by(131) {
            let mut content = content.clone();
            content[at] ^= 1 << (at % 8);
            let context = format!("bit {} of byte {at} of {}", at % 8, path.display());
            let (left, was_refused) = survivors(&mut changed(&world, &state, &path, content), &context);
            assert!(!was_refused, "{context}");
            // A batch of metrics is in three tables.
            assert!(whole.len() - left.len() <= 3, "{context}: {} are gone", whole.len() - left.len());
            flips += 1;
        }
    }
    println!("{flips} flips");
    assert!(flips > 40, "{flips}");
}

#[test]
fn a_catalog_that_is_damaged_or_gone_is_made_anew_of_the_segments() {
    let (world, state) = written();
    let whole = shown(&world.open().unwrap()).unwrap();
    for is_gone in [true, false] {
        let context = format!("gone: {is_gone}");
        let disk = SimDisk::with_files(world.disk.files());
        let mut anew = World::new(disk, if is_gone { CatalogState::default() } else { state.clone() });
        if !is_gone {
            anew.catalog.memory.damage();
        }
        anew.step(3 * HOUR_MS);
        (anew.ledger, anew.next) = (world.ledger.clone(), 1000);
        let store = anew.open().unwrap();
        assert_eq!(shown(&store).unwrap(), whole, "{context}");
        for round in 0..3 {
            anew.append(&store, 0, &EVERYTHING, 0).unwrap();
            block_on(store.flush()).unwrap();
            block_on(store.maintain()).unwrap();
            anew.ledger.check_store(&store, &format!("{context}, round {round}"));
        }
        drop(store);
        anew.ledger.check_store(&anew.open().unwrap(), &context);
    }
}

#[test]
fn a_flush_that_was_interrupted_before_its_commit_is_told_from_one_that_was_not_even_without_a_catalog() {
    let (world, _) = written();
    let store = world.open().unwrap();
    let before = world.disk.operations();
    let whole = shown(&store).unwrap();
    block_on(store.flush()).unwrap();
    drop(store);
    for operations in (before..=world.disk.operations()).step_by(3) {
        for survival in [signalbox_testkit::Survival::Nothing, signalbox_testkit::Survival::Everything] {
            let context = format!("{operations} operations, {survival:?}");
            let disk = world.disk.crash(operations, survival, 0);
            let mut anew = World::new(disk, CatalogState::default());
            (anew.ledger, anew.next) = (world.ledger.clone(), 1000);
            let store = anew.open().unwrap_or_else(|error| panic!("{context}: {error}"));
            let shown = shown(&store).unwrap();
            assert_eq!(shown.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{context}");
            anew.append(&store, 0, &EVERYTHING, 0).unwrap();
            block_on(store.flush()).unwrap();
            anew.ledger.acknowledged.values_mut().for_each(|first| *first = None);
            anew.ledger.check_store(&store, &context);
        }
    }
}
