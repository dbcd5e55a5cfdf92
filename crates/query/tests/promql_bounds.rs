//! PromQL queries that cost too much are refused in words that help; deep ones fit the stack; abandoned ones end.

use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::promql::parse;
use signalbox_model::{Batch, ErrorKind, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlAnswer, PromqlRequest, Times, Value};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

const MINUTE_MS: i64 = 60_000;
const SERIES: u32 = 20;
const SAMPLES: i64 = 120;

/// Twenty counters, a sample a minute for two hours.
async fn engine(settings: Settings) -> Engine {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(86_400_000_000_000));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::default(), dir.path(), disk, clock.clone()).await.unwrap();
    let mut batch = MetricBatch::default();
    for series in 0..SERIES {
        let labels = Labels::from_pairs([("__name__", "requests_total".to_owned()), ("pod", format!("pod-{series}"))]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(u128::from(series) + 1), labels });
        for number in 0..SAMPLES {
            batch.samples.push(series, number * MINUTE_MS, (number * i64::from(series + 1)) as f64);
        }
    }
    store.append(&Tenant::default(), vec![Batch::Metrics(batch)]).await.unwrap();
    Engine::new(store, clock, settings)
}

fn request(query: &str, times: Times) -> PromqlRequest {
    PromqlRequest { expr: parse(query).unwrap(), text: query.to_owned(), times, lookback: None, timeout: None }
}

fn two_hours(step_ms: i64) -> Times {
    Times::Range { start_ms: 0, end_ms: SAMPLES * MINUTE_MS, step_ms }
}

async fn ask(engine: &Engine, query: &str, times: Times) -> Result<PromqlAnswer, (ErrorKind, String)> {
    engine.promql(&Tenant::default(), request(query, times)).await.map_err(|error| (error.kind(), error.message().to_owned()))
}

