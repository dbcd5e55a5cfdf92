//! The one way into the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_model::{Batch, KnownSeries, Rejected, Result, Tenant};

/// What became of a write that succeeded: everything not listed as rejected is on stable storage and readable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Rows that were refused, grouped by reason. They will not be accepted when sent again.
    pub rejected: Vec<Rejected>,
}

/// Takes batches of one tenant. `Ok` means: durable (fsync done) and visible to the next snapshot. `Err` means that nothing
/// of the batches may be assumed: [`signalbox_model::ErrorKind::Limit`] and [`signalbox_model::ErrorKind::Unavailable`] ask
/// the client to retry the whole request.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Writes the batches of one request together.
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted>;

    /// The tenant's series that a decoder need not parse again. Cheap; ask once a request.
    fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries>;
}
