//! One span between its wire format and a batch.

use std::borrow::Cow;

use hashbrown::HashSet;
use signalbox_model::{SpanId, TraceId};

/// Up to so many attributes are compared with each other to find a key twice; more are hashed.
const COMPARED_MAX: usize = 16;

/// OpenTelemetry's kinds of spans.
pub(crate) mod kind {
    pub(crate) const UNSPECIFIED: i32 = 0;
    pub(crate) const INTERNAL: i32 = 1;
    pub(crate) const SERVER: i32 = 2;
    pub(crate) const CLIENT: i32 = 3;
    pub(crate) const PRODUCER: i32 = 4;
    pub(crate) const CONSUMER: i32 = 5;
}

/// OpenTelemetry's codes of status.
pub(crate) mod status {
    pub(crate) const UNSET: i32 = 0;
    pub(crate) const OK: i32 = 1;
    pub(crate) const ERROR: i32 = 2;
}

/// The value of an attribute; none of these formats has lists or maps.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Truth.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Floating point.
    Double(f64),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// The text, of a value that is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Attributes in the order they came.
pub type Attributes<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Something that happened in a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event<'a> {
    /// Nanoseconds since the Unix epoch; `None` if that is later than the year 2262.
    pub timestamp_ns: Option<i64>,
    /// Name.
    pub name: Cow<'a, str>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// A reference to a span that is not the parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Link<'a> {
    /// Linked trace.
    pub trace_id: TraceId,
    /// Linked span.
    pub span_id: SpanId,
    /// W3C trace state.
    pub trace_state: Cow<'a, str>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// The library that made spans; empty texts when unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// Version.
    pub version: Cow<'a, str>,
}

/// One span. Fields are those of OpenTelemetry's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span<'a> {
    /// Trace; `None` if it is none: such a span is rejected.
    pub trace_id: Option<TraceId>,
    /// Span; `None` if it is none: such a span is rejected.
    pub span_id: Option<SpanId>,
    /// Parent, `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// Start in nanoseconds since the Unix epoch; `None` if it or the end is later than the year 2262.
    pub start_ns: Option<i64>,
    /// End in nanoseconds since the Unix epoch.
    pub end_ns: Option<i64>,
    /// Name of the operation.
    pub name: Cow<'a, str>,
    /// OpenTelemetry's kind.
    pub kind: i32,
    /// OpenTelemetry's code of status.
    pub status_code: i32,
    /// Message of the status.
    pub status_message: Cow<'a, str>,
    /// W3C trace state.
    pub trace_state: Cow<'a, str>,
    /// W3C trace flags.
    pub flags: u32,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// Events.
    pub events: Vec<Event<'a>>,
    /// Links.
    pub links: Vec<Link<'a>>,
}

/// Sets an attribute of text.
pub(crate) fn put<'a>(attributes: &mut Attributes<'a>, key: &'static str, value: Value<'a>) {
    match attributes.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => *known = value,
        None => attributes.push((Cow::Borrowed(key), value)),
    }
}

/// Takes an attribute out.
pub(crate) fn take<'a>(attributes: &mut Attributes<'a>, key: &str) -> Option<Value<'a>> {
    let position = attributes.iter().position(|(known, _)| known == key)?;
    Some(attributes.remove(position).1)
}

/// Takes an attribute out if it is text.
pub(crate) fn take_text<'a>(attributes: &mut Attributes<'a>, key: &str) -> Option<Cow<'a, str>> {
    let position = attributes.iter().position(|(known, value)| known == key && value.text().is_some())?;
    match attributes.remove(position).1 {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Of attributes with the same key the last stays.
pub(crate) fn unique(attributes: &mut Attributes<'_>) {
    let is_unique = if attributes.len() <= COMPARED_MAX {
        attributes.iter().enumerate().all(|(position, (key, _))| attributes.iter().take(position).all(|(other, _)| other != key))
    } else {
        let mut seen = HashSet::with_capacity(attributes.len());
        attributes.iter().all(|(key, _)| seen.insert(key.as_ref()))
    };
    if is_unique {
        return;
    }
    let mut seen = HashSet::with_capacity(attributes.len());
    let is_last: Vec<bool> = attributes.iter().rev().map(|(key, _)| seen.insert(key.clone().into_owned())).collect();
    let mut is_last = is_last.into_iter().rev();
    attributes.retain(|_| is_last.next().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&'static str, i64)]) -> Attributes<'static> {
        pairs.iter().map(|(key, value)| (Cow::Borrowed(*key), Value::Int(*value))).collect()
    }

    #[test]
    fn of_the_same_key_the_last_stays() {
        for filler in [0, 40] {
            let mut few = attributes(&[("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)]);
            let others: Attributes<'_> = (0..filler).map(|number| (Cow::Owned(format!("k{number}")), Value::Bool(true))).collect();
            few.extend(others);
            unique(&mut few);
            assert_eq!(few[..3], attributes(&[("a", 3), ("c", 4), ("b", 5)]));
            assert_eq!(few.len(), 3 + filler);
        }
    }

    #[test]
    fn attributes_are_set_and_taken() {
        let mut few = attributes(&[("a", 1)]);
        put(&mut few, "a", Value::Bool(true));
        put(&mut few, "b", Value::Text("x".into()));
        assert_eq!((take_text(&mut few, "a"), take_text(&mut few, "b"), take(&mut few, "c")), (None, Some("x".into()), None));
        assert_eq!((take(&mut few, "a"), few.len()), (Some(Value::Bool(true)), 0));
    }
}
