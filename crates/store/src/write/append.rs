//! Append: batches become WAL records, and once these are durable, rows in the heads.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Batch, Error, MetricBatch, Result, SeriesEntry, SeriesRef, Tenant};
use tokio::sync::Notify;

use crate::limits::{HEAD_FLUSHES_MAX, SLOW_FLUSHES};
use crate::settings::Settings;
use crate::tenants::{TenantStore, Tenants};
use crate::write::head::metrics;
use crate::write::head::rows::numbered;
use crate::write::payload::{Encoder, SeriesLabels};
use crate::write::wal::{Answer, Apply, Record, Wal};

/// What the heads hold, in numbers.
#[derive(Debug)]
pub(crate) struct Account {
    /// Number of the next row of logs and spans. Changed by replay and by the applier only, in order of frames.
    next_row: AtomicU64,
    /// Bytes behind the heads since the last cut.
    active_bytes: AtomicU64,
    /// Of these, those of logs and spans.
    active_row_bytes: AtomicU64,
    /// What the metrics among them cost to flush, in bytes of samples.
    active_metric_cost: AtomicU64,
    /// Bytes behind the heads that are not published.
    unpublished_bytes: AtomicU64,
    is_flushing: AtomicBool,
    /// Tells of the end of a flush.
    flushed: Notify,
}

/// A flush that runs.
#[derive(Debug)]
pub(crate) struct Flushing<'a>(&'a Account);

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.is_flushing.store(false, Ordering::Release);
        self.0.flushed.notify_waiters();
    }
}

impl Account {
    /// With the number of the next row.
    pub(crate) fn new(next_row: u64) -> Self {
        let [active_bytes, active_row_bytes, active_metric_cost, unpublished_bytes] = [0; 4].map(AtomicU64::new);
        let (is_flushing, flushed) = (AtomicBool::new(false), Notify::new());
        Self { next_row: AtomicU64::new(next_row), active_bytes, active_row_bytes, active_metric_cost, unpublished_bytes, is_flushing, flushed }
    }

    /// Notes that a flush runs, as long as what this gives is held.
    pub(crate) fn begin_flush(&self) -> Flushing<'_> {
        self.is_flushing.store(true, Ordering::Release);
        Flushing(self)
    }

    /// Waits for the end of the flush that runs, if it falls behind what comes in: more than [`SLOW_FLUSHES`] times what makes a
    /// flush due waits for the next one already. So senders are slowed down and memory stays bounded.
    pub(crate) async fn wait_if_behind(&self, bytes_max: u64, row_bytes_max: u64) {
        let mut flushed = pin!(self.flushed.notified());
        flushed.as_mut().enable();
        let is_behind = self.is_flush_due(bytes_max.saturating_mul(SLOW_FLUSHES), row_bytes_max.saturating_mul(SLOW_FLUSHES));
        if is_behind && self.is_flushing.load(Ordering::Acquire) {
            flushed.await;
        }
    }

    /// Number of the next row.
    pub(crate) fn next_row(&self) -> u64 {
        self.next_row.load(Ordering::Relaxed)
    }

    /// Whether so much waits in the heads that they should be flushed. A cut takes all heads, and a cut of metrics that comes
    /// too early is dear: each series has its labels and few samples in it. So logs and spans ask for one of their own only
    /// where there is little else.
    pub(crate) fn is_flush_due(&self, bytes_max: u64, row_bytes_max: u64) -> bool {
        let (bytes, row_bytes) = (self.active_bytes.load(Ordering::Relaxed), self.active_row_bytes.load(Ordering::Relaxed));
        let metrics = self.active_metric_cost.load(Ordering::Relaxed);
        bytes >= bytes_max || row_bytes >= row_bytes_max && metrics <= row_bytes / ROWS_PER_METRICS_MIN
    }

    /// Bytes that are not published.
    pub(crate) fn unpublished_bytes(&self) -> u64 {
        self.unpublished_bytes.load(Ordering::Relaxed)
    }

    /// Notes that a frame was applied.
    pub(crate) fn applied(&self, batch: &Batch) {
        let bytes = bytes_behind(batch);
        match batch {
            Batch::Metrics(batch) => self.active_metric_cost.fetch_add(cost_of(batch), Ordering::Relaxed),
            _ => self.active_row_bytes.fetch_add(bytes, Ordering::Relaxed),
        };
        self.active_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unpublished_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Begins anew at a cut; gives the bytes before it.
    pub(crate) fn cut(&self) -> u64 {
        self.active_row_bytes.store(0, Ordering::Relaxed);
        self.active_metric_cost.store(0, Ordering::Relaxed);
        self.active_bytes.swap(0, Ordering::Relaxed)
    }

    /// Notes that so many bytes are published.
    pub(crate) fn published(&self, bytes: u64) {
        self.unpublished_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Numbers rows in the order of arrival.
    fn number(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        numbered(rows, self.next_row.fetch_add(rows.num_rows() as u64, Ordering::Relaxed))
    }
}

/// Appends to the WAL and to the heads behind it.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(crate) wal: Arc<Wal>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) account: Arc<Account>,
    encoder: Encoder,
    /// Bytes behind the heads beyond which appends are refused.
    unpublished_bytes_max: u64,
    retry_after: Duration,
}

