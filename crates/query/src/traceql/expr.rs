//! Field expressions, ready to be asked of spans: attributes are numbers of slots, regular expressions are compiled.

use std::sync::Arc;

use regex::Regex;

use signalbox_lang::traceql::tree::{ArithmeticOp, Attribute, CompareOp, FieldExpr, Intrinsic, Static};
use signalbox_model::{Error, Result};

use super::fields::Fields;
use super::value::Value;
use crate::pattern;

/// A field expression over slots.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Const(Value),
    Slot(usize),
    Not(Box<Self>),
    Negative(Box<Self>),
    /// All of these; long chains are flat, so that nothing recurses as deep as a query is long.
    And(Vec<Self>),
    /// One of these.
    Or(Vec<Self>),
    Compare(Box<Comparison>),
    /// Whether the value is missing, or is not.
    IsNil(Box<Self>, bool),
    /// From left to right.
    Arithmetic(Box<Self>, Vec<(ArithmeticOp, Self)>),
}

/// `left op right`
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) op: CompareOp,
    pub(super) left: Expr,
    pub(super) right: Expr,
    /// The patterns that the right side is, if the operator takes such.
    regexes: Arc<[Regex]>,
}

impl Expr {
    /// Takes slots for the attributes of the expression.
    ///
    /// # Errors
    /// `Invalid` for a regular expression that is none.
    pub(super) fn new(expression: &FieldExpr, fields: &mut Fields) -> Result<Self> {
        Ok(match expression {
            FieldExpr::Static(value) => Self::Const(Value::of_static(value)),
            FieldExpr::Attribute(attribute) => Self::Slot(fields.slot(attribute)),
            FieldExpr::Not(inner) => Self::Not(Box::new(Self::new(inner, fields)?)),
            FieldExpr::Negative(inner) => Self::Negative(Box::new(Self::new(inner, fields)?)),
            FieldExpr::And(..) => {
                let parts = chain(expression, |part| if let FieldExpr::And(left, right) = part { Some((left, right)) } else { None });
                Self::And(parts.into_iter().map(|part| Self::new(part, fields)).collect::<Result<_>>()?)
            }
            FieldExpr::Or(..) => {
                let parts = chain(expression, |part| if let FieldExpr::Or(left, right) = part { Some((left, right)) } else { None });
                Self::Or(parts.into_iter().map(|part| Self::new(part, fields)).collect::<Result<_>>()?)
            }
            FieldExpr::Compare(op, left, right) => Self::compare(*op, left, right, fields)?,
            FieldExpr::Arithmetic(..) => {
                let (mut first, mut rest) = (expression, Vec::new());
                while let FieldExpr::Arithmetic(op, left, right) = first {
                    rest.push((*op, Self::new(right, fields)?));
                    first = left;
                }
                rest.reverse();
                Self::Arithmetic(Box::new(Self::new(first, fields)?), rest)
            }
        })
    }

    fn compare(op: CompareOp, left: &FieldExpr, right: &FieldExpr, fields: &mut Fields) -> Result<Self> {
        let nil = |side: &FieldExpr| matches!(side, FieldExpr::Static(Static::Nil));
        let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
        match (nil(left), nil(right)) {
            (true, true) => return Ok(Self::Const(Value::Bool(false))),
            (true, false) if is_equality => return Self::is_nil(right, op == CompareOp::Equal, fields),
            (false, true) if is_equality => return Self::is_nil(left, op == CompareOp::Equal, fields),
            _ => {}
        }
        let (mut left_side, mut right_side) = (Self::new(left, fields)?, Self::new(right, fields)?);
        for (side, other) in [(left, &mut right_side), (right, &mut left_side)] {
            if let (FieldExpr::Attribute(Attribute::Intrinsic(intrinsic)), Self::Const(value)) = (side, other) {
                *value = as_identifier(*intrinsic, value);
            }
        }
        let regexes = if op.is_regex() { patterns(&right_side)? } else { Arc::default() };
        Ok(Self::Compare(Box::new(Comparison { op, left: left_side, right: right_side, regexes })))
    }

    fn is_nil(inner: &FieldExpr, is_nil: bool, fields: &mut Fields) -> Result<Self> {
        let inner = Self::new(inner, fields)?;
        if let (Self::Slot(slot), true) = (&inner, is_nil) {
            fields.note_missing(*slot);
        }
        Ok(Self::IsNil(Box::new(inner), is_nil))
    }

    /// The value for a span, whose values of slots are asked for.
    pub(super) fn value(&self, slot: &impl Fn(usize) -> Value) -> Value {
        match self {
            Self::Const(value) => value.clone(),
            Self::Slot(number) => slot(*number),
            Self::Not(inner) => match inner.value(slot).first() {
                Value::Bool(value) => Value::Bool(!value),
                _ => Value::Nil,
            },
            Self::Negative(inner) => inner.value(slot).negative(),
            Self::And(parts) => Value::Bool(parts.iter().all(|part| part.holds(slot))),
            Self::Or(parts) => Value::Bool(parts.iter().any(|part| part.holds(slot))),
            Self::IsNil(inner, is_nil) => Value::Bool(inner.value(slot).is_nil() == *is_nil),
            Self::Compare(comparison) => Value::Bool(comparison.holds(&comparison.left.value(slot), &comparison.right.value(slot))),
            Self::Arithmetic(first, rest) => rest.iter().fold(first.value(slot), |left, (op, right)| left.compute(*op, &right.value(slot))),
        }
    }

