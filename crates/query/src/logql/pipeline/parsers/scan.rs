//! JSON as lines hold it, in one pass over the text and without building anything. What is read is a prefix of the line: what
//! follows the outermost value does not matter, and what is wrong matters only once it is reached.

use std::borrow::Cow;

use memchr::memchr2;

pub(super) const MALFORMED: &str = "Malformed JSON error";
pub(super) const MALFORMED_OBJECT: &str = "Value looks like object, but can't find closing '}' symbol";
pub(super) const MALFORMED_ARRAY: &str = "Value looks like array, but can't find closing ']' symbol";
const MALFORMED_STRING: &str = "Value looks like string, but can't find closing '\"' symbol";
const MALFORMED_ESCAPE: &str = "Encountered an invalid escape sequence in a string";
const UNKNOWN_VALUE: &str = "Unknown value type";

/// A value. Of objects and arrays the scanner stands at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Without the quotes, with its escapes.
    Text(&'a str),
    /// As written.
    Number(&'a str),
    Bool(bool),
    Null,
    Object,
    Array,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// What stands from a place to here.
    pub(super) fn since(&self, place: usize) -> &'a str {
        &self.text[place..self.at]
    }

    /// The next byte that is no space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Begins an object; whether it has a first key.
    pub(super) fn open_object(&mut self) -> Result<bool, &'static str> {
        if !self.accept(b'{') {
            return Err(MALFORMED_OBJECT);
        }
        match self.peek() {
            None => Err(MALFORMED),
            Some(_) => Ok(!self.accept(b'}')),
        }
    }

    /// The next key, up to its value. `None` after a comma behind which the object ends.
    pub(super) fn key(&mut self) -> Result<Option<Cow<'a, str>>, &'static str> {
        match self.peek() {
            Some(b'"') => {}
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            _ => return Err(MALFORMED_OBJECT),
        }
        let raw = self.string().ok_or(MALFORMED)?;
        let key = if raw.contains('\\') {
            let mut key = String::new();
            if !unescape(raw, &mut key) {
                return Err(MALFORMED_ESCAPE);
            }
            Cow::Owned(key)
        } else {
            Cow::Borrowed(raw)
        };
        if self.accept(b':') { Ok(Some(key)) } else { Err(MALFORMED) }
    }

    /// Whether another key follows after a value.
    pub(super) fn has_more_keys(&mut self) -> Result<bool, &'static str> {
        match self.peek() {
            None => Err(MALFORMED_ARRAY),
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Err(MALFORMED_OBJECT),
        }
    }

    /// The next value, which is read unless it has parts.
    pub(super) fn value(&mut self) -> Result<Value<'a>, &'static str> {
        match self.peek().ok_or(MALFORMED)? {
            b'"' => self.string().map(Value::Text).ok_or(MALFORMED_STRING),
            b'{' => Ok(Value::Object),
            b'[' => Ok(Value::Array),
            first => {
                let rest = &self.text.as_bytes()[self.at..];
                let length = rest.iter().position(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b'}' | b']')).unwrap_or(rest.len());
                let word = &self.text[self.at..self.at + length];
                self.at += length;
                match word {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "null" => Ok(Value::Null),
                    _ if first.is_ascii_digit() || first == b'-' => Ok(Value::Number(word)),
                    _ => Err(UNKNOWN_VALUE),
                }
            }
        }
    }

    /// The string that starts here, without its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let (bytes, mut at) = (self.text.as_bytes(), start);
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Some(&self.text[start..at]);
            }
            // A backslash, and what it stands before.
            at += 2;
        }
    }

    /// Passes over a value that [`Scanner::value`] gave.
    pub(super) fn skip(&mut self, value: Value<'_>) -> Result<(), &'static str> {
        match value {
            Value::Object => self.skip_block(b'{', b'}').ok_or(MALFORMED_OBJECT),
            Value::Array => self.skip_block(b'[', b']').ok_or(MALFORMED_ARRAY),
            _ => Ok(()),
        }
    }

    fn skip_block(&mut self, open: u8, close: u8) -> Option<()> {
        let mut depth = 0usize;
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if byte == b'"' {
                self.string()?;
                continue;
            }
            self.at += 1;
            if byte == open {
                depth += 1;
            } else if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Some(());
                }
            }
        }
    }
}

/// Appends a string with its escapes resolved; whether they all could be. Characters that stand for what was no text become
/// spaces.
pub(super) fn unescape(raw: &str, text: &mut String) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr2(b'\\', 0xef, rest.as_bytes()) {
        if rest.as_bytes()[at] == 0xef {
            let character = rest[at..].chars().next().unwrap_or_default();
            text.push_str(&rest[..at]);
            text.push(if character == char::REPLACEMENT_CHARACTER { ' ' } else { character });
            rest = &rest[at + character.len_utf8()..];
            continue;
        }
        text.push_str(&rest[..at]);
        let escaped = match rest.as_bytes().get(at + 1) {
            Some(b'u') => {
                let Some((character, length)) = code(&rest[at..]) else { return false };
                text.push(if character == char::REPLACEMENT_CHARACTER { ' ' } else { character });
                rest = &rest[at + length..];
                continue;
            }
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return false,
        };
        text.push(escaped);
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    true
}

/// The character of `\u1234`, of two such that are one, and their length. Half a character is none.
fn code(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| text.get(at..at + 6).filter(|unit| unit.starts_with("\\u")).and_then(|unit| u32::from_str_radix(&unit[2..], 16).ok());
    let first = unit(0)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second) && first < 0xdc00)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).map(|character| (character, 12))
}
