//! Power loss at every operation of a reference run, in every way a disk may lose what was not synced.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures::executor::block_on;
use signalbox_model::Table;
use signalbox_store::Store;
use signalbox_store::catalog::CatalogState;
use signalbox_testkit::{SimDisk, Survival};

use crate::ledger::{Id, Ledger, shown};
use crate::world::{DAY_MS, HOUR_MS, World};

const EVERYTHING: [Table; 3] = [Table::Samples, Table::Logs, Table::Spans];
/// Random survivals are drawn this often at each operation.
const SEEDS: u64 = 3;
/// Threads that check states.
const THREADS: usize = 2;

/// A run with everything that changes the disk; notes after how many operations what held.
struct Reference {
    world: World,
    /// Operations at the acknowledgement.
    acknowledged_at: BTreeMap<Id, usize>,
    /// Operations when retention began to remove a batch.
    expiring_at: BTreeMap<Id, usize>,
}

impl Reference {
    fn append(&mut self, store: &Store, tenant: usize, tables: &[Table], after_ms: i64) -> Vec<Id> {
        let ids = self.world.append(store, tenant, tables, after_ms).unwrap();
        let operations = self.world.disk.operations();
        self.acknowledged_at.extend(ids.iter().map(|id| (*id, operations)));
        ids
    }

    /// Three processes: flushes, a compaction to each level, retention by age; one ends in order, one by a crash.
    fn run() -> Self {
        let world = World::new(SimDisk::default(), CatalogState::default());
        let mut run = Self { world, acknowledged_at: BTreeMap::new(), expiring_at: BTreeMap::new() };
        let store = run.world.open().unwrap();
        let old = run.append(&store, 0, &[Table::Samples, Table::Logs], -29 * DAY_MS);
        block_on(store.flush()).unwrap();
        run.append(&store, 0, &EVERYTHING, 0);
        run.append(&store, 1, &[Table::Samples], 0);
        block_on(store.flush()).unwrap();
        run.append(&store, 0, &[Table::Samples, Table::Logs], 0);
        run.world.ledger.check_store(&store, "first process");
        drop(store);

        let store = run.world.open().unwrap();
        run.append(&store, 0, &EVERYTHING, 0);
        block_on(store.flush()).unwrap();
        // The window of two hours is over: level 1, without the old batch.
        run.world.step(3 * HOUR_MS);
        block_on(store.maintain()).unwrap();
        run.append(&store, 1, &[Table::Spans], 0);
        run.world.step(2 * DAY_MS);
        run.expiring_at.extend(old.iter().map(|id| (*id, run.world.disk.operations())));
        run.world.ledger.expiring.extend(old);
        block_on(store.maintain()).unwrap();
        run.append(&store, 0, &[Table::Logs, Table::Samples], 0);
        run.world.ledger.check_store(&store, "second process");
        block_on(store.close()).unwrap();

        let store = run.world.open().unwrap();
        run.append(&store, 0, &EVERYTHING, 0);
        run.world.ledger.check_store(&store, "third process");
        drop(store);
        run
    }

    /// What must hold after a power loss after so many operations.
    fn ledger_at(&self, operations: usize) -> Ledger {
        let mut ledger = self.world.ledger.clone();
        ledger.acknowledged.retain(|id, _| self.acknowledged_at[id] <= operations);
        ledger.expiring.retain(|id| self.expiring_at[id] <= operations);
        ledger
    }

    /// Checks the states of some of the operations; gives their number.
    fn check_states(&self, operations: impl Iterator<Item = usize>) -> usize {
        let mut states = 0;
        for operations in operations {
            let ledger = self.ledger_at(operations);
            let mut seen = HashSet::new();
            for survival in Survival::ALL {
                for seed in 0..if survival.is_random() { SEEDS } else { 1 } {
                    for (choice, catalog) in self.world.catalog.states_at(operations).into_iter().enumerate() {
                        let context = format!("{operations} operations, {survival:?}, seed {seed}, catalog {choice}");
                        let disk = self.world.disk.crash(operations, survival, seed);
                        states += 1;
                        // Where little is unsynced, many ways to lose it leave the same.
                        if seen.insert((choice, hash_of(&disk))) {
                            check_state(World::new(disk, catalog), ledger.clone(), states, &context);
                        }
                    }
                }
            }
        }
        states
    }
}

fn hash_of(disk: &SimDisk) -> u64 {
    let mut hasher = DefaultHasher::new();
    disk.files().hash(&mut hasher);
    hasher.finish()
}

fn check_state(mut world: World, ledger: Ledger, turn: usize, context: &str) {
    world.step(2 * DAY_MS);
    (world.ledger, world.next) = (ledger, 1000);
    let store = world.open().unwrap_or_else(|error| panic!("{context}: {error}"));
    world.ledger.check_store(&store, context);
    // What survived unacknowledged is there to stay, and the store goes on: every few states in full.
    if !turn.is_multiple_of(20) {
        return;
    }
    let survived = shown(&store).unwrap();
    let expiring: Vec<Id> = world.ledger.tried.keys().copied().filter(|id| id.number == 0).collect();
    world.ledger.expiring.extend(expiring);
    world.ledger.acknowledged.extend(
        survived
            .into_iter()
            .filter(|(id, _)| world.ledger.tried.contains_key(id))
            .map(|(id, rows)| (id, (id.table.signal() != signalbox_model::Signal::Metrics).then_some(rows[0].1))),
    );
    world.append(&store, 0, &EVERYTHING, 0).unwrap_or_else(|error| panic!("{context}: {error}"));
    if turn.is_multiple_of(40) {
        block_on(store.flush()).unwrap_or_else(|error| panic!("{context}: {error}"));
        block_on(store.maintain()).unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    world.ledger.check_store(&store, &format!("{context}, going on"));
    drop(store);
    let store = world.open().unwrap_or_else(|error| panic!("{context}, again: {error}"));
    world.ledger.check_store(&store, &format!("{context}, opened again"));
}

#[test]
fn no_power_loss_loses_or_doubles_or_halves_anything() {
    let reference = Reference::run();
    let last = reference.world.disk.operations();
    let states: usize = std::thread::scope(|scope| {
        let reference = &reference;
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || reference.check_states((first..=last).step_by(THREADS)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{states} crash states of {last} operations, seeds 0 to {}", SEEDS - 1);
    assert!(states >= 2000, "only {states} states");
}
