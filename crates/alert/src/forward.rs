//! Alerts for other Alertmanagers, pure: what each has to be told now, as Prometheus does it.
//!
//! An alert that fires is sent again every minute and is said to end some minutes later, so that it ends there even if this
//! server dies; one that is over is sent for a quarter of an hour. What was sent needs no memory: after a restart all is sent
//! again, which changes nothing there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use signalbox_model::Labels;
use signalbox_notify::forward::Posted;

use crate::evaluate::pairs;
use crate::group::Notice;

/// From one time to the next that an alert is sent.
pub(crate) const RESEND_MS: i64 = 60_000;
/// How long an alert goes on if nothing more is heard: Prometheus' four intervals.
const VALID_MS: i64 = 4 * RESEND_MS;
/// How long one that is over is sent.
pub(crate) const RESOLVED_KEPT_MS: i64 = 15 * 60_000;
/// Alerts of one request.
const ALERTS_PER_REQUEST_MAX: usize = 256;
/// After a request failed, how long until the next.
const RETRY_MIN_MS: i64 = 1_000;
/// The longest wait after requests that failed one after another.
const RETRY_MAX_MS: i64 = 30_000;

/// What one Alertmanager was told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// When each alert was last sent, and whether as one that is over.
    sent: BTreeMap<Labels, (i64, bool)>,
    failures: u32,
    retry_at_ms: i64,
}

impl Ledger {
    /// The alerts to send now with the labels that are told, those that were never sent or changed first. Of alerts whose labels
    /// became the same one is told: what fires before what is over, and what began first.
    pub(crate) fn due<'a>(&mut self, alerts: impl Iterator<Item = (Cow<'a, Labels>, &'a Notice)>, now_ms: i64) -> Vec<Notice> {
        if now_ms < self.retry_at_ms && self.retry_at_ms - now_ms <= RETRY_MAX_MS {
            return Vec::new();
        }
        let mut told: BTreeMap<Cow<'a, Labels>, &Notice> = BTreeMap::new();
        for (labels, notice) in alerts {
            let place = |notice: &Notice| (notice.ends_at_ms.is_some(), notice.ends_at_ms.map(i64::saturating_neg), notice.starts_at_ms);
            told.entry(labels).and_modify(|known| *known = if place(notice) < place(known) { notice } else { *known }).or_insert(notice);
        }
        let (mut due, mut known) = (Vec::new(), BTreeMap::new());
        for (labels, notice) in told {
            let is_over = notice.ends_at_ms.is_some();
            let sent = self.sent.get(&*labels).copied();
            let is_news = sent.is_none_or(|(_, was_over)| was_over != is_over);
            // A clock that was set back makes nothing wait.
            let is_again = sent.is_none_or(|(at_ms, _)| now_ms - at_ms >= RESEND_MS || at_ms > now_ms);
            known.extend(sent.map(|sent| (labels.clone().into_owned(), sent)));
            if is_news || is_again {
                due.push((!is_news, Notice { labels: labels.into_owned(), ..notice.clone() }));
            }
        }
        self.sent = known;
        due.sort_by_key(|(is_known, _)| *is_known);
        due.truncate(ALERTS_PER_REQUEST_MAX);
        due.into_iter().map(|(_, notice)| notice).collect()
    }

    /// These were taken.
    pub(crate) fn taken(&mut self, notices: &[Notice], now_ms: i64) {
        self.sent.extend(notices.iter().map(|notice| (notice.labels.clone(), (now_ms, notice.ends_at_ms.is_some()))));
        (self.failures, self.retry_at_ms) = (0, 0);
    }

    /// A request failed: all that it said is said again, after a while. A request that is refused for good is not repeated as
    /// it is until its alerts are due again.
    pub(crate) fn failed(&mut self, notices: &[Notice], is_transient: bool, now_ms: i64) {
        if is_transient {
            self.failures = self.failures.saturating_add(1);
            let wait_ms = RETRY_MIN_MS.saturating_mul(1 << self.failures.min(6).saturating_sub(1)).min(RETRY_MAX_MS);
            self.retry_at_ms = now_ms.saturating_add(wait_ms);
        } else {
            self.taken(notices, now_ms);
        }
    }
}

