//! Pipelines over sets of spans of one trace.

use signalbox_lang::traceql::tree::{Answer, FieldExpr, Pipeline, Relation, SpansetExpr, SpansetOp, Stage, Static};

use super::NoAnswer;
use super::aggregate::aggregate;
use super::field::Trace;
use super::tree::Tree;
use super::value::compare_scalars;

/// Spans of one trace by their places, ascending, and what the set is called.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Set {
    pub(in super::super) spans: Vec<usize>,
    pub(in super::super) attributes: Vec<(String, Static)>,
}

/// The sets that a pipeline leaves of a trace.
pub(in super::super) fn search(trace: &Trace, pipeline: &Pipeline) -> Result<Vec<Set>, NoAnswer> {
    run(trace, pipeline, vec![Set { spans: (0..trace.spans.len()).collect(), attributes: Vec::new() }])
}

fn run(trace: &Trace, pipeline: &Pipeline, sets: Vec<Set>) -> Result<Vec<Set>, NoAnswer> {
    pipeline.stages.iter().try_fold(sets, |sets, stage| if sets.is_empty() { Ok(sets) } else { step(trace, stage, sets) })
}

fn step(trace: &Trace, stage: &Stage, sets: Vec<Set>) -> Result<Vec<Set>, NoAnswer> {
    let mut left = Vec::new();
    match stage {
        Stage::Select(_) => left = sets,
        Stage::Coalesce => left.push(Set { spans: union(&sets), attributes: Vec::new() }),
        Stage::Spanset(expr) => {
            for set in &sets {
                left.extend(spans(trace, expr, set)?);
            }
        }
        Stage::Scalar(filter) => {
            for mut set in sets {
                if let Some(value) = aggregate(trace, &set.spans, filter)
                    && compare_scalars(filter.op, &value, &filter.value)
                {
                    set.attributes.push((filter.aggregate_name(), value));
                    left.push(set);
                }
            }
        }
        Stage::By(expr) => left = sets.iter().flat_map(|set| split(trace, expr, set)).collect(),
    }
    Ok(left)
}

fn union(sets: &[Set]) -> Vec<usize> {
    let mut spans: Vec<usize> = sets.iter().flat_map(|set| set.spans.iter().copied()).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn split(trace: &Trace, expr: &FieldExpr, set: &Set) -> Vec<Set> {
    let mut groups: Vec<(Static, Set)> = Vec::new();
    for at in &set.spans {
        let value = trace.value(*at, expr).first();
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, group)) => group.spans.push(*at),
            None => {
                let mut attributes = set.attributes.clone();
                attributes.push((format!("by({expr})"), value.clone()));
                groups.push((value, Set { spans: vec![*at], attributes }));
            }
        }
    }
    groups.into_iter().map(|(_, set)| set).collect()
}

fn spans(trace: &Trace, expr: &SpansetExpr, set: &Set) -> Result<Vec<Set>, NoAnswer> {
    let some = |spans: Vec<usize>| if spans.is_empty() { Vec::new() } else { vec![Set { spans, attributes: set.attributes.clone() }] };
    match expr {
        SpansetExpr::Filter(None) => Ok(vec![set.clone()]),
        SpansetExpr::Filter(Some(filter)) => Ok(some(set.spans.iter().copied().filter(|at| trace.holds(*at, filter)).collect())),
        SpansetExpr::Pipeline(pipeline) => run(trace, pipeline, vec![set.clone()]),
        SpansetExpr::Binary(op, left, right) => {
            let (left, right) = (spans(trace, left, set)?, spans(trace, right, set)?);
            let both: Vec<Set> = left.iter().chain(&right).cloned().collect();
            match op {
                SpansetOp::And => Ok(if left.is_empty() || right.is_empty() { Vec::new() } else { some(union(&both)) }),
                SpansetOp::Or => Ok(some(union(&both))),
                SpansetOp::Structural(relation, answer) => {
                    let Some(right_set) = right.first() else { return Ok(Vec::new()) };
                    if left.len() > 1 || right.len() > 1 {
                        return Err(NoAnswer::SeveralSets);
                    }
                    let left_spans = left.first().map(|set| set.spans.clone()).unwrap_or_default();
                    Ok(some(related(&trace.tree, *relation, *answer, &left_spans, &right_set.spans)))
                }
            }
        }
    }
}

/// Whether the right span stands so to the left one.
fn stands(tree: &Tree, relation: Relation, left: usize, right: usize) -> bool {
    match relation {
        Relation::Child => tree.is_child(right, left),
        Relation::Parent => tree.is_child(left, right),
        Relation::Descendant => tree.is_descendant(right, left),
        Relation::Ancestor => tree.is_descendant(left, right),
        Relation::Sibling => tree.is_sibling(left, right),
    }
}

fn related(tree: &Tree, relation: Relation, answer: Answer, left: &[usize], right: &[usize]) -> Vec<usize> {
    let any_left = |right: usize| left.iter().any(|left| stands(tree, relation, *left, right));
    let any_right = |left: usize| right.iter().any(|right| stands(tree, relation, left, *right));
    let mut found: Vec<usize> = right.iter().copied().filter(|right| any_left(*right) == (answer != Answer::NotRight)).collect();
    if answer == Answer::Both {
        found.extend(left.iter().copied().filter(|left| any_right(*left)));
    }
    found.sort_unstable();
    found.dedup();
    found
}
