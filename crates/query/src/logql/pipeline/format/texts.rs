//! Functions of templates over texts.

use signalbox_lang::template::limits::BYTES_MAX;
use signalbox_lang::template::{CallError, Value, query_escape, text, wrong_type};

/// Calls a function.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, CallError> {
    match args {
        [value] => one(name, text(value)?).map(Value::text),
        [first @ Value::Int(count), second] => {
            counted(name, *count, text(second)?).map_or_else(|| Err(wrong_type("string", first)), |made| made.map(Value::text))
        }
        [first, second] => two(name, text(first)?, text(second)?),
        [first, second, third] if name == "substr" => Ok(Value::text(substring(int(first)?, int(second)?, text(third)?))),
        [old, new, value] if name == "replace" => replaced(text(value)?, text(old)?, text(new)?, -1).map(Value::text),
        [value, old, new, count] if name == "Replace" => replaced(text(value)?, text(old)?, text(new)?, int(count)?).map(Value::text),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> CallError {
    CallError::Wrong(format!("{name} is not defined"))
}

fn int(value: &Value) -> Result<i64, CallError> {
    if let Value::Int(value) = value { Ok(*value) } else { Err(wrong_type("int", value)) }
}

fn one(name: &str, text: &str) -> Result<String, CallError> {
    Ok(match name {
        "ToLower" | "lower" => text.to_lowercase(),
        "ToUpper" | "upper" => text.to_uppercase(),
        "TrimSpace" | "trim" => text.trim().to_owned(),
        "title" => title(text),
        "urlencode" => query_escape(text),
        "urldecode" => unescaped(text)?,
        "b64enc" => base64::encode(text.as_bytes()),
        // As in Loki, what is wrong is the text.
        "b64dec" => base64::decode(text).map_or_else(|reason| reason, |bytes| String::from_utf8_lossy(&bytes).into_owned()),
        _ => return Err(unknown(name)),
    })
}

/// Functions of a number and a text.
fn counted(name: &str, count: i64, text: &str) -> Option<Result<String, CallError>> {
    let length = || i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let first = |count: i64| text.chars().take(usize::try_from(count).unwrap_or(0)).collect::<String>();
    let last = |count: i64| text.chars().skip(usize::try_from(length() - count).unwrap_or(0)).collect::<String>();
    Some(match name {
        "trunc" if count < 0 => Ok(last(-count.max(-i64::MAX))),
        "trunc" => Ok(first(count)),
        "alignLeft" | "alignRight" if count < 0 => Ok(text.to_owned()),
        "alignLeft" | "alignRight" => match (count - length(), name) {
            (missing @ 1.., "alignLeft") => repeated(" ", missing).map(|spaces| format!("{text}{spaces}")),
            (missing @ 1.., _) => repeated(" ", missing).map(|spaces| format!("{spaces}{text}")),
            (_, "alignLeft") => Ok(first(count)),
            _ => Ok(last(count)),
        },
        "indent" => indented(count, text),
        "nindent" => indented(count, text).map(|text| format!("\n{text}")),
        "repeat" => repeated(text, count),
        _ => return None,
    })
}

/// Functions of two texts.
fn two(name: &str, first: &str, second: &str) -> Result<Value, CallError> {
    let of = |cutset: &str| cutset.chars().collect::<Vec<char>>();
    Ok(Value::text(match name {
        "contains" => return Ok(Value::Bool(second.contains(first))),
        "hasPrefix" => return Ok(Value::Bool(second.starts_with(first))),
        "hasSuffix" => return Ok(Value::Bool(second.ends_with(first))),
        "Trim" => first.trim_matches(of(second).as_slice()),
        "TrimLeft" => first.trim_start_matches(of(second).as_slice()),
        "TrimRight" => first.trim_end_matches(of(second).as_slice()),
        "TrimPrefix" => first.strip_prefix(second).unwrap_or(first),
        "TrimSuffix" => first.strip_suffix(second).unwrap_or(first),
        "trimAll" => second.trim_matches(of(first).as_slice()),
        "trimPrefix" => second.strip_prefix(first).unwrap_or(second),
        "trimSuffix" => second.strip_suffix(first).unwrap_or(second),
        "trunc" | "alignLeft" | "alignRight" | "indent" | "nindent" | "repeat" => {
            return Err(CallError::Wrong("wrong type for value; expected int; got string".into()));
        }
        _ => return Err(unknown(name)),
    }))
}

fn fits(bytes: usize) -> Result<(), CallError> {
    if bytes <= BYTES_MAX { Ok(()) } else { Err(CallError::Failed(format!("more than {BYTES_MAX} bytes"))) }
}

fn repeated(text: &str, count: i64) -> Result<String, CallError> {
    let count = usize::try_from(count).map_err(|_| CallError::Failed("strings: negative Repeat count".into()))?;
    fits(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

fn indented(count: i64, text: &str) -> Result<String, CallError> {
    let pad = repeated(" ", count)?;
    fits((text.matches('\n').count() + 1).saturating_mul(pad.len()).saturating_add(text.len()))?;
    Ok(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

/// The first `count` places of a text replaced, all if that is negative.
fn replaced(text: &str, old: &str, new: &str, count: i64) -> Result<String, CallError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let places = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() }.min(count);
    fits(places.saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(text.replacen(old, new, count))
}

/// Characters from one to another; up to the end if that is negative or behind it.
fn substring(start: i64, end: i64, text: &str) -> String {
    let skipped = usize::try_from(start).unwrap_or(0);
    let end = usize::try_from(end).unwrap_or(if start < 0 { 0 } else { usize::MAX });
    text.chars().skip(skipped).take(end.saturating_sub(skipped)).collect()
}

/// Every word with its first letter large.
fn title(text: &str) -> String {
    let (mut titled, mut previous) = (String::with_capacity(text.len()), ' ');
    for character in text.chars() {
        let is_inside = previous.is_alphanumeric() || previous == '_' || (!previous.is_ascii() && !previous.is_whitespace());
        if is_inside {
            titled.push(character)
        } else {
            titled.extend(character.to_uppercase())
        }
        previous = character;
    }
    titled
}

/// A text of a query with its escapes resolved.
fn unescaped(text: &str) -> Result<String, CallError> {
    let invalid = |at: usize| CallError::Failed(format!("invalid URL escape {:?}", text.get(at..(at + 3).min(text.len())).unwrap_or("%")));
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(|| invalid(at))?);
                at += 2;
            }
            byte => bytes.push(*byte),
        }
        at += 1;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Base64 with padding.
mod base64 {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn encode(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place <= group.len() { char::from(letter) } else { '=' });
            }
        }
        text
    }

    /// The bytes; padding may lack.
    pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
        let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
        let letters = &text.as_bytes()[..text.len() - padding];
        let invalid = |at: usize| format!("illegal base64 data at input byte {at}");
        if padding > 2 || letters.len() % 4 == 1 || (padding > 0 && !(letters.len() + padding).is_multiple_of(4)) {
            return Err(invalid(letters.len()));
        }
        let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
        for (index, group) in letters.chunks(4).enumerate() {
            let mut bits = 0u32;
            for (place, letter) in group.iter().enumerate() {
                let value = LETTERS.iter().position(|known| known == letter).ok_or_else(|| invalid(index * 4 + place))?;
                bits |= (value as u32) << (18 - 6 * place);
            }
            bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
        }
        Ok(bytes)
    }
}