#[tokio::test]
async fn too_many_steps_are_refused_in_the_words_of_prometheus() {
    let engine = engine(Settings::default()).await;
    let (kind, message) = ask(&engine, "requests_total", two_hours(100)).await.unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
    assert_eq!(message, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
    let (kind, message) = ask(&engine, "max_over_time(requests_total[1y:1ms])", Times::Instant(0)).await.unwrap_err();
    assert_eq!((kind, message.contains("subquery")), (ErrorKind::Limit, true), "{message}");
}

#[tokio::test]
async fn limits_name_the_selector() {
    let engine_of =
        |samples, series, bytes| engine(Settings { promql_samples_max: samples, promql_series_max: series, promql_memory_bytes: bytes, ..Settings::default() });
    let query = r#"sum(requests_total{pod="pod-1"}) / sum(rate(requests_total{pod!="x"}[5m]))"#;
    let engine = engine_of(1_000, 100, 1 << 20).await;
    let (kind, message) = ask(&engine, query, two_hours(MINUTE_MS)).await.unwrap_err();
    assert_eq!(kind, ErrorKind::Limit);
    assert!(message.starts_with("query processing would load too many samples into memory in query execution"), "{message}");
    assert!(message.contains(r#"{pod!="x", __name__="requests_total"}"#), "{message}");
    let engine = engine_of(1 << 30, 10, 1 << 20).await;
    let (kind, message) = ask(&engine, query, two_hours(MINUTE_MS)).await.unwrap_err();
    assert_eq!((kind, message.contains(r#"{pod!="x", __name__="requests_total"}"#)), (ErrorKind::Limit, true), "{message}");
    let engine = engine_of(1 << 30, 100, 1_000).await;
    let (kind, message) = ask(&engine, "requests_total", two_hours(MINUTE_MS)).await.unwrap_err();
    assert_eq!((kind, message.contains("memory")), (ErrorKind::Limit, true), "{message}");
    assert!(message.contains(r#"were read by the selector {__name__="requests_total"}"#), "{message}");
    // The sum of as many series holds one group only.
    let engine = engine_of(1 << 30, 100, 8_000).await;
    assert!(ask(&engine, "sum(requests_total)", two_hours(MINUTE_MS)).await.is_ok());
}

#[tokio::test]
async fn selectors_that_occur_twice_are_read_once() {
    let engine = engine(Settings::default()).await;
    let read = async |query: &str| ask(&engine, query, two_hours(MINUTE_MS)).await.unwrap().samples_read;
    let once = read("rate(requests_total[5m])").await;
    assert_eq!(once, u64::from(SERIES) * SAMPLES as u64);
    assert_eq!(read("sum(rate(requests_total[5m])) / sum(increase(requests_total[10m])) > requests_total or requests_total").await, once);
    // Kept samples must fit the memory: here they are read twice instead.
    let engine = self::engine(Settings { promql_memory_bytes: 20_000, ..Settings::default() }).await;
    let answer = ask(&engine, "sum(rate(requests_total[5m])) / sum(requests_total)", two_hours(MINUTE_MS)).await.unwrap();
    assert_eq!(answer.samples_read, 2 * once);
}

#[tokio::test]
async fn queries_share_one_memory() {
    let engine = engine(Settings { memory_bytes: 768 << 10, ..Settings::default() }).await;
    let (kind, message) = ask(&engine, "requests_total + 1", two_hours(1_000)).await.unwrap_err();
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(message.starts_with("cannot hold 262144 bytes more: all queries together hold 786432: want at most 786432; of "), "{message}");
    assert!(message.ends_with(r#"were read by the selector {__name__="requests_total"}"#), "{message}");
    // What the failed query held is there again.
    for _ in 0..3 {
        assert!(ask(&engine, "requests_total + 1", two_hours(2_000)).await.is_ok());
    }
}

/// The one place is taken by a query that does not end; when nobody waits for it any more, it makes room.
#[tokio::test(flavor = "multi_thread")]
async fn queries_wait_for_a_place_and_leave_it() {
    let engine = engine(Settings { concurrent_max: 1, waiting_max: 0, ..Settings::default() }).await;
    let tenant = Tenant::default();
    {
        let endless = engine.promql(&tenant, request(ENDLESS, two_hours(MINUTE_MS)));
        tokio::pin!(endless);
        assert!(futures_poll_once(endless.as_mut()).await.is_none());
        assert_eq!(ask(&engine, "1", Times::Instant(0)).await.unwrap_err().0, ErrorKind::Unavailable);
    }
    loop {
        match ask(&engine, "1", Times::Instant(0)).await {
            Ok(_) => break,
            Err((kind, _)) => assert_eq!(kind, ErrorKind::Unavailable),
        }
        tokio::task::yield_now().await;
    }
}

const ENDLESS: &str = "quantile_over_time(0.5, sum_over_time(requests_total[2h:100ms])[2h:100ms])";

/// Threads that block have two megabytes of stack.
#[tokio::test]
async fn deep_queries_fit_the_stack() {
    let engine = engine(Settings::default()).await;
    let nested = |open: &str, inner: &str, close: &str, depth: usize| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
    let chain = |operand: &str, operator: &str, count: usize| vec![operand; count].join(operator);
    let queries = [
        nested("abs(", "requests_total", ")", 140),
        nested("sum(", "requests_total", ")", 140),
        nested("(", "1", ")", 140),
        nested("-(", "requests_total", ")", 70),
        nested("histogram_quantile(0.5,", "requests_total", ")", 140),
        nested("label_join(", "requests_total", r#","a","b","c")"#, 140),
        nested("max_over_time(", "requests_total", "[1m:1m])", 140),
        nested("topk(1,", "requests_total", ")", 140),
        nested("requests_total and (", "requests_total", ")", 70),
        chain("requests_total", " + ", 500),
        chain("requests_total", " or ", 500),
        chain("1", " + ", 500),
        chain("1", " ^ ", 140),
        chain("requests_total", " ^ ", 140),
        format!("vector({})", chain("time()", " * ", 500)),
    ];
    for query in queries {
        for times in [Times::Instant(MINUTE_MS), two_hours(30 * MINUTE_MS)] {
            let answer = ask(&engine, &query, times).await;
            assert!(answer.is_ok(), "{}...: {answer:?}", &query[..40]);
        }
    }
}

#[tokio::test]
async fn times_at_the_end_of_time_are_only_times() {
    let engine = engine(Settings::default()).await;
    let queries = [
        "requests_total @ 9223372036854775",
        "requests_total @ -9223372036854775 offset 200y",
        "rate(requests_total[200y] @ 9223372036854775)",
        "rate(requests_total[200y] offset 200y)",
        "max_over_time(requests_total[200y:100d] @ -9223372036854775)",
        "requests_total offset -200y + requests_total offset 200y",
        "increase(requests_total[200y] smoothed)",
        "requests_total smoothed",
        "hour(vector(1e300)) + year(vector(-1e300)) + day_of_week(vector(NaN))",
    ];
    for query in queries {
        for times in [Times::Instant(0), Times::Instant(i64::MAX), Times::Instant(i64::MIN), two_hours(MINUTE_MS)] {
            let answer = ask(&engine, query, times).await;
            assert!(answer.is_ok(), "{query} at {times:?}: {answer:?}");
        }
    }
}

#[test]
fn hostile_texts_are_refused_before_they_are_read() {
    for hostile in ["(".repeat(100_000), "sum(".repeat(25_000), "a+".repeat(50_000), "-".repeat(100_000), "x[1m:1m]".repeat(12_500)] {
        assert!(parse(&hostile).is_err());
    }
}

/// Dropping the runtime waits for the threads that read: a query that did not end would keep the test for hours.
#[test]
fn abandoned_queries_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let engine = engine(Settings::default()).await;
        let tenant = Tenant::default();
        let query = engine.promql(&tenant, request(ENDLESS, two_hours(MINUTE_MS)));
        // Polled once, so that it runs, and then dropped.
        tokio::pin!(query);
        assert!(futures_poll_once(query.as_mut()).await.is_none());
    });
}

async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_request_may_shorten_its_time() {
    let engine = engine(Settings::default()).await;
    let short = PromqlRequest { timeout: Some(Duration::ZERO), ..request("requests_total", Times::Instant(0)) };
    // The manual clock stands still, so that no time passes: zero is not exceeded.
    let answer = engine.promql(&Tenant::default(), short).await.unwrap();
    assert!(matches!(answer.value, Value::Vector(samples) if samples.len() == SERIES as usize));
    assert_eq!(answer.samples_read, u64::from(SERIES));
}
