//! What all questions share: memory, and places to run in. SQL and PromQL take from one account, so that many modest questions
//! together cannot do what one greedy question may not.
//!
//! The head, the caches and the write road have bounds of their own and are no part of this: questions cannot take from them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use signalbox_model::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that questions hold together.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    /// # Errors
    /// `Unavailable` when all bytes are taken: others will give theirs back.
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        let grown = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).map(drop).map_err(|used| {
            let message = format!("cannot hold {bytes} bytes more: all queries together hold {used}: want at most {}", self.limit);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    /// Takes without asking, where a library does not let its callers refuse.
    pub(crate) fn take_always(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Small questions never touch the account, others do once for so many bytes.
const STEP_BYTES: u64 = 256 << 10;

/// The part of the budget that one question has. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    taken: Cell<u64>,
}

impl Share {
    pub(crate) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), taken: Cell::new(0) }
    }

    /// Makes sure that so many bytes are taken; the first step is free.
    ///
    /// # Errors
    /// As [`Budget::take`].
    pub(crate) fn cover(&self, held: u64) -> Result<()> {
        let wanted = held / STEP_BYTES * STEP_BYTES;
        if wanted > self.taken.get() {
            self.budget.take(wanted - self.taken.get())?;
            self.taken.set(wanted);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.taken.get());
    }
}

/// Lets so many questions run at a time; the others wait, but not too many of them.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A place to run in, free again when dropped.
#[derive(Debug)]
pub(crate) struct Pass(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// Counts one who waits, even if he goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(running_max.clamp(1, Semaphore::MAX_PERMITS))), waiting: AtomicUsize::new(0), waiting_max }
    }

    /// Waits for a place, the longest waiting first.
    ///
    /// # Errors
    /// `Unavailable` when too many wait already, `Timeout` when none becomes free in time.
    pub(crate) async fn enter(&self, timeout: Duration) -> Result<Pass> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Pass(permit));
        }
        let ahead = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if ahead >= self.waiting_max {
            return Err(Error::new(ErrorKind::Unavailable, format!("cannot take another query: {ahead} wait: want at most {}", self.waiting_max)));
        }
        match tokio::time::timeout(timeout, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Pass(permit)),
            // The words of Prometheus.
            Err(_) => Err(Error::new(ErrorKind::Timeout, "query timed out in query queue")),
            Ok(Err(error)) => Err(Error::internal("cannot take another query: the gate is closed").with_source(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let budget = Arc::new(Budget::new(3 * STEP_BYTES));
        let (first, second) = (Share::of(&budget), Share::of(&budget));
        first.cover(STEP_BYTES - 1).unwrap();
        assert_eq!(budget.used(), 0);
        first.cover(2 * STEP_BYTES + 5).unwrap();
        first.cover(10).unwrap();
        second.cover(STEP_BYTES).unwrap();
        assert_eq!(budget.used(), 3 * STEP_BYTES);
        let error = second.cover(2 * STEP_BYTES).unwrap_err();
        assert_eq!((error.kind(), error.message().contains("all queries together hold 786432")), (ErrorKind::Unavailable, true), "{error}");
        drop(first);
        second.cover(3 * STEP_BYTES).unwrap();
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn the_gate_lets_in_as_many_as_there_are_places() {
        let gate = Arc::new(Gate::new(1, 1));
        let long = Duration::from_secs(600);
        let pass = gate.enter(long).await.unwrap();
        // No place becomes free within no time at all.
        assert_eq!(gate.enter(Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Timeout);
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(long).await }
        });
        while gate.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter(long).await.unwrap_err().kind(), ErrorKind::Unavailable);
        drop(pass);
        assert!(waiting.await.unwrap().is_ok());
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
        assert!(gate.enter(long).await.is_ok());
    }
}
