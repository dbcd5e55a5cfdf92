//! What rules would have done over stored history: which alerts would have been pending and fired when, and who would have been
//! told how often.
//!
//! Rules are evaluated as the server does, by the same function, at every interval of a range of time; what they ask is asked as
//! ranges where that means the same. Nothing is written: a rule that asks for the series of another one finds what was stored, not
//! what the other one would have recorded. Silences are of today and do not count; routes, inhibition and time intervals do.

mod episodes;
mod replay;
mod telling;

use std::sync::Arc;

use signalbox_model::{Error, ErrorKind, Labels, Result, Tenant};

use crate::Alerting;
use crate::alerting;
use crate::ask::{Answers, Asker};
use crate::dispatch::Plan;
use crate::evaluation::{Occasion, evaluate};
use crate::limits::{BACKTEST_ERRORS_MAX, BACKTEST_EVALUATIONS_MAX};
use crate::mute::Muting;
use crate::relabel::Relabelling;
use crate::rule_file::{Group, Rule};
use crate::settings::Settings;
use crate::severity::Ranks;
use crate::state::Alerts;
use episodes::Episodes;
use replay::Replay;

/// After so many evaluations other tasks of the thread get their turn.
const TURN: u64 = 64;

/// What a backtest works with: who answers, and what is configured.
#[derive(Debug)]
pub struct Bench {
    engine: Arc<dyn Answers>,
    tenant: Tenant,
    settings: Settings,
    plan: Plan,
    muting: Muting,
    relabelling: Relabelling,
}

impl Bench {
    /// With the routes and receivers of the settings.
    ///
    /// # Errors
    /// `Invalid` or `NotFound` with what is wrong with `alertmanager.yml` or a receiver.
    pub fn new(engine: Arc<dyn Answers>, tenant: Tenant, settings: &Settings, notify: &signalbox_notify::Settings) -> Result<Self> {
        let (plan, muting) = alerting::plan(settings, notify)?;
        Ok(Self { engine, tenant, settings: settings.clone(), plan, muting, relabelling: Relabelling::default() })
    }

    /// With the routes, receivers and relabelling that are in force in a server.
    pub async fn of(alerting: &Alerting, engine: Arc<dyn Answers>, tenant: Tenant) -> Self {
        let dispatcher = alerting.dispatcher().await;
        let (plan, muting) = (dispatcher.plan.clone(), dispatcher.muting.clone());
        Self { engine, tenant, settings: alerting.settings().clone(), plan, muting, relabelling: dispatcher.aliases().relabelling().clone() }
    }

    /// The same, telling of alerts with other labels.
    #[must_use]
    pub fn relabelling(self, relabelling: Relabelling) -> Self {
        Self { relabelling, ..self }
    }
}

/// Which rules over which history. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Request {
    /// The rules.
    pub groups: Vec<Group>,
    /// First instant.
    pub start_ms: i64,
    /// No evaluation is after it.
    pub end_ms: i64,
    /// How often rules are evaluated; the interval of their group if nothing is said.
    pub step_ms: Option<i64>,
}

/// What one rule would have done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleReport {
    /// Its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// How often it was evaluated.
    pub evaluations: u64,
    /// Why evaluations failed, and what is left out; each reason once.
    pub errors: Vec<String>,
    /// Its alerts that were pending or fired, by time.
    pub firings: Vec<Firing>,
    /// Messages about it, by time.
    pub notifications: Vec<Notification>,
    /// How many messages there were, those that are not listed among them.
    pub notification_count: u64,
}

/// One episode of one alert. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Labels of the alert.
    pub labels: Labels,
    /// When it was first found.
    pub pending_at_ms: i64,
    /// When it began to fire, if it did.
    pub fired_at_ms: Option<i64>,
    /// When it was over, if it was.
    pub resolved_at_ms: Option<i64>,
    /// Largest value while it was found.
    pub value_max: f64,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// To whom.
    pub receiver: String,
    /// Why.
    pub reason: &'static str,
    /// Alerts in it that fire.
    pub firing: usize,
    /// Alerts in it that are over.
    pub resolved: usize,
}

