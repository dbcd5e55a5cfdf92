//! Which rows of a segment a scan reads, and in which parts.
//!
//! A part has pages of similar times, whatever the order of the rows: pages are sorted by their last instant and cut into
//! parts, small ones at both ends. So who wants the newest rows, or the oldest, reads the first parts and stops.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;
use signalbox_model::{Result, TimeRange, schema};
use signalbox_telemetry::{names, registry};

use super::predicates::predicates;
use super::view::head_part;
use crate::format::rows::{OpenRows, RowSegment, column_of};
use crate::scan::{Batches, Division, Place, ScanPart, ScanRequest, SpanBounds};

/// Rows of a part at least, unless a segment has fewer: enough that opening the columns again for each part costs little.
const PART_ROWS: u64 = if cfg!(test) { 1 << 10 } else { 64 << 10 };
/// The same of the newest part and of the oldest one: who wants few rows seldom needs more. Each part towards the middle has twice
/// as many, up to [`PART_ROWS`].
const END_PART_ROWS: u64 = if cfg!(test) { 1 << 7 } else { 8 << 10 };
/// The same where parts are of whole row groups.
const GROUP_PART_ROWS: u64 = if cfg!(test) { 1 << 10 } else { 32 << 10 };

/// Neighbouring rows of a row group and the bounds of their times.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    rows: Range<u64>,
    range: TimeRange,
}

/// The pages of a segment and the bounds of their times, by row group.
#[derive(Debug)]
pub(crate) struct PageTable(Vec<GroupPages>);

#[derive(Debug)]
struct GroupPages {
    range: TimeRange,
    /// The whole group if it has no list of pages.
    pages: Vec<Piece>,
    /// Services, durations, statuses and kinds: the columns with statistics that speak of the rows of these pages.
    bounded: [Option<usize>; 4],
}

/// The parts of a segment that has to be searched.
pub(super) fn parts(segment: &Arc<RowSegment>, request: &ScanRequest, found: &mut Vec<ScanPart>) -> Result<()> {
    let opened = segment.opened()?;
    let pieces = pieces(segment, &opened, request)?;
    match request.division {
        Division::BySegment => found.extend((!pieces.is_empty()).then(|| part_of(segment, &pieces, request, None))),
        Division::ByGroup => by_group(segment, &opened, &pieces, GROUP_PART_ROWS, request, found),
        Division::ByTime => by_time(segment, pieces, request, found),
    }
    Ok(())
}

fn by_time(segment: &Arc<RowSegment>, mut pieces: Vec<Piece>, request: &ScanRequest, found: &mut Vec<ScanPart>) {
    pieces.sort_by_key(|piece| (piece.range.end_ns, piece.rows.start));
    let (mut rest, mut least) = (pieces.as_slice(), END_PART_ROWS);
    while !rest.is_empty() {
        let (others, newest) = rest.split_at(rest.len() - so_many(rest.iter().rev(), least));
        let (oldest, between) = others.split_at(so_many(others.iter(), least));
        found.extend([oldest, newest].into_iter().filter(|pieces| !pieces.is_empty()).map(|pieces| part_of(segment, pieces, request, None)));
        (rest, least) = (between, (2 * least).min(PART_ROWS));
    }
}

/// How many of some pieces have so many rows; all if they have fewer.
fn so_many<'p>(pieces: impl ExactSizeIterator<Item = &'p Piece>, least: u64) -> usize {
    let (count, mut rows) = (pieces.len(), 0);
    let full = pieces.map(|piece| piece.rows.end - piece.rows.start).position(|more| {
        rows += more;
        rows >= least
    });
    full.map_or(count, |last| last + 1)
}

/// Pieces, ascending, as parts of whole row groups with so many rows at least.
fn by_group(segment: &Arc<RowSegment>, opened: &OpenRows, pieces: &[Piece], least: u64, request: &ScanRequest, found: &mut Vec<ScanPart>) {
    let group = |piece: &Piece| opened.starts.partition_point(|start| *start <= piece.rows.start);
    let all = rows_of(pieces);
    let mut rest = pieces;
    while !rest.is_empty() {
        let mut rows = 0;
        let full = rest.windows(2).position(|pair| {
            rows += pair[0].rows.end - pair[0].rows.start;
            rows >= least && group(&pair[0]) != group(&pair[1])
        });
        let (part, later) = rest.split_at(full.map_or(rest.len(), |last| last + 1));
        rest = later;
        found.push(part_of(segment, part, request, Some(all)));
    }
}

/// The whole segment as one part, opened when the part is read.
pub(super) fn late_part(segment: &Arc<RowSegment>, request: &ScanRequest) -> ScanPart {
    let (record, place) = (segment.record(), Place::Late(Arc::clone(segment), Arc::new(request.clone())));
    let (segment, request) = (Arc::clone(segment), request.clone());
    let part = ScanPart::new(record.range, record.rows, move || {
        let opened = segment.opened()?;
        let pieces = pieces(&segment, &opened, &request)?;
        let count = rows_of(&pieces);
        read(&segment, pieces.into_iter().map(|piece| piece.rows).collect(), count, &request)
    });
    part.at(place)
}

