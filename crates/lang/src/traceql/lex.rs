//! Tokens of TraceQL, cut as Tempo cuts them: almost every character may stand in the name of an attribute, so `.a+b` is one
//! name and `.a + b` an addition.

use super::{
    failure::{Class, Failure},
    tree::Scope,
};
use crate::{Span, duration, go_duration, text::read_quoted};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// `.name`, `span.name`, …
    Attribute(Scope, String),
    /// The same of the parent of the span: `parent.name`, `parent.span.name`, `parent.resource.name`.
    ParentAttribute(Scope, String),
    /// What stands before the colon of `span:name`.
    ScopeOfIntrinsic(&'static str),
    Word(&'a str),
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

/// Words that a dot makes the scope of an attribute.
const SCOPES: [(&str, Scope); 5] =
    [("span", Scope::Span), ("resource", Scope::Resource), ("event", Scope::Event), ("link", Scope::Link), ("instrumentation", Scope::Instrumentation)];

/// Words that a colon makes the scope of a field of the data model.
const INTRINSIC_SCOPES: [&str; 5] = ["trace", "span", "event", "link", "instrumentation"];

/// Characters of a duration: enough for every unit with all its digits, and a bound on looking ahead from each number.
const DURATION_CHARACTERS_MAX: usize = 100;

type Read<'a> = Result<(Token<'a>, usize), String>;

/// Whether a character can be part of the name of an attribute without quotes.
pub(super) fn is_name_character(character: char) -> bool {
    !character.is_whitespace() && !"{}()=~!<>&|^,".contains(character)
}

/// Cuts a text into tokens, the last one [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, Span)>, Box<Failure>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let failure = |reason: String| Failure::new(Class::Syntax, text, Span::new(at, at + next.len_utf8()), reason);
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            at += comment.find("*/").ok_or_else(|| failure("comment not terminated".to_owned()))? + 4;
            continue;
        }
        let (token, length) = token(rest, next).map_err(failure)?;
        tokens.push((token, Span::new(at, at + length)));
        at += length;
    }
    tokens.push((Token::End, Span::new(text.len(), text.len())));
    Ok(tokens)
}

fn token(rest: &str, next: char) -> Read<'_> {
    match next {
        '"' | '`' => quoted(rest),
        '0'..='9' => number(rest),
        '.' if rest[1..].starts_with(|after: char| after.is_ascii_digit()) => number(rest),
        '.' => attribute(rest, 1).map(|(name, length)| (Token::Attribute(Scope::Any, name), length)),
        character if character.is_alphabetic() || character == '_' => word(rest),
        _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => Ok((Token::Sign(sign), sign.len())),
            None => Err(format!("syntax error: unexpected character {next:?}")),
        },
    }
}

fn quoted(rest: &str) -> Read<'_> {
    let quoted = read_quoted(rest, 0)?;
    if quoted.bytes.is_some() {
        return Err("string is not UTF-8".to_owned());
    }
    Ok((Token::Text(quoted.value), quoted.end))
}

fn word(rest: &str) -> Read<'_> {
    let length = rest.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(rest.len());
    let (word, after) = rest.split_at(length);
    match after.as_bytes().first() {
        Some(b'.') if word == "parent" => {
            let scoped = SCOPES[..2].iter().find(|(name, _)| after[1..].strip_prefix(name).is_some_and(|tail| tail.starts_with('.')));
            let (scope, prefix) = scoped.map_or((Scope::Any, 1), |(name, scope)| (*scope, name.len() + 2));
            attribute(rest, length + prefix).map(|(name, end)| (Token::ParentAttribute(scope, name), end))
        }
        Some(b'.') => match SCOPES.iter().find(|(name, _)| *name == word) {
            Some((_, scope)) => attribute(rest, length + 1).map(|(name, end)| (Token::Attribute(*scope, name), end)),
            None => Ok((Token::Word(word), length)),
        },
        Some(b':') => match INTRINSIC_SCOPES.iter().find(|name| **name == word) {
            Some(scope) => Ok((Token::ScopeOfIntrinsic(scope), length + 1)),
            None => Ok((Token::Word(word), length)),
        },
        _ => Ok((Token::Word(word), length)),
    }
}

/// A name from an offset on: characters of names and quoted parts one after the other. Also the offset after it.
fn attribute(rest: &str, start: usize) -> Result<(String, usize), String> {
    let (mut name, mut at) = (String::new(), start);
    while let Some(next) = rest[at..].chars().next() {
        if next == '"' {
            at = quoted_part(rest, at + 1, &mut name)?;
        } else if is_name_character(next) {
            name.push(next);
            at += next.len_utf8();
        } else {
            break;
        }
    }
    if at == start { Err("syntax error: want the name of an attribute after the dot".to_owned()) } else { Ok((name, at)) }
}

/// A part of a name after its opening quote; it may span lines, and only quotes and backslashes are escaped.
fn quoted_part(rest: &str, start: usize, name: &mut String) -> Result<usize, String> {
    let mut characters = rest[start..].char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '"' => return Ok(start + offset + 1),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => name.push(escaped),
                _ => return Err("invalid escape sequence in the name of an attribute".to_owned()),
            },
            _ => name.push(character),
        }
    }
    Err("name of attribute not terminated: want \"".to_owned())
}

fn number(rest: &str) -> Read<'_> {
    // A duration goes as far as its characters go; if that is none, only the number is taken.
    let longest: usize = rest.chars().take(DURATION_CHARACTERS_MAX).take_while(|character| is_duration_character(*character)).map(char::len_utf8).sum();
    let plain = decimal_length(rest);
    if longest > plain
        && let Some(nanoseconds) = duration::parse_ns(&rest[..longest]).ok().or_else(|| go_duration::parse(&rest[..longest]))
    {
        return Ok((Token::Duration(nanoseconds), longest));
    }
    let number = &rest[..plain];
    let token = if number.bytes().all(|byte| byte.is_ascii_digit()) {
        number.parse().ok().map(Token::Int)
    } else {
        number.parse().ok().filter(|value: &f64| value.is_finite()).map(Token::Float)
    };
    token.map(|token| (token, plain)).ok_or_else(|| format!("cannot read number {number:?}"))
}

fn is_duration_character(character: char) -> bool {
    character.is_ascii_digit() || "nsumhµdwy.".contains(character)
}

/// Length of digits, fraction and exponent.
fn decimal_length(rest: &str) -> usize {
    let digits = |at: usize| rest[at..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if rest[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[length + 1..].starts_with(['-', '+']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
