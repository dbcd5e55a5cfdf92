//! Which rows of a segment a scan reads, and in which parts.
//!
//! A part has pages of similar times, whatever the order of the rows: pages are sorted by their last instant and cut into
//! parts. So who wants the newest rows reads the first parts and stops.

use std::ops::Range;
use std::sync::Arc;

use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;
use signalbox_model::{Result, TimeRange, schema};
use signalbox_telemetry::{names, registry};

use super::predicates::predicates;
use crate::format::rows::{OpenRows, RowSegment, column_of};
use crate::scan::{Batches, Division, ScanPart, ScanRequest, SpanBounds};

/// Rows of a part at least, unless a segment has fewer: enough that opening the columns again for each part costs little.
const PART_ROWS: u64 = if cfg!(test) { 1 << 10 } else { 64 << 10 };

/// Neighbouring rows of a row group and the bounds of their times.
struct Piece {
    rows: Range<u64>,
    range: TimeRange,
}

/// The parts of a segment that has to be searched.
pub(super) fn parts(segment: &Arc<RowSegment>, request: &ScanRequest, found: &mut Vec<ScanPart>) -> Result<()> {
    let opened = segment.opened()?;
    let mut pieces = pieces(segment, &opened, request)?;
    if request.division == Division::BySegment {
        found.extend((!pieces.is_empty()).then(|| part_of(segment, &pieces, request)));
        return Ok(());
    }
    pieces.sort_by_key(|piece| (piece.range.end_ns, piece.rows.start));
    let mut rest = pieces.as_slice();
    while !rest.is_empty() {
        let mut rows = 0;
        let full = rest.iter().position(|piece| {
            rows += piece.rows.end - piece.rows.start;
            rows >= PART_ROWS
        });
        let (part, later) = rest.split_at(full.map_or(rest.len(), |last| last + 1));
        rest = later;
        found.push(part_of(segment, part, request));
    }
    Ok(())
}

/// The whole segment as one part, opened when the part is read.
pub(super) fn late_part(segment: &Arc<RowSegment>, request: &ScanRequest) -> ScanPart {
    let (record, segment, request) = (segment.record(), Arc::clone(segment), request.clone());
    ScanPart::new(record.range, record.rows, move || {
        let opened = segment.opened()?;
        let rows = pieces(&segment, &opened, &request)?.into_iter().map(|piece| piece.rows).collect();
        read(&segment, rows, &request)
    })
}

/// The rows of the traces of a request in a segment as a part, `None` if there are none.
pub(super) fn traces_part(segment: &Arc<RowSegment>, request: &ScanRequest) -> Result<Option<ScanPart>> {
    let mut found = Vec::new();
    for trace in request.of_traces() {
        found.extend(segment.rows_of_trace(trace)?);
    }
    if found.is_empty() {
        return Ok(None);
    }
    let rows = united(found);
    let count = rows.iter().map(|range| range.end - range.start).sum();
    let (range, segment, request) = (segment.record().range, Arc::clone(segment), request.clone());
    Ok(Some(ScanPart::new(range, count, move || read(&segment, rows, &request))))
}

/// Ranges in any order as ranges that ascend and do not touch.
fn united(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut united: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match united.last_mut().filter(|last| last.end >= range.start) {
            Some(last) => last.end = last.end.max(range.end),
            None => united.push(range),
        }
    }
    united
}

fn part_of(segment: &Arc<RowSegment>, pieces: &[Piece], request: &ScanRequest) -> ScanPart {
    let mut rows: Vec<Range<u64>> = pieces.iter().map(|piece| piece.rows.clone()).collect();
    rows.sort_by_key(|range| range.start);
    let start_ns = pieces.iter().map(|piece| piece.range.start_ns).min().unwrap_or(i64::MAX);
    let end_ns = pieces.iter().map(|piece| piece.range.end_ns).max().unwrap_or(i64::MIN);
    let count = rows.iter().map(|range| range.end - range.start).sum();
    let (segment, request) = (Arc::clone(segment), request.clone());
    ScanPart::new(TimeRange::from_ns(start_ns, end_ns), count, move || read(&segment, rows, &request))
}

fn read(segment: &Arc<RowSegment>, rows: Vec<Range<u64>>, request: &ScanRequest) -> Result<Batches> {
    let predicates = predicates(segment.opened()?.as_ref(), request);
    segment.read(&rows, request.wanted(), predicates)
}

/// The pages that may have rows of the request, in the order of the file. Indexes are asked only if others leave any.
fn pieces(segment: &Arc<RowSegment>, opened: &OpenRows, request: &ScanRequest) -> Result<Vec<Piece>> {
    let mut pieces = pages(opened, request);
    if pieces.is_empty() || (request.text.is_empty() && request.carried.is_empty()) {
        return Ok(pieces);
    }
    let count = |pieces: &[Piece]| pieces.iter().map(|piece| piece.rows.end - piece.rows.start).sum::<u64>();
    let before = count(&pieces);
    let keep = |pieces: &mut Vec<Piece>, wanted: Option<Vec<Range<u64>>>| {
        if let Some(wanted) = wanted {
            *pieces = std::mem::take(pieces).into_iter().flat_map(|piece| common(piece, &wanted)).collect();
        }
    };
    for carried in &request.carried {
        if !pieces.is_empty() {
            keep(&mut pieces, segment.rows_that_carry(carried)?.map(united));
        }
    }
    if !pieces.is_empty() && !request.text.is_empty() {
        keep(&mut pieces, segment.rows_of_text(&request.text)?);
    }
    let after = count(&pieces);
    registry().counter(names::STORE_TEXT_ROWS_TOTAL, &[("outcome", "read")]).add(after);
    registry().counter(names::STORE_TEXT_ROWS_TOTAL, &[("outcome", "skipped")]).add(before - after);
    Ok(pieces)
}

