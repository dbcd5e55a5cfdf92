//! Bytes of WAL files and frames: pure encoding and parsing. The layout is specified in `FORMAT.md`.

use signalbox_model::{Signal, Tenant};

/// Version of both layouts.
pub(super) const VERSION: u8 = 1;
/// Offset of the second copy of the file header: another 4 KiB sector, so that one bad sector cannot take both.
pub(super) const SECOND_HEADER: u64 = 4096;
/// Offset of the first frame.
pub(super) const FRAMES_START: u64 = 8192;
/// Frames start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;
/// Bytes of a file header.
pub(super) const FILE_HEADER_BYTES: usize = 64;
/// Bytes of a frame header without the tenant.
pub(super) const FRAME_HEADER_BYTES: usize = 64;
/// Largest payload a frame can carry.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// First bytes of a frame.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"SBWF";

const FILE_MAGIC: [u8; 8] = *b"SIGBXWAL";
/// A header's own checksum is its last four bytes.
const CRC_AT: usize = 60;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Rows of one signal, encoded by [`crate::write::payload`].
    Signal(Signal),
    /// Anything else the store needs in order with the rows; codes from [`FrameKind::CUSTOM_MIN`] on.
    Custom(u8),
}

impl FrameKind {
    /// Smallest code of a custom kind; smaller ones belong to the WAL.
    pub const CUSTOM_MIN: u8 = 64;

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Signal(Signal::Metrics) => 1,
            Self::Signal(Signal::Logs) => 2,
            Self::Signal(Signal::Traces) => 3,
            Self::Custom(code) => code,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Signal(Signal::Metrics)),
            2 => Some(Self::Signal(Signal::Logs)),
            3 => Some(Self::Signal(Signal::Traces)),
            Self::CUSTOM_MIN.. => Some(Self::Custom(code)),
            _ => None,
        }
    }
}

/// Code of the frame that a clean shutdown leaves: it proves that everything before it was durable.
pub(super) const MARK: u8 = 0;

/// Head of a file, written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) log_id: u64,
    pub(super) epoch: u64,
    pub(super) file: u64,
    /// Sequence of the first frame; frames of earlier files with this sequence or a later one never counted.
    pub(super) first_sequence: u64,
    /// Everything before this sequence was acknowledged or is older than this log.
    pub(super) durable_before: u64,
}

impl FileHeader {
    pub(super) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(&FILE_MAGIC);
        bytes[8] = VERSION;
        for (at, value) in [(16, self.log_id), (24, self.epoch), (32, self.file), (40, self.first_sequence), (48, self.durable_before)] {
            put_u64(&mut bytes, at, value);
        }
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if these bytes are no header; the version is not judged.
    pub(super) fn parse(bytes: &[u8]) -> Option<(u8, Self)> {
        let bytes: &[u8; FILE_HEADER_BYTES] = bytes.get(..FILE_HEADER_BYTES)?.try_into().ok()?;
        if bytes[..8] != FILE_MAGIC || crc32c::crc32c(&bytes[..CRC_AT]) != get_u32(bytes, CRC_AT) {
            return None;
        }
        let header = Self {
            log_id: get_u64(bytes, 16),
            epoch: get_u64(bytes, 24),
            file: get_u64(bytes, 32),
            first_sequence: get_u64(bytes, 40),
            durable_before: get_u64(bytes, 48),
        };
        Some((bytes[8], header))
    }

    /// What the first frame's chain refers to.
    pub(super) fn chain(&self) -> u32 {
        get_u32(&self.encode(), CRC_AT)
    }
}

/// Head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: u8,
    pub(super) tenant_len: u8,
    pub(super) payload_len: u32,
    pub(super) payload_crc: u32,
    pub(super) log_id: u64,
    pub(super) epoch: u64,
    pub(super) file: u64,
    pub(super) sequence: u64,
    /// Every sequence before this one was durable when the frame was written.
    pub(super) durable_before: u64,
    /// Checksum of the header before this one in the file.
    pub(super) chain: u32,
    /// Checksum of this header, the tenant, and the offset of the frame in its file.
    pub(super) crc: u32,
}

