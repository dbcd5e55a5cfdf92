//! Group commit without a timer: whatever is queued when a sync ends rides on the next one.
//!
//! Two threads in a row. The committer takes what is queued, writes it and syncs it; the applier runs what the requests
//! want done in order of their sequences (rows become visible in the head) and then answers them, while the committer is
//! already at the next group.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::{Condvar, Mutex};
use signalbox_model::{Error, Result};
use tokio::sync::oneshot;

use super::settings::WalSettings;
use super::writer::Writer;
use super::{Apply, Record};

/// Groups that may wait for the applier; more make the committer wait.
const APPLY_GROUPS_MAX: usize = 2;

/// One append, or a barrier when there is no record.
pub(super) struct Request {
    pub(super) record: Option<Record>,
    pub(super) outcome: Option<Result<u64>>,
    apply: Apply,
    reply: oneshot::Sender<Result<u64>>,
    bytes: u64,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    /// Bytes and number of requests that have no answer yet, queued or not.
    open_bytes: u64,
    open_requests: usize,
    closed: bool,
    marked: bool,
}

/// Requests that wait for the committer.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    settings: WalSettings,
    applied: AtomicU64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("applied", &self.applied).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(settings: WalSettings, position: u64) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), settings, applied: AtomicU64::new(position) }
    }

    /// The sequence before which everything is applied.
    pub(super) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Queues a request; requests get their sequences in the order of these calls.
    pub(super) fn push(&self, record: Option<Record>, apply: Apply) -> Result<oneshot::Receiver<Result<u64>>> {
        let bytes = record.as_ref().map_or(0, |record| record.payload.len_estimate() as u64);
        let (reply, answer) = oneshot::channel();
        let mut state = self.state.lock();
        if state.closed {
            return Err(stopped());
        }
        // One request is always taken, however large: its size was judged where it was received.
        let is_full = state.open_requests >= self.settings.queue_requests || state.open_bytes.saturating_add(bytes) > self.settings.queue_bytes;
        if record.is_some() && state.open_requests > 0 && is_full {
            let message = format!("cannot append to the WAL: {} requests of {} bytes wait for the disk", state.open_requests, state.open_bytes);
            return Err(Error::unavailable(message).with_retry_after(self.settings.retry_after()));
        }
        state.open_bytes += bytes;
        state.open_requests += 1;
        state.requests.push_back(Request { record, outcome: None, apply, reply, bytes });
        drop(state);
        self.changed.notify_one();
        Ok(answer)
    }

    /// No request is taken from now on; those queued are still served. With `marked` the log ends with the proof of it.
    pub(super) fn close(&self, marked: bool) {
        let mut state = self.state.lock();
        state.closed = true;
        state.marked |= marked;
        drop(state);
        self.changed.notify_all();
    }

    /// Moves the next group into `group`; false when there will be none.
    fn take(&self, group: &mut Vec<Request>) -> bool {
        let mut state = self.state.lock();
        while state.requests.is_empty() && !state.closed {
            self.changed.wait(&mut state);
        }
        let mut bytes = 0;
        while let Some(request) = state.requests.pop_front() {
            bytes += request.bytes;
            group.push(request);
            if bytes >= self.settings.group_bytes {
                break;
            }
        }
        !group.is_empty()
    }

    /// Body of the committer thread.
    pub(super) fn commit_all(&self, mut writer: Writer, applier: SyncSender<Vec<Request>>) {
        let mut group = Vec::new();
        while !group.is_empty() || self.take(&mut group) {
            let taken = writer.commit(&mut group);
            let rest = group.split_off(taken);
            // The applier ends only after us; if it died of a panic, dropping the requests answers them.
            if applier.send(std::mem::replace(&mut group, rest)).is_err() {
                tracing::error!("the thread that applies WAL frames is gone, appends fail");
            }
        }
        if self.state.lock().marked {
            writer.mark();
        }
    }

    /// Body of the applier thread.
    pub(super) fn apply_all(&self, groups: &Receiver<Vec<Request>>) {
        for group in groups {
            for request in group {
                let answer = match request.outcome.unwrap_or_else(|| Err(Error::internal("the WAL gave no outcome"))) {
                    Ok(sequence) => self.apply(sequence, request.record.is_some(), request.apply),
                    Err(error) => Err(error),
                };
                let mut state = self.state.lock();
                state.open_bytes -= request.bytes;
                state.open_requests -= 1;
                drop(state);
                // Whoever asked may have gone; what was appended stays.
                let _gone = request.reply.send(answer);
            }
        }
    }

    fn apply(&self, sequence: u64, is_frame: bool, apply: Apply) -> Result<u64> {
        let applied = std::panic::catch_unwind(AssertUnwindSafe(|| apply(sequence)));
        if is_frame {
            self.applied.store(sequence + 1, Ordering::Release);
        }
        applied
            .map(|()| sequence)
            .map_err(|_| Error::internal(format!("cannot apply WAL frame {sequence}: it panicked; it is durable and comes back with the next start")))
    }
}

/// The channel between the two threads.
pub(super) fn apply_channel() -> (SyncSender<Vec<Request>>, Receiver<Vec<Request>>) {
    sync_channel(APPLY_GROUPS_MAX)
}

/// Starts a named thread.
///
/// # Errors
/// `Unavailable` if the system has no more.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body).map_err(|error| Error::unavailable(format!("cannot start thread {name}")).with_source(error))
}

/// The answer after the end.
pub(super) fn stopped() -> Error {
    Error::unavailable("cannot append to the WAL: the store is closing")
}

/// So that an unused handle keeps the queue shared.
pub(super) type SharedQueue = Arc<Queue>;