/// What of a piece lies in ranges of rows, which are ascending.
fn common(piece: Piece, wanted: &[Range<u64>]) -> impl Iterator<Item = Piece> {
    let first = wanted.partition_point(|range| range.end <= piece.rows.start);
    let inside = wanted[first..].iter().take_while(move |range| range.start < piece.rows.end);
    inside.map(move |range| Piece { rows: range.start.max(piece.rows.start)..range.end.min(piece.rows.end), range: piece.range })
}

/// The pages that may have rows of the time, the services and the bounds of the request.
fn pages(opened: &OpenRows, request: &ScanRequest) -> Vec<Piece> {
    let metadata = opened.segment.metadata.metadata();
    let parquet = metadata.file_metadata().schema_descr();
    let Some(time) = column_of(parquet, schema::TIMESTAMP) else { return Vec::new() };
    let mut found = Vec::new();
    for (group, bounds) in opened.starts.windows(2).enumerate() {
        let statistics = metadata.row_group(group).column(time).statistics();
        let range = match statistics {
            Some(Statistics::Int64(times)) => TimeRange::from_ns(times.min_opt().copied().unwrap_or(i64::MIN), times.max_opt().copied().unwrap_or(i64::MAX)),
            _ => TimeRange::ALL,
        };
        if !range.overlaps(&request.range) {
            continue;
        }
        let pages_of = |column: usize| metadata.offset_index().and_then(|index| index.get(group)?.get(column)).map(|index| index.page_locations().as_slice());
        let index = |column: usize| metadata.column_index().and_then(|index| index.get(group)?.get(column));
        let (Some(pages), Some(ColumnIndexMetaData::INT64(times))) = (pages_of(time), index(time)) else {
            found.push(Piece { rows: bounds[0]..bounds[1], range });
            continue;
        };
        let starts = |pages: &[PageLocation]| pages.iter().map(|page| page.first_row_index).collect::<Vec<_>>();
        // A page of services speaks of the rows of a page of times only if both begin and end at the same rows.
        let aligned = |name: &str| {
            let column = column_of(parquet, name)?;
            index(column).filter(|_| pages_of(column).is_some_and(|own| starts(own) == starts(pages)))
        };
        let [services, durations] = [schema::SERVICE, schema::traces::DURATION_NS].map(aligned);
        let [statuses, kinds] = [schema::traces::STATUS_CODE, schema::traces::KIND].map(aligned);
        let bounds_of = PageBounds { services, durations, statuses, kinds };
        for (page, location) in pages.iter().enumerate() {
            let first = bounds[0] + location.first_row_index.max(0) as u64;
            let end = pages.get(page + 1).map_or(bounds[1], |next| bounds[0] + next.first_row_index.max(0) as u64);
            let own = match (times.min_value(page), times.max_value(page)) {
                (Some(min), Some(max)) => TimeRange::from_ns(*min, *max),
                _ => range,
            };
            if own.overlaps(&request.range) && request.chosen.as_ref().is_none_or(|chosen| chosen.overlaps(&own)) && bounds_of.may_have(page, request) {
                found.push(Piece { rows: first..end, range: own });
            }
        }
    }
    found
}

/// Statistics of the pages of a row group that speak of the same rows as those of the times.
struct PageBounds<'a> {
    services: Option<&'a ColumnIndexMetaData>,
    durations: Option<&'a ColumnIndexMetaData>,
    statuses: Option<&'a ColumnIndexMetaData>,
    kinds: Option<&'a ColumnIndexMetaData>,
}

impl PageBounds<'_> {
    /// Whether a page may have rows of the services and spans of a request.
    fn may_have(&self, page: usize, request: &ScanRequest) -> bool {
        let spans = &request.spans;
        may_have_text(self.services, page, &request.services)
            && may_have_duration(self.durations, page, spans)
            && may_have_number(self.statuses, page, &spans.status_codes)
            && may_have_number(self.kinds, page, &spans.kinds)
    }
}

/// Whether a page may have one of the texts.
fn may_have_text(index: Option<&ColumnIndexMetaData>, page: usize, texts: &[String]) -> bool {
    let Some(ColumnIndexMetaData::BYTE_ARRAY(index)) = index else { return true };
    let is_after_min = |text: &String| index.min_value(page).is_none_or(|min| min <= text.as_bytes());
    let is_before_max = |text: &String| index.max_value(page).is_none_or(|max| text.as_bytes() <= max);
    texts.is_empty() || texts.iter().any(|text| is_after_min(text) && is_before_max(text))
}

/// Whether a page may have one of the numbers.
fn may_have_number(index: Option<&ColumnIndexMetaData>, page: usize, numbers: &[i32]) -> bool {
    let Some(ColumnIndexMetaData::INT32(index)) = index else { return true };
    let is_within = |number: &i32| index.min_value(page).is_none_or(|min| min <= number) && index.max_value(page).is_none_or(|max| number <= max);
    numbers.is_empty() || numbers.iter().any(is_within)
}

fn may_have_duration(index: Option<&ColumnIndexMetaData>, page: usize, spans: &SpanBounds) -> bool {
    let Some(ColumnIndexMetaData::INT64(index)) = index else { return true };
    let (shortest, longest) = (spans.duration_ns.start(), spans.duration_ns.end());
    index.min_value(page).is_none_or(|min| min <= longest) && index.max_value(page).is_none_or(|max| shortest <= max)
}
