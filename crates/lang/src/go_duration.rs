//! Go's durations, which TraceQL, Jaeger and Tempo write: `1h15m30.5s`, `250us`.

/// Nanoseconds of a duration that is not negative; `None` if the text is none or the duration is too long.
pub fn parse(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let (mut total, mut rest) = (0i128, text);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.').filter(|digits| *digits > 0)?;
        let (count, after) = rest.split_at(digits);
        let unit_len = after.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(after.len());
        let unit = unit_ns(&after[..unit_len])?;
        let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // 18 digits times an hour of nanoseconds fit; what is beyond is less than a nanosecond.
        let fraction = &fraction[..fraction.len().min(18)];
        let part: i128 = if fraction.is_empty() { 0 } else { i128::from(fraction.parse::<u64>().ok()?) };
        let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
        total = total.checked_add(i128::from(whole) * unit + (part * unit + scale / 2) / scale)?;
        rest = &after[unit_len..];
    }
    i64::try_from(total).ok()
}

fn unit_ns(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The shortest text in one unit that reads back equal.
pub fn print(nanoseconds: i64) -> String {
    for (unit, length) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if nanoseconds != 0 && nanoseconds % length == 0 {
            return format!("{}{unit}", nanoseconds / length);
        }
    }
    format!("{nanoseconds}ns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_go_does() {
        let cases = [("1h2m3.5s", Some(3_723_500_000_000)), ("250us", Some(250_000)), ("1.5ms", Some(1_500_000)), ("0", Some(0)), ("7ns", Some(7))];
        for (text, want) in cases {
            assert_eq!(parse(text), want, "{text}");
        }
        for text in ["", "1", "s", "-1s", "1x", "1..5s", "9999999999999999h", "1s ", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn prints_what_reads_back() {
        for nanoseconds in [0, 1, 1_000, 1_500, 90_000_000_000, 3_600_000_000_000] {
            assert_eq!(parse(&print(nanoseconds)), Some(nanoseconds));
        }
    }
}
