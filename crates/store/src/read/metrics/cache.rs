//! A cache of what was decoded, bounded in bytes.

/// A cache of decoded pages and indexes, one a store.
#[derive(Debug)]
pub(crate) struct PageCache {
    bytes_max: usize,
}

impl PageCache {
    /// An empty cache of at most so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max }
    }
}
