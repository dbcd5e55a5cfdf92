//! What a log holds when it is opened: every frame in order of sequence, and which sequences are missing.
//!
//! A sequence is missing *for certain* if something written later proves that it was durable: a frame or file header of the
//! same process that says so, or a later file that begins behind it. Missing without such proof is what a crash leaves of the
//! group it interrupted; it was never acknowledged, or it was the very last group and its damage cannot be told from a tear.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use signalbox_model::disk::OpenMode;
use signalbox_model::{Error, Result, Tenant};
use signalbox_telemetry::{names, registry};

use super::Opening;
use super::directory::{Directory, Disposal, Sealed, count_damage, wal_index, wal_path};
use super::frame::{FRAMES_START, FileHeader, FrameHeader, FrameKind, MARK};
use super::reader::{FileReader, HeaderState};
use super::writer::Identity;

/// Ranges that a report lists one by one; the frames of further ones are only counted.
const LOST_RANGES_MAX: usize = 10_000;
/// `EIO`: the one error that says that this file is broken and not this process or moment.
const EIO: i32 = 5;

/// A frame that survived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its sequence.
    pub sequence: u64,
    /// Owner of the rows.
    pub tenant: Tenant,
    /// What the payload is.
    pub kind: FrameKind,
    /// The bytes, proven by their checksum.
    pub payload: Bytes,
    /// Index of its file; series definitions are valid within one file.
    pub file: u64,
    /// Whether it is before [`Opening::from`]: its rows are in segments already and MUST NOT be applied again. It is handed out
    /// because later frames of its file may build on what it defines.
    pub is_consumed: bool,
}

/// Sequences that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRange {
    /// First missing sequence.
    pub first: u64,
    /// Last missing sequence.
    pub last: u64,
    /// File in which they should be, if there is one.
    pub file: Option<u64>,
    /// Bytes of the file in which they should be.
    pub bytes: Range<u64>,
    /// Whether it is certain that they had been durable, so that acknowledged data is gone.
    pub was_durable: bool,
}

/// What was found on opening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveryReport {
    /// Frames handed out that were not consumed.
    pub frames: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Missing sequences, in order.
    pub lost: Vec<LostRange>,
    /// How many sequences are missing for certain.
    pub lost_frames: u64,
    /// Files that could not be opened, or whose header and frames are all unreadable.
    pub unreadable_files: u64,
    /// Bytes that the disk could not read.
    pub unreadable_bytes: u64,
    /// Files of another log, left alone.
    pub foreign_files: u64,
    /// Sequence of the next frame.
    pub position: u64,
}

struct Found {
    index: u64,
    path: PathBuf,
    len: u64,
    reader: Option<FileReader>,
    header: Option<FileHeader>,
    /// Sequence of the first frame, if anything tells it.
    first: Option<u64>,
}

/// Replays the log and says what the writer goes on with.
pub(super) fn recover(opening: &Opening<'_>, replay: &mut dyn FnMut(Frame) -> Result<()>) -> Result<(Directory, Identity, RecoveryReport)> {
    let refused = |error: io::Error| {
        let message = format!("cannot open the WAL in {}", opening.dir.display());
        Error::unavailable(message).with_retry_after(opening.settings.retry_after()).with_source(error)
    };
    opening.disk.create_dir_all(opening.dir).map_err(refused)?;
    let mut report = RecoveryReport::default();
    let mut files = find(opening, &mut report).map_err(refused)?;
    let next_file = files.last().map_or(1, |file| file.index + 1);
    let log_id = identify(&mut files, &mut report)?;
    let epoch = files.iter().filter_map(|file| file.header).map(|header| header.epoch).max().unwrap_or(0) + 1;
    let mut walk = Walk {
        log_id: log_id.unwrap_or(opening.new_log_id),
        from: opening.from.max(1),
        expected: opening.from.max(1),
        durable: BTreeMap::new(),
        report,
        gaps: Vec::new(),
        replay,
    };
    let sealed = walk.files(&mut files)?;
    if let Some(last) = files.last() {
        // What was replayed is visible from now on, so it had better stay. If this fails it is as durable as it was before.
        let synced = opening.disk.open(&last.path, OpenMode::ReadWrite).and_then(|file| file.sync_data());
        if let Err(error) = synced {
            tracing::warn!(%error, file = %last.path.display(), "cannot sync the recovered end of the WAL");
        }
    }
    let position = walk.expected.max(walk.from);
    let report = walk.finish(position);
    let directory = Directory::new(std::sync::Arc::clone(&opening.disk), opening.dir, opening.settings.clone(), sealed).map_err(refused)?;
    let identity = Identity { log_id: log_id.unwrap_or(opening.new_log_id), epoch, next_file, next_sequence: position, durable_before: position };
    Ok((directory, identity, report))
}

