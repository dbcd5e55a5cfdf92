//! Settings of the query APIs.

use serde::{Deserialize, Serialize};

use crate::{alertmanager, jaeger, loki, prometheus, tempo};

/// Settings of the query APIs, one section a dialect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Prometheus' API.
    pub prometheus: prometheus::Settings,
    /// Loki's API.
    pub loki: loki::Settings,
    /// Jaeger's API.
    pub jaeger: jaeger::Settings,
    /// Tempo's API.
    pub tempo: tempo::Settings,
    /// Alertmanager's API.
    pub alertmanager: alertmanager::Settings,
}
