//! Pipelines over the spans of one trace: stages that choose, relate, split, join and judge sets of spans.

use std::collections::HashMap;

use signalbox_lang::traceql::tree::{Aggregate, Attribute, CompareOp, FieldExpr, Intrinsic, Pipeline, ScalarFilter, SpansetExpr, SpansetOp, Stage};
use signalbox_model::{Error, Result};

use super::expr::{Expr, ordered};
use super::fields::{Fields, is_of_trace};
use super::relate::relate;
use super::trace::TraceSpans;
use super::value::{Key, Value};

/// A compiled pipeline.
#[derive(Debug, Clone)]
pub(super) struct Stages(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Spans(Spans),
    Scalar { aggregate: Aggregate, field: Option<Expr>, op: CompareOp, value: Value, name: String },
    By(Expr, String),
    Coalesce,
    Select,
}

/// Chooses and relates spans of one set.
#[derive(Debug, Clone)]
pub(super) enum Spans {
    Filter(Option<Expr>),
    Pipeline(Stages),
    /// From left to right; flat, so that nothing recurses as deep as a query is long.
    Chain(Box<Self>, Vec<(SpansetOp, Self)>),
}

/// Some spans of a trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    /// By number, ascending, not empty.
    pub(super) spans: Vec<u32>,
    /// What the set is called.
    pub(super) attributes: Vec<(String, Value)>,
}

/// A trace with what is alike for all its spans.
pub(super) struct Subject<'a> {
    pub(super) trace: &'a TraceSpans,
    fields: &'a Fields,
    shared: Vec<Option<Value>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(trace: &'a TraceSpans, fields: &'a Fields) -> Self {
        Self { trace, fields, shared: trace.shared_values(fields) }
    }

    /// The value of a slot of a span.
    pub(super) fn value(&self, span: u32, slot: usize) -> Value {
        let span = span as usize;
        match self.fields.attributes().get(slot) {
            Some(attribute @ Attribute::Intrinsic(intrinsic)) if is_of_trace(attribute) => match self.shared.get(slot) {
                Some(Some(value)) => value.clone(),
                _ => self.trace.placed_value(*intrinsic, span).unwrap_or_default(),
            },
            _ => self.trace.spans[span].values.get(slot).cloned().unwrap_or_default(),
        }
    }

    fn expression(&self, span: u32, expression: &Expr) -> Value {
        expression.value(&|slot| self.value(span, slot))
    }
}

impl Stages {
    /// # Errors
    /// `Invalid` for a regular expression that is none.
    pub(super) fn new(pipeline: &Pipeline, fields: &mut Fields) -> Result<Self> {
        pipeline.stages.iter().map(|stage| Step::new(stage, fields)).collect::<Result<Vec<_>>>().map(Self)
    }

    /// The only filter, if the pipeline is nothing but that and `select`.
    pub(super) fn only_filter(&self) -> Option<Option<&Expr>> {
        match self.0.as_slice() {
            [Step::Spans(Spans::Filter(filter)), rest @ ..] if rest.iter().all(|step| matches!(step, Step::Select)) => Some(filter.as_ref()),
            _ => None,
        }
    }

    /// The stages that choose spans.
    pub(super) fn spans(&self) -> impl Iterator<Item = &Spans> {
        self.0.iter().filter_map(|step| if let Step::Spans(spans) = step { Some(spans) } else { None })
    }

    /// Whether a stage needs to know how spans hang together.
    pub(super) fn is_structural(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Spans(spans) if spans.is_structural()))
    }

    /// The sets that the pipeline leaves of some spans.
    ///
    /// # Errors
    /// `Invalid` where a structural operator meets several sets.
    pub(super) fn run(&self, subject: &Subject<'_>, sets: Vec<Set>) -> Result<Vec<Set>> {
        let mut sets = sets;
        for step in &self.0 {
            if sets.is_empty() {
                break;
            }
            sets = step.run(subject, sets)?;
        }
        Ok(sets)
    }
}

