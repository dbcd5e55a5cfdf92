//! The state machine of alerts, pure: what was, what the expression found, what time it is; what is now, and what changed.
//!
//! An alert is one labelled instance of a rule. It is pending until it was found for as long as the rule says, then firing;
//! when it is found no more it is inactive, and stays known for a while so that its receivers can be told, even after a crash.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use signalbox_model::{Error, Labels, Result};

/// Where an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Found, not yet for long enough.
    Pending,
    /// Found for long enough.
    Firing,
    /// It was firing and is found no more.
    Inactive,
}

impl State {
    /// The word in series, APIs and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Inactive => "inactive",
        }
    }
}

/// One alert. Times are instants of evaluation, milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Annotations of the latest evaluation that found it.
    pub annotations: Labels,
    /// Value of the latest evaluation that found it.
    pub value: f64,
    /// Where it is.
    pub state: State,
    /// When it was first found.
    pub active_at_ms: i64,
    /// When it began to fire.
    pub fired_at_ms: Option<i64>,
    /// When it became inactive.
    pub resolved_at_ms: Option<i64>,
    /// Since when it goes on firing although it is found no more.
    pub keep_firing_since_ms: Option<i64>,
    /// How late the evaluation was that made it fire, if that was made up.
    pub late_ms: Option<i64>,
}

/// The alerts of one rule by their labels.
pub type Alerts = BTreeMap<Labels, Alert>;

/// What an evaluation found, labels and annotations expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Labels of the alert.
    pub labels: Labels,
    /// Annotations of the alert.
    pub annotations: Labels,
    /// Value of the expression.
    pub value: f64,
}

/// What becomes of an alert that is pending or firing and was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfound {
    /// It stays as it is: nobody knows.
    Stays,
    /// It goes on as if it was found, with its last value.
    GoesOn,
}

/// What an evaluation knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What it found.
    pub elements: Vec<Element>,
    /// Alerts that it did not find and that are not over for that.
    pub unfound: BTreeMap<Labels, Unfound>,
}

impl From<Vec<Element>> for Findings {
    fn from(elements: Vec<Element>) -> Self {
        Self { elements, unfound: BTreeMap::new() }
    }
}

/// What the rule and its group say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long an alert is pending.
    pub hold_ms: i64,
    /// How long it goes on firing after it was last found.
    pub keep_firing_ms: i64,
    /// How long an inactive alert stays known.
    pub retention_ms: i64,
    /// Pending and firing alerts at a time; 0 is no limit.
    pub limit: usize,
    /// How late the evaluation is, if it is made up.
    pub late_ms: Option<i64>,
}

/// How an alert moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// From nothing to pending.
    Began,
    /// To firing.
    Fired,
    /// From firing to inactive.
    Resolved,
    /// From pending to nothing.
    Cleared,
    /// From firing back to pending: the rule wants to wait longer than before.
    Demoted,
    /// From inactive to nothing: it was known for long enough.
    Forgotten,
}

/// One move of one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The alert.
    pub labels: Labels,
    /// What happened.
    pub change: Change,
}

/// One evaluation.
///
/// # Errors
/// `Invalid` in the words of Prometheus if two elements have the same labels or there are more than the limit. Then nothing
/// has changed: an alert must not resolve because its rule is broken.
pub fn step(previous: &Alerts, findings: impl Into<Findings>, now_ms: i64, terms: &Terms) -> Result<(Alerts, Vec<Transition>)> {
    let Findings { elements, unfound } = findings.into();
    let mut found: BTreeMap<Labels, Element> = BTreeMap::new();
    for element in elements {
        match found.entry(element.labels.clone()) {
            Entry::Vacant(free) => free.insert(element),
            Entry::Occupied(_) => return Err(Error::invalid("vector contains metrics with the same labelset after applying alert labels")),
        };
    }
    let (mut next, mut transitions) = (Alerts::new(), Vec::new());
    for (labels, alert) in previous {
        let mut moved = |change| transitions.push(Transition { labels: labels.clone(), change });
        let alert = match found.remove(labels) {
            Some(element) if alert.state == State::Inactive => begin(element, Some(alert), now_ms, terms, &mut moved),
            Some(element) => go_on(alert, element, now_ms, terms, &mut moved),
            None => match miss(alert, unfound.get(labels).copied(), now_ms, terms, &mut moved) {
                Some(alert) => alert,
                None => continue,
            },
        };
        next.insert(labels.clone(), alert);
    }
    for (labels, element) in found {
        let mut moved = |change| transitions.push(Transition { labels: labels.clone(), change });
        let alert = begin(element, None, now_ms, terms, &mut moved);
        next.insert(labels, alert);
    }
    let active = next.values().filter(|alert| alert.state != State::Inactive).count();
    if terms.limit > 0 && active > terms.limit {
        return Err(Error::invalid(format!("exceeded limit of {} with {active} alerts", terms.limit)));
    }
    Ok((next, transitions))
}

