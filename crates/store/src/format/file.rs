//! Opens one segment, and reads of it nothing that it has not verified.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use signalbox_model::disk::{Disk, DiskFile, OpenMode, read_exact_at};
use signalbox_model::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::Segment;
use super::writer::{BLOBS_KEY, BLOCK_BYTES, RECORD_KEY};

/// Length of the fixed end of a Parquet file: length of the footer, magic.
const PARQUET_END_BYTES: u64 = 8;
/// What a sequential reader fetches at once.
const READ_AHEAD_BYTES: u64 = 256 << 10;

/// The bytes of one segment; every read is verified against the checksums of the blocks it touches. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SegmentFile {
    file: Arc<dyn DiskFile>,
    url: Arc<str>,
    body_bytes: u64,
    bytes: u64,
    sums: Arc<[u32]>,
    tail: Bytes,
}

/// An open segment: verified footer, page index, embedded blobs.
#[derive(Clone)]
pub(crate) struct OpenSegment {
    /// The bytes, for the readers of Parquet.
    pub(crate) file: SegmentFile,
    /// Footer and page index, parsed once.
    pub(crate) metadata: ArrowReaderMetadata,
    blobs: BTreeMap<String, (u64, u64)>,
}

impl OpenSegment {
    /// Opens the file of a segment of the catalog and verifies its tail.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is missing, cut, or fails its checksum; `Unavailable` if the disk fails.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, segment: &Segment) -> Result<Self> {
        let corrupt = |what: String| Error::corrupt(format!("cannot open segment {}: {what}", segment.url));
        let file = disk.open(&segment.path(dir), OpenMode::Read).map_err(|error| open_error(&segment.url, error))?;
        let bytes = file.len().map_err(|error| open_error(&segment.url, error))?;
        if bytes != segment.bytes || segment.body_bytes > bytes {
            return Err(corrupt(format!("it has {bytes} bytes, want {}", segment.bytes)));
        }
        let tail = read_range(file.as_ref(), segment.body_bytes, bytes - segment.body_bytes).map_err(|error| open_error(&segment.url, error))?;
        if xxh3_64(&tail) != segment.checksum {
            return Err(corrupt("its tail fails its checksum".into()));
        }
        Self::from_tail(file.into(), segment, tail)
    }

    fn from_tail(file: Arc<dyn DiskFile>, segment: &Segment, tail: Bytes) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("cannot open segment {}: {what}", segment.url));
        let blocks = segment.body_bytes.div_ceil(BLOCK_BYTES as u64) as usize;
        let sums = tail.get(..blocks * 4).ok_or_else(|| corrupt("its checksums are cut"))?;
        let sums: Arc<[u32]> = sums.chunks_exact(4).map(|sum| u32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]])).collect();
        let mut file = SegmentFile { file, url: segment.url.as_str().into(), body_bytes: segment.body_bytes, bytes: segment.bytes, sums, tail };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| read_error(&segment.url, error))?;
        file.tail = Bytes::new();
        let blobs = match entry(&metadata, BLOBS_KEY) {
            Some(json) => serde_json::from_str(json).map_err(|error| corrupt("its list of blobs is damaged").with_source(error))?,
            None => BTreeMap::new(),
        };
        Ok(Self { file, metadata, blobs })
    }

    /// An embedded blob by name, verified; `None` if the segment has none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if it fails its checksum.
    pub(crate) fn blob(&self, name: &str) -> Result<Option<Bytes>> {
        let Some((offset, len)) = self.blobs.get(name) else { return Ok(None) };
        self.file.read(*offset, *len).map(Some)
    }

    /// Bytes of an embedded blob, verified; `None` if the segment has none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if they fail their checksum or lie outside.
    pub(crate) fn blob_range(&self, name: &str, range: std::ops::Range<u64>) -> Result<Option<Bytes>> {
        let Some((offset, len)) = self.blobs.get(name) else { return Ok(None) };
        self.check_inside(name, &range, *len)?;
        self.file.read(offset + range.start, range.end - range.start).map(Some)
    }

    /// Length of an embedded blob; `None` if the segment has none of that name.
    pub(crate) fn blob_len(&self, name: &str) -> Option<u64> {
        self.blobs.get(name).map(|(_, len)| *len)
    }

    /// The block of the file that holds a range of an embedded blob, and where in the block that is; `None` if none holds it as a whole.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the range lies outside.
    pub(crate) fn blob_block(&self, name: &str, range: &std::ops::Range<u64>) -> Result<Option<(u64, std::ops::Range<u64>)>> {
        let Some((offset, len)) = self.blobs.get(name) else { return Ok(None) };
        self.check_inside(name, range, *len)?;
        let (start, len) = (offset + range.start, range.end - range.start);
        let within = |number: u64| {
            let from = start - number * BLOCK_BYTES as u64;
            (number, from..from + len)
        };
        Ok(self.file.block_of(start, len).map(within))
    }

    fn check_inside(&self, name: &str, range: &std::ops::Range<u64>, len: u64) -> Result<()> {
        if range.start > range.end || range.end > len {
            return Err(Error::corrupt(format!("cannot read {name} of segment {}: bytes {} to {} are outside", self.file.url, range.start, range.end)));
        }
        Ok(())
    }

    /// An entry of the key-value metadata.
    pub(crate) fn entry(&self, key: &str) -> Option<&str> {
        entry(&self.metadata, key)
    }

    /// The largest value of an unsigned column of 64 bits, if the statistics say it.
    pub(crate) fn max_of(&self, column: &str) -> Option<u64> {
        let is_column = |chunk: &&ColumnChunkMetaData| chunk.column_path().parts() == [column];
        let max = |chunk: &ColumnChunkMetaData| match chunk.statistics() {
            Some(Statistics::Int64(values)) => values.max_opt().map(|max| max.cast_unsigned()),
            _ => None,
        };
        let groups = self.metadata.metadata().row_groups().iter();
        groups.filter_map(|group| group.columns().iter().find(is_column).and_then(max)).max()
    }

    /// Reads the whole body against its checksums.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where it fails; `Unavailable` if the disk fails.
    pub(crate) fn verify(&self) -> Result<()> {
        let mut offset = 0;
        while offset < self.file.body_bytes {
            let len = (self.file.body_bytes - offset).min(4 << 20);
            self.file.read(offset, len)?;
            offset += len;
        }
        Ok(())
    }
}

