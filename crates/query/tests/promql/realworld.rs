//! Queries of real rules and dashboards over real scrape pages: every one is answered.

use std::sync::Arc;

use signalbox_lang::promql::{self, ExprKind};
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlRequest, Times, Value};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::{ManualClock, conformance};

const INTERVAL_MS: i64 = 30_000;
const SCRAPES: i64 = 20;
/// Of the 6335 queries 3 are wrong, and most ask for metrics that are not on the pages.
const ANSWERED_MIN: usize = 100;

/// The samples of a page in the text format: a series reads as a selector.
fn samples(page: &str) -> Vec<(Labels, f64)> {
    let sample = |line: &str| {
        let at = line.find('}').map_or_else(|| line.find(' '), |_| line.rfind('}').map(|at| at + 1)).unwrap();
        let (series, rest) = line.split_at(at);
        let ExprKind::VectorSelector(selector) = promql::parse(series).unwrap().kind else { panic!("no series: {line}") };
        let labels = selector.matchers.into_iter().map(|matcher| (matcher.name, matcher.value));
        (Labels::from_pairs(labels), rest.split_whitespace().next().unwrap().parse().unwrap())
    };
    page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect()
}

/// An engine over the pages, scraped again and again, counters growing.
async fn engine(pages: &[String]) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(86_400_000_000_000));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::default(), dir.path(), disk, clock.clone()).await.unwrap();
    let mut batch = MetricBatch::default();
    for (labels, value) in pages.iter().flat_map(|page| samples(page)) {
        let mut labels = labels.to_builder();
        labels.set("job", "cadvisor").set("instance", "host:8080").set("cluster", "main");
        let labels = labels.build();
        batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        let series = batch.series.len() as u32 - 1;
        (0..SCRAPES).for_each(|scrape| batch.samples.push(series, scrape * INTERVAL_MS, value * (1.0 + scrape as f64 / 100.0)));
    }
    assert!(batch.series.len() > 1_000);
    store.append(&Tenant::default(), vec![Batch::Metrics(batch)]).await.unwrap();
    (Engine::new(store, clock, Settings::default()), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_real_rules_and_dashboards_is_answered() {
    let pages = ["cadvisor.txt", "simple-metrics"].map(|page| conformance::read(&format!("realworld/exposition-pages/{page}")));
    let (Some(pages), Some(facts)) = (pages.into_iter().collect::<Option<Vec<_>>>(), conformance::facts("realworld/queries/promql.jsonl")) else { return };
    let (engine, _dir) = engine(&pages).await;
    let end_ms = (SCRAPES - 1) * INTERVAL_MS;
    let (mut failures, mut answered, mut refused) = (Vec::new(), 0, 0);
    for fact in &facts {
        let (query, is_wrong) = (fact["expr"].as_str().unwrap(), fact["expect_parse_error"] == true);
        let expr = match promql::parse(query) {
            Ok(_) if is_wrong => panic!("{query:?} is accepted"),
            Ok(expr) => expr,
            Err(error) => {
                assert!(is_wrong, "{query:?}: {error}");
                refused += 1;
                continue;
            }
        };
        for times in [Times::Instant(end_ms), Times::Range { start_ms: end_ms - 300_000, end_ms, step_ms: 60_000 }] {
            let request = PromqlRequest { expr: expr.clone(), text: query.to_owned(), times, lookback: None, timeout: None };
            match engine.promql(&Tenant::default(), request).await.map(|answer| answer.value) {
                Ok(Value::Vector(samples)) => answered += usize::from(!samples.is_empty()),
                Ok(Value::Matrix(series)) => answered += usize::from(!series.is_empty()),
                Ok(_) => answered += 1,
                Err(error) => failures.push(format!("{query:?} at {times:?}: {error}")),
            }
        }
    }
    assert_eq!((facts.len(), refused), (6335, 3));
    eprintln!("{answered} of {} answers are not empty", 2 * (facts.len() - refused));
    conformance::report("real queries", 2 * (facts.len() - refused), &failures);
    assert!(answered >= ANSWERED_MIN, "{answered} answers are not empty");
}
