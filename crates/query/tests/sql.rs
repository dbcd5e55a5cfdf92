//! SQL: answers, pruning, and what is refused.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use signalbox_model::{ErrorKind, Result};
use signalbox_query::sql::SqlLimits;

use crate::world::{World, world_for_one, worlds};

async fn answer(world: &World, query: &str, limits: SqlLimits) -> Result<(Vec<String>, bool)> {
    let mut answer = world.engine.sql(&world.tenant, query, limits).await?;
    let mut rows = Vec::new();
    while let Some(batch) = answer.next().await {
        rows.extend(texts(&batch?));
    }
    Ok((rows, answer.is_cut()))
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::new();
    let columns: Vec<_> = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_from_head_and_segments() {
    let cases: &[(&str, &[&str])] = &[
        ("SELECT count(*) FROM logs", &["300"]),
        ("SELECT service, count(*) FROM logs GROUP BY service ORDER BY service", &["|100", "cart|100", "shop|100"]),
        (
            "SELECT service, severity_text, count(*) FROM logs WHERE service IN ('cart','shop') GROUP BY 1, 2 ORDER BY 1, 2",
            &["cart||80", "cart|ERROR|20", "shop||80", "shop|ERROR|20"],
        ),
        ("SELECT body FROM logs WHERE service = 'cart' AND body LIKE '%done' ORDER BY timestamp DESC LIMIT 2", &["request 297 done", "request 294 done"]),
        ("SELECT attributes['user'] FROM logs WHERE attributes['http.status_code'] = '500' ORDER BY timestamp LIMIT 2", &["user-0", "user-5"]),
        ("SELECT resource_attribute(resource, 'k8s.pod.name') AS pod, count(*) FROM logs GROUP BY pod ORDER BY pod", &["cart-1|100", "shop-1|100", "|100"]),
        ("SELECT count(*) FROM logs WHERE timestamp >= '2023-11-14T22:13:20Z' AND timestamp < '2023-11-14T22:14:20Z'", &["60"]),
        ("SELECT count(*) FROM logs WHERE timestamp BETWEEN '2023-11-14T22:13:20Z' AND '2023-11-14T22:13:21Z'", &["2"]),
        (
            "SELECT name, hex(span_id), duration_ns FROM spans WHERE trace_id = '07070707070707070707070707070707' ORDER BY timestamp",
            &["GET /cart|0101010101010101|70000000", "HGETALL|0202020202020202|5000000"],
        ),
        (
            "SELECT hex(trace_id) FROM spans WHERE '07070707070707070707070707070707' = trace_id AND parent_span_id IS NULL",
            &["07070707070707070707070707070707"],
        ),
        ("SELECT count(*) FROM spans s JOIN logs l ON s.trace_id = l.trace_id WHERE s.service = 'cart'", &["20"]),
        (
            "SELECT name, label(labels, 'host') AS host, count(*), max(value) FROM metrics GROUP BY name, host ORDER BY host",
            &["load|a|60|14.75", "load|b|60|15.75"],
        ),
        ("SELECT value FROM metrics WHERE timestamp = '2023-11-14T22:13:35Z' ORDER BY value", &["0.25", "1.25"]),
        ("SELECT events[1]['name'], links[1]['flags'] FROM spans WHERE service = 'cart' LIMIT 1", &["retry|1"]),
        ("WITH slow AS (SELECT * FROM spans WHERE duration_ns > 150000000) SELECT count(*) FROM slow", &["5"]),
        ("SELECT 1 UNION ALL SELECT 1", &["1", "1"]),
        ("SELECT min(service), max(service) FROM spans", &["cart|shop"]),
    ];
    for (place, world) in worlds().await {
        for (query, want) in cases {
            let (rows, is_cut) = answer(&world, query, SqlLimits::default()).await.unwrap_or_else(|error| panic!("{place}: {query}: {error:?}"));
            assert_eq!((rows.as_slice(), is_cut), (want.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>().as_slice(), false), "{place}: {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_files_are_refused() {
    let (_, world) = worlds().await.remove(0);
    let cases = [
        "",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY logs TO '/tmp/x' STORED AS PARQUET",
        "INSERT INTO logs SELECT * FROM logs",
        "DELETE FROM logs",
        "UPDATE logs SET body = ''",
        "DROP TABLE logs",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "SHOW TABLES",
        "SHOW ALL",
        "DESCRIBE logs",
        "PREPARE p AS SELECT 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * INTO t FROM logs",
        "SELECT * FROM information_schema.tables",
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000)",
        "SELECT * FROM generate_series(1, 1000000000000)",
        "SELECT * FROM nothing",
        "SELECT count(*) FROM spans WHERE trace_id = 'xyz'",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        "EXPLAIN DROP TABLE logs",
        "EXPLAIN ANALYZE INSERT INTO logs SELECT * FROM logs",
        "SELEC 1",
    ];
    for query in cases {
        let error = answer(&world, query, SqlLimits::default()).await.expect_err(query);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{query}: {error:?}");
    }
    let (rows, _) = answer(&world, "EXPLAIN SELECT * FROM logs WHERE service = 'x'", SqlLimits::default()).await.unwrap();
    assert!(!rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    let (_, world) = worlds().await.remove(0);
    let cross = "SELECT count(*) FROM logs a, logs b, logs c, logs d WHERE a.body || b.body || c.body <> d.body";
    let limits = SqlLimits { timeout: Some(std::time::Duration::from_millis(200)), ..SqlLimits::default() };
    assert_eq!(answer(&world, cross, limits).await.unwrap_err().kind(), ErrorKind::Timeout);
    let limits = SqlLimits { memory_bytes: Some(10_000), ..SqlLimits::default() };
    let sorted = "SELECT a.body, b.body FROM logs a, logs b ORDER BY a.body || b.body";
    assert_eq!(answer(&world, sorted, limits).await.unwrap_err().kind(), ErrorKind::Limit);
    let limits = SqlLimits { rows: Some(7), ..SqlLimits::default() };
    let (rows, is_cut) = answer(&world, "SELECT body FROM logs", limits).await.unwrap();
    assert_eq!((rows.len(), is_cut), (7, true));
    let (rows, is_cut) = answer(&world, "SELECT body FROM logs LIMIT 7", limits).await.unwrap();
    assert_eq!((rows.len(), is_cut), (7, false));
    let long = format!("SELECT {}1", "1 + ".repeat(100_000));
    assert_eq!(answer(&world, &long, SqlLimits::default()).await.unwrap_err().kind(), ErrorKind::TooLarge);
    let deep = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(answer(&world, &deep, SqlLimits::default()).await.unwrap_err().kind(), ErrorKind::Invalid);
}

/// On the one thread of this test nothing else could run while a plan computed there.
#[tokio::test]
async fn who_computes_for_long_keeps_nobody_waiting_and_gives_its_place_back() {
    let world = world_for_one().await;
    let limits = SqlLimits { timeout: Some(std::time::Duration::from_millis(200)), ..SqlLimits::default() };
    // Billions of rows of one batch, which a count swallows.
    for query in ["SELECT count(*) FROM logs a, logs b, logs c, logs d", "SELECT count(*) FROM logs a JOIN logs b ON a.timestamp > b.timestamp, logs c, logs d"]
    {
        assert_eq!(answer(&world, query, limits).await.unwrap_err().kind(), ErrorKind::Timeout, "{query}");
        assert_eq!(answer(&world, "SELECT count(*) FROM logs", SqlLimits::default()).await.unwrap().0, ["300"], "after {query}");
    }
}

#[tokio::test]
async fn an_engine_apart_does_not_wait_for_a_place() {
    let world = world_for_one().await;
    let apart = World { engine: world.engine.apart(), tenant: world.tenant.clone(), dir: Arc::clone(&world.dir) };
    let held = world.engine.sql(&world.tenant, "SELECT a.body FROM logs a, logs b", SqlLimits::default()).await.unwrap();
    let limits = SqlLimits { timeout: Some(std::time::Duration::from_millis(50)), ..SqlLimits::default() };
    assert_eq!(answer(&world, "SELECT 1", limits).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(answer(&apart, "SELECT count(*) FROM logs", SqlLimits::default()).await.unwrap().0, ["300"]);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_each_other() {
    let (_, world) = worlds().await.remove(0);
    let other = signalbox_model::Tenant::new("other").unwrap();
    let mut rows = world.engine.sql(&other, "SELECT count(*) FROM logs", SqlLimits::default()).await.unwrap();
    assert_eq!(texts(&rows.next().await.unwrap().unwrap()), ["0"]);
}
