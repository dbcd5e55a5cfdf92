//! An open segment of metrics, and cursors that read its series.

use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signalbox_model::disk::Disk;
use signalbox_model::{Error, ErrorKind, Exemplar, Matcher, Result, Table, TimeRange};

use super::blocks::Blocks;
use super::index::{BLOB, Index, SeriesRows};
use super::mask::Mask;
use super::units::{LeaderTimes, Opened, POINT_ROWS, Room, VALUE_ROWS};
use crate::deletion::Deletion;
use crate::format::{OpenSegment, Segment};
use crate::read::metrics::cache::{Key, Kind, PageCache};
use crate::read::metrics::matching::{Verdict, judge, select};
use crate::snapshot::HistogramPoint;

/// A segment of metrics, shared by all readers. What is read of it lies in the cache of the store, so that many cost little.
#[derive(Debug)]
pub(crate) struct MetricSegment {
    file: Arc<File>,
    /// What is deleted of it, oldest first: nothing of that is read. A later deletion makes another handle of the same file.
    deletions: Arc<[Arc<Deletion>]>,
}

/// What all handles of a segment share.
#[derive(Debug)]
struct File {
    record: Segment,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    cache: Arc<PageCache>,
    damaged: AtomicBool,
}

impl MetricSegment {
    /// A segment of the catalog. Cheap: the file is opened when it is first read, and verified as it is read.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path, record: &Segment, cache: &Arc<PageCache>) -> Arc<Self> {
        let (disk, cache) = (Arc::clone(disk), Arc::clone(cache));
        let file = File { record: record.clone(), disk, dir: dir.to_owned(), cache, damaged: AtomicBool::new(false) };
        Arc::new(Self { file: Arc::new(file), deletions: Arc::default() })
    }

    /// The same segment with what is deleted of it.
    pub(crate) fn without(&self, deletions: Arc<[Arc<Deletion>]>) -> Arc<Self> {
        Arc::new(Self { file: Arc::clone(&self.file), deletions })
    }

    /// What is deleted of it as this handle sees it, oldest first.
    pub(crate) fn deletions(&self) -> &[Arc<Deletion>] {
        &self.deletions
    }

    /// Whether no other handle reads the file.
    pub(crate) fn is_last(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && Arc::strong_count(&self.file) == 1
    }

    /// The record of the catalog.
    pub(crate) fn record(&self) -> &Segment {
        &self.file.record
    }

    /// Whether a read has found the file damaged: whoever maintains the catalog quarantines it.
    pub(crate) fn is_damaged(&self) -> bool {
        self.file.damaged.load(Ordering::Relaxed)
    }

    /// Opens the file and reads all of it against its checksums.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is damaged; `Unavailable` if the disk fails.
    pub(crate) fn verify(&self) -> Result<()> {
        self.note(self.load_opened().and_then(|opened| opened.segment.verify()))
    }

    /// The open file.
    pub(crate) fn opened(&self) -> Result<Arc<Opened>> {
        let load = || {
            let opened = self.load_opened()?;
            let bytes = opened.bytes();
            Ok((opened, bytes))
        };
        self.note(self.file.cache.get(Key::Opened { segment: self.key() }, load))
    }

    /// The index of its series; rebuilt from the columns if it is damaged.
    pub(crate) fn index(&self) -> Result<Arc<Index>> {
        let load = || {
            let index = self.load_index()?;
            let bytes = index.bytes();
            Ok((index, bytes))
        };
        self.note(self.file.cache.get(Key::Index { segment: self.key() }, load))
    }

    /// What a matcher says about the series of the index.
    pub(crate) fn verdict(&self, matcher: &Matcher, index: &Index) -> Result<Arc<Verdict>> {
        let load = || {
            let verdict = judge(matcher, index);
            let (Verdict::Keep(series) | Verdict::Drop(series)) = &verdict;
            let bytes = series.serialized_size() + 256;
            Ok((verdict, bytes))
        };
        self.file.cache.get(Key::Verdict { segment: self.key(), matcher: matcher.clone() }, load)
    }

    /// What is hidden of it.
    pub(crate) fn mask(&self, index: &Index) -> Result<Arc<Mask>> {
        let Some(newest) = self.deletions.last() else { return Ok(Arc::default()) };
        // A segment keeps its deletions as long as it lives, so the newest one says which they are.
        let load = || {
            let mut mask = Mask::default();
            for deletion in self.deletions.iter() {
                let Some(matchers) = deletion.matchers() else { continue };
                mask.add(select(matchers, index, &mut |matcher| judge(matcher, index).into()), deletion.range);
            }
            let bytes = mask.bytes();
            Ok((mask, bytes))
        };
        self.file.cache.get(Key::Mask { segment: self.key(), deletion: newest.number }, load)
    }

    /// Whether a series may have rows in a range.
    pub(crate) fn shows(&self, index: &Index, mask: &Mask, ordinal: u32, range: TimeRange) -> bool {
        let Some(rows) = index.rows(ordinal).filter(|_| index.overlaps(ordinal, range)) else { return false };
        mask.is_empty() || !mask.hides_all(ordinal, rows.first_ms.max(range.start_ms()), rows.last_ms.min(range.end_ms()))
    }

    /// Whether it shows rows of series that match.
    pub(crate) fn has_series(&self, matchers: &[Matcher]) -> Result<bool> {
        let index = self.index()?;
        let mask = self.mask(&index)?;
        let found = select(matchers, index.as_ref(), &mut |matcher| judge(matcher, index.as_ref()).into());
        Ok(found.iter().any(|ordinal| self.shows(&index, &mask, ordinal, TimeRange::ALL)))
    }

    /// Whether rows may be hidden: those of series that have some in the range of a deletion.
    pub(crate) fn has_deleted_rows(&self) -> Result<bool> {
        if self.deletions.is_empty() {
            return Ok(false);
        }
        let index = self.index()?;
        let mask = self.mask(&index)?;
        Ok(self.deletions.iter().any(|deletion| mask.series().iter().any(|ordinal| index.overlaps(ordinal, deletion.range))))
    }

    /// Rows of the file that are hidden, ascending.
    pub(crate) fn hidden_rows(&self) -> Result<Vec<Range<u64>>> {
        let index = self.index()?;
        let mask = self.mask(&index)?;
        let (mut hidden, mut cursor) = (Vec::new(), self.cursor()?);
        for ordinal in mask.series() {
            let Some(rows) = index.rows(ordinal) else { continue };
            let first = u64::from(rows.first_row);
            if mask.hides_all(ordinal, rows.first_ms, rows.last_ms) {
                hidden.push(first..first + u64::from(rows.rows));
                continue;
            }
            let times = cursor.times_of(ordinal)?;
            hidden.extend(mask.hidden_rows(ordinal, times.into_iter()).into_iter().map(|rows| first + rows.start..first + rows.end));
        }
        Ok(hidden)
    }

    /// A cursor for queries: what it decodes is cached, and series with the same times share them.
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        Cursor::new(self, Reading::Shared)
    }

    /// A cursor that reads series one after the other and leaves the cache alone.
    pub(crate) fn sequential_cursor(&self) -> Result<Cursor<'_>> {
        Cursor::new(self, Reading::Sequential)
    }

    fn load_opened(&self) -> Result<Opened> {
        let opened = Opened::new(OpenSegment::open(self.file.disk.as_ref(), &self.file.dir, &self.file.record)?);
        if !opened.is_of_this_version(self.file.record.table) {
            return Err(Error::invalid(format!("cannot open segment {}: its columns are of another version of the format", self.file.record.url)));
        }
        if opened.rows() != self.file.record.rows {
            return Err(Error::corrupt(format!("cannot open segment {}: it has {} rows, want {}", self.file.record.url, opened.rows(), self.file.record.rows)));
        }
        Ok(opened)
    }

    fn load_index(&self) -> Result<Index> {
        let opened = self.opened()?;
        let stored = opened.segment.blob(BLOB).and_then(|blob| match blob {
            Some(blob) => Index::decode(&blob, self.file.record.rows),
            None => Err(Error::corrupt("cannot read the index of a segment: there is none")),
        });
        match stored {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, segment = %self.file.record.url, "cannot read the index of {}, rebuilding it from the columns", self.file.record.url);
                opened.rebuild_index()
            }
            stored => stored,
        }
    }

    fn key(&self) -> u64 {
        u64::from(self.file.record.id.epoch) << 32 | u64::from(self.file.record.id.number)
    }

    /// Marks the segment if the error says that it is damaged.
    pub(crate) fn noted(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Corrupt {
            self.file.damaged.store(true, Ordering::Relaxed);
        }
        error
    }

    fn note<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.noted(error))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Shared,
    Sequential,
}

