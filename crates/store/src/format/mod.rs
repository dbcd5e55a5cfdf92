//! Segments at rest: plain Parquet files that verify themselves.
//!
//! Every table has one schema (`model::schema`), every file carries its own record as key-value metadata, so that the
//! catalog can be rebuilt from the files alone, and checksums of its blocks, so that every read verifies what it reads.
//! The bytes are described in `FORMAT.md`.

pub mod record;

pub(crate) mod file;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod rows;
pub(crate) mod writer;

pub use metrics::{check_series_index, seal_series_index};
pub use pages::check_page;
pub use record::{FrameRange, Segment, SegmentId};
pub use rows::{check_text_index, check_trace_filter, check_trace_index};

pub(crate) use file::{OpenSegment, Window};
pub(crate) use writer::SegmentWriter;
