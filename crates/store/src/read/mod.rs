//! The read road: what a snapshot does when it is asked.

pub(crate) mod metrics;
pub(crate) mod rows;
