//! Batches as they came, small ones copied together.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use signalbox_model::Result;

use super::chunk::Chunk;
use crate::format::rows::gather;

/// From so many rows on a chunk is left alone: large enough that the costs of a chunk vanish beside those of its rows, small
/// enough that copying it together takes a millisecond or two.
const CHUNK_ROWS: usize = 16 << 10;
/// Each copy makes a chunk about so many times larger, so that rows that come one by one are copied four times in all, and
/// at most some dozens of chunks are small.
const COPY_FACTOR: usize = 16;

/// Chunks in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Pile {
    chunks: Vec<Arc<Chunk>>,
    rows: usize,
}

impl Pile {
    pub(super) fn push(&mut self, rows: RecordBatch) -> Result<()> {
        let chunk = Chunk::new(rows)?;
        self.rows += chunk.rows.num_rows();
        self.chunks.push(Arc::new(chunk));
        while let Some(first) = self.to_copy() {
            let together: Vec<&RecordBatch> = self.chunks[first..].iter().map(|chunk| &chunk.rows).collect();
            let chunk = Chunk::new(gather::concat(&together)?)?;
            self.chunks.truncate(first);
            self.chunks.push(Arc::new(chunk));
        }
        Ok(())
    }

    pub(super) fn take(&mut self) -> Vec<Arc<Chunk>> {
        std::mem::take(self).chunks
    }

    pub(super) fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The first of the last chunks that are to be one.
    fn to_copy(&self) -> Option<usize> {
        let last = class(self.chunks.last()?)?;
        let (mut first, mut rows) = (self.chunks.len(), 0);
        for (at, chunk) in self.chunks.iter().enumerate().rev() {
            if class(chunk).is_none_or(|class| class > last) {
                break;
            }
            (first, rows) = (at, rows + chunk.rows.num_rows());
        }
        let count = self.chunks.len() - first;
        (count >= COPY_FACTOR || (count > 1 && rows >= CHUNK_ROWS)).then_some(first)
    }
}

/// Order of magnitude of a chunk, `None` for one that is left alone.
fn class(chunk: &Chunk) -> Option<u32> {
    let rows = chunk.rows.num_rows();
    (rows < CHUNK_ROWS).then(|| rows.max(1).ilog(COPY_FACTOR))
}
