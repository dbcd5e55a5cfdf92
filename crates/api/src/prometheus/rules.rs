//! `GET /rules`: all rules, how their latest evaluation went, and the alerts of each.

use std::collections::BTreeSet;
use std::num::{IntErrorKind, ParseIntError};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use signalbox_lang::promql::parse_matchers;
use signalbox_lang::text::quote;
use signalbox_meta::{AlertingStatus, GroupStatus, RuleKind, RuleStatus};
use signalbox_model::Matcher;
use signalbox_model::attributes::write_json_string;

use super::alerts::write_alerts;
use super::number::write_value;
use super::params::parse_bool;
use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::alertmanager::Telling;
use crate::http::Params;

/// What is asked for.
struct Wanted<'a> {
    names: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
    files: BTreeSet<&'a str>,
    alerting: bool,
    recording: bool,
    without_alerts: bool,
    matchers: Vec<Vec<Matcher>>,
    page: Option<Page<'a>>,
}

/// What is shown of the alerts of a rule.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Nothing,
    /// They, with what they are told as if that is another thing.
    Alerts(Option<&'a Telling>),
}

/// One page of groups.
struct Page<'a> {
    groups_max: usize,
    start: Option<&'a str>,
}

/// `GET /rules`
pub(super) async fn rules(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    answer(&state.alerts.groups(), &params, state.alert_desk.telling().await.as_ref())
}

/// The same of rules over logs alone.
pub(super) async fn log_rules(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    answer(&of_logs(&state.alerts.groups()), &params, state.alert_desk.telling().await.as_ref())
}

/// The groups with their rules in LogQL, without those that have none.
pub(super) fn of_logs(groups: &[Arc<GroupStatus>]) -> Vec<Arc<GroupStatus>> {
    let is_logql = |rule: &&RuleStatus| rule.lang == "logql";
    let of_group = |group: &Arc<GroupStatus>| {
        let rules: Vec<RuleStatus> = group.rules.iter().filter(is_logql).cloned().collect();
        (!rules.is_empty()).then(|| Arc::new(GroupStatus { rules, ..GroupStatus::clone(group) }))
    };
    groups.iter().filter_map(of_group).collect()
}

fn answer(all: &[Arc<GroupStatus>], params: &Params, telling: Option<&Telling>) -> Result<Response, Refusal> {
    let wanted = Wanted::new(params)?;
    let shown = if wanted.without_alerts { Shown::Nothing } else { Shown::Alerts(telling) };
    let start = match wanted.page.as_ref().and_then(|page| page.start) {
        None => 0,
        Some(token) => all
            .iter()
            .position(|group| next_token(group) == token)
            .ok_or_else(|| Refusal::parameter("group_next_token", format!("invalid group_next_token '{token}'. were rule groups changed?")))?,
    };
    let (mut out, mut count, mut next) = (String::from("{\"groups\":["), 0, None);
    for group in all.iter().skip(start).filter(|group| wanted.has_group(group)) {
        let rules: Vec<&RuleStatus> = group.rules.iter().filter(|rule| wanted.has_rule(rule)).collect();
        if rules.is_empty() {
            continue;
        }
        if wanted.page.as_ref().is_some_and(|page| count == page.groups_max) {
            next = Some(next_token(group));
            break;
        }
        if count > 0 {
            out.push(',');
        }
        count += 1;
        write_group(&mut out, group, &rules, shown);
    }
    out.push(']');
    if let Some(token) = next {
        out.push_str(",\"groupNextToken\":");
        write_json_string(&mut out, &token);
    }
    out.push('}');
    Ok(render::success(&out))
}

impl<'a> Wanted<'a> {
    fn new(params: &'a Params) -> Result<Self, Refusal> {
        // In Prometheus' order, so that of several mistakes the same one is told.
        let matchers = matchers(params)?;
        let kind = params.get("type").unwrap_or("").to_lowercase();
        if !["", "alert", "record"].contains(&kind.as_str()) {
            return Err(Refusal::parameter("type", format!("not supported value {kind:?}")));
        }
        Ok(Self {
            names: any_of(params, ["rule_name[]", "rule_name"]),
            groups: any_of(params, ["rule_group[]", "rule_group"]),
            files: any_of(params, ["file[]", "file"]),
            alerting: kind != "record",
            recording: kind != "alert",
            without_alerts: without_alerts(params)?,
            matchers,
            page: page(params)?,
        })
    }

    fn has_group(&self, group: &GroupStatus) -> bool {
        let is_in = |names: &BTreeSet<&str>, name: &str| names.is_empty() || names.contains(name);
        is_in(&self.groups, &group.name) && is_in(&self.files, &group.file)
    }

    fn has_rule(&self, rule: &RuleStatus) -> bool {
        let has_kind = match rule.kind {
            RuleKind::Alerting(_) => self.alerting,
            RuleKind::Recording => self.recording,
        };
        let has_labels = self.matchers.is_empty() || self.matchers.iter().any(|set| set.iter().all(|matcher| matcher.matches_labels(&rule.labels)));
        has_kind && has_labels && (self.names.is_empty() || self.names.contains(rule.name.as_str()))
    }
}

