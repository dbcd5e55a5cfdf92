//! Making up for evaluations that were missed, pure: after an outage, or where evaluations take longer than their interval.
//!
//! A missed instant is evaluated at its own time, one after another, from what is stored. There are bounds: those further back
//! than the horizon are lost, and a group that does not get ahead stops looking back, because what is now matters more.

use std::time::Duration;

use crate::limits::LATE_SLOTS_MAX;
use crate::schedule::Slots;

/// How long a group makes up for what it missed before it gives the rest up.
const FOR_MAX: Duration = Duration::from_secs(300);
/// How long a group tries although its evaluations take longer than half of its interval.
const TRY_MAX: Duration = Duration::from_secs(10);

/// The slot to evaluate next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The slot.
    pub at_ms: i64,
    /// Slots before it that nobody will evaluate.
    pub lost: u64,
    /// Whether there are slots after it that are due as well.
    pub is_late: bool,
}

/// What is evaluated next after the slot evaluated last; slots further back than the horizon are lost.
pub fn next(slots: &Slots, last_ms: i64, now_ms: i64, horizon_ms: i64) -> Option<Next> {
    let due = slots.due(last_ms, now_ms)?;
    let in_horizon = horizon_ms.saturating_sub(now_ms.saturating_sub(due.at_ms)).max(0) / slots.interval_ms();
    let made_up = due.missed.min(in_horizon.unsigned_abs()).min(LATE_SLOTS_MAX);
    let back_ms = slots.interval_ms().saturating_mul(i64::try_from(made_up).unwrap_or(0));
    Some(Next { at_ms: due.at_ms - back_ms, lost: due.missed - made_up, is_late: made_up > 0 })
}

/// Whether a group that has been making up for so long, and whose latest evaluation took so long, goes on with it.
pub fn goes_on(since: Duration, evaluation: Duration, interval_ms: i64) -> bool {
    let is_slow = evaluation * 2 > Duration::from_millis(interval_ms.unsigned_abs());
    since < if is_slow { TRY_MAX } else { FOR_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_slots_come_one_after_another_until_the_one_that_is_now() {
        let slots = Slots::new("a.yaml", "g", 10_000);
        let first = slots.at_or_before(1_000_000_000_000);
        let now_ms = first + 43_000;
        let (mut last_ms, mut seen) = (first, Vec::new());
        while let Some(next) = next(&slots, last_ms, now_ms, 3_600_000) {
            last_ms = next.at_ms;
            seen.push(((next.at_ms - first) / 1000, next.lost, next.is_late));
        }
        assert_eq!(seen, [(10, 0, true), (20, 0, true), (30, 0, true), (40, 0, false)]);
        assert_eq!(next(&slots, first, first + 9_999, 3_600_000), None);
        assert_eq!(next(&slots, first + 100_000, first, 3_600_000).map(|next| next.at_ms), Some(first), "the clock was set back");
    }

    #[test]
    fn what_is_further_back_than_the_horizon_is_lost() {
        let slots = Slots::new("a.yaml", "g", 10_000);
        let first = slots.at_or_before(1_000_000_000_000);
        let shown = |now_s: i64, horizon_s: i64| {
            let next = next(&slots, first, first + now_s * 1000, horizon_s * 1000).unwrap();
            ((next.at_ms - first) / 1000, next.lost, next.is_late)
        };
        assert_eq!(shown(43, 0), (40, 3, false), "off");
        assert_eq!(shown(43, 12), (40, 3, false), "30 is 13 seconds ago");
        assert_eq!(shown(43, 13), (30, 2, true));
        assert_eq!(shown(43, 33), (10, 0, true));
        assert_eq!(shown(1_000_003, i64::MAX / 1000), (1_000_000 - i64::try_from(LATE_SLOTS_MAX).unwrap() * 10, 99_999 - LATE_SLOTS_MAX, true));
    }

    #[test]
    fn who_does_not_get_ahead_stops_looking_back() {
        let seconds = Duration::from_secs;
        assert!(goes_on(seconds(299), seconds(4), 10_000));
        assert!(!goes_on(seconds(300), seconds(4), 10_000));
        assert!(goes_on(seconds(9), seconds(6), 10_000));
        assert!(!goes_on(seconds(10), seconds(6), 10_000));
    }
}
