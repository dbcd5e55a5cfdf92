//! Durations as Prometheus writes them: `1h30m`, units from years to milliseconds in falling order, each at most once.

use signalbox_model::{Error, Result};

/// Units in falling order with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3600 * 1_000_000_000),
    ("w", 7 * 24 * 3600 * 1_000_000_000),
    ("d", 24 * 3600 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Nanoseconds of a duration that is not negative. `0` needs no unit.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the text is no duration, or one of more than 2^63 nanoseconds (292 years).
pub fn parse_ns(text: &str) -> Result<i64> {
    match text {
        "0" => return Ok(0),
        "" => return Err(Error::invalid("empty duration string")),
        _ => {}
    }
    let invalid = || Error::invalid(format!("not a valid duration string: {}", crate::text::quote(text)));
    let (mut rest, mut total, mut smallest) = (text, 0u64, None);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        if letters == 0 {
            return Err(invalid());
        }
        let (unit, after) = rest.split_at(letters);
        rest = after;
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(Error::invalid(format!("unknown unit {} in duration {}", crate::text::quote(unit), crate::text::quote(text))));
        };
        if smallest.is_some_and(|smallest| index <= smallest) {
            return Err(invalid());
        }
        smallest = Some(index);
        total = count.checked_mul(UNITS[index].1).and_then(|length| total.checked_add(length)).ok_or_else(out_of_range)?;
    }
    i64::try_from(total).map_err(|_| out_of_range())
}

fn out_of_range() -> Error {
    Error::invalid("duration out of range")
}

/// Milliseconds of a duration that is not negative.
///
/// # Errors
/// As [`parse_ns`].
pub fn parse_ms(text: &str) -> Result<i64> {
    Ok(parse_ns(text)? / 1_000_000)
}

/// Nanoseconds of a duration that may have a `-` before it.
///
/// # Errors
/// As [`parse_ns`].
pub fn parse_signed_ns(text: &str) -> Result<i64> {
    match text.strip_prefix('-') {
        Some(positive) => Ok(-parse_ns(positive)?),
        None => parse_ns(text),
    }
}

/// The canonical text of milliseconds. Years and weeks appear only if nothing remains: `90d`, not `12w6d`.
pub fn format_ms(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".into();
    }
    let mut text = String::from(if milliseconds < 0 { "-" } else { "" });
    let mut rest = milliseconds.unsigned_abs();
    for (unit, nanoseconds) in UNITS {
        let length = nanoseconds / 1_000_000;
        let exact_only = matches!(unit, "y" | "w");
        if rest < length || (exact_only && !rest.is_multiple_of(length)) {
            continue;
        }
        text.push_str(&(rest / length).to_string());
        text.push_str(unit);
        rest %= length;
    }
    text
}
