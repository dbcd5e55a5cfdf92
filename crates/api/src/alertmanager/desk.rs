//! Whoever keeps alerts and silences, as this API asks.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use signalbox_model::{Error, ErrorKind, Labels, Matcher, Result};

use super::configuration::DeskConfig;
use super::route_desk::{DeskMatch, DeskReceiver, DeskRoute, ReceiverTest, TestAnswer};

/// Names and values.
type Pairs = BTreeMap<String, String>;

/// Makes of the labels of an alert in the state of its rule those that it is told with; nothing if nobody is told.
pub type Telling = Box<dyn Fn(&Labels) -> Option<Labels> + Send + Sync>;

/// An alert that fires. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskAlert {
    /// Its labels.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// Prometheus' fingerprint of the labels, 16 hexadecimal digits.
    pub fingerprint: String,
    /// Since when it fires.
    pub starts_at_ms: i64,
    /// Until when, if nobody says more.
    pub ends_at_ms: i64,
    /// When it was last heard of.
    pub updated_at_ms: i64,
    /// Where to look at its expression.
    pub generator_url: String,
    /// The receivers that its routes name.
    pub receivers: Vec<String>,
    /// Ids of the silences that cover it.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Time intervals that mute it; of its group only.
    pub muted_by: Vec<String>,
}

impl DeskAlert {
    /// Whether something mutes it.
    pub fn is_suppressed(&self) -> bool {
        !self.silenced_by.is_empty() || !self.inhibited_by.is_empty() || !self.muted_by.is_empty()
    }
}

/// A group of alerts that fire.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskGroup {
    /// The labels that its alerts share.
    pub labels: Pairs,
    /// Labels of its route, rendered.
    pub route_labels: Pairs,
    /// Who is told.
    pub receiver: String,
    /// Its alerts.
    pub alerts: Vec<DeskAlert>,
}

/// A silence. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct DeskSilence {
    /// Its identity; the empty text asks for a new one.
    pub id: String,
    /// `active`, `pending` or `expired`; of no meaning in a silence that is to be set.
    pub state: &'static str,
    /// Sets of matchers.
    pub matchers: Vec<Vec<Matcher>>,
    /// From when.
    pub starts_at_ms: i64,
    /// Until when.
    pub ends_at_ms: i64,
    /// When it was last changed.
    pub updated_at_ms: i64,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// More about it, by name.
    pub annotations: Pairs,
}

/// An alert as another ruler sends it. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct PostedAlert {
    /// Its labels.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// When it began.
    pub starts_at_ms: Option<i64>,
    /// When it ends or ended.
    pub ends_at_ms: Option<i64>,
    /// Where to look at its expression.
    pub generator_url: String,
}

/// A way through the tree of routes, from the root to the route whose receiver is told. Times are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskWay {
    /// The routes on it, the root first.
    pub steps: Vec<DeskWayStep>,
    /// Who is told.
    pub receiver: String,
    /// The group that the alert is in, as notifications name it.
    pub group_key: String,
    /// Labels that make a group; `...` is all of them.
    pub group_by: Vec<String>,
    /// From the first alert of a new group to the first message.
    pub wait_ms: i64,
    /// Between two messages about a group that changes.
    pub interval_ms: i64,
    /// Between two messages about a group that does not.
    pub repeat_ms: i64,
}

/// A route on a way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskWayStep {
    /// What an alert must match, as Alertmanager writes it.
    pub matchers: Vec<String>,
    /// Its receiver.
    pub receiver: String,
    /// Whether siblings behind it are asked too.
    pub continues: bool,
}

/// Other Alertmanagers, by where alerts are posted for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskPeers {
    /// Those that are told.
    pub active: Vec<String>,
    /// Those that were found and dropped.
    pub dropped: Vec<String>,
}

/// Whoever keeps alerts and silences.
#[async_trait]
pub trait AlertDesk: Send + Sync + fmt::Debug {
    /// All alerts that fire.
    async fn alerts(&self) -> Vec<DeskAlert>;

    /// All groups with alerts that fire.
    async fn groups(&self) -> Vec<DeskGroup>;

