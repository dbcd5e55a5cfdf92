//! Rows gathered as samples, for aggregations that need all of a window at once.

use super::panes::{Gather, Rows};
use super::series::absent;
use super::windows::Windows;

/// What is computed of the samples of a window: those times and values, ascending by time, and the end of the window.
pub(super) type OfWindow = Box<dyn Fn(&[(i64, f64)], i64) -> f64 + Send>;

/// Samples of a group: time, order of arrival, value.
type Samples = Vec<(i64, u64, f64)>;

/// Groups as samples.
pub(super) struct Whole {
    windows: Windows,
    groups: Vec<Samples>,
    held: u64,
    of_window: OfWindow,
}

impl Whole {
    pub(super) fn new(windows: Windows, of_window: OfWindow) -> Self {
        Self { windows, groups: Vec::new(), held: 0, of_window }
    }
}

impl Gather for Whole {
    fn add(&mut self, rows: &Rows<'_>) {
        for ((row, group), value) in rows.rows.iter().zip(rows.groups).zip(rows.values) {
            let group = *group as usize;
            while self.groups.len() <= group {
                self.groups.push(Samples::new());
            }
            if self.windows.pane_of(rows.times[*row]).is_some() {
                self.groups[group].push((rows.times[*row], rows.sequences.get(*row).copied().unwrap_or(0), *value));
                self.held += 1;
            }
        }
    }

    fn bytes(&self) -> u64 {
        // Vectors have room for up to twice as many.
        self.held * 2 * size_of::<(i64, u64, f64)>() as u64 + (self.groups.len() * size_of::<Samples>()) as u64
    }

    fn finish(&mut self, group: usize) -> Option<Vec<f64>> {
        let mut samples = std::mem::take(self.groups.get_mut(group)?);
        if samples.is_empty() {
            return None;
        }
        samples.sort_unstable_by_key(|(time_ns, sequence, _)| (*time_ns, *sequence));
        let samples: Vec<(i64, f64)> = samples.into_iter().map(|(time_ns, _, value)| (time_ns, value)).collect();
        let mut values = vec![absent(); self.windows.steps];
        let (mut first, mut end) = (0, 0);
        for (step, value) in values.iter_mut().enumerate() {
            let end_ns = self.windows.end_ns(step);
            let after_ns = i128::from(end_ns) - i128::from(self.windows.range_ns);
            while samples.get(end).is_some_and(|(time_ns, _)| *time_ns <= end_ns) {
                end += 1;
            }
            while first < end && i128::from(samples[first].0) <= after_ns {
                first += 1;
            }
            if first < end {
                *value = (self.of_window)(&samples[first..end], end_ns);
            }
        }
        Some(values)
    }
}

/// The quantile of a window, between two values in proportion.
pub(super) fn quantile(quantile: f64) -> OfWindow {
    Box::new(move |samples, _| {
        if quantile < 0.0 {
            return f64::NEG_INFINITY;
        }
        if quantile > 1.0 {
            return f64::INFINITY;
        }
        let mut values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
        let rank = quantile * (values.len() - 1) as f64;
        if rank.is_nan() {
            return f64::NAN;
        }
        let lower = rank.floor() as usize;
        // NaN is less than all others.
        let order = |left: &f64, right: &f64| left.partial_cmp(right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()));
        let (_, low, above) = values.select_nth_unstable_by(lower, order);
        let low = *low;
        let weight = rank - rank.floor();
        let high = above.iter().copied().min_by(order).unwrap_or(low);
        low * (1.0 - weight) + high * weight
    })
}

/// How fast a counter grew over a window, per second: resets count as zero, and the ends are extrapolated as Prometheus does,
/// with the bounds of the window as they are.
pub(super) fn rate_counter(range_ns: i64) -> OfWindow {
    let range = range_ns as f64 / 1e9;
    Box::new(move |samples, end_ns| {
        let [(first_ns, first), .., (last_ns, last)] = samples else { return 0.0 };
        let mut grown = last - first;
        let mut before = 0.0;
        for (_, value) in samples {
            if *value < before {
                grown += before;
            }
            before = *value;
        }
        let seconds = |from_ns: i64, to_ns: i64| (i128::from(to_ns) - i128::from(from_ns)) as f64 / 1e9;
        let sampled = seconds(*first_ns, *last_ns);
        let between = sampled / (samples.len() - 1) as f64;
        let (mut to_start, mut to_end) = (seconds(end_ns, *first_ns) + range, seconds(*last_ns, end_ns));
        let threshold = between * 1.1;
        if to_start >= threshold {
            to_start = between / 2.0;
        }
        if grown > 0.0 && *first >= 0.0 {
            // A counter was never below zero.
            to_start = to_start.min(sampled * (first / grown));
        }
        if to_end >= threshold {
            to_end = between / 2.0;
        }
        grown * ((sampled + to_start + to_end) / sampled) / range
    })
}
