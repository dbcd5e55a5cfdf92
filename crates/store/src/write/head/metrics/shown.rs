//! How many rows of each series a view shows, so that it shows batches as a whole.
//!
//! Samples are only ever added behind those of a series, so the number of its rows says what was there at an instant. The
//! numbers lie in chunks that views share with the buffers until an append changes them: taking a view copies a pointer per
//! thousand series, an append copies a chunk once a view.

use std::sync::Arc;

/// Series whose numbers lie together.
const CHUNK: usize = 1024;

type Chunk = [u32; CHUNK];

/// Rows of each slot now.
#[derive(Debug, Default)]
pub(super) struct RowCounts {
    chunks: Vec<Arc<Chunk>>,
    /// Held by each view.
    watched: Arc<()>,
}

impl RowCounts {
    /// Counts one row more for each slot that is named.
    pub(super) fn add(&mut self, slots: &[u32]) {
        for near in slots.chunk_by(|left, right| *left as usize / CHUNK == *right as usize / CHUNK) {
            let at = near[0] as usize / CHUNK;
            if at >= self.chunks.len() {
                self.chunks.resize_with(at + 1, || Arc::new([0; CHUNK]));
            }
            let chunk = Arc::make_mut(&mut self.chunks[at]);
            near.iter().for_each(|slot| chunk[*slot as usize % CHUNK] += 1);
        }
    }

    /// Whether no view is alive that may show what is there now.
    pub(super) fn is_unwatched(&self) -> bool {
        Arc::strong_count(&self.watched) == 1
    }

    /// What a view shows that is taken now.
    pub(super) fn shown(&self) -> Shown {
        Shown(Some(Counted { chunks: self.chunks.as_slice().into(), _watch: Arc::clone(&self.watched) }))
    }
}

/// What a view shows of buffers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shown(Option<Counted>);

#[derive(Debug, Clone)]
struct Counted {
    chunks: Arc<[Arc<Chunk>]>,
    _watch: Arc<()>,
}

impl Shown {
    /// Everything: for buffers that no append reaches any more.
    pub(crate) fn everything() -> Self {
        Self(None)
    }

    /// Rows of a slot, counted in the order in which they came.
    pub(super) fn rows(&self, slot: usize) -> u32 {
        match &self.0 {
            Some(counted) => counted.chunks.get(slot / CHUNK).map_or(0, |chunk| chunk[slot % CHUNK]),
            None => u32::MAX,
        }
    }
}