    /// Takes alerts of another ruler; durable on return.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with some; the others are taken.
    async fn post(&self, alerts: Vec<PostedAlert>) -> Result<()>;

    /// All receivers, by name.
    async fn receivers(&self) -> Vec<DeskReceiver>;

    /// The tree of routes.
    ///
    /// # Errors
    /// `Unavailable` where nothing is routed.
    async fn routes(&self) -> Result<DeskRoute> {
        Err(none())
    }

    /// Where an alert with these labels would go, in order.
    ///
    /// # Errors
    /// As [`AlertDesk::routes`].
    async fn test_routes(&self, _labels: &Pairs) -> Result<Vec<DeskMatch>> {
        Err(none())
    }

    /// Tells a receiver about a made-up alert, for real, and waits for the answers of its channels.
    ///
    /// # Errors
    /// `NotFound` for a receiver that nobody knows, `Invalid` for one without channels.
    async fn test_receiver(&self, _test: ReceiverTest) -> Result<Vec<TestAnswer>> {
        Err(none())
    }

    /// The ways that an alert with these labels goes, in order; none where there are no routes.
    async fn ways(&self, _labels: &Pairs) -> Vec<DeskWay> {
        Vec::new()
    }

    /// The fingerprint and the labels that an alert of our own rules is told with; nothing if nobody is told of it.
    async fn told_as(&self, _labels: &Pairs) -> Option<(u64, Pairs)> {
        None
    }

    /// What alerts of our own rules are told as. There is nothing where they are told as they are, with labels of the server at most.
    async fn telling(&self) -> Option<Telling> {
        None
    }

    /// The alerts of our own rules that fire and are told with these labels though their own differ, by fingerprint and own labels.
    async fn aliased(&self, _told: &Pairs) -> Vec<(u64, Pairs)> {
        Vec::new()
    }

    /// All silences that are known.
    async fn silences(&self) -> Vec<DeskSilence>;

    /// Sets or changes a silence; durable on return. Answers its id.
    ///
    /// # Errors
    /// `Invalid`, or `NotFound` for an id that nobody knows.
    async fn set_silence(&self, silence: DeskSilence) -> Result<String>;

    /// Ends a silence; durable on return.
    ///
    /// # Errors
    /// `NotFound` for an id that nobody knows, `Invalid` for one that is over.
    async fn expire_silence(&self, id: &str) -> Result<()>;

    /// The `alertmanager.yml` in force, without secrets.
    fn config(&self) -> String;

    /// The configuration that was set over HTTP and is in force.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    async fn set_config(&self) -> Result<DeskConfig> {
        Err(none())
    }

    /// Sets the configuration; durable and in force on return.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with it, `Denied` where a file is in force.
    async fn put_config(&self, _config: DeskConfig) -> Result<()> {
        Err(none())
    }

    /// Deletes the configuration, if there is one; durable on return.
    ///
    /// # Errors
    /// `Unavailable` if that cannot be.
    async fn delete_config(&self) -> Result<()> {
        Err(none())
    }

    /// The other Alertmanagers that are told.
    fn alertmanagers(&self) -> DeskPeers {
        DeskPeers::default()
    }
}

/// A server without alerts.
#[derive(Debug, Clone, Copy)]
pub struct NoAlerts;

fn none() -> Error {
    Error::new(ErrorKind::Unavailable, "this server keeps no alerts")
}

#[async_trait]
impl AlertDesk for NoAlerts {
    async fn alerts(&self) -> Vec<DeskAlert> {
        Vec::new()
    }

    async fn groups(&self) -> Vec<DeskGroup> {
        Vec::new()
    }

    async fn post(&self, _alerts: Vec<PostedAlert>) -> Result<()> {
        Err(none())
    }

    async fn receivers(&self) -> Vec<DeskReceiver> {
        Vec::new()
    }

    async fn silences(&self) -> Vec<DeskSilence> {
        Vec::new()
    }

    async fn set_silence(&self, _silence: DeskSilence) -> Result<String> {
        Err(none())
    }

    async fn expire_silence(&self, _id: &str) -> Result<()> {
        Err(none())
    }

    fn config(&self) -> String {
        String::new()
    }
}
