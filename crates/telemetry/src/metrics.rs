//! A registry of counters, gauges and histograms with small closed label sets.
//!
//! Handles are cheap to clone and to count in: look one up once, keep it. The registry is process-wide because what it
//! describes is the process; everything else of Signalbox is passed as an argument.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::names::Name;

/// Only goes up.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Upper bounds of the buckets of every histogram, in seconds: from a sync of a fast disk to a slow query.
pub const BOUNDS_SECONDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Distribution of durations.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug, Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS_SECONDS.len()],
    count: AtomicU64,
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// Records one duration.
    pub fn observe(&self, duration: std::time::Duration) {
        let seconds = duration.as_secs_f64();
        for (bucket, bound) in self.0.buckets.iter().zip(BOUNDS_SECONDS) {
            if seconds <= bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.sum_nanos.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// One value of a metric at an instant, for exposition and for the own store.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Metric family, for type and help.
    pub family: &'static str,
    /// Help of the family.
    pub help: &'static str,
    /// Type of the family: `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Name of the series (with `_bucket`, `_sum`, `_count` for histograms).
    pub name: String,
    /// Labels, sorted.
    pub labels: Vec<(String, String)>,
    /// Value.
    pub value: f64,
}

#[derive(Debug, Clone)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

type Key = (&'static str, Vec<(String, String)>);

/// All metrics of the process.
#[derive(Debug, Default)]
pub struct Registry {
    cells: Mutex<BTreeMap<Key, (Name, Cell)>>,
}

/// The registry of the process.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);
    &REGISTRY
}

impl Registry {
    /// The counter with these labels.
    pub fn counter(&self, name: Name, labels: &[(&str, &str)]) -> Counter {
        match self.cell(name, labels, || Cell::Counter(Counter::default())) {
            Cell::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge with these labels.
    pub fn gauge(&self, name: Name, labels: &[(&str, &str)]) -> Gauge {
        match self.cell(name, labels, || Cell::Gauge(Gauge::default())) {
            Cell::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram with these labels.
    pub fn histogram(&self, name: Name, labels: &[(&str, &str)]) -> Histogram {
        match self.cell(name, labels, || Cell::Histogram(Histogram::default())) {
            Cell::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    fn cell(&self, name: Name, labels: &[(&str, &str)], make: impl FnOnce() -> Cell) -> Cell {
        let mut labels: Vec<(String, String)> = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        labels.sort_unstable();
        self.cells.lock().entry((name.name, labels)).or_insert_with(|| (name, make())).1.clone()
    }

    /// All values now, sorted by family and labels.
    pub fn read(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for ((family, labels), (name, cell)) in self.cells.lock().iter() {
            let mut push = |kind, suffix: &str, labels: Vec<(String, String)>, value| {
                readings.push(Reading { family, help: name.help, kind, name: format!("{family}{suffix}"), labels, value });
            };
            match cell {
                Cell::Counter(counter) => push("counter", "", labels.clone(), counter.get() as f64),
                Cell::Gauge(gauge) => push("gauge", "", labels.clone(), gauge.get()),
                Cell::Histogram(histogram) => {
                    let with_bound = |bound: String| labels.iter().cloned().chain([("le".to_owned(), bound)]).collect::<Vec<_>>();
                    for (bucket, bound) in histogram.0.buckets.iter().zip(BOUNDS_SECONDS) {
                        push("histogram", "_bucket", with_bound(bound.to_string()), bucket.load(Ordering::Relaxed) as f64);
                    }
                    let count = histogram.0.count.load(Ordering::Relaxed) as f64;
                    push("histogram", "_bucket", with_bound("+Inf".to_owned()), count);
                    push("histogram", "_sum", labels.clone(), histogram.0.sum_nanos.load(Ordering::Relaxed) as f64 / 1e9);
                    push("histogram", "_count", labels.clone(), count);
                }
            }
        }
        readings
    }
}

/// Readings in Prometheus' text format 0.0.4. The readings of a family MUST follow each other.
pub fn render(readings: &[Reading]) -> String {
    let (mut out, mut family) = (String::new(), "");
    for reading in readings {
        if reading.family != family {
            family = reading.family;
            // Writing into a String cannot fail.
            let _written = writeln!(out, "# HELP {family} {}\n# TYPE {family} {}", reading.help, reading.kind);
        }
        let labels: Vec<String> = reading.labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        let _written = if labels.is_empty() {
            writeln!(out, "{} {}", reading.name, reading.value)
        } else {
            writeln!(out, "{}{{{}}} {}", reading.name, labels.join(","), reading.value)
        };
    }
    out
}
