//! What is remembered of evaluations, pure: every change of an alert, and its value each time.
//!
//! Changes are events in `meta`, written with the state of the alerts. Values are samples of a series of their own: they are written
//! with the other series of the rule, in the same batch, and cost what a sample costs.

use std::collections::BTreeMap;

use signalbox_meta::{ALERT_VALUE_SERIES, HistoryEvent, HistoryNote};
use signalbox_model::Labels;
use signalbox_model::labels::METRIC_NAME;
use signalbox_notify::message::fingerprint;
use signalbox_query::promql::Point;

use crate::evaluate::{pairs, with_external};
use crate::record::Sample;
use crate::rule_file::{Group, Rule};
use crate::state::{Alert, Alerts, Change, State, Transition};

/// Events of one group that wait for the database at most; the oldest are dropped.
const WAITING_MAX: usize = 100_000;

/// The series of the values of the alerts of a rule, `found` what its expression found.
pub(crate) fn values(alerts: &Alerts, found: &BTreeMap<Labels, f64>, external: &Labels) -> Vec<Sample> {
    let active = alerts.iter().filter(|(_, alert)| alert.state != State::Inactive);
    let sample = |(labels, _): (&Labels, &Alert)| {
        let value = found.get(labels).copied().unwrap_or(f64::NAN);
        let mut series = with_external(labels, external).to_builder();
        series.set(METRIC_NAME, ALERT_VALUE_SERIES);
        Sample { labels: series.build(), point: Point::Float(value) }
    };
    active.map(sample).collect()
}

/// One evaluation of one rule, as history sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluated<'a> {
    pub(crate) group: &'a Group,
    pub(crate) rule: &'a Rule,
    /// The instant, milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    /// Whether it was made up for after an outage.
    pub(crate) is_late: bool,
    /// Labels of the server.
    pub(crate) external: &'a Labels,
}

impl Evaluated<'_> {
    /// What became of the alerts.
    pub(crate) fn changes(&self, before: &Alerts, after: &Alerts, transitions: &[Transition], found: &BTreeMap<Labels, f64>) -> Vec<HistoryEvent> {
        let mut events = Vec::new();
        for transition in transitions {
            let Some(word) = word(transition.change) else { continue };
            events.push(self.event(&transition.labels, word, before, after, found));
        }
        // That an alert is kept is no move of its state.
        for (labels, alert) in after {
            let was_kept = before.get(labels).is_some_and(|alert| alert.keep_firing_since_ms.is_some());
            let is_firing_still = alert.state == State::Firing && before.get(labels).is_some_and(|alert| alert.state == State::Firing);
            match (was_kept, alert.keep_firing_since_ms.is_some()) {
                (false, true) => events.push(self.event(labels, "kept", before, after, found)),
                (true, false) if is_firing_still => events.push(self.event(labels, "found", before, after, found)),
                _ => {}
            }
        }
        events
    }

    /// That the rule could not be evaluated, or can be again; nothing if it is as it was.
    pub(crate) fn failure(&self, before: Option<&str>, now: Option<&str>) -> Option<HistoryEvent> {
        let word = match (before, now) {
            (before, Some(now)) if before != Some(now) => "error",
            (Some(_), None) => "recovered",
            _ => return None,
        };
        let note = HistoryNote { error: now.map(str::to_owned), ..HistoryNote::default() };
        Some(HistoryEvent { change: word.to_owned(), state: now.map_or("ok", |_| "error").to_owned(), note, ..self.of_rule() })
    }

    fn event(&self, labels: &Labels, word: &str, before: &Alerts, after: &Alerts, found: &BTreeMap<Labels, f64>) -> HistoryEvent {
        let seen = pairs(&with_external(labels, self.external));
        let known = after.get(labels).or_else(|| before.get(labels));
        HistoryEvent {
            fingerprint: Some(fingerprint(&seen)),
            labels: seen,
            change: word.to_owned(),
            state: after.get(labels).map_or(State::Inactive, |alert| alert.state).as_str().to_owned(),
            value: found.get(labels).copied().or_else(|| known.map(|alert| alert.value)),
            ..self.of_rule()
        }
    }

    fn of_rule(&self) -> HistoryEvent {
        HistoryEvent {
            at_ms: self.at_ms,
            file: self.group.file.clone(),
            group: self.group.name.clone(),
            rule: self.rule.name.clone(),
            is_late: self.is_late,
            ..HistoryEvent::default()
        }
    }
}

/// The word for a change; nothing for what nobody would look for.
fn word(change: Change) -> Option<&'static str> {
    Some(match change {
        Change::Began | Change::Demoted => "pending",
        Change::Fired => "firing",
        Change::Resolved => "resolved",
        Change::Cleared => "cleared",
        Change::Forgotten => return None,
    })
}

