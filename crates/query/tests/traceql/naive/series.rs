//! Series of spans.

use std::collections::BTreeMap;

use signalbox_lang::traceql::tree::{
    Aggregate, ArithmeticOp, Attribute, FieldExpr, Intrinsic, MetricsExpr, MetricsFunction, Pipeline, Scope, SeriesStage, Static,
};

use super::NoAnswer;
use super::field::Trace;
use super::pipeline::search;
use super::value::{number, of_attribute, ordered};

const NAME: &str = "__name__";

/// Labels in their order, and a value or none for each step.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Series {
    pub(in super::super) labels: Vec<(String, Static)>,
    pub(in super::super) values: Vec<Option<f64>>,
}

/// The steps of a question: each holds what starts after its begin and not after its end.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Steps {
    pub(in super::super) begin_ns: i64,
    pub(in super::super) step_ns: i64,
    pub(in super::super) count: usize,
}

impl Steps {
    /// A range begins at a whole multiple of its step; one step over the whole range is as it is.
    pub(in super::super) fn new(start_ns: i64, end_ns: i64, step_ns: i64) -> Self {
        if end_ns - start_ns == step_ns {
            return Self { begin_ns: start_ns, step_ns, count: 1 };
        }
        let begin_ns = start_ns / step_ns * step_ns;
        let mut count = 0;
        while begin_ns + count * step_ns < end_ns {
            count += 1;
        }
        Self { begin_ns, step_ns, count: count as usize }
    }

    pub(in super::super) fn end_of(&self, step: usize) -> i64 {
        self.begin_ns + (step as i64 + 1) * self.step_ns
    }

    fn of(&self, at_ns: i64) -> Option<usize> {
        (0..self.count).find(|step| at_ns > self.end_of(*step) - self.step_ns && at_ns <= self.end_of(*step))
    }
}

enum Found {
    Number(f64),
    Series(Vec<Series>),
}

/// The series of a metrics query without `compare`.
pub(in super::super) fn metrics(traces: &[Trace], expr: &MetricsExpr, steps: Steps) -> Result<Vec<Series>, NoAnswer> {
    match evaluate(traces, expr, steps)? {
        Found::Series(series) => Ok(series.into_iter().filter(has_value).collect()),
        Found::Number(_) => panic!("a number is no query"),
    }
}

fn has_value(series: &Series) -> bool {
    series.values.iter().any(Option::is_some)
}

fn evaluate(traces: &[Trace], expr: &MetricsExpr, steps: Steps) -> Result<Found, NoAnswer> {
    Ok(match expr {
        MetricsExpr::Number(value) => Found::Number(*value),
        MetricsExpr::Spans { pipeline, function } => Found::Series(of_spans(traces, pipeline, function, steps)?),
        MetricsExpr::Then(inner, stage) => match evaluate(traces, inner, steps)? {
            Found::Series(series) => Found::Series(staged(series, stage, steps)?),
            Found::Number(_) => panic!("a number has no stages"),
        },
        MetricsExpr::Binary(op, left, right) => match (evaluate(traces, left, steps)?, evaluate(traces, right, steps)?) {
            (Found::Series(left), Found::Series(right)) => Found::Series(combined(*op, &left, &right)),
            (Found::Series(series), Found::Number(number)) => Found::Series(each(series, |value| arithmetic(*op, value, number))),
            (Found::Number(number), Found::Series(series)) => Found::Series(each(series, |value| arithmetic(*op, number, value))),
            (Found::Number(_), Found::Number(_)) => panic!("numbers are calculated by the parser"),
        },
    })
}

/// Spans that a pipeline leaves and that start within the steps: trace, place, step.
fn spans_of(traces: &[Trace], pipeline: &Pipeline, steps: Steps) -> Result<Vec<(usize, usize, usize)>, NoAnswer> {
    let mut found = Vec::new();
    for (number, trace) in traces.iter().enumerate() {
        for at in search(trace, pipeline)?.iter().flat_map(|set| &set.spans) {
            if let Some(step) = steps.of(trace.spans[*at].start_ns) {
                found.push((number, *at, step));
            }
        }
    }
    Ok(found)
}

/// Values of one group, by step.
type Group = (Vec<Static>, Vec<Vec<Static>>);

