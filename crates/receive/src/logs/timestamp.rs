//! Instants as logs spell them: RFC 3339 and its neighbours, epochs in any unit, the formats of web servers and syslog.
//!
//! All functions are pure and answer `None` to what they do not know; a time without a zone is UTC.

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// Nanoseconds since the Unix epoch of a text in any known format.
///
/// | format | example |
/// |---|---|
/// | RFC 3339, ISO 8601, with `T` or a space, `.` or `,` before the fraction, with or without a zone | `2024-05-06T07:08:09.123Z`, `2024/05/06 07:08:09,123` |
/// | ISO 8601 without separators | `20240506T070809Z` |
/// | epoch in seconds, milliseconds, microseconds or nanoseconds, told apart by their size | `1714979289.5`, `1714979289123` |
/// | Common Log Format | `06/May/2024:07:08:09 +0200` |
/// | RFC 2822, RFC 1123, RFC 850 | `Mon, 06 May 2024 07:08:09 GMT` |
/// | `ctime`, Apache's error log | `Mon May  6 07:08:09.123456 2024` |
/// | syslog, RFC 3164: the year is the one that lies next to `now_ns` | `May  6 07:08:09` |
/// | klog: the same | `0506 07:08:09.123456` |
pub fn parse(text: &str, now_ns: i64) -> Option<i64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    match bytes {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/', ..] => rfc3339(text),
        [b'0'..=b'9', b'0'..=b'9', b'/', ..] | [b'0'..=b'9', b'/', ..] => common_log(text),
        _ if bytes.get(8).is_some_and(|byte| matches!(byte, b'T' | b't')) && digits(&bytes[..4]).is_some() => compact(bytes),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ', ..] => klog(bytes, now_ns),
        [b'0'..=b'9' | b'-' | b'+', ..] => epoch_text(text).or_else(|| named(bytes, now_ns)),
        _ => named(bytes, now_ns),
    }
}

/// Nanoseconds since the Unix epoch of RFC 3339, and of what people take for it: a space for the `T`, a comma before the
/// fraction, slashes in the date, no seconds, no time at all, a zone without a colon or none (UTC), ` UTC` at the end.
/// A fraction is cut off after nine digits.
pub fn rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_first_chunk::<10>()?;
    let separator = date[4];
    if !matches!(separator, b'-' | b'/') || date[7] != separator {
        return None;
    }
    let days = days(i64::from(digits(&date[..4])?), digits(&date[5..7])?, digits(&date[8..])?)?;
    let Some((between, rest)) = rest.split_first() else { return instant(days, 0, 0) };
    if !matches!(between, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    let (seconds, nanoseconds, rest) = clock(rest)?;
    instant(days, seconds - zone(rest)?, nanoseconds)
}

/// Nanoseconds since the Unix epoch of a number whose size tells its unit: seconds below 2^32 (the year 2106), then
/// milliseconds, microseconds, nanoseconds.
pub fn epoch_integer(number: i64) -> Option<i64> {
    number.checked_mul(unit(number.unsigned_abs()))
}

/// The same of a number with a fraction. As precise as a double; [`epoch_text`] keeps all digits.
pub fn epoch_float(number: f64) -> Option<i64> {
    if !number.is_finite() {
        return None;
    }
    let unit = unit(number.abs() as u64);
    let (whole, fraction) = (number.trunc(), number.fract());
    if whole.abs() > i64::MAX as f64 {
        return None;
    }
    (whole as i64).checked_mul(unit)?.checked_add((fraction * unit as f64).round() as i64)
}

/// The same of decimal text, with or without a fraction or exponent; digits finer than a nanosecond are cut off.
pub fn epoch_text(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = digits.split_at_checked(whole)?;
    if whole.is_empty() || whole.len() > 19 {
        return None;
    }
    let number = whole.iter().try_fold(0i64, |number, byte| number.checked_mul(10)?.checked_add(i64::from(byte - b'0')))?;
    let unit = unit(number.unsigned_abs());
    let fraction = match rest {
        [] => 0,
        [b'.', fraction @ ..] if fraction.iter().all(u8::is_ascii_digit) => {
            let mut scale = unit;
            fraction.iter().fold(0i64, |sum, byte| {
                scale /= 10;
                sum + i64::from(byte - b'0') * scale
            })
        }
        _ => return text.parse().ok().and_then(epoch_float),
    };
    let all = number.checked_mul(unit)?.checked_add(fraction)?;
    Some(if is_negative { -all } else { all })
}

