//! Range aggregations: rows are added to their group and pane while they are scanned.

use arrow::array::AsArray;
use arrow::datatypes::{TimestampNanosecondType, UInt64Type};
use signalbox_lang::logql::ast::{Grouping, RangeAggregation, RangeOp};
use signalbox_model::{Error, MatchOp, Result, TimeRange, schema};

use super::eval::Context;
use super::panes::{Gather, Panes, Rows};
use super::sampler::{Sampler, Taken, Way};
use super::samples::{self, Whole};
use super::series::{Series, absent, is_present, labels_bytes};
use super::states::{Count, First, Last, Max, Mean, Min, Sum, Variance};
use super::windows::Windows;
use crate::logql::labels::LabelSet;
use crate::logs::visit;

/// The series of a range aggregation over the rows of groups; without grouping a group has equal labels.
///
/// # Errors
/// As [`crate::Engine::logql`].
pub(super) fn aggregate(context: &Context<'_>, aggregation: &RangeAggregation, grouping: Option<&Grouping>) -> Result<Vec<Series>> {
    let windows = context.frame.windows(aggregation.range.range_ns, aggregation.range.offset_ns);
    let is_absence = aggregation.op == RangeOp::Absent;
    let everything = Grouping::default();
    let grouping = if is_absence { Some(&everything) } else { grouping };
    let mut series = match read(context, aggregation, grouping, windows, Way::Columns)? {
        Some(series) => series,
        // What is wrong with a record only its labels tell.
        None => read(context, aggregation, grouping, windows, Way::Labels)?.ok_or_else(|| Error::internal("cannot aggregate: labels tell nothing"))?,
    };
    if is_absence {
        return Ok(vec![absence(aggregation, windows.steps, series.pop())]);
    }
    Ok(series)
}

/// Reads the rows and makes the series; `None` if a record that counts is marked with an error, which columns do not show.
fn read(context: &Context<'_>, aggregation: &RangeAggregation, grouping: Option<&Grouping>, windows: Windows, way: Way) -> Result<Option<Vec<Series>>> {
    let mut sampler = Sampler::new(aggregation, grouping, context.added, context.now_ns, way)?;
    let mut gather = gather(aggregation, windows)?;
    let (start_ns, end_ns) = windows.bounds();
    let range = TimeRange::from_ns(start_ns, end_ns);
    let needs_order = matches!(aggregation.op, RangeOp::First | RangeOp::Last | RangeOp::RateCounter);
    let mut columns = sampler.columns();
    if needs_order {
        columns.push(schema::SEQUENCE);
    }
    let mut filter = sampler.filter()?;
    let mut taken = Taken::default();
    let is_in_window = |time_ns: i64| windows.pane_of(time_ns).is_some();
    let labels = sampler.label_columns();
    let (rows_read, bytes_read) = visit(context.snapshot, &mut filter, range, &columns, labels, context.leash, &mut |rows, wanted| {
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| Error::internal(format!("cannot aggregate: no column {name}")));
        let times = column(schema::TIMESTAMP)?.as_primitive::<TimestampNanosecondType>().values();
        let sequences = match needs_order {
            true => column(schema::SEQUENCE)?.as_primitive::<UInt64Type>().values().as_ref(),
            false => &[],
        };
        sampler.take(rows, wanted, times, &is_in_window, &mut taken)?;
        let wanted = taken.rows.as_deref().unwrap_or(wanted);
        gather.add(&Rows { times, sequences, rows: wanted, groups: &taken.groups, values: &taken.values });
        context.cover(sampler.bytes() + gather.bytes())
    })?;
    context.note_read(rows_read, bytes_read);
    if sampler.is_by_columns() && filter.has_marked() {
        return Ok(None);
    }
    finish(context, aggregation, &sampler, gather.as_mut()).map(Some)
}

/// What the rows of the aggregation are gathered in.
fn gather(aggregation: &RangeAggregation, windows: Windows) -> Result<Box<dyn Gather>> {
    let is_unwrapped = aggregation.range.unwrap.is_some();
    Ok(match aggregation.op {
        RangeOp::Count | RangeOp::Absent => Box::new(Panes::<Count>::new(windows)),
        RangeOp::Rate if !is_unwrapped => Box::new(Panes::<Count>::new(windows)),
        RangeOp::Rate | RangeOp::Sum | RangeOp::Bytes | RangeOp::BytesRate => Box::new(Panes::<Sum>::new(windows)),
        RangeOp::Avg => Box::new(Panes::<Mean>::new(windows)),
        RangeOp::Min => Box::new(Panes::<Min>::new(windows)),
        RangeOp::Max => Box::new(Panes::<Max>::new(windows)),
        RangeOp::Stdvar | RangeOp::Stddev => Box::new(Panes::<Variance>::new(windows)),
        RangeOp::First => Box::new(Panes::<First>::new(windows)),
        RangeOp::Last => Box::new(Panes::<Last>::new(windows)),
        RangeOp::RateCounter => Box::new(Whole::new(windows, samples::rate_counter(windows.range_ns))),
        RangeOp::Quantile => {
            let quantile = aggregation.parameter.ok_or_else(|| Error::invalid("parameter required for operation quantile_over_time"))?;
            Box::new(Whole::new(windows, samples::quantile(quantile)))
        }
    })
}

fn finish(context: &Context<'_>, aggregation: &RangeAggregation, sampler: &Sampler, gather: &mut dyn Gather) -> Result<Vec<Series>> {
    let seconds = aggregation.range.range_ns as f64 / 1e9;
    let mut series = Vec::new();
    let mut held = 0;
    for group in 0..sampler.groups() {
        let Some(mut values) = gather.finish(group) else { continue };
        for value in values.iter_mut().filter(|value| is_present(**value)) {
            match aggregation.op {
                RangeOp::Rate | RangeOp::BytesRate => *value /= seconds,
                RangeOp::Stddev => *value = value.sqrt(),
                _ => {}
            }
        }
        let labels = sampler.labels(group);
        held += labels_bytes(&labels) + 8 * values.len() as u64 + 64;
        series.push(Series { labels, values });
        if group % 256 == 0 {
            context.leash.check()?;
        }
        context.cover(held + sampler.bytes() + gather.bytes())?;
    }
    Ok(series)
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
