//! Expressions of one span.

use std::cmp::Reverse;

use signalbox_lang::traceql::tree::{Attribute, FieldExpr, Intrinsic, Scope, Static};

use super::super::spans::{Attributes, Span};
use super::tree::Tree;
use super::value::{Value, calculate, compare, negative, of_attribute};

/// A trace: all its spans, by start, the longer first, then by identifier.
#[derive(Debug)]
pub(in super::super) struct Trace {
    pub(in super::super) spans: Vec<Span>,
    pub(super) tree: Tree,
}

impl Trace {
    pub(in super::super) fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by_key(|span| (span.start_ns, Reverse(span.duration_ns), span.id));
        let tree = Tree::new(&spans);
        Self { spans, tree }
    }

    pub(in super::super) fn duration_ns(&self) -> i64 {
        let start_ns = self.spans.iter().map(|span| span.start_ns).min().unwrap();
        self.spans.iter().map(|span| span.start_ns + span.duration_ns).max().unwrap() - start_ns
    }

    /// The first span without a parent.
    pub(in super::super) fn root(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.parent.is_none())
    }

    /// What a span has under a name.
    pub(in super::super) fn attribute(&self, at: usize, attribute: &Attribute) -> Value {
        let span = &self.spans[at];
        match attribute {
            Attribute::Named(scope, name) => named(span, *scope, name),
            Attribute::Intrinsic(intrinsic) => self.intrinsic(at, *intrinsic),
        }
    }

    fn intrinsic(&self, at: usize, intrinsic: Intrinsic) -> Value {
        let span = &self.spans[at];
        let (left, right, parent) = self.tree.numbers[at];
        let int = |value: i64| Value::One(Static::Int(value));
        match intrinsic {
            Intrinsic::Name => Value::text(&span.name),
            Intrinsic::Duration => Value::One(Static::Duration(span.duration_ns)),
            Intrinsic::Status => Value::One(Static::Status(span.status)),
            Intrinsic::StatusMessage => Value::text(&span.message),
            Intrinsic::Kind => Value::One(Static::Kind(span.kind)),
            Intrinsic::SpanId => Value::text(&span.id.to_string()),
            Intrinsic::ParentId => span.parent.map_or(Value::NIL, |id| Value::text(&id.to_string())),
            Intrinsic::ChildCount => int(self.tree.child_count(at) as i64),
            Intrinsic::NestedSetLeft => int(left),
            Intrinsic::NestedSetRight => int(right),
            Intrinsic::NestedSetParent => int(parent),
            Intrinsic::TraceId => Value::text(&span.trace_id.to_string()),
            Intrinsic::TraceDuration => Value::One(Static::Duration(self.duration_ns())),
            Intrinsic::RootName => Value::text(self.root().map_or("", |root| &root.name)),
            Intrinsic::RootService => Value::text(self.root().map_or("", Span::service)),
            Intrinsic::EventName => Value::of_items(span.events.iter().map(|event| Static::Text(event.name.clone())).collect()),
            Intrinsic::EventTimeSinceStart => Value::of_items(span.events.iter().map(|event| Static::Duration(event.at_ns - span.start_ns)).collect()),
            Intrinsic::LinkTraceId => Value::of_items(span.links.iter().map(|link| Static::Text(link.trace_id.to_string())).collect()),
            Intrinsic::LinkSpanId => Value::of_items(span.links.iter().map(|link| Static::Text(link.span_id.to_string())).collect()),
            Intrinsic::InstrumentationName => Value::text(&span.scope_name),
            Intrinsic::InstrumentationVersion => Value::text(&span.scope_version),
        }
    }

    /// The value of an expression for a span.
    pub(super) fn value(&self, at: usize, expr: &FieldExpr) -> Value {
        match expr {
            FieldExpr::Static(value) => Value::One(value.clone()),
            FieldExpr::Attribute(attribute) => self.attribute(at, attribute),
            FieldExpr::Not(inner) => match self.value(at, inner).first() {
                Static::Bool(value) => Value::bool(!value),
                _ => Value::NIL,
            },
            FieldExpr::Negative(inner) => Value::One(negative(&self.value(at, inner).first())),
            FieldExpr::And(left, right) => Value::bool(self.holds(at, left) && self.holds(at, right)),
            FieldExpr::Or(left, right) => Value::bool(self.holds(at, left) || self.holds(at, right)),
            FieldExpr::Arithmetic(op, left, right) => Value::One(calculate(*op, &self.value(at, left).first(), &self.value(at, right).first())),
            FieldExpr::Compare(op, left, right) if **right == FieldExpr::Static(Static::Nil) => {
                let is_nil = self.value(at, left).is_nil();
                let is_compared = **left != FieldExpr::Static(Static::Nil);
                Value::bool(is_compared && is_nil == (op.as_str() == "="))
            }
            FieldExpr::Compare(op, left, right) => {
                let id = Attribute::Intrinsic(Intrinsic::TraceId);
                let is_id = **left == FieldExpr::Attribute(id.clone()) || **right == FieldExpr::Attribute(id);
                let side = |expr| if is_id && !op.is_regex() { padded(self.value(at, expr)) } else { self.value(at, expr) };
                Value::bool(compare(*op, &side(left), &side(right)))
            }
        }
    }

    pub(super) fn holds(&self, at: usize, expr: &FieldExpr) -> bool {
        self.value(at, expr).is_true()
    }
}

/// Identifiers of traces are written with or without their leading zeros.
fn padded(value: Value) -> Value {
    match value {
        Value::One(Static::Text(text)) if !text.is_empty() => Value::One(Static::Text(format!("{text:0>32}"))),
        other => other,
    }
}

fn named(span: &Span, scope: Scope, name: &str) -> Value {
    let one = |attributes: &Attributes| Value::One(get(attributes, name));
    match scope {
        Scope::Any => match one(&span.attributes) {
            Value::NIL if name == "service.name" => Value::text(span.service()),
            Value::NIL => one(&span.resource),
            own => own,
        },
        Scope::Span => one(&span.attributes),
        Scope::Resource if name == "service.name" => Value::text(span.service()),
        Scope::Resource => one(&span.resource),
        Scope::Instrumentation => one(&span.scope),
        Scope::Event => Value::of_items(span.events.iter().map(|event| get(&event.attributes, name)).collect()),
        Scope::Link => Value::of_items(span.links.iter().map(|link| get(&link.attributes, name)).collect()),
    }
}

fn get(attributes: &Attributes, name: &str) -> Static {
    attributes.iter().find(|(key, _)| key == name).map_or(Static::Nil, |(_, value)| of_attribute(value))
}
