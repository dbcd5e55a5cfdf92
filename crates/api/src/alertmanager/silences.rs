//! Silences: listed, set, ended.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use signalbox_model::{ErrorKind, MatchOp, Matcher};

use super::desk::DeskSilence;
use super::{Refusal, bad, filters, flag, holds, not_found, read_time, time};
use crate::ApiState;
use crate::http::Params;

/// `GET /api/v2/silences`: those that go on first, those that end soonest first among them.
pub(super) async fn list(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let filters = filters(&params)?;
    let (active, pending, expired) = (flag(&params, "active")?, flag(&params, "pending")?, flag(&params, "expired")?);
    let mut silences = state.alert_desk.silences().await;
    silences.retain(|silence| {
        let is_shown = match silence.state {
            "active" => active,
            "pending" => pending,
            _ => expired,
        };
        let value_of = |set: &[Matcher], name: &str| set.iter().find(|matcher| matcher.name == name).map(|matcher| matcher.value.clone());
        is_shown && silence.matchers.iter().any(|set| all_hold(&filters, |name| value_of(set, name)))
    });
    silences.sort_by_key(|silence| match silence.state {
        "active" => (0, silence.ends_at_ms, silence.id.clone()),
        "pending" => (1, silence.starts_at_ms, silence.id.clone()),
        _ => (2, silence.ends_at_ms.saturating_neg(), silence.id.clone()),
    });
    Ok(axum::Json(silences.iter().map(show).collect::<Vec<Value>>()).into_response())
}

fn all_hold(filters: &[Matcher], value_of: impl Fn(&str) -> Option<String>) -> bool {
    filters.iter().all(|filter| {
        let value = value_of(&filter.name);
        holds(std::slice::from_ref(filter), |_| value.as_deref())
    })
}

/// `GET /api/v2/silence/{id}`
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Response {
    let silences = state.alert_desk.silences().await;
    silences.iter().find(|silence| silence.id == id).map_or_else(not_found, |silence| axum::Json(show(silence)).into_response())
}

/// `DELETE /api/v2/silence/{id}`
pub(super) async fn expire(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response, Refusal> {
    match state.alert_desk.expire_silence(&id).await {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(not_found()),
        Err(error) => Err(error.into()),
    }
}

fn show(silence: &DeskSilence) -> Value {
    let sets: Vec<Vec<Value>> = silence.matchers.iter().map(|set| set.iter().map(show_matcher).collect()).collect();
    let mut shown = json!({
        "id": silence.id,
        "status": { "state": silence.state },
        "matchers": sets.first().cloned().unwrap_or_default(),
        "startsAt": time(silence.starts_at_ms),
        "endsAt": time(silence.ends_at_ms),
        "updatedAt": time(silence.updated_at_ms),
        "createdBy": silence.created_by,
        "comment": silence.comment,
        "annotations": silence.annotations,
    });
    if sets.len() > 1 {
        shown["matcherSets"] = json!(sets);
    }
    shown
}

fn show_matcher(matcher: &Matcher) -> Value {
    json!({
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex),
        "isEqual": matches!(matcher.op, MatchOp::Equal | MatchOp::Regex),
    })
}

#[derive(Deserialize)]
struct PostedMatcher {
    name: String,
    value: String,
    #[serde(rename = "isRegex")]
    is_regex: bool,
    #[serde(rename = "isEqual")]
    is_equal: Option<bool>,
}

#[derive(Deserialize)]
struct Posted {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<PostedMatcher>,
    #[serde(rename = "matcherSets")]
    sets: Option<Vec<Vec<PostedMatcher>>>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
    #[serde(rename = "createdBy")]
    created_by: String,
    comment: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl PostedMatcher {
    fn read(self) -> Result<Matcher, Refusal> {
        let op = match (self.is_regex, self.is_equal.unwrap_or(true)) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        if self.name.is_empty() {
            return Err(bad("invalid silence: invalid label matcher 0: invalid label name \"\""));
        }
        Ok(Matcher::new(self.name, op, self.value)?)
    }
}

/// `POST /api/v2/silences`: answered when it is on stable storage.
pub(super) async fn set(State(state): State<ApiState>, body: Bytes) -> Result<Response, Refusal> {
    let posted: Posted = serde_json::from_slice(&body).map_err(|error| bad(format!("parsing silence body from \"\" failed, because {error}")))?;
    let sets = posted.sets.filter(|sets| !sets.is_empty()).unwrap_or_else(|| vec![posted.matchers]);
    let sets = sets.into_iter().map(|set| set.into_iter().map(PostedMatcher::read).collect::<Result<Vec<_>, _>>()).collect::<Result<Vec<_>, _>>()?;
    let silence = DeskSilence {
        id: posted.id.unwrap_or_default(),
        state: "",
        matchers: sets,
        starts_at_ms: read_time("startsAt", Some(&posted.starts_at))?.unwrap_or_default(),
        ends_at_ms: read_time("endsAt", Some(&posted.ends_at))?.unwrap_or_default(),
        updated_at_ms: 0,
        created_by: posted.created_by,
        comment: posted.comment,
        annotations: posted.annotations.unwrap_or_default(),
    };
    let id = state.alert_desk.set_silence(silence).await?;
    Ok(axum::Json(json!({ "silenceID": id })).into_response())
}
