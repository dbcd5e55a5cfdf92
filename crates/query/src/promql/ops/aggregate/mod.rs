//! Aggregations. Each series is added into the arrays of its group, one value a step, and is forgotten: what is held grows
//! with the number of groups, not of series.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use signalbox_lang::Span;
use signalbox_lang::promql::AggregateOp;
use signalbox_model::{Labels, Result};

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::notes::Notes;
use crate::promql::plan::{Aggregation, Grouping};
use crate::promql::row::{Row, Steps};

mod count_values;
mod extreme;
mod limit;
mod presence;
mod quantile;
mod rank;
mod sum;
mod variance;

/// What is known of all groups so far.
trait Accumulate {
    /// Makes room for one more group.
    fn open(&mut self);
    /// Adds a series to a group. Answers how many bytes are held for it beside the arrays of the group.
    fn add(&mut self, group: usize, row: &Row) -> u64;
    /// The values of a group.
    fn close(&mut self, group: usize) -> Steps;
    /// Bytes that a group holds for each step.
    fn bytes_per_step(&self) -> u64;
}

/// What an aggregation knows beside the values.
#[derive(Clone, Copy)]
struct Setting<'a> {
    steps: usize,
    notes: &'a Notes,
    /// Place of what is aggregated.
    input: Span,
}

/// The groups by their labels, in the order in which they were found.
#[derive(Default)]
struct Groups {
    places: HashTable<usize>,
    labels: Vec<Labels>,
    hasher: DefaultHashBuilder,
    room: Vec<u8>,
}

impl Groups {
    /// The position of the group of a series, and whether it is new.
    fn find(&mut self, grouping: &Grouping, series: &Labels) -> (usize, bool) {
        self.room.clear();
        grouping.write_key(series, &mut self.room);
        let Self { places, labels, hasher, room } = self;
        let hash = hasher.hash_one(room.as_slice());
        if let Some(position) = places.find(hash, |position| labels[*position].as_bytes() == room.as_slice()) {
            return (*position, false);
        }
        let position = labels.len();
        labels.push(grouping.key(series));
        places.insert_unique(hash, position, |position| hasher.hash_one(labels[*position].as_bytes()));
        (position, true)
    }
}

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, aggregation: &Aggregation, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let setting = Setting { steps: frame.steps, notes: &evaluator.notes, input: aggregation.input.span };
    let mut accumulator: Box<dyn Accumulate + '_> = match aggregation.op {
        AggregateOp::Sum => Box::new(sum::Sums::new(setting)),
        AggregateOp::Avg => Box::new(sum::Means::new(setting)),
        AggregateOp::Min => Box::new(extreme::Extremes::new(setting, "min", |value, least| least > value)),
        AggregateOp::Max => Box::new(extreme::Extremes::new(setting, "max", |value, most| most < value)),
        AggregateOp::Count => Box::new(presence::Counts::new(setting)),
        AggregateOp::Group => Box::new(presence::Presence::new(setting)),
        AggregateOp::Stddev => Box::new(variance::Variances::new(setting, "stddev", f64::sqrt)),
        AggregateOp::Stdvar => Box::new(variance::Variances::new(setting, "stdvar", |variance| variance)),
        AggregateOp::Quantile => Box::new(quantile::Quantiles::new(setting, quantile::param(evaluator, aggregation, frame)?)),
        AggregateOp::Topk | AggregateOp::Bottomk => return rank::stream(evaluator, aggregation, span, frame, sink),
        AggregateOp::Limitk | AggregateOp::LimitRatio => return limit::stream(evaluator, aggregation, frame, sink),
        AggregateOp::CountValues => return count_values::stream(evaluator, aggregation, frame, sink),
    };
    let (mut groups, mut drops_name, mut held_bytes) = (Groups::default(), Vec::new(), 0);
    let stream = match aggregation.op {
        AggregateOp::Count | AggregateOp::Group => Evaluator::stream_presence,
        _ => Evaluator::stream,
    };
    stream(evaluator, &aggregation.input, frame, &mut |row| {
        let (group, is_new) = groups.find(&aggregation.grouping, &row.labels);
        if is_new {
            evaluator.hold(accumulator.bytes_per_step() * frame.steps as u64)?;
            accumulator.open();
            drops_name.push(false);
        }
        drops_name[group] |= row.drop_name;
        let added_bytes = accumulator.add(group, row);
        held_bytes += added_bytes;
        evaluator.hold(added_bytes)
    })?;
    for (group, labels) in groups.labels.into_iter().enumerate() {
        let mut row = Row { labels, drop_name: drops_name[group], steps: accumulator.close(group) };
        evaluator.give_back(accumulator.bytes_per_step() * frame.steps as u64);
        if !row.steps.is_empty() {
            sink(&mut row)?;
        }
    }
    evaluator.give_back(held_bytes);
    Ok(())
}

/// Histograms as the values of steps.
fn put_histogram(steps: &mut Steps, step: usize, histogram: Option<signalbox_model::Histogram>) {
    if let Some(histogram) = histogram {
        steps.set_histogram(step, Arc::new(histogram));
    }
}
