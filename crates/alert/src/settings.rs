//! Settings of alerting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Labels, Result};
use signalbox_notify::forward;

use crate::group::GroupBy;
use crate::routing::Route;
use crate::silence::Limits;

/// Settings of alerting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Paths of rule files in Prometheus' format; `*`, `?`, `[…]` and `**` are patterns. A path without them must exist.
    pub rule_files: Vec<String>,
    /// How often rule files are looked at for changes, in seconds; 0 is never. What changed is read when it is found twice the same.
    pub rule_files_interval_seconds: u64,
    /// How often groups are evaluated that do not say so themselves, in seconds.
    pub evaluation_interval_seconds: u64,
    /// How far back of an evaluation its queries look where a group does not say so itself, in seconds: for senders that are late.
    pub query_offset_seconds: u64,
    /// How far back evaluations are made up that were missed because the server was away or busy, in seconds; 0 makes up none.
    pub catch_up_horizon_seconds: u64,
    /// Rules about the server itself, of its own metrics: they are there without a file.
    pub builtin: Builtin,
    /// An alert that always fires, so that its silence says that nobody can be told of anything (a dead man's switch).
    pub watchdog: Watchdog,
    /// Labels of this server: templates see them as `$externalLabels`, notifications carry them.
    pub external_labels: BTreeMap<String, String>,
    /// Where people reach this server; links in notifications start with it.
    pub external_url: String,
    /// An `alertmanager.yml`, unmodified: its routes, receivers, inhibition and time intervals are in force instead of the
    /// keys below and of `notify`, and instead of a configuration that was set over HTTP. Read again on reload.
    pub alertmanager_config_file: PathBuf,
    /// Other Alertmanagers that are told of the alerts of our own rules as well, as Prometheus tells them: again every minute,
    /// with their end in four.
    pub forward_to: Vec<forward::Settings>,
    /// Names of the receivers in `notify` that are told; none means all of them.
    pub receivers: Vec<String>,
    /// Labels whose values alerts must share to be told in one message; `...` tells every alert alone.
    pub group_by: Vec<String>,
    /// How long the first message about a group waits for more alerts, in seconds.
    pub group_wait_seconds: u64,
    /// How long news about a group wait after a message, in seconds.
    pub group_interval_seconds: u64,
    /// After how long a group that did not change is told again, in seconds.
    pub repeat_interval_seconds: u64,
    /// How many silences there may be, those that are over and still known included; 0 is no limit.
    pub silences_max: usize,
    /// How many bytes the texts of a silence may have: matchers, comment, author, annotations; 0 is no limit.
    pub silence_bytes_max: usize,
    /// How long a silence that is over stays known, in hours.
    pub silences_kept_hours: u64,
    /// How long it is kept what became of alerts and who was told, in days. Values of alerts are metrics and go with them.
    pub history_days: u64,
}

/// In less there are no two samples of own metrics to compare, and who sends less than daily cannot be told from who is gone.
const STALLED_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 4..=86_400;

/// Rules about the server itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Builtin {
    /// Whether they are evaluated. They need `telemetry.self_watch`: without it there are none.
    pub enabled: bool,
    /// SignalboxIngestStalled: for how long, in seconds, nothing of a signal arrives before that is a stall; it is told after half of that
    /// again. 4 to 86400, and some times `telemetry.metrics_interval_seconds`. More where senders send seldom.
    pub stalled_after_seconds: u64,
    /// Names of those that are not: SignalboxIngestStalled, SignalboxDiskFails, SignalboxDiskNearlyFull, SignalboxCorruption,
    /// SignalboxRulesFail, SignalboxEvaluationsMissed, SignalboxNotificationsFail, SignalboxNotificationsDelayed, SignalboxClockStepped.
    pub rules_off: Vec<String>,
}

impl Default for Builtin {
    fn default() -> Self {
        Self { enabled: true, stalled_after_seconds: 600, rules_off: Vec::new() }
    }
}

