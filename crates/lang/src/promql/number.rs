//! Number literals: decimal, octal with a leading zero, hexadecimal, `_` between digits, `Inf` and `NaN`.

/// The value of a number token.
///
/// # Errors
/// A message in the words of Prometheus.
pub(super) fn parse(text: &str) -> Result<f64, String> {
    let syntax = || format!("error parsing number: strconv.ParseFloat: parsing {}: invalid syntax", crate::text::quote(text));
    if !underscores_separate_digits(text) {
        return Err(syntax());
    }
    let digits: String = text.chars().filter(|character| *character != '_').collect();
    let lower = digits.to_ascii_lowercase();
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        // Beyond 64 bits Prometheus wants a binary exponent, which its lexer does not read.
        return i64::from_str_radix(hexadecimal, 16).map(|value| value as f64).map_err(|_| syntax());
    }
    if lower.len() > 1
        && lower.starts_with('0')
        && let Ok(octal) = i64::from_str_radix(&lower, 8)
    {
        return Ok(octal as f64);
    }
    let value: f64 = lower.parse().map_err(|_| syntax())?;
    if value.is_infinite() && lower != "inf" {
        return Err(format!("error parsing number: strconv.ParseFloat: parsing {}: value out of range", crate::text::quote(text)));
    }
    Ok(value)
}

/// An underscore needs a digit on both sides; the prefix `0x` counts as a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hexadecimal = bytes.len() > 1 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (is_hexadecimal && (byte.is_ascii_hexdigit() || byte.eq_ignore_ascii_case(&b'x')));
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| at > 0 && is_digit(&bytes[at - 1]) && bytes.get(at + 1).is_some_and(is_digit))
}
