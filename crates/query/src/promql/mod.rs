//! PromQL over the metrics of one snapshot.

use std::sync::Arc;
use std::time::Duration;

use signalbox_lang::promql::Expr;
use signalbox_model::{Error, Histogram, Labels, Result, Tenant};

use crate::Engine;

/// A question in PromQL.
#[derive(Debug, Clone)]
pub struct PromqlRequest {
    /// The expression, parsed and checked.
    pub expr: Expr,
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
}

impl Engine {
    /// Evaluates an expression.
    ///
    /// # Errors
    /// `Invalid` where Prometheus fails the evaluation (many-to-many matching, duplicate series, ...), with its words;
    /// `Limit`, `Timeout`; of the disk.
    pub async fn promql(&self, tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        let _ = (tenant, request);
        Err(Error::internal("cannot evaluate PromQL: the engine is not there yet"))
    }
}
