//! Tokens of TraceQL. What a name means depends on where it stands, so attribute names are read here whole.

use signalbox_model::{Error, Result};

use super::ast::AttributeScope;
use crate::{Span, go_duration, text::read_quoted};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `.name`, `span.name`, `resource.name`
    Attribute(AttributeScope, String),
    /// A word, with a scope and a colon if it has them: `duration`, `span:duration`.
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Duration(i64),
    /// Punctuation and operators, as written.
    Sign(&'static str),
    End,
}

/// Longest first, so that the first that fits is the right one.
const SIGNS: [&str; 35] = [
    "!>>", "!<<", "&>>", "&<<", "&&", "||", "=~", "!~", "!=", ">=", "<=", ">>", "<<", "&>", "&<", "&~", "!>", "!<", "=", ">", "<", "{", "}", "(", ")", "|",
    ",", "+", "-", "*", "/", "%", "^", "~", "!",
];

/// Whether a character can be part of an attribute name without quotes.
pub(super) fn is_name_character(character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && !"{}()=~!<>&|^,+*%\"`'".contains(character)
}

/// Cuts a text into tokens, the last one [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let read = match next {
            '"' | '`' => read_quoted(rest, 0).map(|quoted| (Token::Text(quoted.value), quoted.end)),
            '0'..='9' => number(rest),
            '.' => attribute(AttributeScope::Any, rest, 1),
            character if character.is_ascii_alphabetic() || character == '_' => word(rest),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => Ok((Token::Sign(sign), sign.len())),
                None => Err(format!("unexpected character {next:?}")),
            },
        };
        let (token, length) = read.map_err(|reason| error_at(text, Span::new(at, at + next.len_utf8()), &reason))?;
        tokens.push((token, Span::new(at, at + length)));
        at += length;
    }
    tokens.push((Token::End, Span::new(text.len(), text.len())));
    Ok(tokens)
}

fn word(text: &str) -> Result<(Token, usize), String> {
    for (prefix, scope) in [("span.", AttributeScope::Span), ("resource.", AttributeScope::Resource)] {
        if text.starts_with(prefix) {
            return attribute(scope, text, prefix.len());
        }
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_:.".contains(character);
    let length = text.find(|character| !is_part(character)).unwrap_or(text.len());
    Ok((Token::Word(text[..length].to_owned()), length))
}

fn attribute(scope: AttributeScope, text: &str, prefix: usize) -> Result<(Token, usize), String> {
    let rest = &text[prefix..];
    if rest.starts_with('"') {
        return quoted_name(rest).map(|(name, length)| (Token::Attribute(scope, name), prefix + length));
    }
    let length = rest.find(|character| !is_name_character(character)).unwrap_or(rest.len());
    if length == 0 {
        return Err("want the name of an attribute".to_owned());
    }
    Ok((Token::Attribute(scope, rest[..length].to_owned()), prefix + length))
}

/// A name in quotes, which unlike a string may span lines.
fn quoted_name(text: &str) -> Result<(String, usize), String> {
    let mut is_escaped = true;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    let end = end.ok_or("name of attribute not terminated")?;
    let name = read_quoted(&text[..=end].replace('\n', "\\n"), 0)?;
    Ok((name.value, end + 1))
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let mut length = text.find(|character: char| !character.is_alphanumeric() && character != '.').unwrap_or(text.len());
    // The sign of an exponent belongs to the number: 1e-3.
    let has_exponent = text[..length].ends_with(['e', 'E']) && text[length..].starts_with(['-', '+']);
    if has_exponent {
        length += 1;
        length += text[length..].find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len() - length);
    }
    let word = &text[..length];
    let token = if let Ok(value) = word.parse() {
        Token::Int(value)
    } else if let Some(nanoseconds) = go_duration::parse(word) {
        Token::Duration(nanoseconds)
    } else {
        let number = word.parse().ok().filter(|number: &f64| number.is_finite());
        Token::Float(number.ok_or_else(|| format!("cannot read number {word:?}"))?)
    };
    Ok((token, length))
}

/// An error at a place.
pub(super) fn error_at(text: &str, span: Span, reason: &str) -> Error {
    let position = span.position(text);
    Error::invalid(format!("parse error at line {}, col {}: {reason}", position.line, position.column))
}