/// The files of frames in order of index, opened.
fn find(opening: &Opening<'_>, report: &mut RecoveryReport) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in opening.disk.list(opening.dir)? {
        let Some(index) = wal_index(&entry.name).filter(|_| !entry.is_dir) else { continue };
        let path = wal_path(opening.dir, index);
        let opened = opening.disk.open(&path, OpenMode::Read).and_then(|file| FileReader::new(file, index));
        let reader = match opened {
            Ok(reader) => Some(reader),
            Err(error) if error.raw_os_error() == Some(EIO) => {
                tracing::error!(%error, file = %path.display(), "cannot open a WAL file, going on without it");
                report.unreadable_files += 1;
                None
            }
            Err(error) => return Err(error),
        };
        files.push(Found { index, path, len: entry.len, reader, header: None, first: None });
    }
    files.sort_by_key(|file| file.index);
    Ok(files)
}

/// Reads all headers, finds the id of the log, and drops the files of other logs.
fn identify(files: &mut Vec<Found>, report: &mut RecoveryReport) -> Result<Option<u64>> {
    for found in files.iter_mut() {
        let Some(reader) = &mut found.reader else { continue };
        match reader.file_header() {
            HeaderState::Good(header) => (found.header, found.first) = (Some(header), Some(header.first_sequence)),
            HeaderState::Missing => {}
            HeaderState::Foreign(version) => {
                return Err(Error::invalid(format!("cannot read WAL file {} of format version {version}: want version 1", found.path.display())));
            }
        }
    }
    let mut log_id = files.iter().rev().find_map(|found| found.header).map(|header| header.log_id);
    for found in files.iter_mut().rev().filter(|found| found.header.is_none()) {
        let Some(reader) = &mut found.reader else { continue };
        match reader.search(FRAMES_START, log_id, |_| true) {
            Some((_, frame)) => {
                log_id = log_id.or(Some(frame.log_id));
                found.first = Some(frame.sequence);
            }
            None => report.unreadable_files += 1,
        }
    }
    let before = files.len();
    files.retain(|found| found.header.is_none_or(|header| Some(header.log_id) == log_id));
    report.foreign_files = (before - files.len()) as u64;
    if report.foreign_files > 0 {
        tracing::warn!(files = report.foreign_files, "the WAL directory holds files of another log, they are left alone");
    }
    Ok(log_id)
}

/// A missing range with the epoch that could prove that it was durable.
struct Gap {
    range: LostRange,
    epoch: Option<u64>,
}

struct Walk<'a> {
    log_id: u64,
    from: u64,
    /// The sequence that comes next if nothing is missing.
    expected: u64,
    /// By epoch, the sequence before which its own frames were durable.
    durable: BTreeMap<u64, u64>,
    report: RecoveryReport,
    gaps: Vec<Gap>,
    replay: &'a mut dyn FnMut(Frame) -> Result<()>,
}

