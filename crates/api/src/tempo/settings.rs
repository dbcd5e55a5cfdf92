//! Settings of Tempo's API.

use serde::{Deserialize, Serialize};

/// Settings of Tempo's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of a listener of its own, such as `127.0.0.1:3200`, where Grafana and Tempo's clients look for Tempo by
    /// default: its API without a prefix, and gRPC. The main address answers below `/tempo`, and gRPC at its root. Empty: none.
    pub listen: String,
}
