//! What the store does by itself: flushes when it is time, merges segments, removes what is too old.

pub(crate) mod quarantine;
pub(crate) mod worker;

use std::sync::Arc;

use signalbox_model::{Clock, Result};

use crate::format::Segment;
use crate::publish::{Change, Publisher, Shelf};
use crate::segment_records::SegmentRecords;
use crate::settings::Settings;
use crate::tenants::Tenants;

/// Keeps the segments in order.
#[derive(Debug)]
pub(crate) struct Maintainer {
    pub(crate) settings: Settings,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) records: Arc<SegmentRecords>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Maintainer {
    /// One round of everything.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub(crate) async fn round(&self) -> Result<()> {
        self.publisher.settle().await?;
        self.publisher.remove_retired();
        Ok(())
    }

    /// Forgets segments of the catalog whose files are missing or cut.
    pub(crate) async fn forget_lost(&self, lost: &[Segment]) {
        if lost.is_empty() {
            return;
        }
        for segment in lost {
            quarantine::report(segment, "its file is missing or cut");
        }
        match self.publisher.publish(Change { removed: lost.to_vec(), ..Change::default() }).await {
            Ok(()) => lost.iter().for_each(|segment| quarantine::set_aside(&self.shelf, segment)),
            Err(error) => tracing::warn!(%error, "cannot take damaged segments out of the catalog, the next start tries again"),
        }
    }
}
