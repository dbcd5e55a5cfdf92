//! Names segments: identities that are never used twice, and the records that the catalog keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use signalbox_model::{Clock, Error, Result, Table, Tenant, TimeRange};

use crate::format::{FrameRange, Segment, SegmentId};
use crate::layout;

/// Gives out records of segments that are about to be written.
#[derive(Debug)]
pub(crate) struct SegmentRecords {
    epoch: u32,
    next: AtomicU32,
    clock: Arc<dyn Clock>,
}

impl SegmentRecords {
    /// For the epoch that the catalog has begun.
    pub(crate) fn new(epoch: u32, clock: Arc<dyn Clock>) -> Self {
        Self { epoch, next: AtomicU32::new(1), clock }
    }

    /// A segment of a flush.
    ///
    /// # Errors
    /// `Unavailable` when the numbers of the epoch are used up.
    pub(crate) fn level_0(&self, tenant: &Tenant, table: Table, frames: FrameRange) -> Result<Segment> {
        let id = self.next_id()?;
        Ok(Segment {
            id,
            tenant: tenant.clone(),
            table,
            level: 0,
            url: layout::segment_url(tenant, table, id),
            range: TimeRange::ALL,
            frames: vec![frames],
            rows: 0,
            bytes: 0,
            body_bytes: 0,
            checksum: 0,
            created_at_ns: self.clock.now_ns(),
            replaces: Vec::new(),
        })
    }

    /// A segment that takes over the rows of others, all of one table: at a level, as old as the newest of them.
    ///
    /// # Errors
    /// `Internal` without inputs; `Unavailable` when the numbers of the epoch are used up.
    pub(crate) fn merged(&self, inputs: &[Segment], level: u8) -> Result<Segment> {
        let first = inputs.first().ok_or_else(|| Error::internal("cannot merge no segments"))?;
        let id = self.next_id()?;
        Ok(Segment {
            id,
            level,
            url: layout::segment_url(&first.tenant, first.table, id),
            range: TimeRange::ALL,
            frames: FrameRange::union(inputs.iter().flat_map(|input| input.frames.iter().copied()).collect()),
            rows: 0,
            bytes: 0,
            body_bytes: 0,
            checksum: 0,
            created_at_ns: inputs.iter().map(|input| input.created_at_ns).max().unwrap_or(first.created_at_ns),
            replaces: inputs.iter().map(|input| input.id).collect(),
            ..first.clone()
        })
    }

    fn next_id(&self) -> Result<SegmentId> {
        let number = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| number.checked_add(1));
        let number = number.map_err(|_| Error::unavailable("cannot write a segment: numbers are used up until the next start"))?;
        Ok(SegmentId { epoch: self.epoch, number })
    }
}
