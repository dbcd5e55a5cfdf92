//! Alerts and their groups: shown, and taken from other rulers.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use signalbox_model::{MatchOp, Matcher};

use super::desk::{DeskAlert, PostedAlert};
use super::{Refusal, bad, filters, flag, holds, read_time, receiver_matchers, time};
use crate::ApiState;
use crate::http::Params;

/// Most alerts of one request.
const ALERTS_MAX: usize = 100_000;

/// Which alerts are wanted.
struct Wanted {
    active: bool,
    silenced: bool,
    inhibited: bool,
    receiver: Option<Matcher>,
    /// The receivers whose labels match, where these are asked for.
    receivers: Option<BTreeSet<String>>,
    filters: Vec<Matcher>,
}

impl Wanted {
    async fn of(state: &ApiState, params: &Params) -> Result<Self, Refusal> {
        let matchers = receiver_matchers(params)?;
        let receivers = if matchers.is_empty() {
            None
        } else {
            let mut receivers = state.alert_desk.receivers().await;
            receivers.retain(|receiver| holds(&matchers, |name| receiver.labels.get(name).map(String::as_str)));
            Some(receivers.into_iter().map(|receiver| receiver.name).collect())
        };
        let receiver = params.get("receiver").map(|pattern| Matcher::new("receiver", MatchOp::Regex, pattern)).transpose();
        Ok(Self {
            active: flag(params, "active")?,
            silenced: flag(params, "silenced")?,
            inhibited: flag(params, "inhibited")?,
            receiver: receiver.map_err(|error| bad(format!("failed to parse receiver param: {}", error.message())))?,
            receivers,
            filters: filters(params)?,
        })
    }

    fn is_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|receiver| receiver.matches(name)) && self.receivers.as_ref().is_none_or(|receivers| receivers.contains(name))
    }

    fn takes(&self, alert: &DeskAlert) -> bool {
        (self.active || alert.is_suppressed())
            && (self.silenced || alert.silenced_by.is_empty())
            && (self.inhibited || alert.inhibited_by.is_empty())
            && holds(&self.filters, |name| alert.labels.get(name).map(String::as_str))
    }
}

/// `GET /api/v2/alerts`
pub(super) async fn list(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&state, &params).await?;
    let takes = |alert: &&DeskAlert| wanted.takes(alert) && alert.receivers.iter().any(|receiver| wanted.is_receiver(receiver));
    let mut alerts = state.alert_desk.alerts().await;
    alerts.sort_by(|left, right| left.fingerprint.cmp(&right.fingerprint));
    Ok(axum::Json(alerts.iter().filter(takes).map(show).collect::<Vec<Value>>()).into_response())
}

/// `GET /api/v2/alerts/groups`
pub(super) async fn groups(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&state, &params).await?;
    let shows_muted = flag(&params, "muted")?;
    let mut groups = state.alert_desk.groups().await;
    groups.sort_by(|left, right| (&left.labels, &left.receiver).cmp(&(&right.labels, &right.receiver)));
    let mut shown = Vec::new();
    for group in groups.iter().filter(|group| wanted.is_receiver(&group.receiver)) {
        if !shows_muted && group.alerts.iter().all(DeskAlert::is_suppressed) {
            continue;
        }
        let alerts: Vec<Value> = group.alerts.iter().filter(|alert| wanted.takes(alert)).map(show).collect();
        if !alerts.is_empty() {
            shown.push(json!({
                "labels": group.labels,
                "routeLabels": group.route_labels,
                "receiver": { "name": group.receiver },
                "alerts": alerts,
            }));
        }
    }
    Ok(axum::Json(shown).into_response())
}

fn show(alert: &DeskAlert) -> Value {
    json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "startsAt": time(alert.starts_at_ms),
        "endsAt": time(alert.ends_at_ms),
        "updatedAt": time(alert.updated_at_ms),
        "receivers": alert.receivers.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "status": {
            "state": if alert.is_suppressed() { "suppressed" } else { "active" },
            "silencedBy": alert.silenced_by,
            "inhibitedBy": alert.inhibited_by,
            "mutedBy": alert.muted_by,
        },
    })
}

#[derive(Deserialize)]
struct Posted {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(rename = "startsAt")]
    starts_at: Option<String>,
    #[serde(rename = "endsAt")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// `POST /api/v2/alerts`: answered when they are on stable storage.
pub(super) async fn post(State(state): State<ApiState>, body: Bytes) -> Result<Response, Refusal> {
    let posted: Vec<Posted> = serde_json::from_slice(&body).map_err(|error| bad(format!("parsing alerts body from \"\" failed, because {error}")))?;
    if posted.len() > ALERTS_MAX {
        return Err(bad(format!("found {} alerts: want at most {ALERTS_MAX}", posted.len())));
    }
    let mut alerts = Vec::with_capacity(posted.len());
    for alert in posted {
        alerts.push(PostedAlert {
            labels: alert.labels,
            annotations: alert.annotations.unwrap_or_default(),
            starts_at_ms: read_time("startsAt", alert.starts_at.as_deref())?,
            ends_at_ms: read_time("endsAt", alert.ends_at.as_deref())?,
            generator_url: alert.generator_url.unwrap_or_default(),
        });
    }
    state.alert_desk.post(alerts).await?;
    Ok(StatusCode::OK.into_response())
}
