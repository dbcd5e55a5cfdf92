//! Conditions of spans over columns, and over whole spans.
//!
//! As in Tempo: values of different types never compare (an integer and a float do), and a missing attribute holds no
//! comparison but `= nil`.

use std::cmp::Ordering;

use arrow::array::Array;
use regex::Regex;
use signalbox_lang::traceql::{AttributeScope, CompareOp, Comparison, Condition, Field, KIND_WORDS, STATUS_WORDS, SpanFilter, Value};
use signalbox_model::Result;
use signalbox_model::attributes::AttributeValue;

use crate::pattern;
use crate::rows::{Resource, Span, SpanColumns};

const SERVICE_NAME: &str = "service.name";

/// An attribute that a span or its resource must have, compared as text. Some names mean fields, as tracing systems that
/// keep all in tags spell them: `error`, `span.kind`, `otel.status_code`, `otel.status_description`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMatch {
    /// Name.
    pub name: String,
    /// Text of the value.
    pub value: String,
}

/// A compiled filter.
pub(super) struct Filter {
    root: Node,
    services: Vec<String>,
}

enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Constant(bool),
    Compare(Leaf),
    Tag(TagMatch),
}

struct Leaf {
    comparison: Comparison,
    regex: Option<Regex>,
}

impl Filter {
    pub(super) fn new(filter: &SpanFilter, tags: &[TagMatch]) -> Result<Self> {
        let mut root = filter.condition.as_ref().map_or(Ok(Node::Constant(true)), Node::new)?;
        for tag in tags {
            root = Node::And(Box::new(root), Box::new(Node::Tag(tag.clone())));
        }
        let mut services = Vec::new();
        root.collect_services(&mut services);
        Ok(Self { root, services })
    }

    /// The only services that can match; empty means all.
    pub(super) fn services(&self) -> Vec<String> {
        self.services.clone()
    }

    /// The candidates that match, in order.
    pub(super) fn retain(&self, columns: &SpanColumns<'_>, candidates: Vec<usize>) -> Vec<usize> {
        self.root.retain(columns, candidates)
    }

    /// Whether a span matches.
    pub(super) fn matches(&self, span: &Span) -> bool {
        self.root.matches(span)
    }
}

