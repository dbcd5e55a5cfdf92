//! Executes plans: hands rows from operator to operator and watches what the query costs.

use std::cell::{Cell as Counter, RefCell};
use std::mem::size_of;

use signalbox_lang::promql::RangeEdges;
use signalbox_lang::text::quote;
use signalbox_model::{Error, ErrorKind, Matcher, Result, TimeRange};
use signalbox_store::{SeriesHandle, SeriesSamples, Snapshot};

use super::frame::Frame;
use super::notes::Notes;
use super::ops;
use super::plan::{Node, Plan};
use super::reads::{Kept, Reading, Reads};
use super::row::{Row, Steps};
use super::tally::Tally;
use crate::budget::Share;
use crate::leash::Leash;

/// Takes rows one by one. It may change them and take them; the lender resets what is left.
pub(super) type Sink<'s> = dyn FnMut(&mut Row) -> Result<()> + 's;

/// What one query may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Samples that selectors may read.
    pub(super) samples_max: u64,
    /// Series that one selector may find.
    pub(super) series_max: usize,
    /// Steps that a subquery may have.
    pub(super) subquery_steps_max: u64,
    /// Bytes of values that may be held at one time.
    pub(super) memory_bytes_max: u64,
}

/// One evaluation.
#[derive(Debug)]
pub(super) struct Evaluator<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) leash: &'a Leash,
    pub(super) limits: Limits,
    pub(super) lookback_ms: i64,
    /// Whether start times of samples tell of resets.
    pub(super) uses_start_times: bool,
    pub(super) reads: Reads,
    pub(super) notes: Notes,
    /// Samples by step.
    pub(super) tally: Tally,
    pub(super) samples_read: Counter<u64>,
    pub(super) held_bytes: Counter<u64>,
    /// What is held, in the account of all questions.
    pub(super) share: Share,
    /// The selector that read most so far: its text and the samples.
    pub(super) costliest: RefCell<(String, u64)>,
}

/// Bytes of a row beside its values.
const ROW_BYTES: u64 = 128;
/// Bytes of one native histogram with some twenty buckets: a rough guess is enough for a bound.
pub(super) const HISTOGRAM_BYTES: u64 = 512;

/// What of samples a use needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Values,
    /// Their times, and which are staleness markers.
    Presence,
}

