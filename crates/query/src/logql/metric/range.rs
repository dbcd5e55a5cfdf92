//! Range aggregations: rows are added to their group and pane while they are scanned.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use signalbox_lang::logql::ast::{Grouping, RangeAggregation, RangeOp};
use signalbox_model::{Error, MatchOp, Result, TimeRange, schema};

use super::eval::Context;
use super::gathering::{Gathering, Sampling};
use super::panes::{Gather, Panes, Single};
use super::sampler::{Sampler, Way};
use super::samples::{self, Whole};
use super::series::{Series, absent, is_present, labels_bytes};
use super::states::{Count, First, Last, Max, Mean, Min, State, Sum, Variance};
use super::windows::Windows;
use crate::logql::labels::LabelSet;
use crate::logs::Visit;

/// Only the series that come first by their values are wanted, and of equal ones the first by labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foremost {
    /// How many.
    pub(super) count: usize,
    /// Which of two values comes first.
    pub(super) order: fn(f64, f64) -> Ordering,
}

/// The series of a range aggregation over the rows of groups; without grouping a group has equal labels. Of a question at an
/// instant only the foremost, if it says so.
///
/// # Errors
/// As [`crate::Engine::logql`].
pub(super) fn aggregate(context: &Context<'_>, aggregation: &RangeAggregation, grouping: Option<&Grouping>, foremost: Option<Foremost>) -> Result<Vec<Series>> {
    let windows = context.frame.windows(aggregation.range.range_ns, aggregation.range.offset_ns);
    let is_absence = aggregation.op == RangeOp::Absent;
    let foremost = foremost.filter(|_| windows.steps == 1 && !is_absence);
    let everything = Grouping::default();
    let grouping = if is_absence { Some(&everything) } else { grouping };
    let mut series = match read(context, aggregation, grouping, windows, foremost, Way::Columns)? {
        Some(series) => series,
        // What is wrong with a record only its labels tell.
        None => {
            read(context, aggregation, grouping, windows, foremost, Way::Labels)?.ok_or_else(|| Error::internal("cannot aggregate: labels tell nothing"))?
        }
    };
    if is_absence {
        return Ok(vec![absence(aggregation, windows.steps, series.pop())]);
    }
    Ok(series)
}

/// Reads the rows and makes the series; `None` if a record that counts is marked with an error, which columns do not show.
fn read(
    context: &Context<'_>,
    aggregation: &RangeAggregation,
    grouping: Option<&Grouping>,
    windows: Windows,
    foremost: Option<Foremost>,
    way: Way,
) -> Result<Option<Vec<Series>>> {
    let (added, now_ns) = (context.added, context.now_ns);
    let sampling = || Sampler::new(aggregation, grouping, added, now_ns, way).and_then(|sampler| Sampling::new(sampler, aggregation, windows));
    let mut gathering = Gathering::new(context, sampling()?, gather(aggregation, windows)?);
    let (start_ns, end_ns) = windows.bounds();
    let mut columns = gathering.own.sampler.columns();
    if gathering.own.needs_order {
        columns.push(schema::SEQUENCE);
    }
    let labels = gathering.own.sampler.label_columns();
    let visit = Visit { snapshot: context.snapshot, range: TimeRange::from_ns(start_ns, end_ns), columns: &columns, labels, leash: context.leash };
    let others = AtomicUsize::new(0);
    let (rows_read, bytes_read) = visit.run(&mut gathering, &|| Ok(sampling()?.of_thread(others.fetch_add(1, Relaxed))))?;
    context.note_read(rows_read, bytes_read);
    let Gathering { own, mut gather, has_marked, .. } = gathering;
    if own.sampler.is_by_columns() && (has_marked || own.question.has_marked()) {
        return Ok(None);
    }
    finish(context, aggregation, &own.sampler, gather.as_mut(), foremost).map(Some)
}

/// What the rows of the aggregation are gathered in.
fn gather(aggregation: &RangeAggregation, windows: Windows) -> Result<Box<dyn Gather>> {
    let is_unwrapped = aggregation.range.unwrap.is_some();
    Ok(match aggregation.op {
        RangeOp::Count | RangeOp::Absent => states::<Count>(windows),
        RangeOp::Rate if !is_unwrapped => states::<Count>(windows),
        RangeOp::Rate | RangeOp::Sum | RangeOp::Bytes | RangeOp::BytesRate => states::<Sum>(windows),
        RangeOp::Avg => states::<Mean>(windows),
        RangeOp::Min => states::<Min>(windows),
        RangeOp::Max => states::<Max>(windows),
        RangeOp::Stdvar | RangeOp::Stddev => states::<Variance>(windows),
        RangeOp::First => states::<First>(windows),
        RangeOp::Last => states::<Last>(windows),
        RangeOp::RateCounter => Box::new(Whole::new(windows, samples::rate_counter(windows.range_ns))),
        RangeOp::Quantile => {
            let quantile = aggregation.parameter.ok_or_else(|| Error::invalid("parameter required for operation quantile_over_time"))?;
            Box::new(Whole::new(windows, samples::quantile(quantile)))
        }
    })
}

