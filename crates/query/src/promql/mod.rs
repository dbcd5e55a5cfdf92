//! PromQL over the metrics of one snapshot, with the results of Prometheus 3.
//!
//! `plan` turns the tree into operators, `eval` runs them, `ops` and `functions` are what they do. An operator hands on one
//! series at a time with its values at all steps ([`row::Row`]): memory grows with the answer, not with what is read.

use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::promql::{Expr, ValueType};
use signalbox_model::{Error, Histogram, Labels, Owners, Result};
use signalbox_store::Snapshot;

use crate::budget::Share;
use crate::leash::Leash;
use crate::{Engine, Settings};

mod calendar;
mod eval;
mod frame;
mod functions;
mod histogram;
mod kahan;
mod names;
mod notes;
mod number;
mod ops;
mod plan;
mod reads;
mod resets;
mod row;
mod sampling;
mod tally;

use eval::{Evaluator, Limits};
use frame::{Frame, QueryTimes};
use plan::{Node, Plan, Planner};
use row::{Cell, Row};

mod listing;
mod raw;

pub use tally::SampleCounts;

pub use raw::{RawSeries, SegmentSummary, Selection};
pub use signalbox_store::{HistogramPoint, SeriesSamples};

pub use listing::{EXEMPLARS_MAX, LISTED_SERIES_MAX, Listing, ListingRequest, SeriesExemplars};

/// A question in PromQL.
#[derive(Debug, Clone)]
pub struct PromqlRequest {
    /// The expression, parsed and checked.
    pub expr: Expr,
    /// The text that the expression was parsed from: places in annotations are lines and columns of it. Without a text
    /// annotations name no place.
    pub text: String,
    /// When it is evaluated.
    pub times: Times,
    /// How far back a selector looks for the latest sample; `None` takes the setting.
    pub lookback: Option<Duration>,
    /// How long the question may take; the setting bounds it.
    pub timeout: Option<Duration>,
}

/// Instants of evaluation, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Once.
    Instant(i64),
    /// From start to end, both included, in steps.
    Range {
        /// First instant.
        start_ms: i64,
        /// No instant is later.
        end_ms: i64,
        /// Distance of two instants, positive.
        step_ms: i64,
    },
}

/// One value at an instant.
#[derive(Debug, Clone, PartialEq)]
pub enum Point {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// Labels, the metric name among them if it is kept.
    pub labels: Labels,
    /// Instant of the evaluation, of a bare matrix selector that of the sample.
    pub ts_ms: i64,
    /// Value.
    pub point: Point,
}

/// One series of a range vector or of the answer to a range query.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSeries {
    /// Labels, the metric name among them if it is kept.
    pub labels: Labels,
    /// Floats, ascending in time.
    pub floats: Vec<(i64, f64)>,
    /// Native histograms, ascending in time.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

/// What an expression evaluated to. A range query answers with a matrix always (or fails).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, at the instant of the evaluation.
    Scalar(i64, f64),
    /// Text, at the instant of the evaluation.
    Text(i64, String),
    /// An instant vector; sorted only by the functions that sort.
    Vector(Vec<VectorSample>),
    /// A range vector, sorted by labels.
    Matrix(Vec<MatrixSeries>),
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub struct PromqlAnswer {
    /// Value.
    pub value: Value,
    /// What may make the value wrong, in Prometheus' words (`PromQL warning: ...`), each once.
    pub warnings: Vec<String>,
    /// What may make the question wrong, in Prometheus' words (`PromQL info: ...`), each once.
    pub infos: Vec<String>,
    /// Samples that were read.
    pub samples_read: u64,
    /// Samples by step, if they were counted.
    pub counts: Option<SampleCounts>,
}

impl Engine {
    /// Evaluates an expression.
    ///
    /// # Errors
    /// `Invalid` where Prometheus fails the evaluation (many-to-many matching, duplicate series, ...), with its words;
    /// `Limit`, `Timeout`; of the disk.
    pub async fn promql(&self, owners: impl Into<Owners>, request: PromqlRequest) -> Result<PromqlAnswer> {
        self.promql_with(owners, request, Counting::Off).await
    }

    /// As [`Self::promql`], with samples counted by step.
    ///
    /// # Errors
    /// The same.
    pub async fn promql_counted(&self, owners: impl Into<Owners>, request: PromqlRequest) -> Result<PromqlAnswer> {
        self.promql_with(owners, request, Counting::On).await
    }

    async fn promql_with(&self, owners: impl Into<Owners>, request: PromqlRequest, counting: Counting) -> Result<PromqlAnswer> {
        let (owners, now_ns) = (owners.into(), self.clock.now_ns());
        owners.iter().for_each(|tenant| self.usage.note(tenant, &request.expr, now_ns));
        let settings = self.settings.clone();
        let snapshot = self.store.snapshot(owners);
        let timeout = request.timeout;
        let share = Share::of(&self.budget);
        let text = request.expr.to_string();
        let question = self.blocking_within(timeout, move |leash| evaluate(&snapshot, &request, &settings, counting, share, leash));
        self.watched("promql", text, question).await
    }
}

