//! What Signalbox says about itself: names of metrics, a registry that is cheap to count in, and `/metrics` rendering.

pub mod clock;
pub mod metrics;
pub mod names;

pub use clock::SystemClock;
pub use metrics::{Counter, Gauge, Histogram, Registry, registry};
