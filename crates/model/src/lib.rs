//! The vocabulary of Signalbox: what a sample, a log record, a span, a series and a tenant *are*.
//!
//! Everything here is pure: no IO, no runtime, no global state. Crates above exchange these types and nothing else.
//! The Arrow schemas of logs and spans live here, and only the builders here append to Arrow builders.

pub mod attributes;
pub mod batch;
pub mod builder;
pub mod disk;
pub mod error;
pub mod histogram;
pub mod ids;
pub mod labels;
pub mod matcher;
pub mod pattern;
pub mod re2;
pub mod schema;
pub mod series;
pub mod tenant;
pub mod text;
pub mod time;

pub use batch::{Batch, Exemplar, HistogramSample, LogBatch, MetricBatch, MetricKind, MetricMetadata, Rejected, SampleColumns, SpanBatch};
pub use error::{Error, ErrorKind, Result};
pub use histogram::Histogram;
pub use ids::{SpanId, TraceId};
pub use labels::{Labels, LabelsBuilder};
pub use matcher::{MatchOp, Matcher};
pub use series::{KnownSeries, SeriesEntry, SeriesId, SeriesKey, SeriesRef};
pub use tenant::{Owners, Signal, Table, Tenant};
pub use text::{Phrase, TextFilter};
pub use time::{Clock, TimeRange};
