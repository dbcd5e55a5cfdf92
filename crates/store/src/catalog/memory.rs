//! A catalog in memory: the simulated twin, whose commits can fail and whose past can be looked up.

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Error, Result};

use super::{Catalog, CatalogChange, CatalogState};

/// A catalog in memory. What was committed survives as long as the value does, across stores that are opened with it.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: CatalogState,
    commits: u64,
    fail: Option<FailedCommit>,
    damaged: bool,
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedCommit {
    /// Nothing is applied.
    Lost,
    /// All is applied, and yet the caller hears of a failure.
    Unacknowledged,
}

impl MemoryCatalog {
    /// A catalog with this state: what a crash left behind.
    pub fn with_state(state: CatalogState) -> Self {
        Self { inner: Mutex::new(Inner { state, ..Inner::default() }) }
    }

    /// What is stored.
    pub fn state(&self) -> CatalogState {
        self.inner.lock().state.clone()
    }

    /// Number of commits (begins included) so far.
    pub fn commits(&self) -> u64 {
        self.inner.lock().commits
    }

    /// Makes the next commit fail.
    pub fn fail_next(&self, how: FailedCommit) {
        self.inner.lock().fail = Some(how);
    }

    /// Makes every read fail as corrupt until the catalog is reset.
    pub fn damage(&self) {
        self.inner.lock().damaged = true;
    }
}

impl Inner {
    fn change(&mut self, change: impl FnOnce(&mut CatalogState)) -> Result<()> {
        let fail = self.fail.take();
        if fail == Some(FailedCommit::Lost) {
            return Err(Error::unavailable("cannot commit to the catalog: failure injected before"));
        }
        change(&mut self.state);
        self.commits += 1;
        match fail {
            Some(_) => Err(Error::unavailable("cannot commit to the catalog: failure injected after")),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<()> {
        if self.damaged { Err(Error::corrupt("cannot read the catalog: damage injected")) } else { Ok(()) }
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn begin(&self) -> Result<CatalogState> {
        let mut inner = self.inner.lock();
        inner.check()?;
        inner.change(|state| state.epoch += 1)?;
        Ok(inner.state.clone())
    }

    async fn commit(&self, change: &CatalogChange) -> Result<()> {
        self.inner.lock().change(|state| state.apply(change))
    }

    async fn read(&self) -> Result<CatalogState> {
        let inner = self.inner.lock();
        inner.check()?;
        Ok(inner.state.clone())
    }

    async fn reset(&self, state: &CatalogState) -> Result<()> {
        let mut inner = self.inner.lock();
        inner.damaged = false;
        inner.change(|stored| stored.clone_from(state))
    }

    async fn close(&self) {}
}
