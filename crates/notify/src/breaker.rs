//! A channel that fails is asked seldom: after some failures in a row only one message probes it, until one is taken.
//!
//! Each message has its own delays; a thousand groups of one dead channel would still be a thousand attempts at a time.

use std::time::Duration;

use crate::retry::{self, Failure, RETRY_AFTER_MAX};

/// Failures in a row after which a channel counts as dead.
const FAILURES_MAX: u32 = 5;
/// Longest time between two probes of a dead channel: so long a message may wait after the channel has come back.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// What is known of one channel.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    /// Nothing is tried before, nanoseconds since the Unix epoch.
    open_until_ns: Option<i64>,
    /// The latest failure, nanoseconds since the Unix epoch.
    failed_at_ns: i64,
}

impl Breaker {
    /// How long nothing is tried, if that is so.
    pub(crate) fn wait(&self, now_ns: i64) -> Option<Duration> {
        // A clock that was set back makes nobody wait.
        let wait_ns = self.open_until_ns.filter(|_| now_ns >= self.failed_at_ns)?.saturating_sub(now_ns);
        let wait = Duration::from_nanos(u64::try_from(wait_ns).ok().filter(|wait_ns| *wait_ns > 0)?);
        (wait <= RETRY_AFTER_MAX).then_some(wait)
    }

    /// Whether the channel counts as dead.
    pub(crate) fn is_open(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// The channel took a message, or refused one for good: it is there.
    pub(crate) fn heard(&mut self) {
        *self = Self::default();
    }

    /// The channel did not answer, or wants to be left alone.
    pub(crate) fn failed(&mut self, failure: &Failure, now_ns: i64, seed: u64) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at_ns = now_ns;
        // What a receiver asks for is meant for all messages to it.
        let asked = failure.retry_after.map(|asked| asked.min(RETRY_AFTER_MAX));
        let probe = self.is_open().then(|| retry::delay(self.failures - FAILURES_MAX + 1, seed).min(PROBE_EVERY));
        let wait = asked.into_iter().chain(probe).max();
        self.open_until_ns = wait.map(|wait| now_ns.saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn some_failures_in_a_row_make_a_channel_dead_until_it_is_heard() {
        let (mut breaker, failure) = (Breaker::default(), Failure::transient("connection refused"));
        for failures in 1..FAILURES_MAX {
            breaker.failed(&failure, 0, 7);
            assert_eq!((breaker.is_open(), breaker.wait(0)), (false, None), "{failures}");
        }
        let mut waits = Vec::new();
        for _ in 0..20 {
            breaker.failed(&failure, 0, 7);
            waits.push(breaker.wait(0).unwrap());
        }
        assert!(waits[0] <= Duration::from_secs(1) && waits.is_sorted() && waits[19] == PROBE_EVERY, "{waits:?}");
        assert_eq!(breaker.wait(60 * SECOND_NS), None, "the time to probe has come");
        breaker.heard();
        assert!(!breaker.is_open() && breaker.wait(0).is_none());
    }

    #[test]
    fn what_a_receiver_asks_for_is_for_all_messages() {
        let mut breaker = Breaker::default();
        breaker.failed(&Failure { retry_after: Some(Duration::from_secs(90)), ..Failure::transient("slow down") }, 0, 7);
        assert_eq!((breaker.is_open(), breaker.wait(30 * SECOND_NS)), (false, Some(Duration::from_secs(60))));
        breaker.failed(&Failure { retry_after: Some(Duration::from_secs(1_000_000)), ..Failure::transient("slow down") }, 0, 7);
        assert_eq!(breaker.wait(0), Some(RETRY_AFTER_MAX));
        assert_eq!(breaker.wait(-SECOND_NS), None, "a clock that was set back");
    }
}
