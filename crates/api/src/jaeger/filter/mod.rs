//! Filters of searches as trees of operators, Jaeger's RFC 0005, as TraceQL:
//! <https://github.com/jaegertracing/jaeger/blob/main/docs/rfc/0005-structured-query-filters.md>.
//!
//! What is asked of an attribute without a level is asked of the span and of its resource. A comparison with what is not there is false, a
//! negative one too; only `not` turns that round. Constants of the types `int` and `double` are numbers: how these are stored makes no
//! difference. Refused with a clear word is what TraceQL cannot say: several conditions on one event or link, times, trace states and
//! URLs of schemas.

use signalbox_lang::go_duration;
use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Scope, Static};
use signalbox_lang::traceql::{KIND_WORDS, STATUS_WORDS};
use signalbox_model::{Error, Result};
use signalbox_proto::jaeger::expression::{Call, Expression, Scalar, Term};

use crate::trace_search::{any, compare, readings};

mod json;
mod regex;

pub(super) use json::of_json;

/// Operators that are understood.
pub(super) const OPERATORS: [&str; 14] = ["and", "or", "not", "eq", "ne", "gt", "lt", "gte", "lte", "regex", "exists", "in", "not_in", "some"];
/// Levels that are understood.
pub(super) const LEVELS: [&str; 5] = ["span", "resource", "scope", "event", "link"];
/// Calls and constants of one filter.
const NODES_MAX: usize = 1_000;

/// What a filter says of a span.
///
/// # Errors
/// `Invalid` for what is no filter, or asks for what cannot be told.
pub(super) fn condition(call: &Call) -> Result<FieldExpr> {
    Lowering { left: NODES_MAX, element: None }.call(call)
}

/// Where a value is, and what it may be compared with.
struct Reference {
    /// More than one without a level: any of these.
    places: Vec<Attribute>,
    holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Whatever was sent.
    Anything,
    Text,
    /// Lower-case hexadecimal digits.
    Id,
    Duration,
    Status,
    Kind,
}

struct Lowering<'a> {
    left: usize,
    /// The level that the innermost `some` is about.
    element: Option<&'a str>,
}

impl<'a> Lowering<'a> {
    fn call(&mut self, call: &'a Call) -> Result<FieldExpr> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::invalid(format!("the filter has more than {NODES_MAX} parts")))?;
        let args = call.args.as_slice();
        match (call.op.as_str(), args) {
            ("and" | "or", [_, _, ..]) => {
                let mut parts = args.iter().map(|part| self.predicate(part)).collect::<Result<Vec<_>>>()?;
                if call.op == "or" {
                    return Ok(any(parts));
                }
                if let Some(level) = self.element {
                    return Err(unsupported(format!("several conditions on one {level}")));
                }
                let first = parts.remove(0);
                Ok(parts.into_iter().fold(first, |left, right| FieldExpr::And(Box::new(left), Box::new(right))))
            }
            ("not", [_]) if self.element.is_some() => Err(unsupported("not inside some")),
            ("not", [inner]) => Ok(FieldExpr::Not(Box::new(self.predicate(inner)?))),
            ("exists", [subject]) => {
                let subject = reference(subject)?.ok_or_else(|| Error::invalid("exists wants an attribute or a field"))?;
                Ok(exists(&subject))
            }
            ("in" | "not_in", [subject, list]) => {
                let subject = reference(subject)?.ok_or_else(|| Error::invalid(format!("{} wants an attribute or a field, then a list", call.op)))?;
                let Some(Term::List(list)) = &list.term else { return Err(Error::invalid(format!("{} wants a list", call.op))) };
                if list.r#type.is_empty() && subject.holds == Holds::Anything {
                    return Err(Error::invalid("a list that is compared with an attribute wants a type"));
                }
                self.left = self.left.checked_sub(list.values.len()).ok_or_else(|| Error::invalid(format!("the filter has more than {NODES_MAX} parts")))?;
                let mut values = Vec::new();
                for value in &list.values {
                    values.extend(constants(&Scalar { value: value.clone(), r#type: list.r#type.clone() }, subject.holds, CompareOp::Equal)?);
                }
                let within = each(&subject, CompareOp::Equal, &values);
                if call.op == "in" { Ok(within) } else { self.none_of(&subject, within) }
            }
            ("some", [collection, predicate]) => {
                let Some(Term::Nested(nested)) = &collection.term else { return Err(Error::invalid("some wants the events or the links of a span")) };
                if !["event", "link"].contains(&nested.level.as_str()) {
                    return Err(Error::invalid(format!("some wants event or link, not {:?}", nested.level)));
                }
                if self.element.is_some() {
                    return Err(unsupported("some inside some"));
                }
                self.element = Some(&nested.level);
                let found = self.predicate(predicate);
                self.element = None;
                found
            }
            ("eq" | "ne" | "gt" | "lt" | "gte" | "lte" | "regex", [left, right]) => self.comparison(&call.op, left, right),
            (op, _) if OPERATORS.contains(&op) => Err(Error::invalid(format!("filter operator {op:?} has {} arguments", args.len()))),
            (op, _) => Err(Error::invalid(format!("unknown filter operator {op:?}"))),
        }
    }

    fn predicate(&mut self, expression: &'a Expression) -> Result<FieldExpr> {
        match &expression.term {
            Some(Term::Call(call)) => self.call(call),
            _ => Err(Error::invalid("a filter joins calls of operators, not values")),
        }
    }

    fn comparison(&mut self, op: &str, left: &Expression, right: &Expression) -> Result<FieldExpr> {
        // The reference goes first.
        let (left, right, is_turned) = match (reference(left)?, reference(right)?) {
            (Some(left), Some(right)) => return self.between(op, &left, &right),
            (Some(subject), None) => (subject, right, false),
            (None, Some(subject)) => (subject, left, true),
            (None, None) => return Err(unsupported("a comparison of two constants")),
        };
        let Some(Term::Scalar(scalar)) = &right.term else { return Err(Error::invalid(format!("{op} wants a value"))) };
        self.check_level(&left)?;
        if op == "regex" {
            if is_turned || !["", "string"].contains(&scalar.r#type.as_str()) {
                return Err(Error::invalid("regex wants an attribute or a field, then text"));
            }
            if !matches!(left.holds, Holds::Anything | Holds::Text) {
                return Err(unsupported("regex on a field that is no text"));
            }
            return Ok(each(&left, CompareOp::Regex, &[Static::Text(regex::anywhere(&scalar.value)?)]));
        }
        let op = operator(op, is_turned);
        let is_ordering = !matches!(op, CompareOp::Equal | CompareOp::NotEqual);
        if is_ordering && matches!(left.holds, Holds::Status | Holds::Kind) {
            return Err(Error::invalid("status and kind have no order"));
        }
        let values = constants(scalar, left.holds, op)?;
        match op {
            CompareOp::NotEqual if self.element.is_some() => Ok(each(&left, CompareOp::NotEqual, &values)),
            CompareOp::NotEqual => self.none_of(&left, each(&left, CompareOp::Equal, &values)),
            op => Ok(each(&left, op, &values)),
        }
    }

    fn between(&mut self, op: &str, left: &Reference, right: &Reference) -> Result<FieldExpr> {
        self.check_level(left)?;
        self.check_level(right)?;
        let are_alike = left.holds == right.holds || left.holds == Holds::Anything || right.holds == Holds::Anything;
        if !are_alike || op == "regex" {
            return Err(Error::invalid(format!("{op} of two that hold values of other kinds")));
        }
        let op = operator(op, false);
        let pairs = left.places.iter().flat_map(|left| right.places.iter().map(move |right| (left, right)));
        let compared = |(left, right): (&Attribute, &Attribute)| {
            FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(left.clone())), Box::new(FieldExpr::Attribute(right.clone())))
        };
        Ok(any(pairs.map(compared).collect()))
    }

