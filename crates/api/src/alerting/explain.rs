//! `GET /api/v1/alerting/explain`: what there is to know of one alert at an instant: its value at each evaluation, what became of it,
//! the routes that it takes, what keeps people from being told, and each attempt to tell them with what was answered.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `fingerprint` or `labels` | which alert; labels are a JSON object and must be among those of the alert | |
//! | `at` | the instant | now |
//! | `start` | since when | when the alert was found last before `at`, and some evaluations more |
//! | `limit` | evaluations, events and notifications, each, 1 to 10 000 | 500 |
//!
//! Alerts of our own rules are told as `alert_relabel_configs` say: `told_as` has the labels that routes, silences and receivers see, null
//! if nobody is told, as rules in force say now. An alert may be asked for by either labels.
//!
//! Routes and the query of the rule are those in force now. `evaluations` are those at which the alert was pending or firing, and those
//! that failed; `value` is null if the expression did not find it.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use signalbox_lang::duration::format_ms;
use signalbox_lang::promql;
use signalbox_lang::text::quote;
use signalbox_meta::{ALERT_VALUE_SERIES, GroupStatus, HistoryEvent, HistoryFilter, Meta, NotificationFilter, Pairs, RuleKind, RuleStatus};
use signalbox_model::{Result, Tenant};
use signalbox_query::promql::{PromqlRequest, Times, Value as Answer};

use super::answer::{Refusal, fingerprint as written, number, success, time};
use super::{history, meta, notifications, params};
use crate::ApiState;
use crate::alertmanager::{DeskAlert, DeskWay, DeskWayStep};
use crate::http::{Asker, Params};

/// Alerts that the labels of a question are compared with.
const CANDIDATES_MAX: u32 = 1_000;
/// Latest events of an alert among which one of its rule is looked for.
const EVENTS_MAX: u32 = 100;
/// Fingerprints that a refusal names.
const NAMED_MAX: usize = 5;
/// Evaluations before the alert was found that are shown as well.
const EVALUATIONS_BEFORE: u32 = 5;
/// How far back of an instant an alert is looked for of which no history is known.
const LOOK_BACK_MS: i64 = 3_600_000;
/// Words of changes that say what mutes an alert.
const MUTES: [&str; 4] = ["silenced", "inhibited", "muted", "unmuted"];
/// The word for a firing that was over before anybody was told.
const UNTOLD: &str = "untold";

/// Whether an event says how an alert moved.
fn moves(event: &HistoryEvent) -> bool {
    !MUTES.contains(&event.change.as_str()) && event.change != UNTOLD
}

/// The alert that is asked about.
struct Subject {
    /// Of its own labels.
    fingerprint: u64,
    labels: Pairs,
    /// The labels that it is told with, if anybody is told.
    told_as: Option<(u64, Pairs)>,
    /// As it is now, if it fires.
    live: Option<DeskAlert>,
}

/// An instant and what of the past belongs to it.
struct Window {
    at_ms: i64,
    start_ms: i64,
    limit: u32,
}

