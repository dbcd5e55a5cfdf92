//! Making up for evaluations that were missed, pure: after an outage, or where evaluations take longer than their interval.
//!
//! A missed instant is evaluated at its own time, one after another, from what is stored. There are bounds: those further back
//! than the horizon are lost, and a group that does not get ahead stops looking back, because what is now matters more.

use std::time::Duration;

use crate::limits::LATE_SLOTS_MAX;
use crate::schedule::Slots;

/// How long a group makes up for what it missed before it gives the rest up.
const FOR_MAX: Duration = Duration::from_secs(300);
/// Late evaluations for each slot that was missed: who is not twice as fast as time does not get ahead.
const TRIES: u64 = 2;

/// A group that is making up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Since when, on the clock that nobody sets.
    pub since: Duration,
    /// Evaluations that it may still make late.
    pub left: u64,
}

impl Late {
    /// A group begins to make up for so many slots.
    pub fn begin(since: Duration, slots: u64) -> Self {
        Self { since, left: slots.saturating_mul(TRIES) }
    }

    /// Whether it goes on with it.
    pub fn goes_on(&self, now: Duration) -> bool {
        self.left > 0 && now.saturating_sub(self.since) < FOR_MAX
    }
}

/// The slot to evaluate next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The slot.
    pub at_ms: i64,
    /// Slots before it that nobody will evaluate.
    pub lost: u64,
    /// Slots from it on that are due, but for the latest: if there are any, it is late.
    pub behind: u64,
}

/// What is evaluated next after the slot evaluated last; slots further back than the horizon are lost.
pub fn next(slots: &Slots, last_ms: i64, now_ms: i64, horizon_ms: i64) -> Option<Next> {
    let due = slots.due(last_ms, now_ms)?;
    let in_horizon = horizon_ms.saturating_sub(now_ms.saturating_sub(due.at_ms)).max(0) / slots.interval_ms();
    let made_up = due.missed.min(in_horizon.unsigned_abs()).min(LATE_SLOTS_MAX);
    let back_ms = slots.interval_ms().saturating_mul(i64::try_from(made_up).unwrap_or(0));
    Some(Next { at_ms: due.at_ms - back_ms, lost: due.missed - made_up, behind: made_up })
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
            seen.push(((next.at_ms - first) / 1000, next.lost, next.behind));
        }
        assert_eq!(seen, [(10, 0, 3), (20, 0, 2), (30, 0, 1), (40, 0, 0)]);
        assert_eq!(next(&slots, first, first + 9_999, 3_600_000), None);
        assert_eq!(next(&slots, first + 100_000, first, 3_600_000).map(|next| next.at_ms), Some(first), "the clock was set back");
    }

    #[test]
    fn what_is_further_back_than_the_horizon_is_lost() {
        let slots = Slots::new("a.yaml", "g", 10_000);
        let first = slots.at_or_before(1_000_000_000_000);
        let shown = |now_s: i64, horizon_s: i64| {
            let next = next(&slots, first, first + now_s * 1000, horizon_s * 1000).unwrap();
            ((next.at_ms - first) / 1000, next.lost, next.behind)
        };
        assert_eq!(shown(43, 0), (40, 3, 0), "off");
        assert_eq!(shown(43, 12), (40, 3, 0), "30 is 13 seconds ago");
        assert_eq!(shown(43, 13), (30, 2, 1));
        assert_eq!(shown(43, 33), (10, 0, 3));
        assert_eq!(shown(1_000_003, i64::MAX / 1000), (1_000_000 - i64::try_from(LATE_SLOTS_MAX).unwrap() * 10, 99_999 - LATE_SLOTS_MAX, LATE_SLOTS_MAX));
    }

    #[test]
    fn who_does_not_get_ahead_stops_looking_back() {
        let seconds = Duration::from_secs;
        let late = Late::begin(seconds(100), 3);
        assert_eq!(late.left, 6);
        assert!(late.goes_on(seconds(399)) && !late.goes_on(seconds(400)));
        assert!(!Late { left: 0, ..late }.goes_on(seconds(100)));
    }
}
