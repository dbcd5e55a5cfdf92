//! The only keeper of telemetry.
//!
//! What is appended goes to the WAL, then to the head; `append` returns after the sync of the WAL, and from then on every
//! [`Snapshot`] shows the rows. Heads are flushed into Parquet segments, which are published in one transaction of the
//! catalog together with the WAL position they consumed. A row is, at every instant, in exactly one of {WAL and head,
//! committed segment} as a snapshot sees it.
//!
//! The store knows nothing of protocols, query languages or HTTP.

pub mod backup;
pub mod cardinality;
pub mod catalog;
pub mod deletion;
pub mod disk;
pub mod follow;
pub mod format;
pub mod row_numbers;
pub mod scan;
pub mod settings;
pub mod snapshot;
pub mod write;

mod federation;
mod layout;
mod limits;
mod maintain;
mod publish;
mod read;
mod rollup;
mod segment_records;
mod segments;
mod store;
mod tenants;

pub use scan::{Carried, Chosen, Division, LETTERED, LabelColumn, Places, ScanPart, ScanRequest, SharedTest, SpanBounds};
pub use settings::Settings;
pub use snapshot::{HistogramPoint, SeriesHandle, SeriesSamples, Snapshot};
pub use store::Store;
