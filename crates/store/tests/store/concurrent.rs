//! Writers, flushes, merges and readers at once: a reader sees everything acknowledged before, nothing twice, and of
//! what is on its way in whole batches.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use signalbox_model::{Signal, Table};
use signalbox_store::catalog::CatalogState;
use signalbox_testkit::SimDisk;

use crate::ledger::{Id, Ledger, T0_MS, batch, shown, tenants};
use crate::world::World;

const REQUESTS: i64 = 240;
const WRITERS: i64 = 2;
/// A busy machine may let writers go first.
const ROUNDS_MIN: u32 = 3;

#[test]
fn readers_miss_nothing_and_see_nothing_twice() {
    let world = World::new(SimDisk::default(), CatalogState::default());
    let (store, ledger, next) = (world.open().unwrap(), Mutex::new(Ledger::default()), AtomicI64::new(0));
    let is_done = Arc::new(AtomicBool::new(false));
    let (looks, flushes) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= REQUESTS {
                            return;
                        }
                        let table = [Table::Samples, Table::Logs, Table::Spans][(number % 3) as usize];
                        let id = Id { tenant: (number % 2) as usize, table, number };
                        ledger.lock().unwrap().tried.insert(id, T0_MS + number);
                        block_on(store.append(&tenants()[id.tenant], vec![batch(id, T0_MS + number)])).unwrap();
                        ledger.lock().unwrap().acknowledged.insert(id, None);
                    }
                })
            })
            .collect();
        let flusher = scope.spawn(|| {
            let mut flushes = 0u32;
            while !is_done.load(Ordering::Relaxed) || flushes < ROUNDS_MIN {
                block_on(store.flush()).unwrap();
                block_on(store.maintain()).unwrap();
                flushes += 1;
            }
            flushes
        });
        let reader = scope.spawn(|| {
            let mut looks = 0u32;
            while !is_done.load(Ordering::Relaxed) || looks < ROUNDS_MIN {
                let acknowledged = ledger.lock().unwrap().acknowledged.clone();
                let shown = shown(&store).unwrap();
                // What was tried until now may be there, what was acknowledged before the look must.
                let tried = ledger.lock().unwrap().tried.clone();
                for id in shown.keys().filter(|id| id.table.signal() == Signal::Metrics) {
                    let of_batch = [Table::Samples, Table::Histograms, Table::Exemplars].map(|table| shown.contains_key(&Id { table, ..*id }));
                    assert_eq!(of_batch, [true; 3], "look {looks}: {id:?} is there without the rest of its batch");
                }
                Ledger { tried, acknowledged, ..Ledger::default() }.check(&shown, &format!("look {looks}"));
                looks += 1;
            }
            looks
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
        (reader.join().unwrap(), flusher.join().unwrap())
    });
    let mut ledger = ledger.into_inner().unwrap();
    ledger.check_store(&store, "at the end");
    block_on(store.flush()).unwrap();
    ledger.check_store(&store, "flushed");
    block_on(store.close()).unwrap();
    ledger.check_store(&world.open().unwrap(), "opened again");
    println!("{REQUESTS} requests, {flushes} flushes, {looks} looks");
}
