//! Flush: what the heads hold becomes level-0 segments, published together with the WAL position they consume.
//!
//! A *cut* seals all heads between two WAL frames. Its rows stay visible in the heads until the one transaction of the
//! catalog is committed; then, in one instant a tenant, they are seen in the segments instead. A cut that could not be
//! written or committed is kept and tried again before a new one is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::{MetricMetadata, Result, Table, Tenant};
use signalbox_telemetry::{names, registry};

use crate::format::metrics::Target;
use crate::format::{FrameRange, Segment, metrics, rows};
use crate::publish::{Change, Publisher};
use crate::segment_records::SegmentRecords;
use crate::segments::Shelf;
use crate::tenants::{TenantStore, Tenants};
use crate::write::append::Account;
use crate::write::head::metrics::Sealed as SealedMetrics;
use crate::write::head::rows::Sealed as SealedRows;
use crate::write::wal::Wal;

/// All heads, sealed between two frames.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The frames whose rows are in here: all of them from the cut before this one on.
    pub(crate) frames: FrameRange,
    /// The position after them.
    pub(crate) position: u64,
    /// Number of the next row of logs and spans after them.
    pub(crate) next_row: u64,
    /// Heads that had rows.
    pub(crate) heads: Vec<CutHead>,
    /// Metadata that the catalog does not have yet.
    pub(crate) metadata: Vec<(Tenant, MetricMetadata)>,
    /// Bytes of the frames, as the account has them.
    bytes: u64,
}

/// What the barrier of a cut finds.
struct SealedHeads {
    heads: Vec<CutHead>,
    next_row: u64,
    bytes: u64,
}

/// The sealed head of one tenant.
#[derive(Debug)]
pub(crate) struct CutHead {
    pub(crate) tenant: Tenant,
    metrics: Option<Arc<SealedMetrics>>,
    logs: Option<Arc<SealedRows>>,
    spans: Option<Arc<SealedRows>>,
}

impl CutHead {
    fn seal(tenant: &Tenant, store: &TenantStore) -> Option<Self> {
        let head = Self { tenant: tenant.clone(), metrics: store.metrics.seal(), logs: store.logs.seal(), spans: store.spans.seal() };
        (head.metrics.is_some() || head.logs.is_some() || head.spans.is_some()).then_some(head)
    }

    fn release(&self, store: &TenantStore) {
        if let Some(sealed) = &self.metrics {
            store.metrics.release(sealed);
        }
        if let Some(sealed) = &self.logs {
            store.logs.release(sealed);
        }
        if let Some(sealed) = &self.spans {
            store.spans.release(sealed);
        }
    }
}

impl Cut {
    /// Forgets what the head of a tenant holds of this cut.
    pub(crate) fn release(&self, tenant: &Tenant, store: &TenantStore) {
        self.heads.iter().filter(|head| head.tenant == *tenant).for_each(|head| head.release(store));
    }
}

/// Makes cuts and publishes them, one at a time.
#[derive(Debug)]
pub(crate) struct Flusher {
    pub(crate) wal: Arc<Wal>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) records: Arc<SegmentRecords>,
    pub(crate) account: Arc<Account>,
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// A cut that is not published yet.
    pending: Option<Arc<Cut>>,
    /// First frame of the next cut.
    from: u64,
    /// The metadata that the catalog has.
    saved: BTreeMap<(Tenant, String), MetricMetadata>,
}

impl Flusher {
    /// Goes on with frame `from`, behind those that segments have; `saved` is the metadata of the catalog.
    pub(crate) fn new(
        wal: Arc<Wal>,
        tenants: Arc<Tenants>,
        (publisher, shelf): (Arc<Publisher>, Arc<Shelf>),
        records: Arc<SegmentRecords>,
        account: Arc<Account>,
        (from, saved): (u64, &[(Tenant, MetricMetadata)]),
    ) -> Self {
        let saved = saved.iter().map(|(tenant, metadata)| ((tenant.clone(), metadata.name.clone()), metadata.clone())).collect();
        let state = State { pending: None, from, saved };
        Self { wal, tenants, publisher, shelf, records, account, state: tokio::sync::Mutex::new(state) }
    }