/// The rows at some places that a request for chosen rows asks for, as parts; each once, if it is at several of them.
///
/// # Errors
/// Of the disk.
pub(crate) fn again(places: Vec<Place>, request: &ScanRequest) -> Result<Vec<ScanPart>> {
    let is_wanted = |piece: &Piece| request.chosen.as_ref().is_none_or(|chosen| chosen.overlaps(&piece.range));
    let (mut parts, mut segments, mut chunks) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for place in places {
        let (segment, found) = match place {
            Place::Chunk(table, chunk) => {
                if chunks.insert(Arc::as_ptr(&chunk)) {
                    parts.extend(head_part(table, &chunk, request)?);
                }
                continue;
            }
            Place::Pieces(segment, pieces) => (segment, pieces.to_vec()),
            Place::Late(segment, request) => {
                let pieces = pieces(&segment, segment.opened()?.as_ref(), &request)?;
                (segment, pieces)
            }
        };
        let id = segment.record().id;
        let (_, pieces) = segments.entry((id.epoch, id.number)).or_insert_with(|| (segment, Vec::new()));
        pieces.extend(found.into_iter().filter(is_wanted));
    }
    for (segment, mut pieces) in segments.into_values() {
        pieces.sort_by_key(|piece| piece.rows.start);
        pieces.dedup_by(|later, earlier| {
            let is_both = later.rows.start < earlier.rows.end;
            if is_both {
                earlier.rows.end = earlier.rows.end.max(later.rows.end);
                earlier.range = TimeRange::from_ns(earlier.range.start_ns.min(later.range.start_ns), earlier.range.end_ns.max(later.range.end_ns));
            }
            is_both
        });
        // Few of the rows are wanted, so that what a part costs is the columns to open, in each row group.
        by_group(&segment, segment.opened()?.as_ref(), &pieces, 1, request, &mut parts);
    }
    Ok(parts)
}

/// The rows of the traces of a request in a segment, as a part for each row group that has some.
pub(super) fn traces_parts(segment: &Arc<RowSegment>, request: &ScanRequest, parts: &mut Vec<ScanPart>) -> Result<()> {
    let mut found = Vec::new();
    for trace in request.of_traces() {
        found.extend(segment.rows_of_trace(trace)?);
    }
    if found.is_empty() {
        return Ok(());
    }
    let range = segment.record().range;
    let pieces: Vec<Piece> = united(found).into_iter().map(|rows| Piece { rows, range }).collect();
    by_group(segment, segment.opened()?.as_ref(), &pieces, 1, request, parts);
    Ok(())
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

fn rows_of(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.rows.end - piece.rows.start).sum()
}

/// Pieces as a part of a reading of so many rows of the segment, of these alone if it does not say.
fn part_of(segment: &Arc<RowSegment>, pieces: &[Piece], request: &ScanRequest, all: Option<u64>) -> ScanPart {
    let mut rows: Vec<Range<u64>> = pieces.iter().map(|piece| piece.rows.clone()).collect();
    rows.sort_by_key(|range| range.start);
    let start_ns = pieces.iter().map(|piece| piece.range.start_ns).min().unwrap_or(i64::MAX);
    let end_ns = pieces.iter().map(|piece| piece.range.end_ns).max().unwrap_or(i64::MIN);
    let count = rows_of(pieces);
    let place = Place::Pieces(Arc::clone(segment), pieces.into());
    let (segment, request) = (Arc::clone(segment), request.clone());
    ScanPart::new(TimeRange::from_ns(start_ns, end_ns), count, move || read(&segment, rows, all.unwrap_or(count), &request)).at(place)
}

/// Reads rows that are a part of a reading of so many.
///
/// Row groups are read one after the other, so that no batch has rows of two: the reader of Parquet keeps a dictionary only within one, and
/// else copies and hashes the text of each row to make another.
fn read(segment: &Arc<RowSegment>, rows: Vec<Range<u64>>, all: u64, request: &ScanRequest) -> Result<Batches> {
    let opened = segment.opened()?;
    let mut groups = by_groups(&opened.starts, &rows).into_iter();
    let Some(first) = groups.next() else { return Ok(Box::new(std::iter::empty())) };
    let batches = segment.read_of(all, &first, request.wanted(), predicates(&opened, request))?;
    if groups.len() == 0 {
        return Ok(batches);
    }
    let (segment, request) = (Arc::clone(segment), request.clone());
    let rest = groups.flat_map(move |rows| {
        let batches = segment.read_of(all, &rows, request.wanted(), predicates(&opened, &request));
        batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    });
    Ok(Box::new(batches.chain(rest)))
}

