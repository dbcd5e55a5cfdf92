//! What of an expression the store can decide: which pages it need not read.

use std::ops::RangeInclusive;

use signalbox_lang::traceql::tree::{Attribute, CompareOp, Intrinsic, Scope};
use signalbox_model::attributes::double_text;
use signalbox_model::{Phrase, TextFilter, TraceId};
use signalbox_store::{ScanRequest, SpanBounds};

use super::expr::{Comparison, Expr};
use super::fields::{Fields, is_service};
use super::value::Value;

/// Integers of which no other double is equal than the one whose text is looked for.
const INTEGERS: RangeInclusive<i64> = 1..=1 << 53;

/// What every span holds that an expression holds for.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    services: Vec<String>,
    trace_id: Option<TraceId>,
    spans: SpanBounds,
    text: TextFilter,
}

impl Bounds {
    /// Takes what the parts of a conjunction say.
    pub(super) fn narrow(&mut self, expression: &Expr, fields: &Fields) {
        match expression {
            Expr::And(parts) => parts.iter().for_each(|part| self.narrow(part, fields)),
            Expr::Compare(comparison) => {
                let (op, slot, value) = match (&comparison.left, &comparison.right) {
                    (Expr::Slot(slot), Expr::Const(value)) => (comparison.op, slot, value),
                    (Expr::Const(value), Expr::Slot(slot)) if !comparison.op.is_regex() => (flipped(comparison.op), slot, value),
                    _ => return,
                };
                match &fields.attributes()[*slot] {
                    Attribute::Intrinsic(Intrinsic::Duration) => self.duration(range(expression)),
                    attribute if op == CompareOp::Equal => self.equal(attribute, value),
                    attribute if op == CompareOp::Regex => self.matches(attribute, value),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn duration(&mut self, range: Option<RangeInclusive<i64>>) {
        if let Some(range) = range {
            let own = &self.spans.duration_ns;
            self.spans.duration_ns = *own.start().max(range.start())..=*own.end().min(range.end());
        }
    }

    fn equal(&mut self, attribute: &Attribute, value: &Value) {
        match (attribute, value) {
            (_, Value::Text(text)) if is_service(attribute) => only(&mut self.services, text.as_ref().to_owned()),
            (Attribute::Intrinsic(Intrinsic::TraceId), Value::Text(text)) => self.trace_id = self.trace_id.or_else(|| TraceId::from_hex(text)),
            (Attribute::Intrinsic(Intrinsic::Name), Value::Text(text)) => only(&mut self.spans.names, text.as_ref().to_owned()),
            (Attribute::Intrinsic(Intrinsic::Status), Value::Status(code)) => only(&mut self.spans.status_codes, *code),
            (Attribute::Intrinsic(Intrinsic::Kind), Value::Kind(kind)) => only(&mut self.spans.kinds, *kind),
            (Attribute::Intrinsic(Intrinsic::StatusMessage) | Attribute::Named(Scope::Span, _), _) => {
                // A number may have been sent as an integer or as a double.
                let texts = match value {
                    Value::Text(text) => vec![text.as_ref().to_owned()],
                    Value::Bool(value) => vec![value.to_string()],
                    Value::Int(value) | Value::Duration(value) if INTEGERS.contains(value) => vec![value.to_string(), double_text(*value as f64)],
                    _ => return,
                };
                self.phrases(texts);
            }
            _ => {}
        }
    }

    /// Alternatives of plain text.
    fn matches(&mut self, attribute: &Attribute, value: &Value) {
        let Value::Text(pattern) = value else { return };
        let is_plain = pattern.chars().all(|character| character.is_ascii_alphanumeric() || "-_/: |".contains(character));
        if !is_plain {
            return;
        }
        let alternatives: Vec<String> = pattern.split('|').map(str::to_owned).collect();
        match attribute {
            _ if is_service(attribute) && self.services.is_empty() => self.services = alternatives,
            Attribute::Intrinsic(Intrinsic::Name) if self.spans.names.is_empty() => self.spans.names = alternatives,
            Attribute::Named(Scope::Span, _) => self.phrases(alternatives),
            _ => {}
        }
    }

    /// One of these is the text of a value of a span, or an item of one.
    fn phrases(&mut self, texts: Vec<String>) {
        // Items of arrays rest as JSON, which writes some characters in another way.
        let is_same_in_json =
            |text: &String| !text.is_empty() && text.chars().all(|character| character != '"' && character != '\\' && !character.is_control());
        if texts.iter().all(is_same_in_json) {
            self.text.clauses.push(texts.into_iter().map(Phrase::whole).collect());
        }
    }

    /// Narrows a scan.
    pub(super) fn apply(&self, scan: ScanRequest) -> ScanRequest {
        ScanRequest { services: self.services.clone(), trace_id: self.trace_id, spans: self.spans.clone(), text: self.text.clone(), ..scan }
    }
}

/// Of two values that must both be equal the first is as good as the second.
fn only<T>(values: &mut Vec<T>, value: T) {
    if values.is_empty() {
        values.push(value);
    }
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
