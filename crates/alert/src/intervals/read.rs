//! Time intervals from YAML.

use jiff::tz::TimeZone;
use serde::Deserialize;
use signalbox_model::{Error, Result};

use super::{Span, TimeInterval};

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

/// An interval as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawInterval {
    times: Option<Vec<RawTimes>>,
    weekdays: Option<Vec<String>>,
    days_of_month: Option<Vec<Word>>,
    months: Option<Vec<Word>>,
    years: Option<Vec<Word>>,
    location: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTimes {
    start_time: String,
    end_time: String,
}

/// A text that YAML may read as a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Word {
    Number(i64),
    Text(String),
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_lowercase(),
        }
    }
}

pub(super) fn list(yaml: &str) -> Result<Vec<TimeInterval>> {
    let raw: Vec<RawInterval> = serde_norway::from_str(yaml).map_err(|error| Error::invalid(format!("cannot read time intervals: {error}")))?;
    raw.iter().map(RawInterval::read).collect()
}

impl RawInterval {
    /// The interval.
    ///
    /// # Errors
    /// `Invalid` in the words of Alertmanager.
    pub(crate) fn read(&self) -> Result<TimeInterval> {
        let words = |field: &Option<Vec<Word>>| field.iter().flatten().map(Word::text).collect::<Vec<_>>();
        let location = self.location.as_deref().filter(|name| !name.is_empty());
        Ok(TimeInterval {
            times: self.times.iter().flatten().map(times).collect::<Result<_>>()?,
            weekdays: self.weekdays.iter().flatten().map(|text| weekdays(&text.trim().to_lowercase())).collect::<Result<_>>()?,
            days_of_month: words(&self.days_of_month).iter().map(|text| days_of_month(text)).collect::<Result<_>>()?,
            months: words(&self.months).iter().map(|text| months(text)).collect::<Result<_>>()?,
            years: words(&self.years).iter().map(|text| years(text)).collect::<Result<_>>()?,
            location: location.map(zone).transpose()?,
        })
    }
}

fn zone(name: &str) -> Result<TimeZone> {
    if name == "Local" {
        return Ok(TimeZone::system());
    }
    TimeZone::get(name).map_err(|_| Error::invalid(format!("unknown time zone {name}")))
}

fn times(raw: &RawTimes) -> Result<Span> {
    if raw.start_time.is_empty() || raw.end_time.is_empty() {
        return Err(Error::invalid("both start and end times must be provided"));
    }
    let (begin, end) = (minute(&raw.start_time)?, minute(&raw.end_time)?);
    if begin >= end {
        return Err(Error::invalid("start time cannot be equal or greater than end time"));
    }
    Ok(Span { begin, end })
}

/// `HH:MM` as minutes of the day; `24:00` is its end.
fn minute(text: &str) -> Result<i32> {
    let invalid = || Error::invalid(format!("couldn't parse timestamp {text}, invalid format"));
    let (hour, minute) = text.split_once(':').ok_or_else(invalid)?;
    let two = |digits: &str| (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse::<i32>().ok()).flatten();
    let (hour, minute) = (two(hour).ok_or_else(invalid)?, two(minute).ok_or_else(invalid)?);
    if (hour < 24 && minute < 60) || (hour, minute) == (24, 0) { Ok(hour * 60 + minute) } else { Err(invalid()) }
}

/// The two ends of `a:b`, or the one of `a` twice.
fn ends(text: &str) -> Result<(&str, &str)> {
    let mut parts = text.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(begin), Some(end), None) if !begin.is_empty() && !end.is_empty() => Ok((begin, end)),
        (Some(only), None, None) if !only.is_empty() => Ok((only, only)),
        _ => Err(Error::invalid(format!("couldn't parse range {text}, invalid format"))),
    }
}

fn weekdays(text: &str) -> Result<Span> {
    let day = |name: &str| {
        let found = WEEKDAYS.iter().position(|day| *day == name);
        found.and_then(|day| i32::try_from(day).ok()).ok_or_else(|| Error::invalid(format!("{name} is not a valid weekday")))
    };
    let (begin, end) = ends(text)?;
    let span = Span { begin: day(begin)?, end: day(end)? };
    if span.begin > span.end { Err(Error::invalid("start day cannot be before end day")) } else { Ok(span) }
}

fn days_of_month(text: &str) -> Result<Span> {
    let day = |digits: &str| {
        let day: i32 = digits.parse().map_err(|_| Error::invalid(format!("{digits} is not a valid day of the month")))?;
        if day == 0 || day.abs() > 31 { Err(Error::invalid(format!("{day} is not a valid day of the month: out of range"))) } else { Ok(day) }
    };
    let (begin, end) = ends(text)?;
    let (begin, end) = (day(begin)?, day(end)?);
    if begin < 0 && end > 0 {
        return Err(Error::invalid("end day must be negative if start day is negative"));
    }
    // The longest month is the kindest.
    let from_start = |day: i32| if day < 0 { 31 + day + 1 } else { day };
    if from_start(begin) > from_start(end) {
        let message = if begin > 0 && end < 0 {
            format!("end day {end} is always before start day {begin}")
        } else {
            format!("end day {end} is before start day {begin}")
        };
        return Err(Error::invalid(message));
    }
    Ok(Span { begin, end })
}

fn months(text: &str) -> Result<Span> {
    let month = |name: &str| {
        let named = MONTHS.iter().position(|month| *month == name).and_then(|month| i32::try_from(month + 1).ok());
        let numbered = || name.parse::<i32>().ok().filter(|month| (1..=12).contains(month));
        named.or_else(numbered).ok_or_else(|| Error::invalid(format!("{name} is not a valid month")))
    };
    let (begin, end) = ends(text)?;
    let span = Span { begin: month(begin)?, end: month(end)? };
    if span.begin > span.end { Err(Error::invalid(format!("end month {end} is before start month {begin}"))) } else { Ok(span) }
}

fn years(text: &str) -> Result<Span> {
    let year = |digits: &str| digits.parse::<i32>().map_err(|_| Error::invalid(format!("{digits} is not a valid year")));
    let (begin, end) = ends(text)?;
    let span = Span { begin: year(begin)?, end: year(end)? };
    if span.begin > span.end { Err(Error::invalid(format!("end year {} is before start year {}", span.end, span.begin))) } else { Ok(span) }
}