fn of_spans(traces: &[Trace], pipeline: &Pipeline, function: &MetricsFunction, steps: Steps) -> Result<Vec<Series>, NoAnswer> {
    let none = Vec::new();
    let (name, field, by) = match function {
        MetricsFunction::Rate { by } => ("rate", None, by),
        MetricsFunction::CountOverTime { by } => ("count_over_time", None, by),
        MetricsFunction::OverTime { aggregate, field, by } => match aggregate {
            Aggregate::Min => ("min_over_time", Some(field), by),
            Aggregate::Max => ("max_over_time", Some(field), by),
            Aggregate::Avg => ("avg_over_time", Some(field), by),
            _ => ("sum_over_time", Some(field), by),
        },
        MetricsFunction::QuantileOverTime { field, by, .. } => ("quantile_over_time", Some(field), by),
        MetricsFunction::HistogramOverTime { field, by } => ("histogram_over_time", Some(field), by),
        MetricsFunction::Compare { .. } => ("compare", None, &none),
    };
    let mut groups: Vec<Group> = Vec::new();
    if by.is_empty() && field.is_none() {
        // Counts are there without spans too.
        groups.push((Vec::new(), vec![Vec::new(); steps.count]));
    }
    for (trace, at, step) in spans_of(traces, pipeline, steps)? {
        let value = field.map_or(Static::Nil, |field| traces[trace].attribute(at, field).first());
        if field.is_some() && number(&value).is_none() {
            continue;
        }
        let labels: Vec<Static> = by.iter().map(|attribute| traces[trace].attribute(at, attribute).first()).collect();
        let group = match groups.iter().position(|(known, _)| *known == labels) {
            Some(group) => group,
            None => {
                groups.push((labels, vec![Vec::new(); steps.count]));
                groups.len() - 1
            }
        };
        groups[group].1[step].push(value);
    }
    let mut series = Vec::new();
    for (labels, values) in groups {
        let labels: Vec<(String, Static)> = by.iter().map(Attribute::attribute_name).zip(labels).filter(|(_, value)| *value != Static::Nil).collect();
        match function {
            MetricsFunction::QuantileOverTime { quantiles, .. } => {
                let buckets: Vec<BTreeMap<u64, f64>> = values.iter().map(|values| bucketed(values)).collect();
                if buckets.iter().any(|buckets| !buckets.is_empty()) {
                    for p in quantiles {
                        let values = buckets.iter().map(|buckets| Some(quantile(*p, buckets))).collect();
                        series.push(Series { labels: with(&labels, "p", *p), values });
                    }
                }
            }
            MetricsFunction::HistogramOverTime { .. } => {
                let buckets: Vec<BTreeMap<u64, f64>> = values.iter().map(|values| bucketed(values)).collect();
                let mut all: Vec<u64> = buckets.iter().flat_map(|buckets| buckets.keys().copied()).collect();
                all.sort_unstable();
                all.dedup();
                for bucket in all {
                    let values = buckets.iter().map(|buckets| Some(buckets.get(&bucket).copied().unwrap_or(0.0))).collect();
                    series.push(Series { labels: with(&labels, "__bucket", f64::from_bits(bucket)), values });
                }
            }
            _ => {
                let labels = match (labels.is_empty(), by.first()) {
                    (true, Some(first)) => vec![(first.attribute_name(), Static::Nil)],
                    (true, None) => vec![(NAME.to_owned(), Static::Text(name.to_owned()))],
                    _ => labels,
                };
                let values = values.iter().map(|values| reduced(function, values, steps)).collect();
                series.push(Series { labels, values });
            }
        }
    }
    Ok(series)
}

fn with(labels: &[(String, Static)], name: &str, value: f64) -> Vec<(String, Static)> {
    labels.iter().cloned().chain([(name.to_owned(), Static::Float(value))]).collect()
}

/// Durations are seconds in series.
fn seconds(value: &Static) -> f64 {
    let number = number(value).unwrap();
    if matches!(value, Static::Duration(_)) { number / 1e9 } else { number }
}

fn reduced(function: &MetricsFunction, values: &[Static], steps: Steps) -> Option<f64> {
    let numbers = || values.iter().map(seconds);
    match function {
        MetricsFunction::Rate { .. } => Some(values.len() as f64 / (steps.step_ns as f64 / 1e9)),
        MetricsFunction::OverTime { aggregate, .. } => match aggregate {
            Aggregate::Min => numbers().reduce(f64::min),
            Aggregate::Max => numbers().reduce(f64::max),
            _ if values.is_empty() => None,
            Aggregate::Avg => Some(numbers().sum::<f64>() / values.len() as f64),
            _ => Some(numbers().sum()),
        },
        _ => Some(values.len() as f64),
    }
}

