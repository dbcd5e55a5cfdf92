//! The trace that a record belongs to, found in its attributes or its text when its own fields do not say.
//!
//! Libraries put the ids where people see them: an attribute `trace_id`, a field of a line of JSON or logfmt, `[trace=…]`. What
//! is found fills the typed columns; text and attributes stay as they came.
//!
//! A wrong link is worse than none: a name of the list must stand before the id, the id must be whole (32 or 16 hexadecimal
//! digits between other characters) and not zero. Ids of 64 bits are padded with zeros on the left. Of Datadog's own names alone, decimal
//! numbers are understood too.
//!
//! | name, in any case, `_`, `-`, `.` and blanks left out | value |
//! |---|---|
//! | `traceid`, `trace`, `oteltraceid`, `xb3traceid`, `contexttraceid`, `mdctraceid`, … | the id of the trace |
//! | `spanid`, `span`, `otelspanid`, `xb3spanid`, … | the id of the span |
//! | `traceparent`, `wwwtraceparent` | W3C: `00-<trace>-<span>-<flags>` |
//! | `b3`, `ubertraceid`, `sentrytrace` | `<trace>-<span>…`, `<trace>:<span>:…` |
//! | `xamzntraceid`, `xraytraceid` | `Root=1-<8 digits>-<24 digits>;Parent=<span>` |
//! | `xcloudtracecontext`, `logging.googleapis.com/trace` | `<trace>/<decimal span>`, `projects/<name>/traces/<trace>` |
//! | `ddtraceid`, `ddspanid` | decimal numbers of 64 bits, or the id of the trace |
//!
//! In text `trace` and `span` may hold an object: `"trace":{"id":"…"}`.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use signalbox_model::{SpanId, TraceId};

use super::hex;

/// Longest name of the list, prefixes and separators included.
const NAME_BYTES_MAX: usize = 40;
/// Bytes of a text that are looked through; what is longer is a dump, not a line.
const TEXT_BYTES_MAX: usize = 32 << 10;
/// Places of a text that are looked at more closely.
const PLACES_MAX: usize = 16;

/// Without the first letter, which is the one whose case varies in `X-B3-TraceId`.
static TRACE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("race"));
static SPAN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("pan"));

/// The ids of a record: those it has, and those that are found for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceLink {
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The span; never without a trace that it belongs to.
    pub span_id: Option<SpanId>,
}

impl TraceLink {
    /// Looks at an attribute whose value is text. Call it for each, then [`TraceLink::or_in_text`].
    #[inline]
    pub fn see_attribute(&mut self, name: &str, value: &str) {
        if may_be_name(name.as_bytes()) {
            self.see(name, value);
        }
    }

    /// Looks at an attribute whose value is a whole number, as Datadog's ids are.
    #[inline]
    pub fn see_number(&mut self, name: &str, value: i64) {
        if may_be_name(name.as_bytes()) {
            self.see(name, &value.to_string());
        }
    }

    /// The ids after the attributes were seen; when there is no trace yet, those in the text.
    #[inline]
    pub fn or_in_text(mut self, text: &str) -> Self {
        if self.trace_id.is_none() {
            self.see_text(text);
        }
        self.span_id = self.trace_id.and(self.span_id);
        self
    }

    #[inline(never)]
    fn see(&mut self, name: &str, value: &str) {
        if let Some(field) = Field::of(name) {
            self.take(field.read(value));
        }
    }

    fn take(&mut self, found: Self) {
        self.trace_id = self.trace_id.or(found.trace_id);
        self.span_id = self.span_id.or(found.span_id);
    }

    fn see_text(&mut self, text: &str) {
        let bytes = &text.as_bytes()[..text.len().min(TEXT_BYTES_MAX)];
        if !may_hold_trace(bytes) {
            return;
        }
        let Some(first) = TRACE.find(bytes) else { return };
        self.see_places(bytes, first, &TRACE);
        if self.trace_id.is_some()
            && self.span_id.is_none()
            && let Some(first) = SPAN.find(bytes)
        {
            self.see_places(bytes, first, &SPAN);
        }
    }