fn unit(size: u64) -> i64 {
    const SECONDS_END: u64 = 1 << 32;
    match size {
        _ if size < SECONDS_END => SECOND,
        _ if size < SECONDS_END * 1_000 => 1_000_000,
        _ if size < SECONDS_END * 1_000_000 => 1_000,
        _ => 1,
    }
}

/// `06/May/2024:07:08:09 +0200`.
fn common_log(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '/');
    let (day, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, time) = rest.split_at_checked(4)?;
    let days = days(i64::from(digits(year.as_bytes())?), self::month(month.as_bytes())?, digits(day.as_bytes())?)?;
    let (seconds, nanoseconds, rest) = clock(time.as_bytes().strip_prefix(b":")?)?;
    instant(days, seconds - zone(rest)?, nanoseconds)
}

/// `20240506T070809.123Z`.
fn compact(bytes: &[u8]) -> Option<i64> {
    let (date, rest) = bytes.split_first_chunk::<8>()?;
    let days = days(i64::from(digits(&date[..4])?), digits(&date[4..6])?, digits(&date[6..])?)?;
    let (time, rest) = rest.get(1..)?.split_first_chunk::<6>()?;
    let seconds = seconds_of(digits(&time[..2])?, digits(&time[2..4])?, digits(&time[4..])?)?;
    let (nanoseconds, rest) = fraction(rest)?;
    instant(days, seconds - zone(rest)?, nanoseconds)
}

/// `0506 07:08:09.123456`.
fn klog(bytes: &[u8], now_ns: i64) -> Option<i64> {
    let (date, rest) = bytes.split_first_chunk::<4>()?;
    let (seconds, nanoseconds, rest) = clock(rest.strip_prefix(b" ")?)?;
    rest.is_empty().then_some(())?;
    nearest_year(digits(&date[..2])?, digits(&date[2..])?, seconds, nanoseconds, now_ns)
}

/// Formats with the name of a month: RFC 2822, RFC 850, `ctime`, RFC 3164. The order of the words says which.
fn named(bytes: &[u8], now_ns: i64) -> Option<i64> {
    let (mut day, mut month_number, mut year, mut time, mut offset) = (None, None, None, None, None);
    let words = bytes.split(|byte| matches!(byte, b' ' | b',')).filter(|word| !word.is_empty());
    for (position, word) in words.enumerate() {
        if position > 6 {
            return None;
        }
        if word.contains(&b':') && time.is_none() {
            let (seconds, nanoseconds, rest) = clock(word)?;
            time = Some((seconds, nanoseconds));
            if !rest.is_empty() {
                offset = Some(zone(rest)?);
            }
        } else if let Some(found) = month(word) {
            month_number = Some(found);
        } else if let Some(number) = digits(word) {
            match word.len() {
                1 | 2 if day.is_none() => day = Some(number),
                2 if year.is_none() => year = Some(full_year(number)),
                4 if year.is_none() => year = Some(i64::from(number)),
                _ => return None,
            }
        } else if position <= 1 && word.contains(&b'-') {
            let [first, second, third] = split_dashes(word);
            day = digits(first);
            month_number = month(second);
            year = digits(third).map(|number| if third.len() == 4 { i64::from(number) } else { full_year(number) });
        } else if time.is_some() {
            offset = Some(zone(word)?);
        } else if position > 0 || !is_weekday(word) {
            return None;
        }
    }
    let (day, month_number, (seconds, nanoseconds)) = (day?, month_number?, time?);
    let seconds = seconds - offset.unwrap_or(0);
    match year {
        Some(year) => instant(days(year, month_number, day)?, seconds, nanoseconds),
        None => nearest_year(month_number, day, seconds, nanoseconds, now_ns),
    }
}

/// The year of two digits, which RFC 822 and RFC 850 have.
fn full_year(digits: u32) -> i64 {
    i64::from(if digits < 70 { 2000 + digits } else { 1900 + digits })
}

