//! Answers of the engine against those that are wanted.

use std::collections::BTreeMap;

use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Pipeline, Root, SpansetExpr, Stage, Static};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest, SearchAnswer, SearchRequest};

use super::naive::{NoAnswer, Series, Steps, Trace, search};

/// Where floating point is added in another order.
const TOLERANCE: f64 = 1e-9;

/// A trace as it is answered, as text, by its identifier.
pub(super) type Expected = BTreeMap<String, String>;

/// What a search answers.
pub(super) fn expected(traces: &[Trace], request: &SearchRequest) -> Result<Expected, NoAnswer> {
    let Root::Spansets(pipeline) = &request.query.root else { panic!("no search") };
    let mut named = Named::default();
    of_pipeline(pipeline, &mut named);
    let mut found = Expected::new();
    for trace in traces {
        let duration_ns = trace.duration_ns();
        let sets = search(trace, pipeline)?;
        let is_started = |at: &usize| request.range.contains_ns(trace.spans[*at].start_ns);
        let fits = request.trace_duration_min_ns.is_none_or(|min| duration_ns >= min) && request.trace_duration_max_ns.is_none_or(|max| duration_ns <= max);
        if !fits || !sets.iter().any(|set| set.spans.iter().any(is_started)) {
            continue;
        }
        let root = trace.root();
        let start_ns = trace.spans.iter().map(|span| span.start_ns).min().unwrap();
        let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for span in &trace.spans {
            let (spans, errors) = services.entry(span.service()).or_default();
            (*spans, *errors) = (*spans + 1, *errors + u64::from(span.status == 2));
        }
        let mut text = format!("{start_ns} {duration_ns} {:?} {:?} {services:?}\n", root.map(|root| root.service()), root.map(|root| root.name.as_str()));
        for set in sets {
            text += &format!("  {} {}\n", set.spans.len(), labels(&set.attributes));
            let told = if request.spans_per_set == 0 { set.spans.len() } else { request.spans_per_set };
            for at in set.spans.iter().take(told) {
                let span = &trace.spans[*at];
                let told = named.attributes.iter().map(|attribute| (attribute, trace.attribute(*at, attribute).first()));
                let told = told.filter(|(attribute, value)| *value != Static::Nil || named.missing.contains(attribute));
                let mut values: Vec<(String, Static)> = told.map(|(attribute, value)| (attribute.attribute_name(), value)).collect();
                values.sort_by(|left, right| left.0.cmp(&right.0));
                text += &format!("    {} {:?} {} {} {}\n", span.id, span.name, span.start_ns, span.duration_ns, labels(&values));
            }
        }
        found.insert(trace.spans[0].trace_id.to_string(), text);
    }
    Ok(found)
}

/// Fields that are told with each span: all that the query names but those that every answer has.
#[derive(Default)]
struct Named {
    attributes: Vec<Attribute>,
    /// Those that a span is wanted without.
    missing: Vec<Attribute>,
}

fn note(attribute: &Attribute, named: &mut Named) {
    use Intrinsic::{Duration, Name, RootName, RootService, SpanId, TraceDuration, TraceId};
    let is_told = matches!(attribute, Attribute::Intrinsic(Name | Duration | TraceDuration | RootService | RootName | TraceId | SpanId));
    if !is_told && !named.attributes.contains(attribute) {
        named.attributes.push(attribute.clone());
    }
}

fn of_pipeline(pipeline: &Pipeline, found: &mut Named) {
    for stage in &pipeline.stages {
        match stage {
            Stage::Spanset(spans) => of_spans(spans, found),
            Stage::Scalar(filter) => filter.field.iter().for_each(|field| of_field(field, found)),
            Stage::By(expr) => of_field(expr, found),
            Stage::Coalesce => {}
            Stage::Select(attributes) => attributes.iter().for_each(|attribute| note(attribute, found)),
        }
    }
}

