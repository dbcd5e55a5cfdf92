//! Spans that stand for many: a few, of different traces, from all over the time.

use std::collections::HashSet;

use signalbox_model::{SpanId, TimeRange, TraceId};

use super::series::Exemplar;

/// Exemplars of one piece of time, of which there are half as many as exemplars. Tempo has as many.
const PER_PIECE: u8 = 2;

/// Exemplars, each of something.
#[derive(Debug)]
pub(super) struct Exemplars<T> {
    max: usize,
    pieces: Vec<u8>,
    start_ns: i64,
    width_ns: i64,
    traces: HashSet<TraceId>,
    taken: Vec<(T, Exemplar)>,
}

impl<T> Exemplars<T> {
    pub(super) fn new(max: usize, range: TimeRange) -> Self {
        let pieces = (max / usize::from(PER_PIECE)).max(1);
        let width_ns = (range.end_ns.saturating_sub(range.start_ns) / pieces as i64).max(1);
        Self { max, pieces: vec![0; pieces], start_ns: range.start_ns, width_ns, traces: HashSet::new(), taken: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.taken.len() >= self.max
    }

    fn piece(&self, at_ns: i64) -> usize {
        ((at_ns.saturating_sub(self.start_ns) / self.width_ns).max(0) as usize).min(self.pieces.len() - 1)
    }

    /// Whether one of this time is wanted.
    pub(super) fn wants(&self, at_ns: i64) -> bool {
        !self.is_full() && self.pieces[self.piece(at_ns)] < PER_PIECE
    }

    /// Takes one that is wanted, unless one of its trace was taken.
    pub(super) fn take(&mut self, of: T, at_ns: i64, value: f64, trace_id: TraceId, span_id: Option<SpanId>) {
        if self.traces.insert(trace_id) {
            let piece = self.piece(at_ns);
            self.pieces[piece] += 1;
            self.taken.push((of, Exemplar { at_ns, value, trace_id, span_id, labels: Vec::new() }));
        }
    }

    /// Those of some things.
    pub(super) fn of(&self, is_wanted: impl Fn(&T) -> bool) -> Vec<Exemplar> {
        self.taken.iter().filter(|(of, _)| is_wanted(of)).map(|(_, exemplar)| exemplar.clone()).collect()
    }
}