/// An alert that was not there, or is over: its earlier firing stays known until it fires again, since not all may have been told
/// that it is over.
fn begin(element: Element, earlier: Option<&Alert>, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) -> Alert {
    let mut alert = Alert {
        annotations: element.annotations,
        value: element.value,
        state: State::Pending,
        active_at_ms: now_ms,
        fired_at_ms: earlier.and_then(|earlier| earlier.fired_at_ms),
        resolved_at_ms: earlier.and_then(|earlier| earlier.resolved_at_ms),
        keep_firing_since_ms: None,
        late_ms: None,
    };
    if terms.hold_ms > 0 {
        moved(Change::Began);
    } else {
        fire(&mut alert, now_ms, terms, moved);
    }
    alert
}

fn fire(alert: &mut Alert, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) {
    alert.state = State::Firing;
    (alert.fired_at_ms, alert.resolved_at_ms, alert.late_ms) = (Some(now_ms), None, terms.late_ms);
    moved(Change::Fired);
}

/// A pending or firing alert that was found again.
fn go_on(alert: &Alert, element: Element, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) -> Alert {
    let mut alert = Alert { annotations: element.annotations, value: element.value, keep_firing_since_ms: None, ..alert.clone() };
    // A clock that was set back must not make an alert wait for the time it had already seen.
    alert.active_at_ms = alert.active_at_ms.min(now_ms);
    hold(&mut alert, now_ms, terms, moved);
    alert
}

/// Pending or firing, by how long it has been active; the rule may have changed its mind since the last evaluation.
fn hold(alert: &mut Alert, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) {
    let is_due = now_ms.saturating_sub(alert.active_at_ms) >= terms.hold_ms;
    // Only another rule makes an alert wait again, not a clock that was set back after it fired.
    let fired_too_soon = alert.fired_at_ms.is_none_or(|fired_at_ms| fired_at_ms.saturating_sub(alert.active_at_ms) < terms.hold_ms);
    match alert.state {
        State::Pending if is_due => fire(alert, now_ms, terms, moved),
        State::Firing if !is_due && fired_too_soon => {
            alert.state = State::Pending;
            (alert.resolved_at_ms, alert.keep_firing_since_ms) = (Some(now_ms), None);
            moved(Change::Demoted);
        }
        _ => {}
    }
}

/// An alert that was not found; `None` if nothing remains of it.
fn miss(alert: &Alert, unfound: Option<Unfound>, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) -> Option<Alert> {
    match unfound.filter(|_| alert.state != State::Inactive) {
        None => lose(alert, now_ms, terms, moved),
        Some(Unfound::Stays) => Some(alert.clone()),
        Some(Unfound::GoesOn) => {
            let last = Element { labels: Labels::empty(), annotations: alert.annotations.clone(), value: alert.value };
            Some(go_on(alert, last, now_ms, terms, moved))
        }
    }
}

/// An alert that is not there any more; `None` if nothing remains of it.
fn lose(alert: &Alert, now_ms: i64, terms: &Terms, moved: &mut impl FnMut(Change)) -> Option<Alert> {
    let mut alert = alert.clone();
    match alert.state {
        State::Pending => {
            moved(Change::Cleared);
            alert.state = State::Inactive;
            return alert.resolved_at_ms.is_some().then_some(alert);
        }
        State::Inactive => {
            if now_ms.saturating_sub(alert.resolved_at_ms.unwrap_or(now_ms)) > terms.retention_ms {
                moved(Change::Forgotten);
                return None;
            }
        }
        State::Firing => {
            let since = alert.keep_firing_since_ms.unwrap_or(now_ms).min(now_ms);
            if terms.keep_firing_ms > 0 && now_ms.saturating_sub(since) < terms.keep_firing_ms {
                alert.keep_firing_since_ms = Some(since);
                hold(&mut alert, now_ms, terms, moved);
            } else {
                resolve(&mut alert, now_ms);
                moved(Change::Resolved);
            }
        }
    }
    Some(alert)
}

/// Ends a firing alert, for whatever reason.
pub fn resolve(alert: &mut Alert, now_ms: i64) {
    alert.state = State::Inactive;
    alert.resolved_at_ms = Some(now_ms);
    alert.keep_firing_since_ms = None;
}

#[cfg(test)]
mod tests;
