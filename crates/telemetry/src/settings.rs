//! Settings of what Signalbox says about itself.

use serde::{Deserialize, Serialize};

/// Settings of own logs, metrics and traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What is logged to stderr: `error`, `warn`, `info`, `debug` or `trace`, optionally by module, such as
    /// `info,signalbox_store=debug`.
    pub log_level: String,
    /// How it is logged: `plain` for people, `json` for machines.
    pub log_format: LogFormat,
    /// Whether own metrics, logs and traces go into the own store, under the service `signalbox`.
    pub self_watch: bool,
    /// Seconds between two samples of each own metric.
    pub metrics_interval_seconds: u64,
    /// Own traces that begin in one second at most; the requests beyond are not traced.
    pub traces_per_second_max: u32,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log_level: "info".to_owned(), log_format: LogFormat::Plain, self_watch: true, metrics_interval_seconds: 15, traces_per_second_max: 10 }
    }
}