    /// Publishes everything that was applied before the call. Blocks on the disk.
    ///
    /// # Errors
    /// Of the disk and the catalog; what is not published stays visible and is tried again by the next flush.
    pub(crate) async fn flush(&self) -> Result<()> {
        let flushing = self.account.begin_flush();
        let flushed = self.try_flush().await;
        drop(flushing);
        let outcome = if flushed.is_ok() { "ok" } else { "failed" };
        registry().counter(names::STORE_FLUSHES_TOTAL, &[("outcome", outcome)]).add(1);
        flushed
    }

    async fn try_flush(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        self.publisher.settle().await?;
        self.publish_pending(&mut state).await?;
        state.pending = self.cut(&mut state).await?.map(Arc::new);
        self.publish_pending(&mut state).await?;
        if let Err(error) = self.wal.release(self.publisher.consumed()) {
            tracing::warn!(%error, "cannot release consumed WAL files, the next flush tries again");
        }
        self.publisher.remove_retired();
        Ok(())
    }

    async fn publish_pending(&self, state: &mut State) -> Result<()> {
        let Some(cut) = state.pending.clone() else { return Ok(()) };
        if self.publisher.consumed() < cut.position {
            let added = self.write(&cut)?;
            self.publisher.publish(Change { added, cut: Some(Arc::clone(&cut)), ..Change::default() }).await?;
        }
        for (tenant, metadata) in &cut.metadata {
            state.saved.insert((tenant.clone(), metadata.name.clone()), metadata.clone());
        }
        self.account.published(cut.bytes);
        state.pending = None;
        Ok(())
    }

    /// Seals all heads between two frames; `None` if nothing was appended since the last cut.
    async fn cut(&self, state: &mut State) -> Result<Option<Cut>> {
        let sealed: Arc<Mutex<Option<SealedHeads>>> = Arc::default();
        let (tenants, account, result) = (Arc::clone(&self.tenants), Arc::clone(&self.account), Arc::clone(&sealed));
        let seal = move |_position: u64| {
            let heads = tenants.all().iter().filter_map(|(tenant, store)| CutHead::seal(tenant, store)).collect();
            *result.lock() = Some(SealedHeads { heads, next_row: account.next_row(), bytes: account.cut() });
        };
        let position = self.wal.barrier(Box::new(seal)).await?;
        let Some(SealedHeads { heads, next_row, bytes }) = sealed.lock().take() else { return Ok(None) };
        if position <= state.from && heads.is_empty() {
            return Ok(None);
        }
        let last = position.saturating_sub(1);
        let frames = FrameRange { first: state.from.min(last), last };
        state.from = position;
        let metadata = self.unsaved_metadata(state);
        Ok(Some(Cut { frames, position, next_row, heads, metadata, bytes }))
    }

    fn unsaved_metadata(&self, state: &State) -> Vec<(Tenant, MetricMetadata)> {
        let mut unsaved = Vec::new();
        for (tenant, store) in self.tenants.all() {
            let metadata = store.metrics.metadata().into_iter();
            let metadata = metadata.filter(|metadata| state.saved.get(&(tenant.clone(), metadata.name.clone())) != Some(metadata));
            unsaved.extend(metadata.map(|metadata| (tenant.clone(), metadata)));
        }
        unsaved
    }

    /// Writes the segments of a cut; on error those that were written are removed again.
    fn write(&self, cut: &Cut) -> Result<Vec<Segment>> {
        let mut written = Vec::new();
        for head in &cut.heads {
            if let Err(error) = self.write_head(cut, head, &mut written) {
                self.shelf.remove_unpublished(&written);
                return Err(error);
            }
        }
        Ok(written)
    }

    fn write_head(&self, cut: &Cut, head: &CutHead, written: &mut Vec<Segment>) -> Result<()> {
        let mut record = |table: Table| self.records.level_0(&head.tenant, table, cut.frames);
        let mut target = Target { disk: &self.shelf.disk, dir: &self.shelf.dir, record: &mut record };
        if let Some(sealed) = &head.metrics {
            written.extend(metrics::write(sealed, &mut target)?);
        }
        for sealed in head.logs.iter().chain(&head.spans) {
            written.push(rows::write(sealed, &mut target)?);
        }
        Ok(())
    }
}
