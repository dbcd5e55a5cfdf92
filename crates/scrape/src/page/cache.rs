//! What a target remembers from scrape to scrape: the texts of its series and what they mean, the series, the metadata.
//!
//! Texts come in the same order in nearly every scrape, so each remembers the one that followed it: the page is then compared
//! with what is expected, and nothing is hashed or parsed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use parking_lot::Mutex;
use signalbox_model::{Labels, MetricKind, MetricMetadata};
use xxhash_rust::xxh3::xxh3_64;

use super::report::Reports;
use super::series::Series;
use crate::exposition::classic::Member;

/// No entry.
const NONE: u32 = u32::MAX;
/// Texts more than twice the number of the last good scrape that are remembered through failing scrapes.
const SPARE_MAX: usize = 1000;
/// A series written this lately is still in the head: it forgets none before several flushes have passed.
const FRESH: Duration = Duration::from_secs(30);
/// Scrapes for which the metadata of a family is kept after it was last seen.
const METADATA_SCRAPES: u64 = 10;

/// Metadata of a family, as the target last told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FamilyMetadata {
    /// Type.
    pub kind: MetricKind,
    /// Description.
    pub help: String,
    /// Unit.
    pub unit: String,
    seen: u64,
    changed: u64,
}

/// Metadata by family, shared with whoever shows it.
pub type Metadata = Arc<Mutex<HashMap<String, FamilyMetadata>>>;

/// What a text of a page means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not asked yet: the series was only part of a histogram that was converted.
    Unresolved,
    /// Relabelling dropped it.
    Dropped,
    /// The series at this index.
    Series(u32),
}

/// One text.
#[derive(Debug)]
pub(super) struct Entry {
    text: Box<[u8]>,
    /// What followed it in the last page that had it.
    next: u32,
    /// The scrape that last had it.
    pub(super) seen: u64,
    pub(super) fate: Fate,
    pub(super) member: Option<Member>,
}

/// What one target remembers. Bounded by what one page may hold, see `body_bytes_max`.
#[derive(Debug)]
pub struct Cache {
    /// Number of the scrape under way, from 1.
    pub(super) scrape: u64,
    /// The last scrape that was written with a page.
    pub(super) last_good: u64,
    last_written: Option<Duration>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    pub(super) series: Vec<Series>,
    by_key: HashMap<u128, u32>,
    first: u32,
    entries_of_last_good: usize,
    pub(super) reports: Reports,
    pub(super) metadata: Metadata,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            scrape: 0,
            last_good: 0,
            last_written: None,
            entries: Vec::new(),
            index: HashTable::new(),
            series: Vec::new(),
            by_key: HashMap::new(),
            first: NONE,
            entries_of_last_good: 0,
            reports: Reports::default(),
            metadata: Metadata::default(),
        }
    }
}

impl Cache {
    /// The metadata.
    pub fn metadata(&self) -> Metadata {
        Arc::clone(&self.metadata)
    }

    /// The labels of the series that are live.
    pub fn live_series(&self) -> impl Iterator<Item = &Labels> {
        self.series.iter().filter(|series| series.is_live).map(|series| &series.labels)
    }

    /// Texts that are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A new scrape begins.
    pub(super) fn begin(&mut self) {
        self.scrape += 1;
    }

    /// The text that should follow an entry, or begin the page.
    #[inline]
    pub(super) fn expected(&self, before: Option<u32>) -> &[u8] {
        self.entries.get(self.expected_index(before) as usize).map(|entry| &*entry.text).unwrap_or_default()
    }

    #[inline]
    pub(super) fn expected_index(&self, before: Option<u32>) -> u32 {
        match before {
            Some(before) => self.entries.get(before as usize).map_or(NONE, |entry| entry.next),
            None => self.first,
        }
    }

    /// Remembers what follows what.
    #[inline]
    pub(super) fn link(&mut self, before: Option<u32>, entry: u32) {
        let place = match before.and_then(|before| self.entries.get_mut(before as usize)) {
            Some(before) => &mut before.next,
            None => &mut self.first,
        };
        *place = entry;
    }

