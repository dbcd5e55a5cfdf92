//! Settings of questions: the bounds that protect the server from one greedy question.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of questions. A request may ask for less than these, never for more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long one question may take, in seconds. An export may take longer: it ends when nothing of it is taken for so
    /// long.
    pub timeout_seconds: u64,
    /// Questions of all languages that run at one time; others wait for them within their own time. Prometheus has 20 too. Rules have
    /// as many places of their own.
    pub concurrent_max: usize,
    /// Questions that may wait. One more is refused with status 503.
    pub waiting_max: usize,
    /// Memory that all SQL and PromQL questions share, in bytes. A question that needs more while others hold it is refused
    /// with status 503.
    pub memory_bytes: u64,
    /// Memory that one SQL question may hold, in bytes.
    pub memory_bytes_per_query: u64,
    /// Rows that one SQL question may answer with.
    pub rows_max: u64,
    /// Log records or traces that one question may answer with.
    pub results_max: u64,
    /// Directory for rows that do not fit into memory; when unset nothing is spilled and the question fails instead.
    pub spill_dir: Option<PathBuf>,
    /// Bytes that may be spilled at one time.
    pub spill_bytes: u64,
    /// Threads that one question in SQL or over logs is split over; 0 means one per core. Questions over logs have one each, and
    /// more only while all of them together have fewer than this.
    pub partitions: usize,
    /// Samples that one PromQL query may read. A query beyond fails and names the selector that read them.
    pub promql_samples_max: u64,
    /// Series that one PromQL selector may find.
    pub promql_series_max: u64,
    /// Distances between the first and the last instant of a PromQL range query. Prometheus has 11,000 too.
    pub promql_steps_max: u64,
    /// Instants at which a PromQL subquery may evaluate.
    pub promql_subquery_steps_max: u64,
    /// Memory that the values of one PromQL query may hold, in bytes.
    pub promql_memory_bytes: u64,
    /// How far back a PromQL selector looks for the latest sample, in seconds, if the request does not say.
    pub promql_lookback_seconds: u64,
    /// Step of a PromQL subquery that names none, in seconds.
    pub promql_subquery_step_seconds: u64,
    /// Whether `rate`, `increase`, `irate` and `resets` take a start time of a sample that is newer than the sample before
    /// for a reset, and begin at a start time in the range. As in Prometheus this is off unless asked for.
    pub promql_start_times: bool,
    /// Series that one LogQL query may answer with. Loki has 500.
    pub logql_series_max: u64,
    /// Distances between the first and the last instant of a LogQL range query. Loki has 11,000 too.
    pub logql_steps_max: u64,
    /// Memory that the values of one LogQL metric query may hold, in bytes.
    pub logql_memory_bytes: u64,
    /// Whether the stream of a record without a service has the label `service_name="unknown_service"`, as Loki's distributor
    /// adds it.
    pub logql_adds_service_name: bool,
    /// Whether every record has the label `detected_level`, as Loki's distributor adds it: its severity as one word, `unknown`
    /// when it has none.
    pub logql_adds_detected_level: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout_seconds: 120,
            concurrent_max: 20,
            waiting_max: 1_000,
            memory_bytes: 1 << 30,
            memory_bytes_per_query: 512 << 20,
            rows_max: 1_000_000,
            results_max: 50_000,
            spill_dir: None,
            spill_bytes: 10 << 30,
            partitions: 0,
            promql_samples_max: 50_000_000,
            promql_series_max: 1_000_000,
            promql_steps_max: 11_000,
            promql_subquery_steps_max: 1_000_000,
            promql_memory_bytes: 512 << 20,
            promql_lookback_seconds: 300,
            promql_subquery_step_seconds: 60,
            promql_start_times: false,
            logql_series_max: 5_000,
            logql_steps_max: 11_000,
            logql_memory_bytes: 512 << 20,
            logql_adds_service_name: true,
            logql_adds_detected_level: true,
        }
    }
}

impl Settings {
    /// Threads that one question is split over.
    pub(crate) fn threads(&self) -> usize {
        match self.partitions {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            partitions => partitions,
        }
    }
}
