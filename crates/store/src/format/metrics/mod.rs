//! Segments of metrics: samples, native histograms and exemplars, one table a file.
//!
//! The Parquet columns are those of `model::schema`; an embedded index says where each series lies (see `FORMAT.md`), so that
//! a reader never looks at the name and labels columns. The index can be rebuilt from the columns.

mod merge;
mod segment;
mod write;

use std::path::Path;
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Result, Table};

pub(crate) use merge::merge;
pub(crate) use segment::MetricSegment;
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