/// `GET explain`
pub(super) async fn explain(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let meta = meta(&state)?;
    let subject = subject(&state, meta, &params).await?;
    let (asked_ms, limit) = (params::instant_ms(&params, "at")?, params::limit(&params)?);
    let at_ms = asked_ms.unwrap_or_else(|| state.engine.clock().now_ms());
    let filter = HistoryFilter { fingerprint: Some(subject.fingerprint), end_ms: Some(at_ms), limit, ..HistoryFilter::default() };
    let known = meta.alert_history(&filter).await?;
    let (file, group_name, rule_name) = known.iter().find(|event| !event.rule.is_empty()).map(of_rule).unwrap_or_default();
    let groups = state.alerts.groups();
    let group = groups.iter().find(|group| group.file == file && group.name == group_name).map(AsRef::as_ref);
    let rule = group.and_then(|group| rule_of(group, &rule_name, &subject.labels));
    let start_ms = match params::instant_ms(&params, "start")? {
        Some(start_ms) => start_ms,
        None => start(&known, group, subject.live.as_ref().map(|live| live.starts_at_ms), at_ms),
    };
    let window = Window { at_ms, start_ms, limit };
    let events: Vec<HistoryEvent> = known.into_iter().filter(|event| event.at_ms >= start_ms).collect();
    let failures = HistoryFilter {
        of_rules: true,
        file: Some(file.clone()),
        group: Some(group_name.clone()),
        rule: Some(rule_name.clone()),
        start_ms: Some(start_ms),
        end_ms: Some(at_ms),
        limit,
        ..HistoryFilter::default()
    };
    let failures = meta.alert_history(&failures).await?;
    let offset_ms = group.map_or(0, |group| milliseconds(group.query_offset));
    let values = values(&state, &tenant, &subject.labels, &window).await?;
    let told = NotificationFilter {
        start_ns: Some(start_ms.saturating_mul(1_000_000)),
        end_ns: Some(at_ms.saturating_mul(1_000_000)),
        fingerprint: Some(subject.told_as.as_ref().map_or(subject.fingerprint, |(fingerprint, _)| *fingerprint)),
        limit,
        ..NotificationFilter::default()
    };
    let told = meta.notification_records(&told).await?;
    let routes = match &subject.told_as {
        Some((_, labels)) => state.alert_desk.ways(labels).await,
        None => Vec::new(),
    };
    Ok(success(&json!({
        "labels": subject.labels,
        "told_as": subject.told_as.as_ref().map(|(_, labels)| labels),
        "fingerprint": written(subject.fingerprint),
        "rule": show_rule(&file, &group_name, &rule_name, rule),
        "at": time(at_ms),
        "state": state_at(&events, subject.live.as_ref().filter(|_| asked_ms.is_none())),
        "evaluations": evaluations(&values, &events, &failures, offset_ms),
        "events": events.iter().chain(&failures).map(history::show).collect::<Vec<_>>(),
        "routes": routes.iter().map(show_way).collect::<Vec<_>>(),
        "muted": muted(&events, subject.live.as_ref().filter(|_| asked_ms.is_none())),
        "notifications": told.iter().map(notifications::show).collect::<Vec<_>>(),
    })))
}

async fn subject(state: &ApiState, meta: &Meta, params: &Params) -> Result<Subject, Refusal> {
    let live = state.alert_desk.alerts().await;
    if let Some(fingerprint) = params::fingerprint(params)? {
        let labels = match live.iter().find(|alert| number_of(alert) == fingerprint) {
            Some(alert) => Some(alert.labels.clone()),
            None => meta.labels_of(fingerprint).await?,
        };
        let labels = labels.ok_or_else(|| Refusal::not_found(format!("no alert {} is known", written(fingerprint))))?;
        return of_alert(state, meta, (fingerprint, labels), live).await;
    }
    let text = params.get("labels").ok_or_else(|| Refusal::bad("want fingerprint or labels, to know which alert is meant"))?;
    let wanted: Pairs = serde_json::from_str(text).map_err(|error| Refusal::bad(format!("invalid parameter \"labels\": {error}: want a JSON object")))?;
    let mut known = meta.alerts_with(&wanted, CANDIDATES_MAX).await?;
    let has_all = |alert: &&DeskAlert| wanted.iter().all(|(name, value)| alert.labels.get(name) == Some(value));
    known.extend(live.iter().filter(has_all).map(|alert| (number_of(alert), alert.labels.clone())));
    let mut known = without_aliases(state, meta, known).await?;
    known.sort_by(|left, right| (left.1.len(), &left.1).cmp(&(right.1.len(), &right.1)));
    known.dedup();
    // Labels of the server are seldom known to who asks: the alert with the fewest labels more is meant.
    let fewest = known.first().map_or(0, |(_, labels)| labels.len());
    let mut nearest: Vec<(u64, Pairs)> = known.into_iter().take_while(|(_, labels)| labels.len() == fewest).collect();
    match (nearest.pop(), nearest.is_empty()) {
        (None, _) => Err(Refusal::not_found(format!("no alert with labels {text} is known"))),
        (Some(found), true) => of_alert(state, meta, found, live).await,
        (Some(last), false) => {
            let names: Vec<String> = nearest.iter().chain([&last]).take(NAMED_MAX).map(|(fingerprint, _)| written(*fingerprint)).collect();
            let message = format!("{} alerts have labels {text}: want more labels, or a fingerprint, such as {}", nearest.len() + 1, names.join(", "));
            Err(Refusal::bad(message))
        }
    }
}

