//! The write road: WAL, head, flush; and the way back from the WAL to the heads when the store is opened.

pub(crate) mod append;
pub(crate) mod flush;
pub(crate) mod head;
pub mod payload;
pub(crate) mod recover;
pub mod wal;
