//! The tables of SQL over one snapshot: `metrics`, `logs`, `spans`.

mod provider;
mod prune;
mod shape;

pub(crate) use provider::SnapshotTable;
pub(crate) use shape::TableKind;
