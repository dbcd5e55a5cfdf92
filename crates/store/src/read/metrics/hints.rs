//! Whether a counter of native histograms was reset between two samples, as far as a comparison of neighbours tells.
//!
//! Said once while a series is read, not written with the sample: a sample that arrives late, in another segment, changes
//! what is true of the one after it.

use std::sync::Arc;

use signalbox_model::TimeRange;
use signalbox_model::histogram::ResetHint;

use crate::snapshot::HistogramPoint;

/// How far back the predecessor of the first histogram of a range is looked for: as far as an instant query looks back.
const PREDECESSOR_MS: i64 = 300_000;

/// The range in which histograms are read for a range.
pub(super) fn with_predecessors(range: TimeRange) -> TimeRange {
    TimeRange::from_ms(range.start_ms().saturating_sub(PREDECESSOR_MS), range.end_ms())
}

/// Marks each histogram that grew out of the one before it, and forgets those before the range. A histogram that did not
/// keeps what its sender said: nothing, mostly, which means that who needs to know compares.
pub(super) fn settle_hints(points: &mut Vec<HistogramPoint>, range: TimeRange) {
    let first = points.partition_point(|point| point.ts_ms < range.start_ms());
    // From the last to the first, so that a neighbour is seen as it was stored.
    for index in (first.max(1)..points.len()).rev() {
        let (before, after) = points.split_at_mut(index);
        let (Some(previous), Some(point)) = (before.last(), after.first_mut()) else { continue };
        if point.histogram.reset_hint == ResetHint::Unknown && point.histogram.has_grown_from(&previous.histogram) {
            Arc::make_mut(&mut point.histogram).reset_hint = ResetHint::NotReset;
        }
    }
    points.drain(..first);
}

#[cfg(test)]
mod tests {
    use signalbox_model::Histogram;

    use super::*;

    #[test]
    fn neighbours_tell_of_each_other() {
        let point =
            |ts_ms, count, reset_hint| HistogramPoint { ts_ms, start_ms: 0, histogram: Arc::new(Histogram { count, reset_hint, ..Histogram::default() }) };
        use ResetHint::{Gauge, NotReset, Reset, Unknown};
        let stored = [(10, 1.0, Unknown), (20, 2.0, Unknown), (30, 1.0, Unknown), (40, 1.0, Unknown), (50, 5.0, Reset), (60, 6.0, Gauge), (70, 7.0, Unknown)];
        let settled = |from_ms| {
            let mut points: Vec<HistogramPoint> = stored.iter().map(|(ts_ms, count, hint)| point(*ts_ms, *count, *hint)).collect();
            settle_hints(&mut points, TimeRange::from_ms(from_ms, 100));
            points.iter().map(|point| point.histogram.reset_hint).collect::<Vec<_>>()
        };
        assert_eq!(settled(0), [Unknown, NotReset, Unknown, NotReset, Reset, Gauge, Unknown]);
        assert_eq!(settled(20), [NotReset, Unknown, NotReset, Reset, Gauge, Unknown]);
        assert_eq!(settled(71), []);
    }
}
