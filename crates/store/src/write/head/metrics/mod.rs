//! The head of one tenant's metrics.
//!
//! Series are known by a dense reference for as long as they are alive ([`series`]); their samples lie in the *active*
//! buffers ([`buffers`]) until a seal cuts these off. Sealed buffers stay visible until [`MetricHead::release`], which the
//! flush calls once the segments made of them are published. A view holds the buffers it was taken with, so that nothing
//! vanishes from under a reader.

pub(crate) mod buffers;
pub(crate) mod series;
pub(crate) mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use roaring::RoaringBitmap;
use signalbox_model::{Error, KnownSeries, Labels, Matcher, MetricBatch, MetricMetadata, Result, SeriesEntry, SeriesKey, SeriesRef};

use buffers::Buffers;
use series::SeriesTable;
use shown::Shown;

use crate::read::metrics::matching::{judge, select};

/// The head of one tenant's metrics.
#[derive(Debug)]
pub(crate) struct MetricHead {
    table: Arc<RwLock<SeriesTable>>,
    cut: RwLock<Cut>,
    metadata: RwLock<BTreeMap<String, MetricMetadata>>,
}

#[derive(Debug)]
struct Cut {
    active: Arc<Buffers>,
    sealed: Vec<Arc<Sealed>>,
    number: u32,
}

/// Buffers that no append reaches any more, on their way into segments.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) buffers: Arc<Buffers>,
    /// Labels by slot of the buffers.
    pub(crate) labels: Vec<Labels>,
}

/// What a snapshot holds of the head. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct HeadView {
    pub(crate) table: Arc<RwLock<SeriesTable>>,
    /// Oldest first; the active buffers come last.
    pub(crate) parts: Vec<HeadPart>,
}

/// Buffers, and what of them is shown: what comes later stays hidden, so that batches are seen as a whole and two looks see
/// the same.
#[derive(Debug, Clone)]
pub(crate) struct HeadPart {
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) shown: Shown,
}

impl Default for MetricHead {
    fn default() -> Self {
        Self { table: Arc::default(), cut: RwLock::new(Cut { active: Arc::default(), sealed: Vec::new(), number: 0 }), metadata: RwLock::default() }
    }
}

impl MetricHead {
    /// Seals that a series may sit out before the head forgets it.
    const IDLE_SEALS_MAX: u32 = 3;

    /// The references of the series of a batch, in its order; what is new becomes known.
    ///
    /// # Errors
    /// `Unavailable` when a known series was forgotten since the batch was decoded, or no reference is left: decode it again.
    pub(crate) fn resolve(&self, series: &[SeriesEntry]) -> Result<Vec<SeriesRef>> {
        let number = self.cut.read().number;
        let mut refs = Vec::with_capacity(series.len());
        let is_known = |entry: &SeriesEntry| matches!(entry, SeriesEntry::Known(_));
        if series.iter().all(is_known) {
            let table = self.table.read();
            for entry in series {
                let SeriesEntry::Known(series) = entry else { continue };
                refs.push(touch(&table, *series, number)?);
            }
            return Ok(refs);
        }
        let mut table = self.table.write();
        for entry in series {
            refs.push(match entry {
                SeriesEntry::Known(series) => touch(&table, *series, number)?,
                SeriesEntry::New { key, labels } => table.announce(*key, labels, number)?,
            });
        }
        Ok(refs)
    }

