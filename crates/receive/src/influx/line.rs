//! The line protocol itself: where a line ends, its fields and time, and, on demand, its measurement and tags.
//!
//! The grammar is that of InfluxData's own library, whose corpus the conformance test runs. Measurement and tags, the head of
//! a line, are passed over by looking for the space that ends them: a series that is known need not be parsed again. Nothing
//! is copied but what was escaped, and nothing is allocated by a claim of the input.

use std::borrow::Cow;
use std::num::IntErrorKind;

use memchr::{memchr, memchr2};

/// Longest head in bytes: InfluxDB's own bound of a series key.
pub const HEAD_BYTES_MAX: usize = 65_535;
/// Most tags of one line. Admission allows fewer labels by far; the bound keeps sorting and comparing them cheap.
pub const TAGS_MAX: usize = 256;
/// Bytes of a faulty line that are quoted to the sender.
const QUOTED_BYTES_MAX: usize = 128;

/// A line that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line in the body, from 1. A text with line breaks makes a point span several; this is the one of the mistake.
    pub line: u64,
    /// Byte in the line, from 1.
    pub column: usize,
    /// The beginning of the line.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

/// A mistake on the way: where it is, from where on to look for the end of the line, and what it is.
struct Mistake {
    at: usize,
    from: usize,
    reason: Cow<'static, str>,
}

impl Mistake {
    fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { at, from: at, reason: reason.into() }
    }
}

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Without suffix.
    Float(f64),
    /// Suffix `i`.
    Integer(i64),
    /// Suffix `u`.
    Unsigned(u64),
    /// `t`, `true`, `f`, `false` and their capitals.
    Boolean(bool),
    /// What stands between the quotes, still escaped, valid UTF-8.
    Text(&'a [u8]),
}

/// One field: its key as it is on the wire (valid UTF-8, not empty), and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Still escaped; see [`key_text`].
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
}

/// Measurement and tags of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The measurement.
    pub measurement: Cow<'a, str>,
    /// The tags, sorted by key, no key twice.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Walks over the lines of a body.
#[derive(Debug)]
pub struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    start: usize,
    head: &'a [u8],
    fields: Vec<Field<'a>>,
    time: Option<i64>,
    /// Lines counted so far, and the byte up to which.
    counted: (u64, usize),
}

