//! Windows of a range aggregation: one a step, open to the left. They are cut into panes, so that a row is added once however
//! many windows it is in.
//!
//! If windows do not overlap, a pane is a window. Else windows begin and end every step, so that a step has one pane, or two
//! if the range is no multiple of the step.

/// The windows of a range aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    /// End of the first window, in nanoseconds since the epoch; it belongs to the window.
    pub(super) first_ns: i64,
    /// Distance of the ends.
    pub(super) step_ns: i64,
    /// How many, at least one.
    pub(super) steps: usize,
    /// Length.
    pub(super) range_ns: i64,
}

impl Windows {
    fn overlap(&self) -> bool {
        self.range_ns > self.step_ns && self.steps > 1
    }

    /// End of a window.
    pub(super) fn end_ns(&self, step: usize) -> i64 {
        self.first_ns.saturating_add(self.step_ns.saturating_mul(step as i64))
    }

    /// First and last instant of all windows; between them may be instants in none.
    pub(super) fn bounds(&self) -> (i64, i64) {
        (self.first_ns.saturating_sub(self.range_ns).saturating_add(1), self.end_ns(self.steps - 1))
    }

    /// What panes a step has, and the length of the first of two.
    fn rest_ns(&self) -> i64 {
        self.range_ns % self.step_ns
    }

    /// The pane that an instant is in, and its bounds: after the first, up to the second. `None` if it is in no window.
    pub(super) fn pane_of(&self, time_ns: i64) -> Option<Pane> {
        let (from, step, range) = (i128::from(self.first_ns) - i128::from(self.range_ns), i128::from(self.step_ns), i128::from(self.range_ns));
        let after = i128::from(time_ns) - from;
        if after <= 0 || time_ns > self.end_ns(self.steps - 1) {
            return None;
        }
        // Which step's worth of time after the start of the first window; its right end belongs to it.
        let cell = (after - 1).div_euclid(step);
        let within = after - cell * step;
        let start = from + cell * step;
        if !self.overlap() {
            // A window may be shorter than a step; with one step it may be longer than it.
            if self.steps == 1 {
                return Some(Pane::of(0, from, from + range));
            }
            return (within <= range).then(|| Pane::of(cell, start, start + range));
        }
        let rest = i128::from(self.rest_ns());
        Some(match rest {
            0 => Pane::of(cell, start, start + step),
            rest if within <= rest => Pane::of(2 * cell, start, start + rest),
            rest => Pane::of(2 * cell + 1, start + rest, start + step),
        })
    }

    /// The panes of a window: from the first up to, not including, the second.
    pub(super) fn panes(&self, step: usize) -> (u32, u32) {
        let step = step as u64;
        let (first, end) = if !self.overlap() {
            (step, step + 1)
        } else {
            let cells = (self.range_ns / self.step_ns) as u64;
            if self.rest_ns() == 0 { (step, step + cells) } else { (2 * step, 2 * (step + cells) + 1) }
        };
        (u32::try_from(first).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
    }
}

/// A piece of time that is whole in each window it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pane {
    pub(super) number: u32,
    /// It begins after this instant,
    pub(super) after_ns: i64,
    /// and ends with this one.
    pub(super) end_ns: i64,
}

impl Pane {
    fn of(number: i128, after: i128, end: i128) -> Self {
        let instant = |at: i128| i64::try_from(at).unwrap_or(if at < 0 { i64::MIN } else { i64::MAX });
        Self { number: u32::try_from(number).unwrap_or(u32::MAX), after_ns: instant(after), end_ns: instant(end) }
    }

    pub(super) fn contains(&self, time_ns: i64) -> bool {
        self.after_ns < time_ns && time_ns <= self.end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instant_is_in_the_windows_that_have_its_pane() {
        for (range_ns, step_ns, steps) in [(10, 10, 4), (10, 3, 7), (9, 3, 5), (3, 10, 4), (7, 1, 9), (5, 100, 1), (100, 5, 1), (4, 6, 3)] {
            let windows = Windows { first_ns: 20, step_ns, steps, range_ns };
            for time_ns in -120..140 {
                let pane = windows.pane_of(time_ns);
                assert!(pane.is_none_or(|pane| pane.contains(time_ns)), "{windows:?} {time_ns} {pane:?}");
                for step in 0..steps {
                    let end_ns = 20 + step as i64 * step_ns;
                    let want = end_ns - range_ns < time_ns && time_ns <= end_ns;
                    let (first, end) = windows.panes(step);
                    let found = pane.is_some_and(|pane| (first..end).contains(&pane.number));
                    assert_eq!(found, want, "{windows:?} at {time_ns}, window {step}: {pane:?}");
                }
            }
        }
    }

    #[test]
    fn extreme_windows_do_not_overflow() {
        let windows = Windows { first_ns: i64::MIN + 5, step_ns: i64::MAX, steps: 3, range_ns: i64::MAX };
        for time_ns in [i64::MIN, -1, 0, 1, i64::MAX] {
            let _ = windows.pane_of(time_ns);
        }
        assert!(windows.bounds().0 <= windows.bounds().1);
    }
}
