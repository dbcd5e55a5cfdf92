//! The same random samples in every placement the store knows, with and without what is kept of an earlier reading: random
//! queries have the same answers, bit for bit.

use std::sync::Arc;

use signalbox_lang::promql::parse;
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, Tenant};
use signalbox_query::promql::{PromqlRequest, Times, Value};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

const SCRAPE_MS: i64 = 15_000;
const SCRAPES: i64 = 160;
const T0_MS: i64 = 1_700_000_000_000;
const TARGETS: usize = 3;
const SERIES: usize = 8;
const SEEDS: u64 = 3;
const QUERIES: usize = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// One scrape of one target: series with their values; some miss a scrape, end, or begin again.
struct Scrape {
    target: usize,
    ts_ms: i64,
    samples: Vec<(usize, f64)>,
}

/// Where `has_plain_half`, the first half has whole numbers and no markers: such segments are read without their values.
fn scrapes(random: &mut Random, has_plain_half: bool) -> Vec<Scrape> {
    let mut values = [[0.0f64; SERIES]; TARGETS];
    let mut made = Vec::new();
    for scrape in 0..SCRAPES {
        for (target, values) in values.iter_mut().enumerate() {
            // The first target scrapes on the dot, so that its series share times; the others jitter.
            let jitter = if target == 0 { 0 } else { random.below(5) as i64 };
            let mut samples = Vec::new();
            for (series, value) in values.iter_mut().enumerate() {
                let is_plain = has_plain_half && scrape < SCRAPES / 2;
                *value = match random.below(40) {
                    _ if is_plain => *value + random.below(50) as f64,
                    0 => random.below(3) as f64,
                    1 => f64::from_bits(STALE_NAN_BITS),
                    2 if series == 7 => f64::NAN,
                    3 if series == 6 => f64::INFINITY,
                    _ if !value.is_finite() => random.below(10) as f64,
                    _ => *value + random.below(50) as f64 / if series % 2 == 0 { 1.0 } else { 7.0 },
                };
                if target != 1 || random.below(12) > 0 {
                    samples.push((series, *value));
                }
            }
            made.push(Scrape { target, ts_ms: T0_MS + scrape * SCRAPE_MS + jitter, samples });
        }
    }
    made
}

fn batch(scrape: &Scrape) -> Batch {
    let mut batch = MetricBatch::default();
    for (position, (series, value)) in scrape.samples.iter().enumerate() {
        let (pod, code) = (format!("pod-{}", scrape.target), series.to_string());
        let labels = Labels::from_pairs([("__name__", "x_total"), ("pod", &pod), ("code", &code), ("half", if *series < 4 { "low" } else { "high" })]);
        batch.series.push(SeriesEntry::New { key: SeriesKey((scrape.target * 100 + series) as u128 + 1), labels });
        batch.samples.push(position as u32, scrape.ts_ms, *value);
    }
    Batch::Metrics(batch)
}

/// How the samples come to lie.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Placement {
    Head,
    Segment,
    /// Four segments one after the other, and a head.
    Slices,
    /// As [`Self::Slices`], merged.
    Merged,
    /// Every third scrape in a segment of its own, every third late in the head: nothing is in order.
    Interleaved,
}

async fn engine(scrapes: &[Scrape], placement: Placement, cache_bytes: u64) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns((T0_MS + SCRAPES * SCRAPE_MS) * 1_000_000));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let settings = signalbox_store::Settings { metric_cache_bytes: cache_bytes, ..signalbox_store::Settings::small() };
    let store = Store::open(settings, dir.path(), disk, clock.clone()).await.unwrap();
    let tenant = Tenant::default();
    let append = async |part: &mut dyn Iterator<Item = &Scrape>| {
        let all: Vec<_> = part.map(|scrape| store.append(&tenant, vec![batch(scrape)])).collect();
        futures::future::join_all(all).await.into_iter().for_each(|done| done.unwrap());
    };
    match placement {
        Placement::Head | Placement::Segment => {
            append(&mut scrapes.iter()).await;
            if placement == Placement::Segment {
                store.flush().await.unwrap();
            }
        }
        Placement::Slices | Placement::Merged => {
            for (at, slice) in scrapes.chunks(scrapes.len() / 5).enumerate() {
                append(&mut slice.iter()).await;
                if at < 4 {
                    store.flush().await.unwrap();
                }
            }
            if placement == Placement::Merged {
                store.maintain().await.unwrap();
            }
        }
        Placement::Interleaved => {
            for third in [1, 0, 2] {
                append(&mut scrapes.iter().enumerate().filter(|(at, _)| at % 3 == third).map(|(_, scrape)| scrape)).await;
                if third == 1 {
                    store.flush().await.unwrap();
                }
            }
        }
    }
    (Engine::new(store, clock, Settings::default()), dir)
}

