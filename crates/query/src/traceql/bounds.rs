//! What of an expression the store can decide: which pages it need not read.

use std::ops::RangeInclusive;
use std::sync::Arc;

use signalbox_lang::traceql::tree::{Attribute, CompareOp, Intrinsic, Scope};
use signalbox_model::attributes::double_text;
use signalbox_model::{Phrase, TraceId, schema};
use signalbox_store::{Carried, ScanRequest, SharedTest, SpanBounds};

use super::columns::{of_resource, of_scope};
use super::expr::{Comparison, Expr};
use super::fields::{Fields, is_service};
use super::value::Value;
use crate::rows::{self, Resource};

/// Integers of which no other double is equal than the one whose text is looked for.
const INTEGERS: RangeInclusive<i64> = 1..=1 << 53;

/// What every span holds that an expression holds for.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    services: Vec<String>,
    trace_id: Option<TraceId>,
    spans: SpanBounds,
    carried: Vec<Carried>,
}

impl Bounds {
    /// Takes what the parts of a conjunction say.
    pub(super) fn narrow(&mut self, expression: &Expr, fields: &Fields) {
        match expression {
            Expr::And(parts) => parts.iter().for_each(|part| self.narrow(part, fields)),
            Expr::Compare(_) => {
                let Some((op, attribute, value)) = comparison(expression, fields) else { return };
                match attribute {
                    Attribute::Intrinsic(Intrinsic::Duration) => self.duration(range(expression)),
                    // The store compares these row by row.
                    _ if self.is_compared(op, attribute, value) => {}
                    _ => self.carried.extend(carried(expression, fields)),
                }
            }
            Expr::Or(_) => self.carried.extend(carried(expression, fields)),
            _ => {}
        }
    }

    fn duration(&mut self, range: Option<RangeInclusive<i64>>) {
        if let Some(range) = range {
            let own = &self.spans.duration_ns;
            self.spans.duration_ns = *own.start().max(range.start())..=*own.end().min(range.end());
        }
    }

    /// Takes a comparison with a column; whether it was one that such columns decide.
    fn is_compared(&mut self, op: CompareOp, attribute: &Attribute, value: &Value) -> bool {
        match (op, attribute, value) {
            (CompareOp::Equal, _, Value::Text(text)) if is_service(attribute) => only(&mut self.services, text.as_ref().to_owned()),
            (CompareOp::Equal, Attribute::Intrinsic(Intrinsic::TraceId), Value::Text(text)) => {
                self.trace_id = self.trace_id.or_else(|| TraceId::from_hex(text))
            }
            (CompareOp::Equal, Attribute::Intrinsic(Intrinsic::Name), Value::Text(text)) => only(&mut self.spans.names, text.as_ref().to_owned()),
            (CompareOp::Equal, Attribute::Intrinsic(Intrinsic::Status), Value::Status(code)) => only(&mut self.spans.status_codes, *code),
            (CompareOp::Equal, Attribute::Intrinsic(Intrinsic::Kind), Value::Kind(kind)) => only(&mut self.spans.kinds, *kind),
            (CompareOp::Regex, Attribute::Intrinsic(Intrinsic::Name), Value::Text(pattern)) => several(&mut self.spans.names, pattern),
            (CompareOp::Regex, _, Value::Text(pattern)) if is_service(attribute) => several(&mut self.services, pattern),
            _ => return false,
        }
        true
    }

    /// Whether only spans of one trace are within.
    pub(super) fn names_trace(&self) -> bool {
        self.trace_id.is_some()
    }

    /// Narrows a scan.
    pub(super) fn apply(&self, scan: ScanRequest) -> ScanRequest {
        ScanRequest { services: self.services.clone(), trace_id: self.trace_id, spans: self.spans.clone(), carried: self.carried.clone(), ..scan }
    }
}

/// Of two values that must both be equal the first is as good as the second.
fn only<T>(values: &mut Vec<T>, value: T) {
    if values.is_empty() {
        values.push(value);
    }
}

/// The same of a regular expression that is alternatives of plain text.
fn several(values: &mut Vec<String>, pattern: &str) {
    if let Some(alternatives) = alternatives(pattern).filter(|_| values.is_empty()) {
        *values = alternatives;
    }
}

fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let is_plain = pattern.chars().all(|character| character.is_ascii_alphanumeric() || "-_/: |".contains(character));
    is_plain.then(|| pattern.split('|').map(str::to_owned).collect())
}

/// A comparison of an attribute with a value, the attribute on the left.
fn comparison<'e>(expression: &'e Expr, fields: &'e Fields) -> Option<(CompareOp, &'e Attribute, &'e Value)> {
    let Expr::Compare(comparison) = expression else { return None };
    let (op, slot, value) = match (&comparison.left, &comparison.right) {
        (Expr::Slot(slot), Expr::Const(value)) => (comparison.op, slot, value),
        (Expr::Const(value), Expr::Slot(slot)) if !comparison.op.is_regex() => (flipped(comparison.op), slot, value),
        _ => return None,
    };
    Some((op, fields.attributes().get(*slot)?, value))
}