impl Step {
    fn new(stage: &Stage, fields: &mut Fields) -> Result<Self> {
        Ok(match stage {
            Stage::Spanset(spans) => Self::Spans(Spans::new(spans, fields)?),
            Stage::Scalar(ScalarFilter { aggregate, field, op, value }) => Self::Scalar {
                aggregate: *aggregate,
                field: field.as_ref().map(|field| Expr::new(field, fields)).transpose()?,
                op: *op,
                value: Value::of_static(value),
                name: match field {
                    Some(field) => format!("{}({field})", aggregate_name(*aggregate)),
                    None => format!("{}()", aggregate_name(*aggregate)),
                },
            },
            Stage::By(expression) => Self::By(Expr::new(expression, fields)?, format!("by({expression})")),
            Stage::Coalesce => Self::Coalesce,
            Stage::Select(attributes) => {
                for attribute in attributes {
                    fields.slot(attribute);
                }
                Self::Select
            }
        })
    }

    fn run(&self, subject: &Subject<'_>, sets: Vec<Set>) -> Result<Vec<Set>> {
        Ok(match self {
            Self::Select => sets,
            Self::Coalesce => {
                let mut spans: Vec<u32> = sets.into_iter().flat_map(|set| set.spans).collect();
                spans.sort_unstable();
                spans.dedup();
                vec![Set { spans, attributes: Vec::new() }]
            }
            Self::Spans(spans) => {
                let mut found = Vec::new();
                for set in sets {
                    found.extend(spans.run(subject, set)?);
                }
                found
            }
            Self::By(expression, name) => sets.into_iter().flat_map(|set| split(subject, set, expression, name)).collect(),
            Self::Scalar { aggregate, field, op, value, name } => {
                let judge = |mut set: Set| {
                    let found = aggregated(subject, &set, *aggregate, field.as_ref())?;
                    let (left, right) = (found.number()?, value.number()?);
                    let holds = match (&found, value) {
                        (Value::Int(left) | Value::Duration(left), Value::Int(right) | Value::Duration(right)) => ordered(*op, left, right),
                        _ => ordered(*op, &left, &right),
                    };
                    holds.then(|| {
                        set.attributes.push((name.clone(), found));
                        set
                    })
                };
                sets.into_iter().filter_map(judge).collect()
            }
        })
    }
}

fn split(subject: &Subject<'_>, set: Set, expression: &Expr, name: &str) -> Vec<Set> {
    let (mut places, mut groups): (HashMap<Key, usize>, Vec<Set>) = (HashMap::new(), Vec::new());
    for span in set.spans {
        let value = subject.expression(span, expression).first().clone();
        let place = *places.entry(value.key()).or_insert_with(|| {
            let attributes = set.attributes.iter().cloned().chain([(name.to_owned(), value)]).collect();
            groups.push(Set { spans: Vec::new(), attributes });
            groups.len() - 1
        });
        groups[place].spans.push(span);
    }
    groups
}

impl Spans {
    fn new(spans: &SpansetExpr, fields: &mut Fields) -> Result<Self> {
        Ok(match spans {
            SpansetExpr::Filter(filter) => Self::Filter(filter.as_ref().map(|filter: &FieldExpr| Expr::new(filter, fields)).transpose()?),
            SpansetExpr::Pipeline(pipeline) => Self::Pipeline(Stages::new(pipeline, fields)?),
            SpansetExpr::Binary(..) => {
                let (mut first, mut rest) = (spans, Vec::new());
                while let SpansetExpr::Binary(op, left, right) = first {
                    rest.push((*op, Self::new(right, fields)?));
                    first = left;
                }
                rest.reverse();
                Self::Chain(Box::new(Self::new(first, fields)?), rest)
            }
        })
    }

    fn is_structural(&self) -> bool {
        match self {
            Self::Filter(_) => false,
            Self::Pipeline(steps) => steps.is_structural(),
            Self::Chain(first, rest) => {
                first.is_structural() || rest.iter().any(|(op, right)| matches!(op, SpansetOp::Structural(..)) || right.is_structural())
            }
        }
    }

