//! Dates as people and Elasticsearch write them: `2024-05-01`, `2024-05-01T12:30:00.5+02:00`, `now-1h/d`,
//! `2024-05-01||+1M/d`, and counts of seconds, milliseconds, microseconds or nanoseconds.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, Zoned};
use signalbox_model::{Error, Result, TimeRange};

use super::value::{Value, number};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What dates are relative to.
#[derive(Debug, Clone)]
pub struct Now {
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Where days begin, for dates that do not say.
    pub zone: TimeZone,
}

impl Now {
    /// An instant in UTC.
    pub fn utc(time_ns: i64) -> Self {
        Self { time_ns, zone: TimeZone::UTC }
    }
}

/// The instants that a date stands for: `2024-05` is a month, `now` a nanosecond.
///
/// # Errors
/// `Invalid` for a text that is no date.
pub fn parse(text: &str, now: &Now) -> Result<TimeRange> {
    let invalid = || Error::invalid(format!("cannot read {text:?} as a date: want 2024-05-01T12:00:00Z, a count since 1970, or now-1h"));
    if let Some(math) = text.strip_prefix("now") {
        let start = zoned(now.time_ns, &now.zone).ok_or_else(invalid)?;
        return calculate(start, math, text);
    }
    if let Some((date, math)) = text.split_once("||") {
        let start = zoned(written(date, &now.zone).ok_or_else(invalid)?.start_ns, &now.zone).ok_or_else(invalid)?;
        return calculate(start, math, text);
    }
    written(text, &now.zone).ok_or_else(invalid)
}

/// A time zone: a name of the database, or an offset such as `+02:00`.
///
/// # Errors
/// `Invalid` for what is neither.
pub fn zone(name: &str) -> Result<TimeZone> {
    if matches!(name, "Z" | "UTC" | "utc") {
        return Ok(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        return offset(name).map(|(offset, _)| offset.to_time_zone()).ok_or_else(|| Error::invalid(format!("cannot use time zone {name:?}: want +02:00")));
    }
    TimeZone::get(name).map_err(|_| Error::invalid(format!("cannot use time zone {name:?}: it is not known")))
}

/// The instant of a value that is a date or a count of milliseconds.
pub(crate) fn of_value(value: &Value<'_>) -> Option<i64> {
    if value.is_number() {
        return number(&value.text).map(|milliseconds| (milliseconds * NANOS_PER_MILLI as f64) as i64);
    }
    if value.text.len() < 10 || value.text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    written(&value.text, &TimeZone::UTC).map(|range| range.start_ns)
}

fn zoned(time_ns: i64, zone: &TimeZone) -> Option<Zoned> {
    Some(Timestamp::from_nanosecond(time_ns.into()).ok()?.to_zoned(zone.clone()))
}

fn nanoseconds(zoned: &Zoned) -> i64 {
    let time_ns = zoned.timestamp().as_nanosecond();
    i64::try_from(time_ns).unwrap_or(if time_ns < 0 { i64::MIN } else { i64::MAX })
}

/// `+1d-2h/M`: steps, and rounding.
fn calculate(mut at: Zoned, math: &str, text: &str) -> Result<TimeRange> {
    let invalid = || Error::invalid(format!("cannot read {text:?} as a date: want steps such as +1h, -2d and rounding such as /d"));
    let (mut rest, mut end) = (math, None);
    while let Some(sign) = rest.chars().next() {
        rest = &rest[sign.len_utf8()..];
        let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        let count: i64 = if digits == 0 { 1 } else { rest[..digits].parse().map_err(|_| invalid())? };
        let unit = rest[digits..].chars().next().and_then(Unit::of).ok_or_else(invalid)?;
        match sign {
            '+' | '-' => {
                let span = unit.times(if sign == '-' { -count } else { count }).ok_or_else(invalid)?;
                at = at.checked_add(span).map_err(|_| invalid())?;
            }
            '/' if digits == 0 => {
                at = unit.floor(&at).ok_or_else(invalid)?;
                end = Some(at.checked_add(unit.times(1).ok_or_else(invalid)?).map_err(|_| invalid())?);
            }
            _ => return Err(invalid()),
        }
        rest = &rest[digits + 1..];
    }
    let start_ns = nanoseconds(&at);
    Ok(TimeRange::from_ns(start_ns, end.map_or(start_ns, |end| nanoseconds(&end).saturating_sub(1))))
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            's' => Self::Second,
            'm' => Self::Minute,
            'h' | 'H' => Self::Hour,
            'd' => Self::Day,
            'w' => Self::Week,
            'M' => Self::Month,
            'q' => Self::Quarter,
            'y' => Self::Year,
            _ => return None,
        })
    }

    /// So many of it.
    pub(crate) fn times(self, count: i64) -> Option<Span> {
        let span = Span::new();
        match self {
            Self::Second => span.try_seconds(count),
            Self::Minute => span.try_minutes(count),
            Self::Hour => span.try_hours(count),
            Self::Day => span.try_days(count),
            Self::Week => span.try_weeks(count),
            Self::Month => span.try_months(count),
            Self::Quarter => span.try_months(count.checked_mul(3)?),
            Self::Year => span.try_years(count),
        }
        .ok()
    }

    /// Where the unit that an instant is in begins. Weeks begin on Monday.
    pub(crate) fn floor(self, at: &Zoned) -> Option<Zoned> {
        let (date, time) = (at.date(), at.time());
        let day = |date: Date| date.to_zoned(at.time_zone().clone()).ok();
        match self {
            Self::Second => at.date().to_datetime(Time::new(time.hour(), time.minute(), time.second(), 0).ok()?).to_zoned(at.time_zone().clone()).ok(),
            Self::Minute => at.date().to_datetime(Time::new(time.hour(), time.minute(), 0, 0).ok()?).to_zoned(at.time_zone().clone()).ok(),
            Self::Hour => at.date().to_datetime(Time::new(time.hour(), 0, 0, 0).ok()?).to_zoned(at.time_zone().clone()).ok(),
            Self::Day => day(date),
            Self::Week => day(date.checked_sub(Span::new().try_days(date.weekday().to_monday_zero_offset()).ok()?).ok()?),
            Self::Month => day(date.first_of_month()),
            Self::Quarter => day(Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?),
            Self::Year => day(date.first_of_year()),
        }
    }
}

