//! From alerts to messages in the outbox: which group is due, what its receivers were told last, what they are told now.
//!
//! The notification log is the only memory. A message and its line in the log are one transaction, and the key of a message
//! names its predecessor: whatever happens in between, each message about a group has at most one successor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_meta::{HistoryEvent, HistoryNote, MessageAbout, Meta, NewMessage, Notification, Outcome, OutsideAlert, ToldAlert};
use signalbox_model::{Error, ErrorKind, Labels, Result};
use signalbox_notify::message::{group_key, sort_alerts};
use signalbox_notify::template::{Renderer, Templates};
use signalbox_notify::{Alert, Message, Reason, Status, retry};

use crate::alertmanager;
use crate::evaluate::pairs;
use crate::forward::RESOLVED_KEPT_MS;
use crate::group::{AlertGroup, Groups, News, Notice, Telling, Told, alert_of, decide};
use crate::limits::ALERTS_PER_MESSAGE_MAX;
use crate::mute::{Firing, Muted, Muting};
use crate::mute_log::{self, MuteLog};
use crate::refusal;
use crate::relabel::{Aliases, Relabelling};
use crate::routing::Route;
use crate::silence::Silence;

/// Longest wait of a message for its next attempt, unless its receiver asks for more.
const LONGEST_NS: i64 = retry::DELAY_MAX.as_secs() as i64 * 1_000_000_000;
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

/// Who is told what: the tree of routes and the channels behind the receivers that it names.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The tree.
    pub(crate) root: Arc<Route>,
    /// The channels of each receiver.
    pub(crate) receivers: BTreeMap<String, Vec<Target>>,
    /// Labels of receivers, for whoever looks for them by these.
    pub(crate) receiver_labels: BTreeMap<String, BTreeMap<String, String>>,
    /// Templates that labels of routes may call; without any such label nobody needs them.
    pub(crate) templates: Option<Templates>,
}

impl Plan {
    /// Everything goes to all of the targets.
    pub(crate) fn flat(root: Route, targets: Vec<Target>) -> Self {
        let receivers = BTreeMap::from([(root.receiver.clone(), targets)]);
        Self { receivers, root: Arc::new(root), receiver_labels: BTreeMap::new(), templates: None }
    }

    pub(crate) fn targets(&self, receiver: &str) -> &[Target] {
        self.receivers.get(receiver).map(Vec::as_slice).unwrap_or_default()
    }
}

/// All alerts, their groups, and who is told about them.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    /// Alerts that fire, by their labels.
    pub(crate) firing: BTreeMap<Labels, Notice>,
    /// Alerts of other rulers that fire, by their labels.
    pub(crate) outside: BTreeMap<Labels, OutsideAlert>,
    /// What alerts of our own rules are told as.
    aliases: Aliases,
    /// Alerts of our own rules that are over, for as long as other Alertmanagers are told.
    ended: BTreeMap<Labels, Notice>,
    pub(crate) groups: Groups,
    pub(crate) plan: Plan,
    pub(crate) muting: Muting,
    external_url: String,
    /// Since when this plan is in force.
    planned_at_ms: i64,
    /// Not before this instant is the database tried again.
    retry_at_ms: Option<i64>,
    mute_log: MuteLog,
    /// The latest time that the clock showed, until it is set back and that is dealt with.
    latest_ms: i64,
}

/// What mutes a group at an instant.
struct Watched<'a> {
    /// Time intervals that mute its route.
    intervals: BTreeSet<String>,
    /// Its members, each with what mutes it.
    members: Vec<(&'a Notice, Muted)>,
}

/// What a receiver is told.
#[derive(Debug)]
struct Saying {
    telling: Telling,
    /// Episodes that the message does not name, of which the receiver goes on believing that they fire.
    believed: Vec<u64>,
}

/// What came of telling about a group.
#[derive(Debug, Default)]
struct Settled {
    /// Messages that were enqueued.
    enqueued: usize,
    /// Episodes that are over, of which a receiver may still believe that they fire.
    believed: BTreeSet<u64>,
    /// Episodes that are over, of which some receiver was told, or is told now.
    known: BTreeSet<u64>,
}

impl Dispatcher {
    pub(crate) fn new(plan: Plan, muting: Muting, external_url: String) -> Self {
        let groups = Groups::new(Arc::clone(&plan.root));
        Self {
            firing: BTreeMap::new(),
            outside: BTreeMap::new(),
            aliases: Aliases::default(),
            ended: BTreeMap::new(),
            groups,
            plan,
            muting,
            external_url,
            planned_at_ms: i64::MIN,
            retry_at_ms: None,
            mute_log: MuteLog::default(),
            latest_ms: i64::MIN,
        }
    }

