//! Where targets are found: each way of finding is a folder or file of its own and yields groups of targets.
//!
//! A group is replaced as a whole, known by its source. What somebody sees of a job is always all its groups at one instant.

mod config;

pub use config::{
    AttachMetadata, DiscoveryConfigs, DnsConfig, DnsRecord, FileConfig, HttpConfig, KubernetesConfig, Namespaces, Role, Selector, StaticGroup, Unsupported,
};

use signalbox_model::Labels;

/// Targets that were found together. The labels of a target are its own and those of the group; its own win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// What the group is known by; unique in a job.
    pub source: String,
    /// The own labels of each target, `__address__` among them.
    pub targets: Vec<Labels>,
    /// Labels of all of them.
    pub labels: Labels,
}
