//! What an operator orders of the store through a door that asks questions: deletions and snapshots.
//!
//! Not a question: the one place of this crate that changes what is stored. It is here because `api` knows the store only
//! through the engine.

use std::path::PathBuf;
use std::sync::Arc;

use signalbox_lang::logql::LogExpr;
use signalbox_model::{Matcher, Result, Table, Tenant, TimeRange};
use signalbox_store::deletion::Deleted;
use tokio::sync::watch;

pub use signalbox_store::backup::Companion;
pub use signalbox_store::deletion::{Undelete, Undeleted};

use crate::Engine;

/// A deletion of log records of which not all have left the disk yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDeletion {
    /// What was given with the order.
    pub reason: String,
    /// When, nanoseconds since the Unix epoch.
    pub created_at_ns: i64,
    /// How many records it hides.
    pub rows: u64,
}

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

    /// Deletes the records of a tenant in a range that pass a selector and its whole pipeline now; what is written later is not
    /// touched. Durable when it returns, and then in no later answer. The rows leave the disk with the next merge of their
    /// segments; `reason` is kept until then. Answers how many records.
    ///
    /// # Errors
    /// `Invalid` for a pattern that does not compile; [`signalbox_model::ErrorKind::Limit`] for more than 50 million records and
    /// if too many deletions wait to be erased; `Timeout`; `Unavailable` if the disk refuses.
    pub async fn delete_logs(&self, tenant: &Tenant, expr: LogExpr, range: TimeRange, reason: &str) -> Result<u64> {
        let numbers = self.log_numbers(tenant, expr, range).await?;
        let rows = numbers.len();
        self.store.delete_rows(tenant, Table::Logs, numbers, reason).await?;
        Ok(rows)
    }

    /// Has the records of a tenant that were deleted for a reason in every later answer again, those that have not left the
    /// disk. Durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` if the disk refuses.
    pub async fn undelete_logs(&self, tenant: &Tenant, reason: &str, which: Undelete) -> Result<Undeleted> {
        self.store.undelete_rows(tenant, Table::Logs, reason, which).await
    }

    /// Changes whenever deletions are no more: their rows have left the disk, or they were taken back.
    pub fn deletions_forgotten(&self) -> watch::Receiver<u64> {
        self.store.deletions_forgotten()
    }

    /// Deletions of log records that wait to be erased, oldest first.
    pub fn log_deletions(&self, tenant: &Tenant) -> Vec<LogDeletion> {
        let mut found = Vec::new();
        for deletion in self.store.deletions(tenant) {
            if let Deleted::Rows { table: Table::Logs, numbers, reason } = &deletion.what {
                found.push(LogDeletion { reason: reason.clone(), created_at_ns: deletion.created_at_ns, rows: numbers.len() });
            }
        }
        found
    }

    /// Has everything that is in memory written into segments now.
    ///
    /// # Errors
    /// `Unavailable` if the disk refuses; nothing is lost.
    pub async fn flush(&self) -> Result<()> {
        self.store.flush().await
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
