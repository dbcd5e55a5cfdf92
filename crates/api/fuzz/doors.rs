//! The APIs over an empty store, for targets.

use std::sync::{Arc, LazyLock};

use axum::Router;
use signalbox_api::ApiState;
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_testkit::ManualClock;
use tokio::runtime::Runtime;

/// Built once; the store's folder goes with the process.
pub(crate) static DOORS: LazyLock<(Runtime, Router)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime starts");
    let dir = tempfile::tempdir().expect("there is room for a store").keep();
    let clock = Arc::new(ManualClock::at_ns(1_700_000_000_000_000_000));
    let disk = Arc::new(RealDisk::new(&dir));
    let store = runtime.block_on(Store::open(signalbox_store::Settings::small(), &dir, disk, clock.clone())).expect("an empty store opens");
    let engine = Engine::new(store, clock, Settings { partitions: 1, ..Settings::default() });
    (runtime, signalbox_api::router(&ApiState::new(Arc::new(engine))))
});