    #[inline(never)]
    fn see_places(&mut self, bytes: &[u8], first: usize, finder: &Finder<'_>) {
        let mut at = first;
        let is_trace = finder.needle() == TRACE.needle();
        for _ in 0..PLACES_MAX {
            if let Some((field, value)) = field_around(bytes, at) {
                self.take(field.read(value));
                if if is_trace { self.trace_id.is_some() } else { self.span_id.is_some() } {
                    return;
                }
            }
            let from = at + finder.needle().len();
            match finder.find(&bytes[from..]) {
                Some(next) => at = from + next,
                None => return,
            }
        }
    }
}

/// Whether a text may have `race` in it: `r` and `c`, one byte between them. For texts of usual length this is half of what
/// looking for the word costs, and it nearly always says no.
fn may_hold_trace(bytes: &[u8]) -> bool {
    const WIDTH: usize = 32;
    if !(WIDTH + 2..=512).contains(&bytes.len()) {
        return true;
    }
    let (firsts, thirds) = (&bytes[..bytes.len() - 2], &bytes[2..]);
    let mut seen = [0u8; WIDTH];
    let mut see = |firsts: &[u8; WIDTH], thirds: &[u8; WIDTH]| {
        for at in 0..WIDTH {
            seen[at] |= u8::from(firsts[at] == b'r') & u8::from(thirds[at] == b'c');
        }
    };
    for (first, third) in firsts.as_chunks().0.iter().zip(thirds.as_chunks().0) {
        see(first, third);
    }
    // What is left, with some that was seen.
    if let (Some(first), Some(third)) = (firsts.last_chunk(), thirds.last_chunk()) {
        see(first, third);
    }
    seen != [0; WIDTH]
}

/// One bit for each letter, of either case.
const fn letters(letters: &[u8]) -> u32 {
    let (mut bits, mut at) = (0, 0);
    while at < letters.len() {
        bits |= 1 << (letters[at] & 31);
        at += 1;
    }
    bits
}

/// Whether a name may be one of the list: a few instructions, for names that nearly never are.
#[inline]
fn may_be_name(name: &[u8]) -> bool {
    const BEFORE: u32 = letters(b"icanxb");
    const LAST: u32 = letters(b"dent3");
    let [.., before, last] = name else { return false };
    (BEFORE >> (before & 31)) & (LAST >> (last & 31)) & 1 == 1 && ends_like_name(name)
}

/// What the last letters of names are, and which stand before them.
fn ends_like_name(name: &[u8]) -> bool {
    let [rest @ .., third, before, last] = name else { return matches!(name, [b'b' | b'B', b'3']) };
    let ending = u16::from_be_bytes([before | 0x20, last | 0x20]);
    let may_be = if ending == u16::from_be_bytes(*b"id") {
        let is_separated = matches!(third, b'_' | b'-' | b'.' | b' ');
        let ahead = if is_separated { rest } else { &name[..name.len() - 2] };
        let [.., before, last] = ahead else { return false };
        match last | 0x20 {
            b'e' => before | 0x20 == b'c',
            b'n' => before | 0x20 == b'a',
            _ => false,
        }
    } else {
        // `trace`, `span`, `traceparent`, `context`.
        match &ending.to_be_bytes() {
            b"ce" => third | 0x20 == b'a',
            b"an" => third | 0x20 == b'p',
            b"nt" | b"xt" => third | 0x20 == b'e',
            _ => false,
        }
    };
    may_be && name.len() <= NAME_BYTES_MAX
}

/// What a name of the list announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Trace,
    Span,
    DatadogTrace,
    DatadogSpan,
    TraceParent,
    /// Trace and span with `-` or `:` between them.
    Pair,
    Amazon,
    Google,
}