    /// The value is there, and is none of those.
    fn none_of(&self, subject: &Reference, within: FieldExpr) -> Result<FieldExpr> {
        if let Some(level) = self.element {
            return Err(unsupported(format!("not_in on one {level}")));
        }
        Ok(FieldExpr::And(Box::new(exists(subject)), Box::new(FieldExpr::Not(Box::new(within)))))
    }

    /// Inside of `some` only what is of its level is understood.
    fn check_level(&self, subject: &Reference) -> Result<()> {
        let Some(level) = self.element else { return Ok(()) };
        let is_of_level = |place: &Attribute| match place {
            Attribute::Named(scope, _) => scope.as_str() == level,
            Attribute::Intrinsic(Intrinsic::EventName | Intrinsic::EventTimeSinceStart) => level == "event",
            Attribute::Intrinsic(Intrinsic::LinkTraceId | Intrinsic::LinkSpanId) => level == "link",
            Attribute::Intrinsic(_) => false,
        };
        if subject.places.iter().all(is_of_level) { Ok(()) } else { Err(unsupported(format!("anything but the {level} inside some"))) }
    }
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("unsupported filter: {what}"))
}

fn operator(op: &str, is_turned: bool) -> CompareOp {
    match (op, is_turned) {
        ("ne", _) => CompareOp::NotEqual,
        ("gt", false) | ("lt", true) => CompareOp::Greater,
        ("gte", false) | ("lte", true) => CompareOp::GreaterEqual,
        ("lt", false) | ("gt", true) => CompareOp::Less,
        ("lte", false) | ("gte", true) => CompareOp::LessEqual,
        _ => CompareOp::Equal,
    }
}

/// Any of the places with any of the values.
fn each(subject: &Reference, op: CompareOp, values: &[Static]) -> FieldExpr {
    any(subject.places.iter().flat_map(|place| values.iter().map(|value| compare(place.clone(), op, value.clone()))).collect())
}

fn exists(subject: &Reference) -> FieldExpr {
    let nothing = if subject.holds == Holds::Text { Static::Text(String::new()) } else { Static::Nil };
    any(subject.places.iter().map(|place| compare(place.clone(), CompareOp::NotEqual, nothing.clone())).collect())
}

