//! The door of the store: what everything above it calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use parking_lot::Mutex;
use signalbox_model::disk::Disk;
use signalbox_model::{Batch, Clock, Error, KnownSeries, Matcher, Owners, Result, Signal, Table, Tenant, TimeRange};
use signalbox_telemetry::{names, registry};
use tokio::sync::watch;

use crate::backup::{self, Companion};
use crate::catalog::{Catalog, MemoryCatalog, SqliteCatalog};
use crate::deletion::{Deletion, Deletions, Undelete, Undeleted, selector};
use crate::disk::{RealDisk, RootLock};
use crate::federation::{Mark, Member};
use crate::follow::Follower;
use crate::format::{Segment, rows};
use crate::layout;
use crate::limits::{FIRST_ROUND_AFTER, FLUSH_RETRY_INTERVAL};
use crate::maintain::worker::Desk;
use crate::maintain::{Maintainer, gauges};
use crate::publish::Publisher;
use crate::read::metrics::cache::PageCache;
use crate::row_numbers::RowNumbers;
use crate::segment_records::SegmentRecords;
use crate::segments::Shelf;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::tenants::{TenantStore, Tenants};
use crate::write::append::{Account, Appender};
use crate::write::flush::Flusher;
use crate::write::recover::{Recovered, recover};
use crate::write::wal::Wal;

/// The segments as views of DuckDB.
const VIEWS: &str = include_str!("views.sql");

/// The store of one process. Cheap to clone; all clones are one store. Dropping the last one without [`Store::close`] is as
/// safe as a crash: nothing acknowledged is lost.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) tenants: Arc<Tenants>,
    wal: Arc<Wal>,
    appender: Appender,
    account: Arc<Account>,
    flusher: Flusher,
    pub(crate) maintainer: Maintainer,
    pub(crate) publisher: Arc<Publisher>,
    flushing: Desk,
    flush_wal_bytes: u64,
    flush_row_bytes: u64,
    is_closed: AtomicBool,
    lock: Mutex<Option<RootLock>>,
}