impl<'a> Lines<'a> {
    /// Over a body.
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, start: 0, head: &[], fields: Vec::new(), time: None, counted: (1, 0) }
    }

    /// Reads the next point; `None` at the end. Empty lines and comments are passed over. After a mistake the next call goes
    /// on behind the line.
    pub fn advance(&mut self) -> Option<Result<(), Fault>> {
        let result = match self.pass_blank() {
            Ok(true) => self.read(),
            Ok(false) => return None,
            Err(mistake) => Err(mistake),
        };
        Some(result.map_err(|mistake| {
            let rest = self.body.get(mistake.from..).unwrap_or_default();
            self.at = memchr(b'\n', rest).map_or(self.body.len(), |end| mistake.from + end + 1);
            self.fault(mistake.at, mistake.reason.into_owned())
        }))
    }

    /// Measurement and tags of the point at hand, as they are on the wire: what tells its series from others.
    pub fn head_bytes(&self) -> &'a [u8] {
        self.head
    }

    /// Measurement and tags of the point at hand.
    ///
    /// # Errors
    /// If they make no sense.
    pub fn head(&mut self) -> Result<Head<'a>, Fault> {
        parse_head(self.head).map_err(|(offset, reason)| self.fault(self.start + offset, reason.into_owned()))
    }

    /// The fields of the point at hand, at least one.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The time of the point at hand, in whatever unit the sender counts.
    pub fn time(&self) -> Option<i64> {
        self.time
    }

    /// A fault of the point at hand as a whole.
    pub fn fault_of_point(&mut self, reason: String) -> Fault {
        self.fault(self.start, reason)
    }

    fn fault(&mut self, at: usize, reason: String) -> Fault {
        let (line, counted) = self.counted;
        let passed = self.body.get(counted..at).unwrap_or_default();
        let line = line + memchr::memchr_iter(b'\n', passed).count() as u64;
        self.counted = (line, counted.max(at));
        let line_start = self.body[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end = memchr(b'\n', &self.body[at..]).map_or(self.body.len(), |end| at + end);
        let start = self.start.min(at);
        let quoted = &self.body[start..end.min(start + QUOTED_BYTES_MAX)];
        let text = String::from_utf8_lossy(quoted).trim_end_matches(['\r', '\n']).to_owned();
        Fault { line, column: at - line_start + 1, text, reason }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.body.get(at).copied()
    }

    fn pass_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    /// What follows the end of the line, if it is here.
    fn pass_line_end(&self, at: usize) -> Option<usize> {
        match (self.byte(at), self.byte(at + 1)) {
            (None, _) => Some(at),
            (Some(b'\n'), _) | (Some(b'\r'), None) => Some(at + 1),
            (Some(b'\r'), Some(b'\n')) => Some(at + 2),
            _ => None,
        }
    }

    /// Goes to the next line that is neither empty nor a comment; whether there is one.
    fn pass_blank(&mut self) -> Result<bool, Mistake> {
        loop {
            self.at = self.pass_spaces(self.at);
            self.start = self.at;
            match self.byte(self.at) {
                None => return Ok(false),
                Some(b'#') => {
                    let is_text = |byte: u8| byte == b'\t' || !is_control(byte);
                    let length = self.body[self.at..].iter().take_while(|byte| is_text(**byte)).count();
                    self.at = self.pass_line_end(self.at + length).ok_or_else(|| Mistake::new(self.at + length, "invalid character in comment"))?;
                }
                Some(b'\n' | b'\r') => match self.pass_line_end(self.at) {
                    Some(next) => self.at = next,
                    None => return Ok(true),
                },
                Some(_) => return Ok(true),
            }
        }
    }

    fn read(&mut self) -> Result<(), Mistake> {
        let head_end = self.find_head_end()?;
        self.head = &self.body[self.start..head_end];
        self.read_rest(head_end).map_err(|mistake| match parse_head(self.head) {
            // What comes first is told.
            Err((offset, reason)) => Mistake { at: self.start + offset, reason, ..mistake },
            Ok(_) => mistake,
        })
    }

    fn read_rest(&mut self, head_end: usize) -> Result<(), Mistake> {
        self.fields.clear();
        self.time = None;
        let mut at = self.pass_spaces(head_end);
        loop {
            at = self.read_field(at)?;
            match self.byte(at) {
                Some(b',') => at += 1,
                None | Some(b' ' | b'\r' | b'\n') => break,
                Some(byte) => return Err(Mistake::new(at, format!("unexpected {} after field value", shown(byte)))),
            }
        }
        at = self.pass_spaces(at);
        self.at = match self.pass_line_end(at) {
            Some(next) => next,
            None => self.read_time(at)?,
        };
        Ok(())
    }

    /// The first space that no backslash stands before.
    fn find_head_end(&self) -> Result<usize, Mistake> {
        let mut from = self.start;
        loop {
            let found = memchr2(b' ', b'\n', &self.body[from..]).map(|offset| from + offset);
            match found {
                Some(end) if self.body[end] == b' ' && end > self.start && self.body[end - 1] == b'\\' => from = end + 1,
                Some(end) if self.body[end] == b' ' => {
                    if end - self.start > HEAD_BYTES_MAX {
                        return Err(Mistake::new(self.start, format!("measurement and tags have {} bytes: want at most {HEAD_BYTES_MAX}", end - self.start)));
                    }
                    return Ok(end);
                }
                _ => {
                    let end = found.unwrap_or(self.body.len());
                    let cut = end.min(self.start + HEAD_BYTES_MAX);
                    let (offset, reason) = parse_head(&self.body[self.start..cut]).err().unwrap_or((end - self.start, "missing fields".into()));
                    return Err(Mistake::new(self.start + offset, reason));
                }
            }
        }
    }

    /// Reads a field; the byte behind it.
    fn read_field(&mut self, start: usize) -> Result<usize, Mistake> {
        let end = token_end(self.body, start, &KEY_STOPS);
        let key = &self.body[start..end];
        match self.byte(end) {
            _ if key.is_empty() => {
                let found = self.byte(start).map_or("the end".into(), shown);
                return Err(Mistake::new(start, format!("missing field key: found {found}")));
            }
            Some(b'=') => {}
            _ => return Err(Mistake::new(end, "missing '=' after field key")),
        }
        if !key.is_ascii() && std::str::from_utf8(key).is_err() {
            return Err(Mistake::new(start, "field key is not UTF-8"));
        }
        let at = end + 1;
        let (value, next) = match self.byte(at) {
            None => return Err(Mistake::new(at, "missing field value")),
            Some(b'"') => self.read_text(at + 1)?,
            Some(byte) => {
                let length = self.body[at..].iter().take_while(|byte| !matches!(byte, b',' | b' ' | b'\r' | b'\n')).count();
                let text = &self.body[at..at + length];
                let value = match byte {
                    b't' | b'T' | b'f' | b'F' => boolean(text).ok_or("invalid boolean"),
                    b'-' | b'.' | b'0'..=b'9' => number(text),
                    _ if length == 0 => Err("missing field value"),
                    _ => Err("field value has no type: want a number, true, false or a text in double quotes"),
                };
                (value.map_err(|reason| Mistake::new(at, reason))?, at + length)
            }
        };
        self.fields.push(Field { key, value });
        Ok(next)
    }

    /// Reads a text whose opening quote has been read; line breaks may be in it.
    fn read_text(&self, start: usize) -> Result<(Value<'a>, usize), Mistake> {
        let mut at = start;
        loop {
            match memchr2(b'"', b'\\', &self.body[at..]).map(|offset| at + offset) {
                Some(end) if self.body[end] == b'"' => {
                    let text = &self.body[start..end];
                    if std::str::from_utf8(text).is_err() {
                        return Err(Mistake { at: start, from: end, reason: "text is not UTF-8".into() });
                    }
                    return Ok((Value::Text(text), end + 1));
                }
                Some(backslash) => at = (backslash + 2).min(self.body.len()),
                // All that follows may belong to the text: nothing of it can be trusted to be a line.
                None => return Err(Mistake { at: start - 1, from: self.body.len(), reason: "missing closing quote of text".into() }),
            }
        }
    }

    fn read_time(&mut self, start: usize) -> Result<usize, Mistake> {
        let length = self.body[start..].iter().take_while(|byte| matches!(byte, b'-' | b'0'..=b'9')).count();
        let end = start + length;
        let time = signed(&self.body[start..end]).map_err(|reason| Mistake::new(start, format!("invalid timestamp: {reason}")))?;
        if !matches!(self.byte(end), None | Some(b' ' | b'\r' | b'\n')) {
            return Err(Mistake::new(start, "invalid timestamp: not a number"));
        }
        let at = self.pass_spaces(end);
        let next = self.pass_line_end(at).ok_or_else(|| Mistake::new(at, "unexpected text after timestamp"))?;
        self.time = Some(time);
        Ok(next)
    }
}

