//! Settings of the metrics that are made of spans.

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

/// Metrics made of spans: rate, errors and durations by operation, and who calls whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpanMetricsSettings {
    /// Whether metrics are made of spans at all.
    pub enabled: bool,
    /// How often they are written, in seconds. Less shows calls sooner and stores more samples.
    pub interval_seconds: u64,
    /// How durations are stored: `native` (one native histogram a series), `classic` (`_bucket`, `_sum` and `_count`, which the
    /// tables of Grafana's service graph ask for), or `both`.
    pub histograms: Histograms,
    /// Upper bounds of the classic buckets of durations of operations, in seconds, ascending.
    pub operation_buckets_seconds: Vec<f64>,
    /// Upper bounds of the classic buckets of durations of calls between services, in seconds, ascending.
    pub edge_buckets_seconds: Vec<f64>,
    /// Attributes of spans, or else of their resources, that become labels of the metrics of operations beside `service`,
    /// `span_name`, `span_kind` and `status_code`. Characters that no label may have become `_`.
    pub dimensions: Vec<String>,
    /// Attributes of the spans of both sides of a call, or else of their resources, that become labels of the metrics of calls between services
    /// beside `client`, `server` and `connection_type`: of the server's span if it has one, else of the client's. Each may multiply the
    /// series; `groups_max` bounds them.
    pub edge_dimensions: Vec<String>,
    /// Whether each of `edge_dimensions` is a label for each side, with `client_` and `server_` before its name.
    pub edge_dimensions_by_side: bool,
    /// Attributes that name who was called where the callee sends no spans: the first that a span has counts.
    pub peer_attributes: Vec<String>,
    /// Operations of one tenant, told apart by all their labels, and as many calls between services. What is more is counted
    /// together in one series with the label `metric_overflow="true"`.
    pub groups_max: usize,
    /// An operation or call between services without spans for this many seconds is forgotten: its series end.
    pub idle_seconds: u64,
    /// How long one side of a call waits for the other, in seconds.
    pub wait_seconds: u64,
    /// Sides of calls of one tenant that may wait at one time; what is more makes no edge. One takes about 150 bytes.
    pub waiting_max: usize,
}

/// How durations are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Histograms {
    /// As native histograms.
    Native,
    /// As classic histograms.
    Classic,
    /// As both.
    Both,
}

impl Default for SpanMetricsSettings {
    fn default() -> Self {
        let doubling = |first: f64, count: i32| (0..count).map(|power| first * f64::from(1u32 << power)).collect();
        Self {
            enabled: true,
            interval_seconds: 15,
            histograms: Histograms::Both,
            operation_buckets_seconds: doubling(0.002, 14),
            edge_buckets_seconds: doubling(0.1, 8),
            dimensions: Vec::new(),
            edge_dimensions: Vec::new(),
            edge_dimensions_by_side: false,
            peer_attributes: ["peer.service", "db.name", "db.system"].map(str::to_owned).to_vec(),
            groups_max: 10_000,
            idle_seconds: 900,
            wait_seconds: 10,
            waiting_max: 100_000,
        }
    }
}

impl SpanMetricsSettings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] names the setting.
    pub fn check(&self) -> Result<()> {
        let refused = |what: &str| Err(Error::invalid(format!("cannot use ingest.span_metrics.{what}")));
        if self.interval_seconds == 0 {
            return refused("interval_seconds 0: want at least 1");
        }
        if self.idle_seconds < self.interval_seconds {
            return refused("idle_seconds: want at least interval_seconds");
        }
        for (name, bounds) in [("operation_buckets_seconds", &self.operation_buckets_seconds), ("edge_buckets_seconds", &self.edge_buckets_seconds)] {
            let is_ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]) && bounds.iter().all(|bound| bound.is_finite() && *bound > 0.0);
            if !is_ascending || bounds.len() > BUCKETS_MAX {
                return refused(&format!("{name}: want at most {BUCKETS_MAX} numbers above 0, ascending"));
            }
        }
        if self.dimensions.len() > DIMENSIONS_MAX {
            return refused(&format!("dimensions: want at most {DIMENSIONS_MAX}"));
        }
        if self.edge_dimensions.len() > DIMENSIONS_MAX {
            return refused(&format!("edge_dimensions: want at most {DIMENSIONS_MAX}"));
        }
        Ok(())
    }
}

/// Classic buckets of one histogram at most: each is a series.
const BUCKETS_MAX: usize = 64;
/// Dimensions at most: each may multiply the series.
const DIMENSIONS_MAX: usize = 16;
