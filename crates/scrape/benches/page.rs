//! One scrape of a page like a node-exporter's, without the network and without the store: the first one, the same page again,
//! and a page in which every value has changed and the order has not.

#![allow(missing_docs, reason = "criterion makes functions without them")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{KnownSeries, Labels, SeriesKey, SeriesRef};
use signalbox_scrape::config::ScrapeConfig;
use signalbox_scrape::exposition::Format;
use signalbox_scrape::page::{Cache, Moment, Page, Rules, write};

/// A head that knows everything.
struct Known;

impl KnownSeries for Known {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        Some(SeriesRef(key.0 as u32))
    }
}

/// About 5,000 samples.
fn page(round: usize) -> String {
    let mut page = String::new();
    for family in 0..100 {
        // Writing into a String cannot fail.
        let _written =
            writeln!(page, "# HELP node_family_{family}_seconds_total Seconds that something took.\n# TYPE node_family_{family}_seconds_total counter");
        for cpu in 0..10 {
            for (number, mode) in ["idle", "iowait", "system", "user", "nice"].into_iter().enumerate() {
                let value = (round * 7 + family * cpu) as f64 + number as f64 * 0.37;
                let _written = writeln!(page, "node_family_{family}_seconds_total{{cpu=\"{cpu}\",mode=\"{mode}\"}} {value}");
            }
        }
    }
    page
}

fn scrapes(criterion: &mut Criterion) {
    let (rules, target) = (Rules::of(&ScrapeConfig::default()), Labels::from_pairs([("instance", "host:9100"), ("job", "node")]));
    let pages = [page(1), page(2)];
    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Elements(5000));
    group.bench_function("first", |bencher| {
        bencher.iter(|| {
            let mut cache = Cache::default();
            let moment = Moment { now_ms: 1, monotonic: Duration::ZERO };
            black_box(write(&mut cache, Page { format: Format::Text, bytes: pages[0].as_bytes() }, &rules, &target, &NoKnownSeries, moment))
        });
    });
    group.bench_function("again", |bencher| {
        let (mut cache, mut now_ms) = (Cache::default(), 0);
        bencher.iter(|| {
            now_ms += 1000;
            let moment = Moment { now_ms, monotonic: Duration::from_millis(now_ms as u64) };
            let page = &pages[(now_ms / 1000 % 2) as usize];
            let outcome = write(&mut cache, Page { format: Format::Text, bytes: page.as_bytes() }, &rules, &target, &Known, moment);
            cache.commit(moment.monotonic, outcome.had_page);
            black_box(outcome)
        });
    });
    group.finish();
}

criterion_group!(benches, scrapes);
criterion_main!(benches);
