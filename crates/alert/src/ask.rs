//! Rules ask the engine, each in its language, and get the elements of a vector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signalbox_lang::logql::MetricExpr;
use signalbox_lang::promql::Expr;
use signalbox_lang::traceql::tree::{Query, Static};
use signalbox_model::{Error, ErrorKind, Labels, LabelsBuilder, Result, Tenant};
use signalbox_query::Engine;
use signalbox_query::logql::{self, MetricAnswer, MetricSeries, MetricValue};
use signalbox_query::promql::{Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest, MetricsSeries};

use crate::presence::Presence;
use crate::rule_file::{Expression, Rule};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Whoever answers the expressions of rules: the engine, or in simulations somebody who knows the truth.
#[async_trait]
pub trait Answers: Send + Sync + fmt::Debug {
    /// Answers PromQL.
    async fn promql(&self, tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer>;

    /// Answers LogQL with metrics.
    async fn logql(&self, tenant: &Tenant, request: logql::MetricRequest) -> Result<MetricAnswer>;

    /// Answers TraceQL with metrics.
    async fn traceql_metrics(&self, tenant: &Tenant, request: MetricsRequest) -> Result<MetricsAnswer>;

    /// Answers SQL with a vector: text is labels, `value` is the number.
    async fn sql_vector(&self, tenant: &Tenant, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>>;
}

#[async_trait]
impl Answers for Engine {
    async fn promql(&self, tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        Self::promql(self, tenant, request).await
    }

    async fn logql(&self, tenant: &Tenant, request: logql::MetricRequest) -> Result<MetricAnswer> {
        Self::logql(self, tenant, request).await
    }

    async fn traceql_metrics(&self, tenant: &Tenant, request: MetricsRequest) -> Result<MetricsAnswer> {
        Self::traceql_metrics(self, tenant, request).await
    }

    async fn sql_vector(&self, tenant: &Tenant, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        Self::sql_vector(self, tenant, text, at_ms, timeout).await
    }
}

/// When a rule asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The instant that its answer is of.
    pub(crate) at_ms: i64,
    /// How often it asks.
    pub(crate) interval_ms: i64,
    /// How long it waits for the answer.
    pub(crate) timeout: Duration,
}

/// Whom rules ask, and what of the server their templates may name.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// Answers the expressions.
    pub(crate) engine: Arc<dyn Answers>,
    /// Whose data.
    pub(crate) tenant: Tenant,
    /// Labels of the server.
    pub(crate) external_labels: Labels,
    /// Where people reach the server, without a slash at the end.
    pub(crate) external_url: String,
    /// How long an alert that is over stays known.
    pub(crate) retention_ms: i64,
}

impl Asker {
    /// Evaluates an expression, which is written so, at an instant; a scalar is a vector with one element without labels. What
    /// is strange about it is for whoever looks at the log of this crate: a rule would say it at every evaluation.
    ///
    /// # Errors
    /// Of the engine; `Timeout`.
    pub(crate) async fn ask(&self, expr: Expr, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        let request = PromqlRequest { expr, text: text.to_owned(), times: Times::Instant(at_ms), lookback: None, timeout: Some(timeout) };
        let answer = self.engine.promql(&self.tenant, request).await?;
        for annotation in answer.warnings.iter().chain(&answer.infos) {
            tracing::debug!(query = text, "{annotation}");
        }
        match answer.value {
            Value::Vector(vector) => Ok(vector),
            Value::Scalar(ts_ms, value) => Ok(vec![VectorSample { labels: Labels::empty(), ts_ms, point: Point::Float(value) }]),
            Value::Text(..) | Value::Matrix(_) => Err(Error::invalid("rule result is not a vector or scalar")),
        }
    }

    /// Evaluates the expression of a rule at an instant.
    ///
    /// # Errors
    /// Of the engine; `Timeout`.
    pub(crate) async fn ask_rule(&self, rule: &Rule, moment: Moment) -> Result<Vec<VectorSample>> {
        self.ask_expression(&rule.expr, &rule.text, moment).await
    }

    /// Evaluates an expression, which is written so, at an instant.
    ///
    /// # Errors
    /// Of the engine; `Timeout`.
    pub(crate) async fn ask_expression(&self, expression: &Expression, text: &str, moment: Moment) -> Result<Vec<VectorSample>> {
        match expression {
            Expression::Promql(expr) => self.ask(expr.as_ref().clone(), text, moment.at_ms, moment.timeout).await,
            // Boxed: the evaluation of every rule would carry the largest of these futures.
            Expression::Logql(expr) => in_time(moment, Box::pin(self.ask_logs(expr, moment.at_ms))).await,
            Expression::Traceql { query, range_ms } => {
                in_time(moment, Box::pin(self.ask_spans(query, moment.at_ms, range_ms.unwrap_or(moment.interval_ms)))).await
            }
            Expression::Sql(text) => Box::pin(self.engine.sql_vector(&self.tenant, text, moment.at_ms, moment.timeout)).await,
        }
    }

