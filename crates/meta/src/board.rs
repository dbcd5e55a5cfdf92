//! The board on which `alert` shows how its rules are, for `api` to read: neither knows the other.
//!
//! In memory only. What must survive a crash is in [`crate::alerts`]; everything here comes again with the next evaluation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use signalbox_model::Labels;

/// How rules are now. Clones share the board.
#[derive(Debug, Clone, Default)]
pub struct AlertBoard {
    groups: Arc<RwLock<Groups>>,
}

/// Groups by file and name.
type Groups = BTreeMap<(String, String), Arc<GroupStatus>>;

/// A group of rules and its latest evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStatus {
    /// Path of the rule file.
    pub file: String,
    /// Name of the group.
    pub name: String,
    /// How often it is evaluated.
    pub interval: Duration,
    /// How far back of an evaluation its queries look.
    pub query_offset: Duration,
    /// Series or alerts that one rule may make; 0 is no limit.
    pub limit: usize,
    /// When its latest evaluation began, nanoseconds since the Unix epoch.
    pub evaluated_at_ns: Option<i64>,
    /// How long that took.
    pub evaluation: Duration,
    /// Its rules in order.
    pub rules: Vec<RuleStatus>,
}

/// Whether the latest evaluation of a rule went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// There was none.
    #[default]
    Unknown,
    /// It did.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// The word in Prometheus' API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// A rule and its latest evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStatus {
    /// Name of the series or the alert.
    pub name: String,
    /// Canonical text of the expression.
    pub query: String,
    /// Language of the expression, as rule files name it: `promql`, `logql`, `traceql`, `sql`.
    pub lang: &'static str,
    /// How far back of its instant the expression looks, where the rule says so and not the expression.
    pub range: Option<Duration>,
    /// Labels as written.
    pub labels: Labels,
    /// How the latest evaluation went.
    pub health: Health,
    /// What went wrong.
    pub last_error: Option<String>,
    /// When it began, nanoseconds since the Unix epoch.
    pub evaluated_at_ns: Option<i64>,
    /// How long it took.
    pub evaluation: Duration,
    /// What only one kind of rules has.
    pub kind: RuleKind,
}

/// The two kinds of rules.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// Writes series.
    Recording,
    /// Makes alerts.
    Alerting(AlertingStatus),
}

/// What only alerting rules have.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertingStatus {
    /// How long an alert is pending.
    pub hold: Duration,
    /// How long it goes on firing after it was last found.
    pub keep_firing: Duration,
    /// Annotations as written.
    pub annotations: Labels,
    /// What the rule says beyond Prometheus' schema, by its keys in rule files.
    pub extras: Vec<(&'static str, String)>,
    /// Alerts that are pending or firing.
    pub alerts: Vec<ActiveAlert>,
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations, expanded.
    pub annotations: Labels,
    /// Firing, not pending.
    pub is_firing: bool,
    /// When it was first found, milliseconds since the Unix epoch.
    pub active_at_ms: i64,
    /// Since when it goes on firing although it is found no more.
    pub keep_firing_since_ms: Option<i64>,
    /// Its value.
    pub value: f64,
}

impl AlertBoard {
    /// All groups by file and name.
    pub fn groups(&self) -> Vec<Arc<GroupStatus>> {
        self.groups.read().values().cloned().collect()
    }

    /// Shows a group, in place of what was shown of it before.
    pub fn show(&self, group: GroupStatus) {
        self.groups.write().insert((group.file.clone(), group.name.clone()), Arc::new(group));
    }

    /// Takes down all groups but those that are to be kept.
    pub fn keep(&self, mut is_kept: impl FnMut(&GroupStatus) -> bool) {
        self.groups.write().retain(|_, group| is_kept(group));
    }
}
