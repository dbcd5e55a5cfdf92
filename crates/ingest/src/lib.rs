//! Admission: between the decoders and the store. Limits, normalising, delta to cumulative, and the durable acknowledgement.
//!
//! What is refused is counted by reason and told to the caller; what is admitted is on stable storage when
//! [`Sink::write`] returns. Nothing waits in here: when too much is in flight the caller is refused at once, because the
//! sender keeps the data on purpose and knows how to wait.

pub mod budget;
mod delta;
mod ingester;
pub mod limits;
mod normalize;
pub mod sink;
pub mod span_metrics;

pub use budget::{Budget, Share};
pub use ingester::Ingester;
pub use limits::Settings;
pub use sink::{Accepted, Sink, Written};
pub use span_metrics::SpanMetricsSettings;
