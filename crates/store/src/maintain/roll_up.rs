//! Rollups of old segments: those that have grown too old for a rule are written anew without what it leaves out.
//!
//! Merges thin what they write, if it is old enough by then; most segments have reached the last level before. What is thin is
//! seen by its samples, so nothing needs to be remembered over a restart: the first round after one reads old segments once.

use signalbox_model::{ErrorKind, Result};

use super::Maintainer;
use crate::format::{Segment, SegmentId};
use crate::rollup::Rollup;

impl Maintainer {
    /// Thins the segments that are due. One that is damaged is left to the quarantine.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub(super) async fn roll_up(&self) -> Result<()> {
        if self.settings.rollups.is_empty() {
            return Ok(());
        }
        let segments = self.tenants.segments();
        let live: std::collections::HashSet<SegmentId> = segments.iter().map(|segment| segment.record().id).collect();
        self.thin.lock().retain(|segment, _| live.contains(segment));
        for segment in segments {
            let record = segment.record().clone();
            let rollup = self.rollup_of(std::slice::from_ref(&record));
            let rules = rollup.rules();
            if self.desk.is_stopped() || rules == 0 || segment.is_damaged() || self.thin.lock().get(&record.id) == Some(&rules) {
                continue;
            }
            match segment.has_rows_to_drop(&rollup) {
                Ok(true) => {}
                Ok(false) => {
                    self.thin.lock().insert(record.id, rules);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => continue,
                Err(error) => return Err(error),
            }
            if !self.has_room_for(std::slice::from_ref(&record)) {
                return Ok(());
            }
            match self.merge(&[segment], std::slice::from_ref(&record), record.level).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(%error, segment = %record.url, "cannot roll up segment {}, it is damaged", record.url);
                }
                Err(_) if self.desk.is_stopped() => return Ok(()),
                Err(error) => return Err(error),
                // What a deletion overtook comes again with the next round.
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// The rules that are due for rows of these segments.
    pub(super) fn rollup_of(&self, records: &[Segment]) -> Rollup<'_> {
        let newest_ms = records.iter().map(|record| record.range.end_ms()).max();
        newest_ms.map_or_else(Rollup::default, |newest_ms| Rollup::due(&self.settings.rollups, newest_ms, self.clock.now_ns().div_euclid(1_000_000)))
    }
}
