//! The index embedded in a segment of metrics: which series it holds, with which labels, in which rows, over which times.
//!
//! Postings (from a label to its series) are not stored: they follow from the labels of the series in one pass when the index
//! is loaded, cannot disagree with them, and would double the bytes.

mod build;
mod decode;
mod encode;

use hashbrown::HashTable;
use roaring::RoaringBitmap;
use signalbox_model::{Labels, SeriesId, TimeRange};

use super::varint;
use crate::read::metrics::listing::Listed;
use crate::read::metrics::matching::LabelIndex;

pub(crate) use build::IndexBuilder;
pub(crate) use encode::seal;

/// Name of the embedded blob.
pub(crate) const BLOB: &str = "series";

/// What the index says of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeriesRows {
    /// First row in the file.
    pub(crate) first_row: u32,
    /// Number of rows.
    pub(crate) rows: u32,
    /// Time of the first and of the last row.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// The first series of the file with the same column of times: itself if there is none before it.
    pub(crate) leader: u32,
    /// Whether a start is known of any row.
    pub(crate) has_start: bool,
}

/// The index in memory. Series have ordinals in the order of the rows.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Index {
    /// Names, sorted, each with its first pair; pairs are (name, value), sorted, and have numbers.
    names: Vec<(Box<str>, u32)>,
    /// Values of the pairs, one after the other, and where each ends.
    values: String,
    value_ends: Vec<u32>,
    /// Numbers of the pairs of each series, one series after the other, and where each ends.
    pairs: Vec<u32>,
    pair_ends: Vec<u32>,
    series: Vec<SeriesRows>,
    found: Lookup,
}

/// What follows from the rest.
#[derive(Debug, Default)]
struct Lookup {
    ids: Vec<SeriesId>,
    by_id: HashTable<u32>,
    /// Ordinals of the series of each pair, one pair after the other, and where each begins.
    postings: Vec<u32>,
    posting_starts: Vec<u32>,
}

impl PartialEq for Lookup {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    pub(crate) fn rows(&self, ordinal: u32) -> Option<&SeriesRows> {
        self.series.get(ordinal as usize)
    }

    pub(crate) fn id(&self, ordinal: u32) -> Option<SeriesId> {
        self.found.ids.get(ordinal as usize).copied()
    }

    pub(crate) fn find(&self, id: SeriesId) -> Option<u32> {
        self.found.by_id.find(id.0 as u64, |ordinal| self.found.ids[*ordinal as usize] == id).copied()
    }

    /// The labels of a series; `room` is room to work in.
    pub(crate) fn labels(&self, ordinal: u32, room: &mut Vec<u8>) -> Labels {
        // The names and values were checked to be sorted text when the index was decoded.
        Labels::from_sorted(self.texts(ordinal), room)
    }

    /// Whether a series may have rows in a range.
    pub(crate) fn overlaps(&self, ordinal: u32, range: TimeRange) -> bool {
        self.rows(ordinal).is_some_and(|series| series.first_ms <= range.end_ms() && range.start_ms() <= series.last_ms)
    }

    /// The rows of the series that share their times, as far as they lie in a range of rows.
    pub(crate) fn leaders(&self, rows: std::ops::Range<u64>) -> impl Iterator<Item = std::ops::Range<u64>> {
        let end_of = |series: &SeriesRows| u64::from(series.first_row) + u64::from(series.rows);
        let first = self.series.partition_point(|series| end_of(series) <= rows.start);
        let until = rows.end;
        let inside = self.series[first..].iter().zip(first..).take_while(move |(series, _)| u64::from(series.first_row) < until);
        let leaders = inside.filter(|(series, at)| series.leader as usize == *at);
        leaders.map(move |(series, _)| u64::from(series.first_row).max(rows.start)..end_of(series).min(rows.end))
    }

    /// Names of labels or values of one, each with its series.
    pub(crate) fn listed(&self, listed: Listed<'_>) -> Vec<(&str, &[u32])> {
        match listed {
            Listed::Names => {
                let end = |at: usize| self.names.get(at + 1).map_or(self.value_ends.len() as u32, |(_, first)| *first);
                self.names.iter().enumerate().map(|(at, (name, first))| (name.as_ref(), self.series_of(*first..end(at)))).collect()
            }
            Listed::Values(name) => self.pairs_of(name).filter_map(|pair| Some((self.value(pair)?, self.series_of(pair..pair + 1)))).collect(),
        }
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        const SERIES_BYTES: usize = size_of::<SeriesRows>() + size_of::<SeriesId>() + 5 + 4;
        self.values.len() + self.value_ends.len() * 8 + self.pairs.len() * 8 + self.series.len() * SERIES_BYTES + 1024
    }

