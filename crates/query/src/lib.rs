//! Answers questions over one snapshot: the PromQL engine, SQL, LogQL and trace search.
//!
//! DataFusion lives here and only here. No question ever writes ([`admin`] holds the orders that do): the store is read through one [`signalbox_store::Snapshot`]
//! per question, so an answer never mixes two instants.

use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::{Clock, Result};
use signalbox_store::Store;

pub mod admin;
pub mod cardinality;
pub mod export;
pub mod logql;
pub mod promql;
pub mod rows;
pub mod search;
pub mod settings;
pub mod sql;
pub mod traceql;
pub mod usage;

mod ahead;
mod budget;
mod leash;
mod literals;
mod logs;
mod pattern;
mod session;
mod table;
mod threads;
mod watch;

pub use settings::Settings;

use session::Sessions;

/// Answers questions. One per process, shared by all doors.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    /// Memory that all questions share.
    pub(crate) budget: Arc<budget::Budget>,
    /// Where questions wait for others to end.
    pub(crate) gate: budget::Gate,
    pub(crate) threads: Arc<threads::Threads>,
    sessions: Mutex<Option<Arc<Sessions>>>,
    usage: usage::Usage,
    companions: Vec<Arc<dyn admin::Companion>>,
}

impl Engine {
    /// An engine over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let budget = Arc::new(budget::Budget::new(settings.memory_bytes));
        let gate = budget::Gate::new(settings.concurrent_max, settings.waiting_max);
        let threads = Arc::new(threads::Threads::new(settings.threads()));
        Self { store, clock, settings, budget, gate, threads, sessions: Mutex::new(None), usage: usage::Usage::default(), companions: Vec::new() }
    }

    /// The clock that "now" in a question means.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What all SQL sessions share, made when the first one is needed: a server without SQL pays nothing.
    fn sessions(&self) -> Result<Arc<Sessions>> {
        let mut sessions = self.sessions.lock();
        if let Some(sessions) = sessions.as_ref() {
            return Ok(Arc::clone(sessions));
        }
        let made = Arc::new(Sessions::new(&self.settings, Arc::clone(&self.budget))?);
        *sessions = Some(Arc::clone(&made));
        Ok(made)
    }
}
