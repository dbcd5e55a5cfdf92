//! Settings of the store.

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Matcher, Result, Signal};

use crate::limits::{TRACE_END, TRACE_POLICIES_MAX};
use crate::write::wal::WalSettings;

/// Settings of the store. Sizes in bytes, durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long rows stay in the head at most before they are flushed into segments.
    pub flush_interval_seconds: u64,
    /// Flush earlier when more than this waits in the head, as it is in memory: a log record or a span counts with its bytes, a
    /// sample with 24. With twice as much appends wait for a flush that runs, with four times as much they are refused.
    pub flush_wal_bytes: u64,
    /// Flush earlier still when more than this of logs and spans waits, unless much of metrics waits beside them. Less takes less memory,
    /// and makes more small segments to merge.
    pub flush_row_bytes: u64,
    /// How often the store looks at least whether segments should be merged or removed; it also looks after each flush.
    pub maintain_interval_seconds: u64,
    /// Segments are merged into segments of at most about this size. Larger ones compress and read a little better, and need
    /// more space and time to merge.
    pub compact_bytes_max: u64,
    /// Memory for decoded pages and indexes of segments: of metrics, and what is looked up again of logs and spans. More makes repeated
    /// dashboards and look-ups faster.
    pub metric_cache_bytes: u64,
    /// The write-ahead log.
    pub wal: WalSettings,
    /// Retention by signal.
    pub retention: RetentionSettings,
    /// Old samples of metrics that are thinned: a list of `{selector: '{job="node"}', after_seconds: 604800,
    /// resolution_seconds: 300}`. What stays are samples as they were: the last of each window of the resolution, and both sides
    /// of a counter's reset. Of several rules that find a series and are due, the coarsest applies. An instant selector sees a
    /// sample for `query.promql_lookback_seconds` only: want twice the resolution there, or in `lookback_delta` of a query.
    pub rollups: Vec<RollupSettings>,
}

/// From which age on the samples of a selector are thinned, and how much. What is left out does not come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupSettings {
    /// A selector of PromQL, such as `{job="node"}`.
    pub selector: String,
    /// Age in seconds beyond which samples are thinned. They are with a whole segment, so a day later at most.
    pub after_seconds: u64,
    /// Length in seconds of the windows of which one sample stays, aligned to the Unix epoch. Each rule's is a multiple of those of
    /// the finer rules.
    pub resolution_seconds: u64,
    /// The selector, parsed by whoever read the settings: the store knows no language.
    #[serde(skip)]
    pub matchers: Vec<Matcher>,
}

/// How long data is kept. What exceeds either bound is removed, oldest segments first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Metrics.
    pub metrics: Retention,
    /// Logs.
    pub logs: Retention,
    /// Traces.
    pub traces: Retention,
    /// Series of metrics that are kept for less long than `metrics` says: a list of `{selector: '{job="canary"}',
    /// max_age_seconds: 86400}`. A series that several selectors find goes with the shortest; `!=` makes exceptions.
    pub selectors: Vec<SelectorRetention>,
    /// Traces that are kept for longer than `traces` says, and their log records for longer than `logs` says: a list of
    /// `{name: errors, keep_seconds: 7776000, status_error: true}`. Conditions: `status_error: true`, `alerted: true` (while an alert with the
    /// span's service in its label `service`, `service_name` or `server` fired), `service`, `span_longer_than_ms`, and `attribute` with
    /// `value` (of the span or its resource), which one span has to meet together; `trace_longer_than_ms`, from
    /// the first start to the last end; `archived: true` (by Jaeger's button or `POST /jaeger/api/archive/{id}`); `percent` of the traces that meet the others, 100 unless it is said. `with_logs: false` lets
    /// their log records go. A trace that several find is kept for the longest. What traces are kept is found when a segment
    /// grows too old, by all spans there are then: it is written anew without the others. `max_bytes` bounds what is kept too.
    pub kept_traces: Vec<TracePolicy>,
}

/// The series that marks a trace as archived by [`TRACE_ID_LABEL`]. It is one of metrics, so that marks are durable, are asked for and
/// are deleted like everything else.
pub const ARCHIVED_TRACE: &str = "signalbox_archived_trace";
/// The label of [`ARCHIVED_TRACE`] with the identifier of the trace, 32 hexadecimal digits.
pub const TRACE_ID_LABEL: &str = "trace_id";

