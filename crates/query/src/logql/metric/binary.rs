//! Binary operations: numbers with series, series with series that match.

use std::collections::HashMap;

use signalbox_lang::logql::BinaryOp;
use signalbox_lang::logql::ast::{BinaryExpr, Matching};
use signalbox_model::{Error, Result};

use super::eval::{Context, Value};
use super::series::{Series, absent, is_present, label};
use crate::logql::labels::LabelSet;

/// The value of an operation.
///
/// # Errors
/// `Invalid` for series that match more than one where they may not.
pub(super) fn combine(context: &Context<'_>, expr: &BinaryExpr, left: Value, right: Value) -> Result<Value> {
    let is_set = matches!(expr.op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless);
    match (left, right) {
        (Value::Scalar(_), _) | (_, Value::Scalar(_)) if is_set => {
            Err(Error::invalid(format!("cannot use a number with {}: want series on both sides", expr.op.as_str())))
        }
        (Value::Scalar(left), Value::Scalar(right)) => Ok(Value::Scalar(expr.op.apply(left, right))),
        (Value::Vector(series), Value::Scalar(number)) => Ok(Value::Vector(with_number(expr, series, |value| (value, number)))),
        (Value::Scalar(number), Value::Vector(series)) => Ok(Value::Vector(with_number(expr, series, |value| (number, value)))),
        (Value::Vector(left), Value::Vector(right)) => {
            let mut pairs = Pairs::of(expr, left, right);
            for step in 0..context.frame.steps {
                if step % 256 == 0 {
                    context.leash.check()?;
                }
                if is_set { pairs.set_step(expr.op, step) } else { pairs.match_step(expr, step)? }
            }
            Ok(Value::Vector(pairs.results))
        }
    }
}

/// Applies an operation to each value; a comparison that does not return a truth keeps the value of the series.
fn with_number(expr: &BinaryExpr, mut series: Vec<Series>, operands: impl Fn(f64) -> (f64, f64)) -> Vec<Series> {
    for value in series.iter_mut().flat_map(|one| &mut one.values).filter(|value| is_present(**value)) {
        let (left, right) = operands(*value);
        let result = expr.op.apply(left, right);
        if !is_filter(expr) {
            *value = result;
        } else if result == 0.0 {
            *value = absent();
        }
    }
    series
}

/// Whether the operation keeps or drops values instead of computing others.
fn is_filter(expr: &BinaryExpr) -> bool {
    matches!(expr.op, BinaryOp::Compare(_)) && !expr.returns_bool
}

/// Two sides and the results of the steps so far.
struct Pairs {
    left: Vec<Series>,
    right: Vec<Series>,
    /// What the series of each side are matched by, as numbers below `keys`.
    left_keys: Vec<usize>,
    right_keys: Vec<usize>,
    keys: usize,
    steps: usize,
    results: Vec<Series>,
    /// Step of the last match of each result.
    matched: Vec<usize>,
    by_labels: HashMap<LabelSet, usize>,
    /// Result of a pair that matched before. Of set operations: of a series of either side.
    by_pair: HashMap<(usize, usize), usize>,
}

impl Pairs {
    fn of(expr: &BinaryExpr, left: Vec<Series>, right: Vec<Series>) -> Self {
        let mut numbers: HashMap<LabelSet, usize> = HashMap::new();
        let mut keys_of = |series: &[Series]| {
            let key = |one: &Series| {
                let next = numbers.len();
                *numbers.entry(key(expr.matching.as_ref(), &one.labels)).or_insert(next)
            };
            series.iter().map(key).collect::<Vec<_>>()
        };
        let (left_keys, right_keys) = (keys_of(&left), keys_of(&right));
        let steps = left.iter().chain(&right).map(|one| one.values.len()).next().unwrap_or(0);
        let (results, matched, by_labels, by_pair) = (Vec::new(), Vec::new(), HashMap::new(), HashMap::new());
        Self { left, right, left_keys, right_keys, keys: numbers.len(), steps, results, matched, by_labels, by_pair }
    }

    /// Where the result of a pair goes.
    fn result(&mut self, pair: (usize, usize), labels: impl FnOnce(&Self) -> LabelSet) -> usize {
        if let Some(result) = self.by_pair.get(&pair) {
            return *result;
        }
        let labels = labels(self);
        let next = self.results.len();
        let result = *self.by_labels.entry(labels.clone()).or_insert(next);
        if result == next {
            self.results.push(Series::new(labels, self.steps));
            self.matched.push(usize::MAX);
        }
        self.by_pair.insert(pair, result);
        result
    }

