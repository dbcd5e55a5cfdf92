//! `topk` and `bottomk`. Histograms are left out.

use signalbox_lang::Span;
use signalbox_lang::promql::AggregateOp;
use signalbox_model::Result;

use super::Groups;
use super::limit::count_param;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::functions::sort::by_value;
use crate::promql::plan::Aggregation;
use crate::promql::row::{Row, Steps};

pub(super) fn stream(evaluator: &Evaluator<'_>, aggregation: &Aggregation, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let Some(counts) = count_param(evaluator, aggregation, frame)? else { return Ok(()) };
    let is_top = aggregation.op == AggregateOp::Topk;
    let (mut groups, mut members) = (Groups::default(), Vec::<Vec<usize>>::new());
    let rows = evaluator.collect(&aggregation.input, frame)?;
    for (position, row) in rows.iter().enumerate() {
        if row.steps.has_histograms() {
            evaluator.notes.histogram_ignored_in_aggregation(aggregation.op.as_str(), span);
        }
        let (group, is_new) = groups.find(&aggregation.grouping, &row.labels);
        if is_new {
            members.push(Vec::new());
        }
        members[group].push(position);
    }
    // What is chosen takes as much room again.
    rows.iter().try_for_each(|row| evaluator.hold_row(row))?;
    let mut chosen: Vec<Steps> = rows.iter().map(|_| Steps::empty(frame.steps)).collect();
    let mut order = Vec::new();
    for members in &members {
        for (step, count) in counts.iter().enumerate() {
            let mut candidates: Vec<(f64, usize)> = members
                .iter()
                .filter(|position| rows[**position].steps.floats.get(step))
                .map(|position| (rows[*position].steps.values[step], *position))
                .collect();
            // Stable: of equal values the series found first stays.
            candidates.sort_by(|left, right| by_value(left.0, right.0, is_top));
            for (value, position) in candidates.into_iter().take(*count) {
                chosen[position].set(step, value);
                order.push(position);
            }
        }
    }
    evaluator.release(&rows);
    evaluator.release(&rows);
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    // In an instant query groups come one after the other, best first.
    for position in order {
        if let Some(mut row) = rows[position].take() {
            row.steps = std::mem::take(&mut chosen[position]);
            sink(&mut row)?;
        }
    }
    Ok(())
}
