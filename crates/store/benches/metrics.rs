//! Metrics through the store on a real disk: appended, flushed, compacted, and read back whole and narrow.
//!
//! `cargo bench -p signalbox-store --bench metrics -- [hosts] [hours]`; the directory is `TMPDIR`'s. Values are those of a
//! node exporter, about: two of five series constant, buckets, counters of integers and of decimals, gauges, a few true
//! doubles; scraped every 15 s, one scrape in four some milliseconds early or late.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench reports to whoever runs it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use signalbox_model::{Batch, Labels, MatchOp, Matcher, MetricBatch, SeriesEntry, SeriesKey, Tenant, TimeRange};
use signalbox_store::disk::RealDisk;
use signalbox_store::{Settings, Store};
use signalbox_telemetry::SystemClock;

const SERIES_PER_HOST: usize = 195;
const SCRAPE_MS: i64 = 15_000;
const FIRST_MS: i64 = 1_700_000_000_000;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn fraction(&mut self) -> f64 {
        self.below(1 << 40) as f64 / (1u64 << 40) as f64
    }

    /// The next value of a series, by its place among the hundred kinds.
    fn next(&mut self, kind: usize, value: f64) -> f64 {
        match kind {
            0..42 => value,
            42..60 => value + if self.below(3) == 0 { self.below(8) as f64 } else { 0.0 },
            60..74 => value + self.below(5000) as f64,
            74..84 => ((value + self.fraction() * 0.2) * 100.0).round() / 100.0,
            84..93 => 10_000.0 + self.below(3000) as f64,
            93..96 => (self.fraction() * 1000.0).round() / 10.0,
            _ => value + self.fraction(),
        }
    }
}

fn labels(host: usize, number: usize) -> Labels {
    let name = format!("node_metric_{}_total", number % 60);
    let (instance, device) = (format!("host-{host:03}.example.org:9100"), format!("dev{}", number / 60));
    let mode = ["idle", "user", "system", "iowait", "nice"][number % 5];
    Labels::from_pairs([("__name__", name.as_str()), ("instance", &instance), ("job", "node"), ("device", &device), ("mode", mode)])
}

fn main() {
    let numbers: Vec<i64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (hosts, hours) = (numbers.first().map_or(4, |hosts| *hosts as usize), numbers.get(1).copied().unwrap_or(24));
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = Settings { flush_interval_seconds: u64::MAX, flush_wal_bytes: u64::MAX, ..Settings::default() };
        let store = Store::open(settings, dir.path(), Arc::new(RealDisk::new(dir.path())), Arc::new(SystemClock)).await.unwrap();
        let samples = append(&store, hosts, hours).await;
        timed("flush", samples, || async { store.flush().await.unwrap() }).await;
        report(&store, dir.path(), samples);
        timed("maintain", samples, || async { store.maintain().await.unwrap() }).await;
        report(&store, dir.path(), samples);
        store.close().await.unwrap();
    });
}

async fn timed<F: Future<Output = ()>>(what: &str, samples: u64, run: impl FnOnce() -> F) {
    let start = Instant::now();
    run().await;
    println!("{what}: {:.1} ns/sample", start.elapsed().as_nanos() as f64 / samples as f64);
}

async fn append(store: &Store, hosts: usize, hours: i64) -> u64 {
    let (mut random, tenant) = (Random(88_172_645_463_325_252), Tenant::default());
    let mut values: Vec<f64> = (0..hosts * SERIES_PER_HOST).map(|_| random.below(100_000) as f64).collect();
    let known = store.known_series(&tenant);
    let (start, mut samples) = (Instant::now(), 0u64);
    for scrape in 0..hours * 3600 * 1000 / SCRAPE_MS {
        let mut requests = Vec::new();
        for host in 0..hosts {
            let jitter = if random.below(4) == 0 { random.below(9) as i64 - 4 } else { 0 };
            let ts_ms = FIRST_MS + scrape * SCRAPE_MS + host as i64 * 37 + jitter;
            let mut batch = MetricBatch::default();
            for number in 0..SERIES_PER_HOST {
                let at = host * SERIES_PER_HOST + number;
                values[at] = random.next(number * 100 / SERIES_PER_HOST, values[at]);
                let key = SeriesKey(at as u128 * 7919);
                batch.series.push(known.find(key).map_or_else(|| SeriesEntry::New { key, labels: labels(host, number) }, SeriesEntry::Known));
                batch.samples.push(number as u32, ts_ms, values[at]);
                samples += 1;
            }
            requests.push(store.append(&tenant, vec![Batch::Metrics(batch)]));
        }
        for result in futures::future::join_all(requests).await {
            result.unwrap();
        }
    }
    println!("append: {samples} samples, {:.1} ns/sample, generated and synced", start.elapsed().as_nanos() as f64 / samples as f64);
    samples
}

fn report(store: &Store, dir: &Path, samples: u64) {
    println!("segments: {:.4} bytes/sample", bytes_of(dir) as f64 / samples as f64);
    let name = "node_metric_7_total";
    let one = [Matcher::equal("__name__", name), Matcher::equal("instance", "host-001.example.org:9100"), Matcher::equal("device", "dev1")];
    let regex = [Matcher::new("__name__", MatchOp::Regex, "node_metric_1.*").unwrap()];
    let selections: [(&str, &[Matcher]); 4] = [("one series", &one), ("one metric", &[Matcher::equal("__name__", name)]), ("regex", &regex), ("all", &[])];
    for (what, matchers) in selections {
        for round in ["first", "again"] {
            let (start, snapshot, mut rows) = (Instant::now(), store.snapshot(Tenant::default()), 0);
            let series = snapshot.select(matchers, TimeRange::ALL, usize::MAX).unwrap();
            let selected = start.elapsed();
            snapshot
                .read(&series, TimeRange::ALL, &mut |_, samples| {
                    rows += samples.ts_ms.len();
                    Ok(())
                })
                .unwrap();
            let total = start.elapsed();
            let each = total.as_nanos() as f64 / rows.max(1) as f64;
            println!("  {what}, {round}: {} series, {rows} rows, select {selected:.1?}, total {total:.1?}, {each:.2} ns/sample", series.len());
        }
    }
}

/// Bytes of the Parquet files below a directory.
fn bytes_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            found if found.is_dir() => bytes_of(&entry.path()),
            found if entry.path().extension().is_some_and(|extension| extension == "parquet") => found.len(),
            _ => 0,
        })
        .sum()
}
