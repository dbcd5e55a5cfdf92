//! Selectors of `match` stages: `{app="x", env=~"a|b"} |= "text" !~ "regex"`.

use regex::Regex;

use crate::transform::compile;

/// What labels and line of a record must be.
#[derive(Debug)]
pub(super) struct Selector {
    labels: Vec<(String, Wanted)>,
    line: Vec<Wanted>,
}

#[derive(Debug)]
enum Wanted {
    Text { text: String, wants: bool, is_part: bool },
    Regex { regex: Regex, wants: bool },
}

impl Wanted {
    fn holds(&self, found: &str) -> bool {
        match self {
            Self::Text { text, wants, is_part } => (if *is_part { found.contains(text.as_str()) } else { found == text }) == *wants,
            Self::Regex { regex, wants } => regex.is_match(found) == *wants,
        }
    }
}

impl Selector {
    pub(super) fn new(text: &str, place: &str) -> Result<Self, String> {
        let wrong = |rest: &str| format!("{place}: cannot read selector {text:?} at {:?}: want {{label=\"value\", …}} and line filters", short(rest));
        let mut rest = text.trim().strip_prefix('{').ok_or_else(|| wrong(text))?.trim_start();
        let mut labels = Vec::new();
        while !rest.starts_with('}') {
            let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).ok_or_else(|| wrong(rest))?;
            let name = rest[..end].to_owned();
            let (operator, after) = operator(rest[end..].trim_start(), &["=~", "!~", "!=", "="]).ok_or_else(|| wrong(rest))?;
            let (value, after) = quoted(after.trim_start()).ok_or_else(|| wrong(after))?;
            labels.push((name, wanted(operator, value, true, place)?));
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
            if rest.is_empty() {
                return Err(wrong(rest));
            }
        }
        let mut line = Vec::new();
        let mut rest = rest[1..].trim_start();
        while !rest.is_empty() {
            let (operator, after) = operator(rest, &["|=", "|~", "!=", "!~"]).ok_or_else(|| wrong(rest))?;
            let (value, after) = quoted(after.trim_start()).ok_or_else(|| wrong(after))?;
            line.push(wanted(operator, value, false, place)?);
            rest = after.trim_start();
        }
        Ok(Self { labels, line })
    }

    pub(super) fn holds(&self, labels: &[(String, String)], line: &str) -> bool {
        let get = |name: &str| labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        self.labels.iter().all(|(name, wanted)| wanted.holds(get(name))) && self.line.iter().all(|wanted| wanted.holds(line))
    }
}

fn operator<'t>(text: &'t str, known: &[&'static str]) -> Option<(&'static str, &'t str)> {
    known.iter().find_map(|operator| Some((*operator, text.strip_prefix(operator)?)))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(inner) = text.strip_prefix('`') {
        let (value, after) = inner.split_once('`')?;
        return Some((value.to_owned(), after));
    }
    let inner = text.strip_prefix('"')?;
    let mut is_escaped = false;
    for (at, character) in inner.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some((serde_json::from_str(&text[..at + 2]).ok()?, &inner[at + 1..])),
            _ => {}
        }
    }
    None
}

fn wanted(operator: &str, value: String, is_whole: bool, place: &str) -> Result<Wanted, String> {
    let wants = !operator.starts_with('!');
    if operator.ends_with('~') {
        let pattern = if is_whole { format!("^(?s:{value})$") } else { value };
        return Ok(Wanted::Regex { regex: compile(&pattern, place).map_err(|error| error.to_string())?, wants });
    }
    Ok(Wanted::Text { text: value, wants, is_part: !is_whole })
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(20)]
}
