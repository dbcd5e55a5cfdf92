//! Metric queries: series computed of log records.
//!
//! All steps of a series are computed at once. A range aggregation adds each row to its group and pane while it scans, so that
//! memory grows with groups and panes, not with rows; only quantiles and counters keep the values of rows.

use std::sync::Arc;

use signalbox_lang::logql::MetricExpr;
use signalbox_model::{Error, Owners, Result};
use signalbox_store::Snapshot;

use super::labels::LabelSet;
use crate::budget::Budget;
use crate::leash::Leash;
use crate::{Engine, Settings};

mod aggregate;
mod binary;
mod eval;
mod gathering;
mod groups;
mod interner;
mod panes;
mod range;
mod replace;
mod sampler;
mod samples;
mod series;
mod states;
mod windows;

use eval::{Context, Frame};

/// A question for series.
#[derive(Debug, Clone)]
pub struct MetricRequest {
    /// What is computed.
    pub expr: MetricExpr,
    /// First instant, nanoseconds since the epoch.
    pub start_ns: i64,
    /// No instant is after this one, nanoseconds since the epoch.
    pub end_ns: i64,
    /// Distance of the instants in nanoseconds; 0 asks at the first instant only.
    pub step_ns: i64,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// Labels, sorted by name.
    pub labels: LabelSet,
    /// Nanoseconds since the epoch and value, ascending.
    pub points: Vec<(i64, f64)>,
}

/// What a metric query answers.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// A number, of a literal at an instant.
    Scalar(f64),
    /// Series with one point each, of a question at an instant: sorted by labels unless the query sorts.
    Vector(Vec<MetricSeries>),
    /// Series sorted by labels.
    Matrix(Vec<MetricSeries>),
}

/// The answer to a metric query.
#[derive(Debug, Clone)]
pub struct MetricAnswer {
    /// The answer.
    pub value: MetricValue,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Bytes of lines that were looked at.
    pub bytes_read: u64,
}

impl Engine {
    /// The series of a metric query.
    ///
    /// # Errors
    /// `Invalid` for a query that cannot be evaluated, too many steps, and a record that a pipeline failed for; `Limit` for too
    /// many series and too much memory; `Unavailable`, `Timeout`; of the disk.
    pub async fn logql(&self, owners: impl Into<Owners>, request: MetricRequest) -> Result<MetricAnswer> {
        Frame::of(&request, self.settings.logql_steps_max)?;
        let (snapshot, asker) = (self.store.snapshot(owners), Asker::of(self));
        let text = request.expr.to_string();
        self.watched("logql", text, self.blocking(move |leash| asker.answer(&snapshot, &request, leash))).await
    }
}

/// What an evaluation knows beside its question and what is stored.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) settings: Settings,
    budget: Arc<Budget>,
    now_ns: i64,
}

impl Asker {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { settings: engine.settings.clone(), budget: Arc::clone(&engine.budget), now_ns: engine.clock.now_ns() }
    }

    /// The series over a snapshot, on a thread that may block.
    pub(crate) fn answer(&self, snapshot: &Snapshot, request: &MetricRequest, leash: &Leash) -> Result<MetricAnswer> {
        let frame = Frame::of(request, self.settings.logql_steps_max)?;
        let context = Context::new(snapshot, frame, &self.settings, self.now_ns, leash, &self.budget);
        let value = context.answer(&request.expr)?;
        let series = match &value {
            MetricValue::Scalar(_) => 0,
            MetricValue::Vector(series) | MetricValue::Matrix(series) => series.len() as u64,
        };
        if series > self.settings.logql_series_max {
            return Err(too_many_series(self.settings.logql_series_max));
        }
        let (rows_read, bytes_read) = context.read();
        Ok(MetricAnswer { value, rows_read, bytes_read })
    }
}

/// The words of Loki.
fn too_many_series(series_max: u64) -> Error {
    Error::limit(format!(
        "maximum number of series ({series_max}) reached for a single query; consider reducing query cardinality by adding more specific stream \
         selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()"
    ))
}
