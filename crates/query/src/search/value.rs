//! A value of a field, and what it is compared with.

use std::borrow::Cow;

use signalbox_model::attributes::AttributeValue;

/// A value of a field: its text form and the letter of its type, see `model::attributes`. Instants are integers of
/// nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Value<'a> {
    /// The text form.
    pub text: Cow<'a, str>,
    /// The letter of the type.
    pub letter: char,
}

impl<'a> Value<'a> {
    /// Text.
    pub(crate) fn text(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), letter: 's' }
    }

    /// An integer.
    pub(crate) fn integer(value: i64) -> Self {
        Self { text: Cow::Owned(value.to_string()), letter: 'i' }
    }

    /// The number that it is, of whatever type it came as.
    pub fn number(&self) -> Option<f64> {
        match self.letter {
            'b' | 'y' | 'a' | 'm' | 'n' => None,
            _ => number(&self.text),
        }
    }

    /// Whether it is a number by its type.
    pub fn is_number(&self) -> bool {
        matches!(self.letter, 'i' | 'd')
    }

    pub(crate) fn into_owned(self) -> Value<'static> {
        Value { text: Cow::Owned(self.text.into_owned()), letter: self.letter }
    }
}

/// A number written in digits; not `inf` nor `nan`, which are words.
pub(crate) fn number(text: &str) -> Option<f64> {
    let starts_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.');
    if !text.bytes().next().is_some_and(starts_number) || !text.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Hands on each value of an attribute: the elements of an array, else itself. `null` is no value.
pub(crate) fn each(value: Value<'_>, visit: &mut dyn FnMut(Value<'_>)) {
    match value.letter {
        'n' => {}
        'a' => match AttributeValue::from_text('a', &value.text) {
            AttributeValue::Array(items) => items.iter().for_each(|item| each(of(item), visit)),
            _ => visit(value),
        },
        _ => visit(value),
    }
}

/// Hands on what a map holds under a path of names joined by points.
pub(crate) fn descend(map: &AttributeValue, path: &str, visit: &mut dyn FnMut(Value<'_>)) {
    let AttributeValue::Map(entries) = map else { return };
    for (key, value) in entries {
        if key == path {
            return each(of(value), visit);
        }
        if let Some(rest) = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            descend(value, rest, visit);
        }
    }
}

/// The value of an attribute.
pub(crate) fn of(value: &AttributeValue) -> Value<'static> {
    Value { text: Cow::Owned(value.to_text()), letter: value.letter() }
}
