//! Samples made by several threads, gathered by one in the order of the rows.
//!
//! Threads number groups each in its own order. The first one numbers them again as it meets them, so that numbers, and sums
//! of floats, are those of one thread. It is also the only one that holds them all: the others know few at a time, and where there
//! are many they only put together the rows of a batch, so that no large table is searched twice for a group.

use arrow::array::{AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use signalbox_lang::logql::ast::{RangeAggregation, RangeOp};
use signalbox_model::{Error, Result, schema};

use super::eval::Context;
use super::panes::{Gather, Rows};
use super::sampler::{NewGroups, Sampler, Taken};
use super::windows::Windows;
use crate::logql::question::Question;
use crate::logs::{Host, LogFilter, Visitor};

/// Groups that a thread other than the first goes on with; with more it begins anew. Their tables stay in the caches of a core.
const GROUPS_KEPT_MAX: usize = if cfg!(test) { 16 } else { 4 << 10 };

/// Makes samples of the rows that count, in one thread.
pub(super) struct Sampling<'a> {
    /// Of the thread, among those that are not the first.
    number: usize,
    pub(super) sampler: Sampler<'a>,
    pub(super) question: Question,
    /// Whether the aggregation asks for the order of arrival.
    pub(super) needs_order: bool,
    windows: Windows,
    /// Groups that were handed on.
    handed: usize,
    taken: Taken,
}

/// Samples of a batch.
pub(super) struct Samples {
    /// The thread that made them.
    number: usize,
    times: ScalarBuffer<i64>,
    sequences: ScalarBuffer<u64>,
    rows: Vec<usize>,
    /// By the numbers of that thread.
    groups: Vec<u32>,
    values: Vec<f64>,
    new_groups: NewGroups,
    /// Whether that thread has forgotten the groups that it handed on before.
    is_anew: bool,
    /// Whether a record was marked so far.
    has_marked: bool,
    /// What its thread holds.
    held: u64,
}

impl<'a> Sampling<'a> {
    pub(super) fn new(sampler: Sampler<'a>, aggregation: &RangeAggregation, windows: Windows) -> Result<Self> {
        let (question, needs_order) = (sampler.filter()?, matches!(aggregation.op, RangeOp::First | RangeOp::Last | RangeOp::RateCounter));
        Ok(Self { number: 0, sampler, question, needs_order, windows, handed: 0, taken: Taken::default() })
    }

    /// The same in another thread.
    pub(super) fn of_thread(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// Samples of rows, and their times and arrival numbers.
    fn sample(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<(ScalarBuffer<i64>, ScalarBuffer<u64>)> {
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| Error::internal(format!("cannot aggregate: no column {name}")));
        let times = column(schema::TIMESTAMP)?.as_primitive::<TimestampNanosecondType>().values().clone();
        let sequences = match self.needs_order {
            true => column(schema::SEQUENCE)?.as_primitive::<UInt64Type>().values().clone(),
            false => ScalarBuffer::default(),
        };
        let windows = self.windows;
        self.sampler.take(rows, wanted, &times, &|time_ns| windows.pane_of(time_ns).is_some(), &mut self.taken)?;
        Ok((times, sequences))
    }
}

impl Visitor for Sampling<'_> {
    type Made = Samples;

    fn filter(&mut self) -> &mut dyn LogFilter {
        &mut self.question
    }

    fn make(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<Option<Samples>> {
        let is_anew = self.handed > GROUPS_KEPT_MAX;
        if is_anew {
            self.sampler.forget_groups();
            self.handed = 0;
        }
        let (times, sequences) = self.sample(rows, wanted)?;
        let Taken { rows, groups, values } = std::mem::take(&mut self.taken);
        let new_groups = self.sampler.groups_from(self.handed);
        self.handed = self.sampler.groups();
        let rows = rows.unwrap_or_else(|| wanted.to_vec());
        let (number, has_marked, held) = (self.number, self.question.has_marked(), self.sampler.bytes());
        Ok(Some(Samples { number, times, sequences, rows, groups, values, new_groups, is_anew, has_marked, held }))
    }

    fn bytes(made: &Samples) -> usize {
        let of_rows = size_of::<usize>() * made.rows.len() + size_of::<u32>() * made.groups.len() + size_of::<f64>() * made.values.len();
        size_of::<Samples>() + size_of::<i64>() * (made.times.len() + made.sequences.len()) + of_rows + made.new_groups.bytes()
    }
}

/// Gathers samples.
pub(super) struct Gathering<'a> {
    context: &'a Context<'a>,
    /// Of the first thread: its numbers of groups are those that count.
    pub(super) own: Sampling<'a>,
    pub(super) gather: Box<dyn Gather>,
    others: Others,
    /// Whether another thread has met a record that is marked.
    pub(super) has_marked: bool,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(context: &'a Context<'a>, own: Sampling<'a>, gather: Box<dyn Gather>) -> Self {
        Self { context, own, gather, others: Others::default(), has_marked: false }
    }

    fn cover(&self) -> Result<()> {
        self.context.cover(self.own.sampler.bytes() + self.gather.bytes() + self.others.bytes())
    }
}

impl<'a> Host<Sampling<'a>> for Gathering<'a> {
    fn visitor(&mut self) -> &mut Sampling<'a> {
        &mut self.own
    }

    fn read(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let (times, sequences) = self.own.sample(rows, wanted)?;
        let taken = &self.own.taken;
        let rows = taken.rows.as_deref().unwrap_or(wanted);
        self.gather.add(&Rows { times: &times, sequences: &sequences, rows, groups: &taken.groups, values: &taken.values });
        self.cover()
    }

    fn take(&mut self, made: Samples) -> Result<()> {
        let Samples { times, sequences, rows, values, has_marked, .. } = &made;
        let groups = self.others.renumber(&made, &mut self.own.sampler)?;
        self.has_marked |= has_marked;
        self.gather.add(&Rows { times, sequences, rows, groups: &groups, values });
        self.cover()
    }
}

/// What is known of the groups of other threads, by the numbers of these.
#[derive(Default)]
struct Others(Vec<Other>);

#[derive(Default)]
struct Other {
    /// The numbers that the first thread has for its groups.
    numbers: Vec<u32>,
    /// What it holds.
    held: u64,
}

impl Others {
    /// The groups of the rows of samples, by the numbers of the first thread.
    fn renumber(&mut self, made: &Samples, own: &mut Sampler<'_>) -> Result<Vec<u32>> {
        if self.0.len() <= made.number {
            self.0.resize_with(made.number + 1, Default::default);
        }
        let Other { numbers, held } = &mut self.0[made.number];
        *held = made.held;
        if made.is_anew {
            numbers.clear();
        }
        own.adopt(&made.new_groups, numbers)?;
        let known = |group: &u32| numbers.get(*group as usize).copied();
        let groups: Option<Vec<u32>> = made.groups.iter().map(known).collect();
        groups.ok_or_else(|| Error::internal("cannot aggregate: a group has no number"))
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|other| other.held + (size_of::<u32>() * other.numbers.capacity()) as u64).sum()
    }
}

#[cfg(test)]
mod tests;
