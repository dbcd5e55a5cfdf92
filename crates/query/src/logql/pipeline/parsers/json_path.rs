//! `| json label="a.b[0]"`: values at places.

use signalbox_lang::logql::ast::Extraction;
use signalbox_model::{Error, Result};

use super::super::labels::LabelSet;
use super::JSON_ERROR;
use super::scan::{Scanner, Value, unescape};

/// Labels and where their values are.
#[derive(Debug)]
pub(in crate::logql::pipeline) struct JsonPaths(Vec<(String, Vec<Step>)>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPaths {
    pub(super) fn new(extractions: &[Extraction]) -> Result<Self> {
        let path = |extraction: &Extraction| {
            let steps = steps(&extraction.expression)
                .ok_or_else(|| Error::invalid(format!("cannot parse expression [{}]: want keys and indices such as a.b[0][\"c\"]", extraction.expression)))?;
            Ok((extraction.label.clone(), steps))
        };
        extractions.iter().map(path).collect::<Result<_>>().map(Self)
    }

    pub(super) fn parse(&self, line: &str, labels: &mut LabelSet) {
        if line.is_empty() {
            return;
        }
        if !line.starts_with(['"', '{', '[']) {
            labels.set_parser_error(JSON_ERROR, "");
            return;
        }
        let mut missing = Vec::new();
        for (label, steps) in &self.0 {
            let mut scanner = Scanner::new(line);
            match find(&mut scanner, steps) {
                Some(value) => labels.extract_named(label, |text| write(&mut scanner, value, text)),
                None => missing.push(label),
            }
        }
        // Every label is there, if only empty.
        for label in missing {
            if labels.get(label).is_none() {
                labels.set(label, "");
            }
        }
    }
}

/// Appends a value; whether it could be read.
fn write(scanner: &mut Scanner<'_>, value: Value<'_>, text: &mut String) -> bool {
    match value {
        Value::Text(raw) => return unescape(raw, text),
        Value::Number(number) => text.push_str(number),
        Value::Bool(truth) => text.push_str(if truth { "true" } else { "false" }),
        Value::Null => {}
        Value::Object | Value::Array => {
            let start = scanner.place();
            if scanner.skip(value).is_err() {
                return false;
            }
            text.push_str(scanner.since(start));
        }
    }
    true
}

/// The value at a place; `None` if there is none, or if what is before it cannot be read.
fn find<'a>(scanner: &mut Scanner<'a>, steps: &[Step]) -> Option<Value<'a>> {
    let mut value = scanner.value().ok()?;
    for step in steps {
        value = match (step, value) {
            (Step::Key(wanted), Value::Object) => in_object(scanner, wanted)?,
            (Step::Index(index), Value::Array) => in_array(scanner, *index)?,
            _ => return None,
        };
    }
    Some(value)
}

fn in_object<'a>(scanner: &mut Scanner<'a>, wanted: &str) -> Option<Value<'a>> {
    let mut has_more = scanner.open_object().ok()?;
    while has_more {
        let key = scanner.key().ok()??;
        let value = scanner.value().ok()?;
        if key == wanted {
            return Some(value);
        }
        scanner.skip(value).ok()?;
        has_more = scanner.has_more_keys().ok()?;
    }
    None
}

fn in_array<'a>(scanner: &mut Scanner<'a>, index: usize) -> Option<Value<'a>> {
    scanner.accept(b'[');
    for _ in 0..index {
        let value = scanner.value().ok()?;
        scanner.skip(value).ok()?;
        if !scanner.accept(b',') {
            return None;
        }
    }
    scanner.value().ok()
}

/// The steps of `a.b[0]["c"]`.
fn steps(expression: &str) -> Option<Vec<Step>> {
    let (mut steps, mut rest) = (Vec::new(), expression.trim());
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let inner = inner.trim_start();
            let after = if let Some(quoted) = inner.strip_prefix('"') {
                let (key, after) = quoted.split_once('"')?;
                steps.push(Step::Key(key.to_owned()));
                after
            } else {
                let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
                steps.push(Step::Index(inner[..digits].parse().ok()?));
                &inner[digits..]
            };
            rest = after.trim_start().strip_prefix(']')?.trim_start();
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.')?.trim_start();
        }
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length == 0 || rest.as_bytes()[0].is_ascii_digit() {
            return None;
        }
        steps.push(Step::Key(rest[..length].to_owned()));
        rest = rest[length..].trim_start();
    }
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_as_loki_does() {
        let key = |key: &str| Step::Key(key.to_owned());
        let cases = [
            ("a", vec![key("a")]),
            ("a.b_c", vec![key("a"), key("b_c")]),
            ("a[0].b", vec![key("a"), Step::Index(0), key("b")]),
            ("[\"a b\"][12]", vec![key("a b"), Step::Index(12)]),
            ("a[\"\"]", vec![key("a"), key("")]),
            ("[ 1 ] . a", vec![Step::Index(1), key("a")]),
        ];
        for (text, want) in cases {
            assert_eq!(steps(text), Some(want), "{text}");
        }
        for text in ["", "a.", ".a", "a b", "a[", "a[]", "a[1.5]", "a[-1]", "a[\"b]", "1a", "a..b", "a-b", "a[99999999999999999999999]"] {
            assert_eq!(steps(text), None, "{text}");
        }
    }
}