impl Appender {
    pub(crate) fn new(wal: Arc<Wal>, tenants: Arc<Tenants>, account: Arc<Account>, settings: &Settings) -> Self {
        let unpublished_bytes_max = settings.flush_wal_bytes.saturating_mul(HEAD_FLUSHES_MAX);
        Self { wal, tenants, account, encoder: Encoder::default(), unpublished_bytes_max, retry_after: settings.wal.retry_after() }
    }

    /// Queues the batches of a request, all of them before the first is awaited, so that they ride on one sync.
    ///
    /// # Errors
    /// `Unavailable` when the heads are full; `Internal` for batches that no decoder may give. Then none is queued.
    pub(crate) fn enqueue(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Vec<Answer>> {
        let unpublished = self.account.unpublished_bytes();
        if unpublished > self.unpublished_bytes_max {
            let message = format!("cannot append: {unpublished} bytes wait to be flushed, want at most {}", self.unpublished_bytes_max);
            return Err(Error::unavailable(message).with_retry_after(self.retry_after));
        }
        let store = self.tenants.enter(tenant);
        let labels: Arc<dyn SeriesLabels> = Arc::clone(&store) as _;
        let records = batches.into_iter().map(|batch| self.prepare(tenant, &store, batch, &labels)).collect::<Result<Vec<_>>>()?;
        Ok(records.into_iter().map(|(record, apply)| self.wal.append(record, apply)).collect())
    }

    fn prepare(&self, tenant: &Tenant, store: &Arc<TenantStore>, batch: Batch, labels: &Arc<dyn SeriesLabels>) -> Result<(Record, Apply)> {
        let (store, account) = (Arc::clone(store), Arc::clone(&self.account));
        let (batch, refs) = match batch {
            Batch::Metrics(mut batch) => {
                // Numbers now, so that the log need not repeat labels.
                metrics::check(&batch, batch.series.len())?;
                let refs = store.metrics.resolve(&batch.series)?;
                batch.series = refs.iter().copied().map(SeriesEntry::Known).collect();
                (Batch::Metrics(batch), refs)
            }
            rows => (rows, Vec::new()),
        };
        let record = self.encoder.encode(tenant, &batch, labels)?;
        let apply = move |sequence: u64| {
            account.applied(&batch);
            if let Err(error) = apply(&store, &account, &batch, &refs) {
                tracing::error!(%error, sequence, "cannot show the rows of a durable WAL frame, they come back with the next start");
            }
        };
        Ok((record, Box::new(apply)))
    }
}

/// Bytes of logs and spans for each byte of metrics from which on a cut need not wait for more metrics: a sample in 24 bytes
/// may cost as much as a record in 400 to flush.
const ROWS_PER_METRICS_MIN: u64 = 16;
/// Samples that take as much to flush as a native histogram.
const SAMPLES_PER_HISTOGRAM: u64 = 4;

/// What a sample counts against the heads: 8 bytes, half as much that vectors are ahead, and all of it once more, for it is
/// still there while it is flushed and others come.
const SAMPLE_BYTES: u64 = 24;
/// What a native histogram and an exemplar count, about.
const HISTOGRAM_BYTES: u64 = 600;
const EXEMPLAR_BYTES: u64 = 200;

/// What metrics cost to flush: by what there is of them, for what takes memory of a histogram is mostly its buckets.
fn cost_of(batch: &MetricBatch) -> u64 {
    (batch.samples.len() as u64 + batch.histograms.len() as u64 * SAMPLES_PER_HISTOGRAM + batch.exemplars.len() as u64) * SAMPLE_BYTES
}

/// What a frame counts against the heads: the bytes that its rows take in memory, about.
fn bytes_behind(batch: &Batch) -> u64 {
    let rows = match batch {
        Batch::Metrics(batch) => {
            let counted = [(batch.samples.len(), SAMPLE_BYTES), (batch.histograms.len(), HISTOGRAM_BYTES), (batch.exemplars.len(), EXEMPLAR_BYTES)];
            return counted.iter().map(|(rows, bytes)| *rows as u64 * bytes).sum();
        }
        Batch::Logs(batch) => batch.rows(),
        Batch::Traces(batch) => batch.rows(),
    };
    let column = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size());
    rows.columns().iter().map(column).sum::<usize>() as u64
}

