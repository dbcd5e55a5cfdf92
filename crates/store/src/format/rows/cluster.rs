//! Rows of the last level in clusters: beside each other those that look alike.
//!
//! Lines of one pattern, and the values of their attributes, are smaller beside each other than among others. Rows come in the
//! order of all segments; each run of [`CLUSTER_ROWS`] of them is sorted anew, within each service and hour by the pattern. So a cluster
//! holds what would lie there anyway, all its rows come before those of the next one, and whoever wants the order of all
//! segments back sorts one cluster at a time ([`Unfolded`]). Where clusters end is noted in the file.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, DictionaryArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type, UInt64Type};
use signalbox_model::{Error, Result, schema};

use super::order::Order;
use super::{RowSegment, Wanted, columns, gather};

/// Key of the ends of clusters in the key-value metadata of a file.
pub(super) const CLUSTERS_KEY: &str = "signalbox.clusters";
/// Segments of this level and above have clusters: they are written once and stay.
pub(super) const CLUSTERED_LEVEL: u8 = 2;

/// Rows of a cluster. Whoever wants the newest rows of a service reads all pages of its last cluster.
const CLUSTER_ROWS: usize = columns::PAGE_ROWS * if cfg!(test) { 4 } else { 8 };
/// Bytes of the rows of a cluster in memory at which it ends: a merge holds one for each input and one that it writes.
const CLUSTER_BYTES: usize = 32 << 20;
const HOUR_NS: i64 = 3_600_000_000_000;

/// A cluster in the making.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// What rows of a cluster are sorted by: service, hour, pattern, time, arrival; then where they are.
type Place = (u32, i64, u32, i64, u64, usize, usize);

impl Cluster {
    /// Takes rows that come next; true if the cluster is full.
    pub(super) fn push(&mut self, rows: &RecordBatch) -> bool {
        self.rows += rows.num_rows();
        self.bytes += rows.get_array_memory_size();
        self.batches.push(rows.clone());
        self.rows >= CLUSTER_ROWS || self.bytes >= CLUSTER_BYTES
    }

    /// Empties the cluster: its rows as they rest.
    pub(super) fn take(&mut self) -> Result<Pieces> {
        let batches = mem::take(self).batches;
        let (services, patterns) = (Ranks::of(&batches, schema::SERVICE)?, Ranks::of(&batches, schema::PATTERN)?);
        let mut places: Vec<Place> = Vec::new();
        for (batch, rows) in batches.iter().enumerate() {
            let times = rows.column_by_name(schema::TIMESTAMP).and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
            let sequences = rows.column_by_name(schema::SEQUENCE).and_then(|column| column.as_primitive_opt::<UInt64Type>());
            let (times, sequences) = (times.ok_or_else(other_schema)?.values(), sequences.ok_or_else(other_schema)?.values());
            for row in 0..rows.num_rows() {
                let time = times[row];
                places.push((services.of_row(batch, row), time.div_euclid(HOUR_NS), patterns.of_row(batch, row), time, sequences[row], batch, row));
            }
        }
        places.sort_unstable();
        let places = places.into_iter().map(|(.., batch, row)| (batch, row)).collect();
        Ok(Pieces { batches, places, at: 0 })
    }
}

/// Ranks of the texts of a column of several batches; 0 for null.
struct Ranks<'a> {
    columns: Vec<(&'a DictionaryArray<UInt32Type>, Vec<u32>)>,
}

impl<'a> Ranks<'a> {
    fn of(batches: &'a [RecordBatch], name: &str) -> Result<Self> {
        let mut ranks: BTreeMap<&str, u32> = BTreeMap::new();
        let mut columns = Vec::with_capacity(batches.len());
        for rows in batches {
            let column = rows.column_by_name(name).and_then(|column| column.as_dictionary_opt::<UInt32Type>()).ok_or_else(other_schema)?;
            let texts = column.values().as_string_opt::<i32>().ok_or_else(other_schema)?;
            ranks.extend(texts.iter().flatten().map(|text| (text, 0)));
            columns.push((column, texts));
        }
        ranks.values_mut().zip(1..).for_each(|(rank, number)| *rank = number);
        let rank = |text: Option<&str>| text.and_then(|text| ranks.get(text).copied()).unwrap_or(0);
        Ok(Self { columns: columns.into_iter().map(|(column, texts)| (column, texts.iter().map(rank).collect())).collect() })
    }

    fn of_row(&self, batch: usize, row: usize) -> u32 {
        let (column, ranks) = &self.columns[batch];
        if column.is_valid(row) { ranks[column.keys().value(row) as usize] } else { 0 }
    }
}

/// Rows at places of batches, a page at a time.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    batches: Vec<RecordBatch>,
    places: Vec<(usize, usize)>,
    at: usize,
}

impl Iterator for Pieces {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let places = self.places.get(self.at..self.places.len().min(self.at + columns::PAGE_ROWS)).filter(|places| !places.is_empty())?;
        self.at += places.len();
        Some(gather::gather(&self.batches.iter().collect::<Vec<_>>(), places))
    }
}

/// The rows of a segment with clusters, in the order of those without.
pub(super) struct Unfolded {
    input: Arc<RowSegment>,
    /// The clusters that are left, the next one last.
    rest: Vec<Range<u64>>,
    pieces: Pieces,
}

impl Unfolded {
    /// Of an input whose clusters end there.
    pub(super) fn new(input: &Arc<RowSegment>, ends: &[u64]) -> Self {
        let starts = std::iter::once(&0).chain(ends);
        let mut rest: Vec<Range<u64>> = starts.zip(ends).map(|(start, end)| *start..*end).collect();
        rest.reverse();
        Self { input: Arc::clone(input), rest, pieces: Pieces::default() }
    }

    /// The rows that come next, at rest; none at the end. `order` is that of the merge.
    pub(super) fn next(&mut self, order: &Order) -> Option<Result<RecordBatch>> {
        loop {
            if let Some(rows) = self.pieces.next() {
                return Some(rows);
            }
            let range = self.rest.pop()?;
            match self.unfold(range, order) {
                Ok(pieces) => self.pieces = pieces,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn unfold(&self, range: Range<u64>, order: &Order) -> Result<Pieces> {
        let batches = self.input.read(&[range], Wanted::Rest, Vec::new())?.collect::<Result<Vec<_>>>()?;
        let mut places = Vec::new();
        for (batch, rows) in batches.iter().enumerate() {
            places.extend(order.keys(rows, &mut None)?.into_iter().enumerate().map(|(row, key)| (key, batch, row)));
        }
        places.sort_unstable();
        Ok(Pieces { batches, places: places.into_iter().map(|(_, batch, row)| (batch, row)).collect(), at: 0 })
    }
}

/// The ends of clusters from their entry in a file of so many rows; `None` if they are none.
pub(super) fn ends_of(json: Option<&str>, rows: u64) -> Option<Vec<u64>> {
    let Some(json) = json else { return Some(Vec::new()) };
    let ends: Vec<u64> = serde_json::from_str(json).ok()?;
    let is_whole = ends.last() == Some(&rows) && ends.first() != Some(&0) && ends.windows(2).all(|pair| pair[0] < pair[1]);
    is_whole.then_some(ends)
}

/// The entry of [`ends_of`].
pub(super) fn ends_to_json(ends: &[u64]) -> String {
    serde_json::to_string(ends).expect("numbers always have a JSON form")
}

fn other_schema() -> Error {
    Error::internal("cannot put rows into clusters: their schema is another one")
}
