//! Reads frames out of one file, whatever state it is in: finds the next valid frame behind damage, and takes sectors that
//! cannot be read for zeros.

use std::io;

use bytes::Bytes;
use signalbox_model::disk::DiskFile;

use super::frame::{ALIGNMENT, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, FRAMES_START, FileHeader, FrameHeader, PAYLOAD_BYTES_MAX, SECOND_HEADER};

/// Bytes read at once while walking.
const WINDOW_BYTES: usize = 256 * 1024;
/// Unit in which disks lose data.
const SECTOR_BYTES: usize = 4096;
/// A read that fails once may succeed the next time; one that fails this often will not.
const READ_TRIES: u32 = 3;
/// Longest tenant name that a header can carry.
const TENANT_BYTES_MAX: u64 = 64;

/// One file of frames.
#[derive(Debug)]
pub(super) struct FileReader {
    file: Box<dyn DiskFile>,
    len: u64,
    index: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Bytes that no attempt could read.
    pub(super) unreadable_bytes: u64,
}

/// What the two copies of the file header say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderState {
    /// At least one copy is good.
    Good(FileHeader),
    /// A good copy has a version that this program does not know.
    Foreign(u8),
    /// Neither is.
    Missing,
}

impl FileReader {
    pub(super) fn new(file: Box<dyn DiskFile>, index: u64) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, len, index, window: Vec::new(), window_at: 0, unreadable_bytes: 0 })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The header of the file, from whichever copy is good and belongs to a file of this name.
    pub(super) fn file_header(&mut self) -> HeaderState {
        let mut state = HeaderState::Missing;
        for at in [0, SECOND_HEADER] {
            match self.bytes(at, FILE_HEADER_BYTES).and_then(FileHeader::parse) {
                Some((super::frame::VERSION, header)) if header.file == self.index => return HeaderState::Good(header),
                Some((version, _)) if version != super::frame::VERSION => state = HeaderState::Foreign(version),
                _ => {}
            }
        }
        state
    }

    /// The frame header at an offset, if one of this file is there and its frame ends within the file.
    pub(super) fn frame_at(&mut self, offset: u64, log_id: Option<u64>) -> Option<FrameHeader> {
        let room = self.len.checked_sub(offset)?.min(FRAME_HEADER_BYTES as u64 + TENANT_BYTES_MAX);
        let header = FrameHeader::parse(self.bytes(offset, usize::try_from(room).ok()?)?, offset)?;
        let belongs = header.file == self.index && log_id.is_none_or(|log_id| header.log_id == log_id);
        let fits = header.payload_len as usize <= PAYLOAD_BYTES_MAX && offset + header.header_len() + u64::from(header.payload_len) <= self.len;
        (belongs && fits).then_some(header)
    }

    /// The first frame header at or behind an offset that satisfies a condition.
    pub(super) fn search(&mut self, offset: u64, log_id: Option<u64>, accept: impl Fn(&FrameHeader) -> bool) -> Option<(u64, FrameHeader)> {
        let mut at = offset.max(FRAMES_START).next_multiple_of(ALIGNMENT as u64);
        while at < self.len {
            let want = usize::try_from(self.len - at).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
            let window = self.bytes(at, want)?;
            let hit = window.chunks(ALIGNMENT).position(|chunk| chunk.starts_with(&FRAME_MAGIC));
            let Some(hit) = hit else {
                at += want as u64;
                continue;
            };
            at += (hit * ALIGNMENT) as u64;
            if let Some(header) = self.frame_at(at, log_id).filter(|header| accept(header)) {
                return Some((at, header));
            }
            at += ALIGNMENT as u64;
        }
        None
    }

    /// The tenant's name as bytes, and the payload if its checksum holds.
    pub(super) fn body(&mut self, offset: u64, header: &FrameHeader) -> Option<(Vec<u8>, Bytes)> {
        let tenant = self.bytes(offset + FRAME_HEADER_BYTES as u64, usize::from(header.tenant_len))?.to_vec();
        // frame_at checked the length against the file and the limit.
        let mut payload = vec![0; header.payload_len as usize];
        let at = offset + header.header_len();
        if payload.len() <= WINDOW_BYTES {
            let len = payload.len();
            payload.copy_from_slice(self.bytes(at, len)?);
        } else {
            self.read(&mut payload, at);
        }
        (crc32c::crc32c(&payload) == header.payload_crc).then(|| (tenant, Bytes::from(payload)))
    }

    /// Bytes through the window; `None` past the end. Asks for at most [`WINDOW_BYTES`].
    fn bytes(&mut self, offset: u64, len: usize) -> Option<&[u8]> {
        if offset.checked_add(len as u64)? > self.len {
            return None;
        }
        let window_end = self.window_at + self.window.len() as u64;
        if offset < self.window_at || offset + len as u64 > window_end {
            let fill = usize::try_from(self.len - offset).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
            let mut window = std::mem::take(&mut self.window);
            window.resize(fill.max(len), 0);
            self.read(&mut window, offset);
            (self.window, self.window_at) = (window, offset);
        }
        let from = usize::try_from(offset - self.window_at).ok()?;
        self.window.get(from..from + len)
    }

    /// Reads, falling back to single sectors where the disk fails; what stays unreadable is zeros.
    fn read(&mut self, buffer: &mut [u8], offset: u64) {
        if self.try_read(buffer, offset) {
            return;
        }
        let (mut rest, mut at) = (buffer, offset);
        while !rest.is_empty() {
            let in_sector = SECTOR_BYTES - usize::try_from(at % SECTOR_BYTES as u64).unwrap_or(0);
            let (sector, behind) = rest.split_at_mut(in_sector.min(rest.len()));
            if !self.try_read(sector, at) {
                sector.fill(0);
                self.unreadable_bytes += sector.len() as u64;
            }
            at += sector.len() as u64;
            rest = behind;
        }
    }

    fn try_read(&self, buffer: &mut [u8], offset: u64) -> bool {
        (0..READ_TRIES).any(|_| signalbox_model::disk::read_exact_at(self.file.as_ref(), buffer, offset).is_ok())
    }
}
