//! Data set M1: 21,600 series of a cluster, a sample of each every 15 s.
//!
//! 20 node exporters of 250 series; 200 pods with 12 series of cAdvisor, 24 counters of requests, three histograms of 12 buckets and five
//! gauges of the process each. Every hour a twentieth of the pods is replaced: new names, counters from zero. Sent as remote write 1.0,
//! one sample a series.

use super::series::{BOUNDS, Histogram, Kind, SERIES_IN_HISTOGRAM, Series, catalog};
use super::{mix, mix2, unit, wire};

/// Time between two samples of a series.
pub const STEP_SECONDS: u64 = 15;
/// Steps after which pods are replaced.
pub const STEPS_BETWEEN_ROLLOUTS: u64 = 240;
/// Pods are replaced in so many shares, one a rollout.
const SHARES: u64 = 20;

/// Where M1 differs from what it is by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What values follow from.
    pub seed: u64,
    /// Copies of the whole under other names of cluster: 47 make a million series.
    pub clusters: u64,
    /// How many times as many pods are replaced each hour; at most 20, when all are.
    pub churn: u64,
}

impl Default for Variant {
    fn default() -> Self {
        Self { seed: 1, clusters: 1, churn: 1 }
    }
}

/// The state of all series at a step.
#[derive(Debug)]
pub struct Metrics {
    variant: Variant,
    series: Vec<Series>,
    histograms: Vec<Histogram>,
    generations: Vec<u64>,
    next_step: u64,
}

impl Metrics {
    /// The series before the first step.
    pub fn new(variant: Variant) -> Self {
        let (series, histograms, pods) = catalog(variant.seed, variant.clusters);
        let mut metrics = Self { variant, series, histograms, generations: vec![0; pods], next_step: 0 };
        for series in &mut metrics.series {
            series.name(&metrics.generations);
        }
        metrics
    }

    /// Number of series that have a sample each step.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Goes on to the next step, and says which it is.
    pub fn advance(&mut self) -> u64 {
        let step = self.next_step;
        self.next_step += 1;
        if step > 0 && step.is_multiple_of(STEPS_BETWEEN_ROLLOUTS) {
            self.roll_out(step / STEPS_BETWEEN_ROLLOUTS);
        }
        let seed = self.variant.seed;
        let diurnal = 1.0 + 0.5 * (step as f64 * std::f64::consts::TAU / 960.0).sin();
        for histogram in &mut self.histograms {
            observe(histogram, seed, step, diurnal);
        }
        for series in &mut self.series {
            series.value = next_value(series, &self.histograms, mix2(seed ^ series.id, step), step, diurnal);
        }
        step
    }

    /// One remote write request with the samples of some series at this instant, in milliseconds since the Unix epoch.
    pub fn request(&self, series: std::ops::Range<usize>, at_ms: u64) -> Vec<u8> {
        let mut request = Vec::with_capacity(series.len() * 260);
        let mut sample = Vec::with_capacity(24);
        for series in &self.series[series] {
            sample.clear();
            wire::double(&mut sample, 1, series.value);
            wire::number(&mut sample, 2, at_ms);
            wire::header(&mut request, 1, series.labels.len() + 2 + sample.len());
            request.extend_from_slice(&series.labels);
            wire::bytes(&mut request, 2, &sample);
        }
        request
    }

    fn roll_out(&mut self, hour: u64) {
        let churn = self.variant.churn;
        let is_replaced = |pod: usize| (pod as u64 % SHARES + SHARES - hour * churn % SHARES) % SHARES < churn;
        for (pod, generation) in self.generations.iter_mut().enumerate() {
            *generation += u64::from(is_replaced(pod));
        }
        for series in self.series.iter_mut().filter(|series| series.pod.is_some_and(is_replaced)) {
            if matches!(series.kind, Kind::Count { .. } | Kind::Seconds { .. }) {
                series.value = 0.0;
            }
            series.name(&self.generations);
        }
        for histogram in self.histograms.iter_mut().filter(|histogram| is_replaced(histogram.pod)) {
            histogram.totals = [0.0; SERIES_IN_HISTOGRAM];
        }
    }
}

