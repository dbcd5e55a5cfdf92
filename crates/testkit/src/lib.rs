//! Manual clock, simulated disk, mutation of inputs, conformance data: for tests only.

pub mod clock;
pub mod conformance;
pub mod disk;
pub mod mutate;

pub use clock::ManualClock;
pub use disk::{Call, Fault, Outcome, SimDisk, Survival};
