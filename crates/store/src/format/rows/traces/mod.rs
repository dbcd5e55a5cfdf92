//! The traces of a segment: a filter that says of almost every other trace that it is not here, and an index that says in
//! which granules a trace lies.
//!
//! The filter is small enough that those of all segments stay in memory, so a look-up over the whole retention reads the
//! few segments that have the trace. The index is read then. The bytes are described in `FORMAT.md`.

mod filter;
mod index;

use arrow::array::{Array, FixedSizeBinaryArray};
use signalbox_model::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use filter::TraceFilter;
pub(crate) use index::TraceIndex;

/// Name of the blob of the filter.
pub(super) const FILTER_BLOB: &str = "trace_filter";
/// Name of the blob of the index.
pub(super) const INDEX_BLOB: &str = "trace_index";
/// Rows that the index tells apart. A page is decompressed whole anyway; exact rows would cost logs two bytes more a row.
pub(crate) const GRANULE_ROWS: u64 = 1024;

/// Decodes an embedded filter of traces and says how many bytes of bits it has: for tools that look at files.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
pub fn check_trace_filter(bytes: &[u8]) -> Result<usize> {
    TraceFilter::decode(bytes).map(|filter| filter.bytes())
}

/// Decodes the embedded index of traces of a segment of so many rows and says how many traces it has, as
/// [`check_trace_filter`].
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
pub fn check_trace_index(bytes: &[u8], rows: u64) -> Result<usize> {
    TraceIndex::decode(bytes, rows).map(|index| index.len())
}

/// Collects the traces of rows as they are written: 16 bytes a row that has one.
#[derive(Debug, Default)]
pub(super) struct TracesBuilder {
    /// Hash of the trace, granule.
    entries: Vec<(u64, u32)>,
    rows: u64,
}

impl TracesBuilder {
    /// Appends the column of traces of the next rows.
    pub(super) fn push(&mut self, traces: &FixedSizeBinaryArray) -> Result<()> {
        let too_many = || Error::internal("cannot index a segment of so many rows");
        let mut last: (&[u8], u64) = (&[], 0);
        for row in (0..traces.len()).filter(|row| traces.is_valid(*row)) {
            let granule = u32::try_from((self.rows + row as u64) / GRANULE_ROWS).map_err(|_| too_many())?;
            let trace = traces.value(row);
            if trace != last.0 {
                last = (trace, xxh3_64(trace));
            }
            let entry = (last.1, granule);
            if self.entries.last() != Some(&entry) {
                self.entries.push(entry);
            }
        }
        self.rows += traces.len() as u64;
        Ok(())
    }

    /// Filter and index of all that was appended.
    pub(super) fn finish(mut self) -> (TraceFilter, TraceIndex) {
        self.entries.sort_unstable();
        self.entries.dedup();
        let mut index = TraceIndex::default();
        let mut hashes = Vec::new();
        for entry in &self.entries {
            if hashes.last() != Some(&entry.0) {
                hashes.push(entry.0);
            }
        }
        let filter = TraceFilter::of(&hashes);
        for same in self.entries.chunk_by_mut(|left, right| left.0 >> 32 == right.0 >> 32) {
            // Traces that share a fingerprint share an entry.
            same.sort_unstable_by_key(|(_, granule)| *granule);
            index.push((same[0].0 >> 32) as u32, same.iter().map(|(_, granule)| *granule));
        }
        (filter, index)
    }
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("cannot read the {what} of traces of a segment: it is damaged"))
}

#[cfg(test)]
mod tests;
