//! Compaction: segments that lie beside each other become one, a level higher.
//!
//! Each table of each tenant has its own row of segments, ordered by the WAL frames they hold. Flushes give level 0; those of
//! one window of two hours become level 1, those of one day level 2, by the time at which they were flushed. So a segment is
//! rewritten twice in its life, a query meets few files, and retention finds files that grow old as a whole. Only neighbours
//! are merged: the result takes their place in the order, which decides which of two equal samples counts.

use std::ops::Range;
use std::sync::Arc;

use signalbox_model::disk::Disk;
use signalbox_model::{ErrorKind, Result, Table, Tenant};
use signalbox_telemetry::{names, registry};

use super::Maintainer;
use super::stoppable::StoppableDisk;
use crate::format::Segment;
use crate::format::metrics::Target;
use crate::limits::MERGE_INPUTS_MAX;
use crate::publish::Change;
use crate::segments::{SegmentHandle, merge};
use crate::tenants::TenantStore;

const HOUR_NS: i64 = 3_600_000_000_000;
/// Windows of the time of flushing that the segments of a level cover at most.
const WINDOWS: [(u8, i64); 2] = [(1, 2 * HOUR_NS), (2, 24 * HOUR_NS)];
/// So many neighbours are merged although their window is still open, so that readers do not meet more.
const FAN_IN: usize = 12;

/// What to merge next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Positions of the inputs in the row of segments.
    pub(super) inputs: Range<usize>,
    /// Level of the result.
    pub(super) level: u8,
}

/// The next merge of a row of segments in the order of their frames; `None` when nothing is worth it.
pub(super) fn plan(row: &[Segment], bytes_max: u64, now_ns: i64) -> Option<Plan> {
    for (level, window_ns) in WINDOWS {
        let window = |segment: &Segment| segment.created_at_ns.div_euclid(window_ns);
        let is_over = |segment: &Segment| window(segment) < now_ns.div_euclid(window_ns);
        let mut start = 0;
        while start < row.len() {
            let run = run_at(row, start, level, bytes_max, now_ns, &window);
            let inputs = start..start + run.len;
            if run.len >= FAN_IN || run.len >= 2 && (run.is_full || is_over(&row[start])) {
                return Some(Plan { inputs, level });
            }
            start += run.len.max(1);
        }
    }
    None
}

/// As [`plan`], with no regard to what is worth it: everything rises to the last level, in segments of the size that segments
/// may have. Days stay apart, for retention removes whole segments.
pub(super) fn plan_all(row: &[Segment], bytes_max: u64) -> Option<Plan> {
    let (level, window_ns) = WINDOWS[WINDOWS.len() - 1];
    let window = |segment: &Segment| segment.created_at_ns.div_euclid(window_ns);
    let mut start = 0;
    while start < row.len() {
        let (mut len, mut bytes) = (0, 0u64);
        for segment in row[start..].iter().take(MERGE_INPUTS_MAX).take_while(|segment| window(segment) == window(&row[start])) {
            bytes = bytes.saturating_add(segment.bytes);
            if len > 0 && bytes > bytes_max {
                break;
            }
            len += 1;
        }
        if len >= 2 || row[start].level < level {
            return Some(Plan { inputs: start..start + len, level });
        }
        start += 1;
    }
    None
}

/// Neighbours that may become one.
struct Run {
    len: usize,
    /// Whether the next one would belong to it if it were not too large.
    is_full: bool,
}

fn run_at(row: &[Segment], start: usize, level: u8, bytes_max: u64, now_ns: i64, window: &dyn Fn(&Segment) -> i64) -> Run {
    let mut run = Run { len: 0, is_full: false };
    let mut bytes = 0u64;
    for segment in &row[start..] {
        if !may_rise_to(segment, level, now_ns) || window(segment) != window(&row[start]) {
            break;
        }
        bytes = bytes.saturating_add(segment.bytes);
        if run.len == MERGE_INPUTS_MAX || bytes > bytes_max {
            run.is_full = true;
            break;
        }
        run.len += 1;
    }
    run
}

