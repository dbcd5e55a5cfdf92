//! What the store does by itself besides flushing: merges segments, removes what is too old, sets aside what is damaged.

pub(crate) mod compact;
pub(crate) mod gauges;
mod keep;
mod purge;
pub(crate) mod quarantine;
pub(crate) mod retain;
mod retain_selected;
mod roll_up;
mod stoppable;
pub(crate) mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use signalbox_model::{Clock, ErrorKind, Result};

use crate::format::{Segment, SegmentId};
use crate::publish::{Change, Publisher};
use crate::segment_records::SegmentRecords;
use crate::segments::{SegmentHandle, Shelf};
use crate::settings::Settings;
use crate::tenants::Tenants;
use worker::Desk;

/// Keeps the segments in order.
#[derive(Debug)]
pub(crate) struct Maintainer {
    pub(crate) settings: Settings,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) records: Arc<SegmentRecords>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the rounds are ordered; once it is stopped a round ends early.
    pub(crate) desk: Desk,
    /// Whether the next round merges everything.
    pub(crate) compact_all: AtomicBool,
    /// Segments that a second look found whole.
    pub(crate) pardoned: Mutex<HashSet<SegmentId>>,
    /// Old segments in which a rule of the retention, by number, has been looked up.
    pub(crate) looked_up: Mutex<HashSet<(SegmentId, usize)>>,
    /// By segment, for how many rules of rollups that are due it has been found thin.
    pub(crate) thin: Mutex<HashMap<SegmentId, usize>>,
    /// Old segments with the number of ages at which the traces in them have been judged.
    pub(crate) judged: Mutex<HashMap<SegmentId, usize>>,
    /// Whether the next round purges everything that is deleted, however young the deletion.
    pub(crate) is_purge_due: AtomicBool,
}

impl Maintainer {
    /// One round of everything.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub(crate) async fn round(&self) -> Result<()> {
        self.publisher.settle().await?;
        self.read_trace_filters();
        self.quarantine_damaged().await?;
        self.retain().await?;
        self.retain_selected().await?;
        self.keep_traces().await?;
        let compacted = match self.compact(self.compact_all.swap(false, Ordering::AcqRel)).await {
            Ok(()) => self.purge().await,
            failed => failed,
        };
        let compacted = match compacted {
            Ok(()) => self.roll_up().await,
            failed => failed,
        };
        // A merge may have found damage.
        self.quarantine_damaged().await?;
        self.publisher.remove_retired();
        compacted
    }

    /// Has all segments know their traces, the newest first, so that the first look-up of a trace opens no file that lacks it.
    fn read_trace_filters(&self) {
        let mut segments = self.tenants.segments();
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.record().range.end_ns));
        for segment in segments {
            match segment.read_trace_filter() {
                Ok(true) if !self.desk.is_stopped() => {}
                Ok(_) => break,
                // A damaged one is set aside in this round, another one is asked again.
                Err(error) => tracing::debug!(%error, segment = %segment.record().url, "cannot read which traces a segment has"),
            }
        }
    }

    /// Whether a read has found damage that a round would set aside.
    pub(crate) fn knows_damage(tenants: &Tenants) -> bool {
        tenants.segments().iter().any(SegmentHandle::is_damaged)
    }

    /// Sets aside what a read has found damaged, if a second look agrees: a cable or a memory may have been at fault. A
    /// segment whose checksums hold and which is found damaged again goes all the same.
    async fn quarantine_damaged(&self) -> Result<()> {
        let mut damaged = Vec::new();
        for segment in self.tenants.segments().iter().filter(|segment| segment.is_damaged()) {
            let record = segment.record();
            match segment.verify() {
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
                Ok(()) if self.pardoned.lock().insert(record.id) => {
                    tracing::warn!(segment = %record.url, "segment {} was found damaged, and its checksums hold: it stays", record.url);
                    let removed = HashSet::from([record.id]);
                    self.tenants.enter(&record.tenant).publish(vec![self.shelf.open(record)], &removed, |_| {});
                }
                _ => damaged.push(record.clone()),
            }
        }
        self.quarantine(&damaged, "a checksum or its structure is wrong").await
    }

    /// Takes damaged segments out of the catalog and sets their files aside.
    ///
    /// # Errors
    /// Of the catalog; they stay where they are then.
    pub(crate) async fn quarantine(&self, damaged: &[Segment], what: &str) -> Result<()> {
        if damaged.is_empty() {
            return Ok(());
        }
        self.publisher.publish(Change { removed: damaged.to_vec(), ..Change::default() }).await?;
        for segment in damaged {
            quarantine::report(segment, what);
            quarantine::set_aside(&self.shelf, segment);
        }
        Ok(())
    }
}
