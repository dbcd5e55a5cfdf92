//! `| logfmt`: pairs such as `level=info msg="it works"`.

use signalbox_lang::logql::ast::Extraction;
use signalbox_model::{Error, Result};

use super::super::labels::LabelSet;
use super::{LOGFMT_ERROR, name};

/// Reads pairs one by one.
struct Pairs<'a> {
    line: &'a str,
    at: usize,
    /// What was wrong with the last pair, and where.
    error: Option<(String, usize)>,
}

/// A pair. The value may have escapes.
struct Pair<'a> {
    key: &'a str,
    value: &'a str,
    has_escapes: bool,
}

impl<'a> Pairs<'a> {
    fn new(line: &'a str) -> Self {
        Self { line, at: 0, error: None }
    }

    fn is_done(&self) -> bool {
        self.at >= self.line.len()
    }

    fn until(&self, from: usize, ends: impl Fn(u8) -> bool) -> usize {
        let bytes = self.line.as_bytes();
        bytes[from..].iter().position(|byte| ends(*byte)).map_or(bytes.len(), |length| from + length)
    }

    fn fail(&mut self, what: impl Into<String>) -> Option<Pair<'a>> {
        self.error = Some((what.into(), self.at + 1));
        None
    }

    /// After what cannot be: on with the next word.
    fn fail_and_skip(&mut self, what: impl Into<String>) -> Option<Pair<'a>> {
        self.fail(what);
        self.at = self.until(self.at, |byte| byte <= b' ');
        None
    }

    /// The next pair. `None` at the end, and for what is none.
    fn next(&mut self) -> Option<Pair<'a>> {
        self.at = self.until(self.at, |byte| byte > b' ');
        let start = self.at;
        if self.is_done() {
            return None;
        }
        self.at = self.until(start, |byte| byte <= b' ' || byte == b'=' || byte == b'"');
        let (key, bytes) = (&self.line[start..self.at], self.line.as_bytes());
        let has_value = bytes.get(self.at) == Some(&b'=');
        if bytes.get(self.at) == Some(&b'"') {
            return self.fail_and_skip("unexpected '\"'");
        }
        if key.is_empty() {
            return self.fail_and_skip("unexpected '='");
        }
        if key.contains(char::REPLACEMENT_CHARACTER) {
            return if has_value { self.fail_and_skip("invalid key") } else { self.fail("invalid key") };
        }
        if !has_value {
            return Some(Pair { key, value: "", has_escapes: false });
        }
        self.at += 1;
        if bytes.get(self.at) == Some(&b'"') {
            return self.quoted(key);
        }
        let start = self.at;
        self.at = self.until(start, |byte| byte <= b' ' || byte == b'=' || byte == b'"');
        match bytes.get(self.at) {
            Some(b'=') => self.fail_and_skip("unexpected '='"),
            Some(b'"') => self.fail_and_skip("unexpected '\"'"),
            _ => Some(Pair { key, value: &self.line[start..self.at], has_escapes: false }),
        }
    }

    fn quoted(&mut self, key: &'a str) -> Option<Pair<'a>> {
        let (bytes, start, mut has_escapes) = (self.line.as_bytes(), self.at + 1, false);
        let mut at = start;
        while let Some(length) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += length;
            if bytes[at] == b'"' {
                self.at = at + 1;
                let value = &self.line[start..at];
                // Where there are escapes, the rest must be text, too.
                let is_valid = !has_escapes || (value.bytes().all(|byte| byte >= b' ') && unescape(value, &mut String::new()));
                return if is_valid { Some(Pair { key, value, has_escapes }) } else { self.fail("invalid quoted value") };
            }
            has_escapes = true;
            at += 2;
        }
        self.at = self.line.len();
        self.fail("unterminated quoted value")
    }

    fn error_text(&self) -> Option<String> {
        self.error.as_ref().map(|(what, at)| format!("logfmt syntax error at pos {at} : {what}"))
    }
}

