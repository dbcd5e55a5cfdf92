//! Who would have been told when: the groups of the server on a clock that jumps from event to event. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_model::Labels;

use super::{Bench, Notification, RuleReport};
use crate::dispatch::{Plan, reason};
use crate::group::{AlertGroup, GroupId, Groups, Notice, Telling, Told, decide};
use crate::limits::{BACKTEST_GROUPS_MAX, BACKTEST_NOTIFICATIONS_MAX};
use crate::mute::{Firing, Muting};
use crate::relabel::Relabelling;
use crate::silence::Silences;

/// Something that is new about an alert.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) at_ms: i64,
    /// Number of the rule among the reports.
    pub(super) rule: usize,
    pub(super) notice: Notice,
}

struct Clockwork<'a> {
    plan: &'a Plan,
    muting: Muting,
    groups: Groups,
    /// Alerts that fire, by the labels that are told, and their own.
    firing: BTreeMap<Labels, Labels>,
    relabelling: &'a Relabelling,
    /// What each receiver was told last about a group.
    told: BTreeMap<(GroupId, String), Told>,
    /// The rule of each episode.
    rules: BTreeMap<u64, usize>,
}

/// Adds the messages until an instant to the reports.
pub(super) fn tell(bench: &Bench, muting: Muting, mut news: Vec<News>, end_ms: i64, reports: &mut [RuleReport]) {
    // What is over at an instant is over before something else begins.
    news.sort_by_key(|news| (news.at_ms, news.notice.ends_at_ms.is_none()));
    let muting = Muting { silences: Silences::default(), ..muting };
    let (plan, relabelling) = (&bench.plan, &bench.relabelling);
    let groups = Groups::new(Arc::clone(&plan.root));
    let mut clockwork = Clockwork { plan, relabelling, muting, groups, firing: BTreeMap::new(), told: BTreeMap::new(), rules: BTreeMap::new() };
    let (mut news, mut looked_at) = (news.into_iter().peekable(), 0);
    loop {
        let next_news_ms = news.peek().map(|news| news.at_ms);
        let Some(now_ms) = next_news_ms.into_iter().chain(clockwork.groups.next_at_ms()).min().filter(|now_ms| *now_ms <= end_ms) else { return };
        while let Some(news) = news.next_if(|news| news.at_ms <= now_ms) {
            clockwork.take(news, now_ms);
        }
        looked_at += clockwork.groups.len();
        if looked_at > BACKTEST_GROUPS_MAX {
            for report in reports.iter_mut().filter(|report| report.notification_count > 0) {
                report.errors.push(format!("messages are counted until {now_ms} ms since 1970: there are too many groups"));
            }
            return;
        }
        clockwork.tell(now_ms, reports);
    }
}

impl Clockwork<'_> {
    fn take(&mut self, news: News, now_ms: i64) {
        let News { rule, notice: own, .. } = news;
        let Some(labels) = self.relabelling.told(&own.labels) else { return };
        let notice = Notice { labels, ..own.clone() };
        self.rules.insert(notice.episode(), rule);
        self.groups.update(&notice, now_ms);
        match notice.ends_at_ms {
            None => self.firing.insert(notice.labels, own.labels),
            Some(_) => self.firing.remove(&notice.labels),
        };
    }

    fn tell(&mut self, now_ms: i64, reports: &mut [RuleReport]) {
        let mut due = Vec::new();
        for group in self.groups.due(now_ms) {
            due.push(group.id());
            if !self.muting.of_route(&group.route, now_ms).is_empty() {
                continue;
            }
            let key = (group.id(), group.route.receiver.clone());
            let Some(telling) = self.decide(group, self.told.get(&key), now_ms) else { continue };
            let firing: BTreeSet<u64> = telling.notices.iter().filter(|notice| notice.ends_at_ms.is_none()).map(Notice::episode).collect();
            let message = Notification {
                at_ms: now_ms,
                receiver: key.1.clone(),
                reason: reason(telling.news).as_str(),
                firing: firing.len(),
                resolved: telling.notices.len() - firing.len(),
            };
            let about: BTreeSet<usize> = telling.notices.iter().filter_map(|notice| self.rules.get(&notice.episode()).copied()).collect();
            for rule in about {
                let report = &mut reports[rule];
                report.notification_count += 1;
                if report.notifications.len() < BACKTEST_NOTIFICATIONS_MAX {
                    report.notifications.push(message.clone());
                }
            }
            // After "all is well" a group begins anew.
            if firing.is_empty() {
                self.told.remove(&key);
            } else {
                self.told.insert(key, Told { at_ms: now_ms, firing });
            }
        }
        for id in due {
            self.groups.told(&id, now_ms);
        }
    }

    fn decide(&self, group: &AlertGroup, told: Option<&Told>, now_ms: i64) -> Option<Telling> {
        let firing = Firing::new(self.firing.iter());
        let targets = self.plan.receivers.get(&group.route.receiver).map(Vec::as_slice).unwrap_or_default();
        let sends_resolved = targets.is_empty() || targets.iter().any(|target| target.sends_resolved);
        let is_heard = |notice: &&Notice| {
            let own = self.firing.get(&notice.labels).unwrap_or(&notice.labels);
            !self.muting.of(&notice.labels, own, &firing, now_ms).is_muted()
        };
        let members = group.members().filter(|notice| sends_resolved || notice.ends_at_ms.is_none()).filter(is_heard);
        decide(members, told, now_ms, group.route.repeat_ms)
    }
}
