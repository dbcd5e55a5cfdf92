//! What is kept of each tenant: its head, and the segments that are published.
//!
//! Head and segments change together under one lock a tenant: what leaves the head is in a segment at the same instant, for
//! all signals. Snapshots are taken under that lock, so that no row is seen twice or not at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use signalbox_model::{KnownSeries, Labels, SeriesKey, SeriesRef, Table, Tenant};

use crate::deletion::{Deletions, are_same};
use crate::format::SegmentId;
use crate::format::metrics::MetricSegment;
use crate::format::rows::RowSegment;
use crate::read::metrics::MetricView;
use crate::read::rows::RowView;
use crate::segments::SegmentHandle;
use crate::snapshot::Snapshot;
use crate::write::head::metrics::MetricHead;
use crate::write::head::rows::RowHead;
use crate::write::payload::SeriesLabels;

/// All tenants by name.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    by_name: RwLock<HashMap<Tenant, Arc<TenantStore>>>,
}

impl Tenants {
    /// A tenant that is about to have rows.
    pub(crate) fn enter(&self, tenant: &Tenant) -> Arc<TenantStore> {
        if let Some(found) = self.find(tenant) {
            return found;
        }
        Arc::clone(self.by_name.write().entry(tenant.clone()).or_default())
    }

    /// A tenant, if it ever had rows.
    pub(crate) fn find(&self, tenant: &Tenant) -> Option<Arc<TenantStore>> {
        self.by_name.read().get(tenant).map(Arc::clone)
    }

    /// All tenants, sorted by name.
    pub(crate) fn all(&self) -> Vec<(Tenant, Arc<TenantStore>)> {
        let mut all: Vec<_> = self.by_name.read().iter().map(|(tenant, store)| (tenant.clone(), Arc::clone(store))).collect();
        all.sort_by(|left, right| left.0.cmp(&right.0));
        all
    }

    /// The published segments of all tenants.
    pub(crate) fn segments(&self) -> Vec<SegmentHandle> {
        self.all().iter().flat_map(|(_, store)| Table::ALL.into_iter().flat_map(|table| store.segments(table)).collect::<Vec<_>>()).collect()
    }
}

/// Head and segments of one tenant.
#[derive(Debug)]
pub(crate) struct TenantStore {
    pub(crate) metrics: MetricHead,
    pub(crate) logs: RowHead,
    pub(crate) spans: RowHead,
    published: RwLock<Published>,
}

/// The segments of one tenant, by signal. Oldest rows first: of two samples of one series and time the one in the later
/// segment counts.
#[derive(Debug, Default)]
struct Published {
    metrics: Arc<[Arc<MetricSegment>]>,
    logs: Arc<[Arc<RowSegment>]>,
    spans: Arc<[Arc<RowSegment>]>,
}

impl Default for TenantStore {
    fn default() -> Self {
        Self { metrics: MetricHead::default(), logs: RowHead::new(Table::Logs), spans: RowHead::new(Table::Spans), published: RwLock::default() }
    }
}

impl TenantStore {
    /// The published segments of a table, oldest rows first.
    pub(crate) fn segments(&self, table: Table) -> Vec<SegmentHandle> {
        let published = self.published.read();
        match table {
            Table::Samples | Table::Histograms | Table::Exemplars => {
                let of_table = published.metrics.iter().filter(|segment| segment.record().table == table);
                of_table.cloned().map(SegmentHandle::Metrics).collect()
            }
            Table::Logs => published.logs.iter().cloned().map(SegmentHandle::Rows).collect(),
            Table::Spans => published.spans.iter().cloned().map(SegmentHandle::Rows).collect(),
        }
    }

    /// Head and segments at this instant.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Snapshot {
        let published = self.published.read();
        Snapshot {
            metrics: MetricView { head: self.metrics.view(), segments: Arc::clone(&published.metrics) },
            logs: RowView { head: self.logs.view(), segments: Arc::clone(&published.logs) },
            spans: RowView { head: self.spans.view(), segments: Arc::clone(&published.spans) },
            store: Arc::clone(self),
            members: Arc::default(),
        }
    }

    /// Changes what is published; `release` forgets what of the head it holds. Gives back the segments that went.
    pub(crate) fn publish(&self, added: Vec<SegmentHandle>, removed: &HashSet<SegmentId>, release: impl FnOnce(&Self)) -> Vec<SegmentHandle> {
        let (mut metrics, mut logs, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for segment in added {
            match segment {
                SegmentHandle::Metrics(segment) => metrics.push(segment),
                SegmentHandle::Rows(segment) if segment.record().table == Table::Logs => logs.push(segment),
                SegmentHandle::Rows(segment) => spans.push(segment),
            }
        }
        let mut published = self.published.write();
        let mut gone = Vec::new();
        let of_metrics = |segment: &MetricSegment| (segment.record().order(), removed.contains(&segment.record().id));
        let of_rows = |segment: &RowSegment| (segment.record().order(), removed.contains(&segment.record().id));
        gone.extend(change(&mut published.metrics, metrics, of_metrics).into_iter().map(SegmentHandle::Metrics));
        gone.extend(change(&mut published.logs, logs, of_rows).into_iter().map(SegmentHandle::Rows));
        gone.extend(change(&mut published.spans, spans, of_rows).into_iter().map(SegmentHandle::Rows));
        release(self);
        gone
    }

    /// Has the segments leave out what is deleted of them now, at one instant.
    pub(crate) fn hide(&self, deletions: &Deletions) {
        let mut published = self.published.write();
        let hidden = |segment: &Arc<MetricSegment>| {
            let deleted = deletions.of(segment.record().id);
            if are_same(&deleted, segment.deletions()) { Arc::clone(segment) } else { segment.without(deleted) }
        };
        published.metrics = published.metrics.iter().map(hidden).collect();
        let hidden = |segment: &Arc<RowSegment>| {
            let deleted = deletions.of(segment.record().id);
            if are_same(&deleted, segment.deletions()) { Arc::clone(segment) } else { segment.without(deleted) }
        };
        published.logs = published.logs.iter().map(hidden).collect();
        published.spans = published.spans.iter().map(hidden).collect();
    }
}

/// Adds to a list and removes from it; `look` says the place of a segment in the order, and whether it goes. A list that
/// stays as it is stays shared with the snapshots that hold it.
fn change<S, K: Ord>(list: &mut Arc<[Arc<S>]>, added: Vec<Arc<S>>, look: impl Fn(&S) -> (K, bool)) -> Vec<Arc<S>> {
    let (gone, mut kept): (Vec<_>, Vec<_>) = list.iter().cloned().partition(|segment| look(segment).1);
    if !added.is_empty() || !gone.is_empty() {
        // A change that was interrupted is shown again.
        kept.retain(|segment| !added.iter().any(|other| look(other).0 == look(segment).0));
        kept.extend(added);
        kept.sort_by_key(|segment| look(segment).0);
        *list = kept.into();
    }
    gone
}

impl KnownSeries for TenantStore {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.metrics.find(key)
    }

    fn find_after(&self, last: Option<SeriesRef>, key: SeriesKey) -> Option<SeriesRef> {
        self.metrics.find_after(last, key)
    }
}

impl SeriesLabels for TenantStore {
    fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.metrics.labels(series)
    }
}
