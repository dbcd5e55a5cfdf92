//! Writes what was counted as samples, histograms and exemplars of one instant.
//!
//! A series begins with a sample of 0 at the instant of the last write: so the first increase shows, and what was counted
//! before a restart of the process is told from what comes after it.

use std::time::Duration;

use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Exemplar, Histogram, HistogramSample, KnownSeries, Labels, MetricBatch, MetricKind, MetricMetadata, SeriesEntry, SeriesKey};

use signalbox_model::labels::METRIC_NAME;

use super::durations::{self, Durations};
use super::settings::Histograms;

/// Mixed into the keys of series, so that those of decoders are others.
const OWN_KEYS: u128 = 0x73_7061_6e5f_6d65_7472_6963_735f_6b65;

/// Series of one set of labels.
#[derive(Debug)]
pub(super) struct Series {
    /// Without the name.
    labels: Labels,
    /// In the order of writing.
    keys: Vec<SeriesKey>,
    /// When they began; `None` before the first write.
    start_ms: Option<i64>,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        Self { labels, keys: Vec::new(), start_ms: None }
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What was written is durable.
    pub(super) fn written(&mut self, start_ms: i64) {
        self.start_ms.get_or_insert(start_ms);
    }
}

/// A batch that is being made.
pub(super) struct Output<'a> {
    pub(super) batch: MetricBatch,
    known: &'a dyn KnownSeries,
    kinds: Histograms,
    now_ms: i64,
    /// When series begin that have none of their samples yet.
    before_ms: i64,
    /// Series without spans since are ended.
    idle_before: Duration,
    /// Number of the next series of the same labels.
    next: usize,
    ends: bool,
}

impl<'a> Output<'a> {
    /// At an instant; `before_ms` is the one of the last write.
    pub(super) fn new(known: &'a dyn KnownSeries, kinds: Histograms, (before_ms, now_ms): (i64, i64), idle_before: Duration) -> Self {
        Self { batch: MetricBatch::default(), known, kinds, now_ms, before_ms: before_ms.min(now_ms - 1), idle_before, next: 0, ends: false }
    }

    /// Begins with the series of a set of labels, which had spans last at `touched`.
    pub(super) fn begin(&mut self, series: &mut Series, touched: Duration) {
        self.next = 0;
        self.ends = touched < self.idle_before && series.start_ms.is_some();
    }

    /// A counter.
    pub(super) fn counter(&mut self, name: &str, series: &mut Series, value: u64) {
        self.float(name, series, None, value as f64);
    }

    /// A gauge without a beginning.
    pub(super) fn gauge(&mut self, name: &str, series: &mut Series, value: f64) {
        let index = self.index(name, series, None);
        self.batch.samples.push(index, self.now_ms, value);
    }

    /// Durations in seconds.
    pub(super) fn durations(&mut self, name: &str, series: &mut Series, durations: &Durations, bounds_ns: &[u64]) {
        if self.kinds != Histograms::Classic {
            let index = self.index(name, series, None);
            if series.start_ms.is_none() {
                self.histogram(index, self.before_ms, self.before_ms, durations::empty());
            }
            let ended = || Histogram { sum: f64::from_bits(STALE_NAN_BITS), ..durations::empty() };
            let histogram = if self.ends { ended() } else { durations.histogram() };
            self.histogram(index, self.now_ms, series.start_ms.unwrap_or(self.before_ms), histogram);
            self.exemplar(index, durations);
        }
        if self.kinds != Histograms::Native {
            self.classic(name, series, durations, bounds_ns);
        }
    }

    fn classic(&mut self, name: &str, series: &mut Series, durations: &Durations, bounds_ns: &[u64]) {
        let bucket = format!("{name}_bucket");
        let exemplified = durations.example.map(|example| Durations::bucket_of(example.duration_ns, bounds_ns));
        let counts = durations.cumulative().chain(std::iter::repeat(0));
        for (at, count) in (0..=bounds_ns.len()).zip(counts) {
            let le = bounds_ns.get(at).map_or_else(|| "+Inf".to_owned(), |bound| (*bound as f64 / 1e9).to_string());
            let index = self.float(&bucket, series, Some(&le), count as f64);
            if exemplified == Some(at) {
                self.exemplar(index, durations);
            }
        }
        self.float(&format!("{name}_sum"), series, None, durations.sum_seconds());
        self.float(&format!("{name}_count"), series, None, durations.count as f64);
    }

    fn float(&mut self, name: &str, series: &mut Series, le: Option<&str>, value: f64) -> u32 {
        let index = self.index(name, series, le);
        if series.start_ms.is_none() {
            self.batch.samples.push_started(index, self.before_ms, 0.0, self.before_ms);
        }
        let value = if self.ends { f64::from_bits(STALE_NAN_BITS) } else { value };
        self.batch.samples.push_started(index, self.now_ms, value, series.start_ms.unwrap_or(self.before_ms));
        index
    }

    fn histogram(&mut self, series: u32, ts_ms: i64, start_ms: i64, histogram: Histogram) {
        self.batch.histograms.push(HistogramSample { series, ts_ms, start_ms, is_delta: false, histogram });
    }

    /// The example of the durations; one that is older than the last write, or ahead, is dated now.
    fn exemplar(&mut self, series: u32, durations: &Durations) {
        let Some(example) = durations.example.filter(|_| !self.ends) else { return };
        let ts_ms = if (self.before_ms..=self.now_ms).contains(&example.end_ms) { example.end_ms } else { self.now_ms };
        let value = example.duration_ns as f64 / 1e9;
        self.batch.exemplars.push(Exemplar { series, ts_ms, value, trace_id: Some(example.trace_id), span_id: example.span_id, labels: Labels::empty() });
    }

    /// The next of the series of the same labels.
    fn index(&mut self, name: &str, series: &mut Series, le: Option<&str>) -> u32 {
        let labels = |series: &Series| {
            let mut labels = series.labels.to_builder();
            labels.set(METRIC_NAME, name);
            if let Some(le) = le {
                labels.set("le", le);
            }
            labels.build()
        };
        let entry = match series.keys.get(self.next) {
            Some(key) => self.known.find(*key).map_or_else(|| SeriesEntry::New { key: *key, labels: labels(series) }, SeriesEntry::Known),
            None => {
                let labels = labels(series);
                let key = SeriesKey(labels.series_id().0 ^ OWN_KEYS);
                series.keys.push(key);
                self.known.find(key).map_or(SeriesEntry::New { key, labels }, SeriesEntry::Known)
            }
        };
        self.next += 1;
        self.batch.series.push(entry);
        self.batch.series.len() as u32 - 1
    }
}

/// What the families are.
pub(super) fn metadata(families: &[(&str, MetricKind, &str)]) -> Vec<MetricMetadata> {
    let family = |(name, kind, help): &(&str, MetricKind, &str)| {
        let unit = if *kind == MetricKind::Histogram { "seconds" } else { "" };
        MetricMetadata { name: (*name).to_owned(), kind: *kind, help: (*help).to_owned(), unit: unit.to_owned() }
    };
    families.iter().map(family).collect()
}
