//! What Signalbox says about itself: names of metrics, a registry that is cheap to count in, logs to stderr, and a bounded
//! queue of own log records and spans for whoever stores them.

pub mod clock;
pub mod metrics;
pub mod names;
pub mod process;
pub mod queue;
pub mod settings;
pub mod setup;

mod collect;

pub use clock::SystemClock;
pub use metrics::{Counter, Gauge, Histogram, Reading, Registry, registry};
pub use queue::{LogRecord, Queue, SpanRecord};
pub use settings::{LogFormat, Settings};
pub use setup::{install, quiet};