/// Part of a column: of a cached unit, or put together of several.
#[derive(Debug)]
pub(crate) enum Piece<T> {
    Shared(Arc<Vec<T>>, Range<usize>),
    Own(Vec<T>),
}

impl<T> Deref for Piece<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Self::Shared(unit, range) => &unit[range.clone()],
            Self::Own(values) => values,
        }
    }
}

/// Times of a series, and which of them are in the range that was asked for.
#[derive(Debug)]
struct Timed {
    times: Piece<i64>,
    inside: Range<usize>,
}

/// Float samples of one series as a segment has them.
#[derive(Debug)]
pub(crate) struct SamplePiece {
    timed: Arc<Timed>,
    /// The series whose times these are, if they are those that lie in the segment.
    pub(crate) leader: Option<u32>,
    pub(crate) values: Piece<f64>,
    /// Empty if no start is known.
    pub(crate) start_ms: Piece<i64>,
}

impl SamplePiece {
    /// Samples that lie nowhere else.
    pub(crate) fn owned(ts_ms: Vec<i64>, values: Piece<f64>, start_ms: Piece<i64>) -> Self {
        let inside = 0..ts_ms.len();
        Self { timed: Arc::new(Timed { times: Piece::Own(ts_ms), inside }), leader: None, values, start_ms }
    }

