//! Functions of time: when a sample was taken, and which date that or a value is.

use signalbox_lang::promql::Function;
use signalbox_model::{Labels, Result};

use super::math::pass_on;
use crate::promql::calendar::Civil;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::ops::select::{Take, stream_taking};
use crate::promql::plan::{FunctionCall, Node};
use crate::promql::row::{Row, Steps};

/// `timestamp` and `start_timestamp`: of the samples that a selector finds; of a computed value the instant of evaluation
/// and nothing.
pub(super) fn timestamp(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let is_start = call.function == Function::StartTimestamp;
    let input = &call.args[0];
    if let Node::Select(select) = &input.node {
        let take = if is_start { Take::StartTime } else { Take::Time };
        return stream_taking(evaluator, select, frame, take, &mut |row| pass_on(row, sink));
    }
    if let (Node::Once(inner), true) = (&input.node, is_start)
        && let Node::Select(select) = &inner.node
    {
        return stream_taking(evaluator, select, frame, Take::StartTime, &mut |row| pass_on(row, sink));
    }
    if is_start {
        return Ok(());
    }
    evaluator.stream(input, frame, &mut |row| {
        for step in 0..frame.steps {
            if row.steps.has(step) {
                row.steps.set(step, frame.at(step) as f64 / 1000.0);
            }
        }
        pass_on(row, sink)
    })
}

/// What a function tells of a date.
pub(super) fn of_date(function: Function) -> Option<fn(Civil) -> u32> {
    Some(match function {
        Function::DaysInMonth => |date| date.days_in_month(),
        Function::DayOfMonth => |date| date.day,
        Function::DayOfWeek => |date| date.day_of_week(),
        Function::DayOfYear => |date| date.day_of_year(),
        Function::Hour => |date| date.hour,
        Function::Minute => |date| date.minute,
        Function::Month => |date| date.month,
        Function::Year => |date| u32::try_from(date.year).unwrap_or(0),
        _ => return None,
    })
}

/// Functions of dates, of the instant of evaluation when there is no argument.
pub(super) fn date(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let Some(tell) = of_date(call.function) else { return Ok(()) };
    let of_seconds = |seconds: i64| f64::from(tell(Civil::of_seconds(seconds)));
    let Some(input) = call.args.first() else {
        let values = frame.instants().map(|at_ms| of_seconds(at_ms.div_euclid(1000))).collect();
        return sink(&mut Row::new(Labels::empty(), Steps::dense(values)));
    };
    evaluator.stream(input, frame, &mut |row| {
        row.steps.map_floats(|value| of_seconds(value as i64));
        pass_on(row, sink)
    })
}