    /// What the database knows of silences and of alerts of other rulers.
    ///
    /// # Errors
    /// Of the database.
    pub(crate) async fn resume(plan: Plan, muting: Muting, external_url: String, meta: &Meta, now_ms: i64) -> Result<Self> {
        let silences = meta.silences().await?.iter().map(Silence::from_stored).collect::<Result<Vec<_>>>()?;
        muting.silences.put(silences);
        // The clock may have been set back while nobody ran.
        meta.hurry_messages(now_ms.saturating_mul(1_000_000).saturating_add(LONGEST_NS)).await?;
        let mut dispatcher = Self { planned_at_ms: now_ms, ..Self::new(plan, muting, external_url) };
        dispatcher.hear(meta.outside_alerts().await?, now_ms);
        Ok(dispatcher)
    }

    /// Takes what is new about alerts of our own rules, which have their own labels.
    pub(crate) fn update(&mut self, notices: Vec<Notice>, now_ms: i64) {
        let told = self.aliases.take(notices);
        self.take(told, now_ms);
    }

    /// Tells of alerts of our own rules with other labels from now on. What was told otherwise is over.
    pub(crate) fn relabel(&mut self, relabelling: Relabelling, now_ms: i64) {
        let (firing, outside) = (&self.firing, &self.outside);
        let untouched = || firing.values().filter(|notice| !outside.contains_key(&notice.labels)).cloned().collect();
        let told = self.aliases.relabel(relabelling, untouched, now_ms);
        self.take(told, now_ms);
    }

    /// What alerts of our own rules are told as.
    pub(crate) fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    fn take(&mut self, notices: Vec<Notice>, now_ms: i64) {
        for notice in notices {
            self.groups.update(&notice, now_ms);
            match notice.ends_at_ms {
                None => {
                    self.ended.remove(&notice.labels);
                    self.firing.insert(notice.labels.clone(), notice);
                }
                // The end of an earlier episode is no news about the one that fires.
                Some(_) if self.firing.get(&notice.labels).is_some_and(|known| known.starts_at_ms > notice.starts_at_ms) => {}
                Some(_) => {
                    self.firing.remove(&notice.labels);
                    self.ended.insert(notice.labels.clone(), notice);
                }
            }
        }
    }

    /// Takes alerts of other rulers: those that fire, and those that are over.
    pub(crate) fn hear(&mut self, alerts: Vec<OutsideAlert>, now_ms: i64) {
        for alert in alerts {
            let notice = alertmanager::notice(&alert, now_ms);
            // What goes on as another episode has ended as this one: nobody else would say so.
            let replaced = self.outside.get(&notice.labels).filter(|known| known.starts_at_ms != notice.starts_at_ms);
            if let Some(known) = replaced {
                let ended = Notice { ends_at_ms: Some(known.ends_at_ms.min(now_ms)), ..alertmanager::notice(known, now_ms) };
                self.take(vec![ended], now_ms);
            }
            match notice.ends_at_ms {
                None => self.outside.insert(notice.labels.clone(), alert),
                Some(_) => self.outside.remove(&notice.labels),
            };
            let labels = notice.labels.clone();
            self.take(vec![notice], now_ms);
            self.ended.remove(&labels);
        }
    }

    /// Ends the alerts of other rulers of which nothing was heard until their end.
    pub(crate) fn end_outside(&mut self, now_ms: i64) {
        let over: Vec<OutsideAlert> = self.outside.values().filter(|alert| alert.ends_at_ms <= now_ms).cloned().collect();
        self.hear(over, now_ms);
    }

    /// Alerts of our own rules that fire, or are over and not yet forgotten: what other Alertmanagers are told.
    pub(crate) fn own(&mut self, now_ms: i64) -> impl Iterator<Item = &Notice> {
        self.ended.retain(|_, notice| notice.ends_at_ms.is_some_and(|ends_at_ms| now_ms.saturating_sub(ends_at_ms) < RESOLVED_KEPT_MS));
        let outside = &self.outside;
        self.firing.values().filter(|notice| !outside.contains_key(&notice.labels)).chain(self.ended.values())
    }

