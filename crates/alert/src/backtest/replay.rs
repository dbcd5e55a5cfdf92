//! Answers questions of one instant after another from answers to questions about ranges.
//!
//! The first time a question is heard it is asked as it is. If it comes again at another instant, it is asked as a range from there
//! on, as far as one answer should reach, and answered from that. What means something else in a range, or fails as one, is asked
//! instant by instant, so often as is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Error, Labels, Result, Tenant};
use signalbox_query::logql::{MetricAnswer, MetricRequest, MetricSeries, MetricValue};
use signalbox_query::promql::{MatrixSeries, Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use crate::ask::Answers;
use crate::limits::BACKTEST_QUESTIONS_MAX;

/// Instants of one range.
const CHUNK: i64 = 500;
/// Questions that are remembered; templates may make a new one of every alert.
const REMEMBERED_MAX: usize = 64;
/// How long a range may take; an instant has its own time.
const TIMEOUT: Duration = Duration::from_secs(60);
const NANOS_PER_MILLI: i64 = 1_000_000;
/// Functions whose answer depends on the range that is asked.
const OF_RANGES: [&str; 4] = ["start()", "end()", "range()", "step()"];

/// Asks another one, and remembers ranges.
#[derive(Debug)]
pub(super) struct Replay {
    inner: Arc<dyn Answers>,
    state: Mutex<State>,
    /// Questions about one instant that may still be asked.
    questions_left: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    step_ms: i64,
    last_ms: i64,
    promql: BTreeMap<String, Known<Vec<VectorSample>>>,
    logql: BTreeMap<String, Known<Vec<MetricSeries>>>,
}

/// What is known of a question.
#[derive(Debug)]
enum Known<T> {
    /// It was asked at this instant.
    Heard(i64),
    /// The answers from an instant on, one a step.
    Range { start_ms: i64, answers: Vec<T> },
    /// Until this instant it is not asked as a range.
    Alone(i64),
}

/// What to do about a question.
enum Plan<T> {
    Answered(T),
    AskRange { end_ms: i64, step_ms: i64 },
    AskInstant,
}

impl<T: Clone> Known<T> {
    fn at(&self, at_ms: i64, step_ms: i64) -> Option<T> {
        let Self::Range { start_ms, answers } = self else { return None };
        let position = at_ms.checked_sub(*start_ms).filter(|distance| *distance >= 0 && distance % step_ms == 0)? / step_ms;
        answers.get(usize::try_from(position).ok()?).cloned()
    }
}

fn plan<T: Clone>(known: &mut BTreeMap<String, Known<T>>, text: &str, at_ms: i64, (step_ms, last_ms): (i64, i64)) -> Plan<T> {
    match known.get(text) {
        Some(found) => {
            if let Some(answer) = found.at(at_ms, step_ms) {
                return Plan::Answered(answer);
            }
            match found {
                Known::Heard(heard_ms) if *heard_ms == at_ms => Plan::AskInstant,
                Known::Alone(until_ms) if at_ms <= *until_ms => Plan::AskInstant,
                _ => Plan::AskRange { end_ms: at_ms.saturating_add(step_ms.saturating_mul(CHUNK - 1)).min(last_ms).max(at_ms), step_ms },
            }
        }
        None => {
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(text.to_owned(), Known::Heard(at_ms));
            Plan::AskInstant
        }
    }
}

impl Replay {
    pub(super) fn new(inner: Arc<dyn Answers>) -> Self {
        Self { inner, state: Mutex::default(), questions_left: AtomicI64::new(BACKTEST_QUESTIONS_MAX) }
    }

    /// From now on questions come in steps of so many milliseconds, none after the last instant.
    pub(super) fn begin(&self, last_ms: i64, step_ms: i64) {
        *self.state.lock() = State { step_ms: step_ms.max(1), last_ms, ..State::default() };
    }

    /// Counts a question about one instant.
    fn count(&self) -> Result<()> {
        if self.questions_left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "more than {BACKTEST_QUESTIONS_MAX} questions that cannot be asked as ranges: want a larger step, a shorter range, or fewer rules"
        )))
    }
}

fn vector(samples: Vec<VectorSample>) -> PromqlAnswer {
    PromqlAnswer { value: Value::Vector(samples), warnings: Vec::new(), infos: Vec::new(), samples_read: 0, counts: None }
}

/// Which steps there are.
#[derive(Clone, Copy)]
struct Steps {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
}

impl Steps {
    fn count(self) -> usize {
        usize::try_from((self.end_ms - self.start_ms) / self.step_ms + 1).unwrap_or(0)
    }

    fn position(self, at_ms: i64) -> Option<usize> {
        usize::try_from(at_ms.checked_sub(self.start_ms)? / self.step_ms).ok().filter(|position| *position < self.count())
    }
}

