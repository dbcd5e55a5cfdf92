//! `GET /alerts`: all alerts that are pending or firing.
//!
//! Where `alert_relabel_configs` are in force, each alert has `toldAs`: the labels that silences, routes and receivers see, null if nobody is
//! told.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use signalbox_meta::{ActiveAlert, GroupStatus, RuleKind};

use super::number::write_exponent;
use super::render;
use super::rules::of_logs;
use crate::ApiState;
use crate::alertmanager::Telling;

/// `GET /alerts`
pub(super) async fn alerts(State(state): State<ApiState>) -> Response {
    answer(&state.alerts.groups(), state.alert_desk.telling().await.as_ref())
}

/// The same of rules over logs alone.
pub(super) async fn log_alerts(State(state): State<ApiState>) -> Response {
    answer(&of_logs(&state.alerts.groups()), state.alert_desk.telling().await.as_ref())
}

fn answer(groups: &[Arc<GroupStatus>], telling: Option<&Telling>) -> Response {
    let mut out = String::from("{\"alerts\":[");
    for group in groups {
        for rule in &group.rules {
            let RuleKind::Alerting(alerting) = &rule.kind else { continue };
            if !alerting.alerts.is_empty() && !out.ends_with('[') {
                out.push(',');
            }
            write_alerts(&mut out, &alerting.alerts, telling);
        }
    }
    out.push_str("]}");
    render::success(&out)
}

/// Alerts with commas between.
pub(super) fn write_alerts(out: &mut String, alerts: &[ActiveAlert], telling: Option<&Telling>) {
    for (position, alert) in alerts.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str("{\"labels\":");
        render::write_labels(out, &alert.labels);
        out.push_str(",\"annotations\":");
        render::write_labels(out, &alert.annotations);
        out.push_str(",\"state\":\"");
        out.push_str(if alert.is_firing { "firing" } else { "pending" });
        out.push_str("\",\"activeAt\":\"");
        out.push_str(&instant(alert.active_at_ms));
        out.push('"');
        if let Some(since_ms) = alert.keep_firing_since_ms {
            out.push_str(",\"keepFiringSince\":\"");
            out.push_str(&instant(since_ms));
            out.push('"');
        }
        out.push_str(",\"value\":\"");
        write_exponent(out, alert.value);
        out.push('"');
        if let Some(telling) = telling {
            out.push_str(",\"toldAs\":");
            match telling(&alert.labels) {
                Some(labels) => render::write_labels(out, &labels),
                None => out.push_str("null"),
            }
        }
        out.push('}');
    }
}

fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map(|instant| instant.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use signalbox_model::Labels;

    use super::*;

    #[test]
    fn alerts_say_what_they_are_told_as_where_that_is_another_thing() {
        let alert = |name: &str| ActiveAlert {
            labels: Labels::from_pairs([("alertname", name), ("job", "a")]),
            annotations: Labels::empty(),
            is_firing: true,
            active_at_ms: 0,
            keep_firing_since_ms: None,
            value: 1.0,
        };
        let shown = |telling: Option<&Telling>| {
            let mut out = String::from("[");
            write_alerts(&mut out, &[alert("A"), alert("B")], telling);
            let alerts: serde_json::Value = serde_json::from_str(&(out + "]")).unwrap();
            [0, 1].map(|index| alerts[index].get("toldAs").cloned())
        };
        let telling: Telling = Box::new(|labels| (labels.get("alertname") == Some("A")).then(|| Labels::from_pairs([("alertname", "A"), ("team", "web")])));
        assert_eq!(shown(None), [None, None], "as Prometheus has them");
        assert_eq!(shown(Some(&telling)), [Some(serde_json::json!({"alertname": "A", "team": "web"})), Some(serde_json::Value::Null)]);
    }
}
