//! Runs a test: lets its data come in, evaluates the rules at every interval, and compares at the times that the test names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use signalbox_ingest::Sink;
use signalbox_lang::{duration, promql};
use signalbox_model::{Batch, Error, Labels, Result, Tenant};
use signalbox_query::promql::{PromqlRequest, Times, Value, VectorSample};

use super::expectation::{Comparison, ExpectedAlert, ExpectedSample, compare_alerts, compare_samples};
use super::test_file::{AlertCase, ExprCase, Test, TestFile};
use crate::ask::{Answers, Asker, Moment};
use crate::evaluation::{Evaluation, Occasion, evaluate};
use crate::expand::ALERT_NAME;
use crate::record;
use crate::rule_file::{Expression, Group, OnError, Rule, RuleKind};
use crate::state::{Alerts, State};
use crate::template::Template;

/// How long an expression may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long alerts that are over stay known; nothing looks at them.
const RETENTION_MS: i64 = 900_000;
/// Evaluations of all rules in one test.
const EVALUATIONS_MAX: i64 = 1_000_000;
/// The label that `vmalert` gives to alerts.
const ALERT_GROUP: &str = "alertgroup";

/// Where tests run.
#[derive(Debug, Clone)]
pub struct Laboratory {
    /// Answers expressions.
    pub engine: Arc<dyn Answers>,
    /// Takes what comes in and what rules write. What it took MUST be there for the next answer.
    pub sink: Arc<dyn Sink>,
}

/// What is said beside the files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How differences of alerts are shown.
    pub comparison: Comparison,
    /// Whether all data is shown at the end of a test.
    pub with_dump: bool,
    /// External labels of tests that name none.
    pub external_labels: Labels,
    /// External URL of tests that name none.
    pub external_url: String,
    /// Whether alerts of tests in the words of `vmalert-tool` lack the label that names their group.
    pub without_group_label: bool,
}

/// How a test went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What went wrong.
    pub failures: Vec<String>,
    /// All data at its end, if that was asked for.
    pub dump: Option<String>,
}

/// A group and what its rules found.
struct Running {
    group: Group,
    rules: Vec<Found>,
}

#[derive(Default)]
struct Found {
    alerts: Alerts,
    written: BTreeSet<Labels>,
}

struct Runner<'a> {
    laboratory: &'a Laboratory,
    asker: Asker,
    groups: Vec<Running>,
    comparison: Comparison,
    is_fuzzy: bool,
    /// Milliseconds since the Unix epoch.
    start_ms: i64,
    interval_ms: i64,
    group_interval_ms: i64,
    /// The name for messages, if the file says it.
    name: Option<String>,
    group_label: Option<&'static str>,
    failures: Vec<String>,
}

/// Runs a test of a file with the rules that the file names. The tenant MUST have no data.
pub async fn run(file: &TestFile, groups: &[Group], test: Test, laboratory: &Laboratory, tenant: &Tenant, options: &Options) -> Outcome {
    let name = test.name.clone();
    match attempt(file, groups, test, laboratory, tenant, options).await {
        Ok((failures, dump)) => Outcome { name, failures, dump },
        Err(failure) => Outcome { name, failures: vec![failure], dump: None },
    }
}

type Ended = (Vec<String>, Option<String>);

async fn attempt(file: &TestFile, groups: &[Group], test: Test, laboratory: &Laboratory, tenant: &Tenant, options: &Options) -> Result<Ended, String> {
    let last_ms = test.last_ms();
    let Test { name, is_named, start_ms, interval_ms, external_labels, external_url, inputs, alerts, exprs } = test;
    let (mut inputs, mut cases) = (inputs?, alerts?);
    cases.sort_by_key(|case| case.at_ms);
    let evaluations = last_ms / file.evaluation_interval_ms;
    if evaluations > EVALUATIONS_MAX {
        return Err(format!("the last time that is looked at is {evaluations} intervals after the first: want at most {EVALUATIONS_MAX}"));
    }
    let external_labels = if external_labels.is_empty() { options.external_labels.clone() } else { external_labels };
    let external_url = if external_url.is_empty() { options.external_url.clone() } else { external_url };
    let group_label = (file.is_of_vmalert && !options.without_group_label).then_some(ALERT_GROUP);
    let mut groups = ordered(file, groups);
    if file.is_of_vmalert {
        groups = groups.into_iter().map(|group| as_vmalert_labels(group, &external_labels, group_label)).collect::<Result<_, _>>()?;
    }
    let running = |group: Group| Running { rules: group.rules.iter().map(|_| Found::default()).collect(), group };
    let mut runner = Runner {
        laboratory,
        asker: Asker { engine: Arc::clone(&laboratory.engine), tenant: tenant.clone(), external_labels, external_url, retention_ms: RETENTION_MS },
        groups: groups.into_iter().map(running).collect(),
        comparison: options.comparison,
        is_fuzzy: file.is_fuzzy,
        start_ms,
        interval_ms: file.evaluation_interval_ms,
        group_interval_ms: interval_ms,
        name: is_named.then_some(name),
        group_label,
        failures: Vec::new(),
    };
    let mut cases = cases.into_iter().peekable();
    for number in 0..=evaluations {
        let at_ms = number * file.evaluation_interval_ms;
        runner.write(inputs.take_until(start_ms + at_ms)).await?;
        if !runner.evaluate(at_ms).await {
            return Ok((runner.failures, None));
        }
        while let Some(case) = cases.next_if(|case| case.at_ms < at_ms + file.evaluation_interval_ms) {
            runner.check_alerts(&case);
        }
    }
    for case in exprs {
        runner.check_expr(case).await;
    }
    let dump = if options.with_dump { Some(runner.dump(last_ms).await?) } else { None };
    Ok((runner.failures, dump))
}

