//! A store on a simulated disk, with a catalog that remembers when it committed what.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use signalbox_model::disk::Disk;
use signalbox_model::{Result, Table};
use signalbox_store::catalog::{Catalog, CatalogChange, CatalogState, MemoryCatalog};
use signalbox_store::settings::{Retention, RetentionSettings};
use signalbox_store::write::wal::WalSettings;
use signalbox_store::{Settings, Store};
use signalbox_testkit::{ManualClock, SimDisk};

use crate::ledger::{Id, Ledger, T0_MS, batch, tenants};

pub(crate) const DIR: &str = "data";
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// A commit: how many operations the disk had done before and after it, and the state it led to.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    before: usize,
    after: usize,
    state: CatalogState,
}

/// The twin of the catalog in step with a simulated disk.
#[derive(Debug)]
pub(crate) struct TwinCatalog {
    pub(crate) memory: Arc<MemoryCatalog>,
    disk: SimDisk,
    commits: Mutex<Vec<Commit>>,
}

impl TwinCatalog {
    pub(crate) fn new(disk: &SimDisk, state: CatalogState) -> Arc<Self> {
        Arc::new(Self { memory: Arc::new(MemoryCatalog::with_state(state)), disk: disk.clone(), commits: Mutex::default() })
    }

    /// The states that a power loss after so many operations may leave.
    pub(crate) fn states_at(&self, operations: usize) -> Vec<CatalogState> {
        let commits = self.commits.lock().unwrap();
        let certain = commits.iter().rposition(|commit| commit.after < operations);
        let mut states = vec![certain.map_or_else(CatalogState::default, |at| commits[at].state.clone())];
        let open = certain.map_or(0, |at| at + 1);
        states.extend(commits[open..].iter().take_while(|commit| commit.before <= operations).map(|commit| commit.state.clone()));
        states
    }

    fn note(&self, before: usize) {
        self.commits.lock().unwrap().push(Commit { before, after: self.disk.operations(), state: self.memory.state() });
    }
}

#[async_trait::async_trait]
impl Catalog for TwinCatalog {
    async fn begin(&self) -> Result<CatalogState> {
        let before = self.disk.operations();
        let begun = self.memory.begin().await;
        self.note(before);
        begun
    }

    async fn commit(&self, change: &CatalogChange) -> Result<()> {
        let before = self.disk.operations();
        let committed = self.memory.commit(change).await;
        self.note(before);
        committed
    }

    async fn read(&self) -> Result<CatalogState> {
        self.memory.read().await
    }

    async fn reset(&self, state: &CatalogState) -> Result<()> {
        let before = self.disk.operations();
        let reset = self.memory.reset(state).await;
        self.note(before);
        reset
    }

    async fn close(&self) {}
}

pub(crate) fn settings() -> Settings {
    let month = Retention { max_age_seconds: 30 * 24 * 3600, max_bytes: 0 };
    Settings {
        metric_cache_bytes: 1 << 20,
        wal: WalSettings { file_bytes: 16 * 1024, spare_files: 0, reserve_bytes: 0, ..WalSettings::default() },
        retention: RetentionSettings { metrics: month.clone(), logs: month.clone(), traces: month, ..RetentionSettings::default() },
        ..Settings::default()
    }
}

/// One disk, its catalog, a clock, and what was given to the stores on it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) catalog: Arc<TwinCatalog>,
    pub(crate) clock: ManualClock,
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    pub(crate) next: i64,
}

impl World {
    pub(crate) fn new(disk: SimDisk, state: CatalogState) -> Self {
        let catalog = TwinCatalog::new(&disk, state);
        Self { disk, catalog, clock: ManualClock::at_ms(T0_MS), settings: settings(), ledger: Ledger::default(), next: 0 }
    }

    pub(crate) fn open(&self) -> Result<Store> {
        let (disk, clock) = (Arc::new(self.disk.clone()) as Arc<dyn Disk>, Arc::new(self.clock.clone()));
        block_on(Store::open_with(self.settings.clone(), Path::new(DIR), disk, clock, Arc::clone(&self.catalog) as Arc<dyn Catalog>))
    }

    /// Sets the wall clock so many milliseconds after the beginning.
    pub(crate) fn step(&self, after_ms: i64) {
        self.clock.step_to_ns((T0_MS + after_ms) * 1_000_000);
    }

    /// Appends one request of some tables for a tenant, dated some milliseconds after the beginning.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) fn append(&mut self, store: &Store, tenant: usize, tables: &[Table], after_ms: i64) -> Result<Vec<Id>> {
        let ts_ms = T0_MS + after_ms + self.next;
        let ids: Vec<Id> = tables.iter().map(|table| Id { tenant, table: *table, number: self.next }).collect();
        self.next += 1;
        self.ledger.tried.extend(ids.iter().map(|id| (*id, ts_ms)));
        let batches = ids.iter().map(|id| batch(*id, ts_ms)).collect();
        block_on(store.append(&tenants()[tenant], batches))?;
        self.ledger.acknowledged.extend(ids.iter().map(|id| (*id, None)));
        Ok(ids)
    }
}