impl Field {
    fn of(name: &str) -> Option<Self> {
        let mut plain = [0u8; NAME_BYTES_MAX];
        let mut length = 0;
        for byte in name.bytes() {
            if matches!(byte, b'_' | b'-' | b'.' | b' ' | b'/') {
                continue;
            }
            *plain.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        let mut plain = &plain[..length];
        // Where diagnostic contexts and structured loggers put their fields.
        for prefix in [&b"mdc"[..], b"ctx", b"contextmap", b"context", b"fields", b"attributes", b"labels", b"otel", b"extra"] {
            if let Some(rest) = plain.strip_prefix(prefix) {
                plain = rest;
                break;
            }
        }
        Some(match plain {
            b"traceid" | b"trace" | b"xb3traceid" | b"xtraceid" | b"b3traceid" => Self::Trace,
            b"spanid" | b"span" | b"xb3spanid" | b"xspanid" | b"b3spanid" => Self::Span,
            b"ddtraceid" => Self::DatadogTrace,
            b"ddspanid" => Self::DatadogSpan,
            b"traceparent" | b"wwwtraceparent" => Self::TraceParent,
            b"b3" | b"ubertraceid" | b"sentrytrace" => Self::Pair,
            b"xamzntraceid" | b"xraytraceid" => Self::Amazon,
            b"xcloudtracecontext" | b"logginggoogleapiscomtrace" => Self::Google,
            b"logginggoogleapiscomspanid" => Self::Span,
            _ => return None,
        })
    }

    /// Reads the value; it may be followed by something that is no part of a word.
    fn read(self, value: &str) -> TraceLink {
        let bytes = value.trim_start().as_bytes();
        match self {
            Self::Trace => TraceLink { trace_id: trace(word(bytes)), span_id: None },
            Self::Span => TraceLink { trace_id: None, span_id: span(word(bytes)) },
            Self::DatadogTrace => {
                let word = word(bytes);
                TraceLink { trace_id: decimal(word).map_or_else(|| trace(word), |id| trace_of(&id)), span_id: None }
            }
            Self::DatadogSpan => {
                let word = word(bytes);
                TraceLink { trace_id: None, span_id: decimal(word).map_or_else(|| span(word), |id| SpanId::from_slice(&id)) }
            }
            Self::TraceParent => trace_parent(bytes),
            Self::Pair => pair(bytes),
            Self::Amazon => amazon(value),
            Self::Google => google(bytes),
        }
    }
}

/// The name around a place in a text, and what follows it.
fn field_around(bytes: &[u8], at: usize) -> Option<(Field, &str)> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    let reach = &bytes[at.saturating_sub(NAME_BYTES_MAX)..at];
    let before = reach.iter().rev().take_while(|byte| is_name(byte)).count();
    let after = bytes[at..].iter().take(NAME_BYTES_MAX).take_while(|byte| is_name(byte)).count();
    let mut end = at + after;
    if let [b' ', b'i' | b'I', b'd' | b'D', ..] = &bytes[end..] {
        end += 3;
    }
    let name = std::str::from_utf8(&bytes[at - before..end]).ok()?;
    if name.len() > NAME_BYTES_MAX || !may_be_name(name.as_bytes()) {
        return None;
    }
    let field = Field::of(name)?;
    let rest = skip(&bytes[end..], |byte| matches!(byte, b'"' | b'\'' | b'\\'));
    let rest = skip(rest, |byte| byte == b' ');
    let rest = match rest {
        [b':' | b'=', b'=' | b'>', rest @ ..] | [b':' | b'=', rest @ ..] => rest,
        _ => return None,
    };
    let mut rest = skip(rest, |byte| byte == b' ');
    if let (Field::Trace | Field::Span, [b'{', inner @ ..]) = (field, rest) {
        let inner = skip(inner, |byte| matches!(byte, b' ' | b'"' | b'\\'));
        let inner = inner.strip_prefix(b"id")?;
        let inner = skip(inner, |byte| matches!(byte, b' ' | b'"' | b'\\'));
        rest = skip(inner.strip_prefix(b":")?, |byte| byte == b' ');
    }
    let rest = skip(rest, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b'[' | b'('));
    // The cut may have gone through a character; what matters stands before it.
    let rest = &rest[..rest.len().min(128)];
    let valid = std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
    Some((field, std::str::from_utf8(&rest[..valid]).ok()?))
}

