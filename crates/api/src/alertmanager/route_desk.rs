//! Routes and receivers, as the API shows and tries them.

use std::collections::BTreeMap;

use serde::Serialize;

/// Names and values.
type Pairs = BTreeMap<String, String>;

/// When a group is told, durations as Prometheus writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskTimings {
    /// Labels that make a group; `...` is all.
    pub group_by: Vec<String>,
    /// From the first alert of a group to the first message.
    pub group_wait: String,
    /// Between two messages about a group that changes.
    pub group_interval: String,
    /// Between two messages about a group that does not.
    pub repeat_interval: String,
}

/// A route with what is below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskRoute {
    /// Who is told.
    pub receiver: String,
    /// What an alert must match.
    pub matchers: Vec<String>,
    /// Whether siblings behind it are asked too.
    #[serde(rename = "continue")]
    pub continues: bool,
    /// When groups are told.
    #[serde(flatten)]
    pub timings: DeskTimings,
    /// Time intervals in which nothing is told.
    pub mute_time_intervals: Vec<String>,
    /// Time intervals outside of which nothing is told.
    pub active_time_intervals: Vec<String>,
    /// Labels of the route, as written.
    pub labels: Pairs,
    /// Below it, in order.
    pub routes: Vec<DeskRoute>,
}

/// A route on the way of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskStep {
    /// What it matches.
    pub matchers: Vec<String>,
    /// Whom it names.
    pub receiver: String,
    /// Whether siblings behind it are asked too.
    #[serde(rename = "continue")]
    pub continues: bool,
}

/// Where an alert would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskMatch {
    /// Who would be told.
    pub receiver: String,
    /// The route: which child, from the root down.
    pub path: Vec<usize>,
    /// The routes on the way, from the root down.
    pub steps: Vec<DeskStep>,
    /// Key of the group.
    pub group_key: String,
    /// Labels of the group.
    pub group_labels: Pairs,
    /// Labels of the route, rendered for a group of this alert alone.
    pub route_labels: Pairs,
    /// When it would be told.
    #[serde(flatten)]
    pub timings: DeskTimings,
    /// Whether a silence, another alert or a time interval mutes it now.
    pub is_muted_now: bool,
    /// Names of the channels.
    pub channels: Vec<String>,
}

/// A channel of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskChannel {
    /// Its name in outbox and log.
    pub name: String,
    /// What it is: `email`, `slack`.
    pub kind: &'static str,
}

/// A receiver with its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskReceiver {
    /// Its name.
    pub name: String,
    /// Labels of it; Alertmanager's files give it none.
    pub labels: Pairs,
    /// Its channels.
    pub channels: Vec<DeskChannel>,
}

/// A test of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverTest {
    /// Who is told.
    pub receiver: String,
    /// Labels of the made-up alert, beside those of every test.
    pub labels: Pairs,
    /// Annotations of it.
    pub annotations: Pairs,
}

/// What a channel answered to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestAnswer {
    /// The channel by name.
    pub channel: String,
    /// Whether it took the message.
    pub ok: bool,
    /// What it answered, or what went wrong. It never holds a secret.
    pub answer: String,
    /// How long to wait before another one, in milliseconds, if it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
