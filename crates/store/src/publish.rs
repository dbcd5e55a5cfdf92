//! The one way in which segments come and go: the catalog first, then, at one instant a tenant, what snapshots see.
//!
//! A commit that fails may be applied all the same, now or (if its bytes reached the disk) after the next crash. So a failed
//! change is never given up: it stays *unsettled*, its files stay, and nothing else is committed before it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use signalbox_model::{Error, Matcher, Result, Table, Tenant, TimeRange};
use tokio::sync::watch;

use crate::backup::Frozen;
use crate::catalog::{Catalog, CatalogChange, CatalogState};
use crate::deletion::{Deleted, Deletion, Undelete, Undeleted, are_same};
use crate::format::{Segment, SegmentId};
use crate::limits::DELETIONS_MAX;
use crate::row_numbers::RowNumbers;
use crate::segments::{SegmentHandle, Shelf};
use crate::tenants::Tenants;
use crate::write::flush::Cut;

/// One change of what is published.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Segments that exist from now on, durable.
    pub(crate) added: Vec<Segment>,
    /// Segments that are no more.
    pub(crate) removed: Vec<Segment>,
    /// What of the heads is now in segments.
    pub(crate) cut: Option<Arc<Cut>>,
    /// Deletions that hold from now on.
    pub(crate) deletions: Vec<Arc<Deletion>>,
    /// Numbers of deletions that hide nothing any more, or are taken back.
    pub(crate) purged: Vec<u64>,
}

impl Change {
    fn for_catalog(&self) -> CatalogChange {
        CatalogChange {
            added: self.added.clone(),
            removed: self.removed.iter().map(|segment| segment.id).collect(),
            consumed_frame: self.cut.as_ref().map(|cut| cut.position - 1),
            next_row: self.cut.as_ref().map(|cut| cut.next_row),
            metadata: self.cut.as_ref().map(|cut| cut.metadata.clone()).unwrap_or_default(),
            deletions: self.deletions.iter().map(|deletion| Deletion::clone(deletion)).collect(),
            purged: self.purged.clone(),
        }
    }

    fn is_in(&self, state: &CatalogState) -> bool {
        let ids: HashSet<SegmentId> = state.segments.iter().map(|segment| segment.id).collect();
        self.added.iter().all(|segment| ids.contains(&segment.id))
            && !self.removed.iter().any(|segment| ids.contains(&segment.id))
            && self.cut.as_ref().is_none_or(|cut| state.consumed_frame + 1 >= cut.position)
            && self.deletions.iter().all(|deletion| state.deletions.iter().any(|other| *other == **deletion))
            && !state.deletions.iter().any(|deletion| self.purged.contains(&deletion.number))
    }

    fn tenants(&self) -> BTreeSet<&Tenant> {
        let heads = self.cut.iter().flat_map(|cut| cut.heads.iter().map(|head| &head.tenant));
        self.added.iter().chain(&self.removed).map(|segment| &segment.tenant).chain(heads).collect()
    }
}

/// Publishes changes, one after the other.
#[derive(Debug)]
pub(crate) struct Publisher {
    catalog: Arc<dyn Catalog>,
    shelf: Arc<Shelf>,
    tenants: Arc<Tenants>,
    unsettled: tokio::sync::Mutex<Option<Change>>,
    /// The position before which all frames are in segments.
    consumed: AtomicU64,
    /// Segments that are no more, until no snapshot holds them.
    retired: Mutex<Vec<SegmentHandle>>,
    /// How often deletions were forgotten.
    forgotten: watch::Sender<u64>,
}

impl Publisher {
    /// With what the catalog said when it was opened: everything before `consumed` is in segments.
    pub(crate) fn new(catalog: Arc<dyn Catalog>, shelf: Arc<Shelf>, tenants: Arc<Tenants>, consumed: u64) -> Self {
        let (unsettled, consumed) = (tokio::sync::Mutex::new(None), AtomicU64::new(consumed));
        Self { catalog, shelf, tenants, unsettled, consumed, retired: Mutex::default(), forgotten: watch::Sender::new(0) }
    }