fn skip(bytes: &[u8], is_skipped: impl Fn(u8) -> bool) -> &[u8] {
    // A name, a colon and a value stand close together.
    let skipped = bytes.iter().take(8).take_while(|byte| is_skipped(**byte)).count();
    &bytes[skipped..]
}

/// The word that bytes begin with. A hyphen is part of it, so that a UUID is not taken for its first digits.
fn word(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || **byte >= 0x80).count();
    &bytes[..length]
}

fn trace(word: &[u8]) -> Option<TraceId> {
    match word.len() {
        32 => TraceId::from_slice(&hex::bytes::<16>(word)?),
        16 => trace_of(&hex::bytes::<8>(word)?),
        _ => None,
    }
}

fn trace_of(low: &[u8; 8]) -> Option<TraceId> {
    let mut bytes = [0u8; 16];
    bytes[8..].copy_from_slice(low);
    TraceId::from_slice(&bytes)
}

fn span(word: &[u8]) -> Option<SpanId> {
    SpanId::from_slice(&hex::bytes::<8>(word)?)
}

fn decimal(word: &[u8]) -> Option<[u8; 8]> {
    let text = std::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse::<u64>().ok().map(u64::to_be_bytes)
}

/// `00-<32>-<16>-<2>`, whatever follows in versions to come.
fn trace_parent(bytes: &[u8]) -> TraceLink {
    let mut parts = word(bytes).split(|byte| *byte == b'-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return TraceLink::default();
    };
    let is_version = hex::bytes::<1>(version).is_some_and(|version| version != [0xff]) && hex::bytes::<1>(flags).is_some();
    let trace_id = hex::bytes::<16>(trace).filter(|_| is_version).and_then(|id| TraceId::from_slice(&id));
    TraceLink { trace_id, span_id: trace_id.and_then(|_| span(parent)) }
}

fn pair(bytes: &[u8]) -> TraceLink {
    let end = bytes.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b':')).unwrap_or(bytes.len());
    let mut parts = bytes[..end].split(|byte| matches!(byte, b'-' | b':'));
    let trace_id = parts.next().and_then(trace);
    TraceLink { trace_id, span_id: trace_id.and_then(|_| span(parts.next().unwrap_or_default())) }
}

/// The root is a time of 8 digits and 24 digits of chance, which together are the id that tracers use.
fn amazon(value: &str) -> TraceLink {
    let end = value.find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | ';' | '=')).unwrap_or(value.len());
    let mut link = TraceLink::default();
    for part in value[..end].split(';') {
        let (name, part) = part.split_once('=').unwrap_or(("Root", part));
        match (name, part.split('-').collect::<Vec<_>>().as_slice()) {
            ("Root", ["1", time, chance]) if time.len() == 8 && chance.len() == 24 => link.trace_id = trace(format!("{time}{chance}").as_bytes()),
            ("Parent", [parent]) => link.span_id = span(parent.as_bytes()),
            _ => {}
        }
    }
    link
}

fn google(bytes: &[u8]) -> TraceLink {
    let resource = bytes.strip_prefix(b"projects/").and_then(|rest| rest.splitn(3, |byte| *byte == b'/').nth(2));
    let mut parts = resource.unwrap_or(bytes).split(|byte| *byte == b'/');
    let trace_id = parts.next().map(word).filter(|word| word.len() == 32).and_then(trace);
    TraceLink { trace_id, span_id: trace_id.and_then(|_| SpanId::from_slice(&decimal(word(parts.next().unwrap_or_default()))?)) }
}

#[cfg(test)]
mod tests;