/// The alert that always fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watchdog {
    /// Name of the receiver that is told, and alone: one with a webhook to a service that calls when it hears nothing. Empty:
    /// there is no watchdog.
    pub receiver: String,
    /// How often it is told, in seconds; the service should wait for at least three times as long.
    pub interval_seconds: u64,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { receiver: String::new(), interval_seconds: 60 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rule_files: Vec::new(),
            rule_files_interval_seconds: 5,
            evaluation_interval_seconds: 60,
            query_offset_seconds: 0,
            catch_up_horizon_seconds: 3600,
            builtin: Builtin::default(),
            watchdog: Watchdog::default(),
            external_labels: BTreeMap::new(),
            external_url: "http://127.0.0.1:4400".to_owned(),
            alertmanager_config_file: PathBuf::new(),
            forward_to: Vec::new(),
            receivers: Vec::new(),
            group_by: vec!["alertname".to_owned()],
            group_wait_seconds: 30,
            group_interval_seconds: 5 * 60,
            repeat_interval_seconds: 4 * 3600,
            silences_max: 100_000,
            silence_bytes_max: 65_536,
            silences_kept_hours: 120,
            history_days: 90,
        }
    }
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// `Invalid` with the name of the setting.
    pub fn check(&self) -> Result<()> {
        for (name, seconds) in [
            ("evaluation_interval_seconds", self.evaluation_interval_seconds),
            ("group_interval_seconds", self.group_interval_seconds),
            ("repeat_interval_seconds", self.repeat_interval_seconds),
            ("history_days", self.history_days),
            ("watchdog.interval_seconds", self.watchdog.interval_seconds),
        ] {
            if seconds == 0 {
                return Err(Error::invalid(format!("cannot use setting alert.{name}: found 0: want at least 1")));
            }
        }
        let stalled_after = self.builtin.stalled_after_seconds;
        if !STALLED_AFTER_SECONDS.contains(&stalled_after) {
            let (least, most) = (STALLED_AFTER_SECONDS.start(), STALLED_AFTER_SECONDS.end());
            let wrong = format!("found {stalled_after}: want {least} to {most}");
            return Err(Error::invalid(format!("cannot use setting alert.builtin.stalled_after_seconds: {wrong}")));
        }
        let has_scheme = self.external_url.starts_with("http://") || self.external_url.starts_with("https://");
        if !has_scheme {
            return Err(Error::invalid(format!("cannot use setting alert.external_url: found {:?}: want http://… or https://…", self.external_url)));
        }
        Ok(())
    }

    /// Whether an `alertmanager.yml` is named.
    pub(crate) fn has_alertmanager_file(&self) -> bool {
        !self.alertmanager_config_file.as_os_str().is_empty()
    }

    /// The one route of a server without `alertmanager.yml`: everything goes to all receivers of the settings.
    pub(crate) fn route(&self) -> Route {
        Route {
            group_by: GroupBy::new(&self.group_by),
            wait_ms: milliseconds(self.group_wait_seconds),
            interval_ms: milliseconds(self.group_interval_seconds),
            repeat_ms: milliseconds(self.repeat_interval_seconds),
            ..Route::root(String::new())
        }
    }

    pub(crate) fn evaluation_interval_ms(&self) -> i64 {
        milliseconds(self.evaluation_interval_seconds)
    }

    pub(crate) fn query_offset_ms(&self) -> i64 {
        milliseconds(self.query_offset_seconds)
    }

    pub(crate) fn watchdog_interval_ms(&self) -> i64 {
        milliseconds(self.watchdog.interval_seconds)
    }

    pub(crate) fn catch_up_horizon_ms(&self) -> i64 {
        milliseconds(self.catch_up_horizon_seconds)
    }

    pub(crate) fn external_labels(&self) -> Labels {
        Labels::from_pairs(&self.external_labels)
    }

    pub(crate) fn silence_limits(&self) -> Limits {
        Limits { silences_max: self.silences_max, bytes_max: self.silence_bytes_max }
    }

    /// How long silences that are over stay known.
    pub(crate) fn silences_kept_ms(&self) -> i64 {
        milliseconds(self.silences_kept_hours.saturating_mul(3600))
    }

    /// How long history is kept.
    pub(crate) fn history_ms(&self) -> i64 {
        milliseconds(self.history_days.saturating_mul(86_400))
    }

    /// How long an alert that is over stays known: Prometheus' quarter of an hour, and long enough for its group to be told.
    pub(crate) fn retention_ms(&self) -> i64 {
        (15 * 60_000).max(milliseconds(self.group_wait_seconds) + 2 * milliseconds(self.group_interval_seconds))
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}
