//! A cache of what was decoded, bounded in bytes.
//!
//! Two generations: what is used moves to the young one, and when that holds half of the bound it becomes the old one, whose
//! content goes. A page that is read in every refresh of a dashboard stays, one scan of everything does not need a list of
//! recency, and both operations are one look-up.
//!
//! Pages come in when they are read for the second time within a while. Most are read once, and the memory that would hold them
//! costs more than their decoding: the system clears it first.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use signalbox_model::{Matcher, Result};

use crate::format::rows::Part;
use crate::limits::PINNED_BYTES_MAX;

/// What is cached of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Footer and page index.
    Opened { segment: u64 },
    /// The index of its series.
    Index { segment: u64 },
    /// The filter of its traces.
    TraceFilter { segment: u64 },
    /// The index of its traces.
    TraceIndex { segment: u64 },
    /// The texts that its rows share in a column.
    Shared { segment: u64, column: &'static str },
    /// The index of its text.
    Text { segment: u64 },
    /// A part of that index which is read as a whole.
    TextPart { segment: u64, part: Part },
    /// A block of the file, of which pieces are read.
    Block { segment: u64, number: u64 },
    /// A unit of decoded rows of a row group.
    Unit { segment: u64, kind: Kind, group: u32, unit: u32 },
    /// A page of rows of logs or spans by its place in the file, decompressed.
    Page { segment: u64, offset: u64 },
    /// The series that a matcher keeps or drops.
    Verdict { segment: u64, matcher: Matcher },
    /// What deletions up to one of a number hide.
    Mask { segment: u64, deletion: u64 },
}

/// Kind of decoded rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Times,
    Values,
    Starts,
    Histograms,
    Exemplars,
}

/// Keys that are remembered as read once, in each of two generations, 8 bytes each: pages of values of some 4 GiB.
const ONCE_MAX: usize = 16 << 10;

type Entry = (Arc<dyn Any + Send + Sync>, usize);

/// A cache of decoded pages and indexes, one a store.
#[derive(Debug)]
pub(crate) struct PageCache {
    bytes_max: usize,
    generations: Mutex<Generations>,
    once: Mutex<Once>,
    hasher: RandomState,
    pinned: Arc<AtomicUsize>,
}

/// Bytes that whoever holds this keeps beside the cache.
#[derive(Debug)]
pub(crate) struct Pin {
    bytes: usize,
    pinned: Arc<AtomicUsize>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.pinned.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Hashes of the keys that were read once.
#[derive(Debug, Default)]
struct Once {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Once {
    /// Whether a key was here before; it is from now on.
    fn note(&mut self, key: u64) -> bool {
        if self.young.contains(&key) {
            return true;
        }
        if self.young.len() == ONCE_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
        self.old.contains(&key)
    }
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Entry>,
    young_bytes: usize,
    old: HashMap<Key, Entry>,
    old_bytes: usize,
}

impl PageCache {
    /// An empty cache of at most so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, generations: Mutex::default(), once: Mutex::default(), hasher: RandomState::new(), pinned: Arc::default() }
    }

    /// Leave to keep so many bytes beside the cache, as long as this is held; `None` where [`PINNED_BYTES_MAX`] are kept.
    pub(crate) fn pin(&self, bytes: usize) -> Option<Pin> {
        let more = |pinned: usize| pinned.checked_add(bytes).filter(|all| *all <= PINNED_BYTES_MAX);
        self.pinned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Pin { bytes, pinned: Arc::clone(&self.pinned) })
    }

    /// Bytes that are kept beside the cache.
    #[cfg(test)]
    pub(crate) fn pinned_bytes(&self) -> usize {
        self.pinned.load(Ordering::Relaxed)
    }

