//! What Loki's API needs beside the engine.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Settings;

/// Settings, and the places of those who follow queries.
#[derive(Debug)]
pub struct Desk {
    pub(crate) settings: Settings,
    pub(super) tails: Arc<Semaphore>,
}

impl Desk {
    /// With settings.
    pub fn new(settings: Settings) -> Self {
        let tails = Arc::new(Semaphore::new(settings.tails_max.min(Semaphore::MAX_PERMITS)));
        Self { settings, tails }
    }
}
