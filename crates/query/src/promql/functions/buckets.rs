//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`: of classic histograms, whose buckets are series that
//! differ in `le` only, and of native ones, both in one vector.

use hashbrown::HashMap;
use signalbox_lang::Span;
use signalbox_model::{Labels, Result};

use super::classic::{self, Cumulative};
use super::{native, text};
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::names::merge_equal;
use crate::promql::notes::{Monotonicity, Notes};
use crate::promql::number::format_open_metrics;
use crate::promql::plan::{FunctionCall, Plan};
use crate::promql::row::{Cell, Row, Steps};

/// The label with the upper bound of a classic bucket.
const BOUND: &str = "le";

/// The classic histogram that some series make.
struct Group {
    labels: Labels,
    /// Upper bound and position of the series.
    buckets: Vec<(f64, usize)>,
}

/// What is asked of each histogram at a step.
trait Ask {
    fn of_classic(&self, step: usize, buckets: &mut Vec<Cumulative>, metric: &str) -> f64;
    fn of_native(&self, step: usize, histogram: &signalbox_model::Histogram, metric: &str) -> f64;
}

struct Quantile<'a> {
    q: &'a [f64],
    frame: Frame,
    span: Span,
    notes: &'a Notes,
}

impl Ask for Quantile<'_> {
    fn of_classic(&self, step: usize, buckets: &mut Vec<Cumulative>, metric: &str) -> f64 {
        let (value, forced) = classic::quantile(self.q[step], buckets);
        if let Some(forced) = forced {
            let at_ms = self.frame.at(step);
            let classic::Forced { bucket_min, bucket_max, difference_max } = forced;
            let found = Monotonicity { first_ms: at_ms, last_ms: at_ms, bucket_min, bucket_max, difference_max, count: 1 };
            self.notes.forced_monotonicity(metric, found, self.span);
        }
        value
    }

    fn of_native(&self, step: usize, histogram: &signalbox_model::Histogram, metric: &str) -> f64 {
        native::quantile(self.q[step], histogram, metric, self.span, self.notes)
    }
}

struct Fraction<'a> {
    lower: Vec<f64>,
    upper: Vec<f64>,
    span: Span,
    notes: &'a Notes,
}

impl Ask for Fraction<'_> {
    fn of_classic(&self, step: usize, buckets: &mut Vec<Cumulative>, _: &str) -> f64 {
        classic::fraction(self.lower[step], self.upper[step], buckets)
    }

    fn of_native(&self, step: usize, histogram: &signalbox_model::Histogram, metric: &str) -> f64 {
        native::fraction(self.lower[step], self.upper[step], histogram, metric, self.span, self.notes)
    }
}

pub(super) fn quantile(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let q = quantile_param(evaluator, &call.args[0], frame)?;
    let histograms = Histograms::collect(evaluator, &call.args[1], frame)?;
    let ask = Quantile { q: &q, frame: *frame, span: call.args[1].span, notes: &evaluator.notes };
    merge_equal(histograms.answer(&ask, frame))?.iter_mut().try_for_each(sink)
}

pub(super) fn quantiles(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let label = text(call, 1);
    let params = call.args[2..].iter().map(|arg| quantile_param(evaluator, arg, frame)).collect::<Result<Vec<_>>>()?;
    let histograms = Histograms::collect(evaluator, &call.args[0], frame)?;
    let mut rows = Vec::new();
    for q in &params {
        let ask = Quantile { q, frame: *frame, span: call.args[0].span, notes: &evaluator.notes };
        for row in histograms.answer(&ask, frame) {
            rows.extend(labelled(&row, label, q));
        }
    }
    merge_equal(rows)?.iter_mut().try_for_each(sink)
}

/// A row for each value of the quantile, which may differ from step to step.
fn labelled(row: &Row, label: &str, q: &[f64]) -> Vec<Row> {
    let mut made: Vec<(u64, Row)> = Vec::new();
    for step in row.steps.floats.iter() {
        let bits = q[step].to_bits();
        let position = made.iter().position(|(known, _)| *known == bits).unwrap_or_else(|| {
            let mut labels = row.labels.to_builder();
            labels.set(label, &format_open_metrics(q[step]));
            made.push((bits, Row { labels: labels.build(), drop_name: row.drop_name, steps: Steps::empty(row.steps.len()) }));
            made.len() - 1
        });
        made[position].1.steps.set(step, row.steps.values[step]);
    }
    made.into_iter().map(|(_, row)| row).collect()
}

