//! PromQL over a store whose samples are in the head: what a sample costs, from the buffers of the head to the answer.
//!
//! `cargo bench -p signalbox-query --bench promql`. Without a library for benches: the features that one enables would compile
//! DataFusion once more for the tests of this crate.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench reports to whoever runs it")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use signalbox_lang::promql::parse;
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlRequest, Times};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_telemetry::SystemClock;

const FIRST_MS: i64 = 1_700_000_000_000;
const SCRAPE_MS: i64 = 15_000;
/// Six hours.
const SCRAPES: i64 = 1_440;
const HOSTS: u32 = 25;
/// Times that each query is asked.
const ROUNDS: usize = 31;
const MODES: [&str; 8] = ["idle", "user", "system", "iowait", "irq", "softirq", "steal", "nice"];
const BOUNDS: [&str; 8] = ["0.01", "0.05", "0.1", "0.5", "1", "5", "10", "+Inf"];

/// 200 counters of processors and 200 buckets of histograms, each with a reset now and then.
fn batch() -> MetricBatch {
    let mut batch = MetricBatch::default();
    for host in 0..HOSTS {
        let instance = format!("host-{host:03}:9100");
        for (index, mode) in MODES.into_iter().enumerate() {
            let labels = Labels::from_pairs([("__name__", "cpu_seconds_total"), ("instance", instance.as_str()), ("mode", mode)]);
            push(&mut batch, labels, index as i64 + 1);
        }
        for (index, bound) in BOUNDS.into_iter().enumerate() {
            let labels = Labels::from_pairs([("__name__", "latency_seconds_bucket"), ("instance", instance.as_str()), ("le", bound)]);
            push(&mut batch, labels, index as i64 + 1);
        }
    }
    batch
}

fn push(batch: &mut MetricBatch, labels: Labels, slope: i64) {
    let series = batch.series.len() as u32;
    batch.series.push(SeriesEntry::New { key: SeriesKey(u128::from(series) + 1), labels });
    for scrape in 0..SCRAPES {
        let since_reset = (scrape + i64::from(series) * 7) % 1_000;
        batch.samples.push(series, FIRST_MS + scrape * SCRAPE_MS, (since_reset * slope) as f64 * 0.25);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tenant = Tenant::default();
    let engine = runtime.block_on(async {
        let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
        let store = Store::open(signalbox_store::Settings::default(), dir.path(), disk, Arc::new(SystemClock)).await.unwrap();
        store.append(&tenant, vec![Batch::Metrics(batch())]).await.unwrap();
        Engine::new(store, Arc::new(SystemClock), Settings::default())
    });
    let times = Times::Range { start_ms: FIRST_MS + 300_000, end_ms: FIRST_MS + SCRAPES * SCRAPE_MS, step_ms: 60_000 };
    for (name, query) in [
        ("sum by rate", "sum by (mode) (rate(cpu_seconds_total[5m]))"),
        ("histogram_quantile", "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))"),
        ("selector", "cpu_seconds_total"),
        ("ratio", "sum by (mode) (rate(cpu_seconds_total[5m])) / ignoring (mode) group_left sum(rate(cpu_seconds_total[5m]))"),
    ] {
        let request = PromqlRequest { expr: parse(query).unwrap(), text: query.to_owned(), times, lookback: None, timeout: None };
        let mut nanoseconds: Vec<u128> = Vec::new();
        let mut samples = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let answer = black_box(runtime.block_on(engine.promql(&tenant, request.clone())).unwrap());
            nanoseconds.push(start.elapsed().as_nanos());
            samples = answer.samples_read;
        }
        nanoseconds.sort_unstable();
        let (best, median) = (nanoseconds[0], nanoseconds[ROUNDS / 2]);
        let per_sample = |total: u128| total as f64 / samples as f64;
        println!(
            "{name}: {samples} samples, best {:.2} ms ({:.2} ns a sample), median {:.2} ms ({:.2} ns a sample)",
            best as f64 / 1e6,
            per_sample(best),
            median as f64 / 1e6,
            per_sample(median)
        );
    }
}
