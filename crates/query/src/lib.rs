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
    sessions: Arc<Mutex<Option<Arc<Sessions>>>>,
    usage: Arc<usage::Usage>,
    companions: Vec<Arc<dyn admin::Companion>>,
}

impl Engine {
    /// An engine over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let budget = Arc::new(budget::Budget::new(settings.memory_bytes));
        let gate = budget::Gate::new(settings.concurrent_max, settings.waiting_max);
        let threads = Arc::new(threads::Threads::new(settings.threads()));
        Self { store, clock, settings, budget, gate, threads, sessions: Arc::default(), usage: Arc::default(), companions: Vec::new() }
    }

    /// The same engine with places of its own, as many as this one has: questions there never wait for questions here. Memory and
    /// threads are those of both.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            settings: self.settings.clone(),
            budget: Arc::clone(&self.budget),
            gate: budget::Gate::new(self.settings.concurrent_max, self.settings.waiting_max),
            threads: Arc::clone(&self.threads),
            sessions: Arc::clone(&self.sessions),
            usage: Arc::clone(&self.usage),
            companions: self.companions.clone(),
        }
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
