//! A filter over the rows of a batch: what a text decides is decided once per distinct text, numbers are compared in loops.

use std::ops::RangeInclusive;

use arrow::array::{Array, Int64Array};

use signalbox_lang::traceql::tree::{Attribute, Intrinsic};
use signalbox_store::ScanRequest;

use super::bounds::{Bounds, range};
use super::columns::{Columns, Own, Reader};
use super::expr::Expr;
use super::fields::{Fields, is_of_trace, is_service};
use super::value::Value;

/// What the columns of spans alone can say of an expression. Where only the whole trace knows, spans pass.
#[derive(Debug, Clone)]
pub(super) struct Sieve {
    root: Node,
    slots: Vec<usize>,
    is_exact: bool,
    bounds: Bounds,
}

#[derive(Debug, Clone)]
enum Node {
    All,
    None,
    And(Vec<Self>),
    Or(Vec<Self>),
    /// Of one slot.
    One(usize, Test),
    /// Of several slots, row by row.
    Rows(Expr),
}

#[derive(Debug, Clone)]
struct Test {
    expression: Expr,
    /// The integers that pass, if the expression is such a comparison.
    range: Option<RangeInclusive<i64>>,
}

impl Sieve {
    /// `None` lets all spans pass.
    pub(super) fn new(expression: Option<&Expr>, fields: &Fields) -> Self {
        let mut sieve = Self { root: Node::All, slots: Vec::new(), is_exact: true, bounds: Bounds::default() };
        if let Some(expression) = expression {
            sieve.root = sieve.node(expression, fields);
            sieve.slots.sort_unstable();
            sieve.slots.dedup();
            sieve.bounds.narrow(expression, fields);
        }
        sieve
    }

    fn node(&mut self, expression: &Expr, fields: &Fields) -> Node {
        match expression {
            Expr::Const(value) => {
                if matches!(value, Value::Bool(true)) {
                    Node::All
                } else {
                    Node::None
                }
            }
            Expr::And(all) => {
                let mut parts = Vec::new();
                for part in all {
                    match self.node(part, fields) {
                        Node::All => {}
                        Node::And(inner) => parts.extend(inner),
                        other => parts.push(other),
                    }
                }
                // The order of parts changes nothing but the cost.
                parts.sort_by_key(|part| part.cost(fields));
                match parts.len() {
                    0 => Node::All,
                    1 => parts.swap_remove(0),
                    _ => Node::And(parts),
                }
            }
            Expr::Or(all) => {
                let mut parts = Vec::new();
                for part in all {
                    match self.node(part, fields) {
                        Node::All => return Node::All,
                        Node::None => {}
                        Node::Or(inner) => parts.extend(inner),
                        other => parts.push(other),
                    }
                }
                match parts.len() {
                    0 => Node::None,
                    1 => parts.swap_remove(0),
                    _ => Node::Or(parts),
                }
            }
            other => {
                let mut slots = Vec::new();
                other.slots(&mut slots);
                slots.sort_unstable();
                slots.dedup();
                if slots.iter().any(|slot| is_of_trace(&fields.attributes()[*slot])) {
                    self.is_exact = false;
                    return Node::All;
                }
                self.slots.extend(&slots);
                match slots.as_slice() {
                    [] if other.holds(&|_| Value::Nil) => Node::All,
                    [] => Node::None,
                    [slot] => Node::One(*slot, Test { expression: other.clone(), range: range(other) }),
                    _ => Node::Rows(other.clone()),
                }
            }
        }
    }

    /// Whether a span that passes holds the expression.
    pub(super) fn is_exact(&self) -> bool {
        self.is_exact
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self.root, Node::All)
    }

    /// No span passes.
    pub(super) fn is_none(&self) -> bool {
        matches!(self.root, Node::None)
    }

    /// Slots that are looked at.
    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Narrows a scan to what can pass.
    pub(super) fn narrow(&self, scan: ScanRequest) -> ScanRequest {
        self.bounds.apply(scan)
    }

    /// Whether only spans of one trace can pass, which is named.
    pub(super) fn names_trace(&self) -> bool {
        self.bounds.names_trace()
    }

    /// The candidates that pass, in order.
    pub(super) fn retain(&self, columns: &Columns<'_>, candidates: Vec<usize>) -> Vec<usize> {
        self.root.retain(columns, candidates)
    }
}

