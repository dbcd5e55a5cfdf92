//! Puts groups of frames on the disk: one write and one sync a group. No threads here; `committer.rs` drives it.
//!
//! What a failing disk does to it:
//! - A failed or short write (a full disk) is answered at once: the bytes of the group are overwritten with zeros, all of its
//!   requests fail, and the next group goes to the same place. If the zeros fail too, the file is given up.
//! - A failed sync gives the file up for good: it is never written or synced again. The next group opens a new file whose
//!   header says from which sequence on it counts; frames of the failed group, should they surface, lose against it.
//! - If no new file can be made, appends fail at once until an attempt, one each `retry_after_ms`, succeeds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::disk::{DiskFile, write_all_at};
use signalbox_model::{Clock, Error, ErrorKind};
use signalbox_telemetry::{Counter, Gauge, Histogram, names, registry};

use super::directory::{Directory, Disposal, Sealed};
use super::frame::{FRAMES_START, FileHeader, FrameStart, MARK, PAYLOAD_BYTES_MAX, write_frame};
use super::{Payload, Place, Request};

/// How long a look at the free space is believed.
const SPACE_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Files opened for one frame: its payload may grow once, when it learns that the file is another one.
const FILES_TRIED_MAX: usize = 4;
/// Capacity that the group buffer may keep.
const BUFFER_KEPT_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug)]
struct Current {
    file: Box<dyn DiskFile>,
    header: FileHeader,
    len: u64,
    /// Where the next group goes.
    offset: u64,
    chain: u32,
    /// Set once a frame did not fit: from then on only a new file will do, so that sequences ascend with files.
    is_full: bool,
}

#[derive(Debug)]
enum State {
    Open(Current),
    /// There is no file to write; the next attempt is due at this monotonic time.
    Closed(Duration),
}

/// The identity of what is written from now on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) log_id: u64,
    pub(super) epoch: u64,
    pub(super) next_file: u64,
    pub(super) next_sequence: u64,
    pub(super) durable_before: u64,
}

#[derive(Debug)]
struct Metrics {
    bytes: Counter,
    syncs: Counter,
    sync_errors: Counter,
    sync_seconds: Histogram,
    files: Gauge,
}

/// The writing end of the log.
#[derive(Debug)]
pub(super) struct Writer {
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    identity: Identity,
    state: State,
    place: Place,
    buffer: Vec<u8>,
    looked: Option<(Duration, u64)>,
    metrics: Metrics,
}

/// What was encoded of a group.
struct Encoded {
    taken: usize,
    frames: u64,
    chain: u32,
}

impl Writer {
    pub(super) fn new(directory: Arc<Directory>, clock: Arc<dyn Clock>, identity: Identity) -> Self {
        let metrics = Metrics {
            bytes: registry().counter(names::STORE_WAL_BYTES_TOTAL, &[]),
            syncs: registry().counter(names::STORE_WAL_SYNCS_TOTAL, &[]),
            sync_errors: registry().counter(names::STORE_WAL_SYNC_ERRORS_TOTAL, &[]),
            sync_seconds: registry().histogram(names::STORE_WAL_SYNC_SECONDS, &[]),
            files: registry().gauge(names::STORE_WAL_FILES, &[]),
        };
        let state = State::Closed(Duration::ZERO);
        Self { directory, clock, identity, state, place: Place(0), buffer: Vec::new(), looked: None, metrics }
    }

    /// Makes a prefix of the group durable in one sync and says how long the prefix is, at least 1 of a non-empty group.
    /// Each request of the prefix has its outcome then: `Ok` means durable.
    pub(super) fn commit(&mut self, group: &mut [Request]) -> usize {
        let now = self.clock.monotonic();
        if let Err(error) = self.admit(now) {
            return self.fail(group, &error);
        }
        for _ in 0..FILES_TRIED_MAX {
            let mut current = match self.take_open(now) {
                Ok(current) => current,
                Err(error) => return self.fail(group, &error),
            };
            let encoded = self.encode(&mut current, group);
            if encoded.taken == 0 {
                // The first frame does not fit what is left of this file; a new one is made to measure.
                let needed = self.buffer.len() as u64;
                self.seal(&current);
                if let Err(error) = self.open_file(FRAMES_START + needed, now) {
                    return self.fail(group, &error);
                }
                continue;
            }
            let taken = &mut group[..encoded.taken];
            if encoded.frames == 0 {
                self.state = State::Open(current);
            } else if let Err(error) = self.write_and_sync(current, &encoded) {
                // Requests that failed on their own keep their own answer.
                self.fail(taken, &error);
            }
            return encoded.taken;
        }
        self.fail(&mut group[..1], &Error::internal("cannot append to the WAL: the payload grows with every file it is tried in"))
    }

