//! Samples of all series between two seals.
//!
//! Series that are scraped together share their timestamps: a series refers to a run of the times of its *group* and keeps
//! only its values, so an open sample takes 8 bytes. A series whose times part from those of its group moves to a group that
//! has the same times, or gets one of its own. Samples out of order lie in a small buffer beside, merged when read.
//!
//! What a view may show never changes: rows are added, and say how many rows of the series came before them ([`super::shown`]).

use parking_lot::RwLock;
use signalbox_model::{Exemplar, MetricBatch, SeriesRef, TimeRange};

use super::shown::{RowCounts, Shown};
use crate::read::metrics::run::{Run, sort_exemplars, sort_histograms};
use crate::snapshot::HistogramPoint;

#[derive(Debug, Default)]
pub(crate) struct Buffers {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Slot plus one by reference of the series, 0 where there is none.
    slots: Vec<u32>,
    series: Vec<Buffer>,
    groups: Vec<Group>,
    counts: RowCounts,
    samples: usize,
    histograms: usize,
    exemplars: usize,
}

#[derive(Debug)]
struct Group {
    times: Vec<i64>,
}

#[derive(Debug)]
struct Buffer {
    series: SeriesRef,
    group: u32,
    /// Where the times of this series begin in those of the group.
    first: u32,
    values: Vec<f64>,
    /// Start of the first sample; `Extra::starts` has what follows.
    start_ms: i64,
    extra: Option<Box<Extra>>,
}

/// What most series do not have.
#[derive(Debug, Default)]
struct Extra {
    /// From which sample on which start holds.
    starts: Vec<(u32, i64)>,
    /// Samples not newer than the newest in order, as they came; each replaces what has its time.
    late: Vec<Numbered<Late>>,
    histograms: Vec<Numbered<HistogramPoint>>,
    exemplars: Vec<Numbered<Exemplar>>,
}

/// A row that is not among the floats in order, and the number of rows of its series, of any kind, that came before.
#[derive(Debug, Clone)]
struct Numbered<T> {
    before: u32,
    row: T,
}

#[derive(Debug, Clone, Copy)]
struct Late {
    ts_ms: i64,
    value: f64,
    start_ms: i64,
}

/// Where the times of float samples in order are: those of a group never change.
#[derive(Debug)]
pub(crate) struct InOrder {
    pub(crate) group: u32,
    pub(crate) times: std::ops::Range<u32>,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
}

impl Buffers {
    /// Adds a batch; views see all of it or nothing.
    pub(crate) fn append(&self, batch: &MetricBatch, refs: &[SeriesRef]) {
        let mut state = self.state.write();
        let columns = &batch.samples;
        let (mut neighbour, mut grown) = (None, Vec::with_capacity(columns.len()));
        for at in 0..columns.len() {
            let start_ms = columns.start_ms.get(at).copied().unwrap_or(0);
            let sample = Late { ts_ms: columns.ts_ms[at], value: columns.value[at], start_ms };
            grown.extend(state.push(refs[columns.series[at] as usize], sample, &mut neighbour));
        }
        for sample in &batch.histograms {
            let point = HistogramPoint { ts_ms: sample.ts_ms, start_ms: sample.start_ms, histogram: sample.histogram.clone().into() };
            grown.push(state.push_extra(refs[sample.series as usize], point, |extra| &mut extra.histograms));
        }
        for exemplar in &batch.exemplars {
            grown.push(state.push_extra(refs[exemplar.series as usize], exemplar.clone(), |extra| &mut extra.exemplars));
        }
        state.counts.add(&grown);
        state.histograms += batch.histograms.len();
        state.exemplars += batch.exemplars.len();
    }

    /// What a view shows that is taken now.
    pub(crate) fn shown(&self) -> Shown {
        self.state.read().counts.shown()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.read();
        state.samples + state.histograms + state.exemplars == 0
    }

    /// Float samples, histogram samples and exemplars, duplicates included.
    pub(crate) fn rows(&self) -> (usize, usize, usize) {
        let state = self.state.read();
        (state.samples, state.histograms, state.exemplars)
    }