/// Traces that are kept for longer than the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracePolicy {
    /// For the log.
    pub name: String,
    /// Age in seconds beyond which the traces go. They go with a whole segment, so a day later at most.
    pub keep_seconds: u64,
    /// Only traces with a span whose status is error.
    #[serde(default)]
    pub status_error: bool,
    /// Only traces with a span of a service while an alert of it fired, from when it was pending: by the series `ALERTS`, which
    /// evaluations of rules write, whose label `service`, `service_name` or `server` is the service.
    #[serde(default)]
    pub alerted: bool,
    /// Only traces that somebody has archived: by the series [`ARCHIVED_TRACE`].
    #[serde(default)]
    pub archived: bool,
    /// Only traces with a span of this service; empty means any.
    #[serde(default)]
    pub service: String,
    /// Only traces with a span that took longer than this; 0 means any.
    #[serde(default)]
    pub span_longer_than_ms: u64,
    /// Only traces with a span that has this attribute, itself or of its resource, with the text of `value`; empty means any.
    #[serde(default)]
    pub attribute: String,
    /// The text of the value of `attribute`.
    #[serde(default)]
    pub value: String,
    /// Only traces that took longer than this; 0 means any.
    #[serde(default)]
    pub trace_longer_than_ms: u64,
    /// So many of a hundred of the traces that the other conditions find, chosen by their identifiers.
    #[serde(default = "all")]
    pub percent: f64,
    /// Whether log records of the traces are kept too.
    #[serde(default = "yes")]
    pub with_logs: bool,
}

fn all() -> f64 {
    100.0
}

fn yes() -> bool {
    true
}

/// How long the series of a selector are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectorRetention {
    /// A selector of PromQL, such as `{job="canary"}`.
    pub selector: String,
    /// Age in seconds beyond which rows go. They go with a whole segment, so a day later at most.
    pub max_age_seconds: u64,
    /// The selector, parsed by whoever read the settings: the store knows no language.
    #[serde(skip)]
    pub matchers: Vec<Matcher>,
}

/// Bounds of one signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Age in seconds; 0 keeps for ever.
    pub max_age_seconds: u64,
    /// Bytes of segments; 0 means no bound.
    pub max_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flush_interval_seconds: 600,
            flush_wal_bytes: 256 << 20,
            flush_row_bytes: 32 << 20,
            maintain_interval_seconds: 60,
            compact_bytes_max: 256 << 20,
            metric_cache_bytes: 256 << 20,
            wal: WalSettings::default(),
            retention: RetentionSettings::default(),
            rollups: Vec::new(),
        }
    }
}

