//! What a snapshot shows of metrics: head and segments as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;
use signalbox_model::{Error, Exemplar, Labels, Matcher, Result, SeriesId, SeriesRef, Table, TimeRange};

use super::assemble::{Assembler, Floats};
use super::hints::{settle_hints, with_predecessors};
use super::matching::{judge, select};
use super::run::{sort_exemplars, sort_histograms};
use crate::format::metrics::{Cursor, MetricSegment};
use crate::scan::{ScanPart, ScanRequest};
use crate::snapshot::{HistogramPoint, SeriesHandle, SeriesSamples};
use crate::write::head::metrics::{HeadPart, HeadView};

/// What a reader wants to know of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    Exact,
    /// Only whether they are staleness markers.
    Presence,
}

/// Head and segments of the metrics of one tenant at one instant. Cheap to clone. Contracts as those of `Snapshot`.
#[derive(Debug, Clone)]
pub(crate) struct MetricView {
    pub(crate) head: HeadView,
    /// Segments of the tables of metrics, oldest first: what lies in a later one wins.
    pub(crate) segments: Arc<[Arc<MetricSegment>]>,
}

/// Tables whose series a selection finds: a series that has exemplars has samples too.
pub(super) const SELECTED: &[Table] = &[Table::Samples, Table::Histograms];

impl MetricView {
    pub(crate) fn select(&self, matchers: &[Matcher], range: TimeRange, series_max: usize) -> Result<Vec<SeriesHandle>> {
        let (mut found, mut known) = (Vec::new(), HashTable::new());
        // The labels of the head are there already, those of segments are put together.
        self.find_in_head(matchers, range, &mut |id, labels| add(&mut found, &mut known, id, || labels));
        check_count(found.len(), series_max)?;
        let mut room = Vec::new();
        for segment in self.segments(SELECTED, range) {
            let index = segment.index()?;
            let mask = segment.mask(&index)?;
            for ordinal in ordinals(segment, matchers)? {
                if let Some(id) = index.id(ordinal).filter(|_| segment.shows(&index, &mask, ordinal, range)) {
                    add(&mut found, &mut known, id, || index.labels(ordinal, &mut room));
                }
            }
            check_count(found.len(), series_max)?;
        }
        // Each source has its series nearly in order, so a sort that looks for runs does little.
        found.sort_by(|left: &SeriesHandle, right: &SeriesHandle| left.labels.cmp(&right.labels));
        Ok(found)
    }

    pub(crate) fn read(
        &self,
        series: &[SeriesHandle],
        range: TimeRange,
        wanted: Values,
        visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut samples = self.cursors(Table::Samples, range)?;
        if wanted == Values::Presence {
            samples.iter_mut().for_each(Cursor::skip_values);
        }
        let wider = with_predecessors(range);
        let mut histograms = self.cursors(Table::Histograms, wider)?;
        let refs: Vec<Option<SeriesRef>> = {
            let table = self.head.table.read();
            series.iter().map(|handle| table.find_id(handle.id)).collect()
        };
        let has_histograms = !histograms.is_empty() || self.head.parts.iter().any(|part| part.buffers.has_histograms());
        let mut assembler = Assembler::new(&self.head.parts, range);
        let (mut points, mut places) = (Vec::new(), Vec::new());
        for (position, (handle, series)) in series.iter().zip(refs).enumerate() {
            if has_histograms {
                points.clear();
                for cursor in &mut histograms {
                    if let Some(ordinal) = cursor.index.find(handle.id) {
                        points.extend(cursor.histograms(ordinal, wider)?);
                    }
                }
                self.read_head_histograms(series, wider, &mut points);
                sort_histograms(&mut points);
                settle_hints(&mut points, range);
            }
            places.clear();
            places.extend(samples.iter().map(|cursor| cursor.index.find(handle.id)));
            let Floats { ts_ms, values, start_ms, times_id } = assembler.read(&mut samples, &places, series)?;
            if !ts_ms.is_empty() || !points.is_empty() {
                visit(position, SeriesSamples { ts_ms, values, start_ms, histograms: &points, times_id })?;
            }
        }
        Ok(())
    }

