//! Numbers for people: Prometheus' `humanize*`, and the functions that take hosts and words apart.

use std::net::IpAddr;

use super::number::general;
use super::{Value, moment};

/// What Prometheus takes for a number: numbers, durations in seconds, and texts that are one.
///
/// # Errors
/// It is none.
pub fn to_float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Duration(nanoseconds) => Ok(*nanoseconds as f64 / 1e9),
        Value::Text(text) => {
            let invalid = || format!("strconv.ParseFloat: parsing {}: invalid syntax", crate::text::quote(text));
            // Rust reads everything that Go does, except `_`, hexadecimal and a plus before `Inf`.
            text.parse().map_err(|_| invalid())
        }
        _ => Err(format!("can't convert {} to float", value.type_name())),
    }
}

/// `1.235M`, `120m`.
pub fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    if value.abs() >= 1.0 {
        let (value, prefix) = shrink(value, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"]);
        return general(value, Some(4)) + prefix;
    }
    let (value, prefix) = grow(value);
    general(value, Some(4)) + prefix
}

/// `1Mi`.
pub fn humanize1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let (value, prefix) = shrink(value, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    general(value, Some(4)) + prefix
}

fn shrink(mut value: f64, by: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for larger in prefixes {
        if value.abs() < by {
            break;
        }
        prefix = larger;
        value /= by;
    }
    (value, prefix)
}

fn grow(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        value *= 1000.0;
    }
    (value, prefix)
}

/// Seconds as `1d 2h 3m 4s`, `12.35s` or `123.5ms`.
pub fn humanize_duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return general(seconds, Some(4));
    }
    if seconds == 0.0 {
        return "0s".into();
    }
    if seconds.abs() < 1.0 {
        let (value, prefix) = grow(seconds);
        return format!("{}{prefix}s", general(value, Some(4)));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    // Saturates, as everything beyond is "very long" to a person.
    let whole = seconds.abs() as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", general(seconds.abs(), Some(4))),
        (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {rest}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
    }
}

/// `12.35%`.
pub fn humanize_percentage(value: f64) -> String {
    general(value * 100.0, Some(4)) + "%"
}

/// Seconds since the Unix epoch as a time, to the millisecond.
///
/// # Errors
/// It is none, or too far away.
pub fn to_time(seconds: f64) -> Result<i64, String> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".into());
    }
    let nanoseconds = seconds * 1e9;
    if nanoseconds > i64::MAX as f64 || nanoseconds < i64::MIN as f64 {
        return Err(format!("{} cannot be represented as a nanoseconds timestamp since it overflows int64", general(seconds, None)));
    }
    Ok((nanoseconds as i64 / 1_000_000).saturating_mul(1_000_000))
}

/// `2015-06-23 13:19:44.128 +0000 UTC`.
///
/// # Errors
/// It is too far away.
pub fn humanize_timestamp(seconds: f64) -> Result<String, String> {
    if !seconds.is_finite() {
        return Ok(general(seconds, Some(4)));
    }
    to_time(seconds).map(moment::print)
}

/// The host and port of `host:port` or `[v6]:port`; `None` if the text is neither.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

/// The host of `host:port`.
pub fn strip_port(text: &str) -> String {
    split_host_port(text).map_or(text, |(host, _)| host).to_owned()
}

/// `host.example.com:80` without its domain; addresses stay as they are.
pub fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    match port {
        "" => name.to_owned(),
        _ if name.contains([':', '%']) => format!("[{name}]:{port}"),
        _ => format!("{name}:{port}"),
    }
}

/// Every word with its first letter large, the others as they are.
pub fn title(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut titled = String::with_capacity(text.len());
    for (index, character) in characters.iter().enumerate() {
        let before = |distance: usize| index.checked_sub(distance).map(|index| characters[index]);
        let continues = match before(1) {
            Some(previous) if previous == '_' || previous.is_alphanumeric() => true,
            // Marks that stand inside of a word: "don't", "example.com".
            Some('\'' | '.' | '\u{2019}' | '\u{b7}' | ':') => before(2).is_some_and(char::is_alphabetic) && character.is_alphabetic(),
            _ => false,
        };
        if continues || !character.is_alphabetic() {
            titled.push(*character);
        } else {
            titled.extend(character.to_uppercase());
        }
    }
    titled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_words() {
        for (text, want) in [("this part", "This Part"), ("don't PANIC", "Don't PANIC"), ("a-b c.d e_f", "A-B C.d E_f"), ("éa", "Éa"), ("", "")] {
            assert_eq!(title(text), want);
        }
    }

    #[test]
    fn strips_hosts() {
        let cases = [("a.b.c:80", "a:80"), ("a.b.c", "a"), ("a", "a"), ("[::1]:80", "[::1]:80"), ("10.0.0.1", "10.0.0.1"), ("", "")];
        for (text, want) in cases {
            assert_eq!(strip_domain(text), want, "{text}");
        }
        assert_eq!((strip_port("a:b:c"), strip_port("x"), strip_port("[::1]")), ("a:b:c".into(), "x".into(), "[::1]".into()));
    }
}
