//! Segments of metrics: samples, native histograms and exemplars, one table a file.
//!
//! The Parquet columns are those of `model::schema`; an embedded index says where each series lies (see `FORMAT.md`), so that
//! a reader never looks at the name and labels columns. The index can be rebuilt from the columns.

mod columns;
mod decimal;
mod exemplars;
mod histograms;
mod index;
mod merge;
mod order;
mod points;
mod rebuild;
mod samples;
mod segment;
mod units;
mod varint;
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
pub(crate) use segment::{Cursor, MetricSegment};
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
