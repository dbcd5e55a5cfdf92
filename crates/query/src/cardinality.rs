//! What series there are and what they cost.

pub use signalbox_store::cardinality::{Cardinality, CardinalityOrder, CardinalityRequest, LabelCardinality, MetricCardinality, PairCardinality};

use signalbox_model::{Result, Tenant};

use crate::Engine;

impl Engine {
    /// Counts the series of a tenant: by metric, by label and by value, with their bytes and how many are new.
    ///
    /// # Errors
    /// `Timeout`; `Canceled`; of the disk.
    pub async fn cardinality(&self, tenant: &Tenant, request: CardinalityRequest) -> Result<Cardinality> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| snapshot.cardinality(&request, &mut || leash.check())).await
    }
}