impl Node {
    /// About what it costs to look at a row.
    fn cost(&self, fields: &Fields) -> u32 {
        match self {
            Self::All | Self::None => 0,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(|part| part.cost(fields)).sum(),
            Self::One(slot, test) => match &fields.attributes()[*slot] {
                Attribute::Intrinsic(Intrinsic::EventName | Intrinsic::EventTimeSinceStart | Intrinsic::LinkSpanId | Intrinsic::LinkTraceId) => 100,
                Attribute::Intrinsic(Intrinsic::StatusMessage | Intrinsic::SpanId | Intrinsic::TraceId | Intrinsic::ParentId) => 30,
                Attribute::Intrinsic(_) => 1,
                attribute if is_service(attribute) => 1,
                _ if test.range.is_some() => 5,
                _ => 10,
            },
            Self::Rows(_) => 200,
        }
    }

    fn retain(&self, columns: &Columns<'_>, mut candidates: Vec<usize>) -> Vec<usize> {
        match self {
            Self::All => candidates,
            Self::None => Vec::new(),
            Self::And(parts) => {
                for part in parts {
                    if candidates.is_empty() {
                        break;
                    }
                    candidates = part.retain(columns, candidates);
                }
                candidates
            }
            Self::Or(parts) => {
                let mut either: Vec<usize> = Vec::new();
                for part in parts {
                    let passed = part.retain(columns, candidates.clone());
                    candidates.retain(|row| passed.binary_search(row).is_err());
                    either.extend(passed);
                }
                either.sort_unstable();
                either
            }
            Self::One(slot, test) => {
                if let Some(reader) = columns.reader(*slot) {
                    test.retain(reader, &mut candidates);
                }
                candidates
            }
            Self::Rows(expression) => {
                candidates.retain(|row| expression.holds(&|slot| columns.value(slot, *row)));
                candidates
            }
        }
    }
}

impl Test {
    fn retain(&self, reader: &Reader<'_>, candidates: &mut Vec<usize>) {
        match (&self.range, reader) {
            (Some(range), Reader::Longs(values, _)) => return within(values, range, candidates),
            (Some(range), Reader::Own(Own::Ints(values))) => return within(values, range, candidates),
            _ => {}
        }
        let holds = |value: &Value| self.expression.holds(&|_| value.clone());
        match reader {
            Reader::Codes(values, make) => {
                // Codes are small numbers; others are judged one by one.
                let mut verdicts = [None; 8];
                candidates.retain(|row| {
                    let code = values.value(*row);
                    match usize::try_from(code).ok().and_then(|code| verdicts.get_mut(code)) {
                        Some(verdict) => *verdict.get_or_insert_with(|| holds(&make(code))),
                        None => holds(&make(code)),
                    }
                });
            }
            _ => match reader.codes() {
                Some(codes) => {
                    let (mut verdicts, missing) = (vec![None; codes], holds(&Value::Nil));
                    candidates.retain(|row| match reader.code(*row) {
                        Some(code) => *verdicts[code].get_or_insert_with(|| holds(&reader.value(*row))),
                        None => missing,
                    });
                }
                None if matches!(reader, Reader::Own(Own::None)) => {
                    if !holds(&Value::Nil) {
                        candidates.clear();
                    }
                }
                None => candidates.retain(|row| holds(&reader.value(*row))),
            },
        }
    }
}

fn within(values: &Int64Array, range: &RangeInclusive<i64>, candidates: &mut Vec<usize>) {
    if values.null_count() == 0 {
        candidates.retain(|row| range.contains(&values.value(*row)));
    } else {
        candidates.retain(|row| values.is_valid(*row) && range.contains(&values.value(*row)));
    }
}
