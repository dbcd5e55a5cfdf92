//! Segments of any table behind one handle, for whoever keeps them in order and does not look inside.

use std::path::PathBuf;
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Matcher, Result, Table};

use crate::deletion::{Deletion, Deletions};
use crate::format::Segment;
use crate::format::metrics::{self, MetricSegment, Target};
use crate::format::rows::{self, RowSegment};
use crate::read::metrics::cache::PageCache;
use crate::rollup::Rollup;

/// Where segments live, and how they are opened.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) disk: Arc<dyn Disk>,
    /// The data directory.
    pub(crate) dir: PathBuf,
    pub(crate) cache: Arc<PageCache>,
    /// What handles leave out.
    pub(crate) deletions: Deletions,
}

impl Shelf {
    /// A handle on a segment of the catalog. Does no IO.
    pub(crate) fn open(&self, record: &Segment) -> SegmentHandle {
        match record.table {
            Table::Samples | Table::Histograms | Table::Exemplars => {
                let segment = MetricSegment::open(&self.disk, &self.dir, record, &self.cache);
                let deletions = self.deletions.of(record.id);
                SegmentHandle::Metrics(if deletions.is_empty() { segment } else { segment.without(deletions) })
            }
            Table::Logs | Table::Spans => {
                let segment = RowSegment::open(&self.disk, &self.dir, record, &self.cache);
                let deletions = self.deletions.of(record.id);
                SegmentHandle::Rows(if deletions.is_empty() { segment } else { segment.without(deletions) })
            }
        }
    }

    /// Removes files that no catalog knows; one that stays is an orphan, which the next start removes.
    pub(crate) fn remove_unpublished(&self, segments: &[Segment]) {
        for segment in segments {
            if let Err(error) = self.disk.remove(&segment.path(&self.dir)) {
                tracing::warn!(%error, segment = %segment.url, "cannot remove an unpublished segment, the next start will");
            }
        }
    }
}

/// A published segment, shared with the snapshots that hold it.
#[derive(Debug, Clone)]
pub(crate) enum SegmentHandle {
    Metrics(Arc<MetricSegment>),
    Rows(Arc<RowSegment>),
}

impl SegmentHandle {
    /// The record of the catalog.
    pub(crate) fn record(&self) -> &Segment {
        match self {
            Self::Metrics(segment) => segment.record(),
            Self::Rows(segment) => segment.record(),
        }
    }

    /// What it leaves out, oldest deletion first.
    pub(crate) fn deletions(&self) -> &[Arc<Deletion>] {
        match self {
            Self::Metrics(segment) => segment.deletions(),
            Self::Rows(segment) => segment.deletions(),
        }
    }

    /// When the oldest of its deletions was made, nanoseconds since the Unix epoch; `None` if nothing is deleted of it.
    pub(crate) fn deleted_at_ns(&self) -> Option<i64> {
        self.deletions().first().map(|deletion| deletion.created_at_ns)
    }

    /// Whether it shows rows of series that match. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
    pub(crate) fn has_series(&self, matchers: &[Matcher]) -> Result<bool> {
        match self {
            Self::Metrics(segment) => segment.has_series(matchers),
            Self::Rows(_) => Ok(false),
        }
    }

    /// Whether it holds rows that are deleted. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
    pub(crate) fn has_deleted_rows(&self) -> Result<bool> {
        match self {
            Self::Metrics(segment) => segment.has_deleted_rows(),
            Self::Rows(segment) => segment.has_deleted_rows(),
        }
    }

    /// Whether a rollup would leave out rows of it. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
    pub(crate) fn has_rows_to_drop(&self, rollup: &Rollup<'_>) -> Result<bool> {
        match self {
            Self::Metrics(segment) => metrics::has_rows_to_drop(segment, rollup),
            Self::Rows(_) => Ok(false),
        }
    }

    /// Has it know its traces; false if there is no room for more. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
    pub(crate) fn read_trace_filter(&self) -> Result<bool> {
        match self {
            Self::Metrics(_) => Ok(true),
            Self::Rows(segment) => segment.read_trace_filter(),
        }
    }

    /// Whether a read has found it damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        match self {
            Self::Metrics(segment) => segment.is_damaged(),
            Self::Rows(segment) => segment.is_damaged(),
        }
    }

    /// Reads all of it against its checksums. Blocks.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
    pub(crate) fn verify(&self) -> Result<()> {
        match self {
            Self::Metrics(segment) => segment.verify(),
            Self::Rows(segment) => segment.verify(),
        }
    }

    /// Whether this is the last handle.
    pub(crate) fn is_last(&self) -> bool {
        match self {
            Self::Metrics(segment) => segment.is_last(),
            Self::Rows(segment) => segment.is_last(),
        }
    }
}

/// Merges segments of one table, neighbours in the order of their frames, into at most one; a rollup thins metrics. Durable when this returns.
///
/// # Errors
/// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] if an input is damaged ([`SegmentHandle::is_damaged`] says which).
pub(crate) fn merge(inputs: &[SegmentHandle], rollup: &mut Rollup<'_>, target: &mut Target<'_>) -> Result<Option<Segment>> {
    let (mut of_metrics, mut of_rows) = (Vec::new(), Vec::new());
    for input in inputs {
        match input {
            SegmentHandle::Metrics(segment) => of_metrics.push(Arc::clone(segment)),
            SegmentHandle::Rows(segment) => of_rows.push(Arc::clone(segment)),
        }
    }
    if of_rows.is_empty() { Ok(metrics::merge(&of_metrics, rollup, target)?.pop()) } else { rows::merge(&of_rows, target) }
}