pub(super) fn fraction(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let (lower, upper) = (evaluator.scalar(&call.args[0], frame)?, evaluator.scalar(&call.args[1], frame)?);
    let histograms = Histograms::collect(evaluator, &call.args[2], frame)?;
    let ask = Fraction { lower, upper, span: call.args[2].span, notes: &evaluator.notes };
    merge_equal(histograms.answer(&ask, frame))?.iter_mut().try_for_each(sink)
}

fn quantile_param(evaluator: &Evaluator<'_>, arg: &Plan, frame: &Frame) -> Result<Vec<f64>> {
    let q = evaluator.scalar(arg, frame)?;
    if let Some(invalid) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        evaluator.notes.invalid_quantile(*invalid, arg.span);
    }
    Ok(q)
}

/// The series of a vector, sorted into histograms.
struct Histograms<'a> {
    rows: Vec<Row>,
    groups: Vec<Group>,
    places: HashMap<Labels, usize>,
    notes: &'a Notes,
    span: Span,
}

impl<'a> Histograms<'a> {
    fn collect(evaluator: &'a Evaluator<'_>, input: &Plan, frame: &Frame) -> Result<Self> {
        let rows = evaluator.collect(input, frame)?;
        evaluator.release(&rows);
        let mut made = Self { rows, groups: Vec::new(), places: HashMap::new(), notes: &evaluator.notes, span: input.span };
        for (position, row) in made.rows.iter().enumerate().filter(|(_, row)| !row.steps.floats.is_empty()) {
            let bound = row.labels.get(BOUND).unwrap_or("");
            let Ok(upper) = bound.parse::<f64>() else {
                made.notes.bad_bucket_label(row.labels.metric_name(), bound, input.span);
                continue;
            };
            let labels = row.labels.keep(|name| name != BOUND);
            let group = *made.places.entry(labels.clone()).or_insert_with(|| {
                made.groups.push(Group { labels, buckets: Vec::new() });
                made.groups.len() - 1
            });
            made.groups[group].buckets.push((upper, position));
        }
        // Sorted once here, the buckets of each step are sorted already.
        made.groups.iter_mut().for_each(|group| group.buckets.sort_by(|left, right| left.0.total_cmp(&right.0)));
        Ok(made)
    }

    fn answer(&self, ask: &dyn Ask, frame: &Frame) -> Vec<Row> {
        let mut answers: Vec<Row> = Vec::new();
        // Steps at which a classic histogram has a native one of the same name and labels: neither counts.
        let mut conflicts: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for row in self.rows.iter().filter(|row| row.steps.has_histograms()) {
            let group = self.places.get(&row.labels).copied();
            let mut answer = Row { labels: row.labels.clone(), drop_name: true, steps: Steps::empty(frame.steps) };
            for step in 0..frame.steps {
                let Some(Cell::Histogram(histogram)) = row.steps.get(step) else { continue };
                if let Some(group) = group.filter(|group| self.has_bucket(*group, step)) {
                    self.notes.mixed_classic_and_native(row.labels.metric_name(), self.span);
                    conflicts[group].push(step);
                    continue;
                }
                answer.steps.set(step, ask.of_native(step, histogram, row.labels.metric_name()));
            }
            answers.push(answer);
        }
        let mut buckets = Vec::new();
        for (group, conflicts) in self.groups.iter().zip(conflicts) {
            let mut answer = Row { labels: group.labels.clone(), drop_name: true, steps: Steps::empty(frame.steps) };
            for step in (0..frame.steps).filter(|step| !conflicts.contains(step)) {
                buckets.clear();
                let at_step = group.buckets.iter().map(|(upper, position)| (*upper, &self.rows[*position].steps));
                buckets.extend(at_step.filter(|(_, steps)| steps.floats.get(step)).map(|(upper, steps)| Cumulative { upper, count: steps.values[step] }));
                if !buckets.is_empty() {
                    answer.steps.set(step, ask.of_classic(step, &mut buckets, group.labels.metric_name()));
                }
            }
            answers.push(answer);
        }
        answers.retain(|row| !row.steps.is_empty());
        answers
    }

    fn has_bucket(&self, group: usize, step: usize) -> bool {
        self.groups[group].buckets.iter().any(|(_, position)| self.rows[*position].steps.floats.get(step))
    }
}
