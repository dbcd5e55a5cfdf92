//! Whoever reads rules and tries them over stored history, as this API asks.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Serialize, Serializer};
use signalbox_model::{Error, ErrorKind, Result, Tenant};

use super::answer::time;

/// What reading the text of a rule file found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleCheck {
    /// The groups that have no error.
    pub groups: Vec<CheckedGroup>,
    /// Why the file would be refused.
    pub errors: Vec<RuleRemark>,
    /// What is seldom meant.
    pub warnings: Vec<RuleRemark>,
}

/// A group without errors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedGroup {
    /// Its name.
    pub name: String,
    /// Its rules in order.
    pub rules: Vec<CheckedRule>,
}

/// A rule without errors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedRule {
    /// Name of the series or of the alert.
    pub name: String,
    /// `alerting` or `recording`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Language of the expression: `promql`, `logql`, `traceql` or `sql`.
    pub lang: &'static str,
    /// Canonical text of the expression.
    pub query: String,
}

/// One thing that is said about a rule file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleRemark {
    /// Line from 1; 0 if it is unknown.
    pub line: usize,
    /// Column from 1; 0 if it is unknown.
    pub column: usize,
    /// What is said.
    pub message: String,
    /// The group of the rule that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The rule that it is about, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Which rules are tried over which history. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestRequest {
    /// Text of a rule file.
    pub text: String,
    /// Only the group with this name.
    pub group: Option<String>,
    /// Only rules with this name.
    pub rule: Option<String>,
    /// First instant.
    pub start_ms: i64,
    /// Last instant.
    pub end_ms: i64,
    /// How often rules are evaluated; the interval of their group if nothing is said.
    pub step_ms: Option<i64>,
}

/// What rules would have done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Backtest {
    /// By rule, in order of the file.
    pub rules: Vec<BacktestRule>,
}

/// What one rule would have done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BacktestRule {
    /// Its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// How often it was evaluated.
    pub evaluations: u64,
    /// Why evaluations failed, each reason once.
    pub errors: Vec<String>,
    /// Its alerts that were pending or fired, by time.
    pub firings: Vec<BacktestFiring>,
    /// Messages that would have been sent about it, by time.
    pub notifications: Vec<BacktestNotification>,
    /// How many such messages there were, those that are not listed among them.
    pub notification_count: u64,
}

/// One episode of one alert. Times are milliseconds since the Unix epoch here and RFC 3339 in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BacktestFiring {
    /// Labels of the alert.
    pub labels: BTreeMap<String, String>,
    /// When it was first found.
    #[serde(serialize_with = "as_time")]
    pub pending_at: i64,
    /// When it began to fire, if it did.
    #[serde(serialize_with = "as_optional_time")]
    pub fired_at: Option<i64>,
    /// When it was over, if it was.
    #[serde(serialize_with = "as_optional_time")]
    pub resolved_at: Option<i64>,
    /// Largest value while it was found; null if it was none that JSON has.
    pub value_max: f64,
}

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BacktestNotification {
    /// When.
    #[serde(serialize_with = "as_time")]
    pub at: i64,
    /// To whom.
    pub receiver: String,
    /// Why.
    pub reason: String,
    /// Alerts in it that fire.
    pub firing: usize,
    /// Alerts in it that are over.
    pub resolved: usize,
}

/// Whoever reads rules and tries them.
#[async_trait]
pub trait RuleDesk: Send + Sync + fmt::Debug {
    /// Reads the text of a rule file.
    fn check(&self, text: &str) -> RuleCheck;

    /// Tries rules over stored history.
    ///
    /// # Errors
    /// `Invalid` for a text that is refused, or a range that holds too many evaluations; `NotFound` if it has no such rule.
    async fn backtest(&self, tenant: &Tenant, request: BacktestRequest) -> Result<Backtest>;
}

/// A server without rules.
#[derive(Debug, Clone, Copy)]
pub struct NoRules;

#[async_trait]
impl RuleDesk for NoRules {
    fn check(&self, _text: &str) -> RuleCheck {
        let message = "this server evaluates no rules".to_owned();
        RuleCheck { errors: vec![RuleRemark { message, ..RuleRemark::default() }], ..RuleCheck::default() }
    }

    async fn backtest(&self, _tenant: &Tenant, _request: BacktestRequest) -> Result<Backtest> {
        Err(Error::new(ErrorKind::Unavailable, "this server evaluates no rules"))
    }
}

fn as_time<S: Serializer>(at_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time(*at_ms))
}

fn as_optional_time<S: Serializer>(at_ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    at_ms.map(time).serialize(serializer)
}