fn of_spans(spans: &SpansetExpr, found: &mut Named) {
    match spans {
        SpansetExpr::Filter(filter) => filter.iter().for_each(|filter| of_field(filter, found)),
        SpansetExpr::Pipeline(pipeline) => of_pipeline(pipeline, found),
        SpansetExpr::Binary(_, left, right) => {
            of_spans(left, found);
            of_spans(right, found);
        }
    }
}

fn of_field(expr: &FieldExpr, found: &mut Named) {
    if let FieldExpr::Compare(CompareOp::Equal, left, right) = expr {
        match (left.as_ref(), right.as_ref()) {
            (FieldExpr::Attribute(attribute), FieldExpr::Static(Static::Nil)) | (FieldExpr::Static(Static::Nil), FieldExpr::Attribute(attribute)) => {
                found.missing.push(attribute.clone());
            }
            _ => {}
        }
    }
    match expr {
        FieldExpr::Static(_) => {}
        FieldExpr::Attribute(attribute) => note(attribute, found),
        FieldExpr::Not(inner) | FieldExpr::Negative(inner) => of_field(inner, found),
        FieldExpr::And(left, right) | FieldExpr::Or(left, right) | FieldExpr::Compare(_, left, right) | FieldExpr::Arithmetic(_, left, right) => {
            of_field(left, found);
            of_field(right, found);
        }
    }
}

/// Labels as text; floating point with as many digits as the order of additions leaves.
fn labels(labels: &[(String, Static)]) -> String {
    let label = |(name, value): &(String, Static)| match value {
        Static::Float(value) => format!("{name}=float {value:.9e}"),
        other => format!("{name}={other:?}"),
    };
    labels.iter().map(label).collect::<Vec<_>>().join(", ")
}

/// How a search differs from what is wanted.
pub(super) fn of_search(request: &SearchRequest, want: &Expected, found: &SearchAnswer) -> Option<String> {
    let mut texts = Expected::new();
    for trace in &found.traces {
        let services: BTreeMap<&str, (u64, u64)> = trace.services.iter().map(|service| (&*service.service, (service.spans, service.errors))).collect();
        let mut text = format!("{} {} {:?} {:?} {services:?}\n", trace.start_ns, trace.duration_ns, trace.root_service.as_deref(), trace.root_name.as_deref());
        for set in &trace.sets {
            text += &format!("  {} {}\n", set.matched, labels(&set.attributes));
            for span in &set.spans {
                let mut values: Vec<(String, Static)> = span.attributes.iter().map(|(attribute, value)| (attribute.attribute_name(), value.clone())).collect();
                values.sort_by(|left, right| left.0.cmp(&right.0));
                let id = span.span_id.map(|id| id.to_string()).unwrap_or_default();
                text += &format!("    {id} {:?} {} {} {}\n", span.name, span.start_ns, span.duration_ns, labels(&values));
            }
        }
        if texts.insert(trace.trace_id.to_string(), text).is_some() {
            return Some(format!("trace {} twice", trace.trace_id));
        }
    }
    if !found.traces.is_sorted_by_key(|trace| std::cmp::Reverse(trace.start_ns)) {
        return Some("traces are not newest first".to_owned());
    }
    if texts.len() != want.len().min(request.limit) {
        let ids = |traces: &Expected| traces.keys().cloned().collect::<Vec<_>>();
        return Some(format!("want {} of the traces {:?}\nfound {:?}", want.len().min(request.limit), ids(want), ids(&texts)));
    }
    let wrong = texts.iter().find(|(id, text)| want.get(*id) != Some(text));
    wrong.map(|(id, text)| format!("trace {id}\nwant {}\nfound {text}", want.get(id).map_or("nothing", String::as_str)))
}

fn is_near(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() <= TOLERANCE * left.abs().max(right.abs())
}

