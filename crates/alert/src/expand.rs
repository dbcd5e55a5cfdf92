//! From the vector of an alerting rule to the elements of its alerts: labels and annotations, their templates expanded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signalbox_lang::promql;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, LabelsBuilder, Result};
use signalbox_query::promql::{Point, VectorSample};

use crate::ask::Asker;
use crate::limits::ALERTS_PER_RULE_MAX;
use crate::rule_file::{AlertingRule, Rule};
use crate::state::{Alert, Element};
use crate::template::{Context, Expansion, QueryAnswers, Sample, SampleValue, Template};

/// The label that names an alert.
pub(crate) const ALERT_NAME: &str = "alertname";

type Answer = Result<Vec<Sample>, String>;

/// Expands the templates of one rule for one evaluation. What one element asked, the next does not ask again.
pub(crate) struct Expander<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) at_ms: i64,
    pub(crate) timeout: Duration,
    known: BTreeMap<String, Answer>,
}

impl<'a> Expander<'a> {
    pub(crate) fn new(asker: &'a Asker, at_ms: i64, timeout: Duration) -> Self {
        Self { asker, at_ms, timeout, known: BTreeMap::new() }
    }

    /// The elements of a vector.
    ///
    /// # Errors
    /// `Limit` if there are too many to expand. A template that fails is no error: its text says so.
    pub(crate) async fn elements(&mut self, rule: &Rule, alerting: &AlertingRule, vector: Vec<VectorSample>) -> Result<Vec<Element>> {
        if vector.len() > ALERTS_PER_RULE_MAX {
            return Err(Error::limit(format!("exceeded limit of {ALERTS_PER_RULE_MAX} with {} alerts", vector.len())));
        }
        let mut elements = Vec::with_capacity(vector.len());
        for sample in vector {
            let value = value_of(&sample.point);
            let mut labels = sample.labels.to_builder();
            labels.remove(METRIC_NAME);
            self.expand_all(&alerting.label_templates, &sample.labels, &value, &mut labels).await;
            labels.set(ALERT_NAME, &rule.name);
            let mut annotations = LabelsBuilder::default();
            self.expand_all(&alerting.annotation_templates, &sample.labels, &value, &mut annotations).await;
            let number = match sample.point {
                Point::Float(number) => number,
                Point::Histogram(_) => 0.0,
            };
            elements.push(Element { labels: labels.build(), annotations: annotations.build(), value: number });
        }
        Ok(elements)
    }

    /// Those of some alerts of the rule that elements of another expression are about: an element would have the labels of the
    /// alert, given the value that it was last found with.
    pub(crate) async fn alerts_of(
        &mut self,
        rule: &Rule,
        alerting: &AlertingRule,
        vector: &[VectorSample],
        alerts: &BTreeMap<&Labels, &Alert>,
    ) -> BTreeSet<Labels> {
        // Most elements are about no alert of these: what the rule does not set must be equal, which needs no template.
        let is_own = |name: &str| name == METRIC_NAME || name == ALERT_NAME || rule.labels.get(name).is_some();
        let mut candidates: BTreeMap<Labels, Vec<(&Labels, &Alert)>> = BTreeMap::new();
        for (labels, alert) in alerts {
            candidates.entry(labels.keep(|name| !is_own(name))).or_default().push((labels, alert));
        }
        let mut matched = BTreeSet::new();
        for sample in vector {
            for (wanted, alert) in candidates.get(&sample.labels.keep(|name| !is_own(name))).map(Vec::as_slice).unwrap_or_default() {
                let mut labels = sample.labels.to_builder();
                labels.remove(METRIC_NAME);
                self.expand_all(&alerting.label_templates, &sample.labels, &SampleValue::Float(alert.value), &mut labels).await;
                labels.set(ALERT_NAME, &rule.name);
                if labels.build() == **wanted {
                    matched.insert(Labels::clone(wanted));
                }
            }
        }
        matched
    }

    async fn expand_all(&mut self, templates: &[(String, Template)], labels: &Labels, value: &SampleValue, into: &mut LabelsBuilder) {
        for (name, template) in templates {
            let text = self.expand(template, labels, value).await;
            into.set(name, &text);
        }
    }

    async fn expand(&mut self, template: &Template, labels: &Labels, value: &SampleValue) -> String {
        let asker = self.asker;
        let context = Context { labels, value, now_ms: self.at_ms, external_labels: &asker.external_labels, external_url: &asker.external_url };
        let mut answers = QueryAnswers::default();
        loop {
            match template.expand(&context, &answers) {
                Expansion::Done(text) => return text,
                Expansion::Failed(message) => {
                    tracing::warn!(template = template.source(), "cannot expand a template of an alert: {message}");
                    return format!("<error expanding template: {message}>");
                }
                Expansion::Needs(query) => {
                    let answer = self.answer(&query).await;
                    answers.insert(query, answer);
                }
            }
        }
    }

    async fn answer(&mut self, query: &str) -> Answer {
        if let Some(known) = self.known.get(query) {
            return known.clone();
        }
        let asked = match promql::parse(query) {
            Ok(expr) => self.asker.ask(expr, query, self.at_ms, self.timeout).await,
            Err(error) => Err(error),
        };
        let to_sample = |sample: VectorSample| Sample { labels: sample.labels, value: value_of(&sample.point) };
        let answer = asked.map(|vector| vector.into_iter().map(to_sample).collect()).map_err(|error| error.message().to_owned());
        // Bounded by alerts of a rule times queries of a template.
        self.known.insert(query.to_owned(), Answer::clone(&answer));
        answer
    }
}

fn value_of(point: &Point) -> SampleValue {
    match point {
        Point::Float(value) => SampleValue::Float(*value),
        Point::Histogram(histogram) => SampleValue::Histogram(std::sync::Arc::clone(histogram)),
    }
}
