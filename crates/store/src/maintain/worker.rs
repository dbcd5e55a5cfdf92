//! A background thread that does one kind of work: when it is due, and when somebody asks.
//!
//! The thread holds nothing of the store while it waits, so a store that is dropped ends it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::channel::oneshot;
use parking_lot::{Condvar, Mutex};
use signalbox_model::{Error, Result};

use crate::limits::LOOK_INTERVAL;

/// Where work is ordered. Clones are one desk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    callers: Vec<oneshot::Sender<Result<()>>>,
    is_poked: bool,
    is_stopped: bool,
    /// Answered when the thread has ended.
    enders: Vec<oneshot::Sender<()>>,
    is_ended: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("callers", &self.callers.len()).field("is_stopped", &self.is_stopped).finish_non_exhaustive()
    }
}

impl Desk {
    /// Orders one round of the work, to be begun after this call; callers that wait together share one.
    ///
    /// # Errors
    /// Of the work; `Unavailable` once the desk is closed.
    pub(crate) async fn ask(&self) -> Result<()> {
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.0.state.lock();
            if state.is_stopped {
                return Err(stopped());
            }
            state.callers.push(sender);
        }
        self.0.changed.notify_all();
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Has the thread look now whether the work is due.
    pub(crate) fn poke(&self) {
        self.0.state.lock().is_poked = true;
        self.0.changed.notify_all();
    }

    /// Whether the thread is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.state.lock().is_stopped
    }

    /// Ends the thread after the round it is in.
    pub(crate) fn stop(&self) {
        self.0.state.lock().is_stopped = true;
        self.0.changed.notify_all();
    }

    /// Ends the thread and waits until it has.
    pub(crate) async fn end(&self) {
        self.stop();
        let (sender, ended) = oneshot::channel();
        {
            let mut state = self.0.state.lock();
            if state.is_ended {
                return;
            }
            state.enders.push(sender);
        }
        // A sender that is dropped has ended too.
        let _ended = ended.await;
    }

    /// Starts the thread. `is_due` is asked every second or so; `work` does one round, or says `None` when the store is gone.
    ///
    /// # Errors
    /// `Unavailable` if the system has no more threads.
    pub(crate) fn start<D, W>(&self, name: &str, is_due: D, mut work: W) -> Result<()>
    where
        D: Fn() -> bool + Send + 'static,
        W: FnMut(&tokio::runtime::Runtime) -> Option<Result<()>> + Send + 'static,
    {
        let failed = |error: std::io::Error| Error::unavailable(format!("cannot start thread {name}")).with_source(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (desk, thread) = (self.clone(), name.to_owned());
        let ended = Ended(self.clone());
        let body = move || {
            let _ended = ended;
            while let Some(callers) = desk.wait() {
                if callers.is_empty() && !is_due() {
                    continue;
                }
                let span = tracing::info_span!(target: "signalbox_store", "background work", otel.name = thread, otel.status_code = tracing::field::Empty);
                // A bug in one round must not end all rounds to come: what it left undone is tried again.
                let done = std::panic::catch_unwind(AssertUnwindSafe(|| span.in_scope(|| work(&runtime))));
                let panicked = |_| Some(Err(Error::internal("cannot finish background work: it panicked")));
                let Some(done) = done.unwrap_or_else(panicked) else { return };
                if done.is_err() {
                    span.record("otel.status_code", "error");
                }
                if let (Err(error), true) = (&done, callers.is_empty()) {
                    tracing::warn!(%error, "background work of the store failed, it is tried again");
                }
                for caller in callers {
                    // Whoever asked may have gone.
                    let _gone = caller.send(copy(&done));
                }
            }
        };
        std::thread::Builder::new().name(name.into()).spawn(body).map_err(failed)?;
        Ok(())
    }

    /// Waits for callers, a poke, or the next look; `None` when stopped.
    fn wait(&self) -> Option<Vec<oneshot::Sender<Result<()>>>> {
        let mut state = self.0.state.lock();
        if state.callers.is_empty() && !state.is_poked && !state.is_stopped {
            self.0.changed.wait_for(&mut state, LOOK_INTERVAL);
        }
        if state.is_stopped {
            return None;
        }
        state.is_poked = false;
        Some(std::mem::take(&mut state.callers))
    }
}

/// Says that the thread has ended, however it did.
struct Ended(Desk);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut state = self.0.0.state.lock();
        (state.is_stopped, state.is_ended) = (true, true);
        state.callers.clear();
        for ender in state.enders.drain(..) {
            let _gone = ender.send(());
        }
    }
}

/// One result has many readers; the source of an error goes to the first log only.
fn copy(result: &Result<()>) -> Result<()> {
    let Err(error) = result else { return Ok(()) };
    let message = match std::error::Error::source(error) {
        Some(source) => format!("{}: {source}", error.message()),
        None => error.message().to_owned(),
    };
    let copy = Error::new(error.kind(), message);
    Err(match error.retry_after() {
        Some(after) => copy.with_retry_after(after),
        None => copy,
    })
}

fn stopped() -> Error {
    Error::unavailable("cannot do this: the store is closing")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::executor::block_on;
    use signalbox_model::ErrorKind;

    use super::*;

    #[test]
    fn a_round_that_panics_is_an_error_and_the_next_one_runs() {
        let (desk, rounds) = (Desk::default(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&rounds);
        let work = move |_: &tokio::runtime::Runtime| {
            assert!(counted.fetch_add(1, Ordering::Relaxed) != 0, "the first round fails");
            Some(Ok(()))
        };
        desk.start("test-worker", || false, work).unwrap();
        assert_eq!(block_on(desk.ask()).unwrap_err().kind(), ErrorKind::Internal);
        block_on(desk.ask()).unwrap();
        assert_eq!(rounds.load(Ordering::Relaxed), 2);
        block_on(desk.end());
        assert_eq!(block_on(desk.ask()).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn work_that_finds_the_store_gone_ends_the_thread() {
        let desk = Desk::default();
        desk.start("test-worker", || true, |_| None).unwrap();
        desk.poke();
        block_on(desk.end());
        assert!(desk.is_stopped());
    }
}
