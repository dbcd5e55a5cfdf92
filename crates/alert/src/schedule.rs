//! When a group is evaluated: on a grid of its interval, shifted by a hash so that groups do not all come at once. The grid
//! depends on nothing but the group, so evaluations land on the same instants after a restart.

use xxhash_rust::xxh3::xxh3_64;

/// The instants of one group, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    interval_ms: i64,
    offset_ms: i64,
}

/// A slot that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The instant of the evaluation.
    pub at_ms: i64,
    /// Slots before it that nobody evaluated.
    pub missed: u64,
}

impl Slots {
    /// The grid of the group with a name in a file.
    pub fn new(file: &str, name: &str, interval_ms: i64) -> Self {
        let interval_ms = interval_ms.max(1);
        let hash = xxh3_64(format!("{file};{name}").as_bytes());
        let offset_ms = i64::try_from(hash % interval_ms.unsigned_abs()).unwrap_or(0);
        Self { interval_ms, offset_ms }
    }

    /// Distance of two slots.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// The latest slot that is not after an instant.
    pub fn at_or_before(&self, now_ms: i64) -> i64 {
        now_ms - (now_ms.saturating_sub(self.offset_ms)).rem_euclid(self.interval_ms)
    }

    /// What is due now after the slot evaluated last. A clock that was set back by more than an interval starts anew.
    pub fn due(&self, last_ms: i64, now_ms: i64) -> Option<Due> {
        let at_ms = self.at_or_before(now_ms);
        let passed = (at_ms - last_ms) / self.interval_ms;
        match passed {
            0 | -1 => None,
            1.. => Some(Due { at_ms, missed: (passed - 1).unsigned_abs() }),
            _ => Some(Due { at_ms, missed: 0 }),
        }
    }

    /// How long it is to the next slot, at least a millisecond.
    pub fn wait_ms(&self, now_ms: i64) -> i64 {
        (self.at_or_before(now_ms) + self.interval_ms - now_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_a_grid_that_depends_on_the_group_only() {
        let slots = Slots::new("a.yaml", "g", 60_000);
        let first = slots.at_or_before(1_000_000_000_000);
        assert_eq!((first - slots.offset_ms) % 60_000, 0);
        assert!(first <= 1_000_000_000_000 && first > 1_000_000_000_000 - 60_000);
        assert_eq!(slots.at_or_before(first), first);
        assert_eq!(slots.at_or_before(first + 59_999), first);
        assert_eq!(slots.at_or_before(first - 1), first - 60_000);
        assert_eq!(slots.wait_ms(first), 60_000);
        assert_eq!(slots.wait_ms(first + 59_999), 1);
        let offsets: std::collections::BTreeSet<i64> = (0..100).map(|index| Slots::new("a.yaml", &index.to_string(), 60_000).offset_ms).collect();
        assert!(offsets.len() > 90, "spread over the interval");
    }

    #[test]
    fn each_slot_is_due_once_and_missed_ones_are_counted() {
        let slots = Slots { interval_ms: 1_000, offset_ms: 300 };
        assert_eq!(slots.due(300, 1_299), None);
        assert_eq!(slots.due(300, 1_300), Some(Due { at_ms: 1_300, missed: 0 }));
        assert_eq!(slots.due(1_300, 1_900), None);
        assert_eq!(slots.due(1_300, 5_400), Some(Due { at_ms: 5_300, missed: 3 }));
        assert_eq!(slots.due(5_300, 5_000), None, "set back a little: the slot was evaluated");
        assert_eq!(slots.due(50_300, 5_400), Some(Due { at_ms: 5_300, missed: 0 }), "set back a lot: start anew");
    }
}
