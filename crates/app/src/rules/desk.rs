//! Rules that are not in force, as the API asks for them.

use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::Alerting;
use signalbox_alert::backtest::{self, Bench, Firing, Notification, Request, RuleReport};
use signalbox_alert::rule_file::{self, Group, Problem, Rule, RuleKind, UnknownFields};
use signalbox_api::alerting::{
    Backtest, BacktestFiring, BacktestNotification, BacktestRequest, BacktestRule, CheckedGroup, CheckedRule, RuleCheck, RuleDesk, RuleRemark,
};
use signalbox_model::{Error, Result, Tenant};
use signalbox_query::Engine;
use tokio::sync::Semaphore;

/// Backtests that run at the same time: each may keep a core busy for a while.
const BACKTESTS_MAX: usize = 2;

/// The desk of a server.
#[derive(Debug)]
pub(crate) struct OwnRules {
    engine: Arc<Engine>,
    alerting: Arc<Alerting>,
    backtests: Semaphore,
}

impl OwnRules {
    /// With what answers, and with who is told.
    pub(crate) fn new(engine: Arc<Engine>, alerting: Arc<Alerting>) -> Self {
        Self { engine, alerting, backtests: Semaphore::new(BACKTESTS_MAX) }
    }
}

#[async_trait]
impl RuleDesk for OwnRules {
    fn check(&self, text: &str) -> RuleCheck {
        let checked = rule_file::check("text", text, UnknownFields::Refused);
        let warnings = rule_file::duplicates(&checked.groups).into_iter().map(|duplicate| {
            let message = format!("more than one rule has the name and labels {}{}: their results may contradict each other", duplicate.name, duplicate.labels);
            RuleRemark { message, rule: Some(duplicate.name), ..RuleRemark::default() }
        });
        RuleCheck {
            warnings: warnings.collect(),
            groups: checked.groups.iter().map(show_group).collect(),
            errors: checked.problems.into_iter().map(show_problem).collect(),
        }
    }

    async fn backtest(&self, tenant: &Tenant, request: BacktestRequest) -> Result<Backtest> {
        let _permit = self.backtests.try_acquire().map_err(|_| Error::limit(format!("{BACKTESTS_MAX} backtests run already: try again when one has ended")))?;
        let bench = Bench::of(&self.alerting, Arc::clone(&self.engine) as _, tenant.clone()).await;
        try_rules(&bench, request).await
    }
}

/// Tries the rules of a request.
///
/// # Errors
/// As [`RuleDesk::backtest`].
pub(crate) async fn try_rules(bench: &Bench, request: BacktestRequest) -> Result<Backtest> {
    let BacktestRequest { text, group, rule, start_ms, end_ms, step_ms } = request;
    let groups = backtest::select(rule_file::parse("text", &text)?, group.as_deref(), rule.as_deref())?;
    let reports = backtest::run(bench, &Request { groups, start_ms, end_ms, step_ms }).await?;
    Ok(Backtest { rules: reports.into_iter().map(show_report).collect() })
}

fn show_report(report: RuleReport) -> BacktestRule {
    let RuleReport { group, rule, evaluations, errors, firings, notifications, notification_count } = report;
    let firing = |firing: Firing| BacktestFiring {
        labels: firing.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        pending_at: firing.pending_at_ms,
        fired_at: firing.fired_at_ms,
        resolved_at: firing.resolved_at_ms,
        value_max: firing.value_max,
    };
    let notification = |message: Notification| BacktestNotification {
        at: message.at_ms,
        receiver: message.receiver,
        reason: message.reason.to_owned(),
        firing: message.firing,
        resolved: message.resolved,
    };
    BacktestRule {
        group,
        rule,
        evaluations,
        errors,
        firings: firings.into_iter().map(firing).collect(),
        notifications: notifications.into_iter().map(notification).collect(),
        notification_count,
    }
}

fn show_group(group: &Group) -> CheckedGroup {
    CheckedGroup { name: group.name.clone(), rules: group.rules.iter().map(show_rule).collect() }
}

fn show_rule(rule: &Rule) -> CheckedRule {
    let kind = match rule.kind {
        RuleKind::Recording => "recording",
        RuleKind::Alerting(_) => "alerting",
    };
    CheckedRule { name: rule.name.clone(), kind, lang: rule.expr.language().as_str(), query: rule.query.clone() }
}

fn show_problem(problem: Problem) -> RuleRemark {
    let (line, column) = problem.at.unwrap_or_default();
    let (group, rule) = problem.rule.map(|place| (place.group, place.name)).unzip();
    RuleRemark { line, column, message: problem.message, group, rule }
}
