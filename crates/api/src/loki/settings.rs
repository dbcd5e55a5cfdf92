//! Settings of Loki's API.

use serde::{Deserialize, Serialize};

/// Settings of Loki's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether `POST /loki/api/v1/delete` deletes the log records that a query selects. Off, as in Loki until its compactor is
    /// told to: turn it on only where nobody but operators reaches the address.
    pub delete: bool,
    /// How many days a deletion of log records stays on the list of `GET /loki/api/v1/delete` and `/api/v1/logs/deletions` after
    /// its records have left the disk or it was cancelled: who asked, when, the query and how many records. The text of
    /// the query stays for so long, too; shorten it where that may not be.
    pub deletions_kept_days: u64,
    /// Clients that may follow queries at a time through `/loki/api/v1/tail`; one more is refused with status 429.
    pub tails_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delete: false, deletions_kept_days: 400, tails_max: 100 }
    }
}
