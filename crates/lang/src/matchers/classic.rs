//! The classic spelling: names as Prometheus' labels were, values quoted or not.

use signalbox_model::{Error, MatchOp, Matcher, Result};

use super::{bound, push};

/// A list of matchers.
///
/// # Errors
/// `Invalid` in the words of Alertmanager.
pub fn parse(text: &str) -> Result<Vec<Matcher>> {
    bound(text)?;
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let mut matchers = Vec::new();
    for item in split(inner) {
        push(&mut matchers, parse_one(item)?)?;
    }
    Ok(matchers)
}

/// At the commas that are not between quotes; white space after the last comma is no item.
fn split(text: &str) -> Vec<&str> {
    let (mut items, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            ',' if !is_quoted => {
                items.push(&text[start..at]);
                start = at + 1;
                is_escaped = false;
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    if !text[start..].trim().is_empty() {
        items.push(&text[start..]);
    }
    items
}

fn parse_one(item: &str) -> Result<Matcher> {
    let bad = || Error::invalid(format!("bad matcher format: {}", item.trim()));
    let text = item.trim();
    let is_start = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | ':');
    let is_rest = |character: char| is_start(character) || character.is_ascii_digit();
    let end = text.find(|character| !is_rest(character)).ok_or_else(bad)?;
    let (name, rest) = text.split_at(end);
    if !name.starts_with(is_start) {
        return Err(bad());
    }
    let rest = rest.trim_start();
    let (op, raw) = [("=~", MatchOp::Regex), ("!=", MatchOp::NotEqual), ("!~", MatchOp::NotRegex), ("=", MatchOp::Equal)]
        .into_iter()
        .find_map(|(word, op)| Some((op, rest.strip_prefix(word)?)))
        .ok_or_else(bad)?;
    Matcher::new(name, op, value(raw.trim_start())?)
}

/// Without its quotes; `\n`, `\"` and `\\` are escapes, every other backslash stands for itself.
fn value(raw: &str) -> Result<String> {
    let unescaped = || Error::invalid(format!("matcher value contains unescaped double quote: {raw}"));
    let mut is_open = raw.starts_with('"');
    let inner = if is_open { &raw[1..] } else { raw };
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, quoted @ ('"' | '\\'))) => value.push(quoted),
                Some((_, other)) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            '"' if is_open && at + 1 == inner.len() => is_open = false,
            '"' => return Err(unescaped()),
            other => value.push(other),
        }
    }
    if is_open { Err(unescaped()) } else { Ok(value) }
}
