//! Delta to cumulative: increments are summed up per series, because everything that reads counts on sums.
//!
//! The sums live in memory and are bounded. They change only when the samples made of them are durable: a write is
//! prepared ([`Accumulator::prepare`]), stored, and then committed ([`Accumulator::commit`]), all under one lock of the
//! tenant, so that a write that fails leaves nothing behind and may be sent again. After a restart or a long silence the
//! sum starts again from zero with a start time of its own, which is what a restart of the source looks like.

mod histogram;

use std::time::Duration;

use hashbrown::HashMap;
use signalbox_model::{Histogram, KnownSeries, MetricBatch, SampleColumns, SeriesEntry, SeriesId, SeriesKey, SeriesRef};

use crate::limits::{Reason, Settings, Tally};
use crate::normalize::drop_unnamed_series;

/// Sums of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    sums: HashMap<SeriesRef, State>,
    /// Which handle a series had last: a series may be announced with its labels although its sum is known.
    by_id: HashMap<SeriesId, SeriesRef>,
    swept: Duration,
}

#[derive(Debug, Clone, PartialEq)]
struct State {
    sum: Sum,
    start_ms: i64,
    last_ms: i64,
    touched: Duration,
}

#[derive(Debug, Clone, PartialEq)]
enum Sum {
    Number(f64),
    Histogram(Box<Histogram>),
}

/// How a series is named while a write is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Known(SeriesRef),
    New(SeriesId, SeriesKey),
}

/// New sums that wait for their samples to be durable.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    sums: HashMap<Slot, State>,
    ids: HashMap<Slot, SeriesId>,
}

/// One increment: where it is in the batch, and when it was.
struct Increment {
    series: u32,
    start_ms: i64,
    ts_ms: i64,
    sum: Sum,
}

/// Whether a batch has increments at all.
pub(crate) fn has_deltas(batch: &MetricBatch) -> bool {
    !batch.deltas.is_empty() || batch.histograms.iter().any(|sample| sample.is_delta)
}

impl Accumulator {
    /// Replaces the increments of a batch by sums. Increments that cannot be added are refused and counted.
    pub(crate) fn prepare(&mut self, batch: &mut MetricBatch, prepared: &mut Prepared, settings: &Settings, now: Duration, tally: &mut Tally) {
        let slots: Vec<Slot> = batch.series.iter().map(|entry| self.slot(entry)).collect();
        for (slot, entry) in slots.iter().zip(&batch.series) {
            if let SeriesEntry::New { labels, .. } = entry {
                prepared.ids.insert(*slot, labels.series_id());
            }
        }
        let mut refused = false;
        for increment in take_increments(batch) {
            let Some(slot) = slots.get(increment.series as usize) else { continue };
            match self.add(*slot, &increment, prepared, settings, now) {
                Ok(state) => push(batch, &increment, state),
                Err(reason) => {
                    tally.add(reason);
                    refused = true;
                }
            }
        }
        if refused {
            drop_unnamed_series(batch);
        }
    }

    fn slot(&self, entry: &SeriesEntry) -> Slot {
        match entry {
            SeriesEntry::Known(known) => Slot::Known(*known),
            SeriesEntry::New { key, labels } => {
                let id = labels.series_id();
                self.by_id.get(&id).map_or(Slot::New(id, *key), |known| Slot::Known(*known))
            }
        }
    }

    /// The sum with an increment.
    fn add<'p>(&self, slot: Slot, increment: &Increment, prepared: &'p mut Prepared, settings: &Settings, now: Duration) -> Result<&'p State, Reason> {
        let before = prepared.sums.get(&slot).or_else(|| match slot {
            Slot::Known(known) => self.sums.get(&known),
            Slot::New(..) => None,
        });
        let next = match before {
            Some(before) if increment.ts_ms <= before.last_ms => return Err(Reason::DeltaOutOfOrder),
            Some(before) => before.plus(increment, now),
            None if self.sums.len() + prepared.sums.len() >= settings.delta_series_max => return Err(Reason::DeltaLimit),
            None => State::of(increment, now),
        };
        Ok(prepared.sums.entry(slot).insert(next).into_mut())
    }

    /// Takes over the prepared sums: their samples are durable.
    pub(crate) fn commit(&mut self, prepared: Prepared, known: &dyn KnownSeries) {
        for (slot, state) in prepared.sums {
            let found = match slot {
                Slot::Known(known) => Some(known),
                Slot::New(_, key) => known.find(key),
            };
            // A series that the store cannot find again would only leak its sum.
            let Some(found) = found else { continue };
            if let Some(id) = prepared.ids.get(&slot) {
                self.by_id.insert(*id, found);
            }
            self.sums.insert(found, state);
        }
    }

    /// Forgets series that were silent for too long. Cheap: does something only every quarter of that time.
    pub(crate) fn sweep(&mut self, idle: Duration, now: Duration) {
        if now.saturating_sub(self.swept) < idle / 4 {
            return;
        }
        self.swept = now;
        self.sums.retain(|_, state| now.saturating_sub(state.touched) < idle);
        self.by_id.retain(|_, known| self.sums.contains_key(known));
    }
}

impl State {
    fn of(increment: &Increment, now: Duration) -> Self {
        let start_ms = if increment.start_ms == 0 { increment.ts_ms } else { increment.start_ms };
        Self { sum: increment.sum.clone(), start_ms, last_ms: increment.ts_ms, touched: now }
    }

    fn plus(&self, increment: &Increment, now: Duration) -> Self {
        let sum = match (&self.sum, &increment.sum) {
            (Sum::Number(sum), Sum::Number(value)) => Sum::Number(sum + value),
            (Sum::Histogram(sum), Sum::Histogram(value)) => match histogram::add(sum, value) {
                Some(total) => Sum::Histogram(Box::new(total)),
                None => return Self::of(increment, now),
            },
            // The series became something else: a new beginning.
            _ => return Self::of(increment, now),
        };
        Self { sum, start_ms: self.start_ms, last_ms: increment.ts_ms, touched: now }
    }
}

/// Takes the increments out of a batch, in the order of their time.
fn take_increments(batch: &mut MetricBatch) -> Vec<Increment> {
    let SampleColumns { series, ts_ms, value, start_ms } = std::mem::take(&mut batch.deltas);
    let starts = start_ms.into_iter().chain(std::iter::repeat(0));
    let numbers = series.into_iter().zip(ts_ms).zip(value).zip(starts);
    let mut increments: Vec<Increment> =
        numbers.map(|(((series, ts_ms), value), start_ms)| Increment { series, start_ms, ts_ms, sum: Sum::Number(value) }).collect();
    let (deltas, histograms) = std::mem::take(&mut batch.histograms).into_iter().partition(|sample| sample.is_delta);
    batch.histograms = histograms;
    increments.extend(Vec::into_iter(deltas).map(|sample| Increment {
        series: sample.series,
        start_ms: sample.start_ms,
        ts_ms: sample.ts_ms,
        sum: Sum::Histogram(Box::new(sample.histogram)),
    }));
    increments.sort_by_key(|increment| increment.ts_ms);
    increments
}

fn push(batch: &mut MetricBatch, increment: &Increment, state: &State) {
    match &state.sum {
        Sum::Number(value) => batch.samples.push_started(increment.series, increment.ts_ms, *value, state.start_ms),
        Sum::Histogram(total) => batch.histograms.push(signalbox_model::HistogramSample {
            series: increment.series,
            ts_ms: increment.ts_ms,
            start_ms: state.start_ms,
            is_delta: false,
            histogram: Histogram::clone(total),
        }),
    }
}

#[cfg(test)]
mod tests;