impl Evaluator<'_> {
    /// As [`Self::stream`], for a use to which values are all the same: they may be others.
    pub(super) fn stream_presence(&self, plan: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
        match &plan.node {
            Node::Select(select) if select.edges != RangeEdges::Smoothed => {
                self.leash.check()?;
                ops::select::stream_taking(self, select, frame, ops::select::Take::Presence, sink)
            }
            _ => self.stream(plan, frame, sink),
        }
    }

    /// The rows of an instant vector, in the order of the vector. Rows without a value at any step do not appear.
    ///
    /// # Errors
    /// Those of the query, of limits and of the disk.
    pub(super) fn stream(&self, plan: &Plan, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
        self.leash.check()?;
        match &plan.node {
            Node::Select(select) => ops::select::stream(self, select, plan.span, frame, sink),
            Node::Over(over) => ops::over::stream(self, over, frame, sink),
            Node::Call(call) => super::functions::stream(self, call, plan.span, frame, sink),
            Node::Aggregate(aggregation) => ops::aggregate::stream(self, aggregation, plan.span, frame, sink),
            Node::Binary(_) => ops::binary::stream(self, plan, frame, sink),
            Node::Negate(inner) => ops::negate::stream(self, inner, frame, sink),
            Node::Once(inner) => ops::once::stream(self, inner, frame, sink),
            Node::Number(_) | Node::Text(_) | Node::Range(_) => Err(Error::internal("cannot evaluate: the plan is no instant vector")),
        }
    }

    /// All rows of an instant vector.
    pub(super) fn collect(&self, plan: &Plan, frame: &Frame) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.stream(plan, frame, &mut |row| {
            self.hold(row_bytes(&row.steps))?;
            rows.push(std::mem::take(row));
            Ok(())
        })?;
        Ok(rows)
    }

    /// Gives back what [`Self::collect`] holds.
    pub(super) fn release(&self, rows: &[Row]) {
        let bytes: u64 = rows.iter().map(|row| row_bytes(&row.steps)).sum();
        self.give_back(bytes);
    }

    /// Counts bytes that the query no longer holds.
    pub(super) fn give_back(&self, bytes: u64) {
        self.held_bytes.set(self.held_bytes.get().saturating_sub(bytes));
    }

    /// A scalar at all steps.
    pub(super) fn scalar(&self, plan: &Plan, frame: &Frame) -> Result<Vec<f64>> {
        self.leash.check()?;
        match &plan.node {
            Node::Number(value) => Ok(vec![*value; frame.steps]),
            Node::Call(call) => super::functions::scalar(self, call, frame),
            Node::Binary(_) => ops::binary::scalar(self, plan, frame),
            Node::Negate(inner) => Ok(self.scalar(inner, frame)?.into_iter().map(|value| -value).collect()),
            Node::Once(inner) => {
                self.tally.enter(&frame.first());
                let first = self.scalar(inner, &frame.first())?;
                self.tally.leave_once();
                Ok(vec![first.first().copied().unwrap_or(f64::NAN); frame.steps])
            }
            _ => Err(Error::internal("cannot evaluate: the plan is no scalar")),
        }
    }

    /// Counts a row that the query holds from now on.
    pub(super) fn hold_row(&self, row: &Row) -> Result<()> {
        self.hold(row_bytes(&row.steps))
    }

    /// Counts bytes that the query holds from now on.
    pub(super) fn hold(&self, bytes: u64) -> Result<()> {
        let held = self.held_bytes.get().saturating_add(bytes);
        self.held_bytes.set(held);
        if held > self.limits.memory_bytes_max {
            let limit = self.limits.memory_bytes_max;
            return Err(Error::limit(format!("the query would hold more than {limit} bytes of results in memory: select fewer series or steps")));
        }
        self.share.cover(held)
    }

    /// Reads the samples of all series that match, in a closed range of milliseconds; staleness markers are among them.
    pub(super) fn scan(&self, matchers: &[Matcher], range_ms: (i64, i64), visit: &mut dyn FnMut(&SeriesHandle, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        self.scan_for(Wanted::Values, matchers, range_ms, visit)
    }

    /// As [`Self::scan`], for a use that may not need the values.
    pub(super) fn scan_for(
        &self,
        wanted: Wanted,
        matchers: &[Matcher],
        range_ms: (i64, i64),
        visit: &mut dyn FnMut(&SeriesHandle, SeriesSamples<'_>) -> Result<()>,
    ) -> Result<()> {
        if range_ms.0 > range_ms.1 {
            return Ok(());
        }
        match self.reads.reading(matchers, range_ms) {
            Reading::Alone => self.read(wanted, matchers, range_ms, visit),
            Reading::Keep(wider_ms) => self.read_and_keep(matchers, wider_ms, visit),
            Reading::Kept(kept, is_last) => {
                for kept in kept.iter() {
                    self.leash.check()?;
                    visit(&kept.series, kept.samples())?;
                }
                if is_last {
                    self.give_back(kept.iter().map(|kept| sample_bytes(&kept.samples())).sum());
                }
                Ok(())
            }
        }
    }

    /// Reads for this use and for those to come, unless what is kept would take more than half of the memory of the query.
    fn read_and_keep(&self, matchers: &[Matcher], range_ms: (i64, i64), visit: &mut dyn FnMut(&SeriesHandle, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        let (mut kept, mut bytes) = (Some(Vec::new()), 0);
        self.read(Wanted::Values, matchers, range_ms, &mut |series, samples| {
            if let Some(all) = &mut kept {
                let added = sample_bytes(&samples);
                if self.held_bytes.get() + added > self.limits.memory_bytes_max / 2 {
                    self.give_back(std::mem::take(&mut bytes));
                    kept = None;
                } else {
                    self.hold(added)?;
                    bytes += added;
                    all.push(Kept::of(series, &samples));
                }
            }
            visit(series, samples)
        })?;
        if let Some(kept) = kept {
            self.reads.keep(matchers, kept);
        }
        Ok(())
    }

    fn read(
        &self,
        wanted: Wanted,
        matchers: &[Matcher],
        range_ms: (i64, i64),
        visit: &mut dyn FnMut(&SeriesHandle, SeriesSamples<'_>) -> Result<()>,
    ) -> Result<()> {
        let range = TimeRange::from_ms(range_ms.0, range_ms.1);
        let series = self.snapshot.select(matchers, range, self.limits.series_max).map_err(|error| match error.kind() {
            ErrorKind::Limit => {
                Error::limit(format!("the selector {} finds more than {} series: want a narrower one", selector_text(matchers), self.limits.series_max))
            }
            _ => error,
        })?;
        let before = self.samples_read.get();
        let mut counted = |position: usize, samples: SeriesSamples<'_>| {
            self.leash.check()?;
            let read = samples.ts_ms.len() as u64 + samples.histograms.len() as u64 * (HISTOGRAM_BYTES / 16);
            self.samples_read.set(self.samples_read.get() + read);
            if self.samples_read.get() > self.limits.samples_max {
                return Err(Error::limit(format!(
                    "query processing would load too many samples into memory in query execution: more than {}, of which {} by the selector {}",
                    self.limits.samples_max,
                    self.samples_read.get() - before,
                    selector_text(matchers)
                )));
            }
            visit(&series[position], samples)
        };
        let result = match wanted {
            Wanted::Values => self.snapshot.read(&series, range, &mut counted),
            Wanted::Presence => self.snapshot.read_presence(&series, range, &mut counted),
        };
        let read = self.samples_read.get() - before;
        let mut costliest = self.costliest.borrow_mut();
        if read > costliest.1 {
            *costliest = (selector_text(matchers), read);
        }
        result
    }

    /// An error with the selector that is to blame, where the query took too much of something.
    pub(super) fn blame(&self, error: Error) -> Error {
        let (selector, read) = &*self.costliest.borrow();
        let is_about_cost = matches!(error.kind(), ErrorKind::Limit | ErrorKind::Timeout | ErrorKind::Unavailable);
        if !is_about_cost || *read == 0 || error.message().contains(selector.as_str()) {
            return error;
        }
        let message = format!("{}; of {} samples read, {read} were read by the selector {selector}", error.message(), self.samples_read.get());
        Error::new(error.kind(), message).with_source(error)
    }
}

fn row_bytes(steps: &Steps) -> u64 {
    let histograms = if steps.histograms.is_empty() { 0 } else { steps.histograms.iter().flatten().count() as u64 * HISTOGRAM_BYTES };
    ROW_BYTES + (steps.len() * size_of::<f64>()) as u64 + histograms
}

fn sample_bytes(samples: &SeriesSamples<'_>) -> u64 {
    ROW_BYTES + (samples.ts_ms.len() * 16 + samples.start_ms.len() * 8) as u64 + samples.histograms.len() as u64 * HISTOGRAM_BYTES
}

/// Matchers as a selector.
fn selector_text(matchers: &[Matcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(|matcher| format!("{}{}{}", matcher.name, matcher.op.as_str(), quote(&matcher.value))).collect();
    format!("{{{}}}", matchers.join(", "))
}