    /// Whether the value for a span is `true`.
    pub(super) fn holds(&self, slot: &impl Fn(usize) -> Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(slot)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(slot)),
            _ => match self.value(slot) {
                Value::Bool(value) => value,
                Value::Several(values) => values.iter().any(|value| matches!(value, Value::Bool(true))),
                _ => false,
            },
        }
    }

    /// Slots that the expression asks for.
    pub(super) fn slots(&self, found: &mut Vec<usize>) {
        match self {
            Self::Const(_) => {}
            Self::Slot(number) => found.push(*number),
            Self::Not(inner) | Self::Negative(inner) | Self::IsNil(inner, _) => inner.slots(found),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.slots(found)),
            Self::Arithmetic(first, rest) => {
                first.slots(found);
                rest.iter().for_each(|(_, part)| part.slots(found));
            }
            Self::Compare(comparison) => {
                comparison.left.slots(found);
                comparison.right.slots(found);
            }
        }
    }
}

/// The parts of a chain of one operator, from left to right.
fn chain<'e>(expression: &'e FieldExpr, split: fn(&'e FieldExpr) -> Option<(&'e FieldExpr, &'e FieldExpr)>) -> Vec<&'e FieldExpr> {
    let (mut first, mut parts) = (expression, Vec::new());
    while let Some((left, right)) = split(first) {
        parts.push(right);
        first = left;
    }
    parts.push(first);
    parts.reverse();
    parts
}

/// Identifiers of traces are compared in full length and in lower case, however they are written.
fn as_identifier(intrinsic: Intrinsic, value: &Value) -> Value {
    match value {
        Value::Text(text) if intrinsic == Intrinsic::TraceId && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Value::from(format!("{:0>32}", text.to_ascii_lowercase()))
        }
        other => other.clone(),
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

fn patterns(side: &Expr) -> Result<Arc<[Regex]>> {
    let texts: Vec<&Value> = match side {
        Expr::Const(Value::Array(values)) => values.iter().collect(),
        Expr::Const(value) => vec![value],
        _ => return Err(Error::invalid("the right side of a regular expression match must be a string")),
    };
    let compile = |value: &Value| match value {
        Value::Text(text) => pattern::whole(text),
        _ => Err(Error::invalid("the right side of a regular expression match must be a string")),
    };
    texts.into_iter().map(compile).collect()
}

impl Comparison {
    /// Whether the comparison holds for two values: for any one of several.
    pub(super) fn holds(&self, left: &Value, right: &Value) -> bool {
        match (left, right) {
            (Value::Several(values), _) => values.iter().any(|value| self.holds(value, right)),
            (_, Value::Several(values)) => values.iter().any(|value| self.holds(left, value)),
            (Value::Array(_), Value::Array(_)) => false,
            (Value::Array(values), scalar) => of_array(self.op, values.iter().map(|value| self.holds_one(value, scalar, 0))),
            (scalar, Value::Array(values)) => of_array(self.op, values.iter().enumerate().map(|(at, value)| self.holds_one(scalar, value, at))),
            _ => self.holds_one(left, right, 0),
        }
    }

    /// Of two single values, the right one the pattern of this number if it is one.
    fn holds_one(&self, left: &Value, right: &Value, pattern: usize) -> bool {
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => self.holds_text(left, right, pattern),
            (Value::Bool(left), Value::Bool(right)) => equality(self.op, left == right),
            (Value::Status(left), Value::Status(right)) | (Value::Kind(left), Value::Kind(right)) => equality(self.op, left == right),
            (Value::Int(left) | Value::Duration(left), Value::Int(right) | Value::Duration(right)) => ordered(self.op, left, right),
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => ordered(self.op, &left, &right),
                _ => false,
            },
        }
    }

    fn holds_text(&self, left: &str, right: &str, pattern: usize) -> bool {
        match self.op {
            CompareOp::Regex | CompareOp::NotRegex => self.regexes.get(pattern).is_some_and(|regex| regex.is_match(left) == (self.op == CompareOp::Regex)),
            op => ordered(op, left, right),
        }
    }
}

/// A comparison with an array holds if one with any value of it does, a negative one if all do.
fn of_array(op: CompareOp, mut verdicts: impl Iterator<Item = bool>) -> bool {
    match op {
        CompareOp::NotEqual | CompareOp::NotRegex => verdicts.all(|verdict| verdict),
        _ => verdicts.any(|verdict| verdict),
    }
}

fn equality(op: CompareOp, is_equal: bool) -> bool {
    match op {
        CompareOp::Equal => is_equal,
        CompareOp::NotEqual => !is_equal,
        _ => false,
    }
}

/// Whether two values of one type compare so.
pub(super) fn ordered<T: PartialOrd + ?Sized>(op: CompareOp, left: &T, right: &T) -> bool {
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
