//! Rows of a door to the sink, with patience.

use std::time::Duration;

use signalbox_model::{Error, ErrorKind, Result, Tenant};

use super::quiet::Quiet;
use crate::door::{Context, Decoded, Entry, RETRY_AFTER};
use crate::http::{self, Outcome, Protocol, Refusal};
use crate::transform::Pipeline;

/// Deepest nesting of attribute values, as HTTP doors have it by default.
const ATTRIBUTE_DEPTH_MAX: usize = 32;
/// Longest wait between two tries, whatever the sink proposes: the sender waits as well.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What lies behind one door.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) entry: Entry,
    pub(super) protocol: Protocol,
    tenant: Tenant,
    pipeline: Option<Pipeline>,
    refused: Quiet,
    rejected: Quiet,
    bad: Quiet,
}

impl Delivery {
    pub(super) fn new(entry: Entry, protocol: Protocol, tenant: Tenant) -> Self {
        let pipeline = entry.transform.pipeline(protocol.0);
        Self { entry, protocol, pipeline, tenant, refused: Quiet::default(), rejected: Quiet::default(), bad: Quiet::default() }
    }

    /// Decodes now.
    pub(super) fn decode<T>(&self, decode: impl FnOnce(&Context<'_>) -> T) -> T {
        let entry = &self.entry;
        let (known, now_ns) = (entry.sink.known_series(&self.tenant), entry.clock.now_ns());
        let accepted_time = entry.sink.accepted_time(now_ns);
        decode(&Context { now_ns, known: &*known, accepted_time, attribute_depth_max: ATTRIBUTE_DEPTH_MAX, transform: self.pipeline.as_ref() })
    }

    /// Writes until it is durable, however long the sink refuses.
    pub(super) async fn insist(&self, decoded: Decoded, bytes: usize) {
        loop {
            let Err(error) = self.attempt(&decoded, bytes).await else { return };
            if is_hopeless(&error) {
                tracing::error!(protocol = self.protocol.0, "lost records: {error}");
                return;
            }
            tokio::time::sleep(pause(&error)).await;
        }
    }

    /// Writes once, and after a refusal waits as long as the sink asks: for senders that send again what was not
    /// acknowledged.
    ///
    /// # Errors
    /// If nothing was written.
    pub(super) async fn offer(&self, decoded: &Decoded, bytes: usize) -> Result<()> {
        let result = self.attempt(decoded, bytes).await;
        if let Err(error) = &result {
            tokio::time::sleep(pause(error)).await;
        }
        result
    }

    /// Complains about a connection or datagram that makes no sense.
    pub(super) fn complain(&self, peer: &dyn std::fmt::Display, error: &Error) {
        http::count_refusal(self.protocol, &Refusal::from(Error::new(error.kind(), error.message())));
        if let Some(unsaid) = self.bad.speak(self.entry.clock.monotonic()) {
            tracing::warn!(protocol = self.protocol.0, unsaid, "cannot understand {peer}: {error}");
        }
    }

    async fn attempt(&self, decoded: &Decoded, bytes: usize) -> Result<()> {
        let mut outcome = Outcome { rejected: decoded.rejected.clone(), points: decoded.points, ..Outcome::default() };
        if !decoded.batches.is_empty() {
            match self.entry.sink.write(&self.tenant, decoded.batches.clone()).await {
                Ok(accepted) => {
                    outcome.written = accepted.written;
                    outcome.rejected.extend(accepted.rejected);
                }
                Err(error) => {
                    let told = Error::new(error.kind(), error.message());
                    let delay = error.retry_after();
                    if let Some(unsaid) = self.refused.speak(self.entry.clock.monotonic()) {
                        tracing::warn!(protocol = self.protocol.0, unsaid, "cannot write records yet: {error}");
                    }
                    http::count(self.protocol, bytes, &Err(Refusal::from(error)));
                    return Err(match delay {
                        Some(delay) => told.with_retry_after(delay),
                        None => told,
                    });
                }
            }
        }
        if !outcome.rejected.is_empty()
            && let Some(unsaid) = self.rejected.speak(self.entry.clock.monotonic())
        {
            tracing::warn!(protocol = self.protocol.0, unsaid, "{}", outcome.message());
        }
        http::count(self.protocol, bytes, &Ok(outcome));
        Ok(())
    }
}

/// Whether a retry cannot help.
fn is_hopeless(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::NotFound | ErrorKind::Denied)
}

fn pause(error: &Error) -> Duration {
    error.retry_after().unwrap_or(RETRY_AFTER).min(PAUSE_MAX)
}