    /// Another plan from now on. Groups are made anew; what they told is in the log.
    pub(crate) fn replan(&mut self, plan: Plan, muting: Muting, now_ms: i64) {
        let ended: Vec<Notice> = self.groups.iter().flat_map(AlertGroup::members).filter(|notice| notice.ends_at_ms.is_some()).cloned().collect();
        self.groups = Groups::new(Arc::clone(&plan.root));
        let (silences, ranks) = (self.muting.silences.clone(), std::mem::take(&mut self.muting.ranks));
        self.planned_at_ms = now_ms;
        (self.plan, self.muting) = (plan, Muting { silences, ranks, ..muting });
        for notice in ended.iter().chain(self.firing.values()) {
            self.groups.update(notice, now_ms);
        }
    }

    /// When there is something to do next.
    pub(crate) fn next_at_ms(&self) -> Option<i64> {
        let group_at_ms = self.groups.next_at_ms().map(|at_ms| at_ms.max(self.retry_at_ms.unwrap_or(at_ms)));
        let end_at_ms = self.outside.values().map(|alert| alert.ends_at_ms).min();
        group_at_ms.into_iter().chain(end_at_ms).min()
    }

    /// What mutes an alert at an instant.
    pub(crate) fn muted(&self, labels: &Labels, now_ms: i64) -> Muted {
        self.muting.of(labels, self.aliases.speaker(labels), &self.all_firing(), now_ms)
    }

