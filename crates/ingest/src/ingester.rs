//! The sink in front of the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::Array as _;
use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Batch, Clock, Error, KnownSeries, Labels, Matcher, MetricBatch, Rejected, Result, SeriesEntry, Tenant, TimeRange};
use signalbox_store::{Snapshot, Store};
use signalbox_telemetry::{Counter, names, registry};

use crate::budget::Budget;
use crate::delta::{Accumulator, Prepared, has_deltas};
use crate::limits::{NewSeries, Settings, Tally, Window, admit_logs, admit_spans, judge_metrics};
use crate::normalize;
use crate::sink::{Accepted, Sink, Written};
use crate::span_metrics::SpanMetrics;

/// Sums of delta series by tenant. A write with increments holds its tenant's lock until it is durable.
type Deltas = Mutex<HashMap<Tenant, Arc<tokio::sync::Mutex<Accumulator>>>>;

/// At the series limit, how far back a series may have been active for its next sample not to count as a new series.
const RECENT_NS: i64 = 3600 * 1_000_000_000;

/// Admits batches to the store. Cheap to clone; clones are one ingester.
#[derive(Debug, Clone)]
pub struct Ingester {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    clock: Arc<dyn Clock>,
    budget: Budget,
    deltas: Deltas,
    span_metrics: SpanMetrics,
    admitted: [Counter; 3],
}

impl Ingester {
    /// In front of a store.
    pub fn new(store: Store, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let admitted = ["metrics", "logs", "traces"].map(|signal| registry().counter(names::INGEST_ROWS_TOTAL, &[("signal", signal)]));
        let budget = Budget::new(settings.in_flight_bytes_max);
        let span_metrics = SpanMetrics::new(store.clone(), settings.span_metrics.clone(), Arc::clone(&clock));
        Self { inner: Arc::new(Inner { store, settings, clock, budget, deltas: Mutex::default(), span_metrics, admitted }) }
    }

    /// Goes on making metrics of the spans that the store has: to be called once, before the first write. A tenant's spans are
    /// counted from its first write on all the same.
    ///
    /// # Errors
    /// `Invalid` for settings that cannot work; of the disk.
    pub async fn start(&self) -> Result<()> {
        self.inner.settings.span_metrics.check()?;
        self.inner.span_metrics.start().await
    }

    /// Writes the metrics of all spans that are acknowledged. They are written at intervals too.
    ///
    /// # Errors
    /// Of the store; what was not written is written later.
    pub async fn write_span_metrics(&self) -> Result<()> {
        self.inner.span_metrics.write().await
    }

    /// Writes what is counted and not written yet, and stops counting: to be called when nothing is written any more.
    ///
    /// # Errors
    /// Of the store; the next start goes on.
    pub async fn stop(&self) -> Result<()> {
        self.inner.span_metrics.stop().await
    }
}

#[async_trait]
impl Sink for Ingester {
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        let mut share = self.inner.budget.share();
        share.grow(batches.iter().map(size_bytes).sum())?;
        let has_increments = batches.iter().any(|batch| matches!(batch, Batch::Metrics(metrics) if has_deltas(metrics)));
        if !has_increments {
            let mut tally = Tally::default();
            let admitted = self.inner.admit(tenant, batches, &mut tally)?;
            return self.inner.store(tenant, admitted, &tally).await;
        }
        // A caller that goes away must not stop this between the store and the sums, or a retry would add twice.
        let (inner, tenant) = (self.inner.clone(), tenant.clone());
        let task = tokio::spawn(async move {
            let _share = share;
            inner.write_deltas(&tenant, batches).await
        });
        task.await.map_err(|source| Error::internal("cannot write deltas: the task stopped").with_source(source))?
    }

    fn accepted_time(&self, now_ns: i64) -> TimeRange {
        Window::new(&self.inner.settings, now_ns).range()
    }

    fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.inner.store.known_series(tenant)
    }
}

impl Inner {
    fn admit(&self, tenant: &Tenant, batches: Vec<Batch>, tally: &mut Tally) -> Result<Vec<Batch>> {
        let now_ns = self.clock.now_ns();
        let window = Window::new(&self.settings, now_ns);
        let mut admitted = Vec::with_capacity(batches.len());
        for batch in batches {
            let batch = match batch {
                Batch::Metrics(metrics) => {
                    let mut new = Cardinality::new(&self.store, tenant, self.settings.series_max, now_ns);
                    let verdicts = judge_metrics(&metrics, &self.settings, &window, &mut new, tally);
                    Batch::Metrics(normalize::keep(metrics, &verdicts))
                }
                Batch::Logs(logs) => Batch::Logs(admit_logs(logs, &self.settings, &window, tally)?),
                Batch::Traces(spans) => Batch::Traces(admit_spans(spans, &self.settings, &window, tally)?),
            };
            if !is_empty(&batch) {
                admitted.push(batch);
            }
        }
        Ok(admitted)
    }

