//! Where the process runs, as `app` knows it: nothing here reads the environment.

/// Where the process runs, and how long it keeps metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Name of the machine.
    pub hostname: String,
    /// Working directory of the process.
    pub working_dir: String,
    /// How long metrics are kept, in seconds; 0 is for ever.
    pub retention_seconds: u64,
    /// How many bytes of metrics are kept; 0 is no bound.
    pub retention_bytes: u64,
}
