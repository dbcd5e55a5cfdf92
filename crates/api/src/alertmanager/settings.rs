//! Settings of Alertmanager's API.

use serde::{Deserialize, Serialize};

/// Settings of Alertmanager's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of Alertmanager's API alone, without a prefix, where rulers and `amtool` look for it; usually
    /// `127.0.0.1:9093`. Empty to turn it off; the API is below `/alertmanager` of the main address anyway.
    pub listen: String,
}
