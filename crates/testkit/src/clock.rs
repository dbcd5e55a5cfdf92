//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_model::Clock;

/// Both clocks of a process, in the hands of a test. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    wall_ns: i64,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock that shows this wall-clock time, in nanoseconds since the Unix epoch.
    pub fn at_ns(wall_ns: i64) -> Self {
        Self(Arc::new(Mutex::new(Times { wall_ns, monotonic: Duration::ZERO })))
    }

    /// A clock that shows this wall-clock time, in milliseconds since the Unix epoch.
    pub fn at_ms(wall_ms: i64) -> Self {
        Self::at_ns(wall_ms * signalbox_model::time::NANOS_PER_MILLI)
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut times = self.0.lock();
        times.monotonic += by;
        times.wall_ns = times.wall_ns.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX));
    }

    /// Steps the wall clock, as an operator or a time server does; intervals do not notice.
    pub fn step_to_ns(&self, wall_ns: i64) {
        self.0.lock().wall_ns = wall_ns;
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.0.lock().wall_ns
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_moves_the_wall_clock_only() {
        let clock = ManualClock::at_ms(1_000);
        clock.advance(Duration::from_secs(1));
        clock.step_to_ns(5);
        assert_eq!((clock.now_ns(), clock.monotonic()), (5, Duration::from_secs(1)));
    }
}
