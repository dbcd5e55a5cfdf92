//! The series of a request: each once, found by the key of its bytes on the wire.

use hashbrown::HashTable;
use signalbox_model::{KnownSeries, SeriesEntry, SeriesKey, SeriesRef};

/// The series that a request has named so far.
pub(crate) struct RequestSeries<'c> {
    known: &'c dyn KnownSeries,
    /// By key; keys are hashes already.
    index: HashTable<(u128, u32)>,
    entries: Vec<SeriesEntry>,
    /// The series of the head that was found last.
    last: Option<SeriesRef>,
}

impl<'c> RequestSeries<'c> {
    pub(crate) fn new(known: &'c dyn KnownSeries) -> Self {
        Self { known, index: HashTable::new(), entries: Vec::new(), last: None }
    }

    /// The index of a series if this request or the head knows its key.
    pub(crate) fn find(&mut self, key: SeriesKey) -> Option<u32> {
        if let Some((_, index)) = self.index.find(key.0 as u64, |(candidate, _)| *candidate == key.0) {
            return Some(*index);
        }
        let known = self.known.find_after(self.last, key)?;
        self.last = Some(known);
        Some(self.add(key, SeriesEntry::Known(known)))
    }

    /// The index of a series that was not found.
    pub(crate) fn add(&mut self, key: SeriesKey, entry: SeriesEntry) -> u32 {
        let index = self.entries.len() as u32;
        self.entries.push(entry);
        self.index.insert_unique(key.0 as u64, (key.0, index), |(key, _)| *key as u64);
        index
    }

    /// The series, in the order of their indexes.
    pub(crate) fn finish(self) -> Vec<SeriesEntry> {
        self.entries
    }
}
