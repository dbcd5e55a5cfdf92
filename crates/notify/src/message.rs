//! What a receiver is told: a group of alerts at an instant, with the texts that every channel derives from it.
//!
//! The rules are Alertmanager's, because people have templates, filters and scripts for them: which labels are common, how a
//! group key and a fingerprint are spelt, how a subject reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Labels or annotations by name.
pub type Pairs = BTreeMap<String, String>;

/// The label that names an alert.
const ALERT_NAME: &str = "alertname";

/// Whether an alert is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is on.
    Firing,
    /// It was on.
    Resolved,
}

impl Status {
    /// The word in webhooks and mails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The first message about a group.
    FirstNotification,
    /// Alerts joined the group.
    NewAlertsInGroup,
    /// Some alerts of the group are resolved.
    NewResolvedAlerts,
    /// All alerts of the group are resolved.
    AllAlertsResolved,
    /// Nothing changed, but the time to repeat has come.
    RepeatIntervalElapsed,
}

impl Reason {
    /// The sentence in webhooks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstNotification => "first notification",
            Self::NewAlertsInGroup => "new alerts added",
            Self::NewResolvedAlerts => "some alerts resolved",
            Self::AllAlertsResolved => "all alerts resolved",
            Self::RepeatIntervalElapsed => "repeat interval elapsed",
        }
    }
}

/// One labelled instance of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Whether it is on.
    pub status: Status,
    /// Labels, with `alertname`.
    pub labels: Pairs,
    /// Annotations, rendered.
    pub annotations: Pairs,
    /// Since when it is on, nanoseconds since the Unix epoch.
    pub starts_at_ns: i64,
    /// When it was resolved; `None` while it is on.
    pub ends_at_ns: Option<i64>,
    /// Where to look at its expression.
    pub generator_url: String,
}

impl Alert {
    /// The identity of the alert: see [`fingerprint`].
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.labels)
    }
}

/// A group of alerts for one receiver at an instant. As JSON it is what the outbox keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The receiver by name.
    pub receiver: String,
    /// Why it is sent.
    pub reason: Reason,
    /// The group: see [`group_key`].
    pub group_key: String,
    /// The labels that the alerts are grouped by.
    pub group_labels: Pairs,
    /// The alerts, in the order in which receivers see them: see [`sort_alerts`].
    pub alerts: Vec<Alert>,
    /// Where the web UI is.
    pub external_url: String,
    /// The labels of the route, as its configuration has them: values may be templates, which are expanded with the message.
    #[serde(default)]
    pub route_labels: Pairs,
    /// Alerts of the group that are left out of the message.
    #[serde(default)]
    pub truncated_alerts: u64,
}

impl Message {
    /// Firing as soon as one alert is.
    pub fn status(&self) -> Status {
        if self.firing().next().is_some() { Status::Firing } else { Status::Resolved }
    }

    /// The alerts that are on.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status == Status::Firing)
    }

    /// The alerts that were on.
    pub fn resolved(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status == Status::Resolved)
    }

    /// Labels that all alerts share.
    pub fn common_labels(&self) -> Pairs {
        common(self.alerts.iter().map(|alert| &alert.labels))
    }

    /// Annotations that all alerts share.
    pub fn common_annotations(&self) -> Pairs {
        common(self.alerts.iter().map(|alert| &alert.annotations))
    }

    /// One line: `[FIRING:2] HighLatency (checkout page)`.
    pub fn subject(&self) -> String {
        let mut subject = match self.status() {
            Status::Firing => format!("[FIRING:{}] ", self.firing().count()),
            Status::Resolved => "[RESOLVED] ".to_owned(),
        };
        let values = |pairs: &Pairs| alert_name_first(pairs).map(|(_, value)| value).collect::<Vec<_>>().join(" ");
        subject.push_str(&values(&self.group_labels));
        let mut others = self.common_labels();
        if others.len() > self.group_labels.len() {
            others.retain(|name, _| !self.group_labels.contains_key(name));
            subject.push_str(&format!(" ({})", values(&others)));
        }
        subject
    }
}

/// Pairs by name, the alert's name before all others.
pub fn alert_name_first(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    let name = pairs.get_key_value(ALERT_NAME);
    let others = pairs.iter().filter(|(name, _)| *name != ALERT_NAME);
    name.into_iter().chain(others).map(|(name, value)| (name.as_str(), value.as_str()))
}

fn common<'a>(mut sets: impl Iterator<Item = &'a Pairs>) -> Pairs {
    let mut shared = sets.next().cloned().unwrap_or_default();
    for set in sets {
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    shared
}

/// Puts alerts in the order in which receivers see them: by job, by instance, the others by number of labels and labels.
pub fn sort_alerts(alerts: &mut [Alert]) {
    let key = |alert: &Alert| {
        // Without the label goes last.
        let by = |name: &str| alert.labels.get(name).map_or((1, String::new()), |value| (0, value.clone()));
        (by("job"), by("instance"), alert.labels.len(), alert.labels.clone())
    };
    alerts.sort_by_cached_key(key);
}

/// Prometheus' fingerprint of a label set: FNV-1a, 64 bit, over the sorted names and values, each followed by the byte 255.
pub fn fingerprint<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut sorted: Vec<_> = labels.into_iter().collect();
    sorted.sort_unstable();
    let mut hash = OFFSET;
    for byte in sorted.iter().flat_map(|(name, value)| name.bytes().chain([255]).chain(value.bytes()).chain([255])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    hash
}

/// The key of a group: the route that made it, and its labels. `{}` is the route without a parent.
pub fn group_key(route: &str, group_labels: &Pairs) -> String {
    let labels: Vec<String> = group_labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("{route}:{{{}}}", labels.join(", "))
}

/// In double quotes, with Go's escapes.
pub(crate) fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            control if control.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(control))),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
