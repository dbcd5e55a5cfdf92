//! What an evaluation means for the alerts of a rule: which were found, and of the others which are over, which stay as they are
//! because nobody knows, and which go on.
//!
//! An alert that is not found is over if its rule says nothing else. It may say: not without data (`no_data`), not because the
//! evaluation failed (`on_error`), not before another expression finds it (`recovery_expr`). The questions that this takes are
//! asked only if there is an alert, or a rule, that they are about.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_model::{Error, Labels, LabelsBuilder, Result};
use signalbox_query::promql::{Point, VectorSample};

use crate::ask::{Asker, Data};
use crate::evaluation::Occasion;
use crate::expand::{ALERT_NAME, Expander};
use crate::presence::Presence;
use crate::rule_file::{AlertingRule, NoData, OnError, Recovery, Rule};
use crate::state::{Alert, Alerts, Element, Findings, State, Unfound};

/// The name of alerts that say that a rule has no data.
const NO_DATA_NAME: &str = "NoData";
/// The label of such an alert that names the rule.
const RULE_NAME: &str = "rulename";
/// The annotation of an alert that no element stands behind: why there is one.
const REASON: &str = "reason";

/// One evaluation of one alerting rule, while it is judged.
pub(crate) struct Judge<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) alerting: &'a AlertingRule,
    pub(crate) before: &'a Alerts,
    pub(crate) occasion: &'a Occasion,
    rule: &'a Rule,
    expander: Expander<'a>,
}

type Missing<'a> = BTreeMap<&'a Labels, &'a Alert>;

impl<'a> Judge<'a> {
    pub(crate) fn new(asker: &'a Asker, rule: &'a Rule, alerting: &'a AlertingRule, before: &'a Alerts, occasion: &'a Occasion) -> Self {
        let expander = Expander::new(asker, occasion.at_ms, occasion.moment().timeout);
        Self { asker, alerting, before, occasion, rule, expander }
    }

    /// What the answer to the expression means.
    ///
    /// # Errors
    /// `Limit` if there are too many elements; of further questions.
    pub(crate) async fn findings(&mut self, vector: Vec<VectorSample>) -> Result<Findings> {
        let elements = self.expander.elements(self.rule, self.alerting, vector).await?;
        let found: BTreeSet<&Labels> = elements.iter().map(|element| &element.labels).collect();
        let missing: Missing<'a> = self.active().filter(|(labels, _)| !found.contains(labels)).collect();
        let (policy, is_empty) = (self.no_data(), elements.is_empty());
        let asks = match policy {
            NoData::Ok => false,
            NoData::KeepLast => !missing.is_empty(),
            NoData::Alert | NoData::NoData => is_empty,
        };
        let data = if asks { Some(self.data(is_empty).await?) } else { None };
        let mut findings = Findings { elements, unfound: BTreeMap::new() };
        match (&data, policy) {
            (Some(Data::Nothing), _) if is_empty => return self.without_data(policy, &missing).await,
            (Some(data), NoData::KeepLast) => {
                for labels in self.vanished(data, &missing).await? {
                    findings.unfound.insert(labels, Unfound::Stays);
                }
            }
            _ => {}
        }
        if let Some(recovery) = &self.alerting.policies.recovery {
            self.hold(recovery, data, &missing, is_empty, &mut findings).await?;
        }
        Ok(findings)
    }

    /// What a failed evaluation means.
    ///
    /// # Errors
    /// `Limit`.
    pub(crate) async fn of_error(&mut self, error: &Error) -> Result<Findings> {
        let active: Missing<'a> = self.active().collect();
        match self.on_error() {
            OnError::Ok => Ok(Findings::default()),
            OnError::KeepLast => Ok(all(&active, Unfound::Stays)),
            OnError::Alert => self.go_on_or_begin(&active, &format!("evaluation failed: {}", error.message())).await,
        }
    }

    // While the server was away nothing was scraped, and what waits elsewhere has not arrived: an evaluation that is made up
    // believes what is there, and nothing that is not.
    fn no_data(&self) -> NoData {
        if self.occasion.late_ms.is_some() { NoData::KeepLast } else { self.alerting.policies.no_data }
    }

    fn on_error(&self) -> OnError {
        if self.occasion.late_ms.is_some() { OnError::KeepLast } else { self.alerting.policies.on_error }
    }