impl Walk<'_> {
    fn files(&mut self, files: &mut [Found]) -> Result<Vec<Sealed>> {
        let mut sealed = Vec::new();
        let usual_len = files.last().map_or(0, |file| file.len);
        if let Some(first) = files.iter().find_map(|file| file.first) {
            // The files before it are gone.
            self.miss(self.from..first, None, 0..0, None);
            self.expected = first;
        }
        for at in 0..files.len() {
            let end = files[at + 1..].iter().find_map(|file| file.first);
            let found = &mut files[at];
            let is_consumed = end.is_some_and(|end| end <= self.from);
            let damage_before = self.gaps.len();
            if let Some(first) = found.first.filter(|_| !is_consumed) {
                self.expected = self.expected.max(first);
            }
            if let Some(reader) = found.reader.as_mut().filter(|_| !is_consumed) {
                self.file(reader, found.header, end)?;
                self.report.unreadable_bytes += reader.unreadable_bytes;
            } else if let Some(end) = end.filter(|_| !is_consumed) {
                self.miss(self.expected..end, Some(found.index), 0..found.len, None);
                self.expected = self.expected.max(end);
            }
            let is_damaged = self.gaps.len() > damage_before || (!is_consumed && found.first.is_none());
            let disposal = match is_damaged {
                true => Disposal::Quarantine,
                false if found.len == usual_len => Disposal::Recycle,
                false => Disposal::Remove,
            };
            sealed.push(Sealed { file: found.index, end: end.unwrap_or(self.expected), disposal });
        }
        Ok(sealed)
    }

    /// Walks one file. Frames from `end` on never counted: a later file begins there.
    fn file(&mut self, reader: &mut FileReader, header: Option<FileHeader>, end: Option<u64>) -> Result<()> {
        let mut offset = FRAMES_START;
        let mut chain = header.map(|header| header.chain());
        let mut bad_from = None;
        let mut epoch = header.map(|header| header.epoch);
        if let Some(header) = header {
            self.prove(header.epoch, header.durable_before);
        }
        loop {
            let expected = self.expected;
            let here = reader.frame_at(offset, Some(self.log_id));
            let here = here.filter(|frame| frame.sequence >= expected && chain.is_none_or(|chain| chain == frame.chain));
            let frame = match here {
                Some(frame) => frame,
                None => {
                    bad_from.get_or_insert(offset);
                    // A frame behind damage cannot prove what it follows.
                    match reader.search(offset + 1, Some(self.log_id), |frame| frame.sequence >= expected) {
                        Some((at, frame)) => {
                            offset = at;
                            frame
                        }
                        None => break,
                    }
                }
            };
            if end.is_some_and(|end| frame.sequence >= end) {
                break;
            }
            epoch = Some(frame.epoch);
            self.prove(frame.epoch, frame.durable_before);
            let next = offset + frame.frame_len();
            if let Some(frame_or_mark) = self.decode(reader, offset, &frame) {
                self.miss(expected..frame.sequence, Some(frame.file), bad_from.take().unwrap_or(offset)..offset, epoch);
                self.expected = frame.sequence + 1;
                if let Some(frame) = frame_or_mark {
                    self.deliver(frame)?;
                }
            } else {
                bad_from.get_or_insert(offset);
            }
            chain = Some(frame.crc);
            offset = next;
        }
        let (index, len) = (header.map(|header| header.file), reader.len());
        if let Some(end) = end {
            // An earlier opening or the same process went on behind these, so they were there.
            self.miss(self.expected..end, index, bad_from.unwrap_or(offset)..len, None);
            self.expected = self.expected.max(end);
        } else if let Some(durable) = epoch.and_then(|epoch| self.durable.get(&epoch).copied()) {
            self.miss(self.expected..durable, index, bad_from.unwrap_or(offset)..len, epoch);
            self.expected = self.expected.max(durable);
        }
        Ok(())
    }

    /// The frame, or `Some(None)` for a mark; `None` if its bytes are bad.
    fn decode(&self, reader: &mut FileReader, offset: u64, header: &FrameHeader) -> Option<Option<Frame>> {
        let (tenant, payload) = reader.body(offset, header)?;
        if header.kind == MARK {
            return Some(None);
        }
        let tenant = Tenant::new(std::str::from_utf8(&tenant).ok()?).ok()?;
        let kind = FrameKind::from_code(header.kind)?;
        Some(Some(Frame { sequence: header.sequence, tenant, kind, payload, file: header.file, is_consumed: header.sequence < self.from }))
    }

    fn deliver(&mut self, frame: Frame) -> Result<()> {
        if !frame.is_consumed {
            self.report.frames += 1;
            self.report.payload_bytes += frame.payload.len() as u64;
        }
        (self.replay)(frame)
    }

    fn prove(&mut self, epoch: u64, durable_before: u64) {
        let known = self.durable.entry(epoch).or_default();
        *known = (*known).max(durable_before);
    }

    /// Notes that sequences are missing. Without an epoch it is certain that they had been durable.
    fn miss(&mut self, sequences: Range<u64>, file: Option<u64>, bytes: Range<u64>, epoch: Option<u64>) {
        if sequences.start < sequences.end {
            let range = LostRange { first: sequences.start, last: sequences.end - 1, file, bytes, was_durable: epoch.is_none() };
            self.gaps.push(Gap { range, epoch });
        }
    }

    /// Judges the gaps, now that all proofs are known.
    fn finish(mut self, position: u64) -> RecoveryReport {
        for Gap { mut range, epoch } in std::mem::take(&mut self.gaps) {
            range.first = range.first.max(self.from);
            if range.first > range.last {
                continue;
            }
            let durable = epoch.map_or(u64::MAX, |epoch| self.durable.get(&epoch).copied().unwrap_or(0));
            if durable > range.first && durable <= range.last {
                self.list(LostRange { last: durable - 1, was_durable: true, ..range.clone() });
                range.first = durable;
            }
            range.was_durable = durable > range.first;
            self.list(range);
        }
        self.report.position = position;
        let damage = self.report.lost.iter().filter(|range| range.was_durable).count() as u64 + self.report.unreadable_files;
        count_damage(damage);
        registry().counter(names::STORE_WAL_LOST_FRAMES_TOTAL, &[]).add(self.report.lost_frames);
        self.report
    }

    fn list(&mut self, range: LostRange) {
        if range.was_durable {
            self.report.lost_frames += range.last - range.first + 1;
            tracing::error!(first = range.first, last = range.last, file = range.file, "acknowledged WAL frames are missing: they were damaged on disk");
        } else {
            tracing::warn!(first = range.first, last = range.last, file = range.file, "WAL frames of an interrupted write are missing");
        }
        if self.report.lost.len() < LOST_RANGES_MAX {
            self.report.lost.push(range);
        }
    }
}
