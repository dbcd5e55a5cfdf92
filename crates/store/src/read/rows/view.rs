//! What a snapshot shows of logs or spans: head and segments as parts of a scan.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};
use arrow::record_batch::RecordBatch;
use signalbox_model::{Error, Result, Table, TimeRange, schema};

use super::{plan, predicates};
use crate::format::rows::{InMap, Layout, Reading, RowSegment, add_used};
use crate::scan::{Batches, Place, ScanPart, ScanRequest};
use crate::write::head::rows::RowHeadView;
use crate::write::head::rows::chunk::Chunk;

/// Of a scan over more segments only so many of the newest, and as many of the oldest, are opened to divide them into parts:
/// the others may never be read.
const DIVIDED_SEGMENTS: usize = 32;

/// Head and segments of one table of one tenant at one instant. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RowView {
    pub(crate) head: RowHeadView,
    /// Segments in any order; those of other tables are passed over.
    pub(crate) segments: Arc<[Arc<RowSegment>]>,
}

impl RowView {
    /// The rows of the table as parts. Contract as that of `Snapshot::scan`.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn scan(&self, table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let mut parts = Vec::new();
        if self.head.table == table {
            for chunk in self.head.chunks.iter() {
                parts.extend(head_part(table, chunk, request)?);
            }
        }
        let is_wanted = |segment: &&Arc<RowSegment>| segment.record().table == table && segment.record().range.overlaps(&request.range);
        let mut segments: Vec<&Arc<RowSegment>> = self.segments.iter().filter(is_wanted).collect();
        if !request.of_traces().is_empty() {
            for segment in segments {
                plan::traces_parts(segment, request, &mut parts)?;
            }
            return Ok(parts);
        }
        segments.sort_by_key(|segment| segment.record().range.end_ns);
        let (oldest, newest) = (DIVIDED_SEGMENTS, segments.len().saturating_sub(DIVIDED_SEGMENTS));
        for (at, segment) in segments.into_iter().enumerate() {
            if at < oldest || at >= newest {
                plan::parts(segment, request, &mut parts)?;
            } else {
                parts.push(plan::late_part(segment, request));
            }
        }
        Ok(parts)
    }
}

impl RowView {
    /// As [`RowView::scan`], without the chunks and segments whose rows have arrived before the one with number `first`.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn scan_arrived(&self, table: Table, first: u64, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let chunks = self.head.chunks.iter().filter(|chunk| chunk.last_number().is_none_or(|last| last >= first)).cloned().collect();
        let mut segments = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.record().table == table) {
            if segment.last_number()?.is_none_or(|last| last >= first) {
                segments.push(Arc::clone(segment));
            }
        }
        Self { head: RowHeadView { table: self.head.table, chunks }, segments: segments.into() }.scan(table, request)
    }
}

impl RowView {
    /// Keys of attributes of rows in the parts that overlap a range; `None` where a segment does not know its keys.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn attribute_keys(&self, table: Table, range: &TimeRange) -> Result<Option<BTreeSet<String>>> {
        let mut keys = BTreeSet::new();
        if self.head.table == table {
            for chunk in self.head.chunks.iter().filter(|chunk| chunk.range.overlaps(range)) {
                let map = chunk.rows.column_by_name(schema::ATTRIBUTES).and_then(|column| column.as_map_opt());
                let own = map.and_then(|map| map.keys().as_string_opt::<i32>()).ok_or_else(|| Error::internal("cannot list attributes of the head"))?;
                let distinct: HashSet<&str> = own.iter().flatten().collect();
                keys.extend(distinct.into_iter().map(str::to_owned));
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.record().table == table && segment.record().range.overlaps(range)) {
            let opened = segment.opened()?;
            let Some(in_map) = opened.in_map.keys() else { return Ok(None) };
            keys.extend(in_map.chain(opened.layout.promoted().iter().map(|own| own.key.as_str())).map(str::to_owned));
        }
        Ok(Some(keys))
    }

    /// Services of the rows of a table. Contract as that of `Snapshot::services`.
    ///
    /// # Errors
    /// Of the disk; of `check`.
    pub(crate) fn services(&self, table: Table, check: &mut dyn FnMut() -> Result<()>) -> Result<BTreeSet<String>> {
        let mut services = BTreeSet::new();
        if self.head.table == table {
            for chunk in self.head.chunks.iter() {
                add_used(&chunk.rows, schema::SERVICE, &mut services)?;
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.record().table == table) {
            check()?;
            services.extend(segment.services()?);
        }
        Ok(services)
    }
}

/// The rows of a chunk of the head as a part, `None` if it has none.
pub(super) fn head_part(table: Table, chunk: &Arc<Chunk>, request: &ScanRequest) -> Result<Option<ScanPart>> {
    let failed = |error| Error::internal("cannot choose rows of the head").with_source(error);
    if !chunk.range.overlaps(&request.range) || !chunk.may_have_service(&request.services) {
        return Ok(None);
    }
    if request.chosen.as_ref().is_some_and(|chosen| !chosen.overlaps(&chunk.range)) {
        return Ok(None);
    }
    if !request.carried.iter().all(|carried| chunk.may_carry(carried)) {
        return Ok(None);
    }
    // Projected before rows are chosen, shaped when the part is read.
    let layout = Layout::of_head(table);
    let mut reading = Reading::new(&layout, &InMap::Unknown, request.wanted())?;
    let project = |rows: &RecordBatch| rows.project(&reading.roots).map_err(failed);
    let rows = match (&request.chosen, request.of_traces()) {
        (Some(chosen), _) => {
            let wanted = predicates::is_chosen(&chunk.rows, chosen).ok_or_else(|| Error::internal("cannot choose rows of the head: no times"))?;
            arrow::compute::filter_record_batch(&project(&chunk.rows)?, &wanted).map_err(failed)?
        }
        (None, traces @ [_, ..]) => {
            let mut rows: Vec<u32> = traces.iter().flat_map(|trace| chunk.rows_of_trace(trace)).collect();
            rows.sort_unstable();
            if rows.is_empty() {
                return Ok(None);
            }
            arrow::compute::take_record_batch(&project(&chunk.rows)?, &UInt32Array::from(rows)).map_err(failed)?
        }
        (None, []) => project(&chunk.rows)?,
    };
    let part = ScanPart::new(chunk.range, rows.num_rows() as u64, move || {
        let rows = reading.make(&rows);
        Ok(Box::new(std::iter::once(rows)) as Batches)
    });
    Ok(Some(part.at(Place::Chunk(table, Arc::clone(chunk)))))
}
