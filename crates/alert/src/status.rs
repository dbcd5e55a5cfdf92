//! A group as the board shows it.

use std::time::Duration;

use signalbox_meta::{ActiveAlert, AlertingStatus, GroupStatus, Health, RuleKind as ShownKind, RuleStatus};

use crate::evaluate::{Evaluator, RuleState};
use crate::rule_file::{NoData, OnError, Policies, Rule, RuleKind};
use crate::state::State;

pub(crate) fn of(evaluator: &Evaluator) -> GroupStatus {
    let group = &evaluator.group;
    GroupStatus {
        file: group.file.clone(),
        name: group.name.clone(),
        interval: milliseconds(evaluator.slots.interval_ms()),
        query_offset: milliseconds(evaluator.query_offset_ms),
        limit: group.limit,
        evaluated_at_ns: evaluator.evaluated.at_ns,
        evaluation: evaluator.evaluated.took,
        rules: group.rules.iter().zip(&evaluator.rules).map(|(rule, state)| rule_status(rule, state)).collect(),
    }
}

fn rule_status(rule: &Rule, state: &RuleState) -> RuleStatus {
    let kind = match &rule.kind {
        RuleKind::Recording => ShownKind::Recording,
        RuleKind::Alerting(alerting) => ShownKind::Alerting(AlertingStatus {
            hold: milliseconds(alerting.hold_ms),
            keep_firing: milliseconds(alerting.keep_firing_ms),
            annotations: alerting.annotations.clone(),
            extras: extras(&alerting.policies),
            alerts: active(state),
        }),
    };
    let health = match (&state.evaluated.at_ns, &state.evaluated.error) {
        (None, _) => Health::Unknown,
        (Some(_), None) => Health::Good,
        (Some(_), Some(_)) => Health::Bad,
    };
    RuleStatus {
        name: rule.name.clone(),
        query: rule.query.clone(),
        lang: rule.expr.language().as_str(),
        range: rule.expr.range_ms().map(milliseconds),
        labels: rule.labels.clone(),
        health,
        last_error: state.evaluated.error.clone(),
        evaluated_at_ns: state.evaluated.at_ns,
        evaluation: state.evaluated.took,
        kind,
    }
}

/// Policies that are not the default.
fn extras(policies: &Policies) -> Vec<(&'static str, String)> {
    let mut extras = Vec::new();
    if policies.no_data != NoData::default() {
        extras.push(("no_data", policies.no_data.as_str().to_owned()));
    }
    if policies.on_error != OnError::default() {
        extras.push(("on_error", policies.on_error.as_str().to_owned()));
    }
    if let Some(recovery) = &policies.recovery {
        extras.push(("recovery_expr", recovery.query.clone()));
    }
    extras
}

fn active(state: &RuleState) -> Vec<ActiveAlert> {
    let is_active = state.alerts.iter().filter(|(_, alert)| alert.state != State::Inactive);
    let show = |(labels, alert): (&signalbox_model::Labels, &crate::state::Alert)| ActiveAlert {
        labels: labels.clone(),
        annotations: alert.annotations.clone(),
        is_firing: alert.state == State::Firing,
        active_at_ms: alert.active_at_ms,
        keep_firing_since_ms: alert.keep_firing_since_ms,
        value: alert.value,
    };
    is_active.map(show).collect()
}

fn milliseconds(milliseconds: i64) -> Duration {
    Duration::from_millis(milliseconds.unsigned_abs())
}
