//! Patterns: `<method> <_> "<path>"`, text with captures between angle brackets.

use signalbox_model::{Error, Result};

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands there.
    Literal(String),
    /// Anything, kept as a label.
    Named(String),
    /// `<_>`: anything.
    Any,
}

/// The pieces of the pattern of `| pattern "…"`: at least one named capture, names that differ, text between captures.
///
/// # Errors
/// `Invalid` in the words of Loki.
pub fn parse_parser(text: &str) -> Result<Vec<Piece>> {
    let pieces = pieces(text)?;
    let mut names: Vec<&str> = pieces.iter().filter_map(|piece| if let Piece::Named(name) = piece { Some(name.as_str()) } else { None }).collect();
    if names.is_empty() {
        return Err(Error::invalid("at least one capture is required"));
    }
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid(format!("duplicate capture name ({}): invalid expression", pair[0])));
    }
    Ok(pieces)
}

/// The pieces of the pattern of `|> "…"` and `!> "…"`: captures have no name, text stands between them.
///
/// # Errors
/// `Invalid` in the words of Loki.
pub fn parse_filter(text: &str) -> Result<Vec<Piece>> {
    let pieces = pieces(text)?;
    match pieces.iter().find_map(|piece| if let Piece::Named(name) = piece { Some(name) } else { None }) {
        Some(name) => Err(Error::invalid(format!("named captures are not allowed: found '<{name}>'"))),
        None => Ok(pieces),
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        literal.push_str(before);
        match capture(after) {
            Some(name) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                } else if let Some(previous) = pieces.last() {
                    let previous = if let Piece::Named(previous) = previous { previous } else { "_" };
                    return Err(Error::invalid(format!("found consecutive capture '<{previous}><{name}>': invalid expression")));
                }
                pieces.push(if name == "_" { Piece::Any } else { Piece::Named(name.to_owned()) });
                rest = &after[name.len() + 2..];
            }
            None => {
                literal.push('<');
                rest = &after[1..];
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The name in `<name>` at the start of a text.
fn capture(text: &str) -> Option<&str> {
    let name = &text[1..];
    let length = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let starts_well = !name.starts_with(|first: char| first.is_ascii_digit());
    (length > 0 && starts_well && name[length..].starts_with('>')).then(|| &name[..length])
}
