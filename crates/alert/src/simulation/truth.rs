//! What is true in a simulation, as the engine answers it, and what rules were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_ingest::{Accepted, Sink};
use signalbox_model::{Batch, Error, KnownSeries, Labels, Result, SeriesKey, SeriesRef, Tenant};
use signalbox_query::logql::{self, MetricAnswer};
use signalbox_query::promql::{Point, PromqlAnswer, PromqlRequest, Times, Value, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use crate::ask::Answers;

/// How far back of an instant the engine looks.
const LOOKBACK_MS: i64 = 300_000;

/// Instances of a metric for which its expression holds.
pub(super) type Instances = BTreeSet<String>;

/// An answer to a rule.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) metric: String,
    pub(super) at_ms: i64,
    /// `None` is an error.
    pub(super) found: Option<Instances>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What holds now.
    now: BTreeMap<String, Instances>,
    /// What held, by the clock of the wall.
    past: BTreeMap<i64, BTreeMap<String, Instances>>,
    asked: Vec<Asked>,
    is_failing: bool,
}

/// The truth. It is the engine, and takes what rules write.
#[derive(Debug, Default)]
pub(super) struct Truth(Mutex<Inner>);

impl Truth {
    /// Turns a series over: what held does not, or the other way round.
    pub(super) fn flip(&self, metric: &str, instance: &str) {
        let mut inner = self.0.lock();
        let instances = inner.now.entry(metric.to_owned()).or_default();
        if !instances.remove(instance) {
            instances.insert(instance.to_owned());
        }
    }

    /// Samples arrive.
    pub(super) fn observe(&self, now_ms: i64) {
        let mut inner = self.0.lock();
        let now = inner.now.clone();
        inner.past.insert(now_ms, now);
    }

    /// The engine begins or ceases to fail.
    pub(super) fn fail(&self, is_failing: bool) {
        self.0.lock().is_failing = is_failing;
    }

    /// What was answered since this was last asked.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().asked)
    }
}

impl Inner {
    fn at(&self, metric: &str, at_ms: i64) -> Instances {
        let latest = self.past.range(..=at_ms).next_back().filter(|(sampled_ms, _)| at_ms - **sampled_ms < LOOKBACK_MS);
        latest.and_then(|(_, metrics)| metrics.get(metric)).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Answers for Truth {
    async fn promql(&self, _tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        let Times::Instant(at_ms) = request.times else { return Err(Error::invalid("rules ask for instants")) };
        let (mut inner, metric) = (self.0.lock(), request.text.trim().to_owned());
        if inner.is_failing {
            inner.asked.push(Asked { metric, at_ms, found: None });
            return Err(Error::unavailable("the engine fails"));
        }
        let found = inner.at(&metric, at_ms);
        let sample = |instance: &String| VectorSample { labels: Labels::from_pairs([("instance", instance)]), ts_ms: at_ms, point: Point::Float(1.0) };
        let value = Value::Vector(found.iter().map(sample).collect());
        inner.asked.push(Asked { metric, at_ms, found: Some(found) });
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
    async fn write(&self, _tenant: &Tenant, _batches: Vec<Batch>) -> Result<Accepted> {
        if self.0.lock().is_failing { Err(Error::unavailable("the store fails")) } else { Ok(Accepted::default()) }
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