/// The groups with this name and in them the rules with this name; `None` is all of them.
///
/// # Errors
/// `NotFound` if that is none.
pub fn select(groups: Vec<Group>, group: Option<&str>, rule: Option<&str>) -> Result<Vec<Group>> {
    let mut selected: Vec<Group> = groups.into_iter().filter(|candidate| group.is_none_or(|name| candidate.name == name)).collect();
    for group in &mut selected {
        group.rules.retain(|candidate| rule.is_none_or(|name| candidate.name == name));
    }
    selected.retain(|group| !group.rules.is_empty());
    if selected.is_empty() && (group.is_some() || rule.is_some()) {
        return Err(Error::new(ErrorKind::NotFound, format!("cannot find rule {:?} of group {:?}", rule.unwrap_or("*"), group.unwrap_or("*"))));
    }
    Ok(selected)
}

/// Tries rules over history; a report a rule, in order.
///
/// # Errors
/// `Invalid` if that are too many evaluations.
pub async fn run(bench: &Bench, request: &Request) -> Result<Vec<RuleReport>> {
    let evaluations: i64 = request.groups.iter().map(|group| bench.instants(group, request).saturating_mul(group.rules.len() as i64)).sum();
    if evaluations > BACKTEST_EVALUATIONS_MAX {
        return Err(Error::invalid(format!(
            "the rules would be evaluated {evaluations} times: want at most {BACKTEST_EVALUATIONS_MAX}: a larger step, a shorter range, or fewer rules"
        )));
    }
    let replay = Arc::new(Replay::new(Arc::clone(&bench.engine)));
    let asker = Asker {
        engine: Arc::clone(&replay) as Arc<dyn Answers>,
        tenant: bench.tenant.clone(),
        external_labels: bench.settings.external_labels(),
        external_url: bench.settings.external_url.trim_end_matches('/').to_owned(),
        retention_ms: bench.settings.retention_ms(),
    };
    let (mut reports, mut news) = (Vec::new(), Vec::new());
    for group in &request.groups {
        for rule in &group.rules {
            let episodes = bench.try_rule(&asker, &replay, group, rule, request).await;
            let (report, told) = episodes.into_report(group, rule, &asker, reports.len());
            reports.push(report);
            news.extend(told);
        }
    }
    let muting = Muting { ranks: Ranks::of(&request.groups), ..bench.muting.clone() };
    telling::tell(bench, muting, news, request.end_ms, &mut reports);
    Ok(reports)
}

impl Bench {
    fn step_ms(&self, group: &Group, request: &Request) -> i64 {
        request.step_ms.or(group.interval_ms).unwrap_or_else(|| self.settings.evaluation_interval_ms()).max(1)
    }

    fn instants(&self, group: &Group, request: &Request) -> i64 {
        if request.end_ms < request.start_ms {
            return 0;
        }
        request.end_ms.saturating_sub(request.start_ms) / self.step_ms(group, request) + 1
    }

    async fn try_rule(&self, asker: &Asker, replay: &Replay, group: &Group, rule: &Rule, request: &Request) -> Episodes {
        let (mut episodes, mut alerts) = (Episodes::default(), Alerts::new());
        let step_ms = self.step_ms(group, request);
        let query_offset_ms = group.query_offset_ms.unwrap_or_else(|| self.settings.query_offset_ms());
        replay.begin(request.end_ms.saturating_sub(query_offset_ms), step_ms);
        let mut at_ms = request.start_ms;
        while at_ms <= request.end_ms {
            let occasion = Occasion { at_ms, query_offset_ms, interval_ms: step_ms, late_ms: None };
            let evaluation = evaluate(asker, group, rule, &alerts, &occasion).await;
            episodes.evaluations += 1;
            if let Some(error) = &evaluation.error {
                episodes.failed(error.message(), BACKTEST_ERRORS_MAX);
            }
            episodes.observe(at_ms, &evaluation);
            alerts = evaluation.alerts;
            if episodes.evaluations.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            at_ms = at_ms.saturating_add(step_ms);
        }
        episodes
    }
}

#[cfg(test)]
mod range_tests;
#[cfg(test)]
mod tests;
