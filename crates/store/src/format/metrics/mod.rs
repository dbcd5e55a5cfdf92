//! Segments of metrics: samples, native histograms and exemplars, one table a file.
//!
//! The Parquet columns are those of `model::schema`; an embedded index says where each series lies (see `FORMAT.md`), so that
//! a reader never looks at the name and labels columns. The index can be rebuilt from the columns.

mod blocks;
mod columns;
mod decimal;
mod exemplars;
mod histograms;
mod index;
mod mask;
mod merge;
mod order;
mod points;
mod rebuild;
mod runs;
mod samples;
mod segment;
mod thin;
mod units;
pub(crate) mod varint;
mod weights;
mod write;

use std::path::Path;
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Result, Table};

pub(crate) use exemplars::exemplar_rows;
pub(crate) use histograms::histogram_rows;
pub(crate) use index::Index;
pub(crate) use merge::merge;
pub(crate) use order::labels_json;
pub(crate) use segment::{Cursor, MetricSegment, SamplePiece};
pub(crate) use thin::has_rows_to_drop;
pub(crate) use write::write;

use super::Segment;

/// Where new segments go, and what names them.
pub(crate) struct Target<'a> {
    pub(crate) disk: &'a Arc<dyn Disk>,
    /// The data directory.
    pub(crate) dir: &'a Path,
    /// A new record for a table: identity, url, tenant, level, frames; what is known only at the end is filled in here.
    pub(crate) record: &'a mut dyn FnMut(Table) -> Result<Segment>,
}

/// Decodes the embedded index of a segment of so many rows and says how many series it has: for tools that look at files.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if it is not one.
pub fn check_series_index(bytes: &[u8], rows: u64) -> Result<usize> {
    Index::decode(bytes, rows).map(|index| index.len())
}

/// Wraps bytes as an encoded index: compressed, with its header and checksum. They need not be one.
pub fn seal_series_index(raw: &[u8]) -> Vec<u8> {
    index::seal(raw).unwrap_or_default()
}

/// A label-dictionary row: name and labels of the series that a row belongs to.
pub(crate) struct SeriesText<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a str,
}

/// Level 0 is written once a flush and read soon by a compaction; what is compacted stays.
fn zstd_level(level: u8) -> i32 {
    if level == 0 { 1 } else { 3 }
}

#[cfg(test)]
mod tests;