    /// Leaves the proof that everything was durable, for the next opening. A failure costs nothing but that proof.
    pub(super) fn mark(&mut self) {
        let State::Open(_) = self.state else { return };
        let Ok(current) = self.take_open(Duration::ZERO) else { return };
        self.buffer.clear();
        let start = self.frame_start(&current, MARK, self.identity.next_sequence, current.chain);
        let Ok(chain) = write_frame(&mut self.buffer, start, |_| Ok::<_, std::convert::Infallible>(()));
        if current.offset + self.buffer.len() as u64 <= current.len
            && let Err(error) = self.write_and_sync(current, &Encoded { taken: 0, frames: 1, chain })
        {
            tracing::warn!(%error, "cannot mark the clean end of the WAL");
        }
    }

    /// Refuses while the disk is nearly full.
    fn admit(&mut self, now: Duration) -> Result<(), Error> {
        let reserve = self.directory.settings().reserve_bytes;
        let available = match self.looked {
            Some((at, seen)) if now.saturating_sub(at) < SPACE_LOOK_INTERVAL && seen >= reserve => seen,
            _ => {
                let seen = self.directory.available_bytes();
                self.looked = Some((now, seen));
                seen
            }
        };
        if available >= reserve {
            return Ok(());
        }
        Err(self.unavailable(format!("cannot append to the WAL: the disk has {available} bytes left, the reserve is {reserve}"), None))
    }

    fn take_open(&mut self, now: Duration) -> Result<Current, Error> {
        if let State::Closed(due) = self.state {
            if now < due {
                return Err(self.unavailable("cannot append to the WAL: the disk failed, it is tried again soon".into(), None));
            }
            self.open_file(0, now)?;
        }
        match std::mem::replace(&mut self.state, State::Closed(Duration::ZERO)) {
            State::Open(current) => Ok(current),
            State::Closed(_) => Err(Error::internal("cannot append to the WAL: no file is open after one was opened")),
        }
    }

    fn open_file(&mut self, len: u64, now: Duration) -> Result<(), Error> {
        let header = FileHeader {
            log_id: self.identity.log_id,
            epoch: self.identity.epoch,
            file: self.identity.next_file,
            first_sequence: self.identity.next_sequence,
            durable_before: self.identity.durable_before,
        };
        // An index is used once, whether or not the file comes to be.
        self.identity.next_file += 1;
        self.place.0 += 1;
        match self.directory.create(&header, len) {
            Ok((file, len)) => {
                self.metrics.files.set(self.directory.sealed_files() as f64 + 1.0);
                self.state = State::Open(Current { file, header, len, offset: FRAMES_START, chain: header.chain(), is_full: false });
                Ok(())
            }
            Err(error) => {
                self.state = State::Closed(now + self.directory.settings().retry_after());
                tracing::error!(%error, "cannot open a WAL file, appends are refused until it succeeds");
                Err(self.unavailable("cannot append to the WAL: no new file can be made".into(), Some(error)))
            }
        }
    }

    /// Encodes requests while they fit the file. With `taken` 0 the buffer holds the one frame that did not fit.
    fn encode(&mut self, current: &mut Current, group: &mut [Request]) -> Encoded {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut encoded = Encoded { taken: 0, frames: 0, chain: current.chain };
        for request in group {
            let Some(record) = &mut request.record else {
                request.outcome = Some(Ok(self.identity.next_sequence + encoded.frames));
                encoded.taken += 1;
                continue;
            };
            let (at, place) = (buffer.len(), self.place);
            let sequence = self.identity.next_sequence + encoded.frames;
            let start = FrameStart { tenant: Some(&record.tenant), ..self.frame_start(current, record.kind.code(), sequence, encoded.chain) };
            let payload = &mut record.payload;
            match write_frame(&mut buffer, start, |out| write_payload(payload, place, out)) {
                Err(error) => {
                    request.outcome = Some(Err(error));
                    // A late payload may count on what it failed to say.
                    self.place.0 += 1;
                }
                Ok(chain) => {
                    if current.is_full || current.offset + buffer.len() as u64 > current.len {
                        current.is_full = true;
                        if encoded.taken > 0 {
                            buffer.truncate(at);
                        }
                        break;
                    }
                    request.outcome = Some(Ok(sequence));
                    encoded.frames += 1;
                    encoded.chain = chain;
                }
            }
            encoded.taken += 1;
        }
        self.buffer = buffer;
        encoded
    }

