//! `rate`, `increase` and `delta` of series of floats at all steps. What only depends on the times, the windows and the factors
//! of extrapolation, is found once for all series that have the same times; of a series itself only the samples at the ends of
//! windows are looked at, and its resets, which are found in one pass.

use std::ops::Range;
use std::rc::Rc;

use hashbrown::HashMap;
use signalbox_lang::promql::Function;

use super::{Spread, factor};
use crate::promql::frame::Frame;
use crate::promql::ops::over::{Samples, Window, Windows};
use crate::promql::plan::RangeSource;
use crate::promql::row::{Bitmap, Steps};

/// Bytes of tables that are kept at one time.
const TABLES_BYTES_MAX: usize = 8 << 20;

/// Values that are looked at together.
const BLOCK: usize = 64;

/// A window of two samples or more.
#[derive(Debug)]
struct Stretch {
    // A series of 4 G samples would take 64 GB.
    first: u32,
    last: u32,
    /// By what the change is multiplied, unless a counter was zero before.
    factor: f64,
}

/// The windows of series with the same times.
#[derive(Debug)]
struct Table {
    /// Steps that have a stretch.
    steps: Bitmap,
    runs: Vec<Range<usize>>,
    /// One a step, run after run.
    stretches: Vec<Stretch>,
}

/// One function over the windows of one source.
#[derive(Debug)]
pub(in crate::promql) struct Stretches<'a> {
    is_counter: bool,
    is_rate: bool,
    frame: Frame,
    source: &'a RangeSource,
    tables: HashMap<u64, Rc<Table>>,
    bytes: usize,
    falls: Vec<usize>,
}

impl<'a> Stretches<'a> {
    /// For `rate`, `increase` or `delta`.
    pub(in crate::promql) fn new(function: Function, frame: &Frame, source: &'a RangeSource) -> Self {
        let (is_counter, is_rate) = (function != Function::Delta, function == Function::Rate);
        Self { is_counter, is_rate, frame: *frame, source, tables: HashMap::new(), bytes: 0, falls: Vec::new() }
    }

    /// The values of a series at all steps; `steps` are empty.
    pub(in crate::promql) fn fill(&mut self, samples: Samples<'_>, steps: &mut Steps) {
        let table = self.table(samples);
        let values = samples.values;
        steps.floats.clone_from(&table.steps);
        self.falls.clear();
        if self.is_counter {
            find_falls(values, &mut self.falls);
        }
        let (mut stretches, mut falls) = (table.stretches.iter(), self.falls.as_slice());
        for run in &table.runs {
            for ((step, into), stretch) in run.clone().zip(&mut steps.values[run.clone()]).zip(&mut stretches) {
                let (first, last) = (stretch.first as usize, stretch.last as usize);
                let mut change = values[last] - values[first];
                if let Some(next) = falls.first()
                    && *next <= last
                {
                    while falls.first().is_some_and(|fall| *fall <= first) {
                        falls = &falls[1..];
                    }
                    for fall in falls.iter().take_while(|fall| **fall <= last) {
                        change += values[*fall - 1];
                    }
                }
                // Extrapolation reaches back less than two sampled stretches, so zero can only matter if it is that near.
                let is_near_zero = change > 0.0 && values[first] >= 0.0 && values[first] < 2.0 * change;
                *into = if self.is_counter && is_near_zero {
                    change * self.factor(samples.times, (first, last), step, Some(values[first] / change))
                } else {
                    change * stretch.factor
                };
            }
        }
    }

    fn factor(&self, times: &[i64], (first, last): (usize, usize), step: usize, zero: Option<f64>) -> f64 {
        let instant_ms = self.frame.at(step);
        let end_ms = self.source.place().of(instant_ms);
        let range_ms = self.source.range_ms();
        let samples = Samples { times: &[], values: &[], starts: &[], histograms: &[], times_id: 0 };
        let window = Window { instant_ms, start_ms: end_ms.saturating_sub(range_ms), end_ms, samples };
        let spread = Spread { first_ms: times[first], last_ms: times[last], count: last + 1 - first, start_ms: None };
        factor(&window, spread, zero, self.is_rate, range_ms)
    }

    fn table(&mut self, samples: Samples<'_>) -> Rc<Table> {
        if let Some(known) = self.tables.get(&samples.times_id) {
            return Rc::clone(known);
        }
        let mut table = Table { steps: Bitmap::with_steps(self.frame.steps), runs: Vec::new(), stretches: Vec::new() };
        let mut windows = Windows::new(samples, &self.frame, self.source, 0);
        while let Some((step, _)) = windows.next() {
            let (first, end) = windows.positions();
            if end - first < 2 {
                continue;
            }
            match table.runs.last_mut().filter(|run| run.end == step) {
                Some(run) => run.end += 1,
                None => table.runs.push(step..step + 1),
            }
            table.steps.set(step);
            let factor = self.factor(samples.times, (first, end - 1), step, None);
            table.stretches.push(Stretch { first: first as u32, last: (end - 1) as u32, factor });
        }
        let table = Rc::new(table);
        if samples.times_id != 0 {
            let bytes = table.stretches.len() * size_of::<Stretch>() + self.frame.steps / 8 + 256;
            if self.bytes + bytes > TABLES_BYTES_MAX {
                self.tables.clear();
                self.bytes = 0;
            }
            self.bytes += bytes;
            self.tables.insert(samples.times_id, Rc::clone(&table));
        }
        table
    }
}

/// Where values fall.
fn find_falls(values: &[f64], falls: &mut Vec<usize>) {
    let pairs = values.get(1..).unwrap_or_default();
    for (block, (later, earlier)) in pairs.chunks(BLOCK).zip(values.chunks(BLOCK)).enumerate() {
        let has_any = later.iter().zip(earlier).fold(false, |any, (later, earlier)| any | (later < earlier));
        if has_any {
            let found = later.iter().zip(earlier).enumerate().filter(|(_, (later, earlier))| later < earlier);
            falls.extend(found.map(|(at, _)| block * BLOCK + at + 1));
        }
    }
}
