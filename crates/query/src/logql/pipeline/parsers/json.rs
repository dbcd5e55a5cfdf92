//! `| json`: every text, number and truth value of an object as a label, keys of objects in objects joined by `_`. Arrays and
//! nulls are left out.

use super::super::labels::LabelSet;
use super::scan::{Scanner, Value, unescape};
use super::{JSON_ERROR, name};

/// Objects inside of one another.
const DEPTH_MAX: usize = 128;

/// Why reading ended early.
enum Stop {
    Malformed(&'static str),
    /// All labels that are needed were found.
    Complete,
}

impl From<&'static str> for Stop {
    fn from(reason: &'static str) -> Self {
        Self::Malformed(reason)
    }
}

pub(super) fn parse(line: &str, labels: &mut LabelSet) {
    let mut reader = Reader { scanner: Scanner::new(line), labels, name: String::new(), depth: 0 };
    match reader.object() {
        Ok(()) | Err(Stop::Complete) => {}
        Err(Stop::Malformed(reason)) => labels.set_parser_error(JSON_ERROR, reason),
    }
}

struct Reader<'a, 'l> {
    scanner: Scanner<'a>,
    labels: &'l mut LabelSet,
    /// The keys of the objects around what is read, as one name.
    name: String,
    depth: usize,
}

impl Reader<'_, '_> {
    fn object(&mut self) -> Result<(), Stop> {
        if !self.scanner.open_object()? {
            return Ok(());
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Stop::Malformed("JSON is nested too deep"));
        }
        while let Some(key) = self.scanner.key()? {
            match self.scanner.value()? {
                Value::Object => self.inner(&key)?,
                value @ Value::Array => self.scanner.skip(value)?,
                Value::Null => {}
                value => {
                    self.label(&key, value);
                    if self.labels.is_complete() {
                        return Err(Stop::Complete);
                    }
                }
            }
            if !self.scanner.has_more_keys()? {
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn inner(&mut self, key: &str) -> Result<(), Stop> {
        let length = self.name.len();
        join(&mut self.name, key);
        if self.labels.hints.wants_prefix(&self.name) {
            self.object()?;
        } else {
            self.scanner.skip(Value::Object)?;
        }
        self.name.truncate(length);
        Ok(())
    }

    fn label(&mut self, key: &str, value: Value<'_>) {
        let write = |text: &mut String| {
            match value {
                Value::Text(raw) => {
                    let start = text.len();
                    // A text with escapes that are none is an empty one.
                    if !unescape(raw, text) {
                        text.truncate(start);
                    }
                }
                Value::Number(number) => text.push_str(number),
                Value::Bool(truth) => text.push_str(if truth { "true" } else { "false" }),
                Value::Null | Value::Object | Value::Array => {}
            }
            true
        };
        if self.depth == 1 {
            let name = name::sanitized(key);
            if !name.is_empty() {
                self.labels.extract(&name, write);
            }
            return;
        }
        let length = self.name.len();
        join(&mut self.name, key);
        self.labels.extract(&self.name, write);
        self.name.truncate(length);
    }
}

/// Appends a key to the keys around it.
pub(super) fn join(name: &mut String, key: &str) {
    if key.trim().is_empty() {
        return;
    }
    if !name.is_empty() {
        name.push('_');
    }
    name::append(name, key);
}
