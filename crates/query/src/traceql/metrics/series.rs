//! Series in the making, and what is computed with them: arithmetic, the greatest and the least, filters.

use std::cmp::Ordering;
use std::collections::HashMap;

use signalbox_lang::traceql::tree::{ArithmeticOp, CompareOp, SeriesStage};

use super::steps::Steps;
use crate::traceql::answer::MetricsSeries;
pub(super) use crate::traceql::answer::SpanExemplar as Exemplar;
use crate::traceql::expr::ordered;
use crate::traceql::value::{Key, Value, floats};

/// Label of series that have no other.
pub(super) const NAME: &str = "__name__";

/// A series: NaN where a step has no value.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, Value)>,
    pub(super) values: Vec<f64>,
    pub(super) exemplars: Vec<Exemplar>,
}

impl Series {
    /// Labels without the name, sorted: what tells series apart.
    fn key(&self) -> Vec<(String, Key)> {
        let mut key: Vec<(String, Key)> = self.labels.iter().filter(|(name, _)| name != NAME).map(|(name, value)| (name.clone(), value.key())).collect();
        key.sort_by(|left, right| left.0.cmp(&right.0));
        key
    }

    fn order(&self, other: &Self) -> Ordering {
        let pairs = self.labels.iter().zip(&other.labels);
        let unequal = pairs.map(|(left, right)| left.0.cmp(&right.0).then_with(|| left.1.order(&right.1))).find(|order| order.is_ne());
        unequal.unwrap_or_else(|| self.labels.len().cmp(&other.labels.len()))
    }

    /// As it is answered; `None` without a value. An exemplar without one has that of its step.
    fn answered(self, steps: &Steps) -> Option<MetricsSeries> {
        let values = &self.values;
        let points: Vec<(i64, f64)> = (0..values.len()).filter(|step| !values[*step].is_nan()).map(|step| (steps.end_of(step), values[step])).collect();
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| (name.clone(), value.to_static())).collect();
        let exemplar = |mut exemplar: Exemplar| {
            let of_step = values.get(steps.of(exemplar.at_ns)).copied().filter(|value| !value.is_nan())?;
            if exemplar.value.is_nan() {
                exemplar.value = of_step;
            }
            exemplar.labels.clone_from(&labels);
            Some(exemplar)
        };
        let mut exemplars: Vec<Exemplar> = self.exemplars.into_iter().filter_map(exemplar).collect();
        exemplars.sort_by_key(|exemplar| (exemplar.at_ns, exemplar.trace_id));
        (!points.is_empty()).then_some(MetricsSeries { labels, points, exemplars })
    }
}

/// Series as they are answered, sorted by labels.
pub(super) fn answered(mut series: Vec<Series>, steps: &Steps) -> Vec<MetricsSeries> {
    series.sort_by(Series::order);
    series.into_iter().filter_map(|series| series.answered(steps)).collect()
}

/// Arithmetic as metrics know it: a division by zero has no value.
fn arithmetic(op: ArithmeticOp, left: f64, right: f64) -> f64 {
    if op == ArithmeticOp::Divide && right == 0.0 { f64::NAN } else { floats(op, left, right) }
}

/// Every value of series with a number, which is on the left or on the right.
pub(super) fn with_number(op: ArithmeticOp, mut series: Vec<Series>, number: f64, is_left: bool) -> Vec<Series> {
    for value in series.iter_mut().flat_map(|series| &mut series.values) {
        *value = if is_left { arithmetic(op, number, *value) } else { arithmetic(op, *value, number) };
    }
    series
}

/// Series of equal labels with each other; one without labels goes with each.
pub(super) fn combine(op: ArithmeticOp, left: Vec<Series>, right: Vec<Series>) -> Vec<Series> {
    let by_key = |series: Vec<Series>| -> HashMap<Vec<(String, Key)>, Series> { series.into_iter().map(|series| (series.key(), series)).collect() };
    let (left, right) = (by_key(left), by_key(right));
    let none = Vec::new();
    let target = if right.contains_key(&none) { &left } else { &right };
    let find = |set: &HashMap<Vec<(String, Key)>, Series>, key: &Vec<(String, Key)>| set.get(key).or_else(|| set.get(&none)).cloned();
    let pair = |key: &Vec<(String, Key)>| {
        let (one, other) = (find(&left, key)?, find(&right, key)?);
        let values = one.values.iter().zip(&other.values).map(|(one, other)| arithmetic(op, *one, *other)).collect();
        let exemplars = match (left.contains_key(key), right.contains_key(key)) {
            (true, false) => one.exemplars.clone(),
            (false, true) => other.exemplars.clone(),
            _ => one.exemplars.iter().chain(&other.exemplars).cloned().collect(),
        };
        Some(Series { labels: merged(op, &one.labels, &other.labels), values, exemplars })
    };
    target.keys().filter_map(pair).collect()
}

/// The labels of both; a name only if both have one.
fn merged(op: ArithmeticOp, left: &[(String, Value)], right: &[(String, Value)]) -> Vec<(String, Value)> {
    let name = |labels: &[(String, Value)]| labels.iter().find(|(name, _)| name == NAME).map(|(_, value)| value.clone());
    let mut labels: Vec<(String, Value)> = left.iter().filter(|(name, _)| name != NAME).cloned().collect();
    for label in right.iter().filter(|(name, _)| name != NAME) {
        if !labels.iter().any(|(name, _)| *name == label.0) {
            labels.push(label.clone());
        }
    }
    if let (Some(Value::Text(left)), Some(Value::Text(right))) = (name(left), name(right)) {
        labels.push((NAME.to_owned(), Value::from(format!("({left} {} {right})", op.as_str()))));
    }
    labels
}

/// What a further stage leaves of series.
pub(super) fn staged(mut series: Vec<Series>, stage: &SeriesStage) -> Vec<Series> {
    match stage {
        SeriesStage::TopK(limit) => ranked(series, *limit as usize, |left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))),
        SeriesStage::BottomK(limit) => ranked(series, *limit as usize, |left, right| left.1.total_cmp(&right.1).then(right.0.cmp(&left.0))),
        SeriesStage::Filter(op, wanted) => {
            for series in &mut series {
                filter(series, *op, *wanted);
            }
            series.retain(|series| series.values.iter().any(|value| !value.is_nan()));
            series
        }
    }
}

fn filter(series: &mut Series, op: CompareOp, wanted: f64) {
    for value in &mut series.values {
        if !ordered(op, value, &wanted) {
            *value = f64::NAN;
        }
    }
    series.exemplars.retain(|exemplar| exemplar.value.is_nan() || ordered(op, &exemplar.value, &wanted));
}

/// The first so many series at each step: by place of their labels and value.
fn ranked(mut series: Vec<Series>, limit: usize, order: impl Fn(&(usize, f64), &(usize, f64)) -> Ordering) -> Vec<Series> {
    if series.len() <= limit {
        return series;
    }
    series.sort_by(Series::order);
    let steps = series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    for step in 0..steps {
        let mut values: Vec<(usize, f64)> =
            series.iter().enumerate().map(|(place, series)| (place, series.values[step])).filter(|(_, value)| !value.is_nan()).collect();
        if values.len() > limit {
            values.select_nth_unstable_by(limit, &order);
            for (place, _) in values.drain(limit..) {
                series[place].values[step] = f64::NAN;
            }
        }
    }
    series.retain(|series| series.values.iter().any(|value| !value.is_nan()));
    series
}