fn query(random: &mut Random) -> String {
    let function = random.pick(&["rate", "increase", "delta", "irate", "avg_over_time", "max_over_time", "count_over_time", "last_over_time", "changes"]);
    let matchers = random.pick(&["", "{pod=\"pod-0\"}", "{pod=~\"pod-[12]\",code!=\"3\"}", "{half=\"low\"}", "{pod!~\"pod-0|\"}"]);
    let (range, offset) = (random.pick(&["20s", "1m", "5m", "20m"]), random.pick(&["", "", " offset 3m", " @ end()"]));
    let ranged = format!("{function}(x_total{matchers}[{range}]{offset})");
    match random.below(9) {
        0 => ranged,
        1 => format!("sum by (pod) ({ranged})"),
        2 => format!("avg without (code) ({ranged})"),
        3 => format!("topk(2, {ranged})"),
        4 => format!("sum({ranged}) / count(x_total{matchers}{offset})"),
        5 => format!("{function}(x_total{matchers}[{range}:20s]{offset})"),
        6 => format!("absent(x_total{matchers}{offset})"),
        7 => format!("timestamp(x_total{matchers}{offset})"),
        _ => format!("count by (half) (x_total{matchers}{offset})"),
    }
}

fn times(random: &mut Random) -> Times {
    let (end_ms, step_ms) = (T0_MS + random.below(SCRAPES as u64 * 16) as i64 * 1_000, [1_000, 15_000, 60_000, 61_000][random.below(4) as usize]);
    match random.below(4) {
        0 => Times::Instant(end_ms),
        _ => Times::Range { start_ms: end_ms - random.below(200) as i64 * step_ms, end_ms, step_ms },
    }
}

/// Values as bits, so that NaN equals itself and zeros differ.
fn bits(value: &Value) -> String {
    let point = |ts_ms: &i64, value: &f64| format!("{ts_ms}:{:x}", value.to_bits());
    match value {
        Value::Vector(samples) => {
            let sample = |sample: &signalbox_query::promql::VectorSample| match &sample.point {
                signalbox_query::promql::Point::Float(value) => format!("{:?} {}", sample.labels, point(&sample.ts_ms, value)),
                other => format!("{other:?}"),
            };
            samples.iter().map(sample).collect::<Vec<_>>().join("\n")
        }
        Value::Matrix(series) => {
            let floats = |floats: &[(i64, f64)]| floats.iter().map(|(ts_ms, value)| point(ts_ms, value)).collect::<Vec<_>>().join(" ");
            series.iter().map(|series| format!("{:?} {}", series.labels, floats(&series.floats))).collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn random_queries_have_the_same_bits_in_every_placement_and_when_asked_again() {
    for seed in 1..=SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let scrapes = scrapes(&mut random, seed != 2);
        let mut engines = Vec::new();
        // A cache of no bytes keeps nothing: what it answers is decoded each time.
        for (placement, cache_bytes) in [
            (Placement::Segment, 0),
            (Placement::Head, 0),
            (Placement::Segment, 16 << 20),
            (Placement::Slices, 16 << 20),
            (Placement::Merged, 4_000),
            (Placement::Interleaved, 16 << 20),
        ] {
            engines.push((placement, engine(&scrapes, placement, cache_bytes).await));
        }
        let (mut asked, mut answered) = (0, 0);
        for _ in 0..QUERIES {
            let (text, times) = (query(&mut random), times(&mut random));
            let request = PromqlRequest { expr: parse(&text).unwrap(), text: text.clone(), times, lookback: None, timeout: None };
            let mut want: Option<Result<String, String>> = None;
            for (placement, (engine, _)) in &engines {
                for round in ["first", "again"] {
                    let found = engine.promql(&Tenant::default(), request.clone()).await;
                    let found = found.map(|answer| bits(&answer.value)).map_err(|error| error.message().to_owned());
                    answered += usize::from(found.as_ref().is_ok_and(|text| text.len() > 50));
                    asked += 1;
                    let want = want.get_or_insert_with(|| found.clone());
                    assert_eq!(&found, want, "seed {seed}: {text} at {times:?}, {placement:?}, {round}");
                }
            }
        }
        assert!(answered * 2 > asked, "{answered} of {asked} had an answer");
    }
}
