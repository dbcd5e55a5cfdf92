//! The series of a request: each once, found by the key of its bytes on the wire.

use hashbrown::HashMap;
use signalbox_model::{KnownSeries, SeriesEntry, SeriesKey};

/// The series that a request has named so far.
pub(crate) struct RequestSeries<'c> {
    known: &'c dyn KnownSeries,
    index: HashMap<u128, u32>,
    entries: Vec<SeriesEntry>,
}

impl<'c> RequestSeries<'c> {
    pub(crate) fn new(known: &'c dyn KnownSeries) -> Self {
        Self { known, index: HashMap::new(), entries: Vec::new() }
    }

    /// The index of a series if this request or the head knows its key.
    pub(crate) fn find(&mut self, key: SeriesKey) -> Option<u32> {
        if let Some(index) = self.index.get(&key.0) {
            return Some(*index);
        }
        let known = self.known.find(key)?;
        Some(self.add(key, SeriesEntry::Known(known)))
    }

    /// The index of a series that was not found.
    pub(crate) fn add(&mut self, key: SeriesKey, entry: SeriesEntry) -> u32 {
        let index = self.entries.len() as u32;
        self.entries.push(entry);
        self.index.insert(key.0, index);
        index
    }

    /// The series, in the order of their indexes.
    pub(crate) fn finish(self) -> Vec<SeriesEntry> {
        self.entries
    }
}
