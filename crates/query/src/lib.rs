//! Answers questions over one snapshot: the PromQL engine, SQL, LogQL and trace search.
//!
//! DataFusion lives here and only here. No question ever writes: the store is read through one [`signalbox_store::Snapshot`]
//! per question, so an answer never mixes two instants.

use std::sync::Arc;

use signalbox_model::Clock;
use signalbox_store::Store;

pub mod settings;

pub use settings::Settings;

/// Answers questions. One per process, shared by all doors.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
}

impl Engine {
    /// An engine over a store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self { store, clock, settings }
    }

    /// The clock that "now" in a question means.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