    /// Runs of times that series share.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> usize {
        let state = self.state.read();
        let used: std::collections::BTreeSet<u32> = state.series.iter().map(|buffer| buffer.group).collect();
        used.len()
    }

    /// The series by slot.
    pub(crate) fn series(&self) -> Vec<SeriesRef> {
        self.state.read().series.iter().map(|buffer| buffer.series).collect()
    }

    /// Where a series lies.
    pub(crate) fn slot(&self, series: SeriesRef) -> Option<usize> {
        self.state.read().slot(series)
    }

    /// Whether a series has a sample in the range.
    pub(crate) fn has_sample(&self, series: SeriesRef, shown: &Shown, range: TimeRange) -> bool {
        let state = self.state.read();
        state.slot(series).is_some_and(|slot| state.has_sample_in(slot, shown, range))
    }

    /// Parts series into those that have a sample in the range and the others.
    pub(crate) fn part(
        &self,
        series: &mut dyn Iterator<Item = SeriesRef>,
        shown: &Shown,
        range: TimeRange,
        hits: &mut Vec<SeriesRef>,
        others: &mut Vec<SeriesRef>,
    ) {
        let state = self.state.read();
        for series in series {
            let has_sample = state.slot(series).is_some_and(|slot| state.has_sample_in(slot, shown, range));
            if has_sample { hits.push(series) } else { others.push(series) }
        }
    }

    /// Time of the first sample of a series in a range, and how many it has there; floats that came twice count twice.
    pub(crate) fn span(&self, series: SeriesRef, shown: &Shown, range: TimeRange) -> Option<(i64, u64)> {
        let state = self.state.read();
        let slot = state.slot(series)?;
        let (buffer, rows) = (state.series.get(slot)?, shown.rows(slot));
        let extra = buffer.extra.as_deref();
        let late = before(extra.map_or(&[][..], |extra| &extra.late), rows).iter().map(|late| late.row.ts_ms);
        let histograms = before(extra.map_or(&[][..], |extra| &extra.histograms), rows).iter().map(|point| point.row.ts_ms);
        let times = state.times(buffer, rows).iter().copied().chain(late).chain(histograms).filter(|ts_ms| in_range(*ts_ms, range));
        let (first_ms, count) = times.fold((i64::MAX, 0), |(first_ms, count), ts_ms| (first_ms.min(ts_ms), count + 1));
        (count > 0).then_some((first_ms, count))
    }

    /// The float samples of a slot in a range, in order of time; `run` is cleared first.
    pub(crate) fn read_samples(&self, slot: usize, shown: &Shown, range: TimeRange, run: &mut Run) {
        self.state.read().read_samples(slot, shown, range, run);
    }

    /// Appends the values of a series in a range, if nothing but floats in order is to be known of it: else `None`. Of them,
    /// where their times are; nothing if there is no sample.
    pub(crate) fn read_in_order(&self, series: SeriesRef, shown: &Shown, range: TimeRange, values: &mut Vec<f64>) -> Option<Option<InOrder>> {
        let state = self.state.read();
        let Some(slot) = state.slot(series) else { return Some(None) };
        let buffer = &state.series[slot];
        if buffer.start_ms != 0 || buffer.extra.as_ref().is_some_and(|extra| !extra.late.is_empty() || !extra.starts.is_empty()) {
            return None;
        }
        let times = state.times(buffer, shown.rows(slot));
        let from = times.partition_point(|time| *time < range.start_ms());
        let to = times.partition_point(|time| *time <= range.end_ms());
        if from >= to {
            return Some(None);
        }
        values.extend_from_slice(&buffer.values[from..to]);
        let times_at = buffer.first + from as u32..buffer.first + to as u32;
        Some(Some(InOrder { group: buffer.group, times: times_at, first_ms: times[from], last_ms: times[to - 1] }))
    }

    /// Appends times of a group.
    pub(crate) fn copy_times(&self, group: u32, range: std::ops::Range<u32>, times: &mut Vec<i64>) {
        let state = self.state.read();
        let group = state.groups.get(group as usize).and_then(|group| group.times.get(range.start as usize..range.end as usize));
        times.extend_from_slice(group.unwrap_or(&[]));
    }

    /// Whether there are histograms.
    pub(crate) fn has_histograms(&self) -> bool {
        self.state.read().histograms > 0
    }

    /// The histograms of a slot in a range, in order of time.
    pub(crate) fn read_histograms(&self, slot: usize, shown: &Shown, range: TimeRange) -> Vec<HistogramPoint> {
        let state = self.state.read();
        let Some(extra) = state.series.get(slot).and_then(|buffer| buffer.extra.as_ref()) else { return Vec::new() };
        let points = before(&extra.histograms, shown.rows(slot)).iter().map(|point| &point.row);
        let mut points: Vec<HistogramPoint> = points.filter(|point| in_range(point.ts_ms, range)).cloned().collect();
        drop(state);
        sort_histograms(&mut points);
        points
    }

    /// The exemplars of a slot in a range, in order of time.
    pub(crate) fn read_exemplars(&self, slot: usize, shown: &Shown, range: TimeRange) -> Vec<Exemplar> {
        let state = self.state.read();
        let Some(extra) = state.series.get(slot).and_then(|buffer| buffer.extra.as_ref()) else { return Vec::new() };
        let exemplars = before(&extra.exemplars, shown.rows(slot)).iter().map(|exemplar| &exemplar.row);
        let mut exemplars: Vec<Exemplar> = exemplars.filter(|exemplar| in_range(exemplar.ts_ms, range)).cloned().collect();
        drop(state);
        sort_exemplars(&mut exemplars);
        exemplars
    }
}

