//! Realistic, correlated telemetry of a small shop, sent through OTLP.
//!
//! Visitors browse, fill carts and order; each request becomes a trace over several services, log records that carry its
//! identifiers, and measurements whose exemplars point at it. Every quarter of an hour the bank does not answer for four
//! minutes; sometimes the database is slow. What happens in a second follows from the seed and the second alone, so a run can
//! be repeated and a test can know what was sent.
//!
//! The generator ([`Shop`]) is pure; only [`run`] and [`send`] know sockets and time.

mod attributes;
pub mod dice;
pub mod load;
mod logs;
mod metrics;
pub mod send;
mod services;
pub mod shop;
pub mod story;
mod trace;
pub mod world;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Clock, ErrorKind, Result};

pub use metrics::Instrument;
pub use send::{Sender, Sent};
pub use shop::{Export, Shop};

/// Spans and log records of history in one request.
const BATCH_ROWS: usize = 4_000;
/// Seconds of history in one request.
const BATCH_SECONDS: u64 = 60;
/// A server that does not answer at the start is not there.
const PATIENCE_AT_START: Duration = Duration::from_secs(20);
/// Later, a server that does not answer comes back.
const PATIENCE: Duration = Duration::from_secs(300);
/// A shop that is further behind than this skips what it missed.
const BEHIND_SECONDS_MAX: u64 = 900;

/// What to send, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// OTLP/HTTP endpoint, without the path of a signal.
    pub endpoint: String,
    /// Visitors' requests a second, on average. Each becomes about ten spans and six log records.
    pub requests_per_second: f64,
    /// History that is sent first.
    pub backfill: Duration,
    /// How long to go on after that. `None`: until the future is dropped. Zero: only the history.
    pub duration: Option<Duration>,
    /// What happens follows from it. Two runs over the same time need different ones, or their traces have the same identifiers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { endpoint: "http://127.0.0.1:4318".into(), requests_per_second: 2.0, backfill: Duration::from_secs(30 * 60), duration: None, seed: 1 }
    }
}

/// Sends the telemetry of the shop: first the history as fast as the server takes it, then each second as it passes.
/// May be dropped at any time. The process must have installed a TLS provider.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when the server does not answer at the start, [`ErrorKind::Invalid`] when it refuses for good.
pub async fn run(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Sent> {
    let seed = settings.seed;
    let mut sender = Sender::new(&settings.endpoint, seed)?;
    let opened = second_of(&*clock);
    let mut shop = Shop::open(seed, settings.requests_per_second, opened.saturating_sub(settings.backfill.as_secs()));
    let mut patience = PATIENCE_AT_START;
    while shop.second() < opened {
        let mut export = Export::default();
        let until = opened.min(shop.second() + BATCH_SECONDS);
        while shop.second() < until && export.rows() < BATCH_ROWS {
            export.append(shop.step());
        }
        sender.send(&export, seed, patience).await?;
        patience = PATIENCE;
    }
    let Sent { requests, rows, bytes, .. } = sender.sent;
    tracing::info!(requests, rows, bytes, "sent {} minutes of history: {rows} spans and log records", settings.backfill.as_secs() / 60);
    let end = settings.duration.map(|duration| opened + duration.as_secs());
    while end.is_none_or(|end| shop.second() < end) {
        live(settings, &*clock, &mut shop, &mut sender, patience).await?;
        patience = PATIENCE;
    }
    Ok(sender.sent)
}

/// Waits for the end of the shop's next second, and sends it.
async fn live(settings: &Settings, clock: &dyn Clock, shop: &mut Shop, sender: &mut Sender, patience: Duration) -> Result<()> {
    let now = second_of(clock);
    if shop.second() >= now {
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(());
    }
    if now - shop.second() > BEHIND_SECONDS_MAX {
        tracing::warn!("skipping {} seconds: the server or this machine was away", now - shop.second());
        shop.skip_to(now - 1);
    }
    let export = shop.step();
    match sender.send(&export, settings.seed, patience).await {
        Err(error) if error.kind() == ErrorKind::Unavailable && patience == PATIENCE => {
            tracing::error!(error = ?error, "dropping {} spans and log records: {error}", export.rows());
            Ok(())
        }
        sent => sent,
    }
}

fn second_of(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now_ms() / 1000).unwrap_or(0)
}
