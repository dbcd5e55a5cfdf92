//! The contract of every door: what a decoder is given, what it makes of a request, and what lies behind the doors.

use std::sync::Arc;

use signalbox_ingest::Sink;
pub use signalbox_ingest::budget::{Budget, RETRY_AFTER, Share};
use signalbox_model::{Batch, Clock, KnownSeries, Rejected, TimeRange};

use crate::transform::{Pipeline, Transform};

/// What a decoder may know besides the bytes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Time of arrival in nanoseconds since the Unix epoch.
    pub now_ns: i64,
    /// Series that need not be parsed again.
    pub known: &'a dyn KnownSeries,
    /// The time that rows may have. What does not keep to it is rejected on the way to the store anyway; a decoder that makes
    /// several rows of one point looks at it first, to reject the point as one.
    pub accepted_time: TimeRange,
    /// Deepest nesting of attribute values; a row with deeper ones is rejected.
    pub attribute_depth_max: usize,
    /// What is done to log records before they become rows; `None`: nothing.
    pub transform: Option<&'a Pipeline>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("now_ns", &self.now_ns).field("attribute_depth_max", &self.attribute_depth_max).finish_non_exhaustive()
    }
}

/// What a decoder made of one request: the rows it understood and, for each row it did not, why.
/// A request is an `Err` only when nothing in it can be trusted (bad framing, bad compression).
#[derive(Debug, Default)]
pub struct Decoded {
    /// Rows.
    pub batches: Vec<Batch>,
    /// Rows that were not understood.
    pub rejected: Vec<Rejected>,
    /// How many things the protocol counts in the request, if that may be fewer than the rows they became.
    pub points: Option<u64>,
}

/// Counts rejected rows by reason; the first message of each reason is kept.
#[derive(Debug, Default)]
pub struct Rejections(Vec<Rejected>);

impl Rejections {
    /// Counts rows.
    pub fn add(&mut self, rows: u64, reason: &'static str, message: impl FnOnce() -> String) {
        if rows == 0 {
            return;
        }
        match self.0.iter_mut().find(|rejected| rejected.reason == reason) {
            Some(rejected) => rejected.rows += rows,
            None => self.0.push(Rejected { rows, reason, message: message() }),
        }
    }

    /// One entry for each reason.
    pub fn finish(self) -> Vec<Rejected> {
        self.0
    }
}

/// What lies behind every door. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where rows go.
    pub sink: Arc<dyn Sink>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Memory that request bodies may take at one time, over all doors.
    pub budget: Budget,
    /// What is done to log records before they become rows.
    pub transform: Transform,
}
