//! Puts together the float samples of one series after another, from segments and head.
//!
//! Most series of a target have the same times. So times of several sources are put together once and shared; of each series
//! only the values are copied, and not even those when one segment has them all.

use std::sync::Arc;

use hashbrown::HashMap;
use signalbox_model::{Result, SeriesRef, TimeRange};

use super::run::Run;
use crate::format::metrics::{Cursor, SamplePiece};
use crate::write::head::metrics::HeadPart;

/// Bytes of times that are kept at one time.
const TIMES_BYTES_MAX: usize = 8 << 20;

/// Where a run of times comes from; equal ones are equal times within one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    /// Position of the segment, the series that leads.
    Segment(u32, u32),
    /// Position of the buffers in the head, group, first, end.
    Head(u32, u32, u32, u32),
}

/// Float samples of one series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floats<'a> {
    pub(super) ts_ms: &'a [i64],
    pub(super) values: &'a [f64],
    pub(super) start_ms: &'a [i64],
    /// As `SeriesSamples::times_id`.
    pub(super) times_id: u64,
}

/// Times, and the number that says which series share them.
type NumberedTimes = (u64, Arc<[i64]>);

/// Puts together series of one view and one range.
#[derive(Debug)]
pub(super) struct Assembler<'a> {
    parts: &'a [HeadPart],
    range: TimeRange,
    pieces: Vec<SamplePiece>,
    sources: Vec<Source>,
    /// Times of several sources, or of the head, by where they come from, each with its number.
    shared: HashMap<Box<[Source]>, NumberedTimes>,
    shared_bytes: usize,
    next_id: u64,
    times: Arc<[i64]>,
    values: Vec<f64>,
    joined: Vec<f64>,
    run: Run,
    room: Run,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(parts: &'a [HeadPart], range: TimeRange) -> Self {
        Self {
            parts,
            range,
            pieces: Vec::new(),
            sources: Vec::new(),
            shared: HashMap::new(),
            shared_bytes: 0,
            next_id: 1,
            times: Arc::from([]),
            values: Vec::new(),
            joined: Vec::new(),
            run: Run::default(),
            room: Run::default(),
        }
    }

    /// The samples of a series: `places` are its ordinals by cursor, `head` its reference.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn read(&mut self, cursors: &mut [Cursor<'_>], places: &[Option<u32>], head: Option<SeriesRef>) -> Result<Floats<'_>> {
        self.pieces.clear();
        self.sources.clear();
        let mut are_shared = true;
        for (at, (cursor, ordinal)) in cursors.iter_mut().zip(places).enumerate() {
            let Some(ordinal) = *ordinal else { continue };
            if let Some(piece) = cursor.samples(ordinal, self.range)? {
                are_shared &= piece.leader.is_some();
                self.sources.push(Source::Segment(at as u32, piece.leader.unwrap_or(0)));
                self.pieces.push(piece);
            }
        }
        self.values.clear();
        let is_simple = are_shared && are_in_order(&self.pieces) && self.read_simple_head(head);
        if !is_simple {
            return Ok(self.overlay(head));
        }
        // One segment alone is shown where it lies.
        if let ([Source::Segment(at, leader)], [_]) = (self.sources.as_slice(), self.pieces.as_slice()) {
            let (piece, times_id) = (&self.pieces[0], 1 << 63 | u64::from(*at) << 32 | u64::from(*leader));
            return Ok(Floats { ts_ms: piece.ts_ms(), values: &piece.values, start_ms: &piece.start_ms, times_id });
        }
        Ok(self.join())
    }

    /// The values of the head behind those of the segments, if they are in order and nothing else is to be known of them.
    fn read_simple_head(&mut self, head: Option<SeriesRef>) -> bool {
        let Some(series) = head else { return true };
        let mut newest = self.pieces.last().and_then(|piece| piece.ts_ms().last().copied());
        let has_starts = self.pieces.iter().any(|piece| !piece.start_ms.is_empty());
        for (at, part) in self.parts.iter().enumerate() {
            let Some(found) = part.buffers.read_in_order(series, &part.shown, self.range, &mut self.values) else { return false };
            let Some(found) = found else { continue };
            if has_starts || newest.is_some_and(|newest| newest >= found.first_ms) {
                return false;
            }
            newest = Some(found.last_ms);
            self.sources.push(Source::Head(at as u32, found.group, found.times.start, found.times.end));
        }
        true
    }

    /// Values of all sources one behind the other, with times that series share.
    fn join(&mut self) -> Floats<'_> {
        if !self.pieces.is_empty() {
            self.joined.clear();
            self.pieces.iter().for_each(|piece| self.joined.extend_from_slice(&piece.values));
            self.joined.extend_from_slice(&self.values);
            std::mem::swap(&mut self.joined, &mut self.values);
        }
        let id = match self.shared.get(self.sources.as_slice()) {
            Some((id, times)) => {
                self.times = Arc::clone(times);
                *id
            }
            None => self.join_times(),
        };
        Floats { ts_ms: &self.times, values: &self.values, start_ms: &[], times_id: id }
    }

    fn join_times(&mut self) -> u64 {
        let mut times = Vec::with_capacity(self.values.len());
        self.pieces.iter().for_each(|piece| times.extend_from_slice(piece.ts_ms()));
        for source in &self.sources {
            if let Source::Head(part, group, first, end) = *source {
                self.parts[part as usize].buffers.copy_times(group, first..end, &mut times);
            }
        }
        self.times = times.into();
        let bytes = self.times.len() * size_of::<i64>() + 128;
        if self.shared_bytes + bytes > TIMES_BYTES_MAX {
            self.shared.clear();
            self.shared_bytes = 0;
        }
        self.shared_bytes += bytes;
        let id = self.next_id;
        self.next_id += 1;
        self.shared.insert(self.sources.as_slice().into(), (id, Arc::clone(&self.times)));
        id
    }

    /// Sample by sample, the later source first: for what overlaps, came late, or has starts.
    fn overlay(&mut self, head: Option<SeriesRef>) -> Floats<'_> {
        let Self { run, room, .. } = self;
        run.clear();
        for piece in &self.pieces {
            run.overlay(piece.ts_ms(), &piece.values, &piece.start_ms);
        }
        if let Some(series) = head {
            for HeadPart { buffers, shown } in self.parts {
                if let Some(slot) = buffers.slot(series) {
                    buffers.read_samples(slot, shown, self.range, room);
                    run.overlay(room.ts_ms(), room.values(), room.start_ms());
                }
            }
        }
        Floats { ts_ms: run.ts_ms(), values: run.values(), start_ms: run.start_ms(), times_id: 0 }
    }
}

/// Whether each piece is newer than the one before, and no start has to be put beside samples without.
fn are_in_order(pieces: &[SamplePiece]) -> bool {
    let [first, rest @ ..] = pieces else { return true };
    let has_starts = !rest.is_empty() && pieces.iter().any(|piece| !piece.start_ms.is_empty());
    let (mut newest, mut is_in_order) = (first.ts_ms().last(), !has_starts);
    for piece in rest {
        is_in_order &= newest < piece.ts_ms().first();
        newest = piece.ts_ms().last();
    }
    is_in_order
}
