//! What is true in a simulation, as the engine answers it, and what rules were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_ingest::{Accepted, Sink};
use signalbox_model::batch::is_stale_nan;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Batch, Error, KnownSeries, Labels, MetricBatch, Result, SeriesEntry, SeriesKey, SeriesRef, Tenant};
use signalbox_query::logql::{self, MetricAnswer};
use signalbox_query::promql::{Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use super::plans::RECORDED;
use crate::ask::Answers;

/// How far back of an instant the engine looks.
const LOOKBACK_MS: i64 = 300_000;

/// Instances of a metric.
pub(super) type Instances = BTreeSet<String>;

/// An answer to a rule.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) metric: String,
    pub(super) at_ms: i64,
    /// When it was asked.
    pub(super) now_ms: i64,
    /// Instances for which the condition holds; `None` is an error.
    pub(super) found: Option<Instances>,
    /// Instances of which there is data.
    pub(super) known: Instances,
}

/// What becomes of samples while the server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// Senders wait, and send them when it is back.
    Sent,
    /// Nobody takes them.
    Lost,
}

/// Of each metric the instances that there is data of, and whether the condition holds.
type Samples = BTreeMap<String, BTreeMap<String, bool>>;

/// What rules recorded: by metric and instance the values by time, of which a staleness marker is none.
pub(super) type Recorded = BTreeMap<String, BTreeMap<String, BTreeMap<i64, Option<bool>>>>;

#[derive(Debug)]
struct Inner {
    away: Away,
    now: Samples,
    /// What the engine has, by the clock of the wall.
    past: BTreeMap<i64, Samples>,
    /// What senders keep until the server is back.
    waiting: BTreeMap<i64, Samples>,
    recorded: Recorded,
    asked: Vec<Asked>,
    is_failing: bool,
    now_ms: i64,
}

/// The truth. It is the engine, and takes what rules write.
#[derive(Debug)]
pub(super) struct Truth(Mutex<Inner>);

impl Truth {
    pub(super) fn new(away: Away) -> Self {
        Self(Mutex::new(Inner {
            away,
            now: Samples::new(),
            past: BTreeMap::new(),
            waiting: BTreeMap::new(),
            recorded: Recorded::new(),
            asked: Vec::new(),
            is_failing: false,
            now_ms: i64::MIN,
        }))
    }

    /// Turns a series over: what held does not, or the other way round.
    pub(super) fn flip(&self, metric: &str, instance: &str) {
        let mut inner = self.0.lock();
        let holds = inner.now.entry(metric.to_owned()).or_default().entry(instance.to_owned()).or_default();
        *holds = !*holds;
    }

    /// There is no data of a series any more, until it turns.
    pub(super) fn vanish(&self, metric: &str, instance: &str) {
        self.0.lock().now.entry(metric.to_owned()).or_default().remove(instance);
    }

    /// Samples arrive, or do not because the server is away.
    pub(super) fn observe(&self, now_ms: i64, is_away: bool) {
        let mut inner = self.0.lock();
        inner.now_ms = now_ms;
        let now = inner.now.clone();
        if is_away {
            inner.waiting.insert(now_ms, now);
            return;
        }
        let waiting = std::mem::take(&mut inner.waiting);
        if inner.away == Away::Sent {
            inner.past.extend(waiting);
        }
        inner.past.insert(now_ms, now);
    }

    /// The engine begins or ceases to fail.
    pub(super) fn fail(&self, is_failing: bool) {
        self.0.lock().is_failing = is_failing;
    }

    /// What rules recorded.
    pub(super) fn recorded(&self) -> Recorded {
        self.0.lock().recorded.clone()
    }

    /// Of every instance that there is data of, what was recorded since an instant is what was.
    pub(super) fn is_recorded(&self, source: &str, metric: &str, since_ms: i64) -> Result<(), String> {
        let inner = self.0.lock();
        for instance in inner.now.get(source).into_iter().flat_map(BTreeMap::keys) {
            let series = inner.recorded.get(metric).and_then(|series| series.get(instance));
            let latest = series.and_then(|samples| samples.range(since_ms..=inner.now_ms).next_back());
            let Some((at_ms, value)) = latest else { return Err(format!("{metric} of {instance} is not recorded since {since_ms}")) };
            let was = inner.at(source, *at_ms).get(instance).copied();
            if *value != was {
                return Err(format!("{metric} of {instance} is recorded as {value:?} for {at_ms}, and was {was:?}"));
            }
        }
        Ok(())
    }

