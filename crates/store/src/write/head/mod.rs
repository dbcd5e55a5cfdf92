//! The head: the newest rows, in memory, one part a signal.

pub(crate) mod metrics;
pub(crate) mod rows;