/// The record that a file carries in itself, for a catalog that has to be rebuilt.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the file is not a complete segment; `Unavailable` if the disk fails.
pub(crate) fn read_record(disk: &dyn Disk, dir: &Path, url: &str) -> Result<Segment> {
    let corrupt = || Error::corrupt(format!("cannot read {url} as a segment: it is not complete"));
    let file = disk.open(&dir.join(url), OpenMode::Read).map_err(|error| open_error(url, error))?;
    let bytes = file.len().map_err(|error| open_error(url, error))?;
    let end =
        read_range(file.as_ref(), bytes.checked_sub(PARQUET_END_BYTES).ok_or_else(corrupt)?, PARQUET_END_BYTES).map_err(|error| open_error(url, error))?;
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let footer_start = bytes.checked_sub(PARQUET_END_BYTES + footer).ok_or_else(corrupt)?;
    let tail = read_range(file.as_ref(), footer_start, bytes - footer_start).map_err(|error| open_error(url, error))?;
    let unchecked = SegmentFile { file: file.into(), url: url.into(), body_bytes: footer_start, bytes, sums: Arc::from([]), tail };
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = ArrowReaderMetadata::load(&unchecked, options).map_err(|error| read_error(url, error))?;
    let mut segment = Segment::from_manifest(entry(&metadata, RECORD_KEY).ok_or_else(corrupt)?, url.to_owned(), bytes, 0)?;
    let tail_bytes = bytes.checked_sub(segment.body_bytes).ok_or_else(corrupt)?;
    let tail = read_range(unchecked.file.as_ref(), segment.body_bytes, tail_bytes).map_err(|error| open_error(url, error))?;
    segment.checksum = xxh3_64(&tail);
    OpenSegment::from_tail(unchecked.file, &segment, tail)?.verify()?;
    Ok(segment)
}

fn entry<'a>(metadata: &'a ArrowReaderMetadata, key: &str) -> Option<&'a str> {
    let entries = metadata.metadata().file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.as_deref()
}

impl SegmentFile {
    /// The number of the block of the body that holds a range as a whole, if one does.
    pub(crate) fn block_of(&self, offset: u64, len: u64) -> Option<u64> {
        let end = offset.checked_add(len).filter(|end| *end <= self.body_bytes && len > 0)?;
        let block = BLOCK_BYTES as u64;
        (offset / block == (end - 1) / block).then_some(offset / block)
    }

    /// Reads a block of the body, verified.
    ///
    /// # Errors
    /// As [`SegmentFile::read`].
    pub(crate) fn read_block(&self, number: u64) -> Result<Bytes> {
        let start = number.saturating_mul(BLOCK_BYTES as u64);
        self.read(start, self.body_bytes.saturating_sub(start).min(BLOCK_BYTES as u64))
    }

