//! One point of an instrument: what it has taken in.

use std::collections::BTreeMap;

use signalbox_proto::otlp::common::v1::KeyValue;
use signalbox_proto::otlp::metrics::v1::exponential_histogram_data_point::Buckets;
use signalbox_proto::otlp::metrics::v1::{Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, exemplar, number_data_point};

use super::Kind;
use crate::story::Measure;

/// Buckets per doubling are two to the power of this: 9 % wide.
const SCALE: i32 = 3;
/// Exemplars of one point and export.
const EXEMPLARS_MAX: usize = 4;

/// What one set of attributes of an instrument has taken in.
#[derive(Debug)]
pub(super) struct Point {
    attributes: Vec<KeyValue>,
    count: u64,
    sum: f64,
    least: f64,
    most: f64,
    /// Explicit bounds of the buckets; empty for all but explicit histograms.
    bounds: &'static [f64],
    /// Counts by explicit bucket, or by exponential index.
    buckets: BTreeMap<i32, u64>,
    exemplars: Vec<Exemplar>,
}

impl Point {
    pub(super) fn new(kind: Kind, attributes: Vec<KeyValue>) -> Self {
        let bounds = if let Kind::Histogram(bounds) = kind { bounds } else { &[] };
        Self { attributes, count: 0, sum: 0.0, least: f64::INFINITY, most: f64::NEG_INFINITY, bounds, buckets: BTreeMap::new(), exemplars: Vec::new() }
    }

    pub(super) fn record(&mut self, at_ns: u64, measure: &Measure) {
        let value = measure.value;
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        let bucket = if self.bounds.is_empty() { exponential_index(value) } else { self.bounds.partition_point(|bound| *bound < value) as i32 };
        *self.buckets.entry(bucket).or_default() += 1;
        let (trace_id, span_id) = measure.context;
        let exemplar = Exemplar {
            filtered_attributes: Vec::new(),
            time_unix_nano: at_ns,
            span_id: span_id.to_vec(),
            trace_id: trace_id.to_vec(),
            value: Some(exemplar::Value::AsDouble(value)),
        };
        // The slowest are the ones that people look for.
        let of = |exemplar: &Exemplar| if let Some(exemplar::Value::AsDouble(value)) = exemplar.value { value } else { 0.0 };
        let place = self.exemplars.partition_point(|known| of(known) >= value);
        self.exemplars.insert(place, exemplar);
        self.exemplars.truncate(EXEMPLARS_MAX);
    }

    /// Whether anything came since the last delta.
    pub(super) fn is_changed(&self) -> bool {
        self.count > 0
    }

    fn exemplars(&mut self) -> Vec<Exemplar> {
        let mut exemplars = std::mem::take(&mut self.exemplars);
        exemplars.sort_by_key(|exemplar| exemplar.time_unix_nano);
        exemplars
    }

    fn forget(&mut self) {
        (self.count, self.sum, self.least, self.most) = (0, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        self.buckets.clear();
    }

    pub(super) fn histogram(&mut self, bounds: &'static [f64], start_ns: u64, at_ns: u64) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: at_ns,
            count: self.count,
            sum: Some(self.sum),
            bucket_counts: (0..=bounds.len() as i32).map(|bucket| self.buckets.get(&bucket).copied().unwrap_or(0)).collect(),
            explicit_bounds: bounds.to_vec(),
            exemplars: self.exemplars(),
            flags: 0,
            min: Some(self.least),
            max: Some(self.most),
        }
    }

    pub(super) fn exponential(&mut self, start_ns: u64, at_ns: u64, is_delta: bool) -> ExponentialHistogramDataPoint {
        let first = self.buckets.keys().next().copied().unwrap_or(0);
        let last = self.buckets.keys().next_back().copied().unwrap_or(0);
        let bucket_counts = (first..=last).map(|index| self.buckets.get(&index).copied().unwrap_or(0)).collect();
        let point = ExponentialHistogramDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: at_ns,
            count: self.count,
            sum: Some(self.sum),
            scale: SCALE,
            positive: Some(Buckets { offset: first, bucket_counts }),
            exemplars: self.exemplars(),
            min: Some(self.least),
            max: Some(self.most),
            ..ExponentialHistogramDataPoint::default()
        };
        if is_delta {
            self.forget();
        }
        point
    }

    pub(super) fn number(&mut self, start_ns: u64, at_ns: u64, is_delta: bool) -> NumberDataPoint {
        let value = if self.sum.fract() == 0.0 { number_data_point::Value::AsInt(self.sum as i64) } else { number_data_point::Value::AsDouble(self.sum) };
        let point = NumberDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: at_ns,
            exemplars: self.exemplars(),
            flags: 0,
            value: Some(value),
        };
        if is_delta {
            self.forget();
        }
        point
    }
}

/// The bucket that holds a value above zero: the one whose upper bound is the first that is not below it.
fn exponential_index(value: f64) -> i32 {
    if value <= 0.0 {
        return 0;
    }
    (value.log2() * f64::from(1 << SCALE)).ceil() as i32 - 1
}
