//! Values while a query is answered, and what operators make of them: Tempo's static types.
//!
//! Numbers of all three types compare and compute with each other, everything else only with its own type; what does not fit
//! holds no comparison, not even `!=`. Where Tempo fails a query because of one span (a division by zero, a negation of text),
//! the value is missing instead.

use std::cmp::Ordering;
use std::sync::Arc;

use signalbox_lang::traceql::tree::{ArithmeticOp, Static};
use signalbox_model::attributes::AttributeValue;

/// A value of a span.
#[derive(Debug, Clone, Default)]
pub(super) enum Value {
    #[default]
    Nil,
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(i32),
    Kind(i32),
    /// One value that is many.
    Array(Arc<[Self]>),
    /// Values of several events or links, in their order, at least two.
    Several(Arc<[Self]>),
}

/// What tells groups apart: values of one type that are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Nil,
    Number(u8, u64),
    Text(Arc<str>),
    Array(Vec<Self>),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    pub(super) fn of_static(value: &Static) -> Self {
        match value {
            Static::Nil => Self::Nil,
            Static::Int(value) => Self::Int(*value),
            Static::Float(value) => Self::Float(*value),
            Static::Text(value) => Self::text(value),
            Static::Bool(value) => Self::Bool(*value),
            Static::Duration(value) => Self::Duration(*value),
            Static::Status(value) => Self::Status(*value),
            Static::Kind(value) => Self::Kind(*value),
            Static::Array(values) => Self::Array(values.iter().map(Self::of_static).collect()),
        }
    }

    /// Bytes, maps and arrays of several types are no values of the language.
    pub(super) fn of_attribute(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::String(value) => Self::text(value),
            AttributeValue::Bool(value) => Self::Bool(*value),
            AttributeValue::Int(value) => Self::Int(*value),
            AttributeValue::Double(value) => Self::Float(*value),
            AttributeValue::Array(values) => {
                let values: Vec<Self> = values.iter().map(Self::of_attribute).collect();
                let is_plain = values.iter().all(|value| matches!(value, Self::Text(_) | Self::Bool(_) | Self::Int(_) | Self::Float(_)));
                let is_uniform = values.windows(2).all(|pair| pair[0].rank() == pair[1].rank());
                if is_plain && is_uniform { Self::Array(values.into()) } else { Self::Nil }
            }
            AttributeValue::Bytes(_) | AttributeValue::Map(_) | AttributeValue::Empty => Self::Nil,
        }
    }

    /// For an answer; of several values the first.
    pub(super) fn to_static(&self) -> Static {
        match self {
            Self::Nil => Static::Nil,
            Self::Int(value) => Static::Int(*value),
            Self::Float(value) => Static::Float(*value),
            Self::Text(value) => Static::Text(value.as_ref().to_owned()),
            Self::Bool(value) => Static::Bool(*value),
            Self::Duration(value) => Static::Duration(*value),
            Self::Status(value) => Static::Status(*value),
            Self::Kind(value) => Static::Kind(*value),
            Self::Array(values) => Static::Array(values.iter().map(Self::to_static).collect()),
            Self::Several(_) => self.first().to_static(),
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Of several values the first.
    pub(super) fn first(&self) -> &Self {
        match self {
            Self::Several(values) => values.first().unwrap_or(&Self::Nil),
            other => other,
        }
    }

    /// As a number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn key(&self) -> Key {
        match self.first() {
            Self::Nil | Self::Several(_) => Key::Nil,
            Self::Text(text) => Key::Text(Arc::clone(text)),
            Self::Array(values) => Key::Array(values.iter().map(Self::key).collect()),
            Self::Float(value) => Key::Number(2, if *value == 0.0 { 0 } else { value.to_bits() }),
            Self::Int(value) => Key::Number(1, *value as u64),
            Self::Bool(value) => Key::Number(4, u64::from(*value)),
            Self::Duration(value) => Key::Number(5, *value as u64),
            Self::Status(value) => Key::Number(6, *value as u64),
            Self::Kind(value) => Key::Number(7, *value as u64),
        }
    }

    /// The place of the type among all types.
    fn rank(&self) -> u8 {
        match self {
            Self::Nil => 0,
            Self::Int(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::Bool(_) => 4,
            Self::Duration(_) => 5,
            Self::Status(_) => 6,
            Self::Kind(_) => 7,
            Self::Array(_) | Self::Several(_) => 8,
        }
    }

    /// A total order over all values: by number or text, else by type. What `min` and `max` go by, and answers are sorted by.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) | (Self::Duration(left), Self::Duration(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Status(left), Self::Status(right)) | (Self::Kind(left), Self::Kind(right)) => left.cmp(right),
            (Self::Array(left) | Self::Several(left), Self::Array(right) | Self::Several(right)) => {
                let unequal = left.iter().zip(right.iter()).map(|(left, right)| left.order(right)).find(|order| order.is_ne());
                unequal.unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            _ => match (self.number(), other.number()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }

    /// `self op other`.
    pub(super) fn compute(&self, op: ArithmeticOp, other: &Self) -> Self {
        let (left, right) = (self.first(), other.first());
        if let (Self::Int(left), Self::Int(right)) = (left, right) {
            return integers(op, *left, *right).map_or(Self::Nil, Self::Int);
        }
        match (left.number(), right.number()) {
            (Some(left), Some(right)) => Self::Float(floats(op, left, right)),
            _ => Self::Nil,
        }
    }

    /// `-self`
    pub(super) fn negative(&self) -> Self {
        match self.first() {
            Self::Int(value) => Self::Int(value.wrapping_neg()),
            Self::Duration(value) => Self::Duration(value.wrapping_neg()),
            Self::Float(value) => Self::Float(-value),
            _ => Self::Nil,
        }
    }
}

fn integers(op: ArithmeticOp, left: i64, right: i64) -> Option<i64> {
    Some(match op {
        ArithmeticOp::Add => left.wrapping_add(right),
        ArithmeticOp::Subtract => left.wrapping_sub(right),
        ArithmeticOp::Multiply => left.wrapping_mul(right),
        ArithmeticOp::Divide if right == 0 => return None,
        ArithmeticOp::Divide => left.wrapping_div(right),
        ArithmeticOp::Modulo if right == 0 => return None,
        ArithmeticOp::Modulo => left.wrapping_rem(right),
        ArithmeticOp::Power => (left as f64).powf(right as f64) as i64,
    })
}

/// Arithmetic of numbers that are not both integers.
pub(super) fn floats(op: ArithmeticOp, left: f64, right: f64) -> f64 {
    match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo => left % right,
        ArithmeticOp::Power => left.powf(right),
    }
}
