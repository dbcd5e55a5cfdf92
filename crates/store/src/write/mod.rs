//! The write road: WAL, head, flush.

pub(crate) mod head;
pub mod payload;
pub mod wal;