fn split_dashes(word: &[u8]) -> [&[u8]; 3] {
    let mut parts = word.splitn(3, |byte| *byte == b'-');
    let mut next = || parts.next().unwrap_or_default();
    [next(), next(), next()]
}

fn is_weekday(word: &[u8]) -> bool {
    const NAMES: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
    position_of(&NAMES, word).is_some()
}

fn month(word: &[u8]) -> Option<u32> {
    const NAMES: [&[u8; 3]; 12] = [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    position_of(&NAMES, word).map(|position| position as u32 + 1)
}

/// Where a name stands that the word is, or is short for.
fn position_of(names: &[&[u8; 3]], word: &[u8]) -> Option<usize> {
    let start = word.first_chunk::<3>()?;
    let is_word = word.len() <= 9 && word.iter().all(u8::is_ascii_alphabetic);
    names.iter().position(|name| is_word && name.eq_ignore_ascii_case(start))
}

/// The instant of a date without a year that lies next to now.
fn nearest_year(month: u32, day: u32, seconds: i64, nanoseconds: i64, now_ns: i64) -> Option<i64> {
    let this_year = year_of(now_ns);
    let candidates = (this_year - 1..=this_year + 1).filter_map(|year| instant(days(year, month, day)?, seconds, nanoseconds));
    candidates.min_by_key(|candidate| candidate.abs_diff(now_ns))
}

/// The year of an instant, UTC.
fn year_of(ns: i64) -> i64 {
    // Days to a civil date: Howard Hinnant, chrono-compatible low-level date algorithms.
    let shifted = ns.div_euclid(SECOND * DAY_SECONDS) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March there.
    era * 400 + year_of_era + i64::from(day_of_year >= 306)
}

/// Days since the Unix epoch of a civil date; `None` if there is no such day.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn instant(days: i64, seconds: i64, nanoseconds: i64) -> Option<i64> {
    (days * DAY_SECONDS + seconds).checked_mul(SECOND)?.checked_add(nanoseconds)
}

/// `07:08:09.123`, `07:08`: seconds of the day, nanoseconds, and what follows.
fn clock(bytes: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (start, rest) = bytes.split_first_chunk::<5>()?;
    if start[2] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&start[..2])?, digits(&start[3..])?);
    match rest {
        [b':', tens, ones, rest @ ..] => {
            let seconds = seconds_of(hour, minute, digits(&[*tens, *ones])?)?;
            let (nanoseconds, rest) = fraction(rest)?;
            Some((seconds, nanoseconds, rest))
        }
        [b':', ..] => None,
        rest => Some((seconds_of(hour, minute, 0)?, 0, rest)),
    }
}

/// Seconds of the day; a leap second is the first of the next minute.
fn seconds_of(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| i64::from(hour * 3_600 + minute * 60 + second))
}

fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', rest @ ..] = bytes else { return Some((0, bytes)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    if digits.is_empty() {
        return None;
    }
    let mut scale = SECOND;
    let nanoseconds = digits.iter().take(9).fold(0, |sum, byte| {
        scale /= 10;
        sum + i64::from(byte - b'0') * scale
    });
    Some((nanoseconds, rest))
}

/// Seconds east of UTC: nothing, `Z`, `UTC`, `GMT`, `+02`, `+02:00`, `+0200`, `+0200 CEST`.
fn zone(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.trim_ascii();
    let (sign, rest) = match bytes {
        [] | [b'Z' | b'z'] | b"UTC" | b"GMT" | b"UT" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = rest.split_first_chunk::<2>()?;
    let (minutes, rest) = match rest {
        [b':', tens, ones, rest @ ..] | [tens @ b'0'..=b'9', ones, rest @ ..] => (digits(&[*tens, *ones])?, rest),
        rest => (0, rest),
    };
    // Behind the offset Go prints the name of the zone.
    let is_name = rest.strip_prefix(b" ").is_some_and(|name| name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-')));
    if !(rest.is_empty() || is_name) || minutes >= 60 {
        return None;
    }
    Some(sign * i64::from(digits(hours)? * 3_600 + minutes * 60))
}

/// A few digits as a number.
fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests;
