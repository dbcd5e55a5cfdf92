//! The one way into the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_model::{Batch, KnownSeries, Rejected, Result, Tenant, TimeRange};

/// What became of a write that succeeded: everything not listed as rejected is on stable storage and readable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Rows that were refused, grouped by reason. They will not be accepted when sent again.
    pub rejected: Vec<Rejected>,
    /// What was written.
    pub written: Written,
}

/// What a write made durable, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Float samples.
    pub samples: u64,
    /// Native histogram samples.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Log records.
    pub logs: u64,
    /// Spans.
    pub spans: u64,
}

impl Written {
    /// Everything that batches hold.
    pub fn of(batches: &[Batch]) -> Self {
        let mut written = Self::default();
        for batch in batches {
            match batch {
                Batch::Metrics(metrics) => {
                    written.samples += (metrics.samples.len() + metrics.deltas.len()) as u64;
                    written.histograms += metrics.histograms.len() as u64;
                    written.exemplars += metrics.exemplars.len() as u64;
                }
                Batch::Logs(_) => written.logs += batch.rows() as u64,
                Batch::Traces(_) => written.spans += batch.rows() as u64,
            }
        }
        written
    }

    /// Samples, records and spans; exemplars belong to their samples.
    pub fn rows(&self) -> u64 {
        self.samples + self.histograms + self.logs + self.spans
    }
}

/// Takes batches of one tenant. `Ok` means: durable (fsync done) and visible to the next snapshot. `Err` means that nothing
/// of the batches may be assumed: [`signalbox_model::ErrorKind::Limit`] and [`signalbox_model::ErrorKind::Unavailable`] ask
/// the client to retry the whole request.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Writes the batches of one request together.
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted>;

    /// The time that rows may have when they arrive now; rows outside are rejected by [`Sink::write`]. For decoders that make
    /// several rows of what their protocol counts as one.
    fn accepted_time(&self, _now_ns: i64) -> TimeRange {
        TimeRange::ALL
    }

    /// The tenant's series that a decoder need not parse again. Cheap; ask once a request.
    fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries>;
}