type HeadMistake = (usize, Cow<'static, str>);

/// Reads measurement and tags; mistakes by their place in the head.
fn parse_head(head: &[u8]) -> Result<Head<'_>, HeadMistake> {
    let end = token_end(head, 0, &MEASUREMENT_STOPS);
    if end == 0 {
        let found = head.first().map_or("the end".into(), |byte| shown(*byte));
        return Err((0, format!("missing measurement: found {found}").into()));
    }
    let measurement = text(&head[..end], |byte| matches!(byte, b',' | b' ')).ok_or((0, Cow::from("measurement is not UTF-8")))?;
    let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    let mut at = end;
    while let Some(byte) = head.get(at) {
        if *byte != b',' {
            return Err((at, format!("unexpected {} in measurement or tags", shown(*byte)).into()));
        }
        let key_end = token_end(head, at + 1, &KEY_STOPS);
        let key = &head[at + 1..key_end];
        if key.is_empty() {
            return Err((at + 1, "missing tag key".into()));
        }
        if head.get(key_end) != Some(&b'=') {
            return Err((at + 1, "missing '=' after tag key".into()));
        }
        let value_end = token_end(head, key_end + 1, &KEY_STOPS);
        let value = &head[key_end + 1..value_end];
        if value.is_empty() {
            return Err((key_end + 1, "missing tag value".into()));
        }
        let (Some(key), Some(value)) = (key_text(key), key_text(value)) else { return Err((at + 1, "tag is not UTF-8".into())) };
        if tags.len() == TAGS_MAX {
            return Err((at + 1, format!("too many tags: want at most {TAGS_MAX}").into()));
        }
        tags.push((key, value));
        at = value_end;
    }
    tags.sort_unstable();
    match tags.windows(2).find(|pair| matches!(pair, [(left, _), (right, _)] if left == right)) {
        Some(pair) => Err((0, format!("duplicate tag {:?}", pair[0].0).into())),
        None => Ok(Head { measurement, tags }),
    }
}

