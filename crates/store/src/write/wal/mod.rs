//! The write-ahead log: one for all signals and tenants. An append is acknowledged by a sync of the disk, never before.
//!
//! **Order.** [`Wal::append`] queues at once; sequences follow the order of the calls and are dense: 1, 2, 3, … A durable
//! frame is *applied* (the closure given with it runs, on one thread, in order of sequence) and only then acknowledged, so
//! whoever has an acknowledgement can read the rows. [`Wal::barrier`] runs a closure between two frames: the head is cut there.
//!
//! **Positions.** A position is the sequence of the next frame: everything before it is done. The catalog keeps the position
//! up to which segments hold the rows; it goes to [`Wal::open`], and to [`Wal::release`] so that files are recycled.
//!
//! **Recovery.** [`Wal::open`] hands every frame that survived to the caller, in order, one at a time, before anything can be
//! appended; it says which sequences are missing and never gives wrong bytes. It always starts a new file, whatever the last
//! process left behind. The bytes are specified in `FORMAT.md`, the reasons in `DECISIONS.md`.

mod committer;
mod directory;
mod frame;
mod reader;
mod recovery;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;
use signalbox_model::disk::Disk;
use signalbox_model::{Clock, Error, Result, Tenant};
use tokio::sync::oneshot;

use self::committer::{Queue, Request, SharedQueue};
use self::directory::Directory;
pub use self::frame::{FrameKind, PAYLOAD_BYTES_MAX};
pub use self::recovery::{Frame, LostRange, RecoveryReport};
pub use self::settings::WalSettings;

/// What is appended.
#[derive(Debug)]
pub struct Record {
    /// Owner of the rows.
    pub tenant: Tenant,
    /// What the payload is.
    pub kind: FrameKind,
    /// The bytes.
    pub payload: Payload,
}

/// Bytes of a frame.
#[derive(Debug)]
pub enum Payload {
    /// Known already.
    Ready(Bytes),
    /// Known when the place of the frame is known.
    Late(Box<dyn LatePayload>),
}

impl Payload {
    /// Bytes to count against the queue; of a late payload a guess.
    pub fn len_estimate(&self) -> usize {
        match self {
            Self::Ready(bytes) => bytes.len(),
            Self::Late(late) => late.len_estimate(),
        }
    }
}

/// A payload that depends on what stands before it in the same file.
pub trait LatePayload: Send + fmt::Debug {
    /// About how many bytes it will have.
    fn len_estimate(&self) -> usize;

    /// Appends the payload. Called on the committer's thread in order of sequence; called again, with another place, if the
    /// frame has to go elsewhere.
    ///
    /// # Errors
    /// Only this append fails.
    fn write(&mut self, place: Place, out: &mut Vec<u8>) -> Result<()>;
}

/// Frames with equal places are in one file, and those written before this one precede it there. Another place starts anew:
/// what earlier frames said must be said again. Unique within a process, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub u64);

/// What to do with a durable frame, given its sequence. Runs on the applier's thread: MUST be short and MUST NOT wait for appends.
pub type Apply = Box<dyn FnOnce(u64) + Send>;

/// The answer to an append or a barrier, to be awaited.
#[derive(Debug)]
pub struct Answer(Waiting);

#[derive(Debug)]
enum Waiting {
    Refused(Option<Error>),
    Queued(oneshot::Receiver<Result<u64>>),
}

impl Answer {
    fn of(queued: Result<oneshot::Receiver<Result<u64>>>) -> Self {
        Self(queued.map_or_else(|error| Waiting::Refused(Some(error)), Waiting::Queued))
    }
}

impl Future for Answer {
    type Output = Result<u64>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Waiting::Refused(error) => Poll::Ready(Err(error.take().unwrap_or_else(committer::stopped))),
            Waiting::Queued(answer) => Pin::new(answer).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(committer::stopped()))),
        }
    }
}