/// A date or a count, as written.
fn written(text: &str, zone: &TimeZone) -> Option<TimeRange> {
    let is_count = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_count && text.len() != 4 {
        let count: i64 = text.parse().ok()?;
        let unit = match text.len() {
            0..=10 => 1_000_000_000,
            11..=13 => NANOS_PER_MILLI,
            14..=16 => 1_000,
            _ => 1,
        };
        let start = count.checked_mul(unit)?;
        return Some(TimeRange::from_ns(start, start.saturating_add(unit - 1)));
    }
    date(text, zone)
}

/// A date with as many parts as are given.
fn date(text: &str, default: &TimeZone) -> Option<TimeRange> {
    let mut reader = Reader(text);
    let year = reader.number(4)?;
    let (mut month, mut day, mut time, mut unit) = (1, 1, [0i64; 3], Unit::Year);
    let mut fraction = None;
    if reader.accept(&['-']) {
        (month, unit) = (reader.number(2)?, Unit::Month);
        if reader.accept(&['-']) {
            (day, unit) = (reader.number(2)?, Unit::Day);
            if reader.accept(&['T', 't', ' ']) && !reader.0.is_empty() {
                for (position, part) in [Unit::Hour, Unit::Minute, Unit::Second].into_iter().enumerate() {
                    if position > 0 && !reader.accept(&[':']) {
                        break;
                    }
                    (time[position], unit) = (reader.number(2)?, part);
                }
                if unit == Unit::Second && reader.accept(&['.', ',']) {
                    fraction = Some(reader.fraction()?);
                }
            }
        }
    }
    let zone = match reader.0 {
        "" => default.clone(),
        "Z" | "z" => TimeZone::UTC,
        rest => offset(rest).filter(|(_, after)| after.is_empty())?.0.to_time_zone(),
    };
    let small = |number: i64| i8::try_from(number).ok();
    let (nanosecond, width) = fraction.unwrap_or((0, 1_000_000_000));
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    let time = Time::new(small(time[0])?, small(time[1])?, small(time[2])?, i32::try_from(nanosecond).ok()?).ok()?;
    let start = DateTime::from_parts(date, time).to_zoned(zone).ok()?;
    let start_ns = nanoseconds(&start);
    let end_ns = match fraction {
        Some(_) => start_ns.saturating_add(width - 1),
        None => nanoseconds(&start.checked_add(unit.times(1)?).ok()?).saturating_sub(1),
    };
    Some(TimeRange::from_ns(start_ns, end_ns))
}