impl Store {
    /// Opens the store in a directory, creating it if need be: recovers from whatever the last process left behind. On a real
    /// disk a relative directory is one of the working directory of the process.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Unavailable`] if another process holds the directory or the disk refuses;
    /// [`signalbox_model::ErrorKind::Invalid`] for settings that cannot work and for files of a later version;
    /// damaged data never prevents opening, it is quarantined and counted.
    pub async fn open(settings: Settings, dir: &Path, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Self> {
        let Some(real) = disk.real_path(dir) else {
            // SQLite cannot use a simulated disk; the segments on it are enough to make a catalog of.
            return Self::open_with(settings, dir, disk, clock, Arc::new(MemoryCatalog::default())).await;
        };
        drop(real);
        let failed = |error: std::io::Error| Error::unavailable(format!("cannot open the store in {}", dir.display())).with_source(error);
        let dir = std::path::absolute(dir).map_err(failed)?;
        let real = disk.real_path(&dir).ok_or_else(|| Error::internal("cannot open the store: the disk is no longer real"))?;
        let lock = RealDisk::new(&real).lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::unavailable(format!("cannot open the store in {}: another process uses it", real.display())),
            _ => failed(error),
        })?;
        let catalog = Arc::new(SqliteCatalog::new(layout::catalog(&real)));
        let store = Self::open_with(settings, &dir, disk, clock, catalog).await?;
        *store.inner.lock.lock() = Some(lock);
        write_views(&real);
        Ok(store)
    }

    /// As [`Store::open`], with a catalog of the caller's and without the lock on the directory: for simulated disks.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(settings: Settings, dir: &Path, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, catalog: Arc<dyn Catalog>) -> Result<Self> {
        settings.check()?;
        let cache = Arc::new(PageCache::new(usize::try_from(settings.metric_cache_bytes).unwrap_or(usize::MAX)));
        let shelf = Shelf { disk, dir: dir.to_owned(), cache, deletions: Deletions::default() };
        let (sender, opened) = oneshot::channel();
        let failed = |error: std::io::Error| Error::unavailable("cannot start the thread that opens the store").with_source(error);
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed);
            let store = runtime.and_then(|runtime| runtime.block_on(Inner::open(&settings, shelf, catalog, clock)));
            // Whoever wanted the store may have gone.
            let _gone = sender.send(store);
        };
        std::thread::Builder::new().name("store-open".into()).spawn(body).map_err(failed)?;
        let inner = opened.await.map_err(|_| Error::internal("cannot open the store: the thread that opens it died"))??;
        Ok(Self { inner })
    }

    /// Appends the batches of one request. `Ok` means that all rows are on stable storage and visible to snapshots taken
    /// from now on. After `Err` the rows may or may not appear; a retry is safe for samples (same series and time: the last
    /// write wins), and doubles log records and spans only if the failed attempt did appear.
    ///
    /// Where more comes in than is flushed, this first waits for the end of the flush that runs.
    ///
    /// Batches MUST NOT hold deltas; of two samples of one series and time, the one appended later wins.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full or failing, with a time after which to retry.
    pub async fn append(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<()> {
        // Before anything is written: who gives up meanwhile and comes again leaves no rows twice.
        self.inner.account.wait_if_behind(self.inner.flush_wal_bytes, self.inner.flush_row_bytes).await;
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("cannot append: the store is closing"));
        }
        let answers = self.inner.appender.enqueue(tenant, batches)?;
        let mut first_error = None;
        for answer in answers {
            if let Err(error) = answer.await {
                first_error.get_or_insert(error);
            }
        }
        if self.inner.account.is_flush_due(self.inner.flush_wal_bytes, self.inner.flush_row_bytes) {
            self.inner.flushing.poke();
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The series of a tenant that decoders need not parse again.
    pub fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.inner.tenants.enter(tenant)
    }

    /// The tenants that have rows of a signal, sorted by name.
    pub fn tenants(&self, signal: Signal) -> Vec<Tenant> {
        let has_rows = |store: &TenantStore| match signal {
            Signal::Metrics => {
                store.metrics.active_series() > 0 || Table::ALL.iter().any(|table| table.signal() == signal && !store.segments(*table).is_empty())
            }
            Signal::Logs => !store.logs.view().chunks.is_empty() || !store.segments(Table::Logs).is_empty(),
            Signal::Traces => !store.spans.view().chunks.is_empty() || !store.segments(Table::Spans).is_empty(),
        };
        self.inner.tenants.all().into_iter().filter(|(_, store)| has_rows(store)).map(|(tenant, _)| tenant).collect()
    }

    /// The arrival number (the column `sequence`) that the next row of logs or spans gets. Those of rows that are visible are lower.
    pub fn next_row(&self) -> u64 {
        self.inner.account.next_row()
    }

    /// Series of a tenant in the head.
    pub fn active_series(&self, tenant: &Tenant) -> usize {
        self.inner.tenants.find(tenant).map_or(0, |store| store.metrics.active_series())
    }

    /// What is stored of a tenant, head and segments at one instant, or of several, each at an instant of its own. Cheap.
    pub fn snapshot(&self, owners: impl Into<Owners>) -> Snapshot {
        let owners = owners.into();
        let of_one = |tenant: &Tenant| self.inner.tenants.find(tenant).unwrap_or_default().snapshot();
        match owners.only() {
            Some(tenant) => of_one(tenant),
            None => {
                let members = owners.iter().map(|tenant| Member { mark: Mark(tenant.clone()), snapshot: of_one(tenant) }).collect();
                Snapshot { members, ..Arc::<TenantStore>::default().snapshot() }
            }
        }
    }

    /// Follows the rows of logs or spans that are appended to a tenant, or to several, from now on.
    ///
    /// # Errors
    /// `Internal` for a table of metrics.
    pub fn follow(&self, owners: impl Into<Owners>, table: Table) -> Result<Follower> {
        rows::schema_of(table)?;
        let owners = owners.into();
        let head = |tenant: &Tenant| {
            let store = self.inner.tenants.enter(tenant);
            if table == Table::Logs { store.logs.follow() } else { store.spans.follow() }
        };
        Ok(match owners.only() {
            Some(tenant) => Follower::of_one(table, head(tenant)),
            None => Follower::of_several(table, owners.iter().map(|tenant| (Mark(tenant.clone()), head(tenant))).collect()),
        })
    }

    /// Flushes everything that is in the head now into published segments.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost, the rows stay in the head and the WAL.
    pub async fn flush(&self) -> Result<()> {
        self.inner.flushing.ask().await
    }

    /// One round of compaction and retention. Called by the schedule of the store itself; tests call it directly.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub async fn maintain(&self) -> Result<()> {
        self.inner.maintainer.desk.ask().await
    }

    /// Deletes the series of a tenant that match one of the sets of matchers, over a range of time (both ends included): of
    /// everything that was acknowledged before the call, nothing of them is in any later snapshot, whatever happens to the
    /// process; samples, native histograms and exemplars alike. What is appended later is not touched, whatever its time.
    /// The rows leave the disk with the next merge of their segments, within about a day; [`Store::purge`] does it at once.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Limit`] if too many deletions wait to be purged; of the disk and the catalog. After an
    /// error of the catalog the deletion may hold, now or after the next start: delete again.
    pub async fn delete_series(&self, tenant: &Tenant, sets: &[Vec<Matcher>], range: TimeRange) -> Result<()> {
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("cannot delete series: the store is closing"));
        }
        let Some(store) = self.inner.tenants.find(tenant) else { return Ok(()) };
        // Rows in memory have to be in a segment, or a replay of the WAL would bring them back.
        if store.metrics.may_have(sets) {
            self.flush().await?;
        }
        let segments = self.inner.publisher.delete(tenant, sets, range, self.inner.maintainer.clock.now_ns()).await?;
        registry().counter(names::STORE_DELETIONS_TOTAL, &[]).add(sets.len() as u64);
        let selectors: Vec<String> = sets.iter().map(|matchers| selector(matchers)).collect();
        let (start_ms, end_ms) = (range.start_ms(), range.end_ms());
        tracing::info!(%tenant, ?selectors, start_ms, end_ms, segments, "deleted series {} of tenant {tenant}", selectors.join(", "));
        Ok(())
    }

    /// Deletes rows of logs or spans by their arrival numbers (the column `sequence`): none of them is in any later snapshot,
    /// whatever happens to the process. `reason` is kept with the deletion until its rows have left the disk, which they do
    /// with the next merge of their segments, within about a day; [`Store::purge`] does it at once.
    ///
    /// # Errors
    /// As [`Store::delete_series`]; `Internal` for a table of metrics.
    pub async fn delete_rows(&self, tenant: &Tenant, table: Table, numbers: RowNumbers, reason: &str) -> Result<()> {
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("cannot delete rows: the store is closing"));
        }
        rows::schema_of(table)?;
        if numbers.is_empty() {
            return Ok(());
        }
        // Rows in memory have to be in a segment, or a replay of the WAL would bring them back.
        self.flush().await?;
        let rows = numbers.len();
        self.inner.publisher.delete_rows(tenant, table, numbers, reason, self.inner.maintainer.clock.now_ns()).await?;
        registry().counter(names::STORE_DELETIONS_TOTAL, &[]).add(1);
        tracing::info!(%tenant, table = table.as_str(), rows, reason, "deleted {rows} rows of {} of tenant {tenant}: {reason}", table.as_str());
        Ok(())
    }

    /// Has the rows that were deleted for a reason in every later snapshot again, those that have not left the disk. Durable on
    /// return.
    ///
    /// # Errors
    /// As [`Store::delete_series`].
    pub async fn undelete_rows(&self, tenant: &Tenant, table: Table, reason: &str, which: Undelete) -> Result<Undeleted> {
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("cannot undelete rows: the store is closing"));
        }
        let undeleted = self.inner.publisher.undelete_rows(tenant, table, reason, which).await?;
        if undeleted == Undeleted::Back {
            tracing::info!(%tenant, table = table.as_str(), reason, "took back a deletion of rows of {} of tenant {tenant}: {reason}", table.as_str());
        }
        Ok(undeleted)
    }

    /// Changes whenever deletions are forgotten: their rows have left the disk, or they were taken back.
    pub fn deletions_forgotten(&self) -> watch::Receiver<u64> {
        self.inner.publisher.deletions_forgotten()
    }

    /// The deletions of a tenant whose rows have not all left the disk, oldest first.
    pub fn deletions(&self, tenant: &Tenant) -> Vec<Arc<Deletion>> {
        self.inner.maintainer.shelf.deletions.of_tenant(tenant)
    }

    /// Has everything that is deleted leave the disk: segments that hold rows of it are written anew. Files go when no
    /// snapshot holds them.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing comes back, and the next round goes on.
    pub async fn purge(&self) -> Result<()> {
        self.inner.maintainer.is_purge_due.store(true, Ordering::Release);
        self.maintain().await
    }

    /// Flushes, and merges all segments into segments of the last level, whether their windows are over or not. It rewrites
    /// everything that is not there yet: for measuring, and for a store that will not be written to any more.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost. What the disk has no room for stays as it is.
    pub async fn compact(&self) -> Result<()> {
        self.flush().await?;
        self.inner.maintainer.compact_all.store(true, Ordering::Release);
        self.maintain().await
    }

    /// Makes a copy of everything that was acknowledged before the call, of all tenants and signals, in `snapshots/<name>` below
    /// the data directory, and gives its path. It is a data directory of its own: a store can be opened on it, there or
    /// moved elsewhere. Segments are hard links, so it takes space only as the store lets go of them. `companions` add what
    /// lies beside the store.
    ///
    /// # Errors
    /// `Invalid` for a name that is none or is taken, and on a simulated disk; of the disk, the catalog and the companions. Then
    /// nothing is left of it.
    pub async fn snapshot_to(&self, name: &str, companions: &[Arc<dyn Companion>]) -> Result<PathBuf> {
        self.flush().await?;
        let (inner, name, companions) = (Arc::clone(&self.inner), name.to_owned(), companions.to_vec());
        let (sender, made) = oneshot::channel();
        let failed = |error: std::io::Error| Error::unavailable("cannot start the thread that makes a snapshot").with_source(error);
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed);
            let written = runtime.and_then(|runtime| {
                runtime.block_on(async {
                    let frozen = inner.publisher.freeze().await?;
                    backup::write(&inner.maintainer.shelf, frozen, &name, &companions).await
                })
            });
            // Whoever wanted it may have gone.
            let _gone = sender.send(written);
        };
        std::thread::Builder::new().name("store-snapshot".into()).spawn(body).map_err(failed)?;
        let path = made.await.map_err(|_| Error::internal("cannot make a snapshot: the thread that makes it died"))??;
        tracing::info!(path = %path.display(), "made a snapshot in {}", path.display());
        Ok(path)
    }

    /// Stops the background work and flushes. The store refuses appends from now on, and gives the directory back; snapshots
    /// that exist go on working. Closing again does nothing.
    ///
    /// # Errors
    /// As [`Store::flush`]; the store is closed all the same.
    pub async fn close(&self) -> Result<()> {
        if self.inner.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let flushed = self.inner.flushing.ask().await;
        self.inner.maintainer.desk.end().await;
        self.inner.flushing.end().await;
        self.inner.end().await;
        drop(self.inner.lock.lock().take());
        flushed
    }
}