/// Adds events to those that wait for the database.
pub(crate) fn wait(waiting: &mut Vec<HistoryEvent>, events: impl IntoIterator<Item = HistoryEvent>) {
    waiting.extend(events);
    if waiting.len() > WAITING_MAX {
        let excess = waiting.len() - WAITING_MAX;
        waiting.drain(..excess);
        tracing::error!("the history of alerts lacks {excess} events: the state database could not be written for long");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file;
    use crate::state::{Element, Terms, step};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    /// Words, states and values of the events of evaluations in a row; `None` finds nothing.
    fn told(values: &[Option<f64>]) -> Vec<String> {
        let group = rule_file::parse("a.yaml", "groups: [{name: g, rules: [{alert: Down, expr: up == 0}]}]").unwrap().remove(0);
        let terms = Terms { hold_ms: 1_000, keep_firing_ms: 1_500, retention_ms: 1_000, limit: 0, late_ms: None };
        let (mut alerts, mut told) = (Alerts::new(), Vec::new());
        for (at_ms, value) in (0..).step_by(1_000).zip(values) {
            let element = |value: f64| Element { labels: labels(&[("alertname", "Down")]), annotations: Labels::empty(), value };
            let elements: Vec<Element> = value.map(element).into_iter().collect();
            let found = elements.iter().map(|element| (element.labels.clone(), element.value)).collect();
            let (next, transitions) = step(&alerts, elements, at_ms, &terms).unwrap();
            let evaluated = Evaluated { group: &group, rule: &group.rules[0], at_ms, is_late: false, external: &labels(&[("zone", "a")]) };
            for event in evaluated.changes(&alerts, &next, &transitions, &found) {
                assert_eq!(event.labels, pairs(&labels(&[("alertname", "Down"), ("zone", "a")])));
                assert_eq!((event.file.as_str(), event.group.as_str(), event.rule.as_str()), ("a.yaml", "g", "Down"));
                told.push(format!("{} {} {} {:?}", event.at_ms, event.change, event.state, event.value.unwrap()));
            }
            alerts = next;
        }
        told
    }

    #[test]
    fn each_change_is_told_once_with_its_value() {
        assert_eq!(told(&[Some(1.0), None]), ["0 pending pending 1.0", "1000 cleared inactive 1.0"]);
        let all = [Some(1.0), Some(2.0), Some(3.0), None, Some(4.0), None, None, None, None, None];
        let want = [
            "0 pending pending 1.0",
            "1000 firing firing 2.0",
            "3000 kept firing 3.0",
            "4000 found firing 4.0",
            "5000 kept firing 4.0",
            "7000 resolved inactive 4.0",
        ];
        assert_eq!(told(&all), want);
    }

    #[test]
    fn a_failure_is_told_when_it_begins_changes_and_ends() {
        let group = rule_file::parse("a.yaml", "groups: [{name: g, rules: [{alert: Down, expr: up == 0}]}]").unwrap().remove(0);
        let evaluated = Evaluated { group: &group, rule: &group.rules[0], at_ms: 7, is_late: true, external: &Labels::empty() };
        let told = |before, now| evaluated.failure(before, now).map(|event| (event.change, event.note.error, event.is_late, event.fingerprint));
        assert_eq!(told(None, None), None);
        assert_eq!(told(None, Some("x")), Some(("error".to_owned(), Some("x".to_owned()), true, None)));
        assert_eq!(told(Some("x"), Some("x")), None);
        assert_eq!(told(Some("x"), Some("y")), Some(("error".to_owned(), Some("y".to_owned()), true, None)));
        assert_eq!(told(Some("y"), None), Some(("recovered".to_owned(), None, true, None)));
    }

    #[test]
    fn values_are_series_while_alerts_are_active() {
        let alert = |state| Alert {
            annotations: Labels::empty(),
            value: 1.0,
            state,
            active_at_ms: 0,
            fired_at_ms: None,
            resolved_at_ms: None,
            keep_firing_since_ms: None,
            late_ms: None,
        };
        let name = |value: &'static str| labels(&[("alertname", value)]);
        let alerts = Alerts::from([(name("a"), alert(State::Firing)), (name("b"), alert(State::Pending)), (name("c"), alert(State::Inactive))]);
        let samples = values(&alerts, &[(name("a"), 2.0)].into(), &labels(&[("zone", "x")]));
        let shown: Vec<String> = samples.iter().map(|sample| format!("{} {:?}", sample.labels, sample.point)).collect();
        assert_eq!(shown, ["signalbox_alert_value{alertname=\"a\", zone=\"x\"} Float(2.0)", "signalbox_alert_value{alertname=\"b\", zone=\"x\"} Float(NaN)"]);
    }
}