    pub(crate) fn exemplars(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for segment in self.segments(&[Table::Exemplars], range) {
            let mut cursor = segment.cursor()?;
            for ordinal in ordinals(segment, matchers)? {
                let exemplars = cursor.exemplars(ordinal, range)?;
                if !exemplars.is_empty() {
                    found.entry(cursor.index.labels(ordinal, &mut Vec::new())).or_default().extend(exemplars);
                }
            }
        }
        for series in self.head_series(matchers) {
            for HeadPart { buffers, shown } in &self.head.parts {
                let exemplars = buffers.slot(series).map(|slot| buffers.read_exemplars(slot, shown, range)).unwrap_or_default();
                if let Some(labels) = self.head.table.read().labels(series).filter(|_| !exemplars.is_empty()) {
                    found.entry(labels).or_default().extend(exemplars);
                }
            }
        }
        found.values_mut().for_each(sort_exemplars);
        Ok(found.into_iter().collect())
    }

    /// `Samples`, `Histograms` and `Exemplars` only; other tables have no parts.
    pub(crate) fn scan(&self, table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let mut parts = Vec::new();
        for segment in self.segments(&[table], request.range) {
            parts.push(super::scan::segment_part(segment, request));
        }
        for part in &self.head.parts {
            parts.extend(super::scan::head_part(&self.head.table, part, table, request)?);
        }
        Ok(parts)
    }

    pub(super) fn segments<'a>(&'a self, tables: &'a [Table], range: TimeRange) -> impl Iterator<Item = &'a Arc<MetricSegment>> {
        self.segments.iter().filter(move |segment| tables.contains(&segment.record().table) && segment.record().range.overlaps(&range))
    }

    fn cursors(&self, table: Table, range: TimeRange) -> Result<Vec<Cursor<'_>>> {
        let segments = self.segments.iter().filter(|segment| segment.record().table == table && segment.record().range.overlaps(&range));
        segments.map(|segment| segment.cursor()).collect()
    }

    pub(super) fn head_series(&self, matchers: &[Matcher]) -> Vec<SeriesRef> {
        let table = self.head.table.read();
        select(matchers, &*table, &mut |matcher| judge(matcher, &*table).into()).iter().map(SeriesRef).collect()
    }

    fn find_in_head(&self, matchers: &[Matcher], range: TimeRange, found: &mut dyn FnMut(SeriesId, Labels)) {
        let mut waiting = self.head_series(matchers);
        for HeadPart { buffers, shown } in self.head.parts.iter().rev() {
            let mut candidates = std::mem::take(&mut waiting).into_iter();
            let mut hits = Vec::new();
            buffers.part(&mut candidates, shown, range, &mut hits, &mut waiting);
            let table = self.head.table.read();
            for series in hits {
                if let (Some(id), Some(labels)) = (table.id(series), table.labels(series)) {
                    found(id, labels);
                }
            }
        }
    }

    fn read_head_histograms(&self, series: Option<SeriesRef>, range: TimeRange, points: &mut Vec<HistogramPoint>) {
        let Some(series) = series else { return };
        for HeadPart { buffers, shown } in &self.head.parts {
            if let Some(slot) = buffers.slot(series) {
                points.extend(buffers.read_histograms(slot, shown, range));
            }
        }
    }
}

/// The series of a segment that match.
pub(super) fn ordinals(segment: &MetricSegment, matchers: &[Matcher]) -> Result<roaring::RoaringBitmap> {
    let index = segment.index()?;
    let mut failed = None;
    let found = select(matchers, index.as_ref(), &mut |matcher| {
        segment.verdict(matcher, &index).unwrap_or_else(|error| {
            failed = Some(error);
            Arc::new(judge(matcher, index.as_ref()))
        })
    });
    failed.map_or(Ok(found), Err)
}

/// Adds a series unless it was found before; identities are hashes already.
fn add(found: &mut Vec<SeriesHandle>, known: &mut HashTable<u32>, id: SeriesId, labels: impl FnOnce() -> Labels) {
    let hash = id.0 as u64;
    if known.find(hash, |at| found[*at as usize].id == id).is_none() {
        let at = found.len() as u32;
        found.push(SeriesHandle { id, labels: labels() });
        known.insert_unique(hash, at, |at| found[*at as usize].id.0 as u64);
    }
}

fn check_count(found: usize, series_max: usize) -> Result<()> {
    if found <= series_max {
        return Ok(());
    }
    Err(Error::limit(format!("cannot select {found} series or more: want at most {series_max}")))
}
