//! Sorting. Only an instant query keeps the order.

use std::cmp::Ordering;

use signalbox_lang::Span;
use signalbox_lang::promql::Function;
use signalbox_model::Result;

use super::text;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::FunctionCall;

pub(super) fn stream(evaluator: &Evaluator<'_>, call: &FunctionCall, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let mut rows = evaluator.collect(&call.args[0], frame)?;
    evaluator.release(&rows);
    let is_by_label = matches!(call.function, Function::SortByLabel | Function::SortByLabelDesc);
    let is_descending = matches!(call.function, Function::SortDesc | Function::SortByLabelDesc);
    if !is_by_label {
        rows.iter_mut().for_each(|row| row.steps.histograms.clear());
        rows.retain(|row| !row.steps.is_empty());
    }
    if frame.steps > 1 {
        evaluator.notes.sort_in_range_query(span);
    } else if is_by_label {
        let labels: Vec<&str> = (1..call.args.len()).map(|index| text(call, index)).collect();
        rows.sort_by(|left, right| {
            let by = |label: &&str| natural(left.labels.get(label).unwrap_or(""), right.labels.get(label).unwrap_or(""));
            let order = labels.iter().map(by).find(|order| order.is_ne()).unwrap_or_else(|| left.labels.cmp(&right.labels));
            if is_descending { order.reverse() } else { order }
        });
    } else {
        rows.sort_by(|left, right| by_value(left.steps.values[0], right.steps.values[0], is_descending));
    }
    rows.iter_mut().try_for_each(sink)
}

/// NaN last, in both directions.
pub(in crate::promql) fn by_value(left: f64, right: f64, is_descending: bool) -> Ordering {
    match left.partial_cmp(&right) {
        Some(order) if is_descending => order.reverse(),
        Some(order) => order,
        None => left.is_nan().cmp(&right.is_nan()),
    }
}

/// Runs of digits compare as numbers: `a9` before `a10`.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    while !left_rest.is_empty() && !right_rest.is_empty() {
        let (left_run, left_after) = run(left_rest);
        let (right_run, right_after) = run(right_rest);
        let order = match (left_run.parse::<i64>(), right_run.parse::<i64>()) {
            (Ok(left_number), Ok(right_number)) => left_number.cmp(&right_number),
            _ => left_run.cmp(right_run),
        };
        if order.is_ne() {
            return order;
        }
        (left_rest, right_rest) = (left_after, right_after);
    }
    left_rest.len().cmp(&right_rest.len()).then_with(|| left.cmp(right))
}

/// The digits, or the characters that are none, at the start.
fn run(text: &str) -> (&str, &str) {
    let is_digit = |character: char| character.is_ascii_digit();
    let starts_with_digit = text.starts_with(is_digit);
    let end = text.find(|character| is_digit(character) != starts_with_digit).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_as_numbers() {
        let mut texts = ["4m1000", "4m5", "10", "9", "a", "4m600", ""];
        texts.sort_by(|left, right| natural(left, right));
        assert_eq!(texts, ["", "4m5", "4m600", "4m1000", "9", "10", "a"]);
    }

    #[test]
    fn nan_is_last() {
        let mut values = [f64::NAN, 2.0, 1.0];
        values.sort_by(|left, right| by_value(*left, *right, true));
        assert_eq!((values[0], values[1]), (2.0, 1.0));
        values.sort_by(|left, right| by_value(*left, *right, false));
        assert_eq!((values[0], values[1]), (1.0, 2.0));
    }
}
