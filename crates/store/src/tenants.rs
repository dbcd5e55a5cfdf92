//! What is kept of each tenant: its head, and the segments that are published.
//!
//! Head and segments change together under one lock a tenant: what leaves the head is in a segment at the same instant, for
//! all signals. Snapshots are taken under that lock, so that no row is seen twice or not at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use parking_lot::RwLock;
use signalbox_model::{KnownSeries, Labels, SeriesKey, SeriesRef, Tenant};

use crate::format::SegmentId;
use crate::format::metrics::MetricSegment;
use crate::read::metrics::MetricView;
use crate::snapshot::Snapshot;
use crate::write::head::metrics::MetricHead;
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
}

/// Head and segments of one tenant.
#[derive(Debug, Default)]
pub(crate) struct TenantStore {
    pub(crate) metrics: MetricHead,
    pub(crate) logs: RwLock<Vec<RecordBatch>>,
    pub(crate) spans: RwLock<Vec<RecordBatch>>,
    published: RwLock<Published>,
}

/// The segments of one tenant. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    /// Oldest rows first: of two samples of one series and time the one in the later segment counts.
    pub(crate) metrics: Arc<[Arc<MetricSegment>]>,
}

impl TenantStore {
    /// The segments that are published now.
    pub(crate) fn published(&self) -> Published {
        self.published.read().clone()
    }

    /// Head and segments at this instant.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Snapshot {
        let published = self.published.read();
        let metrics = MetricView { head: self.metrics.view(), segments: Arc::clone(&published.metrics) };
        Snapshot { head: Arc::clone(self), metrics }
    }

    /// Changes what is published; `release` forgets what of the head it holds. Gives back the segments that went.
    pub(crate) fn publish(&self, added: Vec<Arc<MetricSegment>>, removed: &HashSet<SegmentId>, release: impl FnOnce(&Self)) -> Vec<Arc<MetricSegment>> {
        let mut published = self.published.write();
        let (gone, mut kept): (Vec<_>, Vec<_>) = published.metrics.iter().cloned().partition(|segment| removed.contains(&segment.record().id));
        kept.extend(added);
        kept.sort_by_key(|segment| segment.record().order());
        published.metrics = kept.into();
        release(self);
        gone
    }
}

impl KnownSeries for TenantStore {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.metrics.find(key)
    }
}

impl SeriesLabels for TenantStore {
    fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.metrics.labels(series)
    }
}