/// All values of a parameter under its name in Prometheus and under that in Loki.
fn any_of<'a>(params: &'a Params, names: [&'a str; 2]) -> BTreeSet<&'a str> {
    names.into_iter().flat_map(|name| params.all(name)).collect()
}

fn matchers(params: &Params) -> Result<Vec<Vec<Matcher>>, Refusal> {
    let sets = params.all("match[]").map(|text| parse_matchers(text).map_err(|error| Refusal::bad_data(error.message())));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    if sets.iter().any(|set| set.iter().all(Matcher::matches_empty)) {
        return Err(Refusal::bad_data("match[] must contain at least one non-empty matcher"));
    }
    Ok(sets)
}

fn without_alerts(params: &Params) -> Result<bool, Refusal> {
    let Some(text) = params.get("exclude_alerts").map(str::to_lowercase) else { return Ok(false) };
    parse_bool(&text).ok_or_else(|| {
        let reason = format!("error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax", quote(&text));
        Refusal::parameter("exclude_alerts", reason)
    })
}

fn page(params: &Params) -> Result<Option<Page<'_>>, Refusal> {
    let (limit, start) = (params.get("group_limit"), params.get("group_next_token"));
    let Some(limit) = limit else {
        return match start {
            None => Ok(None),
            Some(_) => Err(Refusal::parameter("group_next_token", "group_limit needs to be present in order to paginate over the groups")),
        };
    };
    let groups_max: i32 = limit.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        Refusal::parameter("group_limit", format!("group_limit needs to be a valid number: strconv.ParseInt: parsing {}: {why}", quote(limit)))
    })?;
    match usize::try_from(groups_max) {
        Ok(groups_max @ 1..) => Ok(Some(Page { groups_max, start })),
        _ => Err(Refusal::parameter("group_limit", "group_limit needs to be greater than 0")),
    }
}

/// Names a group; only this server reads it.
fn next_token(group: &GroupStatus) -> String {
    hex::encode(format!("{};{}", group.file, group.name))
}

fn write_group(out: &mut String, group: &GroupStatus, rules: &[&RuleStatus], shown: Shown<'_>) {
    out.push_str("{\"name\":");
    write_json_string(out, &group.name);
    out.push_str(",\"file\":");
    write_json_string(out, &group.file);
    out.push_str(",\"rules\":[");
    for (position, rule) in rules.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        match &rule.kind {
            RuleKind::Alerting(alerting) => write_alerting(out, rule, alerting, shown),
            RuleKind::Recording => write_recording(out, rule),
        }
    }
    out.push_str("],\"interval\":");
    write_seconds(out, group.interval);
    out.push_str(",\"limit\":");
    out.push_str(&group.limit.to_string());
    write_evaluation(out, group.evaluation, group.evaluated_at_ns);
    out.push('}');
}

fn write_alerting(out: &mut String, rule: &RuleStatus, alerting: &AlertingStatus, shown: Shown<'_>) {
    let state = match (rule.evaluated_at_ns, alerting.alerts.iter().any(|alert| alert.is_firing), alerting.alerts.is_empty()) {
        (None, _, true) => "unknown",
        (_, true, _) => "firing",
        (_, false, false) => "pending",
        (Some(_), false, true) => "inactive",
    };
    out.push_str("{\"state\":\"");
    out.push_str(state);
    out.push_str("\",\"name\":");
    write_json_string(out, &rule.name);
    out.push_str(",\"query\":");
    write_json_string(out, &rule.query);
    out.push_str(",\"duration\":");
    write_seconds(out, alerting.hold);
    out.push_str(",\"keepFiringFor\":");
    write_seconds(out, alerting.keep_firing);
    out.push_str(",\"labels\":");
    render::write_labels(out, &rule.labels);
    out.push_str(",\"annotations\":");
    render::write_labels(out, &alerting.annotations);
    for (key, value) in &alerting.extras {
        out.push_str(",\"");
        out.push_str(key);
        out.push_str("\":");
        write_json_string(out, value);
    }
    out.push_str(",\"alerts\":");
    match shown {
        Shown::Nothing => out.push_str("null"),
        Shown::Alerts(telling) => {
            out.push('[');
            write_alerts(out, &alerting.alerts, telling);
            out.push(']');
        }
    }
    write_health(out, rule);
    write_lang(out, rule);
    out.push_str(",\"type\":\"alerting\"}");
}

fn write_recording(out: &mut String, rule: &RuleStatus) {
    out.push_str("{\"name\":");
    write_json_string(out, &rule.name);
    out.push_str(",\"query\":");
    write_json_string(out, &rule.query);
    out.push_str(",\"labels\":");
    render::write_labels(out, &rule.labels);
    write_health(out, rule);
    write_lang(out, rule);
    out.push_str(",\"type\":\"recording\"}");
}

/// Prometheus has rules in one language and does not say which.
fn write_lang(out: &mut String, rule: &RuleStatus) {
    if rule.lang != "promql" {
        out.push_str(",\"lang\":\"");
        out.push_str(rule.lang);
        out.push('"');
    }
    if let Some(range) = rule.range {
        out.push_str(",\"range\":");
        write_seconds(out, range);
    }
}

fn write_health(out: &mut String, rule: &RuleStatus) {
    out.push_str(",\"health\":\"");
    out.push_str(rule.health.as_str());
    out.push('"');
    if let Some(error) = rule.last_error.as_deref().filter(|error| !error.is_empty()) {
        out.push_str(",\"lastError\":");
        write_json_string(out, error);
    }
    write_evaluation(out, rule.evaluation, rule.evaluated_at_ns);
}

fn write_evaluation(out: &mut String, took: Duration, at_ns: Option<i64>) {
    out.push_str(",\"evaluationTime\":");
    write_seconds(out, took);
    out.push_str(",\"lastEvaluation\":\"");
    match at_ns.and_then(|at_ns| jiff::Timestamp::from_nanosecond(i128::from(at_ns)).ok()) {
        Some(instant) => out.push_str(&instant.to_string()),
        // Go's time before anything happened.
        None => out.push_str("0001-01-01T00:00:00Z"),
    }
    out.push('"');
}

fn write_seconds(out: &mut String, duration: Duration) {
    write_value(out, duration.as_secs_f64());
}
