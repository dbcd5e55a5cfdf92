//! Values of one span and what operators make of them.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use signalbox_lang::traceql::tree::{ArithmeticOp, CompareOp, Static};
use signalbox_model::attributes::AttributeValue;

/// What a span has: nothing, one value, or one for each of several events or links.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Value {
    One(Static),
    Several(Vec<Static>),
}

impl Value {
    pub(super) const NIL: Self = Self::One(Static::Nil);

    pub(super) fn bool(value: bool) -> Self {
        Self::One(Static::Bool(value))
    }

    pub(super) fn text(value: &str) -> Self {
        Self::One(Static::Text(value.to_owned()))
    }

    /// Of events or links, in their order.
    pub(super) fn of_items(values: Vec<Static>) -> Self {
        let mut values: Vec<Static> = values.into_iter().filter(|value| *value != Static::Nil).collect();
        match values.len() {
            0 => Self::NIL,
            1 => Self::One(values.remove(0)),
            _ => Self::Several(values),
        }
    }

    /// The value, of several the first.
    pub(in super::super) fn first(&self) -> Static {
        match self {
            Self::One(value) => value.clone(),
            Self::Several(values) => values[0].clone(),
        }
    }

    fn each(&self) -> Vec<&Static> {
        match self {
            Self::One(value) => vec![value],
            Self::Several(values) => values.iter().collect(),
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        *self == Self::NIL
    }

    /// Whether it is `true`, of several whether one is.
    pub(super) fn is_true(&self) -> bool {
        self.each().contains(&&Static::Bool(true))
    }
}

/// Bytes, maps and arrays of several types are no values of the language.
pub(in super::super) fn of_attribute(value: &AttributeValue) -> Static {
    match value {
        AttributeValue::String(value) => Static::Text(value.clone()),
        AttributeValue::Bool(value) => Static::Bool(*value),
        AttributeValue::Int(value) => Static::Int(*value),
        AttributeValue::Double(value) => Static::Float(*value),
        AttributeValue::Array(values) => Static::Array(values.iter().map(of_attribute).collect()),
        AttributeValue::Bytes(_) | AttributeValue::Map(_) | AttributeValue::Empty => Static::Nil,
    }
}

pub(super) fn number(value: &Static) -> Option<f64> {
    match value {
        Static::Int(value) | Static::Duration(value) => Some(*value as f64),
        Static::Float(value) => Some(*value),
        _ => None,
    }
}

/// `left op right`; one of several values is enough on either side.
pub(super) fn compare(op: CompareOp, left: &Value, right: &Value) -> bool {
    left.each().iter().any(|left| right.each().iter().any(|right| compare_one(op, left, right)))
}

/// One value of an array is enough, but none may fail a negation.
fn compare_one(op: CompareOp, left: &Static, right: &Static) -> bool {
    let is_negation = matches!(op, CompareOp::NotEqual | CompareOp::NotRegex);
    match (left, right) {
        (Static::Array(_), Static::Array(_)) => false,
        (Static::Array(values), scalar) if is_negation => values.iter().all(|value| compare_scalars(op, value, scalar)),
        (scalar, Static::Array(values)) if is_negation => values.iter().all(|value| compare_scalars(op, scalar, value)),
        (Static::Array(values), scalar) => values.iter().any(|value| compare_scalars(op, value, scalar)),
        (scalar, Static::Array(values)) => values.iter().any(|value| compare_scalars(op, scalar, value)),
        _ => compare_scalars(op, left, right),
    }
}

pub(super) fn compare_scalars(op: CompareOp, left: &Static, right: &Static) -> bool {
    match (left, right) {
        (Static::Text(left), Static::Text(right)) if op.is_regex() => is_match(right, left) == (op == CompareOp::Regex),
        (Static::Text(left), Static::Text(right)) => ordered(op, left, right),
        (Static::Bool(left), Static::Bool(right)) => !op.is_ordering() && ordered(op, left, right),
        (Static::Status(left), Static::Status(right)) | (Static::Kind(left), Static::Kind(right)) => !op.is_ordering() && ordered(op, left, right),
        (Static::Int(left) | Static::Duration(left), Static::Int(right) | Static::Duration(right)) => ordered(op, left, right),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => ordered(op, &left, &right),
            _ => false,
        },
    }
}

/// Whether the whole text is a match. Patterns are few and are compiled once.
fn is_match(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
    }
    COMPILED.with_borrow_mut(|compiled| {
        let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(&format!("^(?s:{pattern})$")).unwrap());
        regex.is_match(text)
    })
}

pub(super) fn ordered<T: PartialOrd>(op: CompareOp, left: &T, right: &T) -> bool {
    match op {
        CompareOp::Equal => left == right,
        CompareOp::NotEqual => left != right,
        CompareOp::Greater => left > right,
        CompareOp::GreaterEqual => left >= right,
        CompareOp::Less => left < right,
        CompareOp::LessEqual => left <= right,
        CompareOp::Regex | CompareOp::NotRegex => false,
    }
}

pub(super) fn calculate(op: ArithmeticOp, left: &Static, right: &Static) -> Static {
    if let (Static::Int(left), Static::Int(right)) = (left, right) {
        return match op {
            ArithmeticOp::Add => Static::Int(left.wrapping_add(*right)),
            ArithmeticOp::Subtract => Static::Int(left.wrapping_sub(*right)),
            ArithmeticOp::Multiply => Static::Int(left.wrapping_mul(*right)),
            ArithmeticOp::Divide => left.checked_div(*right).map_or(Static::Nil, Static::Int),
            ArithmeticOp::Modulo => left.checked_rem(*right).map_or(Static::Nil, Static::Int),
            ArithmeticOp::Power => Static::Int((*left as f64).powf(*right as f64) as i64),
        };
    }
    let (Some(left), Some(right)) = (number(left), number(right)) else { return Static::Nil };
    Static::Float(match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo => left % right,
        ArithmeticOp::Power => left.powf(right),
    })
}

pub(super) fn negative(value: &Static) -> Static {
    match value {
        Static::Int(value) => Static::Int(value.wrapping_neg()),
        Static::Duration(value) => Static::Duration(value.wrapping_neg()),
        Static::Float(value) => Static::Float(-value),
        _ => Static::Nil,
    }
}
