//! Collects the series of a segment while its rows are written.

use std::collections::HashMap;

use signalbox_model::{Error, Labels, Result};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{Index, SeriesRows};

/// Builds an [`Index`]: series in the order of their rows.
#[derive(Default)]
pub(crate) struct IndexBuilder {
    series: Vec<SeriesRows>,
    labels: Vec<Labels>,
    rows: u64,
    leaders: HashMap<u128, u32>,
    /// Room to hash the times of a series.
    times: Vec<u8>,
    /// The rows of the series that is being added, if they come in pieces.
    open: Option<(SeriesRows, Xxh3)>,
}

impl IndexBuilder {
    /// Rows of a file at most: rows are counted in 32 bits.
    pub(crate) const ROWS_MAX: u64 = u32::MAX as u64;

    /// Adds a series with its times, in order of time.
    pub(crate) fn push(&mut self, labels: &Labels, ts_ms: &[i64], has_start: bool) -> Result<()> {
        let (Some(first_ms), Some(last_ms)) = (ts_ms.first(), ts_ms.last()) else { return Ok(()) };
        if self.rows + ts_ms.len() as u64 > Self::ROWS_MAX {
            return Err(Error::internal(format!("cannot write a segment of more than {} rows", Self::ROWS_MAX)));
        }
        let ordinal = self.series.len() as u32;
        self.times.clear();
        self.times.reserve(ts_ms.len() * 8);
        ts_ms.iter().for_each(|ts| self.times.extend_from_slice(&ts.to_le_bytes()));
        let leader = *self.leaders.entry(xxh3_128(&self.times)).or_insert(ordinal);
        self.series.push(SeriesRows { first_row: self.rows as u32, rows: ts_ms.len() as u32, first_ms: *first_ms, last_ms: *last_ms, leader, has_start });
        self.labels.push(labels.clone());
        self.rows += ts_ms.len() as u64;
        Ok(())
    }

    /// Starts a series whose rows come one after the other: [`IndexBuilder::push_row`], then [`IndexBuilder::close`].
    pub(crate) fn open(&mut self, labels: &Labels) {
        let rows = SeriesRows { first_row: self.rows as u32, rows: 0, first_ms: i64::MAX, last_ms: i64::MIN, leader: 0, has_start: false };
        self.open = Some((rows, Xxh3::new()));
        self.labels.push(labels.clone());
    }

    /// Adds a row to the open series.
    pub(crate) fn push_row(&mut self, ts_ms: i64, has_start: bool) {
        if let Some((rows, times)) = &mut self.open {
            rows.rows += 1;
            rows.first_ms = rows.first_ms.min(ts_ms);
            rows.last_ms = rows.last_ms.max(ts_ms);
            rows.has_start |= has_start;
            times.update(&ts_ms.to_le_bytes());
            self.rows += 1;
        }
    }

    /// Completes the open series.
    pub(crate) fn close(&mut self) {
        if let Some((mut rows, times)) = self.open.take() {
            rows.leader = *self.leaders.entry(times.digest128()).or_insert(self.series.len() as u32);
            self.series.push(rows);
        }
    }

    /// First and last time of all.
    pub(crate) fn range_ms(&self) -> Option<(i64, i64)> {
        Some((self.series.iter().map(|series| series.first_ms).min()?, self.series.iter().map(|series| series.last_ms).max()?))
    }

    /// The encoded index.
    pub(crate) fn encode(self) -> Result<Vec<u8>> {
        self.unlinked().encode()
    }

    /// The index, ready for use.
    pub(crate) fn finish(self) -> Index {
        let mut index = self.unlinked();
        index.link();
        index
    }

    fn unlinked(self) -> Index {
        let mut index = Index::default();
        // Pairs are numbered as they come, and renumbered once all are known and sorted.
        let mut numbers: hashbrown::HashMap<(&str, &str), u32> = hashbrown::HashMap::new();
        for labels in &self.labels {
            for pair in labels.iter() {
                let next = numbers.len() as u32;
                index.pairs.push(*numbers.entry(pair).or_insert(next));
            }
            index.pair_ends.push(index.pairs.len() as u32);
        }
        let mut sorted: Vec<((&str, &str), u32)> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut renumbered = vec![0u32; sorted.len()];
        for (number, ((name, value), before)) in sorted.into_iter().enumerate() {
            renumbered[before as usize] = number as u32;
            if index.names.last().is_none_or(|(last, _)| last.as_ref() != name) {
                index.names.push((name.into(), number as u32));
            }
            index.values.push_str(value);
            index.value_ends.push(index.values.len() as u32);
        }
        index.pairs.iter_mut().for_each(|pair| *pair = renumbered[*pair as usize]);
        index.series = self.series;
        index
    }
}