/// `None` for what is no reference.
fn reference(expression: &Expression) -> Result<Option<Reference>> {
    let named = |scopes: &[Scope], key: &str| scopes.iter().map(|scope| Attribute::Named(*scope, key.to_owned())).collect();
    Ok(Some(match &expression.term {
        Some(Term::Attr(attribute)) if attribute.key.is_empty() => return Err(Error::invalid("an attribute of a filter wants a key")),
        Some(Term::Attr(attribute)) => {
            let scopes: &[Scope] = match attribute.level.as_str() {
                "" => &[Scope::Span, Scope::Resource],
                "span" => &[Scope::Span],
                "resource" => &[Scope::Resource],
                "scope" => &[Scope::Instrumentation],
                "event" => &[Scope::Event],
                "link" => &[Scope::Link],
                level => return Err(Error::invalid(format!("unknown filter level {level:?}"))),
            };
            Reference { places: named(scopes, &attribute.key), holds: Holds::Anything }
        }
        Some(Term::Field(field)) => {
            let (intrinsic, holds) = match (field.level.as_str(), field.name.as_str()) {
                ("resource", "service") => return Ok(Some(Reference { places: named(&[Scope::Resource], "service.name"), holds: Holds::Text })),
                ("span", "traceID") => (Intrinsic::TraceId, Holds::Id),
                ("span", "spanID") => (Intrinsic::SpanId, Holds::Id),
                ("span", "parentSpanID") => (Intrinsic::ParentId, Holds::Id),
                ("span", "name") => (Intrinsic::Name, Holds::Text),
                ("span", "kind") => (Intrinsic::Kind, Holds::Kind),
                ("span", "duration") => (Intrinsic::Duration, Holds::Duration),
                ("span", "status") => (Intrinsic::Status, Holds::Status),
                ("span", "statusMessage") => (Intrinsic::StatusMessage, Holds::Text),
                ("scope", "name") => (Intrinsic::InstrumentationName, Holds::Text),
                ("scope", "version") => (Intrinsic::InstrumentationVersion, Holds::Text),
                ("event", "name") => (Intrinsic::EventName, Holds::Text),
                ("event", "timeSinceStart") => (Intrinsic::EventTimeSinceStart, Holds::Duration),
                ("link", "traceID") => (Intrinsic::LinkTraceId, Holds::Id),
                ("link", "spanID") => (Intrinsic::LinkSpanId, Holds::Id),
                ("span", "startTime" | "endTime" | "traceState") | ("resource" | "scope", "schemaURL") | ("event", "time") | ("link", "traceState") => {
                    return Err(unsupported(format!("field {}.{}", field.level, field.name)));
                }
                (level, name) => return Err(Error::invalid(format!("unknown filter field {level:?}.{name:?}"))),
            };
            Reference { places: vec![Attribute::Intrinsic(intrinsic)], holds }
        }
        Some(Term::Nested(_)) => return Err(Error::invalid("events and links as a whole are for some alone")),
        None => return Err(Error::invalid("an argument of a filter is empty")),
        Some(Term::Scalar(_) | Term::List(_) | Term::Call(_)) => return Ok(None),
    }))
}

/// What a constant may mean beside what something holds.
fn constants(scalar: &Scalar, holds: Holds, op: CompareOp) -> Result<Vec<Static>> {
    let (text, kind) = (scalar.value.as_str(), scalar.r#type.as_str());
    let bad = |want: &str| Error::invalid(format!("cannot read {text:?} in a filter: want {want}"));
    let word = |words: &[&str]| words.iter().position(|word| *word == text).and_then(|at| i32::try_from(at).ok()).ok_or_else(|| bad(&words.join(", ")));
    if !["", "string", "int", "double", "bool"].contains(&kind) {
        return Err(Error::invalid(format!("unknown type {kind:?} in a filter")));
    }
    if holds != Holds::Anything && !["", "string"].contains(&kind) {
        return Err(bad(&format!("no {kind} beside this field")));
    }
    Ok(vec![match (holds, kind) {
        (Holds::Duration, _) => Static::Duration(go_duration::parse(text).ok_or_else(|| bad("a duration such as 1.5s"))?),
        (Holds::Status, _) => Static::Status(word(&STATUS_WORDS)?),
        (Holds::Kind, _) => Static::Kind(word(&KIND_WORDS)?),
        (Holds::Id, _) => Static::Text(text.to_ascii_lowercase()),
        (Holds::Text, _) | (Holds::Anything, "string") => Static::Text(text.to_owned()),
        (Holds::Anything, "int") => Static::Int(text.parse().map_err(|_| bad("an integer"))?),
        (Holds::Anything, "double") => Static::Float(text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| bad("a number"))?),
        (Holds::Anything, "bool") => Static::Bool(text.parse().map_err(|_| bad("true or false"))?),
        // Of any type: an order is one of numbers if this is a number.
        (Holds::Anything, _) => {
            let all = readings(text);
            if matches!(op, CompareOp::Equal | CompareOp::NotEqual) {
                return Ok(all);
            }
            let number = all.into_iter().find(|value| matches!(value, Static::Int(_) | Static::Float(_)));
            number.unwrap_or_else(|| Static::Text(text.to_owned()))
        }
    }])
}