/// An alert by labels, be they its own or those that it is told with.
async fn of_alert(state: &ApiState, meta: &Meta, found: (u64, Pairs), live: Vec<DeskAlert>) -> Result<Subject, Refusal> {
    let own = if is_of_rule(meta, found.0).await? { Some(found.clone()) } else { own(state, meta, &found).await? };
    let told_as = match &own {
        Some((_, labels)) => state.alert_desk.told_as(labels).await,
        // Alerts of other rulers are told as they came.
        None => Some(found.clone()),
    };
    let (fingerprint, labels) = own.unwrap_or(found);
    let seen = told_as.as_ref().map_or(fingerprint, |(told, _)| *told);
    let live = live.into_iter().find(|alert| number_of(alert) == seen);
    Ok(Subject { fingerprint, labels, told_as, live })
}

/// Whether a rule of ours found this alert.
async fn is_of_rule(meta: &Meta, fingerprint: u64) -> Result<bool, Refusal> {
    let latest = HistoryFilter { fingerprint: Some(fingerprint), limit: EVENTS_MAX, ..HistoryFilter::default() };
    Ok(meta.alert_history(&latest).await?.iter().any(|event| !event.rule.is_empty()))
}

/// An alert of a rule of ours that is told with these labels, if one is known: among those that fire, then among those that did.
async fn own(state: &ApiState, meta: &Meta, told: &(u64, Pairs)) -> Result<Option<(u64, Pairs)>, Refusal> {
    if let Some(own) = state.alert_desk.aliased(&told.1).await.into_iter().next() {
        return Ok(Some(own));
    }
    for own in meta.alerts_with(&Pairs::new(), CANDIDATES_MAX).await? {
        let is_told_so = own.0 != told.0 && state.alert_desk.told_as(&own.1).await.is_some_and(|(fingerprint, _)| fingerprint == told.0);
        if is_told_so && is_of_rule(meta, own.0).await? {
            return Ok(Some(own));
        }
    }
    Ok(None)
}

/// Alerts without those that are others among them as these are told.
async fn without_aliases(state: &ApiState, meta: &Meta, known: Vec<(u64, Pairs)>) -> Result<Vec<(u64, Pairs)>, Refusal> {
    let mut aliases = BTreeSet::new();
    for (own, labels) in &known {
        let alias = state.alert_desk.told_as(labels).await.map(|(told, _)| told).filter(|told| told != own);
        if let Some(alias) = alias
            && is_of_rule(meta, *own).await?
        {
            aliases.insert(alias);
        }
    }
    Ok(known.into_iter().filter(|(fingerprint, _)| !aliases.contains(fingerprint)).collect())
}

fn number_of(alert: &DeskAlert) -> u64 {
    u64::from_str_radix(&alert.fingerprint, 16).unwrap_or(0)
}

fn of_rule(event: &HistoryEvent) -> (String, String, String) {
    (event.file.clone(), event.group.clone(), event.rule.clone())
}

