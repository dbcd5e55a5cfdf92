//! Samples as families: neighbours with one name and one kind of sample.

use std::sync::Arc;

use signalbox_model::histogram::ResetHint;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Histogram, Labels};
use signalbox_query::promql::{Point, VectorSample};

use super::negotiate::{Encoding, Escaping, Format};

/// What the samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Untyped,
    Histogram,
    GaugeHistogram,
}

/// A sample, its labels as they are written.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) labels: Vec<(String, String)>,
    pub(super) ts_ms: i64,
    pub(super) value: Value,
}

/// The value of a sample.
#[derive(Debug)]
pub(super) enum Value {
    Float(f64),
    /// With exponential buckets.
    Native(Arc<Histogram>),
    /// With bounds of its own: a classic histogram, its bounds and how much lies up to each.
    Classic {
        count: f64,
        sum: f64,
        buckets: Vec<(f64, f64)>,
    },
}

/// A family: at least one metric.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) metrics: Vec<Metric>,
}

/// The families of an answer in the order of their names. A name that has floats and histograms makes several.
#[derive(Debug)]
pub(super) struct Families {
    samples: std::iter::Peekable<std::vec::IntoIter<VectorSample>>,
    external: Vec<(String, String)>,
    escaping: Escaping,
}

impl Families {
    /// From samples sorted by labels.
    pub(super) fn new(mut samples: Vec<VectorSample>, external: Labels, format: Format) -> Self {
        // Neither format holds a metric without a name; text holds no exponential buckets.
        samples.retain(|sample| match &sample.point {
            Point::Histogram(histogram) => format.encoding == Encoding::Protobuf || is_classic(histogram),
            Point::Float(_) => true,
        } && !sample.labels.metric_name().is_empty());
        samples.sort_by(|left, right| left.labels.metric_name().cmp(right.labels.metric_name()));
        let mut external: Vec<(String, String)> = external.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !external.iter().any(|(name, _)| name == "instance") {
            external.push(("instance".to_owned(), String::new()));
        }
        external.sort_unstable();
        Self { samples: samples.into_iter().peekable(), external, escaping: format.escaping }
    }

    fn metric(&self, sample: &VectorSample) -> Metric {
        let own = sample.labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let mut labels: Vec<(String, String)> = own.map(|(name, value)| (self.escaping.escape(name), value.to_owned())).collect();
        let lacking = self.external.iter().filter(|(name, _)| sample.labels.get(name).is_none());
        labels.extend(lacking.map(|(name, value)| (self.escaping.escape(name), value.clone())));
        let value = match &sample.point {
            Point::Float(value) => Value::Float(*value),
            Point::Histogram(histogram) if is_classic(histogram) => classic(histogram),
            Point::Histogram(histogram) => Value::Native(Arc::clone(histogram)),
        };
        Metric { labels, ts_ms: sample.ts_ms, value }
    }
}

impl Iterator for Families {
    type Item = Family;

    fn next(&mut self) -> Option<Family> {
        let first = self.samples.next()?;
        let (name, kind) = (first.labels.metric_name().to_owned(), kind(&first.point));
        let mut metrics = vec![self.metric(&first)];
        while let Some(sample) = self.samples.next_if(|next| next.labels.metric_name() == name && self::kind(&next.point) == kind) {
            metrics.push(self.metric(&sample));
        }
        Some(Family { name: self.escaping.escape(&name), kind, metrics })
    }
}

fn kind(point: &Point) -> Kind {
    match point {
        Point::Float(_) => Kind::Untyped,
        Point::Histogram(histogram) if histogram.reset_hint == ResetHint::Gauge => Kind::GaugeHistogram,
        Point::Histogram(_) => Kind::Histogram,
    }
}

fn is_classic(histogram: &Histogram) -> bool {
    histogram.schema == Histogram::CUSTOM_SCHEMA
}

fn classic(histogram: &Histogram) -> Value {
    let filled = histogram.buckets();
    let up_to = |bound: f64| filled.iter().filter(|bucket| bucket.upper <= bound).map(|bucket| bucket.count).sum();
    let buckets = histogram.custom_values.iter().map(|bound| (*bound, up_to(*bound))).collect();
    Value::Classic { count: histogram.count, sum: histogram.sum, buckets }
}
