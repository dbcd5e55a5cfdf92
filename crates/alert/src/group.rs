//! Which alerts are told together, and when: Alertmanager's grouping, pure.
//!
//! Alerts with equal values of the grouping labels are one group. A new group waits a moment for more alerts, then tells;
//! later news wait for the interval; what has not changed is told again after the repeat interval. What was told before comes
//! from the notification log, so that a restart asks the same question and gets the same answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_model::Labels;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::routing::Route;

/// What alerts have in common that are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// The values of these labels.
    Labels(BTreeSet<String>),
    /// All labels: every alert is told alone.
    Everything,
}

impl GroupBy {
    /// From settings: `...` means all labels.
    pub fn new(labels: &[String]) -> Self {
        if labels.iter().any(|label| label == "...") { Self::Everything } else { Self::Labels(labels.iter().cloned().collect()) }
    }

    /// The labels that make the group of an alert.
    pub fn key(&self, labels: &Labels) -> Labels {
        match self {
            Self::Labels(names) => labels.keep(|name| names.contains(name)),
            Self::Everything => labels.clone(),
        }
    }
}

/// An alert as receivers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// When it began to fire, milliseconds since the Unix epoch.
    pub starts_at_ms: i64,
    /// When it was resolved, if it was.
    pub ends_at_ms: Option<i64>,
    /// Where to look at its expression.
    pub generator_url: String,
    /// It was found to fire only when what was missed was made up. Then it is told even if it is over by now.
    pub is_late: bool,
}

impl Notice {
    /// Identity of this firing: an alert that fires again later is news. The upper half is that of the alert, see [`alert_of`].
    pub fn episode(&self) -> u64 {
        let (alert, firing) = (xxh3_64(self.labels.as_bytes()), xxh3_64_with_seed(self.labels.as_bytes(), self.starts_at_ms.cast_unsigned()));
        alert_of(alert) << 32 | firing >> 32
    }
}

/// The alert of an episode, whenever it fired. Two alerts of a group may be mistaken for each other once in four billion.
pub fn alert_of(episode: u64) -> u64 {
    episode >> 32
}

/// The latest message about a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at_ms: i64,
    /// Episodes that it said are firing.
    pub firing: BTreeSet<u64>,
}

impl Told {
    /// Whether the receiver believes that an alert fires, be it this episode or one before it.
    pub fn believes(&self, episode: u64) -> bool {
        self.firing.range(alert_of(episode) << 32..=(alert_of(episode) << 32 | 0xffff_ffff)).next().is_some()
    }
}

/// Why a group is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing was told about it before.
    First,
    /// Alerts fire that were not told.
    Fired,
    /// Alerts are resolved that were told, others fire still.
    Resolved,
    /// All alerts that were told are resolved.
    AllResolved,
    /// Nothing changed for the repeat interval.
    Repeat,
}

/// What to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Why.
    pub news: News,
    /// The alerts that fire, and those that were told and are resolved.
    pub notices: Vec<Notice>,
}

/// What to tell a receiver about the members of a group now, given what it was told last; `None` is nothing.
pub fn decide<'a>(members: impl Iterator<Item = &'a Notice>, told: Option<&Told>, now_ms: i64, repeat_ms: i64) -> Option<Telling> {
    let nothing = Told::default();
    let before = told.unwrap_or(&nothing);
    let (mut notices, mut firing, mut resolved, mut is_fresh) = (Vec::new(), 0, 0, false);
    let members: Vec<&Notice> = members.collect();
    let latest = latest_of_each(&members, before);
    for notice in members {
        let was_told = match notice.ends_at_ms {
            None => before.firing.contains(&notice.episode()),
            Some(_) => before.believes(notice.episode()),
        };
        match notice.ends_at_ms {
            // A message says one thing of an alert.
            Some(_) if latest.get(&notice.labels) != Some(&notice.episode()) => continue,
            None => {
                firing += 1;
                is_fresh |= !was_told;
            }
            Some(_) if was_told => resolved += 1,
            // It came and went while nobody was there to tell of it.
            Some(_) if notice.is_late => resolved += 1,
            // It came and went between two messages.
            Some(_) => continue,
        }
        notices.push(notice.clone());
    }
    let is_repeat = || firing > 0 && now_ms.saturating_sub(before.at_ms) >= repeat_ms;
    let news = match (firing, resolved) {
        _ if is_fresh && before.firing.is_empty() && told.is_none() => News::First,
        _ if is_fresh => News::Fired,
        (0, 1..) => News::AllResolved,
        (_, 1..) => News::Resolved,
        _ if is_repeat() => News::Repeat,
        _ => return None,
    };
    Some(Telling { news, notices })
}