/// Whether a segment may go into one of a level: it is of the level below, or further down and found no partner there.
fn may_rise_to(segment: &Segment, level: u8, now_ns: i64) -> bool {
    if segment.level + 1 == level {
        return true;
    }
    let is_over = |(_, window_ns): &(u8, i64)| segment.created_at_ns.div_euclid(*window_ns) < now_ns.div_euclid(*window_ns);
    segment.level < level && WINDOWS.iter().filter(|(above, _)| *above > segment.level && *above < level).all(is_over)
}

impl Maintainer {
    /// Merges whatever is due, or everything. An input that turns out damaged is left to the quarantine, the rest goes on.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub(super) async fn compact(&self, everything: bool) -> Result<()> {
        for (tenant, store) in self.tenants.all() {
            for table in Table::ALL {
                while !self.desk.is_stopped() && self.compact_next(&tenant, &store, table, everything).await? {}
            }
        }
        Ok(())
    }

    /// Does the next merge of a table; false when there is none to do now.
    async fn compact_next(&self, tenant: &Tenant, store: &TenantStore, table: Table, everything: bool) -> Result<bool> {
        let row = store.segments(table);
        let records: Vec<Segment> = row.iter().map(|segment| segment.record().clone()).collect();
        let bytes_max = self.settings.compact_bytes_max;
        let plan = if everything { plan_all(&records, bytes_max) } else { plan(&records, bytes_max, self.clock.now_ns()) };
        let Some(plan) = plan else { return Ok(false) };
        let (inputs, records) = (&row[plan.inputs.clone()], &records[plan.inputs]);
        if inputs.iter().any(SegmentHandle::is_damaged) || !self.has_room_for(records) {
            return Ok(false);
        }
        let merged = self.merge(inputs, records, plan.level).await;
        if merged.is_err() && self.desk.is_stopped() {
            return Ok(false);
        }
        let outcome = if merged.is_ok() { "ok" } else { "failed" };
        registry().counter(names::STORE_COMPACTIONS_TOTAL, &[("outcome", outcome)]).add(1);
        match merged {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, %tenant, table = table.as_str(), "cannot merge segments, one of them is damaged");
                Ok(false)
            }
            // One that a deletion overtook comes again with the next round.
            merged => merged,
        }
    }

    /// Merges and publishes; false if something was deleted of an input meanwhile.
    pub(super) async fn merge(&self, inputs: &[SegmentHandle], records: &[Segment], level: u8) -> Result<bool> {
        let mut record = |_table: Table| self.records.merged(records, level);
        let disk = Arc::new(StoppableDisk { disk: Arc::clone(&self.shelf.disk), desk: self.desk.clone() }) as Arc<dyn Disk>;
        let mut target = Target { disk: &disk, dir: &self.shelf.dir, record: &mut record };
        let mut rollup = self.rollup_of(records);
        let added: Vec<Segment> = merge(inputs, &mut rollup, &mut target)?.into_iter().collect();
        let made = added.clone();
        let is_published = self.publisher.publish_merged(inputs, Change { added, removed: records.to_vec(), ..Change::default() }).await?;
        if !is_published {
            self.shelf.remove_unpublished(&made);
        } else if rollup.dropped > 0 {
            registry().counter(names::STORE_ROLLED_UP_ROWS_TOTAL, &[]).add(rollup.dropped);
        }
        Ok(is_published)
    }

    /// Whether the disk can take the result and keep its reserve; if it does not say, the merge will find out.
    pub(super) fn has_room_for(&self, inputs: &[Segment]) -> bool {
        let needed = inputs.iter().map(|input| input.bytes).sum::<u64>().saturating_add(self.settings.wal.reserve_bytes);
        let has_room = self.shelf.disk.space(&self.shelf.dir).map_or(true, |space| space.available_bytes >= needed);
        if !has_room {
            tracing::warn!(needed, "no room to merge segments, it is tried again");
        }
        has_room
    }
}

#[cfg(test)]
mod tests;