    fn active(&self) -> impl Iterator<Item = (&'a Labels, &'a Alert)> + use<'a> {
        self.before.iter().filter(|(_, alert)| alert.state != State::Inactive)
    }

    async fn data(&self, is_empty: bool) -> Result<Data> {
        self.asker.ask_data(self.rule, &self.alerting.presence, is_empty, self.occasion.moment()).await
    }

    async fn without_data(&mut self, policy: NoData, missing: &Missing<'a>) -> Result<Findings> {
        match policy {
            NoData::Ok => Ok(Findings::default()),
            NoData::KeepLast => Ok(all(missing, Unfound::Stays)),
            NoData::Alert => self.go_on_or_begin(missing, "no data").await,
            NoData::NoData => {
                let [_, element] = self.blind("no data").await?;
                Ok(Findings { elements: vec![element], ..all(missing, Unfound::Stays) })
            }
        }
    }

    /// The alerts go on; a rule without one gets one.
    async fn go_on_or_begin(&mut self, active: &Missing<'a>, reason: &str) -> Result<Findings> {
        if !active.is_empty() {
            return Ok(all(active, Unfound::GoesOn));
        }
        let [element, _] = self.blind(reason).await?;
        Ok(vec![element].into())
    }

    /// Alerts that are missing because there is no data for them.
    async fn vanished(&mut self, data: &Data, missing: &Missing<'a>) -> Result<Vec<Labels>> {
        let there = match data {
            Data::All => return Ok(Vec::new()),
            Data::Nothing => BTreeSet::new(),
            Data::Of(vector) => self.expander.alerts_of(self.rule, self.alerting, vector, missing).await,
        };
        // An alert about the rule has no series that could vanish.
        let mut about_rule = Vec::new();
        if missing.values().any(|alert| alert.value.is_nan()) {
            about_rule.extend(self.blind("").await?.map(|element| element.labels));
        }
        let is_about_rule = |labels: &Labels, alert: &Alert| alert.value.is_nan() && about_rule.contains(labels);
        let vanished = missing.iter().filter(|(labels, alert)| !there.contains(**labels) && !is_about_rule(labels, alert));
        Ok(vanished.map(|(labels, _)| Labels::clone(labels)).collect())
    }

    /// Alerts that fire go on until the recovery expression finds them, as long as there is data for them.
    async fn hold(&mut self, recovery: &Recovery, data: Option<Data>, missing: &Missing<'a>, is_empty: bool, findings: &mut Findings) -> Result<()> {
        let is_held = |labels: &Labels, alert: &Alert| alert.state == State::Firing && !alert.value.is_nan() && !findings.unfound.contains_key(labels);
        let mut held: Missing<'a> = missing.iter().filter(|(labels, alert)| is_held(labels, alert)).map(|(labels, alert)| (*labels, *alert)).collect();
        if held.is_empty() {
            return Ok(());
        }
        let vector = self.asker.ask_expression(&recovery.expr, &recovery.text, self.occasion.moment()).await?;
        let recovered = self.expander.alerts_of(self.rule, self.alerting, &vector, &held).await;
        held.retain(|labels, _| !recovered.contains(*labels));
        // Whether a row that is not there has vanished or is in between cannot be known.
        if !held.is_empty() && !matches!(self.alerting.presence, Presence::Rows) {
            let data = match data {
                Some(data) => data,
                None => self.data(is_empty).await?,
            };
            for labels in self.vanished(&data, &held).await? {
                held.remove(&labels);
            }
        }
        findings.unfound.extend(held.into_keys().map(|labels| (labels.clone(), Unfound::GoesOn)));
        Ok(())
    }

    /// The alerts that a rule may have without an element: one with its labels, and one that says that it has no data.
    async fn blind(&mut self, reason: &str) -> Result<[Element; 2]> {
        let nothing = VectorSample { labels: Labels::empty(), ts_ms: self.occasion.at_ms, point: Point::Float(f64::NAN) };
        let elements = self.expander.elements(self.rule, self.alerting, vec![nothing]).await?;
        let Some(mut element) = elements.into_iter().next() else { return Err(Error::internal("one sample is one element")) };
        if element.annotations.get(REASON).is_none() {
            element.annotations = with(&element.annotations, REASON, reason);
        }
        let labels = with(&with(&element.labels, ALERT_NAME, NO_DATA_NAME), RULE_NAME, &self.rule.name);
        let no_data = Element { labels, ..element.clone() };
        Ok([element, no_data])
    }
}

fn all(alerts: &Missing<'_>, unfound: Unfound) -> Findings {
    Findings { elements: Vec::new(), unfound: alerts.keys().map(|labels| (Labels::clone(labels), unfound)).collect() }
}

fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut builder: LabelsBuilder = labels.to_builder();
    builder.set(name, value);
    builder.build()
}