    pub(crate) fn ts_ms(&self) -> &[i64] {
        &self.timed.times[self.timed.inside.clone()]
    }
}

/// The unit that a cursor read last, so that neighbours do not ask the cache.
type Last<T> = Option<((usize, usize), Arc<Vec<T>>)>;

/// Reads series of a segment. Made for one thread; neighbouring series are cheap one after the other.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    segment: &'a MetricSegment,
    opened: Arc<Opened>,
    blocks: Arc<Blocks>,
    pub(crate) index: Arc<Index>,
    mask: Arc<Mask>,
    reading: Reading,
    /// The times that were read last: by leader and range.
    timed: Option<((u32, TimeRange), Arc<Timed>)>,
    times: Last<i64>,
    /// The shared times of the row group that was read last.
    leader_times: Option<(usize, Arc<LeaderTimes>)>,
    values: Last<f64>,
    starts: Last<i64>,
    histograms: Last<HistogramPoint>,
    exemplars: Last<Exemplar>,
    room: Room,
    skips_values: bool,
}

impl<'a> Cursor<'a> {
    fn new(segment: &'a MetricSegment, reading: Reading) -> Result<Self> {
        let (opened, index) = (segment.opened()?, segment.index()?);
        let mask = segment.mask(&index)?;
        let blocks = opened.blocks();
        let (timed, times, leader_times, room) = (None, None, None, Room::default());
        let (values, starts, histograms, exemplars) = (None, None, None, None);
        Ok(Self { segment, opened, blocks, index, mask, reading, timed, times, leader_times, values, starts, histograms, exemplars, room, skips_values: false })
    }

    /// From now on shows some number for values among which no staleness marker can be.
    pub(crate) fn skip_values(&mut self) {
        self.skips_values = true;
    }

    /// The samples of a series in a range, `None` if there is none.
    pub(crate) fn samples(&mut self, ordinal: u32, range: TimeRange) -> Result<Option<SamplePiece>> {
        if !self.shows(ordinal, range) {
            return Ok(None);
        }
        let piece = self.read_samples(ordinal, range);
        Ok(self.segment.note(piece)?.and_then(|piece| self.mask.filter_samples(ordinal, piece)))
    }

    fn read_samples(&mut self, ordinal: u32, range: TimeRange) -> Result<Option<SamplePiece>> {
        let Some(rows) = self.index.rows(ordinal).copied().filter(|_| self.index.overlaps(ordinal, range)) else { return Ok(None) };
        let leader = match self.reading {
            Reading::Shared => rows.leader,
            Reading::Sequential => ordinal,
        };
        let timed = match &self.timed {
            Some((last, timed)) if *last == (leader, range) => Arc::clone(timed),
            _ => self.read_times(leader, rows, range)?,
        };
        let Range { start: from, end: to } = timed.inside;
        if from >= to {
            return Ok(None);
        }
        let first = u64::from(rows.first_row);
        let wanted = first + from as u64..first + to as u64;
        let values = if self.skips_values && self.opened.are_decimals(wanted.clone()) {
            Piece::Own(vec![0.0; to - from])
        } else {
            collect(&self.opened, wanted.clone(), VALUE_ROWS, &mut |group, at| {
                let decode = &mut |values: &mut Vec<f64>| self.opened.values(&self.blocks, group, at, &mut self.room, values);
                unit(self.segment, self.reading, Kind::Values, (group, at), &mut self.values, decode)
            })?
        };
        let start_ms = if rows.has_start {
            collect(&self.opened, wanted, VALUE_ROWS, &mut |group, at| {
                let decode = &mut |starts: &mut Vec<i64>| self.opened.start_times(&self.blocks, group, at, &mut self.room, starts);
                unit(self.segment, self.reading, Kind::Starts, (group, at), &mut self.starts, decode)
            })?
        } else {
            Piece::Own(Vec::new())
        };
        Ok(Some(SamplePiece { timed, leader: Some(leader), values, start_ms }))
    }

