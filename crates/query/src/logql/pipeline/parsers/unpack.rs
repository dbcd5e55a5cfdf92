//! `| unpack`: the object that Promtail's `pack` stage makes; its texts are labels and `_entry` is the line.

use super::super::Flow;
use super::super::labels::LabelSet;
use super::scan::{Scanner, Value, unescape};
use super::{JSON_ERROR, name};

const ENTRY_KEY: &str = "_entry";

pub(super) fn parse(line: &str, written: &mut String, labels: &mut LabelSet) -> Flow {
    if line.is_empty() {
        return Flow::Stay;
    }
    if !line.starts_with('{') {
        labels.set_parser_error(JSON_ERROR, "expecting json object(6), but it is not");
        return Flow::Stay;
    }
    // Without an entry nothing was packed, and nothing is a label; what is malformed is no label either.
    match packed(line, written) {
        Err(reason) => {
            labels.set_parser_error(JSON_ERROR, reason);
            Flow::Stay
        }
        Ok(None) => Flow::Stay,
        Ok(Some(texts)) => {
            for (key, raw) in texts {
                let name = name::sanitized(&key);
                labels.extract(&name, |text| {
                    let start = text.len();
                    if !unescape(raw, text) {
                        text.truncate(start);
                    }
                    true
                });
            }
            Flow::Rewritten
        }
    }
}

type Texts<'a> = Vec<(std::borrow::Cow<'a, str>, &'a str)>;

/// The texts of an object, if it has an entry, which is written.
fn packed<'a>(line: &'a str, written: &mut String) -> Result<Option<Texts<'a>>, &'static str> {
    let mut scanner = Scanner::new(line);
    let (mut texts, mut has_entry) = (Vec::new(), false);
    let mut has_more = scanner.open_object()?;
    while has_more {
        let Some(key) = scanner.key()? else { break };
        let value = scanner.value()?;
        match value {
            Value::Text(raw) if key == ENTRY_KEY => {
                written.clear();
                if !unescape(raw, written) {
                    return Err("Encountered an invalid escape sequence in a string");
                }
                has_entry = true;
            }
            Value::Text(raw) => texts.push((key, raw)),
            _ => scanner.skip(value)?,
        }
        has_more = scanner.has_more_keys()?;
    }
    Ok(has_entry.then_some(texts))
}
