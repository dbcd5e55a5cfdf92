//! The catalog: the versioned list of segments, and how far the WAL is consumed.
//!
//! One transaction publishes new segments, forgets removed ones and moves the WAL position: that instant is when rows pass
//! from the WAL and the head to segments. Two implementations: SQLite, and its simulated twin in memory with failures.

mod memory;
pub(crate) mod rebuild;
mod sqlite;

use std::fmt;

use async_trait::async_trait;
use signalbox_model::{MetricMetadata, Result, Tenant};

use crate::deletion::Deletion;
use crate::format::{Segment, SegmentId};

pub use memory::{FailedCommit, MemoryCatalog};
pub use sqlite::SqliteCatalog;

/// Everything the catalog knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogState {
    /// One more at each open of the store.
    pub epoch: u32,
    /// All frames of the WAL up to here are in segments. Segments may have later ones too (only after the catalog was made anew).
    pub consumed_frame: u64,
    /// Next arrival number of a row of logs or spans that no segment holds.
    pub next_row: u64,
    /// The segments, by id.
    pub segments: Vec<Segment>,
    /// Metadata of metric families by tenant.
    pub metadata: Vec<(Tenant, MetricMetadata)>,
    /// Deletions whose rows some segment still holds, by number.
    pub deletions: Vec<Deletion>,
}

/// One atomic change.
#[derive(Debug, Clone, Default)]
pub struct CatalogChange {
    /// Segments that exist from now on; their files MUST be durable.
    pub added: Vec<Segment>,
    /// Segments that are no longer; their files may be removed once the change is committed.
    pub removed: Vec<SegmentId>,
    /// The WAL up to here is consumed by segments.
    pub consumed_frame: Option<u64>,
    /// Next arrival number of a row.
    pub next_row: Option<u64>,
    /// Metadata that is new or other than before.
    pub metadata: Vec<(Tenant, MetricMetadata)>,
    /// Deletions that hold from now on.
    pub deletions: Vec<Deletion>,
    /// Numbers of deletions whose rows no segment holds any more.
    pub purged: Vec<u64>,
}

/// Where the list of segments is kept.
#[async_trait]
pub trait Catalog: Send + Sync + fmt::Debug {
    /// Reads everything and begins the next epoch, durably.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if what is stored cannot be trusted: [`Catalog::reset`] helps;
    /// `Unavailable` if the disk fails.
    async fn begin(&self) -> Result<CatalogState>;

    /// Applies one change. `Ok` means it is on stable storage. After `Err` it may or may not be applied, and the store has to
    /// [`Catalog::read`] what is true.
    ///
    /// # Errors
    /// `Unavailable` if the disk fails.
    async fn commit(&self, change: &CatalogChange) -> Result<()>;

    /// What is stored now.
    ///
    /// # Errors
    /// As [`Catalog::begin`].
    async fn read(&self) -> Result<CatalogState>;

    /// Sets a damaged catalog aside and starts over with this state, which was rebuilt from the segments.
    ///
    /// # Errors
    /// `Unavailable` if the disk fails.
    async fn reset(&self, state: &CatalogState) -> Result<()>;

    /// Releases what the catalog holds open.
    async fn close(&self);
}

impl CatalogState {
    /// The state after a change.
    pub fn apply(&mut self, change: &CatalogChange) {
        self.segments.retain(|segment| !change.removed.contains(&segment.id));
        self.segments.extend(change.added.iter().cloned());
        self.segments.sort_by_key(|segment| segment.id);
        self.consumed_frame = change.consumed_frame.unwrap_or(self.consumed_frame);
        self.next_row = change.next_row.unwrap_or(self.next_row);
        for (tenant, metadata) in &change.metadata {
            self.metadata.retain(|(owner, old)| owner != tenant || old.name != metadata.name);
            self.metadata.push((tenant.clone(), metadata.clone()));
        }
        self.metadata.sort_by(|left, right| (&left.0, &left.1.name).cmp(&(&right.0, &right.1.name)));
        let is_new = |number: u64| change.deletions.iter().any(|deletion| deletion.number == number);
        self.deletions.retain(|deletion| !change.purged.contains(&deletion.number) && !is_new(deletion.number));
        self.deletions.extend(change.deletions.iter().cloned());
        self.deletions.sort_by_key(|deletion| deletion.number);
    }
}
