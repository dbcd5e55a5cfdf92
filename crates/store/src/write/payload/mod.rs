//! Batches as WAL payloads, and back.
//!
//! Metrics are columns that refer to series by the number the head gave them. Those numbers mean nothing to the next process,
//! so the labels are written too: in the first [`DEFINITIONS_PER_PLACE`] frames of each WAL file that name the series. Two,
//! because one frame may be lost to damage, and a series should not be lost with it. Which frames are the first is known only
//! when the committer has put them in order, hence [`Payload::Late`]. Logs and spans are their Arrow columns. The bytes are
//! specified in `FORMAT.md`.

mod bytes;
mod decode;
mod definitions;
mod metrics;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::{Batch, Labels, Result, SeriesRef, Signal, Tenant};

pub use self::decode::{Decoded, DecodedSeries, Decoder};
use self::definitions::Definitions;
pub use self::definitions::{Bound, DEFINITIONS_PER_PLACE};
use super::wal::{FrameKind, Payload, Record};

/// Version of the layout of all payloads.
const VERSION: u8 = 1;

/// Who knows the labels of the series that batches name by number: the head.
pub trait SeriesLabels: Send + Sync {
    /// The labels of a series of the tenant whose batch is encoded. Called on the committer's thread: MUST NOT wait for appends.
    fn labels(&self, series: SeriesRef) -> Option<Labels>;
}

/// Makes WAL records of batches. One for each log; clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    definitions: Arc<Mutex<Definitions>>,
}

impl Encoder {
    /// The record of a batch. `labels` is asked for series that are [`signalbox_model::SeriesEntry::Known`]; those that are
    /// `New` are written out.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Internal`] for deltas, for columns of unequal length and for columns of unknown types;
    /// [`signalbox_model::ErrorKind::TooLarge`] above the size of a frame.
    pub fn encode(&self, tenant: &Tenant, batch: &Batch, labels: &Arc<dyn SeriesLabels>) -> Result<Record> {
        let payload = match batch {
            Batch::Metrics(batch) => Payload::Late(Box::new(metrics::MetricPayload::new(tenant, batch, labels, &self.definitions)?)),
            Batch::Logs(batch) => Payload::Ready(rows::encode(batch.rows())?),
            Batch::Traces(batch) => Payload::Ready(rows::encode(batch.rows())?),
        };
        Ok(Record { tenant: tenant.clone(), kind: FrameKind::Signal(batch.signal()), payload })
    }
}

/// The signal of a frame's rows.
fn signal_of(kind: FrameKind) -> Option<Signal> {
    match kind {
        FrameKind::Signal(signal) => Some(signal),
        FrameKind::Custom(_) => None,
    }
}
