//! When to stop, and when to read files again: signals from outside, and what the rest of the process may know of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use signalbox_model::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on signals no longer end the process by themselves.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(|source| Error::internal("cannot listen to signals").with_source(source));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, hangup: listen(SignalKind::hangup())? })
    }

    /// Waits for the next signal to stop, its name, or for SIGHUP, which is `None` and asks to read files again.
    pub async fn next_or_hangup(&mut self) -> Option<&'static str> {
        tokio::select! {
            _ = self.terminate.recv() => Some("SIGTERM"),
            _ = self.interrupt.recv() => Some("SIGINT"),
            _ = self.hangup.recv() => None,
        }
    }

    /// Waits for the next signal to stop; its name. SIGHUP is not looked at.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// How a process ends that a signal stopped at once: 128 and the number of the signal, as shells count.
    pub fn exit_code(&self, signal: &str) -> i32 {
        if signal == "SIGINT" { 130 } else { 143 }
    }
}

/// Where the server stands. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Phase(Arc<AtomicU8>);

/// The phases in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// The store is being opened and the WAL replayed.
    Opening,
    /// Everything is answered.
    Ready,
    /// What is under way is finished, nothing new should come.
    Draining,
}

impl Phase {
    /// Enters a phase.
    pub fn enter(&self, stand: Stand) {
        self.0.store(stand as u8, Ordering::SeqCst);
    }

    /// The phase.
    pub fn stand(&self) -> Stand {
        match self.0.load(Ordering::SeqCst) {
            0 => Stand::Opening,
            1 => Stand::Ready,
            _ => Stand::Draining,
        }
    }
}
