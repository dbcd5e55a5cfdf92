//! Tokens of LogQL.

use signalbox_model::{Error, Result};

use crate::{Span, text::read_quoted};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(f64),
    /// Punctuation and operators, as written.
    Sign(&'static str),
    /// `5m`, `1KiB` and what else starts with a digit and is no number.
    Quantity,
    End,
}

/// Longest first, so that the first that fits is the right one.
const SIGNS: [&str; 33] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "--", "|", "=", ">", "<", "{", "}", "(", ")", "[", "]", ",", "+", "-", "*", "/", "%", "^", ":",
    ".", "@", "$", "!",
];

/// Cuts a text into tokens, the last one [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match next {
            character if character.is_whitespace() => {
                at += character.len_utf8();
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '`' => match read_quoted(text, at) {
                Ok(quoted) => (Token::Text(quoted.value), quoted.end - at),
                Err(reason) => return Err(error_at(text, Span::new(at, at + 1), &reason)),
            },
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(rest.len());
                (Token::Name(rest[..length].to_owned()), length)
            }
            '0'..='9' => number(rest),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(error_at(text, Span::new(at, at + next.len_utf8()), &format!("unexpected character {next:?}"))),
            },
        };
        tokens.push((token, Span::new(at, at + length)));
        at += length;
    }
    tokens.push((Token::End, Span::new(text.len(), text.len())));
    Ok(tokens)
}

fn number(text: &str) -> (Token, usize) {
    let length = text.find(|character: char| !character.is_alphanumeric() && character != '.').unwrap_or(text.len());
    match text[..length].parse::<f64>() {
        Ok(number) if number.is_finite() => (Token::Number(number), length),
        // One beyond the range of a double is none: it could not be printed.
        _ => (Token::Quantity, length),
    }
}

/// An error at a place, as Loki words it.
pub(super) fn error_at(text: &str, span: Span, reason: &str) -> Error {
    let position = span.position(text);
    Error::invalid(format!("parse error at line {}, col {}: {reason}", position.line, position.column))
}
