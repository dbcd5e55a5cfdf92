//! Rollups: of old samples, one of each window of time stays.
//!
//! What stays is a sample as it was, never an average: the last of its window, and if that is a staleness marker the last value
//! before it too. So values at the edges of the windows are what they were. Windows are aligned to the Unix epoch and hold their
//! end, as those of PromQL do: at a step on an edge the sample that stays is the one that was there. Of counters, both sides of
//! a reset stay too, and the first sample of a segment, before which one may lie in another: nothing that was counted is lost.
//! Thinning what is thin already changes nothing, and coarse after fine is the same as coarse at once.

use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::ResetHint;
use signalbox_model::{Labels, Matcher};

use crate::settings::RollupSettings;
use crate::snapshot::HistogramPoint;

/// Endings of names that counters have by the conventions of Prometheus and OpenMetrics.
const COUNTER_ENDINGS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];

/// The rules that apply to rows of some age, and what they left out.
#[derive(Debug, Default)]
pub(crate) struct Rollup<'a> {
    /// Coarsest first: the first that matches a series applies.
    rules: Vec<&'a RollupSettings>,
    /// Samples that were left out so far.
    pub(crate) dropped: u64,
}

impl<'a> Rollup<'a> {
    /// The rules that are due for rows of which the newest has a time: its window is over for as long as they want.
    pub(crate) fn due(rules: &'a [RollupSettings], newest_ms: i64, now_ms: i64) -> Self {
        let is_due = |rule: &&RollupSettings| {
            let resolution_ms = resolution_ms(rule);
            let window_end_ms = window(newest_ms, resolution_ms).saturating_add(1).saturating_mul(resolution_ms);
            window_end_ms <= now_ms.saturating_sub(milliseconds(rule.after_seconds))
        };
        let mut rules: Vec<&RollupSettings> = rules.iter().filter(is_due).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.resolution_seconds));
        Self { rules, dropped: 0 }
    }

    /// How many rules are due.
    pub(crate) fn rules(&self) -> usize {
        self.rules.len()
    }

    /// How samples of a series are thinned; `None` if they are not.
    pub(crate) fn of(&self, labels: &Labels) -> Option<Thinning> {
        let matches = |rule: &&&RollupSettings| rule.matchers.iter().all(|matcher: &Matcher| matcher.matches_labels(labels));
        let rule = self.rules.iter().find(matches)?;
        let is_counter = COUNTER_ENDINGS.iter().any(|ending| labels.metric_name().ends_with(ending));
        Some(Thinning { resolution_ms: resolution_ms(rule), is_counter })
    }
}

/// How the samples of one series are thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thinning {
    resolution_ms: i64,
    is_counter: bool,
}

impl Thinning {
    /// Which float samples stay, in order of time; starts may be missing.
    pub(crate) fn samples(self, ts_ms: &[i64], values: &[f64], start_ms: &[i64]) -> Vec<bool> {
        let mut stays = self.last_of_windows(ts_ms, &|at| values.get(at).is_some_and(|value| is_stale_nan(*value)));
        if !self.is_counter {
            return stays;
        }
        let start = |at: usize| start_ms.get(at).copied().filter(|start_ms| *start_ms != 0);
        let mut before: Option<usize> = None;
        for at in (0..ts_ms.len().min(values.len())).filter(|at| !values[*at].is_nan()) {
            let is_restart = |before: usize| start(before).zip(start(at)).is_some_and(|(old, new)| old != new);
            match before {
                Some(before) if values[at] < values[before] || is_restart(before) => (stays[before], stays[at]) = (true, true),
                Some(_) => {}
                None => stays[at] = true,
            }
            before = Some(at);
        }
        stays
    }

    /// Which histograms stay, in order of time. Those of a counter say themselves that they are.
    pub(crate) fn histograms(self, points: &[HistogramPoint]) -> Vec<bool> {
        let times: Vec<i64> = points.iter().map(|point| point.ts_ms).collect();
        let mut stays = self.last_of_windows(&times, &|at| is_stale_nan(points[at].histogram.sum));
        let mut before: Option<usize> = None;
        for at in 0..points.len() {
            let histogram = &points[at].histogram;
            if is_stale_nan(histogram.sum) || histogram.reset_hint == ResetHint::Gauge {
                continue;
            }
            match before {
                Some(before) if histogram.reset_hint == ResetHint::Reset || !histogram.has_grown_from(&points[before].histogram) => {
                    (stays[before], stays[at]) = (true, true);
                }
                Some(_) => {}
                None => stays[at] = true,
            }
            before = Some(at);
        }
        stays
    }

    fn last_of_windows(self, ts_ms: &[i64], is_marker: &dyn Fn(usize) -> bool) -> Vec<bool> {
        let mut stays = vec![false; ts_ms.len()];
        // The window that the walk is in, from the newest back, and whether it has a value that stays.
        let mut place: Option<(i64, bool)> = None;
        for at in (0..ts_ms.len()).rev() {
            let number = window(ts_ms[at], self.resolution_ms);
            let has_value = place.filter(|(last, _)| *last == number).map(|(_, has_value)| has_value);
            stays[at] = has_value.is_none_or(|has_value| !has_value && !is_marker(at));
            place = Some((number, has_value.unwrap_or(false) || !is_marker(at)));
        }
        stays
    }
}

/// The number of the window that holds a time: `number * resolution < time <= (number + 1) * resolution`.
fn window(ts_ms: i64, resolution_ms: i64) -> i64 {
    ts_ms.saturating_sub(1).div_euclid(resolution_ms)
}

fn resolution_ms(rule: &RollupSettings) -> i64 {
    milliseconds(rule.resolution_seconds).max(1)
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests;