/// The vectors of each step.
fn by_step(series: Vec<MatrixSeries>, steps: Steps) -> Vec<Vec<VectorSample>> {
    let mut vectors = vec![Vec::new(); steps.count()];
    for MatrixSeries { labels, floats, histograms } in series {
        let floats = floats.into_iter().map(|(ts_ms, value)| (ts_ms, Point::Float(value)));
        let histograms = histograms.into_iter().map(|(ts_ms, value)| (ts_ms, Point::Histogram(value)));
        for (ts_ms, point) in floats.chain(histograms) {
            if let Some(position) = steps.position(ts_ms) {
                vectors[position].push(VectorSample { labels: Labels::clone(&labels), ts_ms, point });
            }
        }
    }
    vectors
}

fn series_by_step(series: Vec<MetricSeries>, steps: Steps) -> Vec<Vec<MetricSeries>> {
    let mut vectors = vec![Vec::new(); steps.count()];
    for MetricSeries { labels, points } in series {
        for (ts_ns, value) in points {
            if let Some(position) = steps.position(ts_ns.div_euclid(NANOS_PER_MILLI)) {
                vectors[position].push(MetricSeries { labels: labels.clone(), points: vec![(ts_ns, value)] });
            }
        }
    }
    vectors
}

#[async_trait]
impl Answers for Replay {
    async fn promql(&self, tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        let Times::Instant(at_ms) = request.times else { return self.inner.promql(tenant, request).await };
        let key = request.expr.to_string();
        let planned = if OF_RANGES.iter().any(|word| key.contains(word)) {
            Plan::AskInstant
        } else {
            let mut state = self.state.lock();
            let steps = (state.step_ms.max(1), state.last_ms);
            plan(&mut state.promql, &key, at_ms, steps)
        };
        match planned {
            Plan::Answered(samples) => Ok(vector(samples)),
            Plan::AskInstant => {
                self.count()?;
                self.inner.promql(tenant, request).await
            }
            Plan::AskRange { end_ms, step_ms } => {
                let times = Times::Range { start_ms: at_ms, end_ms, step_ms };
                let range = PromqlRequest { times, timeout: Some(TIMEOUT), ..request.clone() };
                let steps = Steps { start_ms: at_ms, end_ms, step_ms };
                if let Ok(PromqlAnswer { value: Value::Matrix(series), .. }) = self.inner.promql(tenant, range).await {
                    let answers = by_step(series, steps);
                    let first = answers.first().cloned().unwrap_or_default();
                    self.state.lock().promql.insert(key, Known::Range { start_ms: at_ms, answers });
                    return Ok(vector(first));
                }
                self.state.lock().promql.insert(key, Known::Alone(end_ms));
                self.count()?;
                self.inner.promql(tenant, request).await
            }
        }
    }

    async fn logql(&self, tenant: &Tenant, request: MetricRequest) -> Result<MetricAnswer> {
        if request.start_ns != request.end_ns {
            return self.inner.logql(tenant, request).await;
        }
        let (key, at_ms) = (request.expr.to_string(), request.start_ns.div_euclid(NANOS_PER_MILLI));
        let planned = {
            let mut state = self.state.lock();
            let steps = (state.step_ms.max(1), state.last_ms);
            plan(&mut state.logql, &key, at_ms, steps)
        };
        let answer = |series| MetricAnswer { value: MetricValue::Vector(series), rows_read: 0, bytes_read: 0 };
        match planned {
            Plan::Answered(series) => Ok(answer(series)),
            Plan::AskInstant => {
                self.count()?;
                self.inner.logql(tenant, request).await
            }
            Plan::AskRange { end_ms, step_ms } => {
                let nanoseconds = |milliseconds: i64| milliseconds.saturating_mul(NANOS_PER_MILLI);
                let range = MetricRequest { end_ns: nanoseconds(end_ms), step_ns: nanoseconds(step_ms), ..request.clone() };
                let asked = tokio::time::timeout(TIMEOUT, self.inner.logql(tenant, range)).await;
                let steps = Steps { start_ms: at_ms, end_ms, step_ms };
                if let Ok(Ok(MetricAnswer { value: MetricValue::Matrix(series), .. })) = asked {
                    let answers = series_by_step(series, steps);
                    let first = answers.first().cloned().unwrap_or_default();
                    self.state.lock().logql.insert(key, Known::Range { start_ms: at_ms, answers });
                    return Ok(answer(first));
                }
                self.state.lock().logql.insert(key, Known::Alone(end_ms));
                self.count()?;
                self.inner.logql(tenant, request).await
            }
        }
    }

    async fn traceql_metrics(&self, tenant: &Tenant, request: MetricsRequest) -> Result<MetricsAnswer> {
        self.count()?;
        self.inner.traceql_metrics(tenant, request).await
    }

    async fn sql_vector(&self, tenant: &Tenant, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        self.count()?;
        self.inner.sql_vector(tenant, text, at_ms, timeout).await
    }
}
