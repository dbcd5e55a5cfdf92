//! Admission: between the decoders and the store. Limits, normalising, delta to cumulative, and the durable acknowledgement.

pub mod sink;

pub use sink::{Accepted, Sink, Written};