    fn frame_start<'a>(&self, current: &'a Current, kind: u8, sequence: u64, chain: u32) -> FrameStart<'a> {
        FrameStart { kind, tenant: None, file: &current.header, buffer_offset: current.offset, sequence, durable_before: self.identity.durable_before, chain }
    }

    fn write_and_sync(&mut self, mut current: Current, encoded: &Encoded) -> Result<(), Error> {
        let bytes = self.buffer.len() as u64;
        if let Err(error) = write_all_at(current.file.as_ref(), &self.buffer, current.offset) {
            self.place.0 += 1;
            self.buffer.fill(0);
            match write_all_at(current.file.as_ref(), &self.buffer, current.offset) {
                Ok(()) => self.state = State::Open(current),
                Err(_) => self.abandon(&current),
            }
            tracing::error!(%error, "cannot write to the WAL, the requests of one group are refused");
            return Err(self.unavailable("cannot append to the WAL: the write failed".into(), Some(error)));
        }
        let began = self.clock.monotonic();
        let synced = current.file.sync_data();
        self.metrics.syncs.add(1);
        self.metrics.sync_seconds.observe(self.clock.monotonic().saturating_sub(began));
        if let Err(error) = synced {
            self.metrics.sync_errors.add(1);
            self.abandon(&current);
            tracing::error!(%error, file = current.header.file, "cannot sync the WAL, its file is given up");
            return Err(self.unavailable("cannot append to the WAL: the sync failed".into(), Some(error)));
        }
        self.metrics.bytes.add(bytes);
        current.offset += bytes;
        current.chain = encoded.chain;
        self.identity.next_sequence += encoded.frames;
        self.identity.durable_before = self.identity.next_sequence;
        self.state = State::Open(current);
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn seal(&mut self, current: &Current) {
        let disposal = if current.len == self.directory.settings().file_bytes { Disposal::Recycle } else { Disposal::Remove };
        self.directory.seal(Sealed { file: current.header.file, end: self.identity.next_sequence, disposal });
        self.state = State::Closed(Duration::ZERO);
    }

    fn abandon(&mut self, current: &Current) {
        self.directory.seal(Sealed { file: current.header.file, end: self.identity.next_sequence, disposal: Disposal::Remove });
        self.state = State::Closed(Duration::ZERO);
    }

    /// Fails the appends that have not failed on their own already, and says how many requests there were. Barriers need no disk.
    fn fail(&self, group: &mut [Request], error: &Error) -> usize {
        for request in &mut *group {
            if request.record.is_none() {
                request.outcome = Some(Ok(self.identity.next_sequence));
            } else if !matches!(request.outcome, Some(Err(_))) {
                request.outcome = Some(Err(copy(error)));
            }
        }
        group.len()
    }

    fn unavailable(&self, message: String, source: Option<io::Error>) -> Error {
        let error = Error::unavailable(message).with_retry_after(self.directory.settings().retry_after());
        match source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

fn write_payload(payload: &mut Payload, place: Place, out: &mut Vec<u8>) -> Result<(), Error> {
    let at = out.len();
    match payload {
        Payload::Ready(bytes) => out.extend_from_slice(bytes),
        Payload::Late(late) => late.write(place, out)?,
    }
    let len = out.len() - at;
    if len > PAYLOAD_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("cannot append {len} bytes to the WAL at once: want at most {PAYLOAD_BYTES_MAX}")));
    }
    Ok(())
}

/// One failure has many waiters; the source was logged when it happened.
fn copy(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.message());
    match error.retry_after() {
        Some(after) => copy.with_retry_after(after),
        None => copy,
    }
}
