//! The series that every scrape writes about itself.

use signalbox_model::labels::{LabelsBuilder, METRIC_NAME};
use signalbox_model::{KnownSeries, Labels, MetricBatch};

use super::series::Series;

/// Names of the report series, in order; those from [`EXTRA`] on are written if asked for.
const NAMES: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];
const EXTRA: usize = 5;

/// What a scrape says about itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Whether it succeeded.
    pub is_up: bool,
    /// How long it took.
    pub duration_seconds: f64,
    /// Samples on the page.
    pub samples_scraped: u64,
    /// Samples after relabelling.
    pub samples_kept: u64,
    /// Series that the scrape before did not have.
    pub series_added: u64,
    /// How long it might have taken.
    pub timeout_seconds: f64,
    /// Samples it might have had; 0 is no limit.
    pub sample_limit: u64,
    /// Bytes of the page, 0 without one, -1 when it was too large.
    pub body_bytes: i64,
}

impl Report {
    fn values(&self) -> [f64; NAMES.len()] {
        [
            f64::from(u8::from(self.is_up)),
            self.duration_seconds,
            self.samples_scraped as f64,
            self.samples_kept as f64,
            self.series_added as f64,
            self.timeout_seconds,
            self.sample_limit as f64,
            self.body_bytes as f64,
        ]
    }
}

/// The report series of a target.
#[derive(Debug, Default)]
pub struct Reports(Vec<Series>);

impl Reports {
    /// Adds a sample of each report series. `values` gives the value of each, by its number.
    fn write(&mut self, batch: &mut MetricBatch, target: &Labels, how: &How<'_>, value: impl Fn(usize) -> f64) {
        if self.0.is_empty() {
            self.0 = NAMES.iter().map(|name| Series::new(labels(name, target))).collect();
        }
        let wanted = if how.has_extra { NAMES.len() } else { EXTRA };
        for (number, series) in self.0.iter_mut().enumerate().take(wanted) {
            let slot = batch.series.len() as u32;
            batch.series.push(series.entry(how.known, how.is_fresh));
            batch.samples.push(slot, how.ts_ms, value(number));
        }
    }

    /// Adds what a scrape says about itself.
    pub(super) fn add(&mut self, batch: &mut MetricBatch, target: &Labels, how: &How<'_>, report: &Report) {
        let values = report.values();
        self.write(batch, target, how, |number| values.get(number).copied().unwrap_or_default());
    }

    /// Ends the report series.
    pub(super) fn end(&mut self, batch: &mut MetricBatch, target: &Labels, how: &How<'_>) {
        self.write(batch, target, how, |_| f64::from_bits(signalbox_model::batch::STALE_NAN_BITS));
    }
}

/// How report series are written.
pub(super) struct How<'a> {
    pub(super) known: &'a dyn KnownSeries,
    pub(super) ts_ms: i64,
    pub(super) has_extra: bool,
    pub(super) is_fresh: bool,
}

/// A report series has the labels of the target, and nothing of the page can be in its way.
fn labels(name: &str, target: &Labels) -> Labels {
    let mut labels = LabelsBuilder::default();
    labels.set(METRIC_NAME, name);
    for (name, value) in target {
        labels.set(name, value);
    }
    labels.build()
}