impl Settings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] names the setting.
    pub fn check(&self) -> Result<()> {
        let bounds =
            [("flush_interval_seconds", self.flush_interval_seconds), ("flush_wal_bytes", self.flush_wal_bytes), ("flush_row_bytes", self.flush_row_bytes)];
        for (name, value) in bounds {
            if value == 0 {
                return Err(Error::invalid(format!("cannot use store.{name} 0: the store would do nothing but flush")));
            }
        }
        for (number, rule) in self.retention.selectors.iter().enumerate() {
            let refused = |why: &str| Err(Error::invalid(format!("cannot use store.retention.selectors[{number}]: {why}")));
            if rule.matchers.iter().all(Matcher::matches_empty) {
                return refused("its selector finds everything: want at least one matcher that does not match the empty text");
            }
            if rule.max_age_seconds == 0 {
                return refused("max_age_seconds is 0: want at least 1");
            }
            let max_age_seconds = self.retention.metrics.max_age_seconds;
            if max_age_seconds > 0 && rule.max_age_seconds >= max_age_seconds {
                return refused(&format!("max_age_seconds is {}: want less than that of metrics, {max_age_seconds}", rule.max_age_seconds));
            }
        }
        self.check_kept_traces()?;
        self.check_rollups()?;
        self.wal.check()
    }

    fn check_kept_traces(&self) -> Result<()> {
        let policies = &self.retention.kept_traces;
        if policies.len() > TRACE_POLICIES_MAX {
            return Err(Error::invalid(format!("cannot use store.retention.kept_traces: {} policies, want at most {TRACE_POLICIES_MAX}", policies.len())));
        }
        for (number, policy) in policies.iter().enumerate() {
            let refused = |why: String| Err(Error::invalid(format!("cannot use store.retention.kept_traces[{number}]: {why}")));
            let max_age_seconds = self.retention.traces.max_age_seconds;
            if max_age_seconds == 0 || policy.keep_seconds <= max_age_seconds {
                return refused(format!("keep_seconds is {}: want more than the retention of traces, {max_age_seconds}", policy.keep_seconds));
            }
            if !(policy.percent > 0.0 && policy.percent <= 100.0) {
                return refused(format!("percent is {}: want more than 0, and at most 100", policy.percent));
            }
            let marked_seconds = self.retention.metrics.max_age_seconds;
            if policy.archived && marked_seconds > 0 && policy.keep_seconds > marked_seconds {
                let keep_seconds = policy.keep_seconds;
                return refused(format!(
                    "keep_seconds is {keep_seconds}: want at most the retention of metrics, {marked_seconds}, where it is marked what is archived"
                ));
            }
            if policy.attribute.is_empty() && !policy.value.is_empty() {
                return refused("it has a value and no attribute".to_owned());
            }
        }
        Ok(())
    }

    fn check_rollups(&self) -> Result<()> {
        let max_age_seconds = self.retention.metrics.max_age_seconds;
        for (number, rule) in self.rollups.iter().enumerate() {
            let refused = |why: &str| Err(Error::invalid(format!("cannot use store.rollups[{number}]: {why}")));
            if rule.matchers.iter().all(Matcher::matches_empty) {
                return refused("its selector finds everything: want at least one matcher that does not match the empty text");
            }
            if rule.after_seconds == 0 || rule.resolution_seconds == 0 {
                return refused("after_seconds or resolution_seconds is 0: want at least 1");
            }
            if max_age_seconds > 0 && rule.after_seconds >= max_age_seconds {
                return refused(&format!("after_seconds is {}: want less than the retention of metrics, {max_age_seconds}", rule.after_seconds));
            }
            // Else what a fine rule leaves would not hold what a coarse one is to keep.
            let misfit = self.rollups.iter().find(|finer| {
                finer.resolution_seconds > 0 && rule.resolution_seconds > finer.resolution_seconds && rule.resolution_seconds % finer.resolution_seconds != 0
            });
            if let Some(finer) = misfit {
                return refused(&format!(
                    "resolution_seconds is {}: want a multiple of that of the finer rule, {}",
                    rule.resolution_seconds, finer.resolution_seconds
                ));
            }
        }
        Ok(())
    }

    /// Files of a few hundred KiB instead of tens of MiB, and no space kept in reserve: for tests and for trying things out.
    /// Nothing about durability is different.
    pub fn small() -> Self {
        let wal = WalSettings { file_bytes: 256 << 10, spare_files: 0, reserve_bytes: 0, ..WalSettings::default() };
        Self { metric_cache_bytes: 16 << 20, wal, ..Self::default() }
    }
}

impl RetentionSettings {
    /// The ages in seconds at which rows of a signal go, ascending, each once: first those that no policy keeps.
    pub(crate) fn ages_seconds(&self, signal: Signal) -> Vec<u64> {
        let (max_age_seconds, policies) = match signal {
            Signal::Metrics => return vec![self.metrics.max_age_seconds],
            Signal::Logs => (self.logs.max_age_seconds, self.kept_traces.iter().filter(|policy| policy.with_logs).collect()),
            Signal::Traces => (self.traces.max_age_seconds, self.kept_traces.iter().collect::<Vec<_>>()),
        };
        let mut ages = vec![max_age_seconds];
        // What is kept for ever needs no policy.
        ages.extend(policies.iter().map(|policy| policy.keep_seconds).filter(|age| max_age_seconds > 0 && *age > max_age_seconds));
        ages.sort_unstable();
        ages.dedup();
        ages
    }

    /// The age in seconds at which all rows of a signal go; 0 means never.
    pub(crate) fn last_age_seconds(&self, signal: Signal) -> u64 {
        let ages = self.ages_seconds(signal);
        let last = ages.last().copied().unwrap_or(0);
        if ages.len() > 1 { last.saturating_add(TRACE_END.as_secs()) } else { last }
    }
}

impl Default for RetentionSettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        let days = |days: u64| Retention { max_age_seconds: days * DAY, max_bytes: 0 };
        Self { metrics: days(395), logs: days(30), traces: days(14), selectors: Vec::new(), kept_traces: Vec::new() }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { max_age_seconds: 30 * 24 * 60 * 60, max_bytes: 0 }
    }
}