/// The log of one store.
#[derive(Debug)]
pub struct Wal {
    queue: SharedQueue,
    directory: Arc<Directory>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Where and how to open the log.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Source of intervals.
    pub clock: Arc<dyn Clock>,
    /// Directory of the WAL and of nothing else; it is created.
    pub dir: &'a Path,
    /// Settings.
    pub settings: WalSettings,
    /// Frames before this sequence are in segments already; 0 or 1 for none.
    pub from: u64,
    /// Name of the log if it is a new one; should be random ([`random_log_id`]). A log that exists keeps its own.
    pub new_log_id: u64,
}

/// A log id for [`Opening::new_log_id`], from the randomness that the standard library takes from the system for its maps.
pub fn random_log_id() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one("log id")
}

impl Wal {
    /// Recovers what is there, hands each frame to `replay` in order of sequence, and makes the log ready for appends. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] for settings that cannot work and for files of a later version of the format;
    /// [`signalbox_model::ErrorKind::Unavailable`] if the disk refuses to list or open; what `replay` returns.
    /// Damage is no error: it is in the report.
    pub fn open(opening: Opening<'_>, replay: &mut dyn FnMut(Frame) -> Result<()>) -> Result<(Self, RecoveryReport)> {
        opening.settings.check()?;
        let (directory, identity, report) = recovery::recover(&opening, replay)?;
        let directory = Arc::new(directory);
        let queue = Arc::new(Queue::new(opening.settings.clone(), identity.next_sequence));
        let writer = writer::Writer::new(Arc::clone(&directory), opening.clock, identity);
        let mut threads = Vec::new();
        if opening.settings.spare_files > 0 {
            let directory = Arc::clone(&directory);
            threads.push(committer::spawn("wal-preparer", move || directory.keep_spares())?);
        }
        let (to_applier, groups) = committer::apply_channel();
        let committer_queue = Arc::clone(&queue);
        threads.push(committer::spawn("wal-committer", move || committer_queue.commit_all(writer, to_applier))?);
        let applier_queue = Arc::clone(&queue);
        threads.push(committer::spawn("wal-applier", move || applier_queue.apply_all(&groups))?);
        let wal = Self { queue, directory, threads: Mutex::new(threads) };
        if let Err(error) = wal.release(opening.from) {
            tracing::warn!(%error, "cannot release consumed WAL files on opening, the next release tries again");
        }
        Ok((wal, report))
    }

    /// Appends a record; the future resolves to its sequence when it is durable and `apply` has run. The record is queued by the
    /// call itself: dropping the future takes nothing back. After an error the record may or may not be replayed by a later opening.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`], with a time after which to retry, if the disk fails, is nearly full, or is
    /// too slow for what is queued; [`signalbox_model::ErrorKind::TooLarge`] above [`PAYLOAD_BYTES_MAX`].
    pub fn append(&self, record: Record, apply: Apply) -> Answer {
        Answer::of(self.queue.push(Some(record), apply))
    }

    /// Runs a closure on the applier's thread when all earlier appends have been applied and no later one has; it is given the
    /// position there, and so is the caller. Waits for no sync of its own.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`] if the log is closed. A failing disk does not fail it.
    pub fn barrier(&self, cut: Apply) -> Answer {
        Answer::of(self.queue.push(None, cut))
    }

    /// The position before which every frame is durable and applied.
    pub fn position(&self) -> u64 {
        self.queue.applied()
    }

    /// Gives back the files whose frames are all before `consumed`. Blocks for a few calls of the disk. Call it when the
    /// catalog has committed that position.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`] if the disk refuses; the next release tries again.
    pub fn release(&self, consumed: u64) -> Result<()> {
        self.directory.release(consumed)
    }

    /// Serves what is queued, refuses anything more, and leaves the proof of a clean end. Blocks until the disk is done.
    pub fn close(&self) {
        self.stop(true);
    }

    fn stop(&self, marked: bool) {
        self.queue.close(marked);
        self.directory.stop();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        for thread in threads {
            // The last handle may be dropped by something applied.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the WAL panicked");
            }
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.stop(false);
    }
}
