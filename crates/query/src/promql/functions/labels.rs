//! `label_replace` and `label_join`.

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Result};

use super::text;
use crate::pattern;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::names::merge_equal;
use crate::promql::plan::FunctionCall;
use crate::promql::row::Row;

pub(super) fn replace(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let (target, replacement, source, expression) = (text(call, 1), text(call, 2), text(call, 3), text(call, 4));
    let regex = pattern::whole(expression).map_err(|_| Error::invalid(format!("invalid regular expression in label_replace(): {expression}")))?;
    check_name(target, "destination", "label_replace")?;
    relabel(evaluator, call, frame, sink, &|row| {
        let found = row.labels.get(source).unwrap_or("");
        let Some(captures) = regex.captures(found) else { return };
        let mut value = String::new();
        captures.expand(replacement, &mut value);
        set(row, target, &value);
    })
}

pub(super) fn join(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let (target, separator) = (text(call, 1), text(call, 2));
    let sources: Vec<&str> = (3..call.args.len()).map(|index| text(call, index)).collect();
    sources.iter().try_for_each(|source| check_name(source, "source", "label_join"))?;
    check_name(target, "destination", "label_join")?;
    relabel(evaluator, call, frame, sink, &|row| {
        let values: Vec<&str> = sources.iter().map(|source| row.labels.get(source).unwrap_or("")).collect();
        let value = values.join(separator);
        set(row, target, &value);
    })
}

fn check_name(name: &str, role: &str, function: &str) -> Result<()> {
    // Any text that is not empty may be the name of a label.
    if name.is_empty() || name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Error::invalid(format!("invalid {role} label name in {function}(): {name}")));
    }
    Ok(())
}

fn set(row: &mut Row, name: &str, value: &str) {
    let mut labels = row.labels.to_builder();
    labels.set(name, value);
    row.labels = labels.build();
    if name == METRIC_NAME {
        row.drop_name = false;
    }
}

fn relabel(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>, change: &dyn Fn(&mut Row)) -> Result<()> {
    let mut rows = evaluator.collect(&call.args[0], frame)?;
    evaluator.release(&rows);
    rows.iter_mut().for_each(change);
    merge_equal(rows)?.iter_mut().try_for_each(sink)
}