impl State {
    fn slot(&self, series: SeriesRef) -> Option<usize> {
        (*self.slots.get(series.0 as usize)? as usize).checked_sub(1)
    }

    fn slot_or_new(&mut self, series: SeriesRef) -> usize {
        let at = series.0 as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, 0);
        }
        if self.slots[at] == 0 {
            self.series.push(Buffer { series, group: 0, first: 0, values: Vec::new(), start_ms: 0, extra: None });
            self.slots[at] = self.series.len() as u32;
        }
        self.slots[at] as usize - 1
    }

    /// Adds a row that is no float; gives its slot.
    fn push_extra<T>(&mut self, series: SeriesRef, row: T, list: impl FnOnce(&mut Extra) -> &mut Vec<Numbered<T>>) -> u32 {
        let slot = self.slot_or_new(series);
        let buffer = &mut self.series[slot];
        let before = buffer.rows();
        list(buffer.extra.get_or_insert_default()).push(Numbered { before, row });
        slot as u32
    }

    /// Adds a float; gives its slot if that has one more row now. `neighbour` is the group that the previous sample of the
    /// request went to.
    fn push(&mut self, series: SeriesRef, sample: Late, neighbour: &mut Option<u32>) -> Option<u32> {
        let slot = self.slot_or_new(series);
        self.samples += 1;
        let buffer = &mut self.series[slot];
        let count = buffer.values.len();
        if count == 0 {
            (buffer.group, buffer.first) = join(&mut self.groups, *neighbour, &[], sample.ts_ms);
            buffer.start_ms = sample.start_ms;
        } else {
            let group = &mut self.groups[buffer.group as usize];
            let next = buffer.first as usize + count;
            let newest = group.times[next - 1];
            if sample.ts_ms <= newest {
                if sample.ts_ms == newest && buffer.last_start() == sample.start_ms && !buffer.has_late_at(newest) {
                    if buffer.values[count - 1].to_bits() == sample.value.to_bits() {
                        return None;
                    }
                    if self.counts.is_unwatched() {
                        buffer.values[count - 1] = sample.value;
                        return None;
                    }
                }
                let before = buffer.rows();
                buffer.extra.get_or_insert_default().late.push(Numbered { before, row: sample });
                return Some(slot as u32);
            }
            match group.times.get(next) {
                None => group.times.push(sample.ts_ms),
                Some(time) if *time == sample.ts_ms => {}
                Some(_) => {
                    let times = group.times[buffer.first as usize..next].to_vec();
                    (buffer.group, buffer.first) = join(&mut self.groups, *neighbour, &times, sample.ts_ms);
                }
            }
            if buffer.last_start() != sample.start_ms {
                buffer.extra.get_or_insert_default().starts.push((count as u32, sample.start_ms));
            }
        }
        if buffer.values.capacity() == count {
            // Doubling would waste a third of the head.
            buffer.values.reserve_exact((count / 2).max(4));
        }
        buffer.values.push(sample.value);
        *neighbour = Some(buffer.group);
        Some(slot as u32)
    }

    fn has_sample_in(&self, slot: usize, shown: &Shown, range: TimeRange) -> bool {
        let (buffer, rows) = (&self.series[slot], shown.rows(slot));
        let times = self.times(buffer, rows);
        let from = times.partition_point(|time| *time < range.start_ms());
        times.get(from).is_some_and(|time| in_range(*time, range))
            || buffer.extra.as_ref().is_some_and(|extra| {
                before(&extra.late, rows).iter().any(|late| in_range(late.row.ts_ms, range))
                    || before(&extra.histograms, rows).iter().any(|point| in_range(point.row.ts_ms, range))
            })
    }

    /// The times of the floats in order among the first rows.
    fn times(&self, buffer: &Buffer, rows: u32) -> &[i64] {
        let Some(group) = self.groups.get(buffer.group as usize) else { return &[] };
        group.times.get(buffer.first as usize..buffer.first as usize + buffer.floats(rows)).unwrap_or(&[])
    }

    fn read_samples(&self, slot: usize, shown: &Shown, range: TimeRange, run: &mut Run) {
        run.clear();
        let Some(buffer) = self.series.get(slot) else { return };
        let rows = shown.rows(slot);
        let times = self.times(buffer, rows);
        let from = times.partition_point(|time| *time < range.start_ms());
        let to = times.partition_point(|time| *time <= range.end_ms());
        if from < to {
            run.extend(&times[from..to], &buffer.values[from..to], &buffer.starts(from, to));
        }
        let Some(extra) = buffer.extra.as_ref().filter(|extra| !extra.late.is_empty()) else { return };
        let mut late: Vec<Late> = before(&extra.late, rows).iter().map(|late| late.row).filter(|late| in_range(late.ts_ms, range)).collect();
        // Stable, so that of equal times the last one stays the last.
        late.sort_by_key(|late| late.ts_ms);
        let mut later = Run::default();
        for sample in late {
            later.push_or_replace(sample.ts_ms, sample.value, sample.start_ms);
        }
        run.overlay(later.ts_ms(), later.values(), later.start_ms());
    }
}