/// The groups, those that the file orders among each other in that order.
fn ordered(file: &TestFile, groups: &[Group]) -> Vec<Group> {
    let mut groups = groups.to_vec();
    groups.sort_by_key(|group| file.group_order.get(&group.name).copied().unwrap_or(0));
    groups
}

/// What `vmalert` adds to rules: external labels, and to alerts the name of their group.
fn as_vmalert_labels(mut group: Group, external: &Labels, group_label: Option<&str>) -> Result<Group, String> {
    for rule in &mut group.rules {
        let mut labels = external.to_builder();
        for (name, value) in &rule.labels {
            labels.set(name, value);
        }
        if let RuleKind::Alerting(alerting) = &mut rule.kind {
            for (name, value) in external.iter().filter(|(name, _)| rule.labels.get(name).is_none()) {
                alerting.label_templates.push((name.to_owned(), Template::parse(&rule.name, value)?));
            }
            if let Some(label) = group_label {
                alerting.label_templates.push((label.to_owned(), Template::parse(&rule.name, &group.name)?));
            }
        }
        rule.labels = labels.build();
    }
    Ok(group)
}

/// Whether a rule says itself what becomes of its alerts when it fails; then that is what is tested.
fn says_what_errors_do(rule: &Rule) -> bool {
    matches!(&rule.kind, RuleKind::Alerting(alerting) if alerting.policies.on_error != OnError::default())
}

fn message(error: Error) -> String {
    error.message().to_owned()
}