    fn set_step(&mut self, op: BinaryOp, step: usize) {
        let mut is_there = vec![false; self.keys];
        let (others, other_keys) = if op == BinaryOp::Or { (&self.left, &self.left_keys) } else { (&self.right, &self.right_keys) };
        for (one, key) in others.iter().zip(other_keys) {
            is_there[*key] |= is_present(one.values[step]);
        }
        for number in 0..self.left.len() {
            let value = self.left[number].values[step];
            let is_wanted = match op {
                BinaryOp::And => is_there[self.left_keys[number]],
                BinaryOp::Unless => !is_there[self.left_keys[number]],
                _ => true,
            };
            if is_wanted && is_present(value) {
                let result = self.result((number, usize::MAX), |pairs| pairs.left[number].labels.clone());
                self.results[result].values[step] = value;
            }
        }
        if op != BinaryOp::Or {
            return;
        }
        for number in 0..self.right.len() {
            let value = self.right[number].values[step];
            if is_present(value) && !is_there[self.right_keys[number]] {
                let result = self.result((usize::MAX, number), |pairs| pairs.right[number].labels.clone());
                self.results[result].values[step] = value;
            }
        }
    }

    fn match_step(&mut self, expr: &BinaryExpr, step: usize) -> Result<()> {
        let group = expr.matching.as_ref().and_then(|matching| matching.group.as_ref());
        // "Many" is the left side but for group_right.
        let is_swapped = group.is_some_and(|group| !group.is_left);
        let (many, one) = if is_swapped { (self.right.len(), &self.left) } else { (self.left.len(), &self.right) };
        let one_keys = if is_swapped { &self.left_keys } else { &self.right_keys };
        let mut partners: Vec<Option<usize>> = vec![None; self.keys];
        for (number, key) in one_keys.iter().enumerate() {
            if is_present(one[number].values[step]) && partners[*key].replace(number).is_some() {
                let side = if is_swapped { "left" } else { "right" };
                return Err(Error::invalid(format!(
                    "found duplicate series on the {side} hand-side;many-to-many matching not allowed: matching labels must be unique on one side"
                )));
            }
        }
        let mut is_matched = vec![false; self.keys];
        for number in 0..many {
            let (series, key) = if is_swapped { (&self.right[number], self.right_keys[number]) } else { (&self.left[number], self.left_keys[number]) };
            let own = series.values[step];
            let Some(partner) = partners[key].filter(|_| is_present(own)) else { continue };
            if group.is_none() && std::mem::replace(&mut is_matched[key], true) {
                return Err(Error::invalid("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"));
            }
            let (left, right) = if is_swapped { (self.left[partner].values[step], own) } else { (own, self.right[partner].values[step]) };
            let computed = expr.op.apply(left, right);
            let result = self.result((number, partner), |pairs| {
                let (many, one) = if is_swapped { (&pairs.right[number], &pairs.left[partner]) } else { (&pairs.left[number], &pairs.right[partner]) };
                result_labels(expr.matching.as_ref(), &many.labels, &one.labels)
            });
            // A comparison that drops the value is a match too, as in Loki.
            if std::mem::replace(&mut self.matched[result], step) == step && group.is_some() {
                return Err(Error::invalid("multiple matches for labels: grouping labels must ensure unique matches"));
            }
            self.results[result].values[step] = match is_filter(expr) {
                true if computed == 0.0 => absent(),
                true => left,
                false => computed,
            };
        }
        Ok(())
    }
}

/// What a series is matched by.
fn key(matching: Option<&Matching>, labels: &LabelSet) -> LabelSet {
    let Some(matching) = matching else { return labels.clone() };
    labels.iter().filter(|(name, _)| matching.labels.contains(name) == matching.is_on).cloned().collect()
}

/// Labels of the result of a pair.
fn result_labels(matching: Option<&Matching>, many: &LabelSet, one: &LabelSet) -> LabelSet {
    let Some(matching) = matching else { return many.clone() };
    let Some(group) = &matching.group else { return key(Some(matching), many) };
    let mut labels = many.clone();
    for name in &group.include {
        labels.retain(|(own, _)| own != name);
        let value = label(one, name);
        if !value.is_empty() {
            let at = labels.partition_point(|(own, _)| own < name);
            labels.insert(at, (name.clone(), value.to_owned()));
        }
    }
    labels
}