/// Adds what was observed during a step: latencies by a log-logistic distribution around the histogram's median.
fn observe(histogram: &mut Histogram, seed: u64, step: u64, diurnal: f64) {
    let id = histogram.id;
    let u = unit(mix2(seed ^ 0x6700 ^ id, step));
    let observed = (histogram.rate * 15.0 * diurnal * (0.8 + 0.4 * u) + unit(mix2(seed ^ 0x6701 ^ id << 20, step))).floor();
    let (mut below, mut sum) = (0.0, 0.0);
    for (bucket, bound) in BOUNDS.into_iter().enumerate() {
        let is_last = bucket + 1 == BOUNDS.len();
        let share = bound / histogram.median;
        let share = share * share / (1.0 + share * share);
        let noise = 0.5 * unit(mix2(seed ^ id << 8 ^ bucket as u64, step));
        let upto = if is_last { observed } else { (observed * share + noise).floor().min(observed).max(below) };
        histogram.totals[bucket] += upto;
        sum += (upto - below) * bound * 0.7;
        below = upto;
    }
    histogram.totals[BOUNDS.len()] += sum;
    histogram.totals[BOUNDS.len() + 1] += observed;
}

fn next_value(series: &Series, histograms: &[Histogram], chance: u64, step: u64, diurnal: f64) -> f64 {
    let (value, u) = (series.value, unit(chance));
    match series.kind {
        Kind::Count { rate } if rate > 0.0 => value + (rate * 15.0 * diurnal * (0.8 + 0.4 * u) + unit(mix(chance))).floor(),
        Kind::Seconds { rate } if rate > 0.0 => ((value + rate * 15.0 * (0.8 + 0.4 * u)) * 100.0).round() / 100.0,
        Kind::Gauge { low, high, unit: q, stays } if u >= stays || step == 0 => {
            let value = ((low + unit(mix(chance)) * (high - low)) / q).round() * q;
            if q < 1.0 { (value / q).round() / (1.0 / q).round() } else { value }
        }
        Kind::Count { .. } | Kind::Seconds { .. } | Kind::Gauge { .. } | Kind::Constant(_) => value,
        Kind::OfHistogram { histogram, which } => histograms[histogram].totals[which],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the requests of a step.
    fn fingerprint(metrics: &Metrics, step: u64) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for first in (0..metrics.len()).step_by(5000) {
            for byte in metrics.request(first..metrics.len().min(first + 5000), (1_795_392_000 + STEP_SECONDS * step) * 1000) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        hash
    }

    #[test]
    fn bytes_are_those_of_the_data_set_for_ever() {
        let mut metrics = Metrics::new(Variant::default());
        assert_eq!(metrics.len(), 21_600);
        let mut seen = Vec::new();
        for _ in 0..=STEPS_BETWEEN_ROLLOUTS + 1 {
            let step = metrics.advance();
            if [0, 1, 239, 240, 241].contains(&step) {
                seen.push(fingerprint(&metrics, step));
            }
        }
        assert_eq!(seen, [0x8365_cb41_29bf_6918, 0x4054_2260_6434_d195, 0xf762_b035_94fb_b109, 0x2763_3a07_3429_9b47, 0x7364_2f35_945c_4ccc]);
    }

    #[test]
    fn churn_replaces_that_many_pods_and_clusters_multiply_series() {
        let mut metrics = Metrics::new(Variant { clusters: 2, churn: 10, ..Variant::default() });
        assert_eq!(metrics.len(), 43_200);
        for _ in 0..=STEPS_BETWEEN_ROLLOUTS {
            metrics.advance();
        }
        assert_eq!(metrics.generations.iter().sum::<u64>(), 200, "half of the 400 pods");
    }
}
