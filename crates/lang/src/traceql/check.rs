//! Types of expressions, and which operators take them.

use signalbox_model::{MatchOp, Matcher};

use super::tree::{ArithmeticOp, Attribute, CompareOp, FieldExpr, Intrinsic, Scope, Static};

/// What is known of the values of an expression before any span is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Attributes: whatever the span brings.
    Any,
    Nil,
    /// Integers, floating point and durations, which all go with each other.
    Number,
    Text,
    Bool,
    Status,
    Kind,
}

impl Type {
    fn goes_with(self, other: Self) -> bool {
        self == other || matches!(self, Self::Any | Self::Nil) || matches!(other, Self::Any | Self::Nil)
    }

    fn compares(self, op: CompareOp) -> bool {
        match self {
            Self::Any | Self::Text => true,
            Self::Number => !op.is_regex(),
            Self::Nil | Self::Bool | Self::Status | Self::Kind => matches!(op, CompareOp::Equal | CompareOp::NotEqual),
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Any | Self::Number)
    }

    pub(super) fn is_truth(self) -> bool {
        matches!(self, Self::Any | Self::Bool)
    }
}

/// An expression with what is known of it.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) expr: FieldExpr,
    pub(super) kind: Type,
    /// Whether its value depends on the span.
    pub(super) is_of_span: bool,
}

/// An expression, and what is wrong with it, if anything is.
pub(super) type Checked = (Typed, Option<String>);

pub(super) fn literal(value: Static) -> Typed {
    let kind = match value {
        Static::Nil | Static::Array(_) => Type::Nil,
        Static::Int(_) | Static::Float(_) | Static::Duration(_) => Type::Number,
        Static::Text(_) => Type::Text,
        Static::Bool(_) => Type::Bool,
        Static::Status(_) => Type::Status,
        Static::Kind(_) => Type::Kind,
    };
    Typed { expr: FieldExpr::Static(value), kind, is_of_span: false }
}

pub(super) fn attribute(attribute: Attribute) -> Typed {
    let kind = match &attribute {
        Attribute::Named(..) => Type::Any,
        Attribute::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration
            | Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
            | Intrinsic::TraceDuration
            | Intrinsic::EventTimeSinceStart => Type::Number,
            Intrinsic::Status => Type::Status,
            Intrinsic::Kind => Type::Kind,
            // As in Tempo, which knows no type for these two.
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => Type::Any,
            Intrinsic::Name
            | Intrinsic::StatusMessage
            | Intrinsic::SpanId
            | Intrinsic::ParentId
            | Intrinsic::TraceId
            | Intrinsic::RootName
            | Intrinsic::RootService
            | Intrinsic::EventName
            | Intrinsic::LinkTraceId
            | Intrinsic::LinkSpanId => Type::Text,
        },
    };
    Typed { expr: FieldExpr::Attribute(attribute), kind, is_of_span: true }
}

pub(super) fn not(inner: Typed) -> Checked {
    let fault = (!inner.kind.is_truth()).then(|| format!("! takes a truth, not {}", inner.expr));
    (Typed { expr: FieldExpr::Not(Box::new(inner.expr)), ..inner }, fault)
}

/// `-a`; of a number that is written, the number itself.
pub(super) fn negative(inner: Typed) -> Checked {
    let fault = (!inner.kind.is_number()).then(|| format!("- takes a number, not {}", inner.expr));
    let expr = match inner.expr {
        FieldExpr::Static(Static::Int(value)) => FieldExpr::Static(Static::Int(value.wrapping_neg())),
        FieldExpr::Static(Static::Float(value)) => FieldExpr::Static(Static::Float(-value)),
        FieldExpr::Static(Static::Duration(value)) => FieldExpr::Static(Static::Duration(value.wrapping_neg())),
        expr => FieldExpr::Negative(Box::new(expr)),
    };
    (Typed { expr, ..inner }, fault)
}

pub(super) fn and(left: Typed, right: Typed) -> Checked {
    logic(left, right, FieldExpr::And, "&&")
}

pub(super) fn or(left: Typed, right: Typed) -> Checked {
    logic(left, right, FieldExpr::Or, "||")
}

fn logic(left: Typed, right: Typed, make: fn(Box<FieldExpr>, Box<FieldExpr>) -> FieldExpr, sign: &str) -> Checked {
    let fault = (!left.kind.is_truth() || !right.kind.is_truth()).then(|| format!("{sign} takes truths, not {} and {}", left.expr, right.expr));
    let is_of_span = left.is_of_span || right.is_of_span;
    (Typed { expr: make(Box::new(left.expr), Box::new(right.expr)), kind: Type::Bool, is_of_span }, fault)
}

pub(super) fn arithmetic(op: ArithmeticOp, left: Typed, right: Typed) -> Checked {
    let fault = (!left.kind.is_number() || !right.kind.is_number()).then(|| format!("{} takes numbers, not {} and {}", op.as_str(), left.expr, right.expr));
    let is_of_span = left.is_of_span || right.is_of_span;
    (Typed { expr: FieldExpr::Arithmetic(op, Box::new(left.expr), Box::new(right.expr)), kind: Type::Number, is_of_span }, fault)
}

pub(super) fn compare(op: CompareOp, left: Typed, right: Typed) -> Checked {
    let fits = left.kind.goes_with(right.kind) && left.kind.compares(op) && right.kind.compares(op);
    let fault = if !fits {
        Some(format!("cannot compare: {} {} {}", left.expr, op.as_str(), right.expr))
    } else if op.is_regex() {
        regex_fault(&right.expr)
    } else if op == CompareOp::Equal && right.expr == FieldExpr::Static(Static::Nil) {
        nil_fault(&left.expr)
    } else {
        None
    };
    let is_of_span = left.is_of_span || right.is_of_span;
    (Typed { expr: FieldExpr::Compare(op, Box::new(left.expr), Box::new(right.expr)), kind: Type::Bool, is_of_span }, fault)
}

fn regex_fault(pattern: &FieldExpr) -> Option<String> {
    match pattern {
        // Only to prove that it is a regular expression; who evaluates compiles it for itself.
        FieldExpr::Static(Static::Text(text)) => Matcher::new("value", MatchOp::Regex, text.as_str()).err().map(|error| error.message().to_owned()),
        other => Some(format!("a regular expression is written as a string, not {other}")),
    }
}

fn nil_fault(expr: &FieldExpr) -> Option<String> {
    match expr {
        FieldExpr::Attribute(attribute @ Attribute::Intrinsic(_)) => Some(format!("{attribute} = nil is not valid because intrinsics cannot be nil")),
        FieldExpr::Attribute(attribute @ Attribute::Named(Scope::Resource, name)) if name == "service.name" => {
            Some(format!("{attribute} = nil is not valid because resource.service.name cannot be nil"))
        }
        _ => None,
    }
}
