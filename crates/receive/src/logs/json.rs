//! JSON read in place: no tree, no allocation for a value; what has escapes is written into an arena of the caller.
//!
//! The grammar is RFC 8259's, with two kindnesses: control characters in texts are taken as they are, and an escaped half of a
//! surrogate pair becomes U+FFFD. Nesting is bounded, so that no input can exhaust the stack.

use std::ops::Range;

/// Deepest nesting that is read at all.
pub(crate) const DEPTH_MAX: usize = 128;

/// A text on the wire, or what became of it without its escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it is on the wire.
    Wire(&'a str),
    /// A range of the arena.
    Kept(Range<usize>),
}

impl<'a> Piece<'a> {
    /// The text.
    pub(crate) fn get<'s>(&'s self, arena: &'s str) -> &'s str
    where
        'a: 's,
    {
        match self {
            Self::Wire(text) => text,
            Self::Kept(range) => arena.get(range.clone()).unwrap_or_default(),
        }
    }
}

/// A value, or the bracket that opens one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// As it is on the wire; it keeps to the grammar.
    Number(&'a str),
    Text(Piece<'a>),
    /// `{`: keys follow, see [`Cursor::key`].
    Object,
    /// `[`: items follow, see [`Cursor::item`].
    Array,
}

/// What is wrong, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at + 1)
    }
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that is read next.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Passes over a byte, after white space, if it is the next.
    pub(crate) fn passes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next value.
    #[inline]
    pub(crate) fn value(&mut self, arena: &mut String) -> Result<Value<'a>, Fault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::Text(self.text_behind_quote(arena)?))
            }
            Some(b'{') => {
                self.at += 1;
                Ok(Value::Object)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Value::Array)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            Some(_) => Err(self.fault("want a JSON value")),
            None => Err(self.fault("the JSON ends early")),
        }
    }

    /// The next key of an object, its colon included; `None` at its end.
    #[inline]
    pub(crate) fn key(&mut self, is_first: bool, arena: &mut String) -> Result<Option<Piece<'a>>, Fault> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            Some(b',') if !is_first => {
                self.at += 1;
                self.peek();
            }
            _ if is_first => {}
            _ => return Err(self.fault("want a comma or the end of the object")),
        }
        if self.bytes().first() != Some(&b'"') {
            return Err(self.fault("want a key in quotes"));
        }
        self.at += 1;
        let key = self.text_behind_quote(arena)?;
        if !self.passes(b':') {
            return Err(self.fault("want a colon"));
        }
        Ok(Some(key))
    }

    /// Whether another item of an array follows; passes over its end if none does.
    pub(crate) fn item(&mut self, is_first: bool) -> Result<bool, Fault> {
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(self.fault("want a comma or the end of the array")),
        }
    }

    /// Passes over the rest of a value that was just read, checking its grammar. Returns the text from `start` and how deep
    /// it nests.
    pub(crate) fn rest_of(&mut self, value: &Value<'a>, start: usize) -> Result<(&'a str, usize), Fault> {
        let mut scratch = String::new();
        let depth = self.pass(value, 0, &mut scratch)?;
        Ok((self.text.get(start..self.at).unwrap_or_default(), depth))
    }

    fn pass(&mut self, value: &Value<'a>, depth: usize, scratch: &mut String) -> Result<usize, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.fault("the JSON is nested too deep"));
        }
        scratch.clear();
        let mut deepest = depth;
        let mut is_first = true;
        match value {
            Value::Object => {
                while self.key(is_first, scratch)?.is_some() {
                    is_first = false;
                    let inner = self.value(scratch)?;
                    deepest = deepest.max(self.pass(&inner, depth + 1, scratch)?);
                }
                Ok(deepest.max(depth + 1))
            }
            Value::Array => {
                while self.item(is_first)? {
                    is_first = false;
                    let inner = self.value(scratch)?;
                    deepest = deepest.max(self.pass(&inner, depth + 1, scratch)?);
                }
                Ok(deepest.max(depth + 1))
            }
            _ => Ok(depth),
        }
    }

    pub(crate) fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at.min(self.text.len()), what }
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte behind white space, which is passed over.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if !self.bytes().starts_with(word.as_bytes()) {
            return Err(self.fault("want a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.bytes();
        let digits = |from: usize| bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits(length);
        if whole == 0 || (whole > 1 && bytes.get(length) == Some(&b'0')) {
            return Err(self.fault("want a JSON number"));
        }
        length += whole;
        if bytes.get(length) == Some(&b'.') {
            let fraction = digits(length + 1);
            if fraction == 0 {
                return Err(self.fault("want a JSON number"));
            }
            length += 1 + fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(length) {
            let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(length + 1 + sign);
            if exponent == 0 {
                return Err(self.fault("want a JSON number"));
            }
            length += 1 + sign + exponent;
        }
        let start = self.at;
        self.at += length;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// A text whose opening quote was passed over.
    #[inline]
    fn text_behind_quote(&mut self, arena: &mut String) -> Result<Piece<'a>, Fault> {
        let start = self.at;
        let bytes = self.bytes();
        let length = quote_or_backslash(bytes);
        match bytes.get(length) {
            None => Err(self.fault("a text does not end")),
            Some(b'"') => {
                let end = start + length;
                self.at = end + 1;
                Ok(Piece::Wire(self.text.get(start..end).unwrap_or_default()))
            }
            Some(_) => self.escaped(arena),
        }
    }

    #[cold]
    fn escaped(&mut self, arena: &mut String) -> Result<Piece<'a>, Fault> {
        let kept = arena.len();
        loop {
            let bytes = self.bytes();
            let plain = quote_or_backslash(bytes);
            arena.push_str(self.text.get(self.at..self.at + plain).unwrap_or_default());
            self.at += plain;
            match bytes.get(plain..).unwrap_or_default() {
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(Piece::Kept(kept..arena.len()));
                }
                [b'\\', escape, ..] => {
                    self.at += 2;
                    match escape {
                        b'"' | b'\\' | b'/' => arena.push(char::from(*escape)),
                        b'b' => arena.push('\u{8}'),
                        b'f' => arena.push('\u{c}'),
                        b'n' => arena.push('\n'),
                        b'r' => arena.push('\r'),
                        b't' => arena.push('\t'),
                        b'u' => {
                            let letter = self.unicode()?;
                            arena.push(letter);
                        }
                        _ => return Err(self.fault("a text has an escape that JSON does not know")),
                    }
                }
                _ => return Err(self.fault("a text does not end")),
            }
        }
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let mut ahead = self.clone();
        if ahead.bytes().starts_with(b"\\u") {
            ahead.at += 2;
            let low = ahead.unit()?;
            if (0xdc00..0xe000).contains(&low) {
                *self = ahead;
                return Ok(char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn unit(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes().get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let unit = digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.fault("a text has an escape that JSON does not know"))
    }
}

/// Where the first quote or backslash stands, the length if there is none. Eight bytes at a time: most texts are short, and
/// a call into a vectorised search costs more than it saves on them.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        let quotes = word ^ (ONES * b'"' as u64);
        let slashes = word ^ (ONES * b'\\' as u64);
        // A byte is zero where its highest bit is set by the borrow; the lowest such bit is never wrong.
        let found = ((quotes.wrapping_sub(ONES) & !quotes) | (slashes.wrapping_sub(ONES) & !slashes)) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
