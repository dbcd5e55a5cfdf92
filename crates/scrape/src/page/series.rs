//! A series of a target, as it is stored.

use signalbox_model::{KnownSeries, Labels, SeriesEntry, SeriesKey, SeriesRef};

/// Mixed into the keys of scraped series, so that no other protocol makes the same ones.
const KEY_SALT: u128 = 0x7363_7261_7065_5f70_6167_655f_6b65_7973;

/// Not in the batch.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// One series of a target.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) key: SeriesKey,
    /// Its handle in the head, if it was found since it was last written.
    known: Option<SeriesRef>,
    /// The scrape that last had a sample of it.
    pub(super) seen: u64,
    /// Where it is in the batch of that scrape, [`NO_SLOT`] if it is not in it.
    pub(super) slot: u32,
    /// Whether that scrape would miss it.
    pub(super) is_tracked: bool,
    /// Time of its last sample, and its value as bits (0 for a histogram).
    pub(super) last: Option<(i64, u64)>,
    /// Whether it must be marked stale when it is gone.
    pub(super) is_live: bool,
    /// Whether its last sample was a native histogram.
    pub(super) is_histogram: bool,
    /// What the last exemplar is known by.
    pub(super) last_exemplar: u64,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        let key = Self::key(&labels);
        Self { labels, key, known: None, seen: 0, slot: NO_SLOT, is_tracked: false, last: None, is_live: false, is_histogram: false, last_exemplar: 0 }
    }

    /// The key of a label set: the same however the page spells it.
    pub(super) fn key(labels: &Labels) -> SeriesKey {
        SeriesKey(labels.series_id().0 ^ KEY_SALT)
    }

    /// How a batch names it. `is_fresh` says that it was written so lately that the head cannot have forgotten it.
    pub(super) fn entry(&mut self, known: &dyn KnownSeries, is_fresh: bool) -> SeriesEntry {
        if !is_fresh || self.known.is_none() {
            self.known = known.find(self.key);
        }
        match self.known {
            Some(series) => SeriesEntry::Known(series),
            None => SeriesEntry::New { key: self.key, labels: self.labels.clone() },
        }
    }

    /// Whether this sample is the last one once more.
    pub(super) fn is_last(&self, ts_ms: i64, bits: u64) -> bool {
        self.last == Some((ts_ms, bits))
    }
}