    /// What there is data for at an instant. Of an expression of which nothing but its answer is known, `is_empty` says whether
    /// that was empty.
    ///
    /// # Errors
    /// Of the engine; `Timeout`.
    pub(crate) async fn ask_data(&self, rule: &Rule, presence: &Presence, is_empty: bool, moment: Moment) -> Result<Data> {
        match presence {
            Presence::Always => Ok(Data::All),
            Presence::Rows => Ok(if is_empty { Data::Nothing } else { Data::All }),
            Presence::Elements(expr) => {
                let found = self.ask(expr.as_ref().clone(), &expr.to_string(), moment.at_ms, moment.timeout).await?;
                Ok(if found.is_empty() { Data::Nothing } else { Data::Of(found) })
            }
            Presence::Lines(counts) => {
                for count in counts {
                    if counts_any(&in_time(moment, Box::pin(self.ask_logs(count, moment.at_ms))).await?) {
                        return Ok(Data::All);
                    }
                }
                Ok(Data::Nothing)
            }
            Presence::Spans(query) => {
                let range_ms = rule.expr.range_ms().unwrap_or(moment.interval_ms);
                let count = in_time(moment, Box::pin(self.ask_spans(query, moment.at_ms, range_ms))).await?;
                Ok(if counts_any(&count) { Data::All } else { Data::Nothing })
            }
        }
    }

    async fn ask_logs(&self, expr: &MetricExpr, at_ms: i64) -> Result<Vec<VectorSample>> {
        let at_ns = at_ms.saturating_mul(NANOS_PER_MILLI);
        let request = logql::MetricRequest { expr: expr.clone(), start_ns: at_ns, end_ns: at_ns, step_ns: 0 };
        match self.engine.logql(&self.tenant, request).await?.value {
            MetricValue::Scalar(value) => Ok(vec![sample(Labels::empty(), at_ms, value)]),
            MetricValue::Vector(series) | MetricValue::Matrix(series) => {
                let element = |series: MetricSeries| Some(sample(Labels::from_pairs(series.labels), at_ms, series.points.last()?.1));
                Ok(series.into_iter().filter_map(element).collect())
            }
        }
    }

    /// One step that ends at an instant.
    async fn ask_spans(&self, query: &Query, at_ms: i64, range_ms: i64) -> Result<Vec<VectorSample>> {
        let (end_ns, step_ns) = (at_ms.saturating_mul(NANOS_PER_MILLI), range_ms.saturating_mul(NANOS_PER_MILLI));
        let request = MetricsRequest { query: query.clone(), start_ns: end_ns.saturating_sub(step_ns), end_ns, step_ns, exemplars_max: 0 };
        let answer = self.engine.traceql_metrics(&self.tenant, request).await?;
        let element = |series: MetricsSeries| Some(sample(span_labels(&series.labels), at_ms, series.points.last()?.1));
        Ok(answer.series.into_iter().filter_map(element).collect())
    }
}

/// What there is data for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Whatever the rule could find, as far as is known.
    All,
    /// Nothing.
    Nothing,
    /// What has these labels.
    Of(Vec<VectorSample>),
}

fn counts_any(vector: &[VectorSample]) -> bool {
    vector.iter().any(|sample| matches!(sample.point, Point::Float(count) if count > 0.0))
}

/// Labels of a series of spans, values as text. What spans lack is no label.
fn span_labels(labels: &[(String, Static)]) -> Labels {
    let mut builder = LabelsBuilder::default();
    for (name, value) in labels {
        match value {
            Static::Nil => {}
            Static::Text(text) => {
                builder.set(name, text);
            }
            other => {
                builder.set(name, &other.to_string());
            }
        }
    }
    builder.build()
}

fn sample(labels: Labels, ts_ms: i64, value: f64) -> VectorSample {
    VectorSample { labels, ts_ms, point: Point::Float(value) }
}

async fn in_time(moment: Moment, answer: impl Future<Output = Result<Vec<VectorSample>>>) -> Result<Vec<VectorSample>> {
    let late = |_| Error::new(ErrorKind::Timeout, format!("the query took longer than {} ms", moment.timeout.as_millis()));
    tokio::time::timeout(moment.timeout, answer).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_become_text() {
        let labels = [
            ("name".to_owned(), Static::Text("GET \"/\"".to_owned())),
            ("resource.service.name".to_owned(), Static::Nil),
            ("status".to_owned(), Static::Status(2)),
            ("kind".to_owned(), Static::Kind(3)),
            ("p".to_owned(), Static::Float(0.9)),
            ("span.code".to_owned(), Static::Int(500)),
            ("span.cached".to_owned(), Static::Bool(true)),
            ("duration".to_owned(), Static::Duration(1_500_000_000)),
        ];
        let want =
            [("duration", "1.5s"), ("kind", "client"), ("name", "GET \"/\""), ("p", "0.9"), ("span.cached", "true"), ("span.code", "500"), ("status", "error")];
        assert_eq!(span_labels(&labels), Labels::from_pairs(want));
    }
}
