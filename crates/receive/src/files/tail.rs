//! One file that is followed, or a compressed one that is read to its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::container;
use super::join::{Joiner, Piece};
use super::positions::{FINGERPRINT_BYTES, FileId, Fingerprint, Position};
use super::source::Compiled;
use super::unpack::{Unpacked, Unpacking};
use crate::logs::{Origin, mended};

/// Bytes that one file gives in one round.
const READ_BYTES: usize = 256 << 10;
/// How long a compressed file that ends too early must not have grown, to be taken as damaged.
const CUT_WAIT: Duration = Duration::from_secs(30);

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) fingerprint: Fingerprint,
    /// Number of its source.
    pub(super) source: usize,
    pub(super) origin: Arc<Origin>,
    pub(super) handle: Option<File>,
    /// Of a compressed file. Offsets are of what it holds.
    pub(super) unpacked: Option<Unpacked>,
    /// Bytes that are acknowledged.
    pub(super) acknowledged: u64,
    /// Where `buffer` begins in the file.
    buffer_start: u64,
    /// What was read and is not a whole line yet.
    buffer: Vec<u8>,
    /// Whether bytes up to the next line feed are passed over: the rest of a line that was too long.
    is_skipping: bool,
    joiner: Joiner,
    /// When the last byte came.
    pub(super) touched: Duration,
    /// Whether its path is another file's, or nobody's.
    pub(super) is_replaced: bool,
    /// Since when that is known.
    pub(super) replaced_since: Option<Duration>,
}

/// What reading a file once gave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) bytes: usize,
    /// Whether there is more to read at once.
    pub(super) has_more: bool,
}

/// Device and inode.
pub(super) fn id_of(metadata: &std::fs::Metadata) -> FileId {
    FileId { device: metadata.dev(), inode: metadata.ino() }
}

/// The first bytes of a file.
pub(super) fn first_bytes(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; FINGERPRINT_BYTES];
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

impl Tail {
    /// A file from an offset on.
    pub(super) fn new(path: PathBuf, handle: File, source: usize, origin: Arc<Origin>, offset: u64) -> io::Result<Self> {
        let id = id_of(&handle.metadata()?);
        let fingerprint = Fingerprint::of(&first_bytes(&handle)?);
        // In the middle of a line: its beginning was given before.
        let mut before = [b'\n'];
        if offset > 0 {
            handle.read_at(&mut before, offset - 1)?;
        }
        Ok(Self {
            path,
            id,
            fingerprint,
            source,
            origin,
            handle: Some(handle),
            unpacked: None,
            acknowledged: offset,
            buffer_start: offset,
            buffer: Vec::new(),
            is_skipping: before != [b'\n'],
            joiner: Joiner::default(),
            touched: Duration::ZERO,
            is_replaced: false,
            replaced_since: None,
        })
    }

    /// A compressed file, known by its id and the first bytes of its content, from an offset on.
    pub(super) fn packed(path: PathBuf, (id, first): (FileId, &[u8]), source: usize, origin: Arc<Origin>, offset: u64, is_complete: bool) -> Self {
        Self {
            path,
            id,
            fingerprint: Fingerprint::of(first),
            source,
            origin,
            handle: None,
            unpacked: Some(Unpacked { is_complete, ..Unpacked::default() }),
            acknowledged: offset,
            buffer_start: offset,
            buffer: Vec::new(),
            is_skipping: false,
            joiner: Joiner::default(),
            touched: Duration::ZERO,
            is_replaced: false,
            replaced_since: None,
        }
    }

    /// Whether a compressed file is open.
    pub(super) fn is_unpacking(&self) -> bool {
        self.unpacked.as_ref().is_some_and(|unpacked| unpacked.open.is_some())
    }

    /// Whether the file is no longer under its path, and has been silent, for so long. Its path may have become another one
    /// meanwhile, which only the next look tells.
    pub(super) fn is_replaced_for(&self, wait: Duration, now: Duration) -> bool {
        self.replaced_since.is_some_and(|since| now.saturating_sub(since.max(self.touched)) >= wait)
    }

    /// Where the first byte stands that is not in a record that was given away.
    pub(super) fn position(&self) -> u64 {
        self.joiner.start().unwrap_or(self.buffer_start).min(self.buffer_start)
    }

    pub(super) fn on_disk(&self) -> Position {
        let is_complete = self.unpacked.as_ref().is_some_and(|unpacked| unpacked.is_complete) && self.acknowledged == self.position();
        Position { path: self.path.clone(), id: self.id, fingerprint: self.fingerprint, offset: self.acknowledged, is_complete }
    }

