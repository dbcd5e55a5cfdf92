//! Aggregates of sets.

use signalbox_lang::traceql::tree::{Aggregate, ScalarFilter, Static};

use super::field::Trace;
use super::value::{compare_scalars, number};
use signalbox_lang::traceql::tree::CompareOp;

/// The value of the aggregate; `None` where no span has a number.
pub(super) fn aggregate(trace: &Trace, spans: &[usize], filter: &ScalarFilter) -> Option<Static> {
    let Some(field) = &filter.field else { return Some(Static::Int(spans.len() as i64)) };
    let numbers: Vec<Static> = spans.iter().map(|at| trace.value(*at, field).first()).filter(|value| number(value).is_some()).collect();
    let first = numbers.first()?.clone();
    let sum = || {
        let whole = |value: &Static| match value {
            Static::Int(value) | Static::Duration(value) => *value,
            _ => 0,
        };
        let is_like = |like: fn(&Static) -> bool| numbers.iter().all(like);
        if is_like(|value| matches!(value, Static::Int(_))) {
            Static::Int(numbers.iter().map(whole).sum())
        } else if is_like(|value| matches!(value, Static::Duration(_))) {
            Static::Duration(numbers.iter().map(whole).sum())
        } else {
            Static::Float(numbers.iter().filter_map(number).sum())
        }
    };
    let best = |op: CompareOp| numbers[1..].iter().fold(first.clone(), |best, value| if compare_scalars(op, value, &best) { value.clone() } else { best });
    Some(match filter.aggregate {
        Aggregate::Count => Static::Int(spans.len() as i64),
        Aggregate::Min => best(CompareOp::Less),
        Aggregate::Max => best(CompareOp::Greater),
        Aggregate::Sum => sum(),
        Aggregate::Avg => match sum() {
            Static::Duration(sum) => Static::Duration(sum / numbers.len() as i64),
            sum => Static::Float(number(&sum)? / numbers.len() as f64),
        },
    })
}