/// The text of a tag or of the key of a field, without its escapes; `None` if it is not UTF-8.
pub fn key_text(raw: &[u8]) -> Option<Cow<'_, str>> {
    text(raw, |byte| matches!(byte, b',' | b'=' | b' '))
}

/// What [`Value::Text`] stands for; `None` if it is not UTF-8.
pub fn text_of_value(raw: &[u8]) -> Option<Cow<'_, str>> {
    if memchr(b'\\', raw).is_none() {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'\\').then(|| bytes.peek().copied()).flatten();
        let stands_for = match escaped {
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            Some(next @ (b'"' | b'\\')) => Some(next),
            _ => None,
        };
        plain.push(stands_for.unwrap_or(byte));
        if stands_for.is_some() {
            bytes.next();
        }
    }
    String::from_utf8(plain).ok().map(Cow::Owned)
}

/// Drops the backslashes before what may be escaped.
fn text(raw: &[u8], may_be_escaped: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    if memchr(b'\\', raw).is_none() {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let is_dropped = |at: usize| raw[at] == b'\\' && raw.get(at + 1).is_some_and(|next| may_be_escaped(*next));
    let plain: Vec<u8> = (0..raw.len()).filter(|at| !is_dropped(*at)).map(|at| raw[at]).collect();
    String::from_utf8(plain).ok().map(Cow::Owned)
}

const fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

/// Bytes that end a token: control characters always, the others unless a backslash stands before them.
const fn stops(printable: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_control(byte as u8);
        byte += 1;
    }
    let mut at = 0;
    while at < printable.len() {
        table[printable[at] as usize] = true;
        at += 1;
    }
    table
}

static MEASUREMENT_STOPS: [bool; 256] = stops(b", ");
static KEY_STOPS: [bool; 256] = stops(b",= ");

fn token_end(bytes: &[u8], start: usize, stops: &[bool; 256]) -> usize {
    let mut previous = 0;
    for (offset, byte) in bytes.get(start..).unwrap_or_default().iter().enumerate() {
        if stops[usize::from(*byte)] && (previous != b'\\' || is_control(*byte)) {
            return start + offset;
        }
        previous = *byte;
    }
    bytes.len().max(start)
}

fn boolean(text: &[u8]) -> Option<Value<'static>> {
    match text {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(Value::Boolean(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(Value::Boolean(false)),
        _ => None,
    }
}

fn number(text: &[u8]) -> Result<Value<'static>, &'static str> {
    match text.split_last() {
        Some((b'i', digits)) => signed(digits).map(Value::Integer),
        Some((b'u', digits)) => unsigned(digits).map(Value::Unsigned),
        _ => float(text).map(Value::Float),
    }
}

fn signed(digits: &[u8]) -> Result<i64, &'static str> {
    std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))
        .map_or(Err("not a number"), |digits| digits.parse().map_err(|error| whole(&error)))
}

fn unsigned(digits: &[u8]) -> Result<u64, &'static str> {
    std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))
        .map_or(Err("not a number"), |digits| digits.parse().map_err(|error| whole(&error)))
}

fn whole(error: &std::num::ParseIntError) -> &'static str {
    match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "number out of range",
        _ => "not a whole number",
    }
}

/// Powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// Digits with a point and an exponent; neither `inf` nor `nan` nor hexadecimal.
fn float(text: &[u8]) -> Result<f64, &'static str> {
    if let Some(value) = short_float(text) {
        return Ok(value);
    }
    // Of the words that the parser of the standard library takes as well, each begins with a letter.
    let is_decimal = text.iter().find(|byte| **byte != b'-').is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    let digits = std::str::from_utf8(text).ok().filter(|_| is_decimal).ok_or("not a number")?;
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err("number out of range"),
        Err(_) => Err("not a number"),
    }
}

/// A number without exponent of at most 15 digits: the quotient of two exact doubles, which is rounded once.
fn short_float(text: &[u8]) -> Option<f64> {
    const DIGITS_MAX: usize = 15;
    let (is_negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    if digits.len() > DIGITS_MAX + 1 {
        return None;
    }
    let (mut mantissa, mut count, mut point) = (0u64, 0usize, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    let value = mantissa as f64 / POWERS_OF_TEN[point.map_or(0, |point| count - point)];
    Some(if is_negative { -value } else { value })
}

fn shown(byte: u8) -> Cow<'static, str> {
    match byte {
        b'\n' | b'\r' => "the end of the line".into(),
        _ => format!("{:?}", char::from(byte)).into(),
    }
}
