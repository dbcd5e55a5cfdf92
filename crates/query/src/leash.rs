//! Questions that read on a blocking thread: they stop when their time is up, and when nobody waits for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signalbox_model::{Clock, Error, ErrorKind, Result};
use signalbox_telemetry::{names, registry};

use crate::Engine;
use crate::budget::Budget;
use crate::threads::Threads;

/// Tells the reading threads of a question when to stop, and what they may take.
#[derive(Debug)]
pub(crate) struct Leash {
    pub(crate) threads: Arc<Threads>,
    pub(crate) budget: Arc<Budget>,
    is_dropped: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    timeout: Duration,
}

impl Leash {
    /// A leash, and what pulls it when dropped.
    pub(crate) fn new(threads: Arc<Threads>, budget: Arc<Budget>, clock: Arc<dyn Clock>, timeout: Duration) -> (Self, SetOnDrop) {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let deadline = clock.monotonic().saturating_add(timeout);
        (Self { threads, budget, is_dropped: Arc::clone(&is_dropped), clock, deadline, timeout }, SetOnDrop(is_dropped))
    }

    /// To be asked often, at least once a batch of rows.
    ///
    /// # Errors
    /// `Canceled` and `Timeout`.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_dropped.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Canceled, "the query was given up"));
        }
        if self.clock.monotonic() > self.deadline {
            return Err(Error::new(ErrorKind::Timeout, format!("the query took longer than {} ms", self.timeout.as_millis())));
        }
        Ok(())
    }
}

/// Sets its flag when the future that holds it is dropped.
#[derive(Debug)]
pub(crate) struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// A leash without a deadline, and what pulls it when dropped.
    pub(crate) fn long_leash(&self) -> (Leash, SetOnDrop) {
        self.leash(Duration::MAX)
    }

    fn leash(&self, timeout: Duration) -> (Leash, SetOnDrop) {
        Leash::new(Arc::clone(&self.threads), Arc::clone(&self.budget), Arc::clone(&self.clock), timeout)
    }

    /// Runs work that blocks on the disk, as soon as there is a place to run in.
    pub(crate) async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Leash) -> Result<T> + Send + 'static) -> Result<T> {
        self.blocking_within(None, work).await
    }

    /// As [`Self::blocking`], for as long as the caller wants to wait if that is less than the setting.
    pub(crate) async fn blocking_within<T: Send + 'static>(
        &self,
        timeout: Option<Duration>,
        work: impl FnOnce(&Leash) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let longest = Duration::from_secs(self.settings.timeout_seconds);
        let timeout = timeout.map_or(longest, |timeout| timeout.min(longest));
        let (leash, _guard) = self.leash(timeout);
        let span = tracing::Span::current();
        let pass = self.gate.enter(timeout).await?;
        let task = tokio::task::spawn_blocking(move || {
            let running = leash.threads.first();
            let result = span.in_scope(|| work(&leash));
            // A thread that nobody waits for keeps its place until it has ended.
            drop((running, pass));
            if leash.is_dropped.load(Ordering::Relaxed) {
                registry().counter(names::QUERY_ABANDONED_TOTAL, &[]).add(1);
            }
            result
        });
        task.await.map_err(|error| Error::internal("cannot answer: the reading thread died").with_source(error))?
    }
}
