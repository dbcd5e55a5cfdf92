//! Samples by step, with the numbers that Prometheus' own test of its statistics expects.

use std::sync::Arc;

use signalbox_lang::promql::parse;
use signalbox_model::histogram::Span;
use signalbox_model::{Batch, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlRequest, Times};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

/// One series, three series and one of histograms, a sample each ten seconds from 0 to 1,000 seconds.
async fn engine() -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(2_000_000_000_000));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::default(), dir.path(), disk, clock.clone()).await.unwrap();
    let mut batch = MetricBatch::default();
    let names: [&[(&str, &str)]; 5] = [
        &[("__name__", "one")],
        &[("__name__", "three"), ("a", "1"), ("b", "1")],
        &[("__name__", "three"), ("a", "2"), ("b", "2")],
        &[("__name__", "three"), ("a", "3"), ("b", "2")],
        &[("__name__", "histogram")],
    ];
    for (series, pairs) in names.iter().enumerate() {
        let labels = Labels::from_pairs(pairs.iter().copied());
        batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        for step in 0..=100_i64 {
            if series < 4 {
                batch.samples.push(series as u32, step * 10_000, (step + 1) as f64);
                continue;
            }
            let histogram = Histogram {
                schema: 1,
                count: (5 + step * 10) as f64,
                sum: 20.0,
                positive_spans: vec![Span { offset: 0, length: 4 }],
                positive_buckets: vec![(1 + step) as f64, (2 + 2 * step) as f64, (1 + 3 * step) as f64, (1 + 4 * step) as f64],
                ..Histogram::default()
            };
            batch.histograms.push(HistogramSample { series: 4, ts_ms: step * 10_000, start_ms: 0, is_delta: false, histogram });
        }
    }
    store.append(&Tenant::default(), vec![Batch::Metrics(batch)]).await.unwrap();
    (Engine::new(store, clock, Settings::default()), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_counted_as_prometheus_does() {
    let (engine, _dir) = engine().await;
    let at = |seconds: i64| Times::Instant(seconds * 1_000);
    let range = |start: i64, end: i64, step: i64| Times::Range { start_ms: start * 1_000, end_ms: end * 1_000, step_ms: step * 1_000 };
    // Query, times, samples taken by step, samples read by step.
    let cases: &[(&str, Times, &[u64], &[u64])] = &[
        ("\"text\"", at(21), &[0], &[0]),
        ("1", at(21), &[0], &[0]),
        ("one", at(21), &[1], &[1]),
        ("histogram", at(21), &[13], &[13]),
        ("timestamp(histogram)", at(21), &[1], &[1]),
        ("one offset 10s", at(21), &[1], &[1]),
        ("one @ 15", at(21), &[1], &[1]),
        ("one[60s]", at(201), &[6], &[6]),
        ("histogram[60s]", at(201), &[78], &[78]),
        ("max_over_time(one[60s])[20s:5s]", at(201), &[24], &[8]),
        ("max_over_time(histogram[60s])[20s:5s]", at(201), &[312], &[104]),
        ("one[60s:5s] offset 10s", at(201), &[12], &[12]),
        ("one[60s] @ 30", at(201), &[4], &[4]),
        ("sum_over_time(one[60s])", at(201), &[6], &[6]),
        ("sum(three) / sum(one)", at(201), &[4], &[4]),
        ("one", range(201, 220, 5), &[1, 1, 1, 1], &[1, 1, 1, 1]),
        ("three", range(201, 220, 5), &[3, 3, 3, 3], &[3, 3, 3, 3]),
        // The sample at 210 is new at 211 alone.
        ("rate(one[60s])", range(201, 220, 5), &[6, 6, 6, 6], &[6, 0, 1, 0]),
        ("rate(one[60s] @ 30)", range(201, 220, 5), &[4, 4, 4, 4], &[4, 0, 0, 0]),
        ("sum by (b) (max_over_time(three[60s]))", range(201, 220, 5), &[18, 18, 18, 18], &[18, 0, 3, 0]),
        ("absent_over_time(one[60s])", range(201, 211, 5), &[6, 6, 6], &[6, 0, 1]),
    ];
    for (query, times, taken, read) in cases {
        let request = || PromqlRequest { expr: parse(query).unwrap(), text: (*query).to_owned(), times: *times, lookback: None, timeout: None };
        let counted = engine.promql_counted(&Tenant::default(), request()).await.unwrap();
        let counts = counted.counts.unwrap();
        assert_eq!((counts.taken.as_slice(), counts.read.as_slice()), (*taken, *read), "{query}");
        let plain = engine.promql(&Tenant::default(), request()).await.unwrap();
        assert_eq!((plain.value, plain.counts), (counted.value, None), "{query}");
    }
}
