//! `GET /alerts`: all alerts that are pending or firing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use signalbox_meta::{ActiveAlert, GroupStatus, RuleKind};

use super::number::write_exponent;
use super::render;
use super::rules::of_logs;
use crate::ApiState;

/// `GET /alerts`
pub(super) async fn alerts(State(state): State<ApiState>) -> Response {
    answer(&state.alerts.groups())
}

/// The same of rules over logs alone.
pub(super) async fn log_alerts(State(state): State<ApiState>) -> Response {
    answer(&of_logs(&state.alerts.groups()))
}

fn answer(groups: &[Arc<GroupStatus>]) -> Response {
    let mut out = String::from("{\"alerts\":[");
    for group in groups {
        for rule in &group.rules {
            let RuleKind::Alerting(alerting) = &rule.kind else { continue };
            if !alerting.alerts.is_empty() && !out.ends_with('[') {
                out.push(',');
            }
            write_alerts(&mut out, &alerting.alerts);
        }
    }
    out.push_str("]}");
    render::success(&out)
}

/// Alerts with commas between.
pub(super) fn write_alerts(out: &mut String, alerts: &[ActiveAlert]) {
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
        out.push_str("\"}");
    }
}

fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map(|instant| instant.to_string()).unwrap_or_default()
}
