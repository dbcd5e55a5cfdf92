//! Manual clock and simulated disk: for tests only.

pub mod clock;
pub mod disk;

pub use clock::ManualClock;
pub use disk::{Call, Fault, Outcome, SimDisk, Survival};