    fn all_firing(&self) -> Firing<'_> {
        Firing::new(self.firing.keys().map(|labels| (labels, self.aliases.speaker(labels))))
    }

    /// The labels of a route, rendered for a group of these alerts as no message in particular sees it.
    pub(crate) fn route_labels<'a>(&self, route: &Route, group: &Labels, notices: impl Iterator<Item = &'a Notice>, now_ms: i64) -> BTreeMap<String, String> {
        let Some(templates) = self.plan.templates.as_ref().filter(|_| !route.labels.is_empty()) else { return BTreeMap::new() };
        let mut alerts: Vec<Alert> = notices.map(alert).collect();
        sort_alerts(&mut alerts);
        let message = Message {
            receiver: route.receiver.clone(),
            reason: Reason::FirstNotification,
            group_key: group_key(&route.key, &pairs(group)),
            group_labels: pairs(group),
            alerts,
            external_url: self.external_url.clone(),
            route_labels: route.labels.clone(),
            truncated_alerts: 0,
        };
        Renderer::new(templates, &message, now_ms.saturating_mul(1_000_000)).route_labels().clone()
    }

    /// After the clock was set back, messages do not wait for what was the future.
    async fn hurry(&mut self, meta: &Meta, now_ms: i64) -> usize {
        if now_ms >= self.latest_ms {
            self.latest_ms = now_ms;
            return 0;
        }
        match meta.hurry_messages(now_ms.saturating_mul(1_000_000).saturating_add(LONGEST_NS)).await {
            Ok(hurried) => {
                self.latest_ms = now_ms;
                usize::try_from(hurried).unwrap_or(usize::MAX)
            }
            Err(error) => {
                tracing::error!("cannot hurry messages after the clock was set back, trying again: {error}");
                0
            }
        }
    }

    /// Tells about all groups that are due. Returns how many messages deliverers should look at.
    pub(crate) async fn run_due(&mut self, meta: &Meta, now_ms: i64) -> usize {
        self.end_outside(now_ms);
        let hurried = self.hurry(meta, now_ms).await;
        // After a clock was set back, nobody waits for what was the future.
        if self.retry_at_ms.is_some_and(|at_ms| now_ms < at_ms && at_ms - now_ms <= RETRY_AFTER_MS) {
            return hurried;
        }
        self.retry_at_ms = None;
        let (mut enqueued, mut told, mut events) = (hurried, Vec::new(), Vec::new());
        for group in self.groups.due(now_ms) {
            let watched = self.watch(group, now_ms);
            match self.tell(group, &watched, meta, now_ms).await {
                Ok(settled) => {
                    enqueued += settled.enqueued;
                    events.extend(self.untold(group, &watched, &settled, now_ms));
                    told.push((group.id(), self.notes(group, watched), settled.believed));
                }
                Err(error) => {
                    tracing::error!(group = %group.labels, "cannot enqueue notifications, trying again: {error}");
                    self.retry_at_ms = Some(now_ms.saturating_add(RETRY_AFTER_MS));
                    break;
                }
            }
        }
        for (id, notes, believed) in told {
            events.extend(self.mute_log.observe(&id, notes, now_ms));
            self.groups.told_but(&id, now_ms, &believed);
        }
        let groups = &self.groups;
        self.mute_log.keep(|id| groups.has(id));
        if !events.is_empty()
            && let Err(error) = meta.save_alert_events(&events).await
        {
            // Who is told does not depend on it.
            tracing::warn!("cannot remember of {} alerts what muted them, or that nobody was told: {error}", events.len());
        }
        enqueued
    }

    fn watch<'a>(&self, group: &'a AlertGroup, now_ms: i64) -> Watched<'a> {
        let firing = self.all_firing();
        let muted = |notice: &Notice| self.muting.of(&notice.labels, self.aliases.speaker(&notice.labels), &firing, now_ms);
        let members = group.members().map(|notice| (notice, muted(notice))).collect();
        Watched { intervals: self.muting.of_route(&group.route, now_ms), members }
    }

    /// What mutes the alerts of a group that fire, for the log, which knows them by their own labels.
    fn notes(&self, group: &AlertGroup, watched: Watched<'_>) -> Vec<(Labels, HistoryNote)> {
        let firing = watched.members.into_iter().filter(|(notice, _)| notice.ends_at_ms.is_none());
        let noted = firing.map(|(notice, muted)| (notice, mute_log::note(&group.route.receiver, &muted, &watched.intervals)));
        noted.flat_map(|(notice, note)| self.aliases.own(&notice.labels).map(move |own| (own.clone(), note.clone()))).collect()
    }

    /// Firings that leave their group and that nobody was told of: they were over before the group was told.
    fn untold(&self, group: &AlertGroup, watched: &Watched<'_>, settled: &Settled, now_ms: i64) -> Vec<HistoryEvent> {
        if self.plan.targets(&group.route.receiver).is_empty() || !watched.intervals.is_empty() {
            return Vec::new();
        }
        let heard = watched.members.iter().filter(|(notice, muted)| notice.ends_at_ms.is_some() && !muted.is_muted()).map(|(notice, _)| *notice);
        // What was over before this plan was in force has passed its groups before.
        let untold = heard.filter(|notice| notice.ends_at_ms.is_some_and(|ends_at_ms| ends_at_ms >= self.planned_at_ms));
        let untold = untold.filter(|notice| !settled.believed.contains(&notice.episode()) && !settled.known.contains(&notice.episode()));
        let event = |notice: &Notice, own: &Labels| {
            let is_firing = self.firing.contains_key(&notice.labels);
            mute_log::untold(own, &group.route.receiver, notice, is_firing, now_ms)
        };
        untold.flat_map(|notice| self.aliases.own(&notice.labels).map(move |own| event(notice, own))).collect()
    }

    async fn tell(&self, group: &AlertGroup, watched: &Watched<'_>, meta: &Meta, now_ms: i64) -> Result<Settled> {
        let over: BTreeSet<u64> = group.members().filter(|notice| notice.ends_at_ms.is_some()).map(Notice::episode).collect();
        let mut heard: Vec<&Notice> = Vec::new();
        if watched.intervals.is_empty() {
            heard.extend(watched.members.iter().filter(|(_, muted)| !muted.is_muted()).map(|(notice, _)| *notice));
        }
        let mut settled = Settled::default();
        if heard.is_empty() && over.is_empty() {
            return Ok(settled);
        }
        let key = group_key(&group.route.key, &pairs(&group.labels));
        let mut messages = Vec::new();
        for target in self.plan.targets(&group.route.receiver) {
            let latest = meta.latest_notification(&target.channel, &key).await?;
            if latest.as_ref().is_some_and(|latest| latest.outcome == Outcome::Pending) {
                // What is new is told when the receiver has taken what it was to be told, or never will: it shall not find a pile.
                settled.believed.extend(&over);
                settled.known.extend(&over);
                continue;
            }
            let standing = match &latest {
                Some(dead) if dead.outcome == Outcome::Dead => meta.latest_standing_notification(&target.channel, &key).await?,
                standing => standing.clone(),
            };
            let told = standing.as_ref().and_then(told);
            settled.known.extend(standing.iter().flat_map(|standing| standing.firing.iter().chain(&standing.resolved)));
            if let Some(told) = told.as_ref().filter(|_| target.sends_resolved) {
                settled.believed.extend(over.iter().filter(|episode| told.believes(**episode)));
            }
            let known = late_and_known(&heard, meta, &target.channel, &key).await?;
            let is_news = |notice: &&Notice| match notice.ends_at_ms {
                None => true,
                // Who does not want to hear what is over is not told of what came and went either: it would be a page about nothing.
                Some(_) => target.sends_resolved && (is_told(told.as_ref(), notice) || !notice.is_late || !known.contains(&notice.episode())),
            };
            let members = heard.iter().copied().filter(is_news);
            if let Some(telling) = decide(members, told.as_ref(), now_ms, group.route.repeat_ms) {
                // Of what is muted the receiver goes on believing what it was told.
                let named: BTreeSet<u64> = heard.iter().map(|notice| alert_of(notice.episode())).collect();
                let muted: BTreeSet<u64> = group.members().map(|notice| alert_of(notice.episode())).filter(|alert| !named.contains(alert)).collect();
                let believed = told.iter().flat_map(|told| &told.firing).filter(|episode| muted.contains(&alert_of(**episode))).copied().collect();
                // What is over must not be forgotten before it could be told.
                let over: Vec<u64> = telling.notices.iter().filter(|notice| notice.ends_at_ms.is_some()).map(Notice::episode).collect();
                settled.known.extend(&over);
                let message = self.message(group, target, &key, latest.as_ref(), Saying { telling, believed }, now_ms)?;
                if self.rests(&message, latest.as_ref(), group.route.interval_ms, meta, now_ms).await? {
                    settled.believed.extend(over);
                } else {
                    messages.push(message);
                }
            }
        }
        for message in messages {
            match meta.enqueue(std::slice::from_ref(&message)).await {
                Ok(_) => settled.enqueued += 1,
                // One channel that has been dead for long must not silence the others.
                Err(error) if error.kind() == ErrorKind::Limit => tracing::error!(channel = message.channel, "cannot notify: {error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(settled)
    }

    /// Whether the receiver refused a message a short while ago.
    async fn rests(&self, message: &NewMessage, latest: Option<&Notification>, interval_ms: i64, meta: &Meta, now_ms: i64) -> Result<bool> {
        if !latest.is_some_and(|latest| latest.is_refused) {
            return Ok(false);
        }
        let refusals = meta.latest_refusals(&message.channel, &message.group_key, refusal::REFUSALS_MAX).await?;
        Ok(refusal::rests(message, &refusals, interval_ms, self.planned_at_ms, now_ms))
    }

    fn message(&self, group: &AlertGroup, target: &Target, key: &str, latest: Option<&Notification>, saying: Saying, now_ms: i64) -> Result<NewMessage> {
        let Saying { telling: Telling { news, notices }, believed } = saying;
        let episodes = |is_over: bool| notices.iter().filter(|notice| notice.ends_at_ms.is_some() == is_over).map(Notice::episode).collect();
        let (mut firing, resolved): (Vec<u64>, Vec<u64>) = (episodes(false), episodes(true));
        firing.extend(believed);
        let mut alerts: Vec<Alert> = notices.iter().map(alert).collect();
        sort_alerts(&mut alerts);
        let truncated_alerts = alerts.len().saturating_sub(ALERTS_PER_MESSAGE_MAX) as u64;
        if truncated_alerts > 0 {
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
            route_labels: group.route.labels.clone(),
            truncated_alerts,
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
            about: about(&message),
        })
    }
}

/// What a message says, for the log.
fn about(message: &Message) -> MessageAbout {
    let told = |alert: &Alert| ToldAlert { fingerprint: alert.fingerprint(), labels: alert.labels.clone(), is_firing: alert.status == Status::Firing };
    MessageAbout { reason: message.reason.as_str().to_owned(), group_labels: message.group_labels.clone(), alerts: message.alerts.iter().map(told).collect() }
}

/// Of alerts that were found late and are over: those that some message told of. Others must be told, and the latest message alone
/// does not say who was.
async fn late_and_known(heard: &[&Notice], meta: &Meta, channel: &str, key: &str) -> Result<BTreeSet<u64>> {
    if !heard.iter().any(|notice| notice.is_late && notice.ends_at_ms.is_some()) {
        return Ok(BTreeSet::new());
    }
    Ok(meta.told_lately(channel, key).await?.into_iter().collect())
}

fn is_told(told: Option<&Told>, notice: &Notice) -> bool {
    told.is_some_and(|told| told.firing.contains(&notice.episode()))
}

/// What a receiver knows from the latest message that was not given up. After "all is well" a group begins anew.
fn told(standing: &Notification) -> Option<Told> {
    let was_told = !standing.firing.is_empty();
    was_told.then(|| Told { at_ms: standing.created_at_ns.div_euclid(1_000_000), firing: standing.firing.iter().copied().collect() })
}

/// The reason that messages carry.
pub(crate) fn reason(news: News) -> Reason {
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
        // A clock that was set back in between does not make an alert end before it began.
        ends_at_ns: notice.ends_at_ms.map(|ends_at_ms| nanoseconds(ends_at_ms.max(notice.starts_at_ms))),
        generator_url: notice.generator_url.clone(),
    }
}