/// The rule with a name whose labels the alert has; those that are templates say nothing.
fn rule_of<'a>(group: &'a GroupStatus, name: &str, labels: &Pairs) -> Option<&'a RuleStatus> {
    let is_like = |rule: &&RuleStatus| rule.labels.iter().all(|(name, value)| value.contains("{{") || labels.get(name).is_some_and(|known| known == value));
    let named = || group.rules.iter().filter(|rule| rule.name == name && matches!(rule.kind, RuleKind::Alerting(_)));
    named().find(is_like).or_else(|| named().next())
}

/// When the latest episode began, events newest first, and some evaluations before it. Of alerts of other rulers there are no events but
/// what mutes them: they began when they say so.
fn start(events: &[HistoryEvent], group: Option<&GroupStatus>, live_since_ms: Option<i64>, at_ms: i64) -> i64 {
    let mut began_ms = None;
    // Firings that nobody was told of belong to it: somebody may ask why.
    let untold_ms = events.iter().filter(|event| event.change == UNTOLD).filter_map(|event| event.note.began_at_ms);
    let untold_ms = untold_ms.filter(|began_at_ms| at_ms.saturating_sub(*began_at_ms) <= LOOK_BACK_MS).min();
    for event in events.iter().filter(|event| moves(event)) {
        let is_end = event.state == "inactive";
        if is_end && began_ms.is_some() {
            break;
        }
        if !is_end {
            began_ms = Some(event.at_ms);
        }
    }
    let began_ms = began_ms.map(|began_ms| untold_ms.map_or(began_ms, |untold_ms| untold_ms.min(began_ms)));
    let before_ms = group.map_or(0, |group| milliseconds(group.interval.saturating_mul(EVALUATIONS_BEFORE)));
    let long_ago_ms = at_ms.saturating_sub(LOOK_BACK_MS);
    began_ms.map_or(live_since_ms.map_or(long_ago_ms, |since_ms| since_ms.min(long_ago_ms)), |began_ms| began_ms.saturating_sub(before_ms))
}

/// The samples of the alert in a window, ascending in time.
async fn values(state: &ApiState, tenant: &Tenant, labels: &Pairs, window: &Window) -> Result<Vec<(i64, f64)>> {
    let matchers: Vec<String> = labels.iter().map(|(name, value)| format!("{}={}", quote(name), quote(value))).collect();
    let length_ms = window.at_ms.saturating_sub(window.start_ms).saturating_add(1).max(1);
    let text = format!("{{{},{}}}[{length_ms}ms]", quote(ALERT_VALUE_SERIES), matchers.join(","));
    let request = PromqlRequest { expr: promql::parse(&text)?, text, times: Times::Instant(window.at_ms), lookback: None, timeout: None };
    let Answer::Matrix(series) = state.engine.promql(tenant, request).await?.value else { return Ok(Vec::new()) };
    let own = series.into_iter().find(|series| series.labels.len() == labels.len() + 1);
    let mut floats = own.map(|series| series.floats).unwrap_or_default();
    let excess = floats.len().saturating_sub(window.limit as usize);
    floats.drain(..excess);
    Ok(floats)
}

/// Each evaluation with what the alert was after it, ascending in time. Samples lie before their evaluation by the offset of queries.
fn evaluations(values: &[(i64, f64)], events: &[HistoryEvent], failures: &[HistoryEvent], offset_ms: i64) -> Vec<Value> {
    let moved: Vec<&HistoryEvent> = events.iter().filter(|event| moves(event)).collect();
    // Newest first.
    let before = |at_ms: i64| moved.iter().find(|event| event.at_ms <= at_ms);
    let mut shown: Vec<(i64, Value)> = Vec::new();
    for (sample_ms, value) in values {
        let at_ms = sample_ms.saturating_add(offset_ms);
        let event = before(at_ms);
        let was_found = !(value.is_nan() && event.is_none_or(|event| event.value.is_none_or(|known| !known.is_nan())));
        let value = if was_found { number(*value) } else { Value::Null };
        shown.push((at_ms, json!({ "at": time(at_ms), "value": value, "state": event.map_or("unknown", |event| event.state.as_str()) })));
    }
    // The evaluation that ended the alert has no sample.
    for event in moved.iter().filter(|event| event.state == "inactive") {
        if !shown.iter().any(|(at_ms, _)| *at_ms == event.at_ms) {
            shown.push((event.at_ms, json!({ "at": time(event.at_ms), "value": null, "state": event.state })));
        }
    }
    for failure in failures.iter().filter(|failure| failure.note.error.is_some()) {
        let state = before(failure.at_ms).map_or("unknown", |event| event.state.as_str());
        shown.push((failure.at_ms, json!({ "at": time(failure.at_ms), "value": null, "state": state, "error": failure.note.error })));
    }
    shown.sort_by_key(|(at_ms, _)| *at_ms);
    shown.into_iter().map(|(_, evaluation)| evaluation).collect()
}