    /// What is cached under a key, else what `load` makes together with its bytes. Two threads may load the same at once.
    ///
    /// # Errors
    /// Of `load`.
    pub(crate) fn get<T: Any + Send + Sync>(&self, key: Key, load: impl FnOnce() -> Result<(T, usize)>) -> Result<Arc<T>> {
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let (loaded, bytes) = load()?;
        let loaded = Arc::new(loaded);
        self.insert(key, &loaded, bytes);
        Ok(loaded)
    }

    /// What is cached under a key.
    pub(crate) fn find<T: Any + Send + Sync>(&self, key: &Key) -> Option<Arc<T>> {
        self.generations.lock().find(key, self.bytes_max)?.downcast::<T>().ok()
    }

    /// Whether so many bytes are kept at all: what is larger than a generation would push everything else out.
    pub(crate) fn may_hold(&self, bytes: usize) -> bool {
        bytes <= self.bytes_max / 2
    }

    /// Whether what was not found under a key was asked for before, not long ago, and so is worth to be kept.
    pub(crate) fn is_wanted(&self, key: &Key) -> bool {
        self.once.lock().note(self.hasher.hash_one(key))
    }

    /// Keeps what was loaded.
    pub(crate) fn insert<T: Any + Send + Sync>(&self, key: Key, loaded: &Arc<T>, bytes: usize) {
        self.generations.lock().insert(key, (Arc::clone(loaded) as Arc<dyn Any + Send + Sync>, bytes), self.bytes_max);
    }

    /// Bytes that are cached.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let generations = self.generations.lock();
        generations.young_bytes + generations.old_bytes
    }
}

impl Generations {
    fn find(&mut self, key: &Key, bytes_max: usize) -> Option<Arc<dyn Any + Send + Sync>> {
        if let Some((found, _)) = self.young.get(key) {
            return Some(Arc::clone(found));
        }
        let (key, entry) = self.old.remove_entry(key)?;
        self.old_bytes -= entry.1;
        let found = Arc::clone(&entry.0);
        self.insert(key, entry, bytes_max);
        Some(found)
    }

    fn insert(&mut self, key: Key, entry: Entry, bytes_max: usize) {
        // What is larger than a generation would push everything else out.
        if entry.1 > bytes_max / 2 {
            return;
        }
        if self.young_bytes + entry.1 > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        self.young_bytes += entry.1;
        if let Some((_, replaced)) = self.young.insert(key, entry) {
            self.young_bytes -= replaced;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn stays_within_its_bound_and_keeps_what_is_used() {
        let cache = PageCache::new(1000);
        let key = |unit| Key::Unit { segment: 1, kind: Kind::Values, group: 0, unit };
        for unit in 0..100 {
            cache.get(key(unit), || Ok((unit, 100))).unwrap();
            assert_eq!(*cache.get(key(0), || Ok((7777u32, 100))).unwrap(), 0, "used after each other one, so never gone");
            assert!(cache.bytes() <= 1000);
        }
        assert_eq!(*cache.get(key(1), || Ok((4321u32, 100))).unwrap(), 4321, "long gone");
        cache.get(key(500), || Ok((1u32, 501))).unwrap();
        assert!(cache.bytes() <= 1000);
    }

    #[test]
    fn a_page_is_wanted_when_it_was_asked_for_before_and_not_too_long_ago() {
        let cache = PageCache::new(1000);
        let key = |unit| Key::Unit { segment: 1, kind: Kind::Values, group: 0, unit };
        assert!(!cache.is_wanted(&key(0)) && cache.is_wanted(&key(0)));
        for unit in 1..=ONCE_MAX as u32 {
            assert!(!cache.is_wanted(&key(unit)));
        }
        assert!(cache.is_wanted(&key(0)), "one generation later");
        for unit in 0..2 * ONCE_MAX as u32 {
            cache.is_wanted(&key(1_000_000 + unit));
        }
        assert!(!cache.is_wanted(&key(0)), "two later");
        let once = cache.once.lock();
        assert!(once.young.len() <= ONCE_MAX && once.old.len() <= ONCE_MAX);
    }
}
