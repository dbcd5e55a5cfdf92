//! A file whose blocks that were verified last are kept: checksums are of 64 KiB, and of most columns several pages lie in one
//! block, so that neighbouring pages would read and verify it again and again.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use parking_lot::Mutex;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use signalbox_model::Result;

use crate::format::file::{SegmentFile, SegmentRead};
use crate::format::writer::BLOCK_BYTES;

/// Blocks that are kept: those of a page of mantissas and of one of doubles, which may cross into the next, and of starts.
const BLOCKS_MAX: usize = 6;

/// Reads a segment for one cursor.
pub(crate) struct Blocks {
    file: SegmentFile,
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Blocks {
    pub(crate) fn new(file: SegmentFile) -> Self {
        Self { file, kept: Mutex::default() }
    }

    fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let last = (len as u64).checked_sub(1).and_then(|last| offset.checked_add(last));
        let ends = last.and_then(|last| Some((self.file.block_of(offset, 1)?, self.file.block_of(last, 1)?)));
        let Some((first, last)) = ends.filter(|(first, last)| last - first <= 1) else { return self.file.read(offset, len as u64) };
        let from = (offset % BLOCK_BYTES as u64) as usize;
        let block = self.block(first)?;
        if first == last {
            return Ok(block.slice(from..from + len));
        }
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&block[from..]);
        bytes.extend_from_slice(&self.block(last)?[..len - bytes.len()]);
        Ok(bytes.into())
    }

    fn block(&self, number: u64) -> Result<Bytes> {
        let mut kept = self.kept.lock();
        if let Some((_, block)) = kept.iter().find(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let block = self.file.read_block(number)?;
        if kept.len() == BLOCKS_MAX {
            kept.pop_front();
        }
        kept.push_back((number, block.clone()));
        Ok(block)
    }
}

impl Length for Blocks {
    fn len(&self) -> u64 {
        Length::len(&self.file)
    }
}

impl ChunkReader for Blocks {
    type T = SegmentRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<SegmentRead> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.read(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("file", &self.file).finish_non_exhaustive()
    }
}
