//! The JSON of a webhook: names and order of Alertmanager's fields, map keys sorted, times in RFC 3339.

use serde::Serialize;

use crate::message::{Alert, Message, Pairs};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    receiver: &'a str,
    status: &'static str,
    alerts: Vec<PayloadAlert<'a>>,
    #[serde(rename = "notification_reason")]
    notification_reason: &'static str,
    group_labels: &'a Pairs,
    common_labels: Pairs,
    common_annotations: Pairs,
    route_labels: &'a Pairs,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PayloadAlert<'a> {
    status: &'static str,
    labels: &'a Pairs,
    annotations: &'a Pairs,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

/// The end of an alert that has not ended: Go's zero time.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// A message with at most so many alerts (0: all) of it.
pub(crate) fn shortened(message: &Message, max_alerts: u64) -> Message {
    let total = message.alerts.len();
    let sent = if max_alerts == 0 { total } else { usize::try_from(max_alerts).map_or(total, |max| total.min(max)) };
    let truncated_alerts = message.truncated_alerts.saturating_add((total - sent) as u64);
    Message { alerts: message.alerts[..sent].to_vec(), truncated_alerts, ..message.clone() }
}

/// Renders what was [`shortened`], with the expanded labels of the route and the version of the form. Everything but the
/// group is said about the alerts that are sent.
pub(crate) fn render(shown: &Message, route_labels: &Pairs, version: &'static str) -> String {
    let payload = Payload {
        receiver: &shown.receiver,
        status: shown.status().as_str(),
        alerts: shown.alerts.iter().map(alert).collect(),
        notification_reason: shown.reason.as_str(),
        group_labels: &shown.group_labels,
        common_labels: shown.common_labels(),
        common_annotations: shown.common_annotations(),
        route_labels,
        external_url: &shown.external_url,
        version,
        group_key: &shown.group_key,
        truncated_alerts: shown.truncated_alerts,
    };
    let mut json = serde_json::to_string(&payload).expect("texts and numbers are always JSON");
    json.push('\n');
    json
}

fn alert(alert: &Alert) -> PayloadAlert<'_> {
    PayloadAlert {
        status: alert.status.as_str(),
        labels: &alert.labels,
        annotations: &alert.annotations,
        starts_at: crate::instant::rfc3339(alert.starts_at_ns),
        ends_at: alert.ends_at_ns.map_or_else(|| NO_END.to_owned(), crate::instant::rfc3339),
        generator_url: &alert.generator_url,
        fingerprint: format!("{:016x}", alert.fingerprint()),
    }
}