    /// Names and values of a series. Its pairs ascend, and so do their names: the next one is near.
    fn texts(&self, ordinal: u32) -> impl Iterator<Item = (&str, &str)> {
        let mut name = 0;
        self.series_pairs(ordinal).iter().filter_map(move |pair| {
            while self.names.get(name + 1).is_some_and(|(_, first)| first <= pair) {
                name += 1;
            }
            Some((self.names.get(name)?.0.as_ref(), self.value(*pair)?))
        })
    }

    fn value(&self, pair: u32) -> Option<&str> {
        let at = pair as usize;
        let start = if at == 0 { 0 } else { self.value_ends[at - 1] };
        self.values.get(start as usize..*self.value_ends.get(at)? as usize)
    }

    fn series_pairs(&self, ordinal: u32) -> &[u32] {
        let at = ordinal as usize;
        let start = if at == 0 { 0 } else { self.pair_ends[at - 1] };
        &self.pairs[start as usize..self.pair_ends[at] as usize]
    }

    fn write_block(&self, ordinal: u32, block: &mut Vec<u8>) {
        for (name, value) in self.texts(ordinal) {
            varint::write(block, name.len() as u64);
            block.extend_from_slice(name.as_bytes());
            varint::write(block, value.len() as u64);
            block.extend_from_slice(value.as_bytes());
        }
    }

    /// The pairs of a name.
    fn pairs_of(&self, name: &str) -> std::ops::Range<u32> {
        let Ok(at) = self.names.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(name)) else { return 0..0 };
        let end = self.names.get(at + 1).map_or(self.value_ends.len() as u32, |(_, first)| *first);
        self.names[at].1..end
    }

    /// First pair of a range whose value is not less than a text.
    fn lower_bound(&self, pairs: &std::ops::Range<u32>, value: &str) -> u32 {
        let (mut low, mut high) = (pairs.start, pairs.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.value(middle).is_some_and(|candidate| candidate < value) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Series of neighbouring pairs.
    fn series_of(&self, pairs: std::ops::Range<u32>) -> &[u32] {
        let starts = &self.found.posting_starts;
        &self.found.postings[starts[pairs.start as usize] as usize..starts[pairs.end as usize] as usize]
    }

    fn add_posting(&self, pair: u32, found: &mut RoaringBitmap) {
        // Of one pair the series ascend.
        found.extend(self.series_of(pair..pair + 1).iter().copied());
    }

    /// Derives what follows from the rest.
    fn link(&mut self) {
        let count = self.series.len() as u32;
        let mut starts = vec![0u32; self.value_ends.len() + 1];
        self.pairs.iter().for_each(|pair| starts[*pair as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut postings, mut next) = (vec![0u32; self.pairs.len()], starts.clone());
        let (mut ids, mut block) = (Vec::with_capacity(self.series.len()), Vec::new());
        for ordinal in 0..count {
            for pair in self.series_pairs(ordinal) {
                let at = &mut next[*pair as usize];
                postings[*at as usize] = ordinal;
                *at += 1;
            }
            block.clear();
            self.write_block(ordinal, &mut block);
            ids.push(SeriesId::of_block(&block));
        }
        let mut by_id = HashTable::with_capacity(ids.len());
        for ordinal in 0..count {
            by_id.insert_unique(ids[ordinal as usize].0 as u64, ordinal, |ordinal| ids[*ordinal as usize].0 as u64);
        }
        self.found = Lookup { ids, by_id, postings, posting_starts: starts };
    }
}

impl LabelIndex for Index {
    fn all(&self) -> RoaringBitmap {
        (0..self.series.len() as u32).collect()
    }

    fn add_equal(&self, name: &str, value: &str, found: &mut RoaringBitmap) {
        let pairs = self.pairs_of(name);
        let pair = self.lower_bound(&pairs, value);
        if pair < pairs.end && self.value(pair) == Some(value) {
            self.add_posting(pair, found);
        }
    }

    fn add_values(&self, name: &str, prefix: &str, accept: &mut dyn FnMut(&str) -> bool, found: &mut RoaringBitmap) {
        let pairs = self.pairs_of(name);
        for pair in self.lower_bound(&pairs, prefix)..pairs.end {
            let Some(value) = self.value(pair).filter(|value| value.starts_with(prefix)) else { break };
            if accept(value) {
                self.add_posting(pair, found);
            }
        }
    }
}

#[cfg(test)]
mod tests;