    /// The references of series that no sender has named yet, in their order; what is new becomes known.
    ///
    /// # Errors
    /// `Unavailable` when no reference is left.
    pub(crate) fn enter<'a>(&self, labels: impl Iterator<Item = &'a Labels>) -> Result<Vec<SeriesRef>> {
        let mut labels = labels.peekable();
        if labels.peek().is_none() {
            return Ok(Vec::new());
        }
        let number = self.cut.read().number;
        let mut table = self.table.write();
        labels.map(|labels| table.enter(labels, number)).collect()
    }

    /// Appends a batch whose series are `refs`, from [`MetricHead::resolve`]. Of two samples of one series and time the later
    /// appended wins. All or nothing.
    ///
    /// # Errors
    /// `Internal` when a column refers to a series that the batch does not have, or holds deltas.
    pub(crate) fn append(&self, batch: &MetricBatch, refs: &[SeriesRef]) -> Result<()> {
        check(batch, refs.len())?;
        let cut = self.cut.read();
        cut.active.append(batch, refs);
        drop(cut);
        if !batch.metadata.is_empty() {
            self.put_metadata(&batch.metadata);
        }
        Ok(())
    }

    /// Cuts the head: everything appended so far is in what this returns, everything later is not. `None` when there is
    /// nothing. Sealed buffers stay visible until they are released.
    pub(crate) fn seal(&self) -> Option<Arc<Sealed>> {
        let mut cut = self.cut.write();
        if cut.active.is_empty() {
            return None;
        }
        let buffers = std::mem::take(&mut cut.active);
        let labels = {
            let table = self.table.read();
            buffers.series().into_iter().map(|series| table.labels(series).unwrap_or_default()).collect()
        };
        let sealed = Arc::new(Sealed { buffers, labels });
        cut.sealed.push(Arc::clone(&sealed));
        cut.number += 1;
        if let Some(idle_since) = cut.number.checked_sub(Self::IDLE_SEALS_MAX)
            // Readers find series in sealed buffers through the table.
            && cut.sealed.len() == 1
        {
            self.table.write().forget_idle(idle_since);
        }
        Some(sealed)
    }

    /// Forgets sealed buffers: their segments are published. Whoever publishes does both under the lock under which
    /// snapshots are taken, so that no snapshot shows a row twice or not at all.
    pub(crate) fn release(&self, sealed: &Arc<Sealed>) {
        self.cut.write().sealed.retain(|other| !Arc::ptr_eq(other, sealed));
    }

    /// Everything in the head now: sealed buffers and the active ones.
    pub(crate) fn view(&self) -> HeadView {
        let cut = self.cut.read();
        let sealed = cut.sealed.iter().map(|sealed| HeadPart { buffers: Arc::clone(&sealed.buffers), shown: Shown::everything() });
        let active = HeadPart { buffers: Arc::clone(&cut.active), shown: cut.active.shown() };
        HeadView { table: Arc::clone(&self.table), parts: sealed.chain([active]).collect() }
    }

    /// Whether a series that matches one of the sets of matchers may have rows in the head.
    pub(crate) fn may_have(&self, sets: &[Vec<Matcher>]) -> bool {
        let view = self.view();
        let table = view.table.read();
        let found = sets.iter().fold(RoaringBitmap::new(), |all, matchers| all | select(matchers, &*table, &mut |matcher| judge(matcher, &*table).into()));
        found.iter().any(|series| view.parts.iter().any(|part| part.buffers.slot(SeriesRef(series)).is_some()))
    }

    /// Labels of a series that the head knows: what the WAL writes for a series that a replay could not know.
    pub(crate) fn labels(&self, series: SeriesRef) -> Option<Labels> {
        self.table.read().labels(series)
    }

    /// Series that are alive.
    pub(crate) fn active_series(&self) -> usize {
        self.table.read().len()
    }

    /// Float samples, histogram samples and exemplars in the head, sealed ones and duplicates included.
    pub(crate) fn rows(&self) -> (usize, usize, usize) {
        self.view().parts.iter().map(|part| part.buffers.rows()).fold((0, 0, 0), |sum, rows| (sum.0 + rows.0, sum.1 + rows.1, sum.2 + rows.2))
    }

    /// Metadata of metric families, sorted by name.
    pub(crate) fn metadata(&self) -> Vec<MetricMetadata> {
        self.metadata.read().values().cloned().collect()
    }

    /// Replaces the metadata of families: from a batch, or from where it was kept over a restart.
    pub(crate) fn put_metadata(&self, metadata: &[MetricMetadata]) {
        let known = self.metadata.read();
        let news: Vec<&MetricMetadata> = metadata.iter().filter(|metadata| known.get(&metadata.name) != Some(metadata)).collect();
        drop(known);
        if !news.is_empty() {
            self.metadata.write().extend(news.into_iter().map(|metadata| (metadata.name.clone(), metadata.clone())));
        }
    }
}

impl KnownSeries for MetricHead {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.table.read().find(key)
    }

    fn find_after(&self, last: Option<SeriesRef>, key: SeriesKey) -> Option<SeriesRef> {
        self.table.read().find_after(last, key)
    }
}

fn touch(table: &SeriesTable, series: SeriesRef, number: u32) -> Result<SeriesRef> {
    if table.touch(series, number) { Ok(series) } else { Err(Error::unavailable("cannot append: a series was idle and has been forgotten; send again")) }
}

/// Checks what [`MetricHead::append`] demands of a batch with so many series, so that it can be refused before it is logged.
///
/// # Errors
/// `Internal` when a column refers to a series that the batch does not have, or holds deltas.
pub(crate) fn check(batch: &MetricBatch, series: usize) -> Result<()> {
    let bad = |index: &u32| *index as usize >= series;
    let columns = &batch.samples;
    let lengths_agree = columns.series.len() == columns.value.len()
        && columns.ts_ms.len() == columns.value.len()
        && (columns.start_ms.is_empty() || columns.start_ms.len() == columns.value.len());
    if !lengths_agree {
        return Err(Error::internal("cannot append samples: columns differ in length"));
    }
    if !batch.deltas.is_empty() || batch.histograms.iter().any(|sample| sample.is_delta) {
        return Err(Error::internal("cannot append deltas: the store keeps cumulative samples only"));
    }
    let refers = columns.series.iter().any(bad)
        || batch.histograms.iter().any(|sample| bad(&sample.series))
        || batch.exemplars.iter().any(|exemplar| bad(&exemplar.series));
    if refers { Err(Error::internal("cannot append: a sample refers to a series that the batch does not have")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