/// Values by the text of labels and the time of the step.
fn points(series: &[Series], steps: Steps) -> BTreeMap<String, Vec<(i64, f64)>> {
    let one = |series: &Series| {
        let values = series.values.iter().enumerate().filter_map(|(step, value)| Some((steps.end_of(step), (*value)?))).collect();
        (labels(&series.labels), values)
    };
    series.iter().map(one).collect()
}

/// How series differ from what is wanted.
pub(super) fn of_metrics(steps: Steps, want: &[Series], found: &MetricsAnswer) -> Option<String> {
    let want = points(want, steps);
    let texts: BTreeMap<String, &Vec<(i64, f64)>> = found.series.iter().map(|series| (labels(&series.labels), &series.points)).collect();
    if texts.len() != found.series.len() {
        return Some(format!("a series twice: {:?}", found.series.iter().map(|series| labels(&series.labels)).collect::<Vec<_>>()));
    }
    if !want.keys().eq(texts.keys()) {
        return Some(format!("want series {:#?}\nfound {:#?}", want.keys().collect::<Vec<_>>(), texts.keys().collect::<Vec<_>>()));
    }
    let is_like = |want: &[(i64, f64)], found: &[(i64, f64)]| {
        want.len() == found.len() && want.iter().zip(found).all(|(want, found)| want.0 == found.0 && is_near(want.1, found.1))
    };
    let wrong = want.iter().find(|(name, points)| !is_like(points, texts[*name]));
    wrong.map(|(name, points)| format!("series {name}\nwant {points:?}\nfound {:?}", texts[name]))
}

/// How a comparison differs: of each attribute and kind the most frequent values, whichever of equally frequent ones.
pub(super) fn of_compare(top: usize, steps: Steps, want: &[Series], found: &MetricsAnswer) -> Option<String> {
    let all = points(want, steps);
    // Of each kind and attribute the sums of its values.
    let mut sums: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let group = |labels: &[(String, Static)]| format!("{:?} {}", labels.first().map(|(_, value)| value), labels.get(1).map_or("", |(name, _)| name));
    for series in want {
        sums.entry(group(&series.labels)).or_default().push(series.values.iter().flatten().sum());
    }
    let mut found_sums: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for series in &found.series {
        let name = labels(&series.labels);
        if all.get(&name) != Some(&series.points) {
            return Some(format!("series {name}\nwant {:?}\nfound {:?}", all.get(&name), series.points));
        }
        found_sums.entry(group(&series.labels)).or_default().push(series.points.iter().map(|(_, value)| value).sum());
    }
    for (name, sums) in &mut sums {
        sums.sort_by(|left, right| right.total_cmp(left));
        sums.truncate(top);
        let found = found_sums.entry(name.clone()).or_default();
        found.sort_by(|left, right| right.total_cmp(left));
        if sums != found {
            return Some(format!("{name}: want values that occur {sums:?} times, found {found:?}"));
        }
    }
    None
}

/// Exemplars are spans that there are, within the steps, with the labels of their series.
pub(super) fn of_exemplars(traces: &[Trace], request: &MetricsRequest, steps: Steps, found: &MetricsAnswer) -> Option<String> {
    let all: Vec<_> = found.series.iter().flat_map(|series| series.exemplars.iter().map(move |exemplar| (series, exemplar))).collect();
    for (series, exemplar) in all {
        let is_span = |span: &super::Span| span.trace_id == exemplar.trace_id && Some(span.id) == exemplar.span_id && span.start_ns == exemplar.at_ns;
        let is_there = traces.iter().flat_map(|trace| &trace.spans).any(is_span);
        let is_within = exemplar.at_ns > steps.begin_ns && exemplar.at_ns <= steps.end_of(steps.count - 1);
        if !is_there || !is_within || exemplar.labels != series.labels || exemplar.value.is_nan() || request.exemplars_max == 0 {
            return Some(format!("no such exemplar: {exemplar:?} of {}", labels(&series.labels)));
        }
    }
    None
}
