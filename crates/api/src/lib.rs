//! One folder per outbound dialect: HTTP to query to rendered answer.
//!
//! Each dialect is a folder with `router(state)`; `app` decides under which prefixes the routers are mounted. A dialect knows
//! the engine and its own wire format, never another dialect, never the store.

use std::sync::Arc;

use signalbox_query::Engine;

pub mod http;

/// What every dialect needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Answers questions.
    pub engine: Arc<Engine>,
}

impl ApiState {
    /// The state of all dialects.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}
