//! What the start time of a sample, when a counter was zero, tells of resets.

use std::sync::Arc;

use signalbox_model::Histogram;
use signalbox_store::HistogramPoint;

use super::rate::{Spread, factor};
use super::{Context, Outcome};
use crate::promql::histogram;
use crate::promql::ops::over::Window;

/// Whether a sample starts a new life of the counter. A start at the very time of the sample before is one for deltas, which
/// are known by that sample having had a start too.
pub(super) fn is_start_of_new(previous_start_ms: i64, previous_ms: i64, start_ms: i64, ts_ms: i64) -> bool {
    if start_ms == 0 || start_ms >= ts_ms || start_ms < previous_ms {
        return false;
    }
    start_ms > previous_ms || (previous_start_ms < previous_ms && previous_start_ms != 0)
}

/// Whether two samples claim the same time.
pub(super) fn is_overlap(previous_start_ms: i64, previous_ms: i64, start_ms: i64) -> bool {
    start_ms != 0 && start_ms < previous_ms && start_ms != previous_start_ms
}

/// The start time if it lies in the window before the first sample.
pub(super) fn start_inside(window: &Window<'_>, first_ms: i64, start_ms: i64) -> Option<i64> {
    (start_ms != 0 && start_ms > window.start_ms && start_ms < first_ms).then_some(start_ms)
}

/// Whether there was a reset between two native histograms.
pub(super) fn is_histogram_reset(before: &HistogramPoint, point: &HistogramPoint, context: &Context<'_>) -> bool {
    context.uses_starts && is_start_of_new(before.start_ms, before.ts_ms, point.start_ms, point.ts_ms)
        || histogram::is_reset(&point.histogram, &before.histogram)
}

/// The change that a single histogram tells: all of it, if the counter started in the window.
pub(super) fn of_one_histogram(window: &Window<'_>, only: &HistogramPoint, is_counter: bool, is_rate: bool, context: &Context<'_>) -> Option<Outcome> {
    if !is_counter || !context.uses_starts {
        return None;
    }
    let start_ms = start_inside(window, only.ts_ms, only.start_ms)?;
    let spread = Spread { first_ms: only.ts_ms, last_ms: only.ts_ms, count: 1, start_ms: Some(start_ms) };
    let mut change = Histogram::clone(&only.histogram);
    histogram::scale(&mut change, factor(window, spread, None, is_rate, context.range_ms));
    Some(Outcome::Histogram(Arc::new(change)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_between_samples_are_resets() {
        // (previous start, previous time, start, time)
        let cases = [
            ((0, 10, 0, 20), false),
            ((0, 10, 15, 20), true),
            ((5, 10, 5, 20), false),
            ((5, 10, 10, 20), true),
            ((0, 10, 10, 20), false),
            ((10, 10, 10, 20), false),
            ((0, 10, 20, 20), false),
        ];
        for ((previous_start, previous, start, ts), expected) in cases {
            assert_eq!(is_start_of_new(previous_start, previous, start, ts), expected, "{previous_start} {previous} {start} {ts}");
        }
        assert!(is_overlap(0, 10, 5) && !is_overlap(5, 10, 5) && !is_overlap(0, 10, 10) && !is_overlap(1, 10, 0));
    }
}
