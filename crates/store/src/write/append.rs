//! Append: batches become WAL records, and once these are durable, rows in the heads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Batch, Error, Result, SeriesEntry, SeriesRef, Tenant};

use crate::limits::HEAD_FLUSHES_MAX;
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
    /// Bytes behind the heads that are not published.
    unpublished_bytes: AtomicU64,
}

impl Account {
    /// With the number of the next row.
    pub(crate) fn new(next_row: u64) -> Self {
        Self { next_row: AtomicU64::new(next_row), active_bytes: AtomicU64::new(0), unpublished_bytes: AtomicU64::new(0) }
    }

    /// Number of the next row.
    pub(crate) fn next_row(&self) -> u64 {
        self.next_row.load(Ordering::Relaxed)
    }

    /// Bytes since the last cut.
    pub(crate) fn active_bytes(&self) -> u64 {
        self.active_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that are not published.
    pub(crate) fn unpublished_bytes(&self) -> u64 {
        self.unpublished_bytes.load(Ordering::Relaxed)
    }

    /// Notes that a frame was applied.
    pub(crate) fn applied(&self, bytes: u64) {
        self.active_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unpublished_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Begins anew at a cut; gives the bytes before it.
    pub(crate) fn cut(&self) -> u64 {
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
            account.applied(bytes_behind(&batch));
            if let Err(error) = apply(&store, &account, &batch, &refs) {
                tracing::error!(%error, sequence, "cannot show the rows of a durable WAL frame, they come back with the next start");
            }
        };
        Ok((record, Box::new(apply)))
    }
}

/// What a sample counts against the heads: 8 bytes, half as much that vectors are ahead, and all of it once more, for it is
/// still there while it is flushed and others come.
const SAMPLE_BYTES: u64 = 24;
/// What a native histogram and an exemplar count, about.
const HISTOGRAM_BYTES: u64 = 600;
const EXEMPLAR_BYTES: u64 = 200;

/// What a frame counts against the heads: the bytes that its rows take in memory, about.
pub(crate) fn bytes_behind(batch: &Batch) -> u64 {
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