    fn run(&self, subject: &Subject<'_>, set: Set) -> Result<Vec<Set>> {
        match self {
            Self::Filter(None) => Ok(vec![set]),
            Self::Filter(Some(filter)) => {
                let mut set = set;
                set.spans.retain(|span| filter.holds(&|slot| subject.value(*span, slot)));
                Ok(if set.spans.is_empty() { Vec::new() } else { vec![set] })
            }
            Self::Pipeline(steps) => steps.run(subject, vec![set]),
            Self::Chain(first, rest) => {
                let mut left = first.run(subject, set.clone())?;
                for (op, right) in rest {
                    let spans = combined(subject, *op, left, right.run(subject, set.clone())?)?;
                    left = if spans.is_empty() { Vec::new() } else { vec![Set { spans, attributes: set.attributes.clone() }] };
                }
                Ok(left)
            }
        }
    }
}

/// The spans that an operator leaves of both sides.
fn combined(subject: &Subject<'_>, op: SpansetOp, left: Vec<Set>, right: Vec<Set>) -> Result<Vec<u32>> {
    Ok(match op {
        SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
        SpansetOp::And | SpansetOp::Or => union(left, right),
        SpansetOp::Structural(..) if right.is_empty() => Vec::new(),
        SpansetOp::Structural(..) if left.len() > 1 || right.len() > 1 => {
            return Err(Error::invalid("spanset operators are not supported for multiple spansets per trace. consider using coalesce()"));
        }
        SpansetOp::Structural(relation, answer) => {
            let spans = |sets: Vec<Set>| sets.into_iter().next().map(|set| set.spans).unwrap_or_default();
            let tree = subject.trace.tree().ok_or_else(|| Error::internal("cannot relate spans: the trace has no tree"))?;
            relate(tree, subject.trace.spans.len(), relation, answer, &spans(left), &spans(right))
        }
    })
}

fn union(left: Vec<Set>, right: Vec<Set>) -> Vec<u32> {
    let mut spans: Vec<u32> = left.into_iter().chain(right).flat_map(|set| set.spans).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

/// How an aggregate is written.
pub(super) fn aggregate_name(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Count => "count",
        Aggregate::Min => "min",
        Aggregate::Max => "max",
        Aggregate::Sum => "sum",
        Aggregate::Avg => "avg",
    }
}

/// Over the numbers that the spans of a set have; `None` without any.
fn aggregated(subject: &Subject<'_>, set: &Set, aggregate: Aggregate, field: Option<&Expr>) -> Option<Value> {
    let (Some(field), false) = (field, aggregate == Aggregate::Count) else { return Some(Value::Int(set.spans.len() as i64)) };
    let numbers = set.spans.iter().map(|span| subject.expression(*span, field).first().clone()).filter(|value| value.number().is_some());
    match aggregate {
        Aggregate::Count => None,
        Aggregate::Min => numbers.reduce(|least, value| if value.order(&least).is_lt() { value } else { least }),
        Aggregate::Max => numbers.reduce(|greatest, value| if value.order(&greatest).is_gt() { value } else { greatest }),
        Aggregate::Sum => numbers.reduce(|sum, value| added(&sum, &value)),
        Aggregate::Avg => {
            let mut count = 0_i64;
            let sum = numbers.inspect(|_| count += 1).reduce(|sum, value| added(&sum, &value))?;
            Some(match sum {
                Value::Duration(sum) => Value::Duration(sum / count),
                other => Value::Float(other.number()? / count as f64),
            })
        }
    }
}

/// The sum of two numbers: of their type, of floating point if they have two.
fn added(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Value::Int(left.wrapping_add(*right)),
        (Value::Duration(left), Value::Duration(right)) => Value::Duration(left.wrapping_add(*right)),
        _ => Value::Float(left.number().unwrap_or(0.0) + right.number().unwrap_or(0.0)),
    }
}

/// Whether an intrinsic needs to know how spans hang together.
pub(super) fn needs_tree(fields: &Fields) -> bool {
    use Intrinsic::{ChildCount, NestedSetLeft, NestedSetParent, NestedSetRight};
    fields.attributes().iter().any(|attribute| matches!(attribute, Attribute::Intrinsic(ChildCount | NestedSetLeft | NestedSetParent | NestedSetRight)))
}
