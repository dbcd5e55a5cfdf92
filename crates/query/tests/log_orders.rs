//! Following and deleting log records.

use std::sync::Arc;
use std::time::Duration;

use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Tenant, TimeRange};
use signalbox_query::logql::{Direction, LogRequest, TailRequest, Tailed};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use crate::log_surveys::{RANGE, logs};
use crate::world::{CART, SECOND, SHOP, T0, worlds};

async fn store(dir: &std::path::Path) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at_ns(T0 + 100 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir));
    (Store::open(signalbox_store::Settings::small(), dir, disk, clock.clone()).await.unwrap(), clock)
}

fn batch(resource: &str, lines: &[(i64, &str)]) -> Vec<Batch> {
    let mut builder = LogBuilder::default();
    builder.set_resource(resource, if resource == CART { "cart" } else { "shop" });
    for (second, line) in lines {
        builder.close_row(&LogRow { timestamp_ns: T0 + second * SECOND, body: Some(line), ..LogRow::default() });
    }
    vec![Batch::Logs(builder.finish())]
}

fn told(tailed: Option<Tailed>) -> Vec<String> {
    match tailed {
        Some(Tailed::Entries(entries)) => entries.into_iter().map(|entry| entry.line).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_what_is_there_and_what_comes_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path()).await;
    let (engine, tenant) = (Engine::new(store.clone(), clock, Settings::default()), Tenant::default());
    store.append(&tenant, batch(CART, &[(1, "n=1"), (2, "n=2"), (3, "n=3"), (4, "other")])).await.unwrap();
    let expr = logs("{service_name=\"cart\"} |= \"n=\" | logfmt | line_format \"{{.n}}!\"");
    let mut tail = engine.tail(&tenant, TailRequest { expr: expr.clone(), start_ns: T0, limit: 2 }).await.unwrap();
    assert_eq!(told(tail.next().await.unwrap()), ["2!", "3!"]);
    store.append(&tenant, batch(SHOP, &[(5, "n=4")])).await.unwrap();
    store.append(&tenant, batch(CART, &[(6, "nothing")])).await.unwrap();
    store.append(&tenant, batch(CART, &[(7, "n=7"), (2, "n=8")])).await.unwrap();
    assert_eq!(told(tail.next().await.unwrap()), ["7!", "8!"]);
    // Nothing more comes, and nothing comes again.
    assert!(tokio::time::timeout(Duration::from_millis(20), tail.next()).await.is_err());
    store.append(&tenant, batch(CART, &[(8, "n=9")])).await.unwrap();
    assert_eq!(told(tail.next().await.unwrap()), ["9!"]);
    // Without a past there is only what comes.
    let mut late = engine.tail(&tenant, TailRequest { expr: expr.clone(), start_ns: T0 + 90 * SECOND, limit: 2 }).await.unwrap();
    store.append(&tenant, batch(CART, &[(95, "n=10")])).await.unwrap();
    assert_eq!(told(late.next().await.unwrap()), ["10!"]);
    // Other tenants are not followed.
    let mut other = engine.tail(&Tenant::new("other").unwrap(), TailRequest { expr, start_ns: T0, limit: 2 }).await.unwrap();
    store.append(&tenant, batch(CART, &[(96, "n=11")])).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), other.next()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_told_that_something_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = store(dir.path()).await;
    let (engine, tenant) = (Engine::new(store.clone(), clock, Settings::default()), Tenant::default());
    let mut tail = engine.tail(&tenant, TailRequest { expr: logs("{service_name=\"cart\"}"), start_ns: T0, limit: 1 }).await.unwrap();
    for number in 0..300 {
        store.append(&tenant, batch(CART, &[(number, "line")])).await.unwrap();
    }
    let missed = match tail.next().await.unwrap() {
        Some(Tailed::Missed(batches)) => batches,
        other => panic!("{other:?}"),
    };
    let mut got = 0;
    while let Ok(tailed) = tokio::time::timeout(Duration::from_millis(20), tail.next()).await {
        got += told(tailed.unwrap()).len() as u64;
    }
    assert_eq!(missed + got, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_are_gone_wherever_they_lie() {
    for (place, world) in worlds().await {
        let count = async |query: &str| {
            let request = LogRequest { expr: logs(query), range: RANGE, limit: 1_000, direction: Direction::Forward };
            world.engine.logs(&world.tenant, request).await.unwrap().entries.len()
        };
        let range = TimeRange::from_ns(T0, T0 + 150 * SECOND);
        let expr = logs("{service_name=\"cart\"} |= \"timeout\" | http_status_code = 500");
        assert_eq!(world.engine.delete_logs(&world.tenant, expr.clone(), range, "request 1").await.unwrap(), 11, "{place}");
        assert_eq!((count("{service_name=\"cart\"} |= \"timeout\"").await, count("{service_name=~\".+\"}").await), (9, 289), "{place}");
        let deletions = world.engine.log_deletions(&world.tenant);
        assert_eq!(deletions.iter().map(|deletion| (deletion.reason.as_str(), deletion.rows)).collect::<Vec<_>>(), [("request 1", 11)], "{place}");
        // Again there is nothing to delete, and no deletion to note.
        assert_eq!(world.engine.delete_logs(&world.tenant, expr, range, "request 2").await.unwrap(), 0, "{place}");
        assert_eq!(world.engine.log_deletions(&world.tenant).len(), 1, "{place}");
        // Another tenant sees none of it.
        assert!(world.engine.log_deletions(&Tenant::new("other").unwrap()).is_empty(), "{place}");
        world.engine.clean_tombstones().await.unwrap();
        assert_eq!((count("{service_name=~\".+\"}").await, world.engine.log_deletions(&world.tenant).len()), (289, 0), "{place}");
    }
}