/// Of the episodes of each alert the one to speak of: that which fires, or that which was told, or the latest.
fn latest_of_each<'a>(members: &[&'a Notice], told: &Told) -> BTreeMap<&'a Labels, u64> {
    let mut latest: BTreeMap<&Labels, &Notice> = BTreeMap::new();
    let rank = |notice: &Notice| (notice.ends_at_ms.is_none(), told.firing.contains(&notice.episode()), notice.starts_at_ms);
    for notice in members {
        let known = latest.entry(&notice.labels).or_insert(notice);
        if rank(notice) > rank(known) {
            *known = notice;
        }
    }
    latest.into_iter().map(|(labels, notice)| (labels, notice.episode())).collect()
}

/// A group of alerts that waits to be told.
#[derive(Debug)]
pub struct AlertGroup {
    /// The route that made it.
    pub route: Arc<Route>,
    /// The labels that all its alerts share by the route.
    pub labels: Labels,
    members: BTreeMap<u64, Notice>,
    next_at_ms: i64,
}

/// What a group is among all groups: its route by its place in the tree, and its labels.
pub type GroupId = (String, Labels);

impl AlertGroup {
    /// The alerts in it.
    pub fn members(&self) -> impl Iterator<Item = &Notice> {
        self.members.values()
    }

    /// What it is among all groups.
    pub fn id(&self) -> GroupId {
        (self.route.id.clone(), self.labels.clone())
    }
}

/// All groups.
#[derive(Debug)]
pub struct Groups {
    root: Arc<Route>,
    groups: BTreeMap<GroupId, AlertGroup>,
}

impl Groups {
    /// No group yet.
    pub fn new(root: Arc<Route>) -> Self {
        Self { root, groups: BTreeMap::new() }
    }

    /// The tree in force.
    pub fn root(&self) -> &Arc<Route> {
        &self.root
    }

    /// All groups, by route and labels.
    pub fn iter(&self) -> impl Iterator<Item = &AlertGroup> {
        self.groups.values()
    }

    /// Puts an alert into its groups, one for each route it goes to, or what is new about it.
    pub fn update(&mut self, notice: &Notice, now_ms: i64) {
        for route in self.root.find(&notice.labels) {
            let labels = route.group_by.key(&notice.labels);
            // An alert that fired long ago, as after a restart, has waited enough.
            let first_at_ms = notice.starts_at_ms.saturating_add(route.wait_ms).clamp(now_ms, now_ms.saturating_add(route.wait_ms));
            let group = self.groups.entry((route.id.clone(), labels.clone()));
            let group = group.or_insert_with(|| AlertGroup { route: Arc::clone(route), labels, members: BTreeMap::new(), next_at_ms: first_at_ms });
            group.members.insert(notice.episode(), notice.clone());
        }
    }

    /// When the next group is due.
    pub fn next_at_ms(&self) -> Option<i64> {
        self.groups.values().map(|group| group.next_at_ms).min()
    }

    /// The groups that are due.
    pub fn due(&self, now_ms: i64) -> Vec<&AlertGroup> {
        // After a clock was set back, no group waits longer than its interval.
        let latest = |group: &AlertGroup| now_ms.saturating_add(group.route.interval_ms.max(group.route.wait_ms));
        let is_due = |group: &&AlertGroup| group.next_at_ms <= now_ms || group.next_at_ms > latest(group);
        self.groups.values().filter(is_due).collect()
    }

    /// A due group was told, or there was nothing to tell: what is resolved leaves it, and it waits for its interval.
    pub fn told(&mut self, id: &GroupId, now_ms: i64) {
        self.told_but(id, now_ms, &BTreeSet::new());
    }

    /// As [`Groups::told`], but some resolved episodes stay: a receiver may still believe that they fire.
    pub fn told_but(&mut self, id: &GroupId, now_ms: i64, believed: &BTreeSet<u64>) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.members.retain(|episode, notice| notice.ends_at_ms.is_none() || believed.contains(episode));
        group.next_at_ms = now_ms.saturating_add(group.route.interval_ms);
        if group.members.is_empty() {
            self.groups.remove(id);
        }
    }

    /// Whether there is such a group.
    pub fn has(&self, id: &GroupId) -> bool {
        self.groups.contains_key(id)
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests;
