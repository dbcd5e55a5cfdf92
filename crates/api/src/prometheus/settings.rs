//! Settings of Prometheus' API: what Prometheus takes as flags, and the labels that it adds when it talks to others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings of Prometheus' API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Labels that remote read and federation add to every series that has no such label. Those of a `prometheus.yml` that
    /// is loaded go before these.
    pub external_labels: BTreeMap<String, String>,
    /// Which origins may call from a browser: a regular expression that has to match all of `Origin`, as Prometheus'
    /// `--web.cors.origin`.
    pub cors_origin: String,
    /// Whether `/api/v1/admin/tsdb/*` deletes series and makes snapshots, as Prometheus' `--web.enable-admin-api`. Turn it on
    /// only where nobody but operators reaches the address: a page in a browser can send such a request too.
    pub admin_api: bool,
    /// Samples that one remote read may answer with when the client takes no streamed chunks; 0 is no bound.
    pub remote_read_samples_max: u64,
    /// Bytes after which a frame of a streamed remote read is cut. Clients refuse frames far larger than one mebibyte.
    pub remote_read_frame_bytes: usize,
    /// Remote reads that run at a time; more wait.
    pub remote_read_concurrent_max: usize,
    /// Largest `limit` of the search endpoints.
    pub search_results_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            external_labels: BTreeMap::new(),
            cors_origin: ".*".to_owned(),
            admin_api: false,
            remote_read_samples_max: 50_000_000,
            remote_read_frame_bytes: 1 << 20,
            remote_read_concurrent_max: 10,
            search_results_max: 10_000,
        }
    }
}