impl FrameHeader {
    /// Parses the header that stands at `offset` of a file from the front of `bytes`, which must reach past the tenant. `None` if
    /// it is none, or one of another place or version.
    pub(super) fn parse(bytes: &[u8], offset: u64) -> Option<Self> {
        let fixed: &[u8; FRAME_HEADER_BYTES] = bytes.get(..FRAME_HEADER_BYTES)?.try_into().ok()?;
        if fixed[..4] != FRAME_MAGIC || fixed[4] != VERSION {
            return None;
        }
        let tenant_len = fixed[6];
        let tenant = bytes.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + usize::from(tenant_len))?;
        let crc = header_crc(fixed, tenant, offset);
        if crc != get_u32(fixed, CRC_AT) {
            return None;
        }
        Some(Self {
            kind: fixed[5],
            tenant_len,
            payload_len: get_u32(fixed, 8),
            payload_crc: get_u32(fixed, 12),
            log_id: get_u64(fixed, 16),
            epoch: get_u64(fixed, 24),
            file: get_u64(fixed, 32),
            sequence: get_u64(fixed, 40),
            durable_before: get_u64(fixed, 48),
            chain: get_u32(fixed, 56),
            crc,
        })
    }

    /// Bytes before the payload.
    pub(super) fn header_len(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.tenant_len)
    }

    /// Bytes of the whole frame with padding.
    pub(super) fn frame_len(&self) -> u64 {
        (self.header_len() + u64::from(self.payload_len)).next_multiple_of(ALIGNMENT as u64)
    }
}

/// What the writer knows of a frame before its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameStart<'a> {
    pub(super) kind: u8,
    pub(super) tenant: Option<&'a Tenant>,
    pub(super) file: &'a FileHeader,
    /// Offset in the file of the first byte of the buffer that the frame is appended to.
    pub(super) buffer_offset: u64,
    pub(super) sequence: u64,
    pub(super) durable_before: u64,
    pub(super) chain: u32,
}

/// Appends a frame to `out`, whose length must be a multiple of [`ALIGNMENT`]; `payload` appends the payload.
/// Gives the checksum of the header, the chain of the next frame; on an error `out` is as before.
pub(super) fn write_frame<E>(out: &mut Vec<u8>, start: FrameStart<'_>, payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<u32, E> {
    let (at, tenant) = (out.len(), start.tenant.map_or("", Tenant::as_str));
    debug_assert!(at.is_multiple_of(ALIGNMENT), "frames are aligned");
    out.resize(at + FRAME_HEADER_BYTES, 0);
    out.extend_from_slice(tenant.as_bytes());
    let payload_at = out.len();
    if let Err(error) = payload(out) {
        out.truncate(at);
        return Err(error);
    }
    let payload_crc = crc32c::crc32c(&out[payload_at..]);
    // The writer refuses payloads above PAYLOAD_BYTES_MAX, and the length is checked again when the frame is read.
    let payload_len = u32::try_from(out.len() - payload_at).unwrap_or(u32::MAX);
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    let header = &mut out[at..at + FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&FRAME_MAGIC);
    // Tenant names have at most 64 bytes.
    (header[4], header[5], header[6]) = (VERSION, start.kind, tenant.len() as u8);
    header[8..12].copy_from_slice(&payload_len.to_le_bytes());
    header[12..16].copy_from_slice(&payload_crc.to_le_bytes());
    let file = start.file;
    for (at, value) in [(16, file.log_id), (24, file.epoch), (32, file.file), (40, start.sequence), (48, start.durable_before)] {
        put_u64(header, at, value);
    }
    header[56..CRC_AT].copy_from_slice(&start.chain.to_le_bytes());
    let crc = header_crc(header, tenant.as_bytes(), start.buffer_offset + at as u64);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    Ok(crc)
}

/// The offset is part of it, so that a frame which the disk put in the wrong place is none.
fn header_crc(header: &[u8], tenant: &[u8], offset: u64) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..CRC_AT]), tenant);
    crc32c::crc32c_append(crc, &offset.to_le_bytes())
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get_u64(bytes: &[u8; 64], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

fn get_u32(bytes: &[u8; 64], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}