/// `+02:00`, `+0200`, `+02`, and what follows.
fn offset(text: &str) -> Option<(Offset, &str)> {
    let is_negative = text.starts_with('-');
    let mut reader = Reader(text.strip_prefix(['+', '-'])?);
    let hours = reader.number(2)?;
    reader.accept(&[':']);
    let minutes = if reader.0.is_empty() { 0 } else { reader.number(2)? };
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    Some((Offset::from_seconds(if is_negative { -seconds } else { seconds }).ok()?, reader.0))
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn accept(&mut self, characters: &[char]) -> bool {
        let rest = self.0.strip_prefix(characters);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let text = self.0.get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.0 = &self.0[digits..];
        text.parse().ok()
    }

    /// Nanoseconds of a fraction of a second, and the nanoseconds that its last digit stands for.
    fn fraction(&mut self) -> Option<(i64, i64)> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let kept = digits.min(9);
        let width = 10i64.pow(9 - u32::try_from(kept).ok()?);
        let count: i64 = self.0.get(..kept).filter(|text| !text.is_empty())?.parse().ok()?;
        self.0 = &self.0[digits..];
        Some((count * width, width))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW: i64 = 1_700_000_000_000_000_000;

    fn shown(text: &str, now: &Now) -> String {
        let range = parse(text, now).unwrap_or_else(|error| panic!("{error}"));
        let show = |time_ns: i64| Timestamp::from_nanosecond(time_ns.into()).unwrap().to_string();
        if range.start_ns == range.end_ns { show(range.start_ns) } else { format!("{}..{}", show(range.start_ns), show(range.end_ns + 1)) }
    }

    #[test]
    fn reads_dates_of_every_precision_and_their_mathematics() {
        let cases = [
            ("now", "2023-11-14T22:13:20Z"),
            ("now-1h", "2023-11-14T21:13:20Z"),
            ("now-1h+30m", "2023-11-14T21:43:20Z"),
            ("now/d", "2023-11-14T00:00:00Z..2023-11-15T00:00:00Z"),
            ("now-1M/M", "2023-10-01T00:00:00Z..2023-11-01T00:00:00Z"),
            ("now/w", "2023-11-13T00:00:00Z..2023-11-20T00:00:00Z"),
            ("2024", "2024-01-01T00:00:00Z..2025-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z..2024-03-01T00:00:00Z"),
            ("2024-02-03", "2024-02-03T00:00:00Z..2024-02-04T00:00:00Z"),
            ("2024-02-03T04", "2024-02-03T04:00:00Z..2024-02-03T05:00:00Z"),
            ("2024-02-03 04:05", "2024-02-03T04:05:00Z..2024-02-03T04:06:00Z"),
            ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z..2024-02-03T04:05:07Z"),
            ("2024-02-03T04:05:06.7+02:00", "2024-02-03T02:05:06.7Z..2024-02-03T02:05:06.8Z"),
            ("2024-02-03T04:05:06.123456789-0130", "2024-02-03T05:35:06.123456789Z"),
            ("2024-02-03||+1M/d", "2024-03-03T00:00:00Z..2024-03-04T00:00:00Z"),
            ("1700000000", "2023-11-14T22:13:20Z..2023-11-14T22:13:21Z"),
            ("1700000000000", "2023-11-14T22:13:20Z..2023-11-14T22:13:20.001Z"),
            ("1700000000000000000", "2023-11-14T22:13:20Z"),
        ];
        for (text, want) in cases {
            assert_eq!(shown(text, &Now::utc(NOW)), want, "{text}");
        }
        let berlin = Now { time_ns: NOW, zone: zone("+01:00").unwrap() };
        assert_eq!(shown("now/d", &berlin), "2023-11-13T23:00:00Z..2023-11-14T23:00:00Z");
        assert_eq!(shown("2024-02-03", &berlin), "2024-02-02T23:00:00Z..2024-02-03T23:00:00Z");
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "x",
            "now+",
            "now/3d",
            "now-1x",
            "now-99999999999y",
            "2024-13",
            "2024-02-30",
            "2024-02-03T25",
            "24-1-1",
            "2024-02-03Tx",
            "2024-02-03||/",
            "-5",
            "99999999999999999999",
            "2024-02-03T04:05:06.",
            "now\u{e9}",
        ] {
            assert!(parse(text, &Now::utc(NOW)).is_err(), "{text}");
        }
        assert!(zone("Mars/Olympus").is_err() && zone("+99:00").is_err() && zone("+").is_err());
    }
}
