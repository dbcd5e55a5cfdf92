//! What may stand between callers and the database: a simulation, which decides what becomes of each call. A server has none.

use std::fmt;
use std::sync::Arc;

use signalbox_model::{Error, Result};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// It fails and has done nothing.
    Refused,
    /// If it is a transaction, it is made and said to have failed: the answer was lost.
    Hidden,
    /// It is never answered: the process was killed before it.
    Silent,
}

/// Decides what becomes of calls.
pub trait Gate: Send + Sync + fmt::Debug {
    /// Asked once at the beginning of every call.
    fn fate(&self) -> Fate;
}

/// Lets a call pass, or not. Returns whether its success is to be hidden.
pub(crate) async fn pass(gate: Option<&Arc<dyn Gate>>) -> Result<bool> {
    match gate.map_or(Fate::Answered, |gate| gate.fate()) {
        Fate::Answered => Ok(false),
        Fate::Hidden => Ok(true),
        Fate::Refused => Err(refused()),
        Fate::Silent => std::future::pending().await,
    }
}

pub(crate) fn refused() -> Error {
    Error::unavailable("cannot use the state database: the simulation does not let anybody")
}