/// What the alert is, by the latest event, newest first.
fn state_at<'a>(events: &'a [HistoryEvent], live: Option<&DeskAlert>) -> &'a str {
    match (live, events.iter().find(|event| moves(event))) {
        (Some(_), _) => "firing",
        (None, Some(event)) => &event.state,
        (None, None) => "inactive",
    }
}

/// What mutes the alert: now, or by the latest event of each receiver, newest first.
fn muted(events: &[HistoryEvent], live: Option<&DeskAlert>) -> Value {
    if let Some(live) = live {
        let latest = latest_notes(events);
        let mut muted_by: Vec<&String> = live.muted_by.iter().chain(latest.iter().flat_map(|event| &event.note.muted_by)).collect();
        muted_by.sort();
        muted_by.dedup();
        return json!({ "silenced_by": live.silenced_by, "inhibited_by": live.inhibited_by, "muted_by": muted_by });
    }
    let latest = latest_notes(events);
    let all = |list: fn(&HistoryEvent) -> &Vec<String>| {
        let mut all: Vec<&String> = latest.iter().flat_map(|event| list(event)).collect();
        all.sort();
        all.dedup();
        json!(all)
    };
    json!({
        "silenced_by": all(|event| &event.note.silenced_by),
        "inhibited_by": all(|event| &event.note.inhibited_by),
        "muted_by": all(|event| &event.note.muted_by),
    })
}

/// The latest event about muting for each receiver, if the alert was not over since.
fn latest_notes(events: &[HistoryEvent]) -> Vec<&HistoryEvent> {
    let mut latest: Vec<&HistoryEvent> = Vec::new();
    for event in events
        .iter()
        .filter(|event| event.change != UNTOLD)
        .take_while(|event| event.state != "inactive")
        .filter(|event| MUTES.contains(&event.change.as_str()))
    {
        if !latest.iter().any(|known| known.note.receiver == event.note.receiver) {
            latest.push(event);
        }
    }
    latest
}

fn show_rule(file: &str, group: &str, name: &str, rule: Option<&RuleStatus>) -> Value {
    let mut shown = json!({ "file": file, "group": group, "name": name });
    if let Some(rule) = rule
        && let RuleKind::Alerting(alerting) = &rule.kind
    {
        shown["query"] = json!(rule.query);
        shown["lang"] = json!(rule.lang);
        shown["for"] = json!(format_ms(milliseconds(alerting.hold)));
        shown["keep_firing_for"] = json!(format_ms(milliseconds(alerting.keep_firing)));
    }
    shown
}

fn show_way(way: &DeskWay) -> Value {
    let step = |step: &DeskWayStep| json!({ "matchers": step.matchers, "receiver": step.receiver, "continue": step.continues });
    json!({
        "receiver": way.receiver,
        "path": way.steps.iter().map(step).collect::<Vec<_>>(),
        "group_key": way.group_key,
        "group_by": way.group_by,
        "group_wait": format_ms(way.wait_ms),
        "group_interval": format_ms(way.interval_ms),
        "repeat_interval": format_ms(way.repeat_ms),
    })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