/// Counts by bucket: the power of two that an integer, or the nanoseconds of a duration, does not exceed. Below 2 there are none.
fn bucketed(values: &[Static]) -> BTreeMap<u64, f64> {
    let mut buckets = BTreeMap::new();
    for value in values {
        let (whole, unit) = match value {
            Static::Int(value) => (*value, 1.0),
            Static::Duration(value) => (*value, 1e9),
            _ => continue,
        };
        if whole >= 2 {
            let mut bucket = 2.0;
            while bucket < whole as f64 {
                bucket *= 2.0;
            }
            // Positive numbers are in the order of their bits.
            *buckets.entry((bucket / unit).to_bits()).or_insert(0.0) += 1.0;
        }
    }
    buckets
}

fn quantile(p: f64, buckets: &BTreeMap<u64, f64>) -> f64 {
    let total: f64 = buckets.values().sum();
    let wanted = (p * total).ceil().max(1.0);
    let (mut before, mut below) = (0.0, None);
    for (bucket, count) in buckets {
        let max = f64::from_bits(*bucket);
        if before + count == wanted {
            return max;
        }
        if before + count > wanted {
            // Between the bucket below, or half of this one, and this one values grow exponentially.
            let low: f64 = below.unwrap_or(max / 2.0);
            return low * (max / low).powf((wanted - before) / count);
        }
        before += count;
        below = Some(max);
    }
    0.0
}

fn arithmetic(op: ArithmeticOp, left: f64, right: f64) -> Option<f64> {
    match op {
        ArithmeticOp::Add => Some(left + right),
        ArithmeticOp::Subtract => Some(left - right),
        ArithmeticOp::Multiply => Some(left * right),
        ArithmeticOp::Divide => (right != 0.0).then(|| left / right),
        ArithmeticOp::Modulo | ArithmeticOp::Power => panic!("series know no such operator"),
    }
}

fn each(series: Vec<Series>, make: impl Fn(f64) -> Option<f64>) -> Vec<Series> {
    series.into_iter().map(|series| Series { values: series.values.iter().map(|value| value.and_then(&make)).collect(), ..series }).collect()
}

/// What tells series apart: labels but the name, in any order.
fn is_like(one: &[(String, Static)], other: &[(String, Static)]) -> bool {
    let named = |labels: &[(String, Static)]| -> Vec<(String, Static)> { labels.iter().filter(|(name, _)| name != NAME).cloned().collect() };
    let (one, other) = (named(one), named(other));
    one.len() == other.len() && one.iter().all(|label| other.contains(label))
}

fn combined(op: ArithmeticOp, left: &[Series], right: &[Series]) -> Vec<Series> {
    let find = |set: &[Series], labels: &[(String, Static)]| set.iter().find(|series| is_like(&series.labels, labels)).cloned();
    // A series without labels goes with each of the other side.
    let target = if find(right, &[]).is_some() { left } else { right };
    let mut found = Vec::new();
    for labels in target.iter().map(|series| &series.labels) {
        let of = |set: &[Series]| find(set, labels).or_else(|| find(set, &[]));
        if let (Some(left), Some(right)) = (of(left), of(right)) {
            let values = left.values.iter().zip(&right.values).map(|(left, right)| arithmetic(op, (*left)?, (*right)?)).collect();
            found.push(Series { labels: merged(op, &left.labels, &right.labels), values });
        }
    }
    found
}

fn merged(op: ArithmeticOp, left: &[(String, Static)], right: &[(String, Static)]) -> Vec<(String, Static)> {
    let name = |labels: &[(String, Static)]| labels.iter().find(|(name, _)| name == NAME).map(|(_, value)| value.clone());
    let mut labels: Vec<(String, Static)> = left.iter().filter(|(name, _)| name != NAME).cloned().collect();
    let more = right.iter().filter(|(name, _)| name != NAME && !left.iter().any(|(known, _)| known == name));
    labels.extend(more.cloned());
    if let (Some(Static::Text(left)), Some(Static::Text(right))) = (name(left), name(right)) {
        labels.push((NAME.to_owned(), Static::Text(format!("({left} {} {right})", op.as_str()))));
    }
    labels
}

fn staged(series: Vec<Series>, stage: &SeriesStage, steps: Steps) -> Result<Vec<Series>, NoAnswer> {
    match stage {
        SeriesStage::Filter(op, wanted) => Ok(each(series, |value| ordered(*op, &value, wanted).then_some(value)).into_iter().filter(has_value).collect()),
        SeriesStage::TopK(limit) => ranked(series, *limit as usize, steps, 1.0),
        SeriesStage::BottomK(limit) => ranked(series, *limit as usize, steps, -1.0),
    }
}

