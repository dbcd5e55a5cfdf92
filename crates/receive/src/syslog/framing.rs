//! RFC 6587: where messages end on a connection. Each message says by itself which way it is framed: a number, a space and
//! `<` count octets; anything else ends with a line feed or NUL.

use memchr::memchr2;

/// Digits of the longest count of octets that is believed: 9 999 999.
const COUNT_DIGITS_MAX: usize = 7;

/// Finds messages in what has arrived. Bytes are given again until they are consumed.
#[derive(Debug)]
pub struct Framing {
    message_bytes_max: usize,
    skip: Skip,
}

/// What of a message beyond the limit is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Octets(usize),
    Line,
}

/// A step through the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes that are done with, from the front.
    pub consumed: usize,
    /// A message.
    pub frame: Option<Frame<'a>>,
}

/// A message without its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its bytes, as many as the limit allows.
    pub bytes: &'a [u8],
    /// Whether there were more, or should have been.
    pub is_truncated: bool,
}

impl Framing {
    /// Of messages of at most so many bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max: message_bytes_max.max(1), skip: Skip::Nothing }
    }

    /// The next step; `None` until more has arrived. `is_last` says that nothing will follow.
    pub fn next<'a>(&mut self, input: &'a [u8], is_last: bool) -> Option<Step<'a>> {
        let passed = |consumed| Some(Step { consumed, frame: None });
        match self.skip {
            Skip::Octets(octets) => {
                let consumed = octets.min(input.len());
                self.skip = if consumed == octets { Skip::Nothing } else { Skip::Octets(octets - consumed) };
                return if consumed > 0 { passed(consumed) } else { None };
            }
            Skip::Line => {
                let end = memchr2(b'\n', 0, input);
                self.skip = if end.is_some() { Skip::Nothing } else { Skip::Line };
                let consumed = end.unwrap_or(input.len());
                return if consumed > 0 || end.is_some() { passed(consumed) } else { None };
            }
            Skip::Nothing => {}
        }
        let empty = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
        if empty > 0 {
            return passed(empty);
        }
        match counted(input) {
            Counted::Unclear if is_last => self.line(input, is_last),
            Counted::Unclear => None,
            Counted::No => self.line(input, is_last),
            Counted::Yes { prefix, octets } => self.octets(input, prefix, octets, is_last),
        }
    }

    fn octets<'a>(&mut self, input: &'a [u8], prefix: usize, octets: usize, is_last: bool) -> Option<Step<'a>> {
        let kept = octets.min(self.message_bytes_max);
        let there = input.get(prefix..)?;
        if there.len() < kept {
            let frame = Frame { bytes: there, is_truncated: true };
            return is_last.then_some(Step { consumed: input.len(), frame: Some(frame) });
        }
        if octets > kept {
            self.skip = Skip::Octets(octets - kept);
        }
        Some(Step { consumed: prefix + kept, frame: Some(Frame { bytes: there.get(..kept)?, is_truncated: octets > kept }) })
    }

    fn line<'a>(&mut self, input: &'a [u8], is_last: bool) -> Option<Step<'a>> {
        let within = input.get(..input.len().min(self.message_bytes_max + 1))?;
        if let Some(end) = memchr2(b'\n', 0, within) {
            let line = within.get(..end)?;
            let bytes = line.strip_suffix(b"\r").unwrap_or(line);
            return Some(Step { consumed: end + 1, frame: Some(Frame { bytes, is_truncated: false }) });
        }
        if within.len() > self.message_bytes_max {
            self.skip = Skip::Line;
            let bytes = within.get(..self.message_bytes_max)?;
            return Some(Step { consumed: bytes.len(), frame: Some(Frame { bytes, is_truncated: true }) });
        }
        let is_rest = is_last && !input.is_empty();
        is_rest.then_some(Step { consumed: input.len(), frame: Some(Frame { bytes: input, is_truncated: false }) })
    }
}

enum Counted {
    Yes {
        prefix: usize,
        octets: usize,
    },
    No,
    /// More bytes will tell.
    Unclear,
}

fn counted(input: &[u8]) -> Counted {
    let digits = input.iter().take(COUNT_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if input.first().is_none_or(|first| *first == b'0') || digits > COUNT_DIGITS_MAX {
        return if input.is_empty() { Counted::Unclear } else { Counted::No };
    }
    match input.get(digits..).unwrap_or_default() {
        _ if digits == 0 => Counted::No,
        [b' ', b'<', ..] => {
            let octets = input.iter().take(digits).fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            Counted::Yes { prefix: digits + 1, octets }
        }
        [] | [b' '] => Counted::Unclear,
        _ => Counted::No,
    }
}