/// An alert as it is sent at an instant.
pub(crate) fn posted(notice: &Notice, now_ms: i64) -> Posted {
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "0001-01-01T00:00:00.000Z".to_owned(), |time| format!("{time:.3}"));
    Posted {
        labels: pairs(&notice.labels),
        annotations: pairs(&notice.annotations),
        starts_at: time(notice.starts_at_ms),
        // Alertmanager refuses what ends before it begins.
        ends_at: time(notice.ends_at_ms.unwrap_or(now_ms.saturating_add(VALID_MS)).max(notice.starts_at_ms)),
        generator_url: notice.generator_url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str, ends_at_ms: Option<i64>) -> Notice {
        Notice {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at_ms: 0,
            ends_at_ms,
            generator_url: String::new(),
            is_late: false,
        }
    }

    fn due_of<'a>(ledger: &mut Ledger, alerts: impl IntoIterator<Item = &'a Notice>, now_ms: i64) -> Vec<Notice> {
        ledger.due(alerts.into_iter().map(|notice| (Cow::Borrowed(&notice.labels), notice)), now_ms)
    }

    fn names(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.labels.get("alertname").unwrap()).collect()
    }

    #[test]
    fn news_at_once_the_rest_every_minute() {
        let mut ledger = Ledger::default();
        let (a, b) = (notice("a", None), notice("b", None));
        let due = due_of(&mut ledger, [&a], 0);
        assert_eq!(names(&due), ["a"]);
        ledger.taken(&due, 0);
        let due = due_of(&mut ledger, [&a, &b], 10_000);
        assert_eq!(names(&due), ["b"]);
        ledger.taken(&due, 10_000);
        let over = notice("b", Some(50_000));
        let due = due_of(&mut ledger, [&a, &over], 60_000);
        assert_eq!(names(&due), ["b", "a"], "what is new goes first");
        ledger.taken(&due, 60_000);
        assert!(due_of(&mut ledger, [&a, &over], 119_999).is_empty());
        assert_eq!(due_of(&mut ledger, [&a, &over], 120_000).len(), 2);
        assert_eq!(due_of(&mut ledger, [&a], 1_000).len(), 1, "the clock was set back");
    }

    #[test]
    fn what_failed_is_sent_again_after_a_while() {
        let mut ledger = Ledger::default();
        let a = notice("a", None);
        for (now_ms, wait_ms) in [(0, 1_000), (1_000, 2_000), (3_000, 4_000)] {
            let due = due_of(&mut ledger, [&a], now_ms);
            assert_eq!(due.len(), 1);
            ledger.failed(&due, true, now_ms);
            assert!(due_of(&mut ledger, [&a], now_ms + wait_ms - 1).is_empty());
        }
        let due = due_of(&mut ledger, [&a], 7_000);
        ledger.failed(&due, false, 7_000);
        assert!(due_of(&mut ledger, [&a], 8_000).is_empty(), "refused for good: not before it is due again");
    }

    #[test]
    fn of_alerts_that_became_the_same_one_is_told() {
        let (one, two) = (Notice { starts_at_ms: 5, ..notice("one", None) }, Notice { starts_at_ms: 3, ..notice("two", None) });
        let (over, long_over) = (notice("over", Some(2_000)), notice("long over", Some(1_000)));
        let same = Labels::from_pairs([("alertname", "same")]);
        let told = |notices: &[&Notice]| {
            let due = Ledger::default().due(notices.iter().map(|notice| (Cow::Owned(same.clone()), *notice)), 10_000);
            let all: Vec<_> = due.iter().map(|notice| (notice.labels.get("alertname").unwrap().to_owned(), notice.starts_at_ms, notice.ends_at_ms)).collect();
            all
        };
        assert_eq!(told(&[&over, &one, &two, &over]), [("same".to_owned(), 3, None)]);
        assert_eq!(told(&[&long_over, &over, &long_over]), [("same".to_owned(), 0, Some(2_000))]);
    }

    #[test]
    fn what_fires_ends_in_some_minutes_and_what_is_over_when_it_was() {
        assert_eq!(posted(&notice("a", None), 0).ends_at, "1970-01-01T00:04:00.000Z");
        assert_eq!(posted(&notice("a", Some(1_500)), 100_000).ends_at, "1970-01-01T00:00:01.500Z");
        assert_eq!(posted(&notice("a", Some(-5)), 0).ends_at, "1970-01-01T00:00:00.000Z");
        let json = serde_json::to_value(posted(&notice("a", None), 0)).unwrap();
        assert_eq!(json["startsAt"], "1970-01-01T00:00:00.000Z");
        assert_eq!(json["generatorURL"], "");
    }
}
