//! Selectors that occur more than once are read once: `sum(rate(x[5m])) / sum(rate(x[5m])) > 0` decodes `x` one time.
//!
//! What counts is the set of matchers, in whatever order, and that the times overlap; functions and ranges may differ. The
//! samples are kept from the first use to the last, as long as they fit the memory of the query; else they are read again.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;
use signalbox_model::Matcher;
use signalbox_store::{HistogramPoint, SeriesHandle, SeriesSamples};

use super::frame::Frame;
use super::ops::over::{margins, subquery_frame};
use super::plan::{Node, Plan, RangeSource, Select};

/// Matchers in an order of their own.
type Key = Vec<(String, &'static str, String)>;

fn key(matchers: &[Matcher]) -> Key {
    let mut key: Key = matchers.iter().map(|matcher| (matcher.name.clone(), matcher.op.as_str(), matcher.value.clone())).collect();
    key.sort_unstable();
    key.dedup();
    key
}

/// Milliseconds, both ends included.
type Range = (i64, i64);

/// Samples of a series, kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) series: SeriesHandle,
    times: Vec<i64>,
    values: Vec<f64>,
    starts: Vec<i64>,
    histograms: Vec<HistogramPoint>,
    times_id: u64,
}

impl Kept {
    pub(super) fn of(series: &SeriesHandle, samples: &SeriesSamples<'_>) -> Self {
        Self {
            series: series.clone(),
            times: samples.ts_ms.to_vec(),
            values: samples.values.to_vec(),
            starts: samples.start_ms.to_vec(),
            histograms: samples.histograms.to_vec(),
            times_id: samples.times_id,
        }
    }

    pub(super) fn samples(&self) -> SeriesSamples<'_> {
        SeriesSamples { ts_ms: &self.times, values: &self.values, start_ms: &self.starts, histograms: &self.histograms, times_id: self.times_id }
    }
}

/// What is known of a selector that occurs more than once.
#[derive(Debug)]
struct Shared {
    range: Range,
    /// Uses that are still to come.
    uses: usize,
    kept: Option<Rc<Vec<Kept>>>,
}

/// What a use of a selector should do.
pub(super) enum Reading {
    /// Read for this use alone.
    Alone,
    /// Read a wider range and keep it for the uses to come.
    Keep(Range),
    /// Others have read it; whether this was the last use.
    Kept(Rc<Vec<Kept>>, bool),
}

/// The selectors of a query that occur more than once.
#[derive(Debug, Default)]
pub(super) struct Reads {
    shared: RefCell<HashMap<Key, Shared>>,
}

impl Reads {
    pub(super) fn of(plan: &Plan, frame: &Frame, lookback_ms: i64) -> Self {
        let mut uses = Uses { lookback_ms, found: HashMap::new() };
        uses.visit(plan, frame);
        let shared = uses.found.into_iter().filter_map(|(key, ranges)| {
            let hull = ranges.iter().copied().reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)))?;
            let sum: i128 = ranges.iter().map(|range| i128::from(range.1) - i128::from(range.0) + 1).sum();
            // Ranges that lie apart (`x offset 1w`) would read what nobody asks for.
            let is_worth_it = ranges.len() > 1 && i128::from(hull.1) - i128::from(hull.0) < sum;
            is_worth_it.then_some((key, Shared { range: hull, uses: ranges.len(), kept: None }))
        });
        Self { shared: RefCell::new(shared.collect()) }
    }

    /// To be asked once a use.
    pub(super) fn reading(&self, matchers: &[Matcher], range: Range) -> Reading {
        let mut all = self.shared.borrow_mut();
        if all.is_empty() {
            return Reading::Alone;
        }
        let Some(shared) = all.get_mut(&key(matchers)) else { return Reading::Alone };
        if range.0 < shared.range.0 || range.1 > shared.range.1 {
            return Reading::Alone;
        }
        shared.uses = shared.uses.saturating_sub(1);
        let is_last = shared.uses == 0;
        match if is_last { shared.kept.take() } else { shared.kept.clone() } {
            Some(kept) => Reading::Kept(kept, is_last),
            None if is_last => Reading::Alone,
            None => Reading::Keep(shared.range),
        }
    }

    pub(super) fn keep(&self, matchers: &[Matcher], kept: Vec<Kept>) {
        if let Some(shared) = self.shared.borrow_mut().get_mut(&key(matchers)) {
            shared.kept = Some(Rc::new(kept));
        }
    }
}

