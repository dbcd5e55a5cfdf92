//! Times as syslog writes them, and what they mean.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use signalbox_model::{Error, Result};

const DAY_NS: i64 = 86_400_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Digits behind the point that RFC 5424 allows.
const FRACTION_DIGITS_STRICT: usize = 6;

/// When a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nanoseconds since the Unix epoch.
    Instant(i64),
    /// A time of day somewhere, in some year.
    Local(Local),
}

/// What a clock on the wall and a calendar without years show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// If it was told.
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
    /// 0 to 59.
    pub second: i8,
    /// Of the second.
    pub nanosecond: i32,
    /// Whether the zone was told to be UTC.
    pub is_utc: bool,
}

/// A time of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rfc3339 {
    pub(super) when: When,
    /// Whether RFC 5424 allows it: `T` and `Z` are large, the fraction has at most six digits.
    pub(super) is_strict: bool,
}

/// The zone of times without one: `UTC`, `local`, an offset such as `+02:00`, or a name such as `Europe/Berlin`.
///
/// # Errors
/// If there is no such zone.
pub(super) fn zone(name: &str) -> Result<TimeZone> {
    match name {
        "UTC" | "" => Ok(TimeZone::UTC),
        "local" => Ok(TimeZone::system()),
        _ => match offset_seconds(name) {
            Some(seconds) => jiff::tz::Offset::from_seconds(seconds).map(TimeZone::fixed),
            None => TimeZone::get(name),
        }
        .map_err(|source| {
            Error::invalid(format!("cannot use {name:?} as time zone: want UTC, local, +HH:MM or a name such as Europe/Berlin")).with_source(source)
        }),
    }
}

impl When {
    /// Nanoseconds since the Unix epoch. Without a year it is the latest one that makes the time no more than a day later
    /// than `now_ns`; `None` if there is no such time.
    pub(super) fn resolve(self, zone: &TimeZone, now_ns: i64) -> Option<i64> {
        let local = match self {
            Self::Instant(instant_ns) => return Some(instant_ns),
            Self::Local(local) => local,
        };
        let zone = if local.is_utc { &TimeZone::UTC } else { zone };
        if let Some(year) = local.year {
            return local.in_year(year, zone);
        }
        let now = jiff::Timestamp::from_nanosecond(now_ns.into()).ok()?;
        let year = zone.to_datetime(now).year();
        let latest_ns = now_ns.saturating_add(DAY_NS);
        [1, 0, -1].into_iter().filter_map(|step| local.in_year(year.checked_add(step)?, zone)).find(|instant_ns| *instant_ns <= latest_ns)
    }
}

impl Local {
    fn in_year(self, year: i16, zone: &TimeZone) -> Option<i64> {
        let time = DateTime::new(year, self.month, self.day, self.hour, self.minute, self.second, self.nanosecond).ok()?;
        let instant = zone.to_ambiguous_timestamp(time).compatible().ok()?;
        i64::try_from(instant.as_nanosecond()).ok()
    }
}

/// Reads the whole of a text as a time of RFC 3339.
pub(super) fn rfc3339(text: &str) -> Option<Rfc3339> {
    let (date, time) = text.split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date.as_bytes() else { return None };
    let (century, year_of, month, day) = (two(y1, y2)?, two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
    let clock = time.strip_prefix(['T', 't'])?;
    let (clock, rest) = clock.split_at_checked(8)?;
    let time_ns = time_of_day_ns(clock)?;
    let (fraction_ns, digits, zone) = fraction(rest)?;
    let offset = match zone {
        "Z" | "z" => 0,
        _ => offset_seconds(zone)?,
    };
    let year = century * 100 + year_of;
    let days = days(year, month, day)?;
    let seconds_ns = days.checked_mul(DAY_NS)?.checked_add(time_ns)?.checked_add(fraction_ns)?;
    let instant_ns = seconds_ns.checked_sub(i64::from(offset) * SECOND_NS)?;
    let is_strict = time.starts_with('T') && zone != "z" && digits <= FRACTION_DIGITS_STRICT;
    Some(Rfc3339 { when: When::Instant(instant_ns), is_strict })
}

/// `Mmm dd [yyyy] hh:mm:ss[.fraction][ yyyy][ ZONE yyyy][ UTC]`, an optional colon, and what follows.
pub(super) fn local(text: &str) -> Option<(Local, &str)> {
    let (name, rest) = text.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
    let (day, rest) = rest.split_once(' ')?;
    let day = day.parse::<i8>().ok().filter(|number| (1..=31).contains(number) && !day.starts_with('+'))?;
    let (year, rest) = match year(rest) {
        Some((year, rest)) => (Some(year), rest.strip_prefix(' ')?),
        None => (None, rest.trim_start_matches(' ')),
    };
    let (clock, rest) = rest.split_at_checked(8)?;
    let time_ns = time_of_day_ns(clock)?;
    let (nanosecond_ns, _, rest) = fraction(rest).unwrap_or((0, 0, rest));
    let (year, is_utc, rest) = match year {
        Some(_) => (year, false, rest),
        None => year_and_zone(rest),
    };
    let seconds = time_ns / SECOND_NS;
    let local = Local {
        year,
        month: i8::try_from(month + 1).ok()?,
        day,
        hour: i8::try_from(seconds / 3600).ok()?,
        minute: i8::try_from(seconds / 60 % 60).ok()?,
        second: i8::try_from(seconds % 60).ok()?,
        nanosecond: i32::try_from(nanosecond_ns).ok()?,
        is_utc,
    };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    (rest.is_empty() || rest.starts_with(' ')).then_some((local, rest))
}

/// Behind the time of day: a year, a zone and a year, or `UTC`.
fn year_and_zone(text: &str) -> (Option<i16>, bool, &str) {
    let Some(rest) = text.strip_prefix(' ') else { return (None, false, text) };
    if let Some((year, after)) = year(rest) {
        return (Some(year), false, after);
    }
    let letters = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let (zone, after) = rest.split_at(letters);
    let is_utc = matches!(zone, "UTC" | "GMT" | "Z");
    if let Some((year, after)) = after.strip_prefix(' ').filter(|_| (1..=5).contains(&letters)).and_then(year) {
        return (Some(year), is_utc, after);
    }
    // A word alone may be a hostname, unless a colon ends it.
    if is_utc && after.starts_with(':') { (None, true, after) } else { (None, false, text) }
}

/// Four digits that are a year of our time, and then no digit or letter.
fn year(text: &str) -> Option<(i16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let year = digits.parse::<i16>().ok().filter(|year| (1970..=2261).contains(year) && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (rest.is_empty() || rest.starts_with([' ', ':'])).then_some((year, rest))
}

/// `hh:mm:ss` in nanoseconds.
fn time_of_day_ns(text: &str) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text.as_bytes() else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 3600 + minute * 60 + second) * SECOND_NS)
}

/// An optional point and digits: nanoseconds, number of digits, what follows. `None` for a point without digits.
fn fraction(text: &str) -> Option<(i64, usize, &str)> {
    let Some(after) = text.strip_prefix('.') else { return Some((0, 0, text)) };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let (fraction, rest) = after.split_at(digits);
    let nanoseconds = fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((nanoseconds, digits, rest))
}

/// `+hh:mm` or `-hh:mm`.
fn offset_seconds(text: &str) -> Option<i32> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *text.as_bytes() else { return None };
    let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok().filter(|_| hours < 24 && minutes < 60)?;
    Some(if sign == b'-' { -seconds } else { seconds })
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Days since 1970 of a date of the Gregorian calendar; `None` if there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Years that begin in March have the odd day at their end.
    let (shifted, position) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * position + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}
