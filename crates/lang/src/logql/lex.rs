//! Tokens of LogQL.

use signalbox_model::{Error, Result};

use crate::text::read_quoted;
use crate::{Span, duration, go_duration};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name of a label, a function or a stage: its text is that of the span.
    Name,
    Text(String),
    Number(f64),
    /// `5m`, in nanoseconds; a sign before it is a token of its own.
    Duration(i64),
    /// `20MB`
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(i64),
    /// `--strict`
    Flag(&'static str),
    /// Punctuation and operators, as written.
    Sign(&'static str),
    End,
}

/// Longest first, so that the first that fits is the right one.
const SIGNS: [&str; 26] =
    ["|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "|", "=", ">", "<", "{", "}", "(", ")", ",", "+", "-", "*", "/", "%", "^", "."];

const FLAGS: [&str; 2] = ["--strict", "--keep-empty"];

/// Characters of the units of one number. A longer one is none.
const QUANTITY_CHARACTERS_MAX: usize = 64;

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
            '"' | '`' => quoted(text, at)?,
            '[' => range(text, at)?,
            '0' if rest[1..].starts_with(['x', 'X', 'b', 'B', 'o', 'O']) => prefixed(text, at)?,
            '0'..='9' => number(rest),
            '.' if rest[1..].starts_with(|character: char| character.is_ascii_digit()) => number(rest),
            character if is_name(character) => (Token::Name, rest.find(|character| !is_name(character)).unwrap_or(rest.len())),
            _ => match flag(rest).or_else(|| SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| Token::Sign(sign))) {
                Some(Token::Flag(flag)) => (Token::Flag(flag), flag.len()),
                Some(Token::Sign(sign)) => (Token::Sign(sign), sign.len()),
                _ => return Err(error_at(text, at, &format!("syntax error: unexpected character {next:?}"))),
            },
        };
        tokens.push((token, Span::new(at, at + length)));
        at += length;
    }
    tokens.push((Token::End, Span::new(text.len(), text.len())));
    Ok(tokens)
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn quoted(text: &str, at: usize) -> Result<(Token, usize)> {
    match read_quoted(text, at) {
        // Lines and labels are text here; a filter for other bytes would never hold.
        Ok(quoted) if quoted.bytes.is_some() => Err(error_at(text, at, "string is not UTF-8")),
        Ok(quoted) => Ok((Token::Text(quoted.value), quoted.end - at)),
        Err(reason) if reason.starts_with("unterminated") => Err(error_at(text, at, "literal not terminated")),
        Err(reason) => Err(error_at(text, at, &reason)),
    }
}

fn range(text: &str, at: usize) -> Result<(Token, usize)> {
    let Some(length) = text[at..].find(']') else { return Err(error_at(text, at, "missing closing ']' in duration")) };
    match duration::parse_ns(&text[at + 1..at + length]) {
        Ok(0) => Err(error_at(text, at, "duration of a range must be greater than 0")),
        Ok(nanoseconds) => Ok((Token::Range(nanoseconds), length + 1)),
        Err(error) => Err(error_at(text, at, error.message())),
    }
}

fn flag(text: &str) -> Option<Token> {
    let is_flag = |flag: &str| text.strip_prefix(flag).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphabetic() || next == '-'));
    FLAGS.into_iter().find(|flag| is_flag(flag)).map(Token::Flag)
}

/// A number with a prefix. Only hexadecimal ones with an exponent are floats, as in Go: `0x1.8p3`. `0B` is an amount.
fn prefixed(text: &str, at: usize) -> Result<(Token, usize)> {
    let rest = &text[at..];
    let mut length = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '.').unwrap_or(rest.len());
    if rest[1..].starts_with(['b', 'B']) && length == 2 {
        return Ok(number(rest));
    }
    if rest[..length].ends_with(['p', 'P']) && rest[length..].starts_with(['+', '-']) {
        length += 1 + rest[length + 1..].bytes().take_while(u8::is_ascii_digit).count();
    }
    let value = hexadecimal(&rest[2..length]).filter(|_| rest[1..].starts_with(['x', 'X']));
    let reason = || format!("unable to parse literal as a float: strconv.ParseFloat: parsing {:?}: invalid syntax", &rest[..length]);
    value.map(|value| (Token::Number(value), length)).ok_or_else(|| error_at(text, at, &reason()))
}

/// The value of hexadecimal digits with a fraction, maybe, and an exponent of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    let value = value * 2f64.powi(exponent);
    (value.is_finite() && !digits.is_empty()).then_some(value)
}

/// A number, or one with a unit. What follows and is no unit is the next token.
fn number(text: &str) -> (Token, usize) {
    let digits = plain_number(text);
    let unit = |is_unit: fn(char) -> bool| {
        let is_part = |character: &char| character.is_numeric() || *character == '.' || is_unit(*character);
        let length: usize = text[digits..].chars().take(QUANTITY_CHARACTERS_MAX).take_while(is_part).map(char::len_utf8).sum();
        (length > 0).then_some(digits + length)
    };
    if let Some(length) = unit(|character| "nuµmshdwy".contains(character))
        && let Some(nanoseconds) = duration_ns(&text[..length])
    {
        return (Token::Duration(nanoseconds), length);
    }
    if let Some(length) = unit(|character| "BikKMGTP".contains(character))
        && let Some(bytes) = parse_bytes(&text[..length])
    {
        return (Token::Bytes(bytes), length);
    }
    match text[..digits].parse::<f64>() {
        Ok(value) if value.is_finite() => (Token::Number(value), digits),
        // One beyond the range of a double is none: it could not be printed.
        _ => (Token::Name, digits),
    }
}

/// Length of digits, a fraction and an exponent.
fn plain_number(text: &str) -> usize {
    let digits = |from: usize| from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// Nanoseconds of a duration of Prometheus, else of Go.
fn duration_ns(text: &str) -> Option<i64> {
    duration::parse_ns(text).ok().or_else(|| go_duration::parse(text))
}

/// An amount of bytes such as `20MB`, `1.5KiB` and `100`, as LogQL reads it in queries and in labels: units of 1000 and of
/// 1024 up to exabytes, in either case, with a space before them or none. `None` if the text is none or too much.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.' && character != ',').unwrap_or(text.len());
    let number: f64 = if text[..digits].contains(',') { text[..digits].replace(',', "").parse().ok()? } else { text[..digits].parse().ok()? };
    let mut unit = [0u8; 3];
    let letters = text[digits..].trim();
    unit.get_mut(..letters.len())?.copy_from_slice(letters.as_bytes());
    unit.make_ascii_lowercase();
    let (unit, _) = std::str::from_utf8(&unit).ok()?.split_at(letters.len());
    let power = |letter: u8| b"kmgtpe".iter().position(|each| *each == letter).map(|index| index as i32 + 1);
    let factor = match unit.as_bytes() {
        b"" | b"b" => 1.0,
        [letter] | [letter, b'b'] => 1000f64.powi(power(*letter)?),
        [letter, b'i'] | [letter, b'i', b'b'] => 1024f64.powi(power(*letter)?),
        _ => return None,
    };
    let bytes = number * factor;
    (bytes >= 0.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// An error at a place, as Loki words it: columns are counted in characters.
pub(super) fn error_at(text: &str, at: usize, reason: &str) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Error::invalid(format!("parse error at line {line}, col {column}: {reason}"))
}