/// What a span carries that an expression holds for, as far as the store has an index of it.
fn carried(expression: &Expr, fields: &Fields) -> Option<Carried> {
    match expression {
        Expr::And(parts) => parts.iter().find_map(|part| carried(part, fields)),
        Expr::Or(parts) => parts.iter().map(|part| carried(part, fields)).reduce(|left, right| left?.or(right?))?,
        Expr::Compare(_) => {
            let (op, attribute, value) = comparison(expression, fields)?;
            let texts = match op {
                CompareOp::Equal => texts(value)?,
                CompareOp::Regex => match value {
                    Value::Text(pattern) => alternatives(pattern)?,
                    _ => return None,
                },
                _ => return None,
            };
            if !texts.iter().all(|text| is_same_in_json(text)) {
                return None;
            }
            let shared = |column| Some(shared(expression, attribute, column, &texts));
            let (is_own, in_items, is_shared) = match attribute {
                Attribute::Intrinsic(Intrinsic::Name | Intrinsic::StatusMessage) | Attribute::Named(Scope::Span, _) => (true, false, None),
                Attribute::Named(Scope::Any, _) => (true, false, shared(schema::RESOURCE)),
                Attribute::Named(Scope::Resource, _) => (false, false, shared(schema::RESOURCE)),
                Attribute::Named(Scope::Instrumentation, _) | Attribute::Intrinsic(Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion) => {
                    (false, false, shared(schema::SCOPE))
                }
                Attribute::Named(Scope::Event | Scope::Link, _)
                | Attribute::Intrinsic(Intrinsic::EventName | Intrinsic::LinkTraceId | Intrinsic::LinkSpanId) => (true, true, None),
                Attribute::Intrinsic(_) => return None,
            };
            let phrases = if is_own { texts.into_iter().map(Phrase::whole).collect() } else { Vec::new() };
            Some(Carried { trace_id: None, phrases, in_items, is_shared })
        }
        _ => None,
    }
}

/// How a value may be written. A number may have been sent as an integer or as a double.
fn texts(value: &Value) -> Option<Vec<String>> {
    Some(match value {
        Value::Text(text) => vec![text.as_ref().to_owned()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Int(value) | Value::Duration(value) if INTEGERS.contains(value) => vec![value.to_string(), double_text(*value as f64)],
        _ => return None,
    })
}

/// Items of arrays rest as JSON, as resources do, which writes some characters in another way.
fn is_same_in_json(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character != '"' && character != '\\' && !character.is_control())
}

/// Whether the text of a resource, or of a scope, holds a comparison of an attribute of it.
fn shared(expression: &Expr, attribute: &Attribute, wanted: &'static str, texts: &[String]) -> SharedTest {
    let (expression, attribute, texts) = (expression.clone(), attribute.clone(), texts.to_vec());
    Arc::new(move |column, json| {
        // Few have the text at all; only these are parsed.
        if column != wanted || !texts.iter().any(|text| json.contains(text.as_str())) {
            return false;
        }
        let value =
            if column == schema::RESOURCE { of_resource(&Resource::from_json(json), &attribute) } else { of_scope(&rows::Scope::from_json(json), &attribute) };
        expression.holds(&|_| value.clone())
    })
}

/// The integers for which a comparison of a slot with an integer holds. Inequality is no range.
pub(super) fn range(expression: &Expr) -> Option<RangeInclusive<i64>> {
    let Expr::Compare(comparison) = expression else { return None };
    let Comparison { op, left, right, .. } = comparison.as_ref();
    let (op, wanted) = match (left, right) {
        (Expr::Slot(_), Expr::Const(Value::Int(wanted) | Value::Duration(wanted))) => (*op, *wanted),
        (Expr::Const(Value::Int(wanted) | Value::Duration(wanted)), Expr::Slot(_)) => (flipped(*op), *wanted),
        _ => return None,
    };
    Some(match op {
        CompareOp::Equal => wanted..=wanted,
        CompareOp::Greater => wanted.checked_add(1)?..=i64::MAX,
        CompareOp::GreaterEqual => wanted..=i64::MAX,
        CompareOp::Less => i64::MIN..=wanted.checked_sub(1)?,
        CompareOp::LessEqual => i64::MIN..=wanted,
        CompareOp::NotEqual | CompareOp::Regex | CompareOp::NotRegex => return None,
    })
}

fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterEqual => CompareOp::LessEqual,
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessEqual => CompareOp::GreaterEqual,
        other => other,
    }
}
