//! Aggregations over series: one result for each group and step, or the chosen series themselves.

use std::cmp::Ordering;
use std::collections::HashMap;

use signalbox_lang::logql::ast::{Grouping, VectorAggregation, VectorOp};
use signalbox_model::{Error, Result};

use super::eval::Context;
use super::range::Foremost;
use super::series::{Series, absent, is_present};
use super::states::{Count, Max, Mean, Min, State, Sum, Variance};
use crate::logql::labels::LabelSet;

/// Aggregates series.
///
/// # Errors
/// `Invalid` without the number that `topk` and `bottomk` need; of the leash.
pub(super) fn aggregate(context: &Context<'_>, aggregation: &VectorAggregation, grouping: &Grouping, series: Vec<Series>) -> Result<Vec<Series>> {
    let steps = context.frame.steps;
    if let Some(Foremost { count, order }) = foremost(aggregation)? {
        return Ok(choose(grouping, series, steps, count, order));
    }
    Ok(match aggregation.op {
        VectorOp::Sum => fold::<Sum>(grouping, series, steps, |state| state.value()),
        VectorOp::Avg => fold::<Mean>(grouping, series, steps, |state| state.value()),
        VectorOp::Min => fold::<Min>(grouping, series, steps, |state| state.value()),
        VectorOp::Max => fold::<Max>(grouping, series, steps, |state| state.value()),
        VectorOp::Count => fold::<Count>(grouping, series, steps, |state| state.value()),
        VectorOp::Stdvar => fold::<Variance>(grouping, series, steps, |state| state.value()),
        VectorOp::Stddev => fold::<Variance>(grouping, series, steps, |state| state.value().sqrt()),
        VectorOp::Topk | VectorOp::ApproxTopk | VectorOp::Bottomk => return Err(Error::internal("cannot choose series: they were chosen before")),
        VectorOp::Sort => sort(context, series, ascending),
        VectorOp::SortDesc => sort(context, series, descending),
    })
}

/// How many series an aggregation chooses and which come first; `None` if it is another one.
///
/// # Errors
/// `Invalid` without the number that `topk` and `bottomk` need.
pub(super) fn foremost(aggregation: &VectorAggregation) -> Result<Option<Foremost>> {
    let order = match aggregation.op {
        VectorOp::Topk | VectorOp::ApproxTopk => descending,
        VectorOp::Bottomk => ascending,
        _ => return Ok(None),
    };
    let count = aggregation.parameter.ok_or_else(|| Error::invalid("parameter required for operation topk and bottomk"))?;
    Ok(Some(Foremost { count: usize::try_from(count).unwrap_or(0), order }))
}

/// Lower values first, NaN last.
fn ascending(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Higher values first, NaN last.
fn descending(left: f64, right: f64) -> Ordering {
    right.partial_cmp(&left).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// The labels of the group of a series.
pub(super) fn grouped(grouping: &Grouping, labels: &LabelSet) -> LabelSet {
    labels.iter().filter(|(name, _)| grouping.labels.contains(name) != grouping.is_without).cloned().collect()
}

fn fold<S: State>(grouping: &Grouping, series: Vec<Series>, steps: usize, value: impl Fn(&S) -> f64) -> Vec<Series> {
    let mut numbers: HashMap<LabelSet, usize> = HashMap::new();
    let mut groups: Vec<(LabelSet, Vec<Option<S>>)> = Vec::new();
    for one in series {
        let labels = grouped(grouping, &one.labels);
        let number = *numbers.entry(labels).or_insert_with_key(|labels| {
            groups.push((labels.clone(), vec![None; steps]));
            groups.len() - 1
        });
        for (state, value) in groups[number].1.iter_mut().zip(one.values) {
            match state {
                _ if !is_present(value) => {}
                Some(state) => state.add((0, 0), value),
                None => *state = Some(S::of((0, 0), value)),
            }
        }
    }
    let finish = |state: &Option<S>| state.as_ref().map_or_else(absent, &value);
    groups.into_iter().map(|(labels, states)| Series { labels, values: states.iter().map(finish).collect() }).collect()
}

/// Keeps, at each step, the values of so many series of each group that come first.
fn choose(grouping: &Grouping, mut series: Vec<Series>, steps: usize, count: usize, order: fn(f64, f64) -> Ordering) -> Vec<Series> {
    // Of equal values the first by labels is chosen.
    series.sort_by(|left, right| left.labels.cmp(&right.labels));
    let mut groups: HashMap<LabelSet, Vec<usize>> = HashMap::new();
    for (number, one) in series.iter().enumerate() {
        groups.entry(grouped(grouping, &one.labels)).or_default().push(number);
    }
    for members in groups.into_values() {
        for step in 0..steps {
            let mut present: Vec<usize> = members.iter().copied().filter(|number| is_present(series[*number].values[step])).collect();
            if present.len() <= count {
                continue;
            }
            let by_value = |left: &usize, right: &usize| order(series[*left].values[step], series[*right].values[step]).then(left.cmp(right));
            if count > 0 {
                present.select_nth_unstable_by(count - 1, by_value);
            }
            for number in present.split_off(count) {
                series[number].values[step] = absent();
            }
        }
    }
    series.retain(|one| !one.is_empty());
    series
}

/// Sorts by the value at an instant; over a range there is no order.
fn sort(context: &Context<'_>, mut series: Vec<Series>, order: fn(f64, f64) -> Ordering) -> Vec<Series> {
    if context.frame.is_instant {
        series.retain(|one| !one.is_empty());
        series.sort_by(|left, right| order(left.values[0], right.values[0]).then_with(|| left.labels.cmp(&right.labels)));
    }
    series
}
