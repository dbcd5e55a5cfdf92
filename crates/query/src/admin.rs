//! What an operator orders of the store through a door that asks questions: deletions and snapshots.
//!
//! Not a question: the one place of this crate that changes what is stored. It is here because `api` knows the store only
//! through the engine.

use std::path::PathBuf;
use std::sync::Arc;

use signalbox_model::{Matcher, Result, Tenant, TimeRange};

pub use signalbox_store::backup::Companion;

use crate::Engine;

impl Engine {
    /// Deletes the series of a tenant that match one of the sets of matchers, over a range of time, both ends included. Durable
    /// when it returns, and then in no later answer. What is written later is not touched. The rows leave the disk with the
    /// next merge of their segments.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Limit`] if too many deletions wait to be purged; `Unavailable` if the disk refuses.
    pub async fn delete_series(&self, tenant: &Tenant, sets: &[Vec<Matcher>], range: TimeRange) -> Result<()> {
        self.store.delete_series(tenant, sets, range).await
    }

    /// Makes a copy of everything acknowledged, of all tenants, that is a data directory of its own: `snapshots/<name>` below
    /// the data directory. Gives its path.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] for a name that is not letters, digits, `-`, `_` and `.`, or is taken; `Unavailable`
    /// if the disk refuses. Then nothing is left of it.
    pub async fn backup(&self, name: &str) -> Result<PathBuf> {
        self.store.snapshot_to(name, &self.companions).await
    }

    /// With state that belongs into each backup besides the store.
    #[must_use]
    pub fn with_companion(mut self, companion: Arc<dyn Companion>) -> Self {
        self.companions.push(companion);
        self
    }

    /// Has everything that is deleted, of all tenants, leave the disk now. Takes as long as writing the segments anew does.
    ///
    /// # Errors
    /// `Unavailable` if the disk refuses; nothing comes back.
    pub async fn clean_tombstones(&self) -> Result<()> {
        self.store.purge().await
    }
}
