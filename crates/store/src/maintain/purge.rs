//! Purge: what is deleted leaves the disk.
//!
//! Merges leave out what is deleted of their inputs. Segments that no merge meets, because they are large or the last of
//! their level, are written anew alone: a day after the deletion, or when an operator asks.

use std::sync::atomic::Ordering;

use signalbox_model::{ErrorKind, Result};
use signalbox_telemetry::{names, registry};

use super::Maintainer;
use crate::limits::PURGE_AFTER;
use crate::publish::Change;
use crate::segments::SegmentHandle;

impl Maintainer {
    /// Writes the segments anew that hold deleted rows for too long, and forgets the deletions that hide nothing any more.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing comes back.
    pub(super) async fn purge(&self) -> Result<()> {
        let is_ordered = self.is_purge_due.load(Ordering::Acquire);
        let oldest_ns = self.clock.now_ns().saturating_sub(i64::try_from(PURGE_AFTER.as_nanos()).unwrap_or(i64::MAX));
        let mut untouched = Vec::new();
        for segment in self.tenants.segments() {
            let is_due = |segment: &SegmentHandle| segment.deleted_at_ns().is_some_and(|deleted_at_ns| is_ordered || deleted_at_ns < oldest_ns);
            if self.desk.is_stopped() || !is_due(&segment) || segment.is_damaged() {
                continue;
            }
            if !segment.has_deleted_rows()? {
                untouched.push(segment);
                continue;
            }
            let record = segment.record().clone();
            match self.merge(&[segment], std::slice::from_ref(&record), record.level).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(%error, segment = %record.url, "cannot purge segment {}, it is damaged", record.url);
                }
                Err(error) => return Err(error),
                Ok(true) => registry().counter(names::STORE_PURGED_SEGMENTS_TOTAL, &[]).add(1),
                // Something more was deleted of it: the next round takes both.
                Ok(false) => return Ok(()),
            }
        }
        self.publisher.forget_untouched(&untouched).await;
        if is_ordered {
            self.is_purge_due.store(false, Ordering::Release);
        }
        let purged = self.shelf.deletions.spent();
        if purged.is_empty() {
            return Ok(());
        }
        tracing::info!(deletions = ?purged, "no segment holds rows of {} deletions any more", purged.len());
        self.publisher.publish(Change { purged, ..Change::default() }).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;
    use std::sync::Arc;

    use futures::executor::block_on;
    use signalbox_model::builder::{LogBuilder, LogRow};
    use signalbox_model::{Batch, Labels, Matcher, MetricBatch, SeriesEntry, SeriesKey, Table, Tenant, TimeRange};
    use signalbox_testkit::{ManualClock, SimDisk};

    use crate::deletion::{Undelete, Undeleted};
    use crate::row_numbers::RowNumbers;
    use crate::segments::SegmentHandle;
    use crate::{ScanRequest, Settings, Store};

    #[test]
    fn a_merge_that_a_deletion_overtakes_is_not_published() {
        let disk = SimDisk::default();
        let store = block_on(Store::open(Settings::small(), Path::new("data"), Arc::new(disk.clone()), Arc::new(ManualClock::at_ms(0)))).unwrap();
        let tenant = Tenant::default();
        for round in 0..2 {
            let labels = Labels::from_pairs([("__name__", "m")]);
            let mut batch = MetricBatch::default();
            batch.series.push(SeriesEntry::New { key: SeriesKey(1), labels });
            batch.samples.push(0, round, 1.0);
            block_on(store.append(&tenant, vec![Batch::Metrics(batch)])).unwrap();
            block_on(store.flush()).unwrap();
        }
        let files = disk.files().len();
        // What a merge has when it begins.
        let inputs = store.inner.tenants.find(&tenant).unwrap().segments(Table::Samples);
        let records: Vec<_> = inputs.iter().map(|input| input.record().clone()).collect();
        block_on(store.delete_series(&tenant, &[vec![Matcher::equal("__name__", "m")]], TimeRange::ALL)).unwrap();
        assert!(!block_on(store.inner.maintainer.merge(&inputs, &records, 1)).unwrap());
        assert_eq!(disk.files().len(), files, "what it made is removed");
        let select = || store.snapshot(&tenant).select(&[], TimeRange::ALL, 10).unwrap().len();
        assert_eq!(select(), 0);
        drop(inputs);
        block_on(store.purge()).unwrap();
        assert_eq!((select(), disk.files().len()), (0, files - 2), "nothing is left to keep");
        assert_eq!(store.inner.publisher.deletions(), 0);
    }

    #[test]
    fn what_has_left_the_disk_in_part_comes_back_in_part_for_who_says_so() {
        let disk = SimDisk::default();
        let store = block_on(Store::open(Settings::small(), Path::new("data"), Arc::new(disk), Arc::new(ManualClock::at_ms(0)))).unwrap();
        let tenant = Tenant::default();
        for body in ["a", "b"] {
            let mut builder = LogBuilder::default();
            builder.close_row(&LogRow { body: Some(body), ..LogRow::default() });
            block_on(store.append(&tenant, vec![Batch::Logs(builder.finish())])).unwrap();
            block_on(store.flush()).unwrap();
        }
        let rows = || {
            let parts = store.snapshot(&tenant).scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap();
            parts.into_iter().flat_map(|part| part.read().unwrap()).map(|rows| rows.unwrap().num_rows()).sum::<usize>()
        };
        let numbers = store.inner.tenants.find(&tenant).unwrap().segments(Table::Logs).iter().map(last_number).collect();
        block_on(store.delete_rows(&tenant, Table::Logs, RowNumbers::of(numbers), "why")).unwrap();
        let input = store.inner.tenants.find(&tenant).unwrap().segments(Table::Logs).swap_remove(0);
        let record = input.record().clone();
        assert!(block_on(store.inner.maintainer.merge(&[input], &[record], 1)).unwrap());
        let undelete = |reason, which| block_on(store.undelete_rows(&tenant, Table::Logs, reason, which)).unwrap();
        assert_eq!(undelete("another", Undelete::Remains), Undeleted::Unknown);
        assert_eq!((undelete("why", Undelete::Whole), rows()), (Undeleted::PartlyErased, 0));
        assert_eq!((undelete("why", Undelete::Remains), rows()), (Undeleted::Back, 1));
    }

    #[test]
    fn a_merge_that_a_cancellation_overtakes_is_not_published() {
        let disk = SimDisk::default();
        let store = block_on(Store::open(Settings::small(), Path::new("data"), Arc::new(disk), Arc::new(ManualClock::at_ms(0)))).unwrap();
        let tenant = Tenant::default();
        let mut builder = LogBuilder::default();
        builder.close_row(&LogRow { body: Some("a"), ..LogRow::default() });
        builder.close_row(&LogRow { body: Some("b"), ..LogRow::default() });
        block_on(store.append(&tenant, vec![Batch::Logs(builder.finish())])).unwrap();
        block_on(store.flush()).unwrap();
        let segments = || store.inner.tenants.find(&tenant).unwrap().segments(Table::Logs);
        let last = last_number(&segments()[0]);
        block_on(store.delete_rows(&tenant, Table::Logs, RowNumbers::of(vec![last]), "one")).unwrap();
        let inputs = segments();
        let records: Vec<_> = inputs.iter().map(|input| input.record().clone()).collect();
        // Taken back, and another one in its place, with its number.
        assert_eq!(block_on(store.undelete_rows(&tenant, Table::Logs, "one", Undelete::Whole)).unwrap(), Undeleted::Back);
        block_on(store.delete_rows(&tenant, Table::Logs, RowNumbers::of(vec![last - 1]), "two")).unwrap();
        assert!(!block_on(store.inner.maintainer.merge(&inputs, &records, 1)).unwrap());
        assert_eq!(block_on(store.undelete_rows(&tenant, Table::Logs, "two", Undelete::Whole)).unwrap(), Undeleted::Back);
        let parts = store.snapshot(&tenant).scan(Table::Logs, &ScanRequest::all(TimeRange::ALL)).unwrap();
        assert_eq!(parts.into_iter().flat_map(|part| part.read().unwrap()).map(|rows| rows.unwrap().num_rows()).sum::<usize>(), 2);
    }

    fn last_number(segment: &SegmentHandle) -> u64 {
        let SegmentHandle::Rows(segment) = segment else { panic!("of rows") };
        segment.last_number().unwrap().unwrap()
    }
}