impl Node {
    fn new(condition: &Condition) -> Result<Self> {
        Ok(match condition {
            Condition::And(left, right) => Self::And(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            Condition::Or(left, right) => Self::Or(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            Condition::Constant(value) => Self::Constant(*value),
            Condition::Compare(comparison) => {
                let regex = match (&comparison.value, comparison.op.is_regex()) {
                    (Value::Text(pattern), true) => Some(pattern::whole(pattern)?),
                    _ => None,
                };
                Self::Compare(Leaf { comparison: comparison.clone(), regex })
            }
        })
    }

    fn collect_services(&self, services: &mut Vec<String>) {
        match self {
            Self::And(left, right) => {
                left.collect_services(services);
                right.collect_services(services);
            }
            Self::Compare(Leaf { comparison, .. }) => match comparison {
                Comparison { field: Field::Attribute(AttributeScope::Resource, name), op: CompareOp::Equal, value: Value::Text(service) }
                    if name == SERVICE_NAME && services.is_empty() =>
                {
                    services.push(service.clone());
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn retain(&self, columns: &SpanColumns<'_>, mut candidates: Vec<usize>) -> Vec<usize> {
        match self {
            Self::Constant(true) => candidates,
            Self::Constant(false) => Vec::new(),
            Self::And(left, right) => {
                let left = left.retain(columns, candidates);
                if left.is_empty() { left } else { right.retain(columns, left) }
            }
            Self::Or(left, right) => {
                let mut either = left.retain(columns, candidates.clone());
                candidates.retain(|row| either.binary_search(row).is_err());
                either.extend(right.retain(columns, candidates));
                either.sort_unstable();
                either
            }
            Self::Compare(leaf) => leaf.retain(columns, candidates),
            Self::Tag(tag) => tag.retain(columns, candidates),
        }
    }

    fn matches(&self, span: &Span) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::And(left, right) => left.matches(span) && right.matches(span),
            Self::Or(left, right) => left.matches(span) || right.matches(span),
            Self::Compare(leaf) => leaf.matches(span),
            Self::Tag(tag) => tag.matches(span),
        }
    }
}

impl Leaf {
    fn retain(&self, columns: &SpanColumns<'_>, mut candidates: Vec<usize>) -> Vec<usize> {
        let text = |text: &str| AttributeValue::String(text.to_owned());
        match &self.comparison.field {
            Field::Name => {
                let mut verdicts = Verdicts::new(columns.name.distinct());
                candidates.retain(|row| verdicts.get(columns.name.code(*row), |code| self.holds(Some(&text(columns.name.value(code))))));
            }
            Field::Duration => candidates.retain(|row| self.holds(Some(&AttributeValue::Int(columns.duration.value(*row))))),
            Field::Status => candidates.retain(|row| self.holds_code(columns.status_code.value(*row))),
            Field::Kind => candidates.retain(|row| self.holds_code(columns.kind.value(*row))),
            Field::StatusMessage => candidates.retain(|row| {
                let message = if columns.status_message.is_valid(*row) { columns.status_message.value(*row) } else { "" };
                self.holds(Some(&text(message)))
            }),
            Field::Attribute(scope, name) => {
                let mut verdicts = Verdicts::new(columns.resource.distinct());
                let mut of_resource =
                    |row: usize| verdicts.get(columns.resource.code(row), |code| self.holds(Resource::from_json(columns.resource.value(code)).get(name)));
                candidates.retain(|row| match scope {
                    AttributeScope::Resource => of_resource(*row),
                    AttributeScope::Span => self.holds(columns.attributes.get(*row, name).as_ref()),
                    AttributeScope::Any => match columns.attributes.get(*row, name) {
                        Some(value) => self.holds(Some(&value)),
                        None => of_resource(*row),
                    },
                });
            }
        }
        candidates
    }

    fn matches(&self, span: &Span) -> bool {
        let own = |name: &str| span.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        match &self.comparison.field {
            Field::Name => self.holds(Some(&AttributeValue::String(span.name.clone()))),
            Field::Duration => self.holds(Some(&AttributeValue::Int(span.duration_ns))),
            Field::Status => self.holds_code(span.status_code),
            Field::Kind => self.holds_code(span.kind),
            Field::StatusMessage => self.holds(Some(&AttributeValue::String(span.status_message.clone()))),
            Field::Attribute(AttributeScope::Resource, name) => self.holds(span.resource.get(name)),
            Field::Attribute(AttributeScope::Span, name) => self.holds(own(name)),
            Field::Attribute(AttributeScope::Any, name) => self.holds(own(name).or_else(|| span.resource.get(name))),
        }
    }

    fn holds_code(&self, code: i32) -> bool {
        let (Value::Status(wanted) | Value::Kind(wanted)) = self.comparison.value else { return false };
        (code == wanted) == (self.comparison.op == CompareOp::Equal)
    }

    /// Whether the comparison holds for a value, or for a missing one.
    fn holds(&self, value: Option<&AttributeValue>) -> bool {
        let op = self.comparison.op;
        let value = value.filter(|value| **value != AttributeValue::Empty);
        if self.comparison.value == Value::Nil {
            return value.is_none() == (op == CompareOp::Equal);
        }
        let Some(value) = value else { return false };
        if let (Some(regex), AttributeValue::String(text)) = (&self.regex, value) {
            return regex.is_match(text) == (op == CompareOp::Regex);
        }
        let Some(ordering) = compare(value, &self.comparison.value) else { return false };
        match op {
            CompareOp::Equal => ordering.is_eq(),
            CompareOp::NotEqual => ordering.is_ne(),
            CompareOp::Greater => ordering.is_gt(),
            CompareOp::GreaterEqual => ordering.is_ge(),
            CompareOp::Less => ordering.is_lt(),
            CompareOp::LessEqual => ordering.is_le(),
            CompareOp::Regex | CompareOp::NotRegex => false,
        }
    }
}

/// Order of two values of one type; `None` if their types do not compare.
fn compare(value: &AttributeValue, wanted: &Value) -> Option<Ordering> {
    match (value, wanted) {
        (AttributeValue::String(value), Value::Text(wanted)) => Some(value.as_str().cmp(wanted)),
        (AttributeValue::Bool(value), Value::Bool(wanted)) => Some(value.cmp(wanted)),
        (AttributeValue::Int(value), Value::Int(wanted) | Value::Duration(wanted)) => Some(value.cmp(wanted)),
        (AttributeValue::Int(value), Value::Float(wanted)) => (*value as f64).partial_cmp(wanted),
        (AttributeValue::Double(value), Value::Float(wanted)) => value.partial_cmp(wanted),
        (AttributeValue::Double(value), Value::Int(wanted) | Value::Duration(wanted)) => value.partial_cmp(&(*wanted as f64)),
        _ => None,
    }
}

impl TagMatch {
    fn retain(&self, columns: &SpanColumns<'_>, mut candidates: Vec<usize>) -> Vec<usize> {
        let mut verdicts = Verdicts::new(columns.resource.distinct());
        candidates.retain(|row| {
            let message = || if columns.status_message.is_valid(*row) { columns.status_message.value(*row) } else { "" };
            self.matches_field(columns.status_code.value(*row), columns.kind.value(*row), message)
                || columns.attributes.find(*row, |key| key == self.name) == Some(self.value.as_str())
                || verdicts.get(columns.resource.code(*row), |code| self.matches_resource(&Resource::from_json(columns.resource.value(code))))
        });
        candidates
    }

    fn matches(&self, span: &Span) -> bool {
        self.matches_field(span.status_code, span.kind, || &span.status_message)
            || span.attributes.iter().any(|(key, value)| *key == self.name && value.to_text() == self.value)
            || self.matches_resource(&span.resource)
    }

    fn matches_field<'a>(&self, status_code: i32, kind: i32, message: impl FnOnce() -> &'a str) -> bool {
        let word =
            |words: &[&str], code: i32| usize::try_from(code).is_ok_and(|code| words.get(code).is_some_and(|word| word.eq_ignore_ascii_case(&self.value)));
        match self.name.as_str() {
            "error" => status_code == 2 && self.value == "true",
            "span.kind" => kind != 0 && word(&KIND_WORDS, kind),
            "otel.status_code" => status_code != 0 && word(&STATUS_WORDS, status_code),
            "otel.status_description" => message() == self.value,
            _ => false,
        }
    }

    fn matches_resource(&self, resource: &Resource) -> bool {
        resource.get(&self.name).is_some_and(|value| value.to_text() == self.value)
    }
}

/// Verdicts by code of a dictionary, each found once.
struct Verdicts(Vec<Option<bool>>);

impl Verdicts {
    fn new(distinct: usize) -> Self {
        Self(vec![None; distinct])
    }

    fn get(&mut self, code: usize, judge: impl FnOnce(usize) -> bool) -> bool {
        *self.0[code].get_or_insert_with(|| judge(code))
    }
}