    /// The entry of a text.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        self.index.find(xxh3_64(text), |entry| self.entries.get(*entry as usize).is_some_and(|entry| *entry.text == *text)).copied()
    }

    /// An entry for a text that has none.
    pub(super) fn add(&mut self, text: &[u8], fate: Fate, member: Option<Member>) -> u32 {
        let new = self.entries.len() as u32;
        self.entries.push(Entry { text: text.into(), next: NONE, seen: 0, fate, member });
        let entries = &self.entries;
        self.index.insert_unique(xxh3_64(text), new, |entry| hash(entries, *entry));
        new
    }

    #[inline]
    pub(super) fn entry(&mut self, entry: u32) -> &mut Entry {
        &mut self.entries[entry as usize]
    }

    /// The series with these labels, made if it is new.
    pub(super) fn series_of(&mut self, labels: Labels) -> u32 {
        let new = self.series.len() as u32;
        let index = *self.by_key.entry(Series::key(&labels).0).or_insert(new);
        if index == new {
            self.series.push(Series::new(labels));
        }
        index
    }

    /// Whether what the last good scrape wrote is surely still in the head.
    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        self.last_written.is_some_and(|then| now.saturating_sub(then) < FRESH)
    }

    /// The batch of this scrape was written: what its page had is live, all else is not any more. `had_page` is false for a
    /// scrape that failed or had an empty page.
    pub fn commit(&mut self, now: Duration, had_page: bool) {
        let scrape = self.scrape;
        for series in &mut self.series {
            series.is_live = had_page && series.seen == scrape && series.is_tracked;
        }
        if had_page {
            (self.last_good, self.last_written) = (scrape, Some(now));
            self.entries_of_last_good = self.entries.iter().filter(|entry| entry.seen == scrape).count();
            self.metadata.lock().retain(|_, family| scrape - family.seen <= METADATA_SCRAPES);
            let dead = self.entries.len() - self.entries_of_last_good;
            if dead * 4 > self.entries.len() {
                self.sweep();
            }
        } else if self.entries.len() > self.entries_of_last_good * 2 + SPARE_MAX {
            // Pages that fail and name new series every time must not fill the memory.
            self.sweep();
        }
    }

    /// The batch of this scrape was not written: nothing of it may be taken for stored.
    pub fn roll_back(&mut self) {
        self.last_written = None;
        for series in self.series.iter_mut().filter(|series| series.seen == self.scrape) {
            series.last = None;
        }
    }

    /// Forgets the texts that this scrape did not have, and the series that no text means any more.
    fn sweep(&mut self) {
        let scrape = self.scrape;
        let renumber = |keep: &mut dyn Iterator<Item = bool>| -> Vec<u32> {
            let mut next = 0;
            keep.map(|keep| {
                let number = if keep { next } else { NONE };
                next += u32::from(keep);
                number
            })
            .collect()
        };
        let of_entries = renumber(&mut self.entries.iter().map(|entry| entry.seen == scrape));
        self.entries.retain(|entry| entry.seen == scrape);
        let mut is_meant = vec![false; self.series.len()];
        for entry in &self.entries {
            if let Fate::Series(series) = entry.fate {
                is_meant[series as usize] = true;
            }
        }
        let of_series = renumber(&mut is_meant.iter().zip(&self.series).map(|(meant, series)| *meant || series.is_live));
        let mut keep = of_series.iter().map(|number| *number != NONE);
        self.series.retain(|_| keep.next().unwrap_or(false));
        let number = |numbers: &[u32], old: u32| numbers.get(old as usize).copied().unwrap_or(NONE);
        for entry in &mut self.entries {
            entry.next = number(&of_entries, entry.next);
            if let Fate::Series(series) = &mut entry.fate {
                *series = number(&of_series, *series);
            }
        }
        self.first = number(&of_entries, self.first);
        self.by_key = self.series.iter().enumerate().map(|(index, series)| (series.key.0, index as u32)).collect();
        self.index = HashTable::with_capacity(self.entries.len());
        let entries = &self.entries;
        for index in 0..entries.len() as u32 {
            self.index.insert_unique(hash(entries, index), index, |entry| hash(entries, *entry));
        }
    }

    /// Changes what is known of a family; `change` says whether it changed something.
    pub(super) fn put_metadata(&self, family: &str, change: impl FnOnce(&mut FamilyMetadata) -> bool) {
        let mut families = self.metadata.lock();
        if !families.contains_key(family) {
            families.insert(family.to_owned(), FamilyMetadata { changed: self.scrape, ..FamilyMetadata::default() });
        }
        if let Some(entry) = families.get_mut(family) {
            if change(entry) {
                entry.changed = self.scrape;
            }
            entry.seen = self.scrape;
        }
    }

    /// Metadata that is new in this scrape.
    pub(super) fn new_metadata(&self) -> Vec<MetricMetadata> {
        let families = self.metadata.lock();
        let new = families.iter().filter(|(_, family)| family.changed == self.scrape);
        new.map(|(name, family)| MetricMetadata { name: name.clone(), kind: family.kind, help: family.help.clone(), unit: family.unit.clone() }).collect()
    }
}

fn hash(entries: &[Entry], index: u32) -> u64 {
    entries.get(index as usize).map_or(0, |entry| xxh3_64(&entry.text))
}
