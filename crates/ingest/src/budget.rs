//! A bound on bytes in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signalbox_model::{Error, Result};

/// How long a client should wait when nothing better is known: long enough for a group commit and a flush to pass,
/// short enough that the queues of common agents hold.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes that may be in flight at one time. Who cannot get bytes is refused at once instead of waiting: waiting would only
/// move the queue from the client, which keeps it on purpose, into our memory. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Budget {
    bytes_max: usize,
    taken: Arc<AtomicUsize>,
}

impl Budget {
    /// With this many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, taken: Arc::default() }
    }

    /// A share without bytes; [`Share::grow`] it.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }

    /// Bytes in use.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Bytes of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    /// Takes more bytes.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`] with a time to retry when the budget is used up.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        let before = self.budget.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.bytes_max {
            self.budget.taken.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::unavailable("cannot take request: too many bytes of requests are in flight").with_retry_after(RETRY_AFTER));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