impl Inner {
    async fn open(settings: &Settings, shelf: Shelf, catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let Recovered { state, tenants, account, wal, lost } = recover(settings, &shelf, catalog.as_ref(), Arc::clone(&clock)).await?;
        let shelf = Arc::new(shelf);
        let records = Arc::new(SegmentRecords::new(state.epoch, Arc::clone(&clock)));
        let publisher = Arc::new(Publisher::new(catalog, Arc::clone(&shelf), Arc::clone(&tenants), state.consumed_frame + 1));
        let on_shelf = (Arc::clone(&publisher), Arc::clone(&shelf));
        let covered = state.segments.iter().map(Segment::last_frame).max().unwrap_or(0).max(state.consumed_frame);
        let from = (covered + 1, state.metadata.as_slice());
        let flusher = Flusher::new(Arc::clone(&wal), Arc::clone(&tenants), on_shelf, Arc::clone(&records), Arc::clone(&account), from);
        let maintainer = Maintainer {
            settings: settings.clone(),
            tenants: Arc::clone(&tenants),
            publisher: Arc::clone(&publisher),
            shelf,
            records,
            clock: Arc::clone(&clock),
            desk: Desk::default(),
            compact_all: AtomicBool::new(false),
            pardoned: Mutex::default(),
            looked_up: Mutex::default(),
            thin: Mutex::default(),
            judged: Mutex::default(),
            is_purge_due: AtomicBool::new(false),
        };
        if let Err(error) = maintainer.quarantine(&lost, "its file is missing or cut").await {
            tracing::warn!(%error, "cannot take damaged segments out of the catalog, the next start tries again");
        }
        let inner = Arc::new(Self {
            appender: Appender::new(Arc::clone(&wal), Arc::clone(&tenants), Arc::clone(&account), settings),
            tenants,
            wal,
            account,
            flusher,
            maintainer,
            publisher,
            flushing: Desk::default(),
            flush_wal_bytes: settings.flush_wal_bytes,
            flush_row_bytes: settings.flush_row_bytes,
            is_closed: AtomicBool::new(false),
            lock: Mutex::new(None),
        });
        inner.start(settings, &clock)?;
        Ok(inner)
    }