impl Pair<'_> {
    /// Appends the value; what stands for text that was none as `invalid`.
    fn write(&self, text: &mut String, invalid: &str) {
        if !self.has_escapes && !self.value.contains(char::REPLACEMENT_CHARACTER) {
            text.push_str(self.value);
            return;
        }
        let mut value = String::new();
        if !self.has_escapes {
            value.push_str(self.value);
        } else if !unescape(self.value, &mut value) {
            // The pair was found with escapes that are good.
            value.clear();
        }
        text.push_str(&value.replace(char::REPLACEMENT_CHARACTER, invalid));
    }
}

/// Appends a quoted value; whether its escapes are such of JSON, or `\'`.
fn unescape(raw: &str, text: &mut String) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        if rest[at + 1..].starts_with('\'') {
            text.push('\'');
            rest = &rest[at + 2..];
            continue;
        }
        let length = if rest[at + 1..].starts_with('u') { code_length(&rest[at..]) } else { 2 };
        let Some(escape) = rest.get(at..at + length) else { return false };
        if !super::scan::unescape(escape, text) {
            return false;
        }
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    true
}

/// Bytes of `\u1234`, or of two that are one character.
fn code_length(text: &str) -> usize {
    let is_pair = text.get(2..3).is_some_and(|first| first.eq_ignore_ascii_case("d")) && text.get(6..8) == Some("\\u");
    if is_pair { 12 } else { 6 }
}

pub(super) fn parse(line: &str, is_strict: bool, keeps_empty: bool, labels: &mut LabelSet) {
    let mut pairs = Pairs::new(line);
    while !pairs.is_done() {
        let Some(pair) = pairs.next() else {
            if is_strict {
                break;
            }
            continue;
        };
        let name = name::sanitized(pair.key);
        if name.is_empty() || (pair.value.is_empty() && !keeps_empty) {
            continue;
        }
        labels.extract(&name, |text| {
            pair.write(text, " ");
            true
        });
        if labels.is_complete() {
            break;
        }
    }
    fail_if_strict(&pairs, is_strict, labels);
}

fn fail_if_strict(pairs: &Pairs<'_>, is_strict: bool, labels: &mut LabelSet) {
    if let Some(error) = pairs.error_text().filter(|_| is_strict) {
        labels.set_parser_error(LOGFMT_ERROR, &error);
    }
}

/// `| logfmt label="key"`: labels and their keys.
#[derive(Debug)]
pub(in crate::logql::pipeline) struct LogfmtKeys(Vec<(String, String)>);

impl LogfmtKeys {
    pub(super) fn new(extractions: &[Extraction]) -> Result<Self> {
        let key = |extraction: &Extraction| {
            let key = extraction.expression.trim();
            let is_key = !key.is_empty() && !key.contains(|character: char| character <= ' ' || character == '=' || character == '"');
            if is_key {
                Ok((extraction.label.clone(), name::sanitized(key).into_owned()))
            } else {
                Err(Error::invalid(format!("cannot parse expression [{}]: want a key", extraction.expression)))
            }
        };
        extractions.iter().map(key).collect::<Result<_>>().map(Self)
    }

    pub(super) fn parse(&self, line: &str, is_strict: bool, labels: &mut LabelSet) {
        // Every label is there, if only empty.
        for (label, _) in &self.0 {
            if !labels.is_taken(label) {
                labels.set(label, "");
            }
        }
        let mut pairs = Pairs::new(line);
        while !pairs.is_done() {
            let Some(pair) = pairs.next() else {
                if is_strict {
                    break;
                }
                continue;
            };
            let name = name::sanitized(pair.key);
            // Whose key it is; else the label that has this name itself.
            let by_key = self.0.iter().find(|(_, key)| *key == name);
            let Some((label, _)) = by_key.or_else(|| self.0.iter().find(|(label, _)| *label == name)) else { continue };
            labels.extract_named(label, |text| {
                pair.write(text, "");
                true
            });
        }
        fail_if_strict(&pairs, is_strict, labels);
    }
}
