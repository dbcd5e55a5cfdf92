//! What all groups share: whom they ask, where they write, what they are told by the settings.

use std::sync::Arc;
use std::time::Duration;

use signalbox_ingest::Sink;
use signalbox_lang::promql::Expr;
use signalbox_meta::{AlertBoard, Meta};
use signalbox_model::{Batch, Clock, Error, Labels, MetricBatch, Result, Tenant};
use signalbox_query::promql::{Point, PromqlRequest, Times, Value, VectorSample};
use signalbox_telemetry::{Counter, names, registry};

use crate::ask::Answers;
use crate::settings::Settings;

/// The parts of the server that alerting works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Answers the expressions.
    pub engine: Arc<dyn Answers>,
    /// Takes recorded series, `ALERTS` and `ALERTS_FOR_STATE`.
    pub sink: Arc<dyn Sink>,
    /// Keeps alert state, notification log and outbox.
    pub meta: Arc<Meta>,
    /// Where the state of rules is shown.
    pub board: AlertBoard,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Everything that the evaluation of one group needs besides the group.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) parts: Parts,
    pub(crate) tenant: Tenant,
    pub(crate) external_labels: Labels,
    pub(crate) external_url: String,
    pub(crate) interval_ms: i64,
    pub(crate) query_offset_ms: i64,
    pub(crate) retention_ms: i64,
    pub(crate) good: Counter,
    pub(crate) bad: Counter,
    pub(crate) missed: Counter,
}

impl World {
    pub(crate) fn new(parts: Parts, settings: &Settings) -> Self {
        let evaluations = |outcome| registry().counter(names::ALERT_EVALUATIONS_TOTAL, &[("outcome", outcome)]);
        Self {
            parts,
            tenant: Tenant::default(),
            external_labels: settings.external_labels(),
            external_url: settings.external_url.trim_end_matches('/').to_owned(),
            interval_ms: settings.evaluation_interval_ms(),
            query_offset_ms: settings.query_offset_ms(),
            retention_ms: settings.retention_ms(),
            good: evaluations("ok"),
            bad: evaluations("error"),
            missed: registry().counter(names::ALERT_EVALUATIONS_MISSED_TOTAL, &[]),
        }
    }

    /// Evaluates an expression, which is written so, at an instant; a scalar is a vector with one element without labels. What
    /// is strange about it is for whoever looks at the log of this crate: a rule would say it at every evaluation.
    pub(crate) async fn ask(&self, expr: Expr, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        let request = PromqlRequest { expr, text: text.to_owned(), times: Times::Instant(at_ms), lookback: None, timeout: Some(timeout) };
        let answer = self.parts.engine.promql(&self.tenant, request).await?;
        for annotation in answer.warnings.iter().chain(&answer.infos) {
            tracing::debug!(query = text, "{annotation}");
        }
        match answer.value {
            Value::Vector(vector) => Ok(vector),
            Value::Scalar(ts_ms, value) => Ok(vec![VectorSample { labels: Labels::empty(), ts_ms, point: Point::Float(value) }]),
            Value::Text(..) | Value::Matrix(_) => Err(Error::invalid("rule result is not a vector or scalar")),
        }
    }

    /// Writes the rows of an evaluation durably. Rows that are refused for good are an error after the others are written.
    pub(crate) async fn write(&self, batch: MetricBatch) -> Result<()> {
        if batch.series.is_empty() {
            return Ok(());
        }
        let accepted = self.parts.sink.write(&self.tenant, vec![Batch::Metrics(batch)]).await?;
        match accepted.rejected.first() {
            None => Ok(()),
            Some(rejected) => Err(Error::invalid(format!("cannot write the result: {} samples refused: {}", rejected.rows, rejected.message))),
        }
    }
}