    fn read_times(&mut self, leader: u32, rows: SeriesRows, range: TimeRange) -> Result<Arc<Timed>> {
        let first = u64::from(self.index.rows(leader).copied().unwrap_or(rows).first_row);
        let times = self.times_of_rows(first..first + u64::from(rows.rows))?;
        let from = times.partition_point(|ts| *ts < range.start_ms());
        let to = times.partition_point(|ts| *ts <= range.end_ms());
        let timed = Arc::new(Timed { times, inside: from..to });
        self.timed = Some(((leader, range), Arc::clone(&timed)));
        Ok(timed)
    }

    /// The times of rows; with a shared reading, rows of a series that leads.
    fn times_of_rows(&mut self, rows: Range<u64>) -> Result<Piece<i64>> {
        if self.reading == Reading::Sequential {
            return collect(&self.opened, rows, usize::MAX, &mut |group, _| {
                let decode = &mut |times: &mut Vec<i64>| self.opened.times(&self.blocks, group, times);
                unit(self.segment, self.reading, Kind::Times, (group, 0), &mut self.times, decode)
            });
        }
        let corrupt = || Error::corrupt("cannot read a segment: its index points outside");
        let (mut row, mut own) = (rows.start, Vec::new());
        while row < rows.end {
            let (group, in_group, _) = self.opened.place(row).ok_or_else(corrupt)?;
            let shared = self.leader_times(group)?;
            let place = shared.place(in_group, (rows.end - row) as usize).ok_or_else(corrupt)?;
            row += place.len() as u64;
            if own.is_empty() && row == rows.end {
                return Ok(Piece::Shared(Arc::clone(&shared.times), place));
            }
            own.extend_from_slice(shared.times.get(place).ok_or_else(corrupt)?);
        }
        Ok(Piece::Own(own))
    }

    fn leader_times(&mut self, group: usize) -> Result<Arc<LeaderTimes>> {
        if let Some((_, times)) = self.leader_times.as_ref().filter(|(last, _)| *last == group) {
            return Ok(Arc::clone(times));
        }
        let key = Key::Unit { segment: self.segment.key(), kind: Kind::Times, group: group as u32, unit: 0 };
        let load = || self.opened.leader_times(&self.blocks, group, &self.index).map(|times| (times.bytes(), times)).map(|(bytes, times)| (times, bytes));
        let times = self.segment.file.cache.get(key, load)?;
        self.leader_times = Some((group, Arc::clone(&times)));
        Ok(times)
    }

    /// The histograms of a series in a range.
    pub(crate) fn histograms(&mut self, ordinal: u32, range: TimeRange) -> Result<Vec<HistogramPoint>> {
        let Some(rows) = self.rows(ordinal, range) else { return Ok(Vec::new()) };
        let points = self.read_histograms(rows);
        let points = self.segment.note(points)?;
        let is_wanted = |ts_ms: i64| range.start_ms() <= ts_ms && ts_ms <= range.end_ms() && !self.mask.hides(ordinal, ts_ms);
        Ok(points.iter().filter(|point| is_wanted(point.ts_ms)).cloned().collect())
    }

    /// The exemplars of a series in a range.
    pub(crate) fn exemplars(&mut self, ordinal: u32, range: TimeRange) -> Result<Vec<Exemplar>> {
        let Some(rows) = self.rows(ordinal, range) else { return Ok(Vec::new()) };
        let points = self.read_exemplars(rows);
        let points = self.segment.note(points)?;
        let is_wanted = |ts_ms: i64| range.start_ms() <= ts_ms && ts_ms <= range.end_ms() && !self.mask.hides(ordinal, ts_ms);
        Ok(points.iter().filter(|point| is_wanted(point.ts_ms)).cloned().collect())
    }