    /// Closes the WAL and the catalog, once the background work has ended.
    async fn end(self: &Arc<Self>) {
        let (inner, (sender, ended)) = (Arc::clone(self), oneshot::channel());
        let body = move || {
            inner.wal.close();
            futures::executor::block_on(inner.publisher.close());
            drop(inner);
            // Whoever closes the store may have gone.
            let _gone = sender.send(());
        };
        if let Err(error) = std::thread::Builder::new().name("store-close".into()).spawn(body) {
            tracing::warn!(%error, "cannot start the thread that closes the WAL, the next start recovers it as after a crash");
        }
        let _ended = ended.await;
    }

    fn start(self: &Arc<Self>, settings: &Settings, clock: &Arc<dyn Clock>) -> Result<()> {
        let maintenance = Due::new(clock, settings.maintain_interval_seconds);
        maintenance.fall_due_in(FIRST_ROUND_AFTER.min(maintenance.interval));
        let (weak, due) = (Arc::downgrade(self), Due::new(clock, settings.flush_interval_seconds));
        let (account, bytes_max, row_bytes_max) = (Arc::clone(&self.account), self.flush_wal_bytes, self.flush_row_bytes);
        let (flushed, more) = (due.clone(), maintenance.clone());
        self.flushing.start(
            "store-flush",
            move || account.is_flush_due(bytes_max, row_bytes_max) || due.is_over(),
            move |runtime| {
                let inner = weak.upgrade()?;
                flushed.restart();
                let done = runtime.block_on(inner.flusher.flush());
                match &done {
                    Ok(()) => more.fall_due_in(Duration::ZERO),
                    Err(_) => flushed.fall_due_in(FLUSH_RETRY_INTERVAL),
                }
                Some(done)
            },
        )?;
        let (weak, tenants, maintained) = (Arc::downgrade(self), Arc::clone(&self.tenants), maintenance.clone());
        let (account, publisher, shelf) = (Arc::clone(&self.account), Arc::clone(&self.publisher), Arc::clone(&self.maintainer.shelf));
        self.maintainer.desk.start(
            "store-maintain",
            move || {
                gauges::report(&tenants, &account, publisher.deletions(), shelf.disk.space(&shelf.dir).ok());
                maintenance.is_over() || Maintainer::knows_damage(&tenants)
            },
            move |runtime| {
                let inner = weak.upgrade()?;
                maintained.restart();
                Some(runtime.block_on(inner.maintainer.round()))
            },
        )
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flushing.stop();
        self.maintainer.desk.stop();
    }
}