/// Ranges of rows, ascending, by the row group that they are in. `starts` ends with the number of all rows.
fn by_groups(starts: &[u64], rows: &[Range<u64>]) -> Vec<Vec<Range<u64>>> {
    let inside = |group: &[u64]| {
        let first = rows.partition_point(|range| range.end <= group[0]);
        let inside = rows[first..].iter().take_while(|range| range.start < group[1]);
        inside.map(|range| range.start.max(group[0])..range.end.min(group[1])).filter(|range| !range.is_empty()).collect::<Vec<_>>()
    };
    starts.windows(2).map(inside).filter(|rows| !rows.is_empty()).collect()
}

/// The pages that may have rows of the request, in the order of the file. Indexes are asked only if others leave any.
fn pieces(segment: &Arc<RowSegment>, opened: &OpenRows, request: &ScanRequest) -> Result<Vec<Piece>> {
    let mut pieces = pages(opened, request);
    if pieces.is_empty() || (request.text.is_empty() && request.carried.is_empty()) {
        return Ok(pieces);
    }
    let before = rows_of(&pieces);
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
    let after = rows_of(&pieces);
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
    let mut found = Vec::new();
    for (group, own) in opened.page_table(PageTable::of).0.iter().enumerate().filter(|(_, own)| own.range.overlaps(&request.range)) {
        let index = |column: Option<usize>| metadata.column_index().and_then(|index| index.get(group)?.get(column?));
        let [services, durations, statuses, kinds] = own.bounded.map(index);
        let bounds = PageBounds { services, durations, statuses, kinds };
        let is_wanted = |(page, piece): &(usize, &Piece)| {
            let is_chosen = || request.chosen.as_ref().is_none_or(|chosen| chosen.overlaps(&piece.range));
            piece.range.overlaps(&request.range) && is_chosen() && bounds.may_have(*page, request)
        };
        found.extend(own.pages.iter().enumerate().filter(is_wanted).map(|(_, piece)| piece.clone()));
    }
    found
}

impl PageTable {
    fn of(opened: &OpenRows) -> Self {
        let parquet = opened.segment.metadata.metadata().file_metadata().schema_descr();
        let Some(time) = column_of(parquet, schema::TIMESTAMP) else { return Self(Vec::new()) };
        let bounded = [schema::SERVICE, schema::traces::DURATION_NS, schema::traces::STATUS_CODE, schema::traces::KIND].map(|name| column_of(parquet, name));
        Self(opened.starts.windows(2).enumerate().map(|(group, bounds)| GroupPages::of(opened, group, bounds[0]..bounds[1], time, bounded)).collect())
    }
}

impl GroupPages {
    fn of(opened: &OpenRows, group: usize, rows: Range<u64>, time: usize, bounded: [Option<usize>; 4]) -> Self {
        let metadata = opened.segment.metadata.metadata();
        let range = match metadata.row_group(group).column(time).statistics() {
            Some(Statistics::Int64(times)) => TimeRange::from_ns(times.min_opt().copied().unwrap_or(i64::MIN), times.max_opt().copied().unwrap_or(i64::MAX)),
            _ => TimeRange::ALL,
        };
        let pages_of = |column: usize| metadata.offset_index().and_then(|index| index.get(group)?.get(column)).map(|index| index.page_locations().as_slice());
        let index = |column: usize| metadata.column_index().and_then(|index| index.get(group)?.get(column));
        let (Some(locations), Some(ColumnIndexMetaData::INT64(times))) = (pages_of(time), index(time)) else {
            return Self { range, pages: vec![Piece { rows, range }], bounded: [None; 4] };
        };
        let starts = |pages: &[PageLocation]| pages.iter().map(|page| page.first_row_index).collect::<Vec<_>>();
        // A page of services speaks of the rows of a page of times only if both begin and end at the same rows.
        let is_aligned = |column: &usize| index(*column).is_some() && pages_of(*column).is_some_and(|own| starts(own) == starts(locations));
        let bounded = bounded.map(|column| column.filter(is_aligned));
        let page = |(page, location): (usize, &PageLocation)| {
            let first = rows.start + location.first_row_index.max(0) as u64;
            let end = locations.get(page + 1).map_or(rows.end, |next| rows.start + next.first_row_index.max(0) as u64);
            let own = match (times.min_value(page), times.max_value(page)) {
                (Some(min), Some(max)) => TimeRange::from_ns(*min, *max),
                _ => range,
            };
            Piece { rows: first..end, range: own }
        };
        Self { range, pages: locations.iter().enumerate().map(page).collect(), bounded }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_where_row_groups_end() {
        let cut = by_groups(&[0, 10, 20, 30], &[2..4, 8..14, 15..23, 25..26]);
        assert_eq!(cut, [vec![2..4, 8..10], vec![10..14, 15..20], vec![20..23, 25..26]]);
        assert_eq!(by_groups(&[0, 10, 20, 30], &[25..26, 26..30]), [vec![25..26, 26..30]]);
        assert!(by_groups(&[0, 10], &[]).is_empty());
    }
}
