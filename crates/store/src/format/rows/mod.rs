//! Segments of logs and spans, one table a file.
//!
//! The Parquet columns are those of `model::schema`; embedded blobs say which traces a file holds and where, and on which pages
//! what text may be (see `FORMAT.md`). They can be rebuilt from the columns.

mod attributes;
mod carried;
mod cluster;
mod columns;
mod delay;
pub(crate) mod gather;
mod layout;
mod merge;
mod order;
mod patterns;
mod reading;
mod segment;
mod segment_text;
mod shared;
mod text;
mod traces;
mod write;
mod writer;

use arrow::datatypes::SchemaRef;
use signalbox_model::{Error, Result, Table, schema};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use super::metrics::Target;
pub(crate) use attributes::InMap;
pub(crate) use columns::column_of;
pub(crate) use layout::Layout;
pub(crate) use merge::merge;
pub(crate) use reading::{Reading, Wanted};
pub(crate) use segment::{OpenRows, RowSegment};
pub(crate) use shared::add_used;
pub(crate) use text::Part;
pub use text::check_text_index;
pub(crate) use traces::{GRANULE_ROWS, TraceFilter, TraceIndex};
pub use traces::{check_trace_filter, check_trace_index};
pub(crate) use write::write;

/// The schema of a table of rows, as they come in.
///
/// # Errors
/// `Internal` for a table of metrics.
pub(crate) fn schema_of(table: Table) -> Result<SchemaRef> {
    match table {
        Table::Logs => Ok(schema::logs()),
        Table::Spans => Ok(schema::spans()),
        Table::Samples | Table::Histograms | Table::Exemplars => Err(Error::internal(format!("{} is no table of rows", table.as_str()))),
    }
}

/// The schema of a table of rows, as readers get them.
///
/// # Errors
/// As [`schema_of`].
pub(crate) fn stored_schema_of(table: Table) -> Result<SchemaRef> {
    match table {
        Table::Logs => Ok(schema::stored_logs()),
        _ => schema_of(table),
    }
}

/// What stands for a trace in indexes: identifiers are random more often than not, but no standard promises it.
pub(crate) fn fingerprint(trace: &[u8]) -> u32 {
    (xxh3_64(trace) >> 32) as u32
}

/// Level 0 is written once a flush and read soon by a compaction; what is compacted stays.
fn zstd_level(level: u8) -> i32 {
    match level {
        0 => 1,
        1 => 3,
        _ => 9,
    }
}

#[cfg(test)]
mod tests;
