//! Settings of Loki's API.

use serde::{Deserialize, Serialize};

/// Settings of Loki's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether `POST /loki/api/v1/delete` deletes the log records that a query selects. Off, as in Loki until its compactor is
    /// told to: turn it on only where nobody but operators reaches the address.
    pub delete: bool,
    /// Clients that may follow queries at a time through `/loki/api/v1/tail`; one more is refused with status 429.
    pub tails_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delete: false, tails_max: 100 }
    }
}