/// Puts the file beside the segments that makes them readable for other programs. Nothing needs it: failing is only noted.
fn write_views(dir: &Path) {
    let path = layout::views(dir);
    let is_there = std::fs::read(&path).is_ok_and(|found| found == VIEWS.as_bytes());
    if !is_there && let Err(error) = std::fs::write(&path, VIEWS) {
        tracing::warn!(%error, path = %path.display(), "cannot write the views for DuckDB");
    }
}

/// Something that is due at intervals of the injected clock.
#[derive(Debug, Clone)]
struct Due {
    clock: Arc<dyn Clock>,
    interval: Duration,
    /// Monotonic nanoseconds at which it is due.
    at: Arc<AtomicU64>,
}

impl Due {
    fn new(clock: &Arc<dyn Clock>, seconds: u64) -> Self {
        let due = Self { clock: Arc::clone(clock), interval: Duration::from_secs(seconds), at: Arc::default() };
        due.restart();
        due
    }

    fn restart(&self) {
        self.fall_due_in(self.interval);
    }

    fn fall_due_in(&self, wait: Duration) {
        let at = self.clock.monotonic().saturating_add(wait).as_nanos();
        self.at.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.clock.monotonic().as_nanos() >= u128::from(self.at.load(Ordering::Relaxed))
    }
}