impl Buffer {
    /// Rows of any kind.
    fn rows(&self) -> u32 {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.late.len() + extra.histograms.len() + extra.exemplars.len());
        (self.values.len() + extra) as u32
    }

    /// Floats in order among the first rows.
    fn floats(&self, rows: u32) -> usize {
        let others = self
            .extra
            .as_ref()
            .map_or(0, |extra| before(&extra.late, rows).len() + before(&extra.histograms, rows).len() + before(&extra.exemplars, rows).len());
        (rows as usize).saturating_sub(others).min(self.values.len())
    }

    fn last_start(&self) -> i64 {
        let changes = self.extra.as_ref().and_then(|extra| extra.starts.last());
        changes.map_or(self.start_ms, |(_, start_ms)| *start_ms)
    }

    fn has_late_at(&self, ts_ms: i64) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.late.iter().any(|late| late.row.ts_ms == ts_ms))
    }

    /// Starts of some samples; empty if none is known.
    fn starts(&self, from: usize, to: usize) -> Vec<i64> {
        let changes = self.extra.as_ref().map_or(&[][..], |extra| &extra.starts);
        if self.start_ms == 0 && changes.is_empty() {
            return Vec::new();
        }
        let mut starts = vec![self.start_ms; to - from];
        for (since, start_ms) in changes {
            let since = (*since as usize).clamp(from, to) - from;
            starts[since..].fill(*start_ms);
        }
        starts
    }
}

/// What is among the first rows.
fn before<T>(list: &[Numbered<T>], rows: u32) -> &[Numbered<T>] {
    &list[..list.partition_point(|row| row.before < rows)]
}

/// The group and the place in it for a series with these times and one more: that of the neighbour in the request if it has
/// the same times, else one of its own.
fn join(groups: &mut Vec<Group>, neighbour: Option<u32>, times: &[i64], next: i64) -> (u32, u32) {
    if let Some(neighbour) = neighbour {
        let shared = &groups[neighbour as usize].times;
        let first = shared.len().checked_sub(times.len() + 1);
        if let Some(first) = first
            && shared[first..first + times.len()] == *times
            && shared.last() == Some(&next)
        {
            return (neighbour, first as u32);
        }
    }
    let mut own = Vec::with_capacity(times.len() + 4);
    own.extend_from_slice(times);
    own.push(next);
    groups.push(Group { times: own });
    (groups.len() as u32 - 1, 0)
}

fn in_range(ts_ms: i64, range: TimeRange) -> bool {
    range.start_ms() <= ts_ms && ts_ms <= range.end_ms()
}
