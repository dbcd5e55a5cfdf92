//! Rules that are not in force, as the API asks for them.

use async_trait::async_trait;
use signalbox_alert::rule_file::{self, Group, Problem, Rule, RuleKind, UnknownFields};
use signalbox_api::alerting::{Backtest, BacktestRequest, CheckedGroup, CheckedRule, RuleCheck, RuleDesk, RuleRemark};
use signalbox_model::{Error, ErrorKind, Result, Tenant};

/// The desk of a server.
#[derive(Debug)]
pub(crate) struct OwnRules;

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

    async fn backtest(&self, _tenant: &Tenant, _request: BacktestRequest) -> Result<Backtest> {
        Err(Error::new(ErrorKind::Unavailable, "this server does not try rules"))
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