    /// Everything that was recorded is what was then. After the clock was set back that cannot be said: an instant was twice.
    pub(super) fn is_recorded_as_it_was(&self, source: &str, metric: &str) -> Result<(), String> {
        let inner = self.0.lock();
        for (instance, samples) in inner.recorded.get(metric).into_iter().flatten() {
            for (at_ms, value) in samples {
                let was = inner.at(source, *at_ms).get(instance).copied();
                if *value != was {
                    return Err(format!("{metric} of {instance} is recorded as {value:?} for {at_ms}, and was {was:?}"));
                }
            }
        }
        Ok(())
    }

    /// What was answered since this was last asked.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().asked)
    }
}

impl Inner {
    fn at(&self, metric: &str, at_ms: i64) -> BTreeMap<String, bool> {
        if let Some(series) = self.recorded.get(metric) {
            let latest = |samples: &BTreeMap<i64, Option<bool>>| *samples.range(at_ms - LOOKBACK_MS + 1..=at_ms).next_back()?.1;
            return series.iter().filter_map(|(instance, samples)| Some((instance.clone(), latest(samples)?))).collect();
        }
        let latest = self.past.range(..=at_ms).next_back().filter(|(sampled_ms, _)| at_ms - **sampled_ms < LOOKBACK_MS);
        latest.and_then(|(_, metrics)| metrics.get(metric)).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Answers for Truth {
    async fn promql(&self, _tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        let Times::Instant(at_ms) = request.times else { return Err(Error::invalid("rules ask for instants")) };
        let mut inner = self.0.lock();
        let (metric, condition) = request.text.split_once(' ').ok_or_else(|| Error::invalid("rules ask for conditions"))?;
        let (metric, now_ms) = (metric.to_owned(), inner.now_ms);
        // What a condition would answer if it were asked instead of applied.
        let is_question = condition.contains("bool");
        let is_recording = !condition.contains('>');
        if inner.is_failing && is_recording {
            return Err(Error::unavailable("the engine fails"));
        }
        if inner.is_failing {
            inner.asked.push(Asked { metric, at_ms, now_ms, found: None, known: Instances::new() });
            return Err(Error::unavailable("the engine fails"));
        }
        let series = inner.at(&metric, at_ms);
        let answered = series.iter().filter(|(_, holds)| **holds || is_question || is_recording);
        let sample = |(instance, holds): (&String, &bool)| {
            let labels = Labels::from_pairs([("instance", instance)]);
            VectorSample { labels, ts_ms: at_ms, point: Point::Float(f64::from(u8::from(*holds))) }
        };
        let value = Value::Vector(answered.map(sample).collect());
        if !is_question && !is_recording {
            let found = series.iter().filter(|(_, holds)| **holds).map(|(instance, _)| instance.clone()).collect();
            inner.asked.push(Asked { metric, at_ms, now_ms, found: Some(found), known: series.into_keys().collect() });
        }
        Ok(PromqlAnswer { value, warnings: Vec::new(), infos: Vec::new(), samples_read: 0, counts: None })
    }

    async fn logql(&self, _tenant: &Tenant, _request: logql::MetricRequest) -> Result<MetricAnswer> {
        Err(Error::invalid("no logs are simulated"))
    }

    async fn traceql_metrics(&self, _tenant: &Tenant, _request: MetricsRequest) -> Result<MetricsAnswer> {
        Err(Error::invalid("no traces are simulated"))
    }

    async fn sql_vector(&self, _tenant: &Tenant, _text: &str, _at_ms: i64, _timeout: Duration) -> Result<Vec<VectorSample>> {
        Err(Error::invalid("no tables are simulated"))
    }
}

#[async_trait]
impl Sink for Truth {
    async fn write(&self, _tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        let mut inner = self.0.lock();
        if inner.is_failing {
            return Err(Error::unavailable("the store fails"));
        }
        for batch in batches {
            let Batch::Metrics(MetricBatch { series, samples, .. }) = batch else { continue };
            for (index, (at_ms, value)) in samples.series.iter().zip(samples.ts_ms.iter().zip(&samples.value)) {
                let SeriesEntry::New { labels, .. } = &series[*index as usize] else { continue };
                // Series of alerts are read by nobody here.
                if labels.get(METRIC_NAME) == Some(RECORDED) {
                    let instance = labels.get("instance").unwrap_or_default().to_owned();
                    let series = inner.recorded.entry(RECORDED.to_owned()).or_default().entry(instance).or_default();
                    series.insert(*at_ms, (!is_stale_nan(*value)).then_some(*value > 0.0));
                }
            }
        }
        Ok(Accepted::default())
    }

    fn known_series(&self, _tenant: &Tenant) -> Arc<dyn KnownSeries> {
        Arc::new(Unknown)
    }
}

struct Unknown;

impl KnownSeries for Unknown {
    fn find(&self, _key: SeriesKey) -> Option<SeriesRef> {
        None
    }
}