    async fn write_deltas(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        let accumulator = self.deltas.lock().entry(tenant.clone()).or_default().clone();
        let mut accumulator = accumulator.lock_owned().await;
        let now = self.clock.monotonic();
        accumulator.sweep(Duration::from_secs(self.settings.delta_idle_seconds), now);
        let (mut tally, mut prepared) = (Tally::default(), Prepared::default());
        let mut admitted = self.admit(tenant, batches, &mut tally)?;
        for batch in &mut admitted {
            if let Batch::Metrics(metrics) = batch {
                accumulator.prepare(metrics, &mut prepared, &self.settings, now, &mut tally);
            }
        }
        admitted.retain(|batch| !is_empty(batch));
        let accepted = self.store(tenant, admitted, &tally).await?;
        accumulator.commit(prepared, &*self.store.known_series(tenant));
        Ok(accepted)
    }

    async fn store(&self, tenant: &Tenant, batches: Vec<Batch>, tally: &Tally) -> Result<Accepted> {
        let written = Written::of(&batches);
        if written.spans > 0 {
            self.span_metrics.enter(tenant).await?;
        }
        if !batches.is_empty() {
            self.store.append(tenant, batches).await?;
        }
        for (counter, rows) in self.admitted.iter().zip([written.samples + written.histograms, written.logs, written.spans]) {
            counter.add(rows);
        }
        let rejected = tally.finish();
        for Rejected { rows, reason, .. } in &rejected {
            registry().counter(names::INGEST_REJECTED_ROWS_TOTAL, &[("reason", reason)]).add(*rows);
        }
        Ok(Accepted { rejected, written })
    }
}

fn is_empty(batch: &Batch) -> bool {
    match batch {
        Batch::Metrics(metrics) => metrics.series.is_empty() && metrics.metadata.is_empty(),
        Batch::Logs(_) | Batch::Traces(_) => batch.rows() == 0,
    }
}

/// About how much memory a batch takes.
fn size_bytes(batch: &Batch) -> usize {
    match batch {
        Batch::Metrics(metrics) => metrics_bytes(metrics),
        Batch::Logs(logs) => logs.rows().columns().iter().map(|column| column.get_array_memory_size()).sum(),
        Batch::Traces(spans) => spans.rows().columns().iter().map(|column| column.get_array_memory_size()).sum(),
    }
}

fn metrics_bytes(metrics: &MetricBatch) -> usize {
    let series = |entry: &SeriesEntry| match entry {
        SeriesEntry::Known(_) => 0,
        SeriesEntry::New { labels, .. } => labels.as_bytes().len(),
    };
    let buckets = metrics.histograms.iter().map(|sample| 8 * (sample.histogram.positive_buckets.len() + sample.histogram.negative_buckets.len()));
    let columns = 28 * (metrics.samples.len() + metrics.deltas.len()) + 256 * (metrics.histograms.len() + metrics.exemplars.len());
    columns + 40 * metrics.series.len() + metrics.series.iter().map(series).sum::<usize>() + buckets.sum::<usize>()
}

/// How many series a tenant may still add. At the limit the store is asked whether a series is new at all: after a restart
/// it has series that no decoder has met yet, and those must go on.
struct Cardinality<'a> {
    left: usize,
    store: &'a Store,
    tenant: &'a Tenant,
    range: TimeRange,
    snapshot: Option<Snapshot>,
}

impl<'a> Cardinality<'a> {
    fn new(store: &'a Store, tenant: &'a Tenant, series_max: usize, now_ns: i64) -> Self {
        let left = series_max.saturating_sub(store.active_series(tenant));
        Self { left, store, tenant, range: TimeRange::from_ns(now_ns.saturating_sub(RECENT_NS), i64::MAX), snapshot: None }
    }
}

impl NewSeries for Cardinality<'_> {
    fn may_add(&mut self, labels: &Labels) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return true;
        }
        let snapshot = self.snapshot.get_or_insert_with(|| self.store.snapshot(self.tenant));
        let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(name, value)).collect();
        // More than a handful that have these labels and others besides would be strange; an error means: not found.
        let found = snapshot.select(&matchers, self.range, 64).unwrap_or_default();
        found.iter().any(|series| series.labels == *labels)
    }
}

#[cfg(test)]
mod tests;
