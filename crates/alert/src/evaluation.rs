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
use crate::expand::Expander;
use crate::record::{self, Sample};
use crate::rule_file::{AlertingRule, Group, Rule, RuleKind};
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
}

impl Occasion {
    /// The instant that is asked about, and of the series that are written.
    pub(crate) fn query_ms(&self) -> i64 {
        self.at_ms.saturating_sub(self.query_offset_ms)
    }

    fn moment(&self) -> Moment {
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
    /// Why it failed. Then nothing was found, and there is nothing to write.
    pub(crate) error: Option<Error>,
}

/// Evaluates a rule of a group whose alerts were `before`.
pub(crate) async fn evaluate(asker: &Asker, group: &Group, rule: &Rule, before: &Alerts, occasion: &Occasion) -> Evaluation {
    let by = format!("rule {}/{}", group.name, rule.name);
    let result = usage::asked_by(&by, attempt(asker, group, rule, before, occasion)).await;
    result.unwrap_or_else(|error| Evaluation { alerts: before.clone(), error: Some(error), ..Evaluation::default() })
}

async fn attempt(asker: &Asker, group: &Group, rule: &Rule, before: &Alerts, occasion: &Occasion) -> Result<Evaluation> {
    let vector = asker.ask_rule(rule, occasion.moment()).await?;
    match &rule.kind {
        RuleKind::Recording => {
            let samples = record::recorded(&rule.name, &rule.labels, vector, group.limit)?;
            Ok(Evaluation { samples, ..Evaluation::default() })
        }
        RuleKind::Alerting(alerting) => alerts(asker, group, rule, alerting, vector, before, occasion).await,
    }
}

/// Moves the alerts of a rule.
async fn alerts(
    asker: &Asker,
    group: &Group,
    rule: &Rule,
    alerting: &AlertingRule,
    vector: Vec<VectorSample>,
    before: &Alerts,
    occasion: &Occasion,
) -> Result<Evaluation> {
    let elements = Expander::new(asker, occasion.at_ms, occasion.moment().timeout).elements(rule, alerting, vector).await?;
    let terms = Terms { hold_ms: alerting.hold_ms, keep_firing_ms: alerting.keep_firing_ms, retention_ms: asker.retention_ms, limit: group.limit };
    let found = elements.iter().map(|element| (element.labels.clone(), element.value)).collect();
    let (alerts, transitions) = step(before, elements, occasion.at_ms, &terms)?;
    Ok(Evaluation { found, samples: record::alert_series(&alerts), alerts, transitions, error: None })
}
