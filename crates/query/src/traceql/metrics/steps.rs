//! Times of the points of series, as Tempo has them: a step holds what starts after its begin and not after its end, which is
//! its time. Steps of a range begin at whole multiples of their length; one step over the whole range is as it was asked.

use signalbox_model::{Error, Result, TimeRange};

use crate::traceql::MetricsRequest;

/// Steps that a series may have. Prometheus has as many.
const STEPS_MAX: i64 = 11_000;

/// The steps of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    start_ns: i64,
    step_ns: i64,
    count: usize,
}

impl Steps {
    /// # Errors
    /// `Invalid` for times that make no steps, or too many.
    pub(super) fn new(request: &MetricsRequest) -> Result<Self> {
        let MetricsRequest { start_ns, end_ns, step_ns, .. } = *request;
        if step_ns <= 0 {
            return Err(Error::invalid("cannot divide time into steps: want a step above 0"));
        }
        // One step, of a rule for one, may begin before 1970: tests of rules are there.
        if end_ns.checked_sub(start_ns) == Some(step_ns) {
            return Ok(Self { start_ns, step_ns, count: 1 });
        }
        if start_ns < 0 || end_ns <= start_ns {
            return Err(Error::invalid("cannot divide time into steps: want an end after the start"));
        }
        let begin = start_ns - start_ns % step_ns;
        let length = end_ns - begin;
        let count = length / step_ns + i64::from(length % step_ns != 0);
        if count > STEPS_MAX {
            return Err(Error::invalid(format!("cannot answer {count} steps: want at most {STEPS_MAX}: ask for a longer step")));
        }
        Ok(Self { start_ns: begin, step_ns, count: count as usize })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn step_seconds(&self) -> f64 {
        self.step_ns as f64 / 1e9
    }

    /// Times that some step holds.
    pub(super) fn range(&self) -> TimeRange {
        TimeRange::from_ns(self.start_ns.saturating_add(1), self.end_of(self.count - 1))
    }

    /// The step that holds a time in [`Self::range`].
    pub(super) fn of(&self, at_ns: i64) -> usize {
        (((at_ns - self.start_ns - 1) / self.step_ns) as usize).min(self.count - 1)
    }

    /// The time of a step.
    pub(super) fn end_of(&self, step: usize) -> i64 {
        self.start_ns.saturating_add((step as i64 + 1).saturating_mul(self.step_ns))
    }
}
