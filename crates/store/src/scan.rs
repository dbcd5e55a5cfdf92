//! Reading rows of a table: the columnar road that SQL, log queries and trace search take.

use std::fmt;

use arrow::record_batch::RecordBatch;
use signalbox_model::{Result, TextFilter, TimeRange, TraceId};

/// What to read. Everything here only narrows what is read: a part may still return rows outside, the caller filters.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Rows with a timestamp in this range.
    pub range: TimeRange,
    /// Columns by index in the schema of the table, ascending; `None` reads all.
    pub projection: Option<Vec<usize>>,
    /// Only rows of this trace.
    pub trace_id: Option<TraceId>,
    /// Only rows of one of these services; empty means all.
    pub services: Vec<String>,
    /// Only rows whose text fits.
    pub text: TextFilter,
}

impl ScanRequest {
    /// All columns of all rows in a range.
    pub fn all(range: TimeRange) -> Self {
        Self { range, projection: None, trace_id: None, services: Vec::new(), text: TextFilter::default() }
    }
}

/// Batches of one part, in the order of storage.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// One independently readable part of a scan: the head, or one segment. Parts are unordered and do not overlap in rows.
pub struct ScanPart {
    /// Bounds of the timestamps in the part, so that a reader can take the newest or oldest parts first and stop early.
    pub range: TimeRange,
    /// Rows of the part before any filter.
    pub rows: u64,
    read: Box<dyn FnOnce() -> Result<Batches> + Send>,
}

impl ScanPart {
    /// A part that is read by a closure.
    pub fn new(range: TimeRange, rows: u64, read: impl FnOnce() -> Result<Batches> + Send + 'static) -> Self {
        Self { range, rows, read: Box::new(read) }
    }

    /// Reads the part. Blocks on the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] where a checksum fails.
    pub fn read(self) -> Result<Batches> {
        (self.read)()
    }
}

impl fmt::Debug for ScanPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanPart").field("range", &self.range).field("rows", &self.rows).finish_non_exhaustive()
    }
}
