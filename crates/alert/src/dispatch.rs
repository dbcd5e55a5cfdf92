//! From alerts to messages in the outbox: which group is due, what its receivers were told last, what they are told now.
//!
//! The notification log is the only memory. A message and its line in the log are one transaction, and the key of a message
//! names its predecessor: whatever happens in between, each message about a group has at most one successor.

use signalbox_meta::{Meta, NewMessage, Notification, Outcome};
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_notify::message::{group_key, sort_alerts};
use signalbox_notify::{Alert, Message, Reason, Status};

use crate::evaluate::pairs;
use crate::group::{AlertGroup, Groups, News, Notice, Policy, Telling, Told, decide};
use crate::limits::ALERTS_PER_MESSAGE_MAX;

/// The route that makes all groups, as Alertmanager spells it.
const ROUTE: &str = "{}";

/// After the database failed, how long until it is tried again.
const RETRY_AFTER_MS: i64 = 5_000;

/// A channel that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The receiver by name.
    pub(crate) receiver: String,
    /// Its channel by name.
    pub(crate) channel: String,
    /// Whether it wants to know what is over.
    pub(crate) sends_resolved: bool,
}

/// All groups and who is told about them.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    groups: Groups,
    targets: Vec<Target>,
    external_url: String,
    /// Not before this instant is the database tried again.
    retry_at_ms: Option<i64>,
}

impl Dispatcher {
    pub(crate) fn new(policy: Policy, targets: Vec<Target>, external_url: String) -> Self {
        Self { groups: Groups::new(policy), targets, external_url, retry_at_ms: None }
    }

    /// Takes what is new about alerts.
    pub(crate) fn update(&mut self, notices: Vec<Notice>, now_ms: i64) {
        for notice in notices {
            self.groups.update(notice, now_ms);
        }
    }

    /// When there is something to do next.
    pub(crate) fn next_at_ms(&self) -> Option<i64> {
        self.groups.next_at_ms().map(|at_ms| at_ms.max(self.retry_at_ms.unwrap_or(at_ms)))
    }

    /// Tells about all groups that are due. Returns how many messages were enqueued.
    pub(crate) async fn run_due(&mut self, meta: &Meta, now_ms: i64) -> usize {
        if self.retry_at_ms.is_some_and(|at_ms| now_ms < at_ms) {
            return 0;
        }
        self.retry_at_ms = None;
        let (mut enqueued, mut told) = (0, Vec::new());
        for group in self.groups.due(now_ms) {
            match self.tell(group, meta, now_ms).await {
                Ok(messages) => {
                    enqueued += messages;
                    told.push(group.labels.clone());
                }
                Err(error) => {
                    tracing::error!(group = %group.labels, "cannot enqueue notifications, trying again: {error}");
                    self.retry_at_ms = Some(now_ms.saturating_add(RETRY_AFTER_MS));
                    break;
                }
            }
        }
        for labels in told {
            self.groups.told(&labels, now_ms);
        }
        enqueued
    }

    async fn tell(&self, group: &AlertGroup, meta: &Meta, now_ms: i64) -> Result<usize> {
        let key = group_key(ROUTE, &pairs(&group.labels));
        let mut messages = Vec::new();
        for target in &self.targets {
            let latest = meta.latest_notification(&target.channel, &key).await?;
            let told = latest.as_ref().and_then(told);
            let members = group.members().filter(|notice| target.sends_resolved || notice.ends_at_ms.is_none());
            if let Some(telling) = decide(members, told.as_ref(), now_ms, self.groups.policy().repeat_ms) {
                messages.push(self.message(group, target, &key, latest.as_ref(), telling, now_ms)?);
            }
        }
        let mut enqueued = 0;
        for message in messages {
            match meta.enqueue(std::slice::from_ref(&message)).await {
                Ok(_) => enqueued += 1,
                // One channel that has been dead for long must not silence the others.
                Err(error) if error.kind() == ErrorKind::Limit => tracing::error!(channel = message.channel, "cannot notify: {error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(enqueued)
    }

    fn message(&self, group: &AlertGroup, target: &Target, key: &str, latest: Option<&Notification>, telling: Telling, now_ms: i64) -> Result<NewMessage> {
        let Telling { news, notices } = telling;
        let episodes = |is_over: bool| notices.iter().filter(|notice| notice.ends_at_ms.is_some() == is_over).map(Notice::episode).collect();
        let (firing, resolved) = (episodes(false), episodes(true));
        let mut alerts: Vec<Alert> = notices.iter().map(alert).collect();
        sort_alerts(&mut alerts);
        if alerts.len() > ALERTS_PER_MESSAGE_MAX {
            tracing::warn!(group = %group.labels, alerts = alerts.len(), "a message names only the first {ALERTS_PER_MESSAGE_MAX} alerts of its group");
            alerts.sort_by_key(|alert| alert.status == Status::Resolved);
            alerts.truncate(ALERTS_PER_MESSAGE_MAX);
        }
        let message = Message {
            receiver: target.receiver.clone(),
            reason: reason(news),
            group_key: key.to_owned(),
            group_labels: pairs(&group.labels),
            alerts,
            external_url: self.external_url.clone(),
        };
        Ok(NewMessage {
            dedup_key: format!("{}:{key}:{}", target.channel, latest.map_or(0, |latest| latest.id)),
            group_key: key.to_owned(),
            receiver: target.receiver.clone(),
            channel: target.channel.clone(),
            firing,
            resolved,
            payload: serde_json::to_string(&message).map_err(|error| Error::internal("cannot write a message as JSON").with_source(error))?,
            created_at_ns: now_ms.saturating_mul(1_000_000),
        })
    }
}

/// What a receiver knows from the latest message. One that was given up told nothing, and after "all is well" a group begins anew.
fn told(latest: &Notification) -> Option<Told> {
    let was_told = latest.outcome != Outcome::Dead && !latest.firing.is_empty();
    was_told.then(|| Told { at_ms: latest.created_at_ns.div_euclid(1_000_000), firing: latest.firing.iter().copied().collect() })
}

fn reason(news: News) -> Reason {
    match news {
        News::First => Reason::FirstNotification,
        News::Fired => Reason::NewAlertsInGroup,
        News::Resolved => Reason::NewResolvedAlerts,
        News::AllResolved => Reason::AllAlertsResolved,
        News::Repeat => Reason::RepeatIntervalElapsed,
    }
}

fn alert(notice: &Notice) -> Alert {
    let nanoseconds = |milliseconds: i64| milliseconds.saturating_mul(1_000_000);
    Alert {
        status: if notice.ends_at_ms.is_some() { Status::Resolved } else { Status::Firing },
        labels: pairs(&notice.labels),
        annotations: pairs(&notice.annotations),
        starts_at_ns: nanoseconds(notice.starts_at_ms),
        ends_at_ns: notice.ends_at_ms.map(nanoseconds),
        generator_url: notice.generator_url.clone(),
    }
}