    /// Reads a range, verified.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if a block fails its checksum or the range is outside; `Unavailable` if the disk fails.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Result<Bytes> {
        let end = offset.checked_add(len).filter(|end| *end <= self.bytes);
        let end = end.ok_or_else(|| Error::corrupt(format!("cannot read segment {}: offset {offset} is outside", self.url)))?;
        if offset >= self.body_bytes {
            let from = (offset - self.body_bytes) as usize;
            let bytes = self.tail.get(from..from + len as usize);
            let bytes = bytes.ok_or_else(|| Error::internal(format!("cannot read the tail of segment {} once it is open", self.url)))?;
            return Ok(self.tail.slice_ref(bytes));
        }
        if end > self.body_bytes {
            return Err(Error::corrupt(format!("cannot read segment {}: a page runs into the tail", self.url)));
        }
        if len == 0 {
            return Ok(Bytes::new());
        }
        let block = BLOCK_BYTES as u64;
        let start = offset / block * block;
        let stop = end.div_ceil(block).saturating_mul(block).min(self.body_bytes);
        let bytes = read_range(self.file.as_ref(), start, stop - start).map_err(|error| open_error(&self.url, error))?;
        for (position, content) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let number = (start / block) as usize + position;
            if self.sums.get(number) != Some(&crc32c::crc32c(content)) {
                return Err(Error::corrupt(format!("cannot read segment {}: block {number} fails its checksum", self.url)));
            }
        }
        let from = (offset - start) as usize;
        Ok(bytes.slice(from..from + len as usize))
    }
}

impl Length for SegmentFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for SegmentFile {
    type T = SegmentRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<SegmentRead> {
        Ok(SegmentRead { file: self.clone(), offset: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.read(start, length as u64).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// A range of a segment that was read and verified at once.
pub(crate) struct Window {
    offset: u64,
    bytes: Bytes,
}

impl Window {
    /// # Errors
    /// As [`SegmentFile::read`].
    pub(crate) fn read(file: &SegmentFile, offset: u64, len: u64) -> Result<Self> {
        Ok(Self { offset, bytes: file.read(offset, len)? })
    }

    fn behind(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let from = start.checked_sub(self.offset).filter(|from| *from <= self.bytes.len() as u64);
        let from = from.ok_or_else(|| ParquetError::EOF(format!("offset {start} is outside of what was read")))?;
        Ok(self.bytes.slice(from as usize..))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(bytes::Buf::reader(self.behind(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.behind(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are not all of what was read")));
        }
        Ok(bytes.slice(..length))
    }
}

/// Reads a segment from an offset on.
pub(crate) struct SegmentRead {
    file: SegmentFile,
    offset: u64,
    ahead: Bytes,
}

impl SegmentRead {
    /// Names the segment in errors.
    pub(crate) fn url(&self) -> &str {
        &self.file.url
    }
}

impl Read for SegmentRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let boundary = if self.offset < self.file.body_bytes { self.file.body_bytes } else { self.file.bytes };
            let len = boundary.saturating_sub(self.offset).min(READ_AHEAD_BYTES);
            self.ahead = self.file.read(self.offset, len).map_err(io::Error::other)?;
            self.offset += len;
        }
        let taken = buffer.len().min(self.ahead.len());
        buffer[..taken].copy_from_slice(&self.ahead.split_to(taken));
        Ok(taken)
    }
}

fn read_range(file: &dyn DiskFile, offset: u64, len: u64) -> io::Result<Bytes> {
    let mut buffer = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?];
    read_exact_at(file, &mut buffer, offset)?;
    Ok(buffer.into())
}

fn open_error(url: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot read segment {url}: {}", error.kind())).with_source(error)
}

/// What a failure of the reader of Parquet means: what our own reads said, else that the structure of the file is wrong.
pub(crate) fn read_error(url: &str, error: ParquetError) -> Error {
    let own_kind = match &error {
        ParquetError::External(source) => kind_of(source.as_ref()),
        _ => None,
    };
    Error::new(own_kind.unwrap_or(ErrorKind::Corrupt), format!("cannot read segment {url}: {error}")).with_source(error)
}

fn kind_of(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    if let Some(own) = error.downcast_ref::<Error>() {
        return Some(own.kind());
    }
    error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| kind_of(inner))
}

impl fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentFile").field("url", &self.url).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSegment").field("file", &self.file).field("blobs", &self.blobs).finish_non_exhaustive()
    }
}
