//! The instants at which an expression is evaluated.

use signalbox_lang::promql::DurationContext;
use signalbox_model::{Error, Result};

use super::Times;

/// Evenly spaced instants, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub(super) start_ms: i64,
    /// Positive.
    pub(super) step_ms: i64,
    pub(super) steps: usize,
}

impl Frame {
    /// # Errors
    /// `Invalid` for more steps than allowed and for a range that ends before it starts.
    pub(super) fn of(times: Times, steps_max: u64) -> Result<Self> {
        match times {
            Times::Instant(at_ms) => Ok(Self { start_ms: at_ms, step_ms: 1, steps: 1 }),
            Times::Range { start_ms, end_ms, step_ms } => {
                if step_ms <= 0 {
                    return Err(Error::invalid("zero or negative query resolution step widths are not accepted. Try a positive integer"));
                }
                let range_ms = end_ms.checked_sub(start_ms).filter(|range_ms| *range_ms >= 0);
                let range_ms = range_ms.ok_or_else(|| Error::invalid("end timestamp must not be before start time"))?;
                if (range_ms / step_ms) as u64 > steps_max {
                    let message = format!("exceeded maximum resolution of {steps_max} points per timeseries. Try decreasing the query resolution (?step=XX)");
                    // Prometheus writes its own limit with a comma.
                    return Err(Error::invalid(message.replace("11000", "11,000")));
                }
                Ok(Self { start_ms, step_ms, steps: (range_ms / step_ms) as usize + 1 })
            }
        }
    }

    pub(super) fn at(&self, step: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(step as i64))
    }

    pub(super) fn last_ms(&self) -> i64 {
        self.at(self.steps - 1)
    }

    /// Only the first instant.
    pub(super) fn first(&self) -> Self {
        Self { steps: 1, ..*self }
    }

    pub(super) fn instants(&self) -> impl Iterator<Item = i64> + use<> {
        let frame = *self;
        (0..frame.steps).map(move |step| frame.at(step))
    }
}

/// What `step()`, `range()`, `start()` and `end()` mean in the whole query.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryTimes {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// 0 in an instant query.
    pub(super) step_ms: i64,
}

impl QueryTimes {
    pub(super) fn of(times: Times) -> Self {
        match times {
            Times::Instant(at_ms) => Self { start_ms: at_ms, end_ms: at_ms, step_ms: 0 },
            Times::Range { start_ms, end_ms, step_ms } => Self { start_ms, end_ms, step_ms },
        }
    }

    pub(super) fn durations(&self) -> DurationContext {
        DurationContext { step_ms: self.step_ms, range_ms: self.end_ms - self.start_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_hold_both_ends_and_are_bounded() {
        let range = |end_ms, step_ms| Frame::of(Times::Range { start_ms: 0, end_ms, step_ms }, 11_000);
        assert_eq!(range(10, 5).unwrap(), Frame { start_ms: 0, step_ms: 5, steps: 3 });
        assert_eq!(range(14, 5).unwrap().last_ms(), 10);
        assert_eq!(range(11_000, 1).unwrap().steps, 11_001);
        let error = range(11_001, 1).unwrap_err();
        assert_eq!(error.message(), "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        assert!(range(-1, 5).is_err() && range(1, 0).is_err());
        assert!(Frame::of(Times::Range { start_ms: i64::MIN, end_ms: i64::MAX, step_ms: 1 }, 11_000).is_err());
    }
}
