//! Single conditions on spans, as a tree.

use crate::traceql::tree::CompareOp;

/// `{ condition }`: spans that hold a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanFilter {
    /// What a span must hold; `None` for `{}`, which every span does.
    pub condition: Option<Condition>,
}

/// What a span must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// At least one.
    Or(Box<Condition>, Box<Condition>),
    /// A comparison.
    Compare(Comparison),
    /// `true` or `false`.
    Constant(bool),
}

impl Condition {
    /// Both conditions; the text form of a list of conditions that all hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }
}

/// A field compared with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What of the span.
    pub field: Field,
    /// How.
    pub op: CompareOp,
    /// With what.
    pub value: Value,
}

/// What of a span is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Name of the operation.
    Name,
    /// Time from start to end.
    Duration,
    /// Status code.
    Status,
    /// Status message.
    StatusMessage,
    /// Span kind.
    Kind,
    /// An attribute.
    Attribute(AttributeScope, String),
}

/// Where an attribute is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeScope {
    /// `.name`: the span's own, else the resource's.
    Any,
    /// `span.name`
    Span,
    /// `resource.name`
    Resource,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Integer.
    Int(i64),
    /// Floating point.
    Float(f64),
    /// Truth.
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// OTLP status code: 0 unset, 1 ok, 2 error.
    Status(i32),
    /// OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    Kind(i32),
    /// No value: the attribute is missing.
    Nil,
}