    /// The times of all rows of a series, hidden ones too.
    fn times_of(&mut self, ordinal: u32) -> Result<Vec<i64>> {
        let Some(own) = self.index.rows(ordinal).copied() else { return Ok(Vec::new()) };
        let rows = u64::from(own.first_row)..u64::from(own.first_row) + u64::from(own.rows);
        let times = match self.segment.record().table {
            Table::Histograms => self.read_histograms(rows).map(|points| points.iter().map(|point| point.ts_ms).collect()),
            Table::Exemplars => self.read_exemplars(rows).map(|points| points.iter().map(|point| point.ts_ms).collect()),
            _ => {
                let first = u64::from(self.index.rows(own.leader).unwrap_or(&own).first_row);
                self.times_of_rows(first..first + u64::from(own.rows)).map(|times| times.to_vec())
            }
        };
        self.segment.note(times)
    }

    fn read_histograms(&mut self, rows: Range<u64>) -> Result<Piece<HistogramPoint>> {
        collect(&self.opened, rows, POINT_ROWS, &mut |group, at| {
            unit(self.segment, self.reading, Kind::Histograms, (group, at), &mut self.histograms, &mut |points| self.opened.histograms(group, at, points))
        })
    }

    fn read_exemplars(&mut self, rows: Range<u64>) -> Result<Piece<Exemplar>> {
        collect(&self.opened, rows, POINT_ROWS, &mut |group, at| {
            unit(self.segment, self.reading, Kind::Exemplars, (group, at), &mut self.exemplars, &mut |points| self.opened.exemplars(group, at, points))
        })
    }

    fn shows(&self, ordinal: u32, range: TimeRange) -> bool {
        self.segment.shows(&self.index, &self.mask, ordinal, range)
    }

    fn rows(&self, ordinal: u32, range: TimeRange) -> Option<Range<u64>> {
        let rows = self.index.rows(ordinal).filter(|_| self.shows(ordinal, range))?;
        Some(u64::from(rows.first_row)..u64::from(rows.first_row) + u64::from(rows.rows))
    }
}

/// A unit of rows: the one that was read last, a cached one, or a decoded one.
fn unit<T: Send + Sync + 'static>(
    segment: &MetricSegment,
    reading: Reading,
    kind: Kind,
    place: (usize, usize),
    last: &mut Last<T>,
    decode: &mut dyn FnMut(&mut Vec<T>) -> Result<()>,
) -> Result<Arc<Vec<T>>> {
    if let Some((_, unit)) = last.as_ref().filter(|(last, _)| *last == place) {
        return Ok(Arc::clone(unit));
    }
    let cache = &segment.file.cache;
    let key = Key::Unit { segment: segment.key(), kind, group: place.0 as u32, unit: place.1 as u32 };
    let cached = if reading == Reading::Shared { cache.find(&key) } else { None };
    let decoded = match cached {
        Some(cached) => cached,
        None => {
            // What is not kept goes where the last unit was, if nobody holds that.
            let is_kept = reading == Reading::Shared && cache.is_wanted(&key);
            let spare = last.take().filter(|_| !is_kept).and_then(|(_, unit)| Arc::try_unwrap(unit).ok());
            let mut rows = spare.unwrap_or_default();
            rows.clear();
            decode(&mut rows)?;
            let rows = Arc::new(rows);
            if is_kept {
                // A histogram holds its buckets elsewhere.
                let row_bytes = if matches!(kind, Kind::Histograms | Kind::Exemplars) { 600 } else { size_of::<T>() };
                cache.insert(key, &rows, rows.len() * row_bytes + 64);
            }
            rows
        }
    };
    *last = Some((place, Arc::clone(&decoded)));
    Ok(decoded)
}

/// Rows of a file out of units of at most `unit_rows` rows, which do not cross row groups.
fn collect<T: Clone>(opened: &Opened, rows: Range<u64>, unit_rows: usize, fetch: &mut dyn FnMut(usize, usize) -> Result<Arc<Vec<T>>>) -> Result<Piece<T>> {
    let corrupt = || Error::corrupt("cannot read a segment: its index points outside");
    let (mut row, mut own) = (rows.start, Vec::new());
    while row < rows.end {
        let (group, in_group, _) = opened.place(row).ok_or_else(corrupt)?;
        let unit = fetch(group, in_group / unit_rows)?;
        let from = in_group % unit_rows;
        let to = unit.len().min(from.saturating_add((rows.end - row) as usize));
        if from >= to {
            return Err(corrupt());
        }
        row += (to - from) as u64;
        if own.is_empty() && row == rows.end {
            return Ok(Piece::Shared(unit, from..to));
        }
        own.extend_from_slice(&unit[from..to]);
    }
    Ok(Piece::Own(own))
}
