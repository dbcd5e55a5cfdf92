//! The JMESPath that people write in `json` stages: names, quoted names, dots and indexes.

use serde_json::Value;

/// A path into a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Name(String),
    Index(i64),
}

impl Expression {
    /// Reads an expression.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let unsupported = || format!("the expression {text:?} is not supported: want names, dots and indexes, such as `a.\"b c\"[0]`");
        let (mut parts, mut rest) = (Vec::new(), text.trim());
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (index, after) = inner.split_once(']').ok_or_else(unsupported)?;
                parts.push(Part::Index(index.trim().parse().map_err(|_| unsupported())?));
                rest = after;
            } else {
                if !parts.is_empty() {
                    rest = rest.strip_prefix('.').ok_or_else(unsupported)?;
                }
                if let Some(inner) = rest.strip_prefix('"') {
                    let (name, after) = inner.split_once('"').ok_or_else(unsupported)?;
                    parts.push(Part::Name(name.to_owned()));
                    rest = after;
                } else {
                    let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).unwrap_or(rest.len());
                    if end == 0 {
                        return Err(unsupported());
                    }
                    parts.push(Part::Name(rest[..end].to_owned()));
                    rest = &rest[end..];
                }
            }
        }
        if parts.is_empty() { Err(unsupported()) } else { Ok(Self(parts)) }
    }

    /// The value that the path leads to.
    pub(super) fn find<'v>(&self, mut value: &'v Value) -> Option<&'v Value> {
        for part in &self.0 {
            value = match (part, value) {
                (Part::Name(name), Value::Object(entries)) => entries.get(name)?,
                (Part::Index(index), Value::Array(items)) => {
                    let index = if *index < 0 { items.len().checked_add_signed(isize::try_from(*index).ok()?)? } else { usize::try_from(*index).ok()? };
                    items.get(index)?
                }
                _ => return None,
            };
        }
        Some(value)
    }
}
