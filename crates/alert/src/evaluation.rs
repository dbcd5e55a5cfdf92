//! One evaluation of one rule at one instant: what it found and what becomes of its alerts.
//!
//! It asks and decides, but writes nothing and tells nobody, and no clock moves: whoever has a rule, what its alerts were and an
//! instant may evaluate. The server does, and writes and tells what came out; so do unit tests of rules and backtests, which do not.

use std::collections::BTreeMap;
use std::time::Duration;

use signalbox_model::{Error, Labels, Result};
use signalbox_query::promql::VectorSample;
use signalbox_query::usage;

use crate::ask::{Asker, Moment};
use crate::judge::Judge;
use crate::record::{self, Sample};
use crate::rule_file::{Group, Rule, RuleKind};
use crate::state::{Alerts, Terms, Transition, step};

/// An expression may take as long as the interval of its group, and at least so long.
const TIMEOUT_MIN: Duration = Duration::from_secs(10);

/// When a rule is evaluated. Times are milliseconds, instants since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    /// The instant: alerts begin, fire and resolve at it.
    pub(crate) at_ms: i64,
    /// How far before it the expression looks.
    pub(crate) query_offset_ms: i64,
    /// How often the group is evaluated.
    pub(crate) interval_ms: i64,
    /// How late the evaluation is, if it is made up.
    pub(crate) late_ms: Option<i64>,
}

impl Occasion {
    /// The instant that is asked about, and of the series that are written.
    pub(crate) fn query_ms(&self) -> i64 {
        self.at_ms.saturating_sub(self.query_offset_ms)
    }

    pub(crate) fn moment(&self) -> Moment {
        let timeout = Duration::from_millis(self.interval_ms.unsigned_abs()).max(TIMEOUT_MIN);
        Moment { at_ms: self.query_ms(), interval_ms: self.interval_ms, timeout }
    }
}

/// What came out of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    /// The alerts that the expression found, with its value for each. Empty for recording rules.
    pub(crate) found: BTreeMap<Labels, f64>,
    /// The alerts after it.
    pub(crate) alerts: Alerts,
    /// What moved.
    pub(crate) transitions: Vec<Transition>,
    /// The series to write, of the instant [`Occasion::query_ms`].
    pub(crate) samples: Vec<Sample>,
    /// Why it failed. Then nothing was found; the alerts are as the rule says, and of a recording rule there is nothing to write.
    pub(crate) error: Option<Error>,
}

/// Evaluates a rule of a group whose alerts were `before`.
pub(crate) async fn evaluate(asker: &Asker, group: &Group, rule: &Rule, before: &Alerts, occasion: &Occasion) -> Evaluation {
    let by = format!("rule {}/{}", group.name, rule.name);
    let result = usage::asked_by(&by, attempt(asker, group, rule, before, occasion)).await;
    result.unwrap_or_else(|error| Evaluation { alerts: before.clone(), error: Some(error), ..Evaluation::default() })
}

async fn attempt(asker: &Asker, group: &Group, rule: &Rule, before: &Alerts, occasion: &Occasion) -> Result<Evaluation> {
    let answer = asker.ask_rule(rule, occasion.moment()).await;
    match &rule.kind {
        RuleKind::Recording => {
            let samples = record::recorded(&rule.name, &rule.labels, answer?, group.limit)?;
            Ok(Evaluation { samples, ..Evaluation::default() })
        }
        RuleKind::Alerting(alerting) => {
            let judge = Judge::new(asker, rule, alerting, before, occasion);
            // Boxed: a recording rule would carry it.
            Box::pin(alerts(judge, answer, group)).await
        }
    }
}

/// Moves the alerts of a rule.
async fn alerts(mut judge: Judge<'_>, answer: Result<Vec<VectorSample>>, group: &Group) -> Result<Evaluation> {
    let (alerting, before, at_ms) = (judge.alerting, judge.before, judge.occasion.at_ms);
    let terms = Terms {
        hold_ms: alerting.hold_ms,
        keep_firing_ms: alerting.keep_firing_ms,
        retention_ms: judge.asker.retention_ms,
        limit: group.limit,
        late_ms: judge.occasion.late_ms,
    };
    let judged = match answer {
        Ok(vector) => judge.findings(vector).await,
        Err(error) => Err(error),
    };
    let moved = judged.and_then(|findings| {
        let found = findings.elements.iter().map(|element| (element.labels.clone(), element.value)).collect();
        step(before, findings, at_ms, &terms).map(|(alerts, transitions)| (found, alerts, transitions))
    });
    let (found, alerts, transitions, error) = match moved {
        Ok((found, alerts, transitions)) => (found, alerts, transitions, None),
        Err(error) => {
            let findings = judge.of_error(&error).await?;
            let (alerts, transitions) = step(before, findings, at_ms, &terms)?;
            (BTreeMap::new(), alerts, transitions, Some(error))
        }
    };
    Ok(Evaluation { found, samples: record::alert_series(&alerts), alerts, transitions, error })
}
