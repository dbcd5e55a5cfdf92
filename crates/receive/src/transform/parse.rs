//! Text to fields: JSON, logfmt, regular expressions, grok.

use std::borrow::Cow;

use serde_json::Value;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result};

use super::field::{Field, put_attribute};
use super::grok::{Grok, Library};
use super::limits::{ATTRIBUTES_MAX, DEPTH_MAX, INPUT_BYTES_MAX, OUTPUT_BYTES_MAX, compile};
use super::step;
use crate::logs::Record;

/// Reads a field and writes attributes.
#[derive(Debug)]
pub(super) struct Parser {
    source: Field,
    prefix: String,
    syntax: Syntax,
}

#[derive(Debug)]
enum Syntax {
    Json { separator: String },
    Logfmt,
    Regex(regex::Regex),
    Grok(Vec<Grok>),
}

impl Parser {
    pub(super) fn json(settings: &step::Json) -> Self {
        Self { source: Field::named(&settings.source), prefix: settings.prefix.clone(), syntax: Syntax::Json { separator: settings.separator.clone() } }
    }

    pub(super) fn logfmt(settings: &step::Logfmt) -> Self {
        Self { source: Field::named(&settings.source), prefix: settings.prefix.clone(), syntax: Syntax::Logfmt }
    }

    pub(super) fn regex(settings: &step::Regex, place: &str) -> Result<Self> {
        let regex = compile(&settings.pattern, &format!("{place}.pattern"))?;
        if regex.capture_names().flatten().next().is_none() {
            return Err(Error::invalid(format!("{place}.pattern: no named group, such as `(?P<status>[0-9]+)`, in {:?}", settings.pattern)));
        }
        Ok(Self { source: Field::named(&settings.source), prefix: String::new(), syntax: Syntax::Regex(regex) })
    }

    pub(super) fn grok(settings: &step::Grok, place: &str) -> Result<Self> {
        if settings.patterns.is_empty() {
            return Err(Error::invalid(format!("{place}.patterns: want at least one")));
        }
        let library = Library::with(&settings.definitions);
        let pattern = |(number, text): (usize, &String)| Grok::new(text, &library, &format!("{place}.patterns[{number}]"));
        let patterns = settings.patterns.iter().enumerate().map(pattern).collect::<Result<_>>()?;
        Ok(Self { source: Field::named(&settings.source), prefix: String::new(), syntax: Syntax::Grok(patterns) })
    }

    pub(super) fn run(&self, record: &mut Record<'_>) -> std::result::Result<(), String> {
        let Some(text) = self.source.text(record) else { return Err("the field is missing".to_owned()) };
        if text.len() > INPUT_BYTES_MAX {
            return Err(format!("the text has {} bytes: want at most {INPUT_BYTES_MAX}", text.len()));
        }
        let fields = match &self.syntax {
            Syntax::Json { separator } => json_fields(&text, separator)?,
            Syntax::Logfmt => {
                let fields = logfmt_fields(&text);
                if fields.is_empty() {
                    return Err("no `key=value` in the text".to_owned());
                }
                fields.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::String(value.into_owned()))).collect()
            }
            Syntax::Regex(regex) => {
                let captures = regex.captures(&text).ok_or("the pattern does not match")?;
                let named = regex.capture_names().flatten().filter_map(|name| Some((name, captures.name(name)?)));
                named.map(|(name, found)| (name.to_owned(), AttributeValue::String(found.as_str().to_owned()))).collect()
            }
            Syntax::Grok(patterns) => patterns.iter().find_map(|pattern| pattern.fields(&text)).ok_or("no pattern matches")?,
        };
        self.put(record, fields)
    }

    fn put(&self, record: &mut Record<'_>, fields: Vec<(String, AttributeValue)>) -> std::result::Result<(), String> {
        let mut bytes = 0;
        for (name, value) in fields {
            bytes += name.len() + size(&value);
            if bytes > OUTPUT_BYTES_MAX {
                return Err(format!("the fields have more than {OUTPUT_BYTES_MAX} bytes"));
            }
            // What a line says of itself is an attribute, even if it calls itself `body` or `resource.x`.
            if self.prefix.is_empty() { put_attribute(record, &name, value)? } else { put_attribute(record, &format!("{}{name}", self.prefix), value)? }
        }
        Ok(())
    }
}

fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::String(text) => text.len(),
        AttributeValue::Bytes(bytes) => bytes.len(),
        AttributeValue::Array(items) => items.iter().map(size).sum::<usize>() + 8,
        AttributeValue::Map(entries) => entries.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>() + 8,
        _ => 8,
    }
}

/// The fields of a JSON object; nested objects become fields with longer names.
pub(crate) fn json_fields(text: &str, separator: &str) -> std::result::Result<Vec<(String, AttributeValue)>, String> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with('{') {
        return Err("the text is no JSON object".to_owned());
    }
    let object: serde_json::Map<String, Value> = serde_json::from_str(trimmed).map_err(|error| format!("the text is no JSON object: {error}"))?;
    let mut fields = Vec::new();
    flatten(object, "", separator, 1, &mut fields)?;
    Ok(fields)
}

fn flatten(
    object: serde_json::Map<String, Value>,
    path: &str,
    separator: &str,
    depth: usize,
    out: &mut Vec<(String, AttributeValue)>,
) -> std::result::Result<(), String> {
    for (name, value) in object {
        if out.len() >= ATTRIBUTES_MAX {
            return Err(format!("the object has more than {ATTRIBUTES_MAX} fields"));
        }
        let name = if path.is_empty() { name } else { format!("{path}{separator}{name}") };
        match value {
            Value::Object(inner) if depth < DEPTH_MAX && !inner.is_empty() => flatten(inner, &name, separator, depth + 1, out)?,
            value if is_deeper(&value, DEPTH_MAX) => out.push((name, AttributeValue::String(value.to_string()))),
            value => out.push((name, AttributeValue::from_json(&value))),
        }
    }
    Ok(())
}

fn is_deeper(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth == 0 || items.iter().any(|item| is_deeper(item, depth - 1)),
        Value::Object(entries) => depth == 0 || entries.values().any(|item| is_deeper(item, depth - 1)),
        _ => false,
    }
}

/// The pairs of `key=value key="quoted value"` text. A word without `=` is left out.
pub(crate) fn logfmt_fields(text: &str) -> Vec<(&str, Cow<'_, str>)> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && fields.len() < ATTRIBUTES_MAX {
        let end = rest.find(|character: char| character == '=' || character.is_ascii_whitespace() || character == '"').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = logfmt_value(after);
                if !name.is_empty() {
                    fields.push((name, value));
                }
                rest = after.trim_start();
            }
            // A stray quote is passed over, alone.
            None => rest = after.strip_prefix('"').unwrap_or(after).trim_start(),
        }
    }
    fields
}

fn logfmt_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|character: char| character.is_ascii_whitespace()).unwrap_or(text.len());
        return (Cow::Borrowed(&text[..end]), &text[end..]);
    };
    let mut is_escaped = false;
    let mut has_escapes = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => (is_escaped, has_escapes) = (true, true),
            b'"' => {
                let inner = &quoted[..at];
                return (if has_escapes { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) }, &quoted[at + 1..]);
            }
            _ => {}
        }
    }
    // Without an end: the line was cut.
    (Cow::Borrowed(quoted), "")
}

fn unescape(text: &str) -> String {
    let json = format!("\"{text}\"");
    serde_json::from_str(&json).unwrap_or_else(|_| text.replace("\\\"", "\"").replace("\\\\", "\\"))
}
