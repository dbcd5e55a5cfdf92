//! What PromQL says of samples before and after they are rolled up.

use std::sync::Arc;

use signalbox_lang::promql::parse;
use signalbox_model::{Batch, Labels, MatchOp, Matcher, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlRequest, Times, Value};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_store::settings::RollupSettings;
use signalbox_testkit::ManualClock;

const RESOLUTION_MS: i64 = 300_000;
/// A whole multiple of the resolution.
const T0_MS: i64 = 1_700_000_100_000;
const SCRAPE_MS: i64 = 15_000;
const SCRAPES: i64 = 720;
const DAY_MS: i64 = 86_400_000;

/// Three hours, scraped off the dot: a counter that is reset now and then, one that counts on and on, a gauge.
fn batch() -> Batch {
    let mut batch = MetricBatch::default();
    for (series, name) in [(0u32, "reset_total"), (1, "steady_total"), (2, "level")] {
        batch.series.push(SeriesEntry::New { key: SeriesKey(series.into()), labels: Labels::from_pairs([("__name__", name)]) });
    }
    let mut counted = 0;
    for scrape in 0..SCRAPES {
        let ts_ms = T0_MS + scrape * SCRAPE_MS + 7_000;
        // In the middle of windows and at their edges; some resets are overtaken within their window.
        counted = if [33, 90, 100, 101, 119, 120, 400].contains(&scrape) { scrape % 3 } else { counted + scrape * 7 % 11 };
        for (series, value) in [(0, counted), (1, 1_000_000 + scrape * 4), (2, scrape * 37 % 101)] {
            batch.samples.push(series, ts_ms, value as f64);
        }
    }
    Batch::Metrics(batch)
}

async fn ask(engine: &Engine, text: &str) -> Vec<(i64, f64)> {
    let times = Times::Range { start_ms: T0_MS + 4 * RESOLUTION_MS, end_ms: T0_MS + 35 * RESOLUTION_MS, step_ms: RESOLUTION_MS };
    let request = PromqlRequest { expr: parse(text).unwrap(), text: text.to_owned(), times, lookback: None, timeout: None };
    match engine.promql(&Tenant::default(), request).await.unwrap().value {
        Value::Matrix(series) => series.first().map(|series| series.floats.to_vec()).unwrap_or_default(),
        other => panic!("{text}: {other:?}"),
    }
}

#[tokio::test]
async fn at_steps_on_the_grid_nothing_that_was_counted_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ms(T0_MS + SCRAPES * SCRAPE_MS));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let rule = RollupSettings {
        selector: String::new(),
        after_seconds: 7 * 86_400,
        resolution_seconds: RESOLUTION_MS as u64 / 1_000,
        matchers: vec![Matcher::new("__name__", MatchOp::NotEqual, "").unwrap()],
    };
    let settings = signalbox_store::Settings { rollups: vec![rule], ..signalbox_store::Settings::small() };
    let store = Store::open(settings, dir.path(), disk, clock.clone()).await.unwrap();
    store.append(&Tenant::default(), vec![batch()]).await.unwrap();
    store.flush().await.unwrap();
    let engine = Engine::new(store.clone(), clock.clone(), Settings::default());
    let exact = [
        "increase(reset_total[5m] anchored)",
        "increase(reset_total[10m] anchored)",
        "resets(reset_total[20m] anchored)",
        "increase(steady_total[5m] anchored)",
        "reset_total",
        "level",
        "last_over_time(level[5m])",
        "delta(level[15m] anchored)",
    ];
    let close = ["increase(steady_total[10m])", "rate(steady_total[15m])"];
    let mut before = Vec::new();
    for text in exact.iter().chain(&close) {
        before.push(ask(&engine, text).await);
    }
    assert_eq!(ask(&engine, "count_over_time(level[10m])").await[0].1, 40.0);
    clock.step_to_ns((T0_MS + 8 * DAY_MS) * 1_000_000);
    store.maintain().await.unwrap();
    assert_eq!(ask(&engine, "count_over_time(level[10m])").await[0].1, 2.0, "they are rolled up");
    for (text, before) in exact.iter().zip(&before) {
        assert_eq!(before.len(), 32, "{text}");
        assert_eq!(&ask(&engine, text).await, before, "{text}");
    }
    for (text, before) in close.iter().zip(&before[exact.len()..]) {
        let after = ask(&engine, text).await;
        assert_eq!(after.len(), 32, "{text}");
        for ((ts_ms, after), (_, before)) in after.iter().zip(before) {
            assert!((after - before).abs() <= before.abs() * 1e-9, "{text} at {ts_ms}: {before} became {after}");
        }
    }
}