/// Collects when each selector is used.
struct Uses {
    lookback_ms: i64,
    found: HashMap<Key, Vec<Range>>,
}

impl Uses {
    fn visit(&mut self, plan: &Plan, frame: &Frame) {
        match &plan.node {
            Node::Number(_) | Node::Text(_) => {}
            Node::Select(select) => {
                let after_ms = margins(select.edges, self.lookback_ms).1;
                let first_ms = select.place.of(frame.start_ms).saturating_sub(self.lookback_ms).saturating_add(1);
                self.add(select, (first_ms, select.place.of(frame.last_ms()).saturating_add(after_ms)));
            }
            Node::Range(source) => self.visit_range(source, frame),
            Node::Over(over) => {
                self.visit_range(&over.source, frame);
                over.params.iter().for_each(|param| self.visit(param, frame));
            }
            Node::Call(call) => call.args.iter().for_each(|arg| self.visit(arg, frame)),
            Node::Aggregate(aggregation) => {
                aggregation.param.iter().for_each(|param| self.visit(param, frame));
                self.visit(&aggregation.input, frame);
            }
            Node::Binary(_) => {
                // Down the left side of a chain without recursion.
                let mut left = plan;
                while let Node::Binary(operation) = &left.node {
                    self.visit(&operation.right, frame);
                    left = &operation.left;
                }
                self.visit(left, frame);
            }
            Node::Negate(inner) => self.visit(inner, frame),
            Node::Once(inner) => self.visit(inner, &frame.first()),
        }
    }

    fn visit_range(&mut self, source: &RangeSource, frame: &Frame) {
        let place = source.place();
        let (first_ms, last_ms) = (place.of(frame.start_ms).saturating_sub(source.range_ms()), place.of(frame.last_ms()));
        match source {
            RangeSource::Selector { select, .. } => {
                let (before_ms, after_ms) = margins(select.edges, self.lookback_ms);
                self.add(select, (first_ms.saturating_sub(before_ms).saturating_add(1), last_ms.saturating_add(after_ms)));
            }
            RangeSource::Subquery { plan, step_ms, .. } => {
                // Too many steps fail when they are evaluated.
                if let Ok(Some(inner)) = subquery_frame(first_ms, last_ms, *step_ms, u64::MAX) {
                    self.visit(plan, &inner);
                }
            }
        }
    }

    fn add(&mut self, select: &Select, range: Range) {
        self.found.entry(key(&select.matchers)).or_default().push(range);
    }
}

#[cfg(test)]
mod tests {
    use signalbox_lang::promql::parse;

    use super::super::frame::QueryTimes;
    use super::super::plan::Planner;
    use super::*;

    const MINUTE: i64 = 60_000;

    fn shared(query: &str) -> Vec<(usize, Range)> {
        let planner = Planner { times: QueryTimes { start_ms: 0, end_ms: 60 * MINUTE, step_ms: MINUTE }, subquery_step_ms: MINUTE };
        let plan = planner.plan(&parse(query).unwrap()).unwrap();
        let reads = Reads::of(&plan, &Frame { start_ms: 0, step_ms: MINUTE, steps: 61 }, 5 * MINUTE);
        reads.shared.into_inner().into_values().map(|shared| (shared.uses, shared.range)).collect()
    }

    #[test]
    fn selectors_are_shared_whatever_is_done_with_them() {
        let range = (-10 * MINUTE + 1, 60 * MINUTE);
        assert_eq!(shared(r#"sum(rate(x{a="1",b="2"}[5m])) / sum(increase(x{b="2",a="1"}[10m]))"#), [(2, range)]);
        assert_eq!(shared("x + x + x offset 5m"), [(3, range)]);
        assert_eq!(shared("max_over_time(x[5m:1m]) > x"), [(2, (-9 * MINUTE + 1, 60 * MINUTE))]);
        assert_eq!(shared(r#"x{a="1"} + x{a="2"}"#), []);
        // Two hours apart: together they would read an hour that nobody needs.
        assert_eq!(shared("x / x offset 2h"), []);
    }
}