fn states<S: State + 'static>(windows: Windows) -> Box<dyn Gather> {
    match Single::<S>::new(windows) {
        Some(single) => Box::new(single),
        None => Box::new(Panes::<S>::new(windows)),
    }
}

/// What an aggregation makes of the value of a window.
fn scaled(aggregation: &RangeAggregation, value: f64) -> f64 {
    match aggregation.op {
        RangeOp::Rate | RangeOp::BytesRate => value / (aggregation.range.range_ns as f64 / 1e9),
        RangeOp::Stddev => value.sqrt(),
        _ => value,
    }
}

fn finish(
    context: &Context<'_>,
    aggregation: &RangeAggregation,
    sampler: &Sampler<'_>,
    gather: &mut dyn Gather,
    foremost: Option<Foremost>,
) -> Result<Vec<Series>> {
    if let Some(foremost) = foremost {
        return choose(context, aggregation, sampler, gather, foremost);
    }
    let mut series = Vec::new();
    let mut held = 0;
    for group in 0..sampler.groups() {
        let Some(mut values) = gather.finish(group) else { continue };
        values.iter_mut().filter(|value| is_present(**value)).for_each(|value| *value = scaled(aggregation, *value));
        let labels = sampler.labels(group);
        held += labels_bytes(&labels) + 8 * values.len() as u64 + 64;
        series.push(Series { labels, values });
        if group % 256 == 0 {
            context.leash.check()?;
            context.cover(held + sampler.bytes() + gather.bytes())?;
        }
    }
    context.cover(held + sampler.bytes() + gather.bytes())?;
    Ok(series)
}

/// The series that come first, of a question with one window: only theirs are made.
fn choose(context: &Context<'_>, aggregation: &RangeAggregation, sampler: &Sampler<'_>, gather: &mut dyn Gather, foremost: Foremost) -> Result<Vec<Series>> {
    let mut values: Vec<(f64, u32)> = Vec::with_capacity(sampler.groups());
    context.cover(sampler.bytes() + gather.bytes() + (sampler.groups() * size_of::<(f64, u32)>()) as u64)?;
    for group in 0..sampler.groups() {
        values.extend(gather.value(group).filter(|value| is_present(*value)).map(|value| (scaled(aggregation, value), group as u32)));
        if group % 4096 == 0 {
            context.leash.check()?;
        }
    }
    let by_labels = |left: &(f64, u32), right: &(f64, u32)| sampler.compare(left.1 as usize, right.1 as usize);
    if values.len() > foremost.count {
        let by_value = |left: &(f64, u32), right: &(f64, u32)| (foremost.order)(left.0, right.0);
        let Some(last) = foremost.count.checked_sub(1) else { return Ok(Vec::new()) };
        let last = *values.select_nth_unstable_by(last, by_value).1;
        // Of equal values the first by labels are chosen.
        let (mut chosen, mut equal): (Vec<_>, Vec<_>) =
            values.into_iter().filter(|one| by_value(one, &last).is_le()).partition(|one| by_value(one, &last).is_lt());
        let missing = foremost.count - chosen.len();
        if missing < equal.len() {
            equal.select_nth_unstable_by(missing, by_labels);
            equal.truncate(missing);
        }
        chosen.append(&mut equal);
        values = chosen;
    }
    values.sort_unstable_by(by_labels);
    Ok(values.into_iter().map(|(value, group)| Series { labels: sampler.labels(group as usize), values: vec![value] }).collect())
}

/// One where no row is, with the labels that the selector says.
fn absence(aggregation: &RangeAggregation, steps: usize, found: Option<Series>) -> Series {
    let matchers = &aggregation.range.logs.matchers;
    let mut labels = LabelSet::new();
    for matcher in matchers {
        let is_said_once = matchers.iter().filter(|other| other.name == matcher.name).count() == 1;
        if matcher.op == MatchOp::Equal && is_said_once && !matcher.value.is_empty() {
            labels.push((matcher.name.clone(), matcher.value.clone()));
        }
    }
    labels.sort();
    let missing = |step: usize| found.as_ref().is_none_or(|found| !is_present(found.values[step]));
    Series { labels, values: (0..steps).map(|step| if missing(step) { 1.0 } else { absent() }).collect() }
}
