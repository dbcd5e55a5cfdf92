//! The loop: read, write until it is durable, note how far.

use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Error, ErrorKind, Result, Tenant};
use signalbox_telemetry::{names, registry};
use tokio_util::sync::CancellationToken;

use super::DOOR;
use super::watch::{Round, Watch};
use crate::door::{Context, Decoded, Entry, RETRY_AFTER};
use crate::transform::Pipeline;

/// Deepest nesting of attributes.
const ATTRIBUTE_DEPTH_MAX: usize = 32;
/// Pauses between looks at files that do not grow: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often new files are looked for.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);

/// Reads until it is told to stop.
pub(super) async fn run(entry: Entry, watch: Watch, stop: CancellationToken) {
    let pipeline = entry.transform.pipeline(DOOR).map(Arc::new);
    let files = registry().gauge(names::RECEIVE_FILES, &[]);
    let (mut watch, mut pause, mut discovered) = (Some(watch), PAUSE_MIN, None);
    while let Some(mut at_hand) = watch.take() {
        if stop.is_cancelled() {
            return;
        }
        let now = entry.clock.monotonic();
        let is_time = discovered.is_none_or(|before| now.saturating_sub(before) >= DISCOVERY_INTERVAL);
        if is_time {
            discovered = Some(now);
        }
        let (for_reading, pipeline) = (entry.clone(), pipeline.clone());
        let read = tokio::task::spawn_blocking(move || {
            if is_time {
                at_hand.discover();
            }
            let round = read(&mut at_hand, &for_reading, pipeline.as_deref());
            (at_hand, round)
        });
        let Ok((mut at_hand, mut round)) = read.await else {
            tracing::error!("reading of files has ended: a round of reading stopped");
            return;
        };
        files.set(at_hand.files() as f64);
        if !write(&entry, &mut round, &stop).await {
            return;
        }
        if let Err(error) = at_hand.acknowledge(&round, entry.clock.monotonic()) {
            tracing::error!("cannot write positions of files: {error}");
        }
        pause = if round.bytes > 0 { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        if !round.has_more {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        watch = Some(at_hand);
    }
}

fn read(watch: &mut Watch, entry: &Entry, pipeline: Option<&Pipeline>) -> Round {
    let (now_ns, known) = (entry.clock.now_ns(), entry.sink.known_series(&Tenant::default()));
    let accepted_time = entry.sink.accepted_time(now_ns);
    let context = Context { now_ns, known: &*known, accepted_time, attribute_depth_max: ATTRIBUTE_DEPTH_MAX, transform: pipeline };
    watch.round(&context, entry.clock.monotonic())
}

/// Writes a round until it is durable; `false` if it was told to stop before.
async fn write(entry: &Entry, round: &mut Round, stop: &CancellationToken) -> bool {
    registry().counter(names::RECEIVE_BYTES_TOTAL, &[("protocol", DOOR)]).add(round.bytes as u64);
    for (tenant, decoded) in &mut round.batches {
        loop {
            let Err(error) = attempt(entry, tenant, decoded).await else { break };
            if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::NotFound | ErrorKind::Denied) {
                tracing::error!("lost log records of files: {error}");
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(error.retry_after().unwrap_or(RETRY_AFTER).min(PAUSE_MAX)) => {}
                () = stop.cancelled() => return false,
            }
        }
    }
    true
}

async fn attempt(entry: &Entry, tenant: &Tenant, decoded: &Decoded) -> Result<(), Error> {
    let metrics = registry();
    let mut rejected = decoded.rejected.clone();
    if !decoded.batches.is_empty() {
        let outcome = entry.sink.write(tenant, decoded.batches.clone()).await;
        let word = if outcome.is_ok() { "ok" } else { "unavailable" };
        metrics.counter(names::RECEIVE_REQUESTS_TOTAL, &[("protocol", DOOR), ("outcome", word)]).add(1);
        let accepted = outcome?;
        metrics.counter(names::RECEIVE_ROWS_TOTAL, &[("protocol", DOOR), ("signal", "logs")]).add(accepted.written.logs);
        rejected.extend(accepted.rejected);
    }
    for refused in rejected {
        metrics.counter(names::RECEIVE_REJECTED_ROWS_TOTAL, &[("protocol", DOOR), ("reason", refused.reason)]).add(refused.rows);
        tracing::warn!("{} log records of files were refused ({}): {}", refused.rows, refused.reason, refused.message);
    }
    Ok(())
}