fn ranked(mut series: Vec<Series>, limit: usize, steps: Steps, sign: f64) -> Result<Vec<Series>, NoAnswer> {
    if series.len() <= limit {
        return Ok(series);
    }
    for step in 0..steps.count {
        let mut values: Vec<f64> = series.iter().filter_map(|series| series.values[step]).collect();
        values.sort_by(|left, right| (sign * right).total_cmp(&(sign * left)));
        if values.len() > limit {
            let (last, next) = (values[limit - 1], values[limit]);
            if (last - next).abs() <= 1e-9 * last.abs() {
                return Err(NoAnswer::Tie);
            }
            for series in &mut series {
                series.values[step] = series.values[step].filter(|value| sign * value >= sign * last);
            }
        }
    }
    Ok(series.into_iter().filter(has_value).collect())
}

/// All series of `compare`: kind, attribute, value (`Nil` for totals), counts.
pub(in super::super) fn compared(traces: &[Trace], pipeline: &Pipeline, function: &MetricsFunction, steps: Steps) -> Result<Vec<Series>, NoAnswer> {
    let MetricsFunction::Compare { selection, start_ns, end_ns, .. } = function else { panic!("another function") };
    let mut found: Vec<Series> = Vec::new();
    // Places of the series of a kind and name.
    let mut places: BTreeMap<(&str, String), Vec<usize>> = BTreeMap::new();
    for (number, at, step) in spans_of(traces, pipeline, steps)? {
        let (trace, span) = (&traces[number], &traces[number].spans[at]);
        let is_in_window = (*start_ns == 0 && *end_ns == 0) || (span.start_ns > *start_ns && span.start_ns <= *end_ns);
        let is_selected = is_in_window && selection.as_ref().is_none_or(|selection: &FieldExpr| trace.holds(at, selection));
        let mut count = |kind: &'static str, name: String, value: Static| {
            let known = places.entry((kind, name.clone())).or_default();
            let place = known.iter().copied().find(|place| found[*place].labels[1].1 == value).unwrap_or_else(|| {
                let labels = vec![("__meta_type".to_owned(), Static::Text(kind.to_owned())), (name, value)];
                found.push(Series { labels, values: vec![Some(0.0); steps.count] });
                known.push(found.len() - 1);
                found.len() - 1
            });
            found[place].values[step] = found[place].values[step].map(|value| value + 1.0);
        };
        for (name, value) in all_attributes(trace, at) {
            let (kind, total) = if is_selected { ("selection", "selection_total") } else { ("baseline", "baseline_total") };
            count(kind, name.clone(), value);
            count(total, name, Static::Nil);
        }
    }
    Ok(found)
}

/// What `compare` counts of a span: not its identifiers, times and durations.
fn all_attributes(trace: &Trace, at: usize) -> Vec<(String, Static)> {
    let span = &trace.spans[at];
    let mut found: Vec<(Attribute, Static)> = Vec::new();
    let intrinsics = [
        Intrinsic::Name,
        Intrinsic::Kind,
        Intrinsic::Status,
        Intrinsic::StatusMessage,
        Intrinsic::RootName,
        Intrinsic::RootService,
        Intrinsic::InstrumentationName,
        Intrinsic::InstrumentationVersion,
    ];
    for intrinsic in intrinsics {
        let attribute = Attribute::Intrinsic(intrinsic);
        found.push((attribute.clone(), trace.attribute(at, &attribute).first()));
    }
    let mut scoped = vec![(Scope::Span, &span.attributes), (Scope::Resource, &span.resource), (Scope::Instrumentation, &span.scope)];
    scoped.extend(span.events.iter().map(|event| (Scope::Event, &event.attributes)));
    scoped.extend(span.links.iter().map(|link| (Scope::Link, &link.attributes)));
    for (scope, attributes) in scoped {
        found.extend(attributes.iter().map(|(name, value)| (Attribute::Named(scope, name.clone()), of_attribute(value))));
    }
    found.extend(span.events.iter().map(|event| (Attribute::Intrinsic(Intrinsic::EventName), Static::Text(event.name.clone()))));
    found.into_iter().filter(|(_, value)| *value != Static::Nil).map(|(attribute, value)| (attribute.attribute_name(), value)).collect()
}