    /// The position before which all frames are in published segments.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Acquire)
    }

    /// Changes whenever deletions are forgotten, because their rows have left the disk or are back.
    pub(crate) fn deletions_forgotten(&self) -> watch::Receiver<u64> {
        self.forgotten.subscribe()
    }

    /// Deletions that wait to be purged.
    pub(crate) fn deletions(&self) -> usize {
        self.shelf.deletions.len()
    }

    /// Publishes a change. After an error it is unsettled: [`Publisher::settle`] tries it again.
    ///
    /// # Errors
    /// `Unavailable` if the catalog fails, for this change or one before it.
    pub(crate) async fn publish(&self, change: Change) -> Result<()> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        self.commit(&mut unsettled, change).await
    }

    /// Publishes what a merge made of its inputs, unless one of them has had something deleted since: what was made would
    /// bring it back. Says whether it was published.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub(crate) async fn publish_merged(&self, inputs: &[SegmentHandle], change: Change) -> Result<bool> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        if !inputs.iter().all(|input| self.has_all_deletions(input)) {
            return Ok(false);
        }
        self.commit(&mut unsettled, change).await?;
        Ok(true)
    }

    /// Hides series of a tenant over a range of time in all segments that it has now; gives the number of these. Rows in the
    /// head stay: flush before.
    ///
    /// # Errors
    /// `Limit` if too many deletions wait to be purged; as [`Publisher::publish`].
    pub(crate) async fn delete(&self, tenant: &Tenant, sets: &[Vec<Matcher>], range: TimeRange, created_at_ns: i64) -> Result<usize> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        let Some(store) = self.tenants.find(tenant) else { return Ok(0) };
        let segments: Vec<SegmentId> = [Table::Samples, Table::Histograms, Table::Exemplars]
            .into_iter()
            .flat_map(|table| store.segments(table))
            .filter(|segment| segment.record().range.overlaps(&range))
            .map(|segment| segment.record().id)
            .collect();
        self.hide_in(&mut unsettled, (tenant, sets), range, segments, created_at_ns).await
    }

    /// Hides series of a tenant in some of its segments, to be purged at once; gives the number of those that still exist.
    ///
    /// # Errors
    /// As [`Publisher::delete`].
    pub(crate) async fn expire(&self, tenant: &Tenant, matchers: &[Matcher], segments: &[SegmentId]) -> Result<usize> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        let live: HashSet<SegmentId> = self.tenants.segments().iter().map(|segment| segment.record().id).collect();
        let segments = segments.iter().copied().filter(|segment| live.contains(segment)).collect();
        self.hide_in(&mut unsettled, (tenant, &[matchers.to_vec()]), TimeRange::ALL, segments, i64::MIN).await
    }

    /// Hides rows of a tenant in all segments of their table that it has now. Rows in the head stay: flush before.
    ///
    /// # Errors
    /// As [`Publisher::delete`].
    pub(crate) async fn delete_rows(&self, tenant: &Tenant, table: Table, numbers: RowNumbers, reason: &str, created_at_ns: i64) -> Result<()> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        let Some(store) = self.tenants.find(tenant) else { return Ok(()) };
        let segments: Vec<SegmentId> = store.segments(table).iter().map(|segment| segment.record().id).collect();
        if segments.is_empty() || numbers.is_empty() {
            return Ok(());
        }
        self.check_waiting(1)?;
        let number = self.shelf.deletions.next_number();
        let what = Deleted::Rows { table, numbers, reason: reason.to_owned() };
        let deletion = Arc::new(Deletion { number, tenant: tenant.clone(), what, range: TimeRange::ALL, created_at_ns, segments });
        self.commit(&mut unsettled, Change { deletions: vec![deletion], ..Change::default() }).await
    }

    /// Has the rows of a tenant that were deleted for a reason in snapshots again.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub(crate) async fn undelete_rows(&self, tenant: &Tenant, table: Table, reason: &str, which: Undelete) -> Result<Undeleted> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        let is_meant = |deletion: &Arc<Deletion>| matches!(&deletion.what, Deleted::Rows { table: of, reason: why, .. } if *of == table && why == reason);
        let Some(deletion) = self.shelf.deletions.of_tenant(tenant).into_iter().find(is_meant) else { return Ok(Undeleted::Unknown) };
        let live: HashSet<SegmentId> = self.tenants.segments().iter().map(|segment| segment.record().id).collect();
        let remaining = deletion.segments.iter().filter(|segment| live.contains(segment)).count();
        if remaining == 0 {
            return Ok(Undeleted::Unknown);
        }
        if remaining < deletion.segments.len() && which == Undelete::Whole {
            return Ok(Undeleted::PartlyErased);
        }
        self.commit(&mut unsettled, Change { purged: vec![deletion.number], ..Change::default() }).await?;
        Ok(Undeleted::Back)
    }

    fn check_waiting(&self, more: usize) -> Result<()> {
        let waiting = self.shelf.deletions.len();
        if waiting + more > DELETIONS_MAX {
            return Err(Error::limit(format!("cannot delete: {waiting} deletions wait to be purged, want at most {DELETIONS_MAX}; clean tombstones first")));
        }
        Ok(())
    }

    async fn hide_in(
        &self,
        unsettled: &mut Option<Change>,
        (tenant, sets): (&Tenant, &[Vec<Matcher>]),
        range: TimeRange,
        segments: Vec<SegmentId>,
        created_at_ns: i64,
    ) -> Result<usize> {
        if segments.is_empty() {
            return Ok(0);
        }
        self.check_waiting(sets.len())?;
        let deletion = |(number, matchers): (u64, &Vec<Matcher>)| {
            Arc::new(Deletion { number, tenant: tenant.clone(), what: Deleted::Series(matchers.clone()), range, created_at_ns, segments: segments.clone() })
        };
        let deletions = (self.shelf.deletions.next_number()..).zip(sets).map(deletion).collect();
        self.commit(unsettled, Change { deletions, ..Change::default() }).await?;
        Ok(segments.len())
    }

    /// Segments and catalog of one instant.
    ///
    /// # Errors
    /// `Unavailable` if the catalog fails.
    pub(crate) async fn freeze(&self) -> Result<Frozen> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await?;
        Ok(Frozen { state: self.catalog.read().await?, segments: self.tenants.segments() })
    }

    /// Forgets what is deleted of segments that have no such rows, so that nobody looks again. The catalog keeps it; the next
    /// start finds out again.
    pub(crate) async fn forget_untouched(&self, segments: &[SegmentHandle]) {
        let _no_deletion_meanwhile = self.unsettled.lock().await;
        let untouched: Vec<&Segment> = segments.iter().filter(|segment| self.has_all_deletions(segment)).map(SegmentHandle::record).collect();
        self.shelf.deletions.forget_segments(untouched.iter().map(|record| record.id));
        for tenant in untouched.iter().map(|record| &record.tenant).collect::<BTreeSet<_>>() {
            self.tenants.enter(tenant).hide(&self.shelf.deletions);
        }
    }

    /// Whether nothing has been deleted of a segment, or come back, since the handle was made.
    fn has_all_deletions(&self, segment: &SegmentHandle) -> bool {
        are_same(&self.shelf.deletions.of(segment.record().id), segment.deletions())
    }

    async fn commit(&self, unsettled: &mut Option<Change>, change: Change) -> Result<()> {
        let committed = self.catalog.commit(&change.for_catalog()).await;
        let change = unsettled.insert(change);
        if let Err(error) = committed {
            match self.catalog.read().await {
                Ok(state) if change.is_in(&state) => {}
                _ => return Err(error),
            }
        }
        self.show(change);
        *unsettled = None;
        Ok(())
    }

    /// Tries an unsettled change again.
    ///
    /// # Errors
    /// `Unavailable` if the catalog still fails.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut unsettled = self.unsettled.lock().await;
        self.retry(&mut unsettled).await
    }

    async fn retry(&self, unsettled: &mut Option<Change>) -> Result<()> {
        let Some(change) = unsettled.as_ref() else { return Ok(()) };
        if !change.is_in(&self.catalog.read().await?) {
            self.catalog.commit(&change.for_catalog()).await?;
        }
        self.show(change);
        *unsettled = None;
        Ok(())
    }

    /// Makes snapshots see a committed change.
    fn show(&self, change: &Change) {
        let removed: HashSet<SegmentId> = change.removed.iter().map(|segment| segment.id).collect();
        let mut added: BTreeMap<&Tenant, Vec<SegmentHandle>> = BTreeMap::new();
        for segment in &change.added {
            added.entry(&segment.tenant).or_default().push(self.shelf.open(segment));
        }
        for tenant in change.tenants() {
            let gone = self.tenants.enter(tenant).publish(added.remove(tenant).unwrap_or_default(), &removed, |store| {
                if let Some(cut) = &change.cut {
                    cut.release(tenant, store);
                }
            });
            self.retired.lock().extend(gone);
        }
        self.shelf.deletions.forget_segments(removed.into_iter());
        let shown = self.shelf.deletions.forget(&change.purged);
        self.hide(&change.deletions);
        for tenant in &shown {
            self.tenants.enter(tenant).hide(&self.shelf.deletions);
        }
        if !change.purged.is_empty() {
            self.forgotten.send_modify(|changes| *changes += 1);
        }
        if let Some(cut) = &change.cut {
            self.consumed.store(cut.position, Ordering::Release);
        }
    }

    /// Puts handles that leave out what is deleted in the place of those that do not.
    fn hide(&self, deletions: &[Arc<Deletion>]) {
        for deletion in deletions {
            self.shelf.deletions.note(deletion);
        }
        for tenant in deletions.iter().map(|deletion| &deletion.tenant).collect::<BTreeSet<_>>() {
            self.tenants.enter(tenant).hide(&self.shelf.deletions);
        }
    }

    /// Removes the files of segments that are no more and that no snapshot holds.
    pub(crate) fn remove_retired(&self) {
        let unheld: Vec<_> = {
            let mut retired = self.retired.lock();
            let (unheld, held) = std::mem::take(&mut *retired).into_iter().partition(|segment| segment.is_last());
            *retired = held;
            unheld
        };
        for segment in unheld {
            let path = segment.record().path(&self.shelf.dir);
            match self.shelf.disk.remove(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "cannot remove a segment that is no more, it is tried again");
                    self.retired.lock().push(segment);
                }
            }
        }
    }

    /// Closes the catalog.
    pub(crate) async fn close(&self) {
        self.catalog.close().await;
    }
}
