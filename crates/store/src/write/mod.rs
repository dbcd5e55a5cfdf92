//! The write road: WAL, head, flush.

pub(crate) mod head;
