//! What an evaluation writes: the series of recording rules, `ALERTS` and `ALERTS_FOR_STATE` of alerting rules, and the
//! staleness markers of what was written before and is not any more. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Histogram, HistogramSample, Labels, MetricBatch, Result, SeriesEntry, SeriesKey};
use signalbox_query::promql::{Point, VectorSample};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::state::{Alerts, State};

/// Mixed into the keys of series that rules write, so that no other door's keys are equal.
const SERIES_KEY_SEED: u64 = 0x7275_6c65_735f_3031;

/// One series and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// Labels, the metric name among them.
    pub(crate) labels: Labels,
    /// Value.
    pub(crate) point: Point,
}

/// The series of a recording rule.
///
/// # Errors
/// `Invalid` in the words of Prometheus if two elements become one series, or there are more than `limit` (0 is no limit).
pub(crate) fn recorded(name: &str, rule_labels: &Labels, vector: Vec<VectorSample>, limit: usize) -> Result<Vec<Sample>> {
    let (mut samples, mut known) = (Vec::with_capacity(vector.len()), BTreeSet::new());
    for element in vector {
        let mut labels = element.labels.to_builder();
        labels.set(METRIC_NAME, name);
        for (name, value) in rule_labels {
            labels.set(name, value);
        }
        let labels = labels.build();
        if !known.insert(labels.clone()) {
            return Err(Error::invalid("vector contains metrics with the same labelset after applying rule labels"));
        }
        samples.push(Sample { labels, point: element.point });
    }
    if limit > 0 && samples.len() > limit {
        return Err(Error::invalid(format!("exceeded limit of {limit} with {} series", samples.len())));
    }
    Ok(samples)
}

/// The series of the alerts of a rule: which are pending and firing, and since when they are active (seconds).
pub(crate) fn alert_series(alerts: &Alerts) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (labels, alert) in alerts.iter().filter(|(_, alert)| alert.state != State::Inactive) {
        let mut series = labels.to_builder();
        series.set(METRIC_NAME, "ALERTS").set("alertstate", alert.state.as_str());
        samples.push(Sample { labels: series.build(), point: Point::Float(1.0) });
        let mut series = labels.to_builder();
        series.set(METRIC_NAME, "ALERTS_FOR_STATE");
        samples.push(Sample { labels: series.build(), point: Point::Float(alert.active_at_ms.div_euclid(1000) as f64) });
    }
    samples
}

/// The rows of an evaluation: its samples, and staleness markers for the series that were written last time and are not now.
pub(crate) fn batch(samples: &[Sample], before: &BTreeSet<Labels>, ts_ms: i64) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for sample in samples {
        let series = add_series(&mut batch, &sample.labels);
        match &sample.point {
            Point::Float(value) => batch.samples.push(series, ts_ms, *value),
            Point::Histogram(histogram) => {
                batch.histograms.push(HistogramSample { series, ts_ms, start_ms: 0, is_delta: false, histogram: Histogram::clone(&Arc::clone(histogram)) });
            }
        }
    }
    let now: BTreeSet<&Labels> = samples.iter().map(|sample| &sample.labels).collect();
    for labels in before.iter().filter(|labels| !now.contains(labels)) {
        let series = add_series(&mut batch, labels);
        batch.samples.push(series, ts_ms, f64::from_bits(STALE_NAN_BITS));
    }
    batch
}

fn add_series(batch: &mut MetricBatch, labels: &Labels) -> u32 {
    let key = SeriesKey(xxh3_128_with_seed(labels.as_bytes(), SERIES_KEY_SEED));
    batch.series.push(SeriesEntry::New { key, labels: labels.clone() });
    // A rule writes at most as many series as one answer of the engine holds.
    u32::try_from(batch.series.len() - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use signalbox_model::batch::is_stale_nan;

    use super::*;
    use crate::state::{Element, Terms, step};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    fn element(pairs: &[(&str, &str)], value: f64) -> VectorSample {
        VectorSample { labels: labels(pairs), ts_ms: 0, point: Point::Float(value) }
    }

    #[test]
    fn rule_labels_win_and_equal_series_are_refused() {
        let vector = || vec![element(&[("__name__", "up"), ("job", "a"), ("x", "1")], 1.0), element(&[("job", "b")], 2.0)];
        let recorded_labels = |rule: &[(&str, &str)]| {
            recorded("job:up", &labels(rule), vector(), 0).map(|samples| samples.iter().map(|sample| sample.labels.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(recorded_labels(&[("x", "2")]).unwrap(), ["job:up{job=\"a\", x=\"2\"}", "job:up{job=\"b\", x=\"2\"}"]);
        let error = recorded_labels(&[("x", "2"), ("job", "all")]).unwrap_err();
        assert_eq!(error.message(), "vector contains metrics with the same labelset after applying rule labels");
        let error = recorded("a", &Labels::empty(), vector(), 1).unwrap_err();
        assert_eq!(error.message(), "exceeded limit of 1 with 2 series");
    }

    #[test]
    fn alerts_are_series_while_they_are_active() {
        let terms = Terms { hold_ms: 1_000, keep_firing_ms: 0, retention_ms: 60_000, limit: 0, late_ms: None };
        let found = || vec![Element { labels: labels(&[("alertname", "Down"), ("alertstate", "odd")]), annotations: Labels::empty(), value: 0.0 }];
        let show = |alerts: &Alerts| alert_series(alerts).iter().map(|sample| format!("{} {:?}", sample.labels, sample.point)).collect::<Vec<_>>();
        let (pending, _) = step(&Alerts::new(), found(), 5_500, &terms).unwrap();
        assert_eq!(
            show(&pending),
            ["ALERTS{alertname=\"Down\", alertstate=\"pending\"} Float(1.0)", "ALERTS_FOR_STATE{alertname=\"Down\", alertstate=\"odd\"} Float(5.0)"]
        );
        let (firing, _) = step(&pending, found(), 7_000, &terms).unwrap();
        assert_eq!(show(&firing)[0], "ALERTS{alertname=\"Down\", alertstate=\"firing\"} Float(1.0)");
        let (over, _) = step(&firing, Vec::new(), 8_000, &terms).unwrap();
        assert_eq!((over.len(), show(&over).len()), (1, 0));
    }

    #[test]
    fn what_is_no_longer_written_gets_a_staleness_marker() {
        let sample = |name: &str| Sample { labels: labels(&[("__name__", name)]), point: Point::Float(1.0) };
        let before = [labels(&[("__name__", "a")]), labels(&[("__name__", "b")])].into();
        let batch = batch(&[sample("b"), sample("c")], &before, 7);
        let rows: Vec<(String, bool)> = batch
            .samples
            .series
            .iter()
            .zip(&batch.samples.value)
            .map(|(series, value)| {
                let SeriesEntry::New { labels, .. } = &batch.series[*series as usize] else { panic!("no series is known") };
                (labels.metric_name().to_owned(), is_stale_nan(*value))
            })
            .collect();
        assert_eq!(rows, [("b".into(), false), ("c".into(), false), ("a".into(), true)]);
        assert!(batch.samples.ts_ms.iter().all(|ts_ms| *ts_ms == 7));
    }
}