    /// Reads what is there, up to a bound, and appends records that are complete.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(&mut self, source: &Compiled, now: Duration, out: &mut Vec<Piece>) -> io::Result<Progress> {
        if self.unpacked.is_some() {
            return self.unpack(source, now, out);
        }
        if self.handle.is_none() {
            let file = File::open(&self.path)?;
            if id_of(&file.metadata()?) != self.id {
                self.is_replaced = true;
                return Ok(Progress::default());
            }
            self.handle = Some(file);
        }
        let Some(file) = &self.handle else { return Ok(Progress::default()) };
        let length = file.metadata()?.len();
        let end = self.buffer_start + self.buffer.len() as u64;
        let mut read = 0;
        if length != end {
            let first = first_bytes(file)?;
            if length < end || !self.fingerprint.fits(&first) {
                // Copied and truncated: from the beginning, with what of it was read and never ended.
                self.start_anew(source, now, out);
            }
            self.fingerprint = Fingerprint::of(&first);
            read = self.fill()?;
        }
        if read > 0 {
            self.touched = now;
            self.lines(source, now, out);
        } else if let Some(lines) = &source.multiline {
            self.joiner.flush_old(lines, now, out);
        }
        Ok(Progress { bytes: read, has_more: read == READ_BYTES })
    }

    /// Reads a piece of a compressed file. One that ends too early may still be written and is tried again; one that is damaged
    /// gives what comes before the damage.
    fn unpack(&mut self, source: &Compiled, now: Duration, out: &mut Vec<Piece>) -> io::Result<Progress> {
        let Some(mut unpacked) = self.unpacked.take() else { return Ok(Progress::default()) };
        let progress = if unpacked.is_complete { Ok(Progress::default()) } else { self.unpack_piece(&mut unpacked, source, now, out) };
        self.unpacked = Some(unpacked);
        progress
    }

    fn unpack_piece(&mut self, unpacked: &mut Unpacked, source: &Compiled, now: Duration, out: &mut Vec<Piece>) -> io::Result<Progress> {
        let length = std::fs::metadata(&self.path)?.len();
        if unpacked.cut_at == Some(length) && now.saturating_sub(self.touched) < CUT_WAIT {
            return Ok(Progress::default());
        }
        let (known, end) = (self.buffer.len(), self.buffer_start + self.buffer.len() as u64);
        let read = match unpacked.open.take() {
            Some(open) => Ok(open),
            None => Unpacking::open(&self.path, end).map(|(open, is_inside)| {
                self.is_skipping |= is_inside && known == 0;
                open
            }),
        };
        let read = read.and_then(|mut open| {
            let read = open.read(READ_BYTES, &mut self.buffer)?;
            unpacked.open = Some(open);
            Ok(read)
        });
        let bytes = self.buffer.len() - known;
        if bytes > 0 {
            self.touched = now;
            self.lines(source, now, out);
        }
        match read {
            Ok(READ_BYTES) => return Ok(Progress { bytes, has_more: true }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && unpacked.cut_at != Some(length) => {
                unpacked.cut_at = Some(length);
                self.touched = now;
                return Ok(Progress { bytes, has_more: false });
            }
            Err(error) => tracing::warn!(path = %self.path.display(), "cannot read all of {}: {error}", self.path.display()),
        }
        self.finish(source, now, out);
        (unpacked.open, unpacked.is_complete) = (None, true);
        Ok(Progress { bytes, has_more: false })
    }

    /// Gives the last line even without a line feed: nobody writes to the file any more.
    pub(super) fn finish(&mut self, source: &Compiled, now: Duration, out: &mut Vec<Piece>) {
        if !self.buffer.is_empty() {
            self.buffer.push(b'\n');
            self.lines(source, now, out);
            self.buffer_start -= 1;
        }
        self.joiner.flush(out);
    }

    fn start_anew(&mut self, source: &Compiled, now: Duration, out: &mut Vec<Piece>) {
        tracing::info!(path = %self.path.display(), "{} begins anew", self.path.display());
        self.finish(source, now, out);
        self.buffer.clear();
        (self.buffer_start, self.acknowledged, self.is_skipping) = (0, 0, false);
    }

    fn fill(&mut self) -> io::Result<usize> {
        let Some(file) = &self.handle else { return Ok(0) };
        let known = self.buffer.len();
        self.buffer.resize(known + READ_BYTES, 0);
        let read = file.read_at(&mut self.buffer[known..], self.buffer_start + known as u64);
        let length = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(known + length);
        read
    }

    /// Takes whole lines out of the buffer.
    fn lines(&mut self, source: &Compiled, now: Duration, out: &mut Vec<Piece>) {
        let mut taken = 0;
        while let Some(length) = memchr::memchr(b'\n', &self.buffer[taken..]) {
            let start = self.buffer_start + taken as u64;
            let line = &self.buffer[taken..taken + length];
            taken += length + 1;
            if std::mem::take(&mut self.is_skipping) {
                continue;
            }
            push_line(&mut self.joiner, line, start, source, now, out);
        }
        // A line without an end that is too long already: its beginning is given, the rest passed over.
        let rest = &self.buffer[taken..];
        if self.is_skipping {
            taken = self.buffer.len();
        } else if rest.len() > raw_bytes_max(source) {
            push_line(&mut self.joiner, rest, self.buffer_start + taken as u64, source, now, out);
            self.is_skipping = true;
            taken = self.buffer.len();
        }
        self.buffer.drain(..taken);
        self.buffer_start += taken as u64;
    }
}

/// Bytes of a line with what its container's runtime puts around it.
fn raw_bytes_max(source: &Compiled) -> usize {
    // Docker escapes what is in a line.
    if source.format == super::LineFormat::Plain { source.line_bytes_max } else { 2 * source.line_bytes_max + 256 }
}

fn push_line(joiner: &mut Joiner, line: &[u8], start: u64, source: &Compiled, now: Duration, out: &mut Vec<Piece>) {
    // Zeros stand where a file was truncated under a writer that did not notice.
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    let line = line[zeros..].strip_suffix(b"\r").unwrap_or(&line[zeros..]);
    let line = &line[..line.len().min(raw_bytes_max(source))];
    let text = mended(line);
    joiner.push(container::read(source.format, &text), start, source.multiline.as_ref(), source.line_bytes_max, now, out);
}
