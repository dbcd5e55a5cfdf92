//! Resets that are found out for those who ask for counts and sums of native histograms only.
//!
//! The store says of a histogram that it grew out of the one before, never that it did not: a reset is left to be found by who
//! compares. Below `histogram_count` and its like Prometheus reads without buckets and so compares every sample while it reads.
//! It then knows of resets, and warns where one is added to a histogram that had none. We compare there to warn as well.

use std::sync::Arc;

use signalbox_lang::promql::{BinaryOp, Function};
use signalbox_model::batch::is_stale_nan;
use signalbox_model::histogram::ResetHint;
use signalbox_store::HistogramPoint;

use super::histogram::is_reset;
use super::plan::{Node, Plan, RangeSource};

/// What stands above a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Above {
    Nothing,
    /// Only count and sum are asked for.
    Statistics,
    /// Buckets are asked for, or a subquery leaves samples out.
    Buckets,
}

impl Above {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Buckets, _) | (_, Self::Buckets) => Self::Buckets,
            (Self::Statistics, _) | (_, Self::Statistics) => Self::Statistics,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// Marks the selectors whose histograms tell of resets.
pub(super) fn mark(plan: &mut Plan) {
    mark_below(plan, Above::Nothing);
}

fn mark_below(mut plan: &mut Plan, mut above: Above) {
    loop {
        match &mut plan.node {
            Node::Number(_) | Node::Text(_) => return,
            Node::Select(select) => return select.tells_resets = above == Above::Statistics,
            Node::Range(source) => return mark_source(source, above),
            Node::Over(over) => {
                over.params.iter_mut().for_each(|param| mark_below(param, above));
                return mark_source(&mut over.source, above);
            }
            Node::Call(call) => {
                let above = above.with(match call.function {
                    Function::HistogramCount | Function::HistogramSum | Function::HistogramAvg => Above::Statistics,
                    Function::HistogramQuantile | Function::HistogramQuantiles | Function::HistogramFraction => Above::Buckets,
                    _ => Above::Nothing,
                });
                return call.args.iter_mut().for_each(|arg| mark_below(arg, above));
            }
            Node::Aggregate(aggregation) => {
                aggregation.param.iter_mut().for_each(|param| mark_below(param, above));
                plan = &mut aggregation.input;
            }
            // Down the left side of a chain without recursion.
            Node::Binary(operation) => {
                if matches!(operation.op, BinaryOp::TrimLower | BinaryOp::TrimUpper) {
                    above = Above::Buckets;
                }
                mark_below(&mut operation.right, above);
                plan = &mut operation.left;
            }
            Node::Negate(inner) | Node::Once(inner) => plan = inner,
        }
    }
}

fn mark_source(source: &mut RangeSource, above: Above) {
    match source {
        RangeSource::Selector { select, .. } => select.tells_resets = above == Above::Statistics,
        RangeSource::Subquery { plan, .. } => mark_below(plan, Above::Buckets),
    }
}

/// The histograms, each but the first saying whether it was a reset.
pub(super) fn told(points: &[HistogramPoint]) -> Vec<HistogramPoint> {
    let mut told = points.to_vec();
    for (point, previous) in told.iter_mut().skip(1).zip(points) {
        let is_known = point.histogram.reset_hint != ResetHint::Unknown;
        if is_known || is_stale_nan(point.histogram.sum) || is_stale_nan(previous.histogram.sum) {
            continue;
        }
        let hint = if is_reset(&point.histogram, &previous.histogram) { ResetHint::Reset } else { ResetHint::NotReset };
        Arc::make_mut(&mut point.histogram).reset_hint = hint;
    }
    told
}

#[cfg(test)]
mod tests {
    use signalbox_lang::promql::parse;

    use super::super::frame::QueryTimes;
    use super::super::plan::Planner;

    /// How many selectors of a query tell of resets.
    fn marked(query: &str) -> usize {
        let planner = Planner { times: QueryTimes { start_ms: 0, end_ms: 0, step_ms: 0 }, subquery_step_ms: 60_000 };
        format!("{:?}", planner.plan(&parse(query).unwrap()).unwrap()).matches("tells_resets: true").count()
    }

    #[test]
    fn only_who_asks_for_counts_and_sums_is_told() {
        assert_eq!(marked("h + sum(rate(h[5m]))"), 0);
        assert_eq!(marked("histogram_count(sum(h)) + histogram_sum(rate(h[5m])) + histogram_avg(-h + h)"), 4);
        assert_eq!(marked("histogram_count(h unless histogram_quantile(0.5, h))"), 1);
        assert_eq!(marked("histogram_quantile(0.5, histogram_count(h))"), 0);
        assert_eq!(marked("histogram_count(increase(h[40m:9m])) + histogram_count(h >/ 3)"), 0);
    }
}
