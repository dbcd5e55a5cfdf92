//! Alerts and their groups: shown, and taken from other rulers.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use signalbox_model::{MatchOp, Matcher};

use super::desk::{DeskAlert, PostedAlert};
use super::{Refusal, filters, flag, holds, read_time, receiver_matchers, refusal, time};
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
            active: flag(params, "active"),
            silenced: flag(params, "silenced"),
            inhibited: flag(params, "inhibited"),
            receiver: receiver.map_err(|error| Refusal::bad(format!("failed to parse receiver param: {}", error.message())))?,
            receivers,
            filters: filters(params)?,
        })
    }

    fn is_any_receiver(&self) -> bool {
        self.receiver.is_none() && self.receivers.is_none()
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
    // Where nobody is asked for, those show too that nobody is told of.
    let is_told = |alert: &DeskAlert| wanted.is_any_receiver() || alert.receivers.iter().any(|receiver| wanted.is_receiver(receiver));
    let takes = |alert: &&DeskAlert| wanted.takes(alert) && is_told(alert);
    let mut alerts = state.alert_desk.alerts().await;
    alerts.sort_by(|left, right| left.fingerprint.cmp(&right.fingerprint));
    Ok(axum::Json(alerts.iter().filter(takes).map(show).collect::<Vec<Value>>()).into_response())
}

/// `GET /api/v2/alerts/groups`
pub(super) async fn groups(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&state, &params).await?;
    let shows_muted = flag(&params, "muted");
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

/// Names and values as Go reads them: nothing is the empty text.
type Pairs = BTreeMap<String, Option<String>>;

#[derive(Deserialize, Default)]
struct Posted {
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    #[serde(rename = "startsAt")]
    starts_at: Option<String>,
    #[serde(rename = "endsAt")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

impl Posted {
    fn read(self, index: usize) -> Result<PostedAlert, Refusal> {
        let pairs = |pairs: Pairs| pairs.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
        let generator_url = self.generator_url.unwrap_or_default();
        if !generator_url.is_empty() && !is_uri(&generator_url) {
            return Err(Refusal::wrong_type(&format!("{index}.generatorURL"), "body", "uri", &generator_url));
        }
        let labels = self.labels.ok_or_else(|| Refusal::missing(&format!("{index}.labels")))?;
        Ok(PostedAlert {
            labels: pairs(labels),
            annotations: pairs(self.annotations.unwrap_or_default()),
            starts_at_ms: read_time("alerts", self.starts_at.as_deref())?,
            ends_at_ms: read_time("alerts", self.ends_at.as_deref())?,
            generator_url,
        })
    }
}

/// Whether a text is the address of something: a path from the root, or behind a scheme.
fn is_uri(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.'))
    };
    let is_plain = !text.chars().any(|character| character == ' ' || character.is_ascii_control());
    is_plain && (text.starts_with('/') || text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)))
}

/// `POST /api/v2/alerts`: answered when they are on stable storage.
pub(super) async fn post(State(state): State<ApiState>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let posted: Vec<Option<Posted>> = refusal::read::<Option<_>>("alerts", &headers, &body)?.unwrap_or_default();
    if posted.len() > ALERTS_MAX {
        return Err(Refusal::bad(format!("found {} alerts: want at most {ALERTS_MAX}", posted.len())));
    }
    let alerts = posted.into_iter().enumerate().map(|(index, alert)| alert.unwrap_or_default().read(index)).collect::<Result<Vec<_>, _>>()?;
    state.alert_desk.post(alerts).await?;
    Ok(StatusCode::OK.into_response())
}
