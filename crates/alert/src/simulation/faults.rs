//! What goes wrong with the database and the process in a simulation.

use parking_lot::Mutex;
use signalbox_meta::{Fate, Gate};
use signalbox_testkit::mutate::Random;
use tokio::sync::Notify;

#[derive(Debug)]
struct Inner {
    random: Random,
    /// Calls that are answered before the process is killed.
    kill_after: Option<usize>,
    is_failing: bool,
    is_dead: bool,
}

/// Stands before the database: it fails for a while, or the process dies at a call.
#[derive(Debug)]
pub(super) struct Faults {
    inner: Mutex<Inner>,
    died: Notify,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { inner: Mutex::new(Inner { random: Random::new(seed), kill_after: None, is_failing: false, is_dead: false }), died: Notify::new() }
    }

    /// The process dies after so many calls.
    pub(super) fn kill_after(&self, calls: usize) {
        self.inner.lock().kill_after = Some(calls);
    }

    /// The database begins or ceases to fail.
    pub(super) fn fail(&self, is_failing: bool) {
        self.inner.lock().is_failing = is_failing;
    }

    pub(super) fn is_failing(&self) -> bool {
        self.inner.lock().is_failing
    }

    pub(super) fn is_dead(&self) -> bool {
        self.inner.lock().is_dead
    }

    /// Another process takes over.
    pub(super) fn revive(&self) {
        let mut inner = self.inner.lock();
        (inner.kill_after, inner.is_dead) = (None, false);
    }

    /// What a process does, unless it dies before it is done.
    pub(super) async fn alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.is_dead() {
            return None;
        }
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => (!self.is_dead()).then_some(done),
        }
    }
}

impl Gate for Faults {
    fn fate(&self) -> Fate {
        let mut inner = self.inner.lock();
        match inner.kill_after {
            Some(0) => inner.is_dead = true,
            Some(calls) => inner.kill_after = Some(calls - 1),
            None => {}
        }
        if inner.is_dead {
            self.died.notify_waiters();
            return Fate::Silent;
        }
        if !inner.is_failing {
            return Fate::Answered;
        }
        match inner.random.below(4) {
            0 => Fate::Hidden,
            _ => Fate::Refused,
        }
    }
}