impl Runner<'_> {
    async fn write(&self, batches: Vec<Batch>) -> Result<(), String> {
        if batches.is_empty() {
            return Ok(());
        }
        let accepted = self.laboratory.sink.write(&self.asker.tenant, batches).await.map_err(message)?;
        match accepted.rejected.first() {
            None => Ok(()),
            Some(rejected) => Err(format!("{} rows are refused: {}", rejected.rows, rejected.message)),
        }
    }

    /// Evaluates all groups. Whether all rules could be evaluated; a test ends where one could not.
    async fn evaluate(&mut self, at_ms: i64) -> bool {
        let mut errors = Vec::new();
        for index in 0..self.groups.len() {
            for rule in 0..self.groups[index].group.rules.len() {
                if let Err(error) = self.evaluate_rule(index, rule, self.start_ms + at_ms).await {
                    let name = &self.groups[index].group.rules[rule].name;
                    errors.push(format!("    rule: {name}, time: {}, err: {error}", duration::format_ms(at_ms)));
                }
            }
        }
        let are_good = errors.is_empty();
        self.failures.extend(errors);
        are_good
    }

    async fn evaluate_rule(&mut self, index: usize, rule: usize, at_ms: i64) -> Result<(), String> {
        let Running { group, rules } = &self.groups[index];
        let interval_ms = group.interval_ms.unwrap_or(self.group_interval_ms);
        let occasion = Occasion { at_ms, query_offset_ms: group.query_offset_ms.unwrap_or(0), interval_ms, late_ms: None };
        let Evaluation { alerts, samples, error, .. } = evaluate(&self.asker, group, &group.rules[rule], &rules[rule].alerts, &occasion).await;
        let error = error.filter(|_| !says_what_errors_do(&group.rules[rule]));
        if let Some(error) = error {
            return Err(message(error));
        }
        let batch = record::batch(&samples, &rules[rule].written, occasion.query_ms());
        if !batch.series.is_empty() {
            self.write(vec![Batch::Metrics(batch)]).await?;
        }
        self.groups[index].rules[rule] = Found { alerts, written: samples.into_iter().map(|sample| sample.labels).collect() };
        Ok(())
    }

    fn check_alerts(&mut self, case: &AlertCase) {
        let is_meant = |running: &&Running| case.group.as_ref().is_none_or(|name| *name == running.group.name);
        let mut found = Vec::new();
        for Running { group, rules } in self.groups.iter().filter(is_meant) {
            for (_, rule) in group.rules.iter().zip(rules).filter(|(rule, _)| rule.name == case.name) {
                let firing = rule.alerts.iter().filter(|(_, alert)| alert.state == State::Firing);
                found.extend(firing.map(|(labels, alert)| ExpectedAlert { labels: labels.clone(), annotations: alert.annotations.clone() }));
            }
        }
        let group_label = self.group_label.zip(case.group.as_deref());
        let complete = |expected: &ExpectedAlert| {
            let mut labels = expected.labels.to_builder();
            labels.set(ALERT_NAME, &case.name);
            if let Some((name, group)) = group_label {
                labels.set(name, group);
            }
            ExpectedAlert { labels: labels.build(), annotations: expected.annotations.clone() }
        };
        let expected = case.expected.iter().map(complete).collect();
        if let Some(difference) = compare_alerts(expected, found, self.comparison) {
            let name = self.name.as_ref().map_or(String::new(), |name| format!("    name: {name},\n"));
            let time = duration::format_ms(case.at_ms);
            self.failures.push(format!("{name}    alertname: {}, time: {time}, \n{difference}", case.name));
        }
    }

    async fn check_expr(&mut self, case: ExprCase) {
        let place = format!("    expr: {:?}, time: {}", case.expr, duration::format_ms(case.at_ms));
        let is_fuzzy = self.is_fuzzy;
        let failure = match (self.ask(&case).await, case.expected) {
            (Err(error), _) | (Ok(_), Err(error)) => Some(format!("{place}, err: {error}")),
            (Ok(found), Ok(expected)) => {
                let found = found.iter().map(ExpectedSample::of).collect();
                compare_samples(expected, found, is_fuzzy).map(|difference| format!("{place},\n{difference}"))
            }
        };
        self.failures.extend(failure);
    }

    async fn ask(&self, case: &ExprCase) -> Result<Vec<VectorSample>, String> {
        let expression = Expression::parse(case.language, &case.expr, case.range_ms)?;
        let moment = Moment { at_ms: self.start_ms + case.at_ms, interval_ms: self.interval_ms, timeout: TIMEOUT };
        self.asker.ask_expression(&expression, &case.expr, moment).await.map_err(message)
    }

    /// All samples until a time, a series a line.
    async fn dump(&self, last_ms: i64) -> Result<String, String> {
        let length_ms = (last_ms / 1_000 + 1) * 1_000;
        let text = format!("{{__name__=~\".+\"}}[{}]", duration::format_ms(length_ms));
        let expr = promql::parse(&text).map_err(message)?;
        let at_ms = self.start_ms + length_ms - 1;
        let request = PromqlRequest { expr, text: text.clone(), times: Times::Instant(at_ms), lookback: None, timeout: Some(TIMEOUT) };
        let answer = self.asker.engine.promql(&self.asker.tenant, request).await.map_err(message)?;
        let Value::Matrix(series) = answer.value else { return Err(format!("{text} answers no range vector")) };
        let mut lines = format!("Dump of all data (input_series and rules) at {}:\n", duration::format_ms(length_ms));
        for series in series {
            let at = |ts_ms: i64| duration::format_ms(ts_ms - self.start_ms);
            let floats = series.floats.iter().map(|(ts_ms, value)| (*ts_ms, format!("{value} @[{}]", at(*ts_ms))));
            let histograms = series.histograms.iter().map(|(ts_ms, value)| (*ts_ms, format!("{} @[{}]", promql::series::histogram_text(value), at(*ts_ms))));
            let mut points: Vec<(i64, String)> = floats.chain(histograms).collect();
            points.sort_by_key(|(ts_ms, _)| *ts_ms);
            let points: Vec<String> = points.into_iter().map(|(_, text)| text).collect();
            lines.push_str(&format!("{} =>\n{}\n", series.labels, points.join("\n")));
        }
        Ok(lines)
    }
}
