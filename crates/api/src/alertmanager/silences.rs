//! Silences: listed, set, ended.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use signalbox_model::{ErrorKind, MatchOp, Matcher};

use super::desk::DeskSilence;
use super::{Refusal, filters, flag, not_found, read_time, refusal, time};
use crate::ApiState;
use crate::http::Params;

/// `GET /api/v2/silences`: those that go on first, those that end soonest first among them.
pub(super) async fn list(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let filters = filters(&params)?;
    let (active, pending, expired) = (flag(&params, "active"), flag(&params, "pending"), flag(&params, "expired"));
    let mut silences = state.alert_desk.silences().await;
    silences.retain(|silence| {
        let is_shown = match silence.state {
            "active" => active,
            "pending" => pending,
            _ => expired,
        };
        is_shown && silence.matchers.iter().any(|set| filters.iter().all(|filter| set.iter().any(|matcher| is_same(matcher, filter))))
    });
    silences.sort_by_key(|silence| match silence.state {
        "active" => (0, silence.ends_at_ms, silence.id.clone()),
        "pending" => (1, silence.starts_at_ms, silence.id.clone()),
        _ => (2, silence.ends_at_ms.saturating_neg(), silence.id.clone()),
    });
    Ok(axum::Json(silences.iter().map(show).collect::<Vec<Value>>()).into_response())
}

/// Whether a filter is a matcher of a silence, letter by letter: silences are found by what they say, not by what they silence.
fn is_same(matcher: &Matcher, filter: &Matcher) -> bool {
    matcher.name == filter.name && matcher.op == filter.op && matcher.value == filter.value
}

/// Refuses what no silence can be called.
fn check_id(id: &str) -> Result<(), Refusal> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_parts = || id.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && id.split('-').all(is_hex);
    if (id.len() == 32 && is_hex(id)) || has_parts() { Ok(()) } else { Err(Refusal::wrong_type("silenceID", "path", "uuid", id)) }
}

/// `GET /api/v2/silence/{id}`
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response, Refusal> {
    check_id(&id)?;
    let silences = state.alert_desk.silences().await;
    Ok(silences.iter().find(|silence| silence.id == id).map_or_else(not_found, |silence| axum::Json(show(silence)).into_response()))
}

/// `DELETE /api/v2/silence/{id}`
pub(super) async fn expire(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response, Refusal> {
    check_id(&id)?;
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

#[derive(Deserialize, Default)]
struct PostedMatcher {
    name: Option<String>,
    value: Option<String>,
    #[serde(rename = "isRegex")]
    is_regex: Option<bool>,
    #[serde(rename = "isEqual")]
    is_equal: Option<bool>,
}

#[derive(Deserialize, Default)]
struct Posted {
    id: Option<String>,
    matchers: Option<Vec<Option<PostedMatcher>>>,
    #[serde(rename = "matcherSets")]
    sets: Option<Vec<Vec<Option<PostedMatcher>>>>,
    #[serde(rename = "startsAt")]
    starts_at: Option<String>,
    #[serde(rename = "endsAt")]
    ends_at: Option<String>,
    #[serde(rename = "createdBy")]
    created_by: Option<String>,
    comment: Option<String>,
    annotations: Option<BTreeMap<String, Option<String>>>,
}

impl PostedMatcher {
    /// The matcher at a path of the body, the `index`th of the `set`th set.
    fn read(self, path: &str, set: usize, index: usize) -> Result<Matcher, Refusal> {
        let missing = |key: &str| Refusal::missing(&format!("{path}.{key}"));
        let is_regex = self.is_regex.ok_or_else(|| missing("isRegex"))?;
        let name = self.name.ok_or_else(|| missing("name"))?;
        let value = self.value.ok_or_else(|| missing("value"))?;
        let op = match (is_regex, self.is_equal.unwrap_or(true)) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        let invalid = |why: String| Refusal::bad(format!("invalid silence: invalid label matcher {index} in set {set}: {why}"));
        if name.is_empty() {
            return Err(invalid("invalid label name \"\"".to_owned()));
        }
        Matcher::new(name, op, &value).map_err(|error| invalid(format!("invalid regular expression {value:?}: {}", error.message())))
    }
}

/// The matchers at a path of the body, which are one set of a silence.
fn read_set(matchers: Vec<Option<PostedMatcher>>, path: &str, set: usize) -> Result<Vec<Matcher>, Refusal> {
    if matchers.is_empty() {
        return Err(Refusal::empty(path));
    }
    let read = |(index, matcher): (usize, Option<PostedMatcher>)| matcher.unwrap_or_default().read(&format!("{path}.{index}"), set, index);
    matchers.into_iter().enumerate().map(read).collect()
}

impl Posted {
    /// In the order in which Alertmanager looks at what there is.
    fn read(self) -> Result<DeskSilence, Refusal> {
        let missing = |key: &str| Refusal::missing(key);
        let comment = self.comment.ok_or_else(|| missing("comment"))?;
        let created_by = self.created_by.ok_or_else(|| missing("createdBy"))?;
        let ends_at = self.ends_at.ok_or_else(|| missing("endsAt"))?;
        let sets = match self.sets.filter(|sets| !sets.is_empty()) {
            Some(sets) => sets.into_iter().enumerate().map(|(set, matchers)| read_set(matchers, &format!("matcherSets.{set}"), set)).collect(),
            None => self.matchers.ok_or_else(|| missing("matchers")).and_then(|matchers| Ok(vec![read_set(matchers, "matchers", 0)?])),
        };
        let matchers = sets?;
        let starts_at = self.starts_at.ok_or_else(|| missing("startsAt"))?;
        Ok(DeskSilence {
            id: self.id.unwrap_or_default(),
            state: "",
            matchers,
            starts_at_ms: read_time("silence", Some(&starts_at))?.unwrap_or_default(),
            ends_at_ms: read_time("silence", Some(&ends_at))?.unwrap_or_default(),
            updated_at_ms: 0,
            created_by,
            comment,
            annotations: self.annotations.unwrap_or_default().into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect(),
        })
    }
}

/// `POST /api/v2/silences`: answered when it is on stable storage.
pub(super) async fn set(State(state): State<ApiState>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let posted: Posted = refusal::read::<Option<_>>("silence", &headers, &body)?.unwrap_or_default();
    let id = state.alert_desk.set_silence(posted.read()?).await?;
    Ok(axum::Json(json!({ "silenceID": id })).into_response())
}
