//! Reads batches of a segment, and keeps what our own reads of the file said.
//!
//! The reader of Parquet passes errors on as text. Whether the disk failed or the file is damaged is what a caller acts on, so
//! the first error of the file is kept beside.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use arrow::error::ArrowError;
use bytes::Bytes;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use signalbox_model::{Error, Result};

use crate::format::file::{SegmentFile, SegmentRead, read_error};
use crate::format::pages;
use crate::format::rows::RowSegment;
use crate::format::writer::BLOCK_BYTES;
use crate::read::metrics::cache::{Key, PageCache};
use crate::scan::Batches;

/// The first error of a file.
pub(crate) type Failure = Arc<Mutex<Option<Error>>>;

/// Blocks that a reader keeps beside one for each column: pages of most columns are smaller than a block, and the next page
/// lies in the block of the last.
const MORE_BLOCKS: usize = 8;

/// What a page in the cache takes beside its content, about.
const PAGE_KEY_BYTES: usize = 160;

/// A file that keeps its first error and the blocks that it read last.
pub(crate) struct NotedFile {
    file: SegmentFile,
    failure: Failure,
    blocks: Mutex<VecDeque<(u64, Bytes)>>,
    blocks_max: usize,
    /// Whether pages are handed out decompressed.
    is_plain: bool,
    /// Where decompressed pages are kept that are read again, and of which segment they are.
    kept: Option<(Arc<PageCache>, u64)>,
}

impl NotedFile {
    /// For a reader of so many columns.
    pub(crate) fn new(file: SegmentFile, columns: usize) -> Self {
        Self { file, failure: Failure::default(), blocks: Mutex::default(), blocks_max: columns + MORE_BLOCKS, is_plain: false, kept: None }
    }

    /// As [`NotedFile::new`], for a reader whose metadata is that of [`pages::uncompressed`]: it asks for whole pages and gets
    /// them decompressed.
    pub(crate) fn plain(file: SegmentFile, columns: usize) -> Self {
        Self { is_plain: true, ..Self::new(file, columns) }
    }

    /// Keeps decompressed pages of a segment in a cache when they are read again.
    pub(crate) fn keep(self, cache: Arc<PageCache>, segment: u64) -> Self {
        Self { kept: Some((cache, segment)).filter(|_| self.is_plain), ..self }
    }

    /// A page, decompressed.
    fn page(&self, offset: u64, len: usize) -> Result<Bytes> {
        let load = || pages::decompress(&self.read(offset, len)?);
        let Some((cache, segment)) = &self.kept else { return load() };
        let key = Key::Page { segment: *segment, offset };
        if let Some(page) = cache.find::<Bytes>(&key) {
            return Ok(Bytes::clone(&page));
        }
        let page = load()?;
        if cache.is_wanted(&key) {
            cache.insert(key, &Arc::new(page.clone()), page.len() + PAGE_KEY_BYTES);
        }
        Ok(page)
    }

    pub(crate) fn failure(&self) -> Failure {
        Arc::clone(&self.failure)
    }

    fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let Some(number) = self.file.block_of(offset, len as u64) else { return self.file.read(offset, len as u64) };
        let from = (offset % BLOCK_BYTES as u64) as usize;
        let mut blocks = self.blocks.lock();
        if let Some((_, block)) = blocks.iter().find(|(known, _)| *known == number) {
            return Ok(block.slice(from..from + len));
        }
        let block = self.file.read_block(number)?;
        if blocks.len() == self.blocks_max {
            blocks.pop_front();
        }
        blocks.push_back((number, block.clone()));
        Ok(block.slice(from..from + len))
    }
}

impl Length for NotedFile {
    fn len(&self) -> u64 {
        Length::len(&self.file)
    }
}

impl ChunkReader for NotedFile {
    type T = NotedRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<NotedRead> {
        if self.is_plain {
            return Err(ParquetError::General("a page was asked for without its length".into()));
        }
        Ok(NotedRead { read: self.file.get_read(start)?, failure: Arc::clone(&self.failure) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = if self.is_plain { self.page(start, length) } else { self.read(start, length) };
        bytes.map_err(|error| {
            let text = error.to_string();
            self.failure.lock().get_or_insert(error);
            ParquetError::General(text)
        })
    }
}

/// Reads a file from an offset on, and keeps its first error.
pub(crate) struct NotedRead {
    read: SegmentRead,
    failure: Failure,
}

impl Read for NotedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read.read(buffer).map_err(|error| {
            let kind = error.kind();
            self.failure.lock().get_or_insert_with(|| read_error(self.read.url(), ParquetError::from(error)));
            kind.into()
        })
    }
}

/// What the errors of reading a segment mean.
pub(crate) struct RowReader {
    segment: Arc<RowSegment>,
    failure: Failure,
}

impl RowReader {
    pub(crate) fn new(segment: Arc<RowSegment>, failure: Failure) -> Self {
        Self { segment, failure }
    }

    /// What the file said, else that its structure is damaged; the segment is marked.
    pub(crate) fn error(&mut self, error: &dyn std::error::Error) -> Error {
        let found = self.failure.lock().take();
        let found = found.unwrap_or_else(|| Error::corrupt(format!("cannot read segment {}: {error}", self.segment.record().url)));
        match self.segment.note::<()>(Err(found)) {
            Err(error) => error,
            Ok(()) => Error::internal("an error is none"),
        }
    }

    /// The batches, up to the first error.
    pub(crate) fn over(mut self, mut batches: ParquetRecordBatchReader) -> Batches {
        let mut is_over = false;
        Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let next = batches.next();
            is_over = !matches!(next, Some(Ok(_)));
            next.map(|rows| rows.map_err(|error: ArrowError| self.error(&error)))
        }))
    }
}
