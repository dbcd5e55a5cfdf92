//! Settings of Jaeger's API.

use serde::{Deserialize, Serialize};

use super::adjust::Adjustment;

/// Settings of Jaeger's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of Jaeger's query API alone, without a prefix: HTTP, and gRPC on the same port; usually
    /// `127.0.0.1:16686`. Empty to turn it off; the API is below `/jaeger` of the main address anyway.
    pub listen: String,
    /// Address and port of a second listener of the same, where clients want gRPC on a port of its own; usually
    /// `127.0.0.1:16685`. Empty to turn it off.
    pub grpc_listen: String,
    /// Address and port of Jaeger's remote storage, which a query service of Jaeger asks instead of a database; usually
    /// `127.0.0.1:17271`. Empty to turn it off.
    pub storage_listen: String,
    /// By how much a span may be shifted to lie within its parent on another host, in milliseconds. 0 shifts none and says by
    /// how much it would have been, as Jaeger does until it is told otherwise.
    pub clock_skew_max_ms: u64,
}

impl Settings {
    /// What is done to traces that are not asked for raw.
    pub(super) fn adjustment(&self) -> Adjustment {
        Adjustment::Standard { skew_max_ns: i64::try_from(self.clock_skew_max_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000) }
    }
}