/// Makes the rows of a frame visible; `refs` are the series of a batch of metrics.
///
/// # Errors
/// `Internal` for batches that an append refuses.
pub(crate) fn apply(store: &TenantStore, account: &Account, batch: &Batch, refs: &[SeriesRef]) -> Result<()> {
    match batch {
        Batch::Metrics(batch) => store.metrics.append(batch, refs),
        Batch::Logs(batch) => store.logs.append(account.number(batch.rows())?),
        Batch::Traces(batch) => store.spans.append(account.number(batch.rows())?),
    }
}

#[cfg(test)]
mod tests {
    use signalbox_model::builder::{LogBuilder, LogRow};
    use signalbox_model::{Histogram, HistogramSample, LogBatch};

    use super::*;

    fn logs(rows: usize) -> Batch {
        let mut builder = LogBuilder::default();
        (0..rows).for_each(|_| builder.close_row(&LogRow { body: Some("a line of some length"), ..LogRow::default() }));
        let rows: LogBatch = builder.finish();
        Batch::Logs(rows)
    }

    fn metrics(samples: u32) -> Batch {
        let mut batch = MetricBatch::default();
        (0..samples).for_each(|sample| batch.samples.push(0, i64::from(sample), 1.0));
        Batch::Metrics(batch)
    }

    #[test]
    fn senders_wait_for_a_flush_that_falls_behind_and_for_no_other() {
        use futures::FutureExt as _;

        let account = Account::new(0);
        account.applied(&logs(100));
        let bytes = account.active_bytes.load(Ordering::Relaxed);
        let is_waiting = |row_bytes_max: u64| account.wait_if_behind(1 << 30, row_bytes_max).now_or_never().is_none();
        assert!(!is_waiting(1), "no flush runs");
        let flushing = account.begin_flush();
        assert!(is_waiting(bytes / 2) && !is_waiting(bytes / 2 + 1));
        let mut waiting = Box::pin(account.wait_if_behind(1 << 30, 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(flushing);
        assert!(waiting.now_or_never().is_some() && !is_waiting(1));
    }

    #[test]
    fn rows_are_flushed_early_unless_metrics_would_be_cut_into_pieces() {
        let account = Account::new(0);
        account.applied(&logs(100));
        let bytes = account.active_bytes.load(Ordering::Relaxed);
        assert!(bytes > 2000);
        assert!(account.is_flush_due(1 << 30, bytes) && !account.is_flush_due(1 << 30, bytes + 1));
        account.applied(&metrics((bytes / 24 / 20) as u32));
        assert!(account.is_flush_due(1 << 30, bytes), "a few samples are no matter");
        account.applied(&metrics((bytes / 24) as u32));
        assert!(!account.is_flush_due(1 << 30, bytes) && account.is_flush_due(2 * bytes, bytes));
        account.cut();
        account.applied(&logs(100));
        let mut few = MetricBatch::default();
        let sample = HistogramSample { series: 0, ts_ms: 0, start_ms: 0, is_delta: false, histogram: Histogram::default() };
        few.histograms.resize((bytes / 24 / 16 / 4) as usize, sample);
        assert!(!few.histograms.is_empty() && few.histograms.len() as u64 * HISTOGRAM_BYTES > bytes / 16);
        account.applied(&Batch::Metrics(few));
        assert!(account.is_flush_due(1 << 30, bytes), "histograms take more memory than time");
        account.cut();
        assert!(!account.is_flush_due(1, 1) && account.unpublished_bytes() > 2 * bytes);
        account.applied(&metrics(1000));
        assert!(!account.is_flush_due(1 << 30, 0) && account.is_flush_due(24_000, 1));
    }
}
