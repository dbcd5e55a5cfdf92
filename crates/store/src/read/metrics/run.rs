//! Samples of one series in order of time, and how pieces from several sources become one.

use signalbox_model::Exemplar;

use crate::snapshot::HistogramPoint;

/// Float samples in order of time, no time twice.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Run {
    ts_ms: Vec<i64>,
    values: Vec<f64>,
    /// Empty while no start is known.
    start_ms: Vec<i64>,
}

impl Run {
    pub(crate) fn clear(&mut self) {
        self.ts_ms.clear();
        self.values.clear();
        self.start_ms.clear();
    }

    pub(crate) fn ts_ms(&self) -> &[i64] {
        &self.ts_ms
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn start_ms(&self) -> &[i64] {
        &self.start_ms
    }

    /// Leaves out the samples that do not stay; says so of each.
    pub(crate) fn retain(&mut self, stays: &[bool]) {
        fn retain<T>(column: &mut Vec<T>, stays: &[bool]) {
            let mut stays = stays.iter();
            column.retain(|_| stays.next().is_none_or(|stays| *stays));
        }
        retain(&mut self.ts_ms, stays);
        retain(&mut self.values, stays);
        retain(&mut self.start_ms, stays);
    }

    /// Appends samples that all are newer than what is here.
    pub(crate) fn extend(&mut self, ts_ms: &[i64], values: &[f64], start_ms: &[i64]) {
        let before = self.ts_ms.len();
        self.ts_ms.extend_from_slice(ts_ms);
        self.values.extend_from_slice(values);
        if !start_ms.is_empty() {
            self.start_ms.resize(before, 0);
            self.start_ms.extend_from_slice(start_ms);
        } else if !self.start_ms.is_empty() {
            self.start_ms.resize(self.ts_ms.len(), 0);
        }
    }

    /// Appends a sample not older than what is here; one of the same time is replaced.
    pub(crate) fn push_or_replace(&mut self, ts_ms: i64, value: f64, start_ms: i64) {
        if self.ts_ms.last() == Some(&ts_ms) {
            self.ts_ms.pop();
            self.values.pop();
            self.start_ms.truncate(self.ts_ms.len());
        }
        let starts: &[i64] = if start_ms == 0 { &[] } else { &[start_ms] };
        self.extend(&[ts_ms], &[value], starts);
    }

    /// Adds samples in order of time that win over those of the same time here.
    pub(crate) fn overlay(&mut self, ts_ms: &[i64], values: &[f64], start_ms: &[i64]) {
        let (Some(first), newest) = (ts_ms.first(), self.ts_ms.last()) else { return };
        if newest.is_none_or(|newest| newest < first) {
            return self.extend(ts_ms, values, start_ms);
        }
        // Only what is not older than the first of the others has to move.
        let keep = self.ts_ms.partition_point(|time| time < first);
        let tail = Self {
            ts_ms: self.ts_ms.split_off(keep),
            values: self.values.split_off(keep),
            start_ms: if self.start_ms.is_empty() { Vec::new() } else { self.start_ms.split_off(keep) },
        };
        let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
        let (mut old, mut new) = (0, 0);
        while old < tail.ts_ms.len() || new < ts_ms.len() {
            let take_old = new == ts_ms.len() || tail.ts_ms.get(old).is_some_and(|time| *time < ts_ms[new]);
            if take_old {
                self.push_or_replace(tail.ts_ms[old], tail.values[old], start(&tail.start_ms, old));
                old += 1;
            } else {
                old += usize::from(tail.ts_ms.get(old) == Some(&ts_ms[new]));
                self.push_or_replace(ts_ms[new], values[new], start(start_ms, new));
                new += 1;
            }
        }
    }
}

/// Puts histograms into order of time; of one time the last stays.
pub(crate) fn sort_histograms(points: &mut Vec<HistogramPoint>) {
    if points.windows(2).all(|pair| pair[0].ts_ms < pair[1].ts_ms) {
        return;
    }
    points.sort_by_key(|point| point.ts_ms);
    let mut sorted: Vec<HistogramPoint> = Vec::with_capacity(points.len());
    for point in points.drain(..) {
        match sorted.last_mut().filter(|last| last.ts_ms == point.ts_ms) {
            Some(last) => *last = point,
            None => sorted.push(point),
        }
    }
    *points = sorted;
}

/// Puts exemplars into order of time and drops what is there twice: a retried request sends them again.
pub(crate) fn sort_exemplars(exemplars: &mut Vec<Exemplar>) {
    exemplars.sort_by_key(|exemplar| exemplar.ts_ms);
    let mut sorted: Vec<Exemplar> = Vec::with_capacity(exemplars.len());
    for mut exemplar in exemplars.drain(..) {
        exemplar.series = 0;
        let same = |other: &Exemplar| {
            let value = other.value.to_bits() == exemplar.value.to_bits();
            value && (other.trace_id, other.span_id, &other.labels) == (exemplar.trace_id, exemplar.span_id, &exemplar.labels)
        };
        let twins = sorted.iter().rev().take_while(|other| other.ts_ms == exemplar.ts_ms);
        if !twins.into_iter().any(same) {
            sorted.push(exemplar);
        }
    }
    *exemplars = sorted;
}