/// Whether samples are counted by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Off,
    On,
}

fn evaluate(snapshot: &Snapshot, request: &PromqlRequest, settings: &Settings, counting: Counting, share: Share, leash: &Leash) -> Result<PromqlAnswer> {
    let frame = Frame::of(request.times, settings.promql_steps_max)?;
    let value_type = request.expr.value_type();
    if matches!(request.times, Times::Range { .. }) && !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
        let found = signalbox_lang::text::quote(value_type.as_str());
        return Err(Error::invalid(format!("invalid expression type {found} for range query, must be Scalar or instant Vector")));
    }
    let planner = Planner { times: QueryTimes::of(request.times), subquery_step_ms: milliseconds(settings.promql_subquery_step_seconds) };
    let plan = planner.plan(&request.expr)?;
    let limits = Limits {
        samples_max: settings.promql_samples_max,
        series_max: usize::try_from(settings.promql_series_max).unwrap_or(usize::MAX),
        subquery_steps_max: settings.promql_subquery_steps_max,
        memory_bytes_max: settings.promql_memory_bytes,
    };
    let lookback_ms =
        request.lookback.map_or(milliseconds(settings.promql_lookback_seconds), |lookback| i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX));
    let evaluator = Evaluator {
        snapshot,
        leash,
        limits,
        lookback_ms,
        uses_start_times: settings.promql_start_times,
        reads: reads::Reads::of(&plan, &frame, lookback_ms),
        notes: notes::Notes::default(),
        tally: if counting == Counting::On { tally::Tally::counting(&frame) } else { tally::Tally::default() },
        samples_read: std::cell::Cell::new(0),
        held_bytes: std::cell::Cell::new(0),
        share,
        costliest: std::cell::RefCell::default(),
    };
    let value = match request.times {
        Times::Instant(_) => instant_value(&evaluator, &plan, &frame),
        Times::Range { .. } => range_value(&evaluator, &plan, &frame),
    }
    .map_err(|error| evaluator.blame(error))?;
    let samples_read = evaluator.samples_read.get();
    let (warnings, infos) = evaluator.notes.finish(&request.text);
    Ok(PromqlAnswer { value, warnings, infos, samples_read, counts: evaluator.tally.finish() })
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

fn instant_value(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame) -> Result<Value> {
    let at_ms = frame.start_ms;
    match (&plan.node, plan.value_type) {
        (Node::Text(text), _) => Ok(Value::Text(at_ms, text.clone())),
        (Node::Range(source), _) => {
            let (mut series, mut drop) = (Vec::new(), false);
            for (mut found, drop_name) in ops::range::collect(evaluator, source, frame)? {
                if drop_name {
                    found.labels = found.labels.keep(|name| !names::is_metadata(name));
                    drop = true;
                }
                series.push(found);
            }
            series.sort_by(|left, right| left.labels.cmp(&right.labels));
            if drop && series.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
                return Err(names::same_labels());
            }
            Ok(Value::Matrix(series))
        }
        (_, ValueType::Scalar) => Ok(Value::Scalar(at_ms, evaluator.scalar(plan, frame)?.first().copied().unwrap_or(f64::NAN))),
        _ => {
            let rows = names::settle(evaluator.collect(plan, frame)?)?;
            let sample = |row: Row| {
                let point = match row.steps.get(0)? {
                    Cell::Float(value) => Point::Float(value),
                    Cell::Histogram(histogram) => Point::Histogram(Arc::clone(histogram)),
                };
                Some(VectorSample { labels: row.labels, ts_ms: at_ms, point })
            };
            Ok(Value::Vector(rows.into_iter().filter_map(sample).collect()))
        }
    }
}

fn range_value(evaluator: &Evaluator<'_>, plan: &Plan, frame: &Frame) -> Result<Value> {
    if plan.value_type == ValueType::Scalar {
        let floats = frame.instants().zip(evaluator.scalar(plan, frame)?).collect();
        return Ok(Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), floats, histograms: Vec::new() }]));
    }
    let rows = names::settle(evaluator.collect(plan, frame)?)?;
    let mut series: Vec<MatrixSeries> = rows.into_iter().map(|row| matrix_series(row, frame)).collect();
    series.sort_by(|left, right| left.labels.cmp(&right.labels));
    Ok(Value::Matrix(series))
}

fn matrix_series(row: Row, frame: &Frame) -> MatrixSeries {
    let floats = row.steps.floats.iter().map(|step| (frame.at(step), row.steps.values[step])).collect();
    let histograms = row.steps.histograms.into_iter().enumerate();
    let histograms = histograms.filter_map(|(step, histogram)| histogram.map(|histogram| (frame.at(step), histogram))).collect();
    MatrixSeries { labels: row.labels, floats, histograms }
}
