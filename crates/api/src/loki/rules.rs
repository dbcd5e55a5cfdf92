//! `rules`: the rule groups that are evaluated, in the form of rule files, by file. Reading only: rules are files.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE};
use serde::Serialize;
use signalbox_lang::duration::format_ms;
use signalbox_meta::{GroupStatus, RuleKind, RuleStatus};
use signalbox_model::{Error, Labels, Result};

use super::params::Refusal;
use crate::ApiState;

#[derive(Serialize)]
struct Group {
    name: String,
    interval: String,
    #[serde(skip_serializing_if = "is_zero")]
    limit: usize,
    rules: Vec<Rule>,
}

#[derive(Serialize, Default)]
struct Rule {
    #[serde(skip_serializing_if = "String::is_empty")]
    record: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    alert: String,
    expr: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    lang: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    range: String,
    #[serde(rename = "for", skip_serializing_if = "String::is_empty")]
    hold: String,
    #[serde(rename = "keep_firing_for", skip_serializing_if = "String::is_empty")]
    keep_firing: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// `GET /rules`: all groups by file.
pub(super) async fn all(State(state): State<ApiState>) -> Result<Response, Refusal> {
    Ok(by_file(&state, |_| true)?)
}

/// `GET /rules/{namespace}`: the groups of a file.
pub(super) async fn of_file(State(state): State<ApiState>, Path(file): Path<String>) -> Result<Response, Refusal> {
    Ok(by_file(&state, |group| group.file == file)?)
}

/// `GET /rules/{namespace}/{group}`
pub(super) async fn one(State(state): State<ApiState>, Path((file, name)): Path<(String, String)>) -> Result<Response, Refusal> {
    let groups = state.alerts.groups();
    let found = groups.iter().find(|group| group.file == file && group.name == name);
    Ok(match found {
        Some(status) => yaml(&group(status))?,
        None => (StatusCode::NOT_FOUND, "group does not exist\n").into_response(),
    })
}

/// `POST` and `DELETE` below `/rules`.
pub(super) async fn write() -> Response {
    let message = "rules are files here: change the files of alert.rule_files and reload the configuration\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")], message).into_response()
}

fn by_file(state: &ApiState, is_wanted: impl Fn(&GroupStatus) -> bool) -> Result<Response> {
    let mut files: BTreeMap<String, Vec<Group>> = BTreeMap::new();
    for status in state.alerts.groups().iter().filter(|group| is_wanted(group)) {
        files.entry(status.file.clone()).or_default().push(group(status));
    }
    // The words of Loki; Grafana takes it for an empty list.
    if files.is_empty() { Ok((StatusCode::NOT_FOUND, "no rule groups found\n").into_response()) } else { yaml(&files) }
}

fn yaml(value: &impl Serialize) -> Result<Response> {
    let text = serde_norway::to_string(value).map_err(|error| Error::internal("cannot write rules as YAML").with_source(error))?;
    Ok(([(CONTENT_TYPE, "application/yaml")], text).into_response())
}

fn group(status: &GroupStatus) -> Group {
    Group { name: status.name.clone(), interval: span(status.interval), limit: status.limit, rules: status.rules.iter().map(rule).collect() }
}

fn rule(status: &RuleStatus) -> Rule {
    // Rules in the language of rule files of Prometheus do not say so.
    let lang = if status.lang == "promql" { "" } else { status.lang };
    let rule = Rule { expr: status.query.clone(), lang, range: status.range.map(span).unwrap_or_default(), labels: pairs(&status.labels), ..Rule::default() };
    match &status.kind {
        RuleKind::Recording => Rule { record: status.name.clone(), ..rule },
        RuleKind::Alerting(alerting) => {
            let nonzero = |duration: Duration| if duration.is_zero() { String::new() } else { span(duration) };
            let (hold, keep_firing) = (nonzero(alerting.hold), nonzero(alerting.keep_firing));
            Rule { alert: status.name.clone(), hold, keep_firing, annotations: pairs(&alerting.annotations), ..rule }
        }
    }
}

fn span(duration: Duration) -> String {
    format_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn pairs(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn is_zero(limit: &usize) -> bool {
    *limit == 0
}
