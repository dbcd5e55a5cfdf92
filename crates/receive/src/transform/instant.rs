//! Time, from a field, in the formats that a step names.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use signalbox_model::{Error, Result};

use super::field::Field;
use super::step;
use crate::logs::{Record, timestamp};

/// Where a time is looked for when the step does not say.
const USUAL_FIELDS: [&str; 5] = ["timestamp", "time", "ts", "@timestamp", "datetime"];

/// Sets the time of a record.
#[derive(Debug)]
pub(super) struct TimestampStep {
    from: Vec<Field>,
    formats: Vec<Format>,
    zone: Zone,
    removes: bool,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// Any that `logs::timestamp` knows.
    Auto,
    /// RFC 3339 and what people take for it.
    Rfc3339,
    /// A number; how many nanoseconds one is.
    Unix(i64),
    /// As strptime reads it.
    Strptime(String),
}

/// The zone of times that name none.
#[derive(Debug, Clone)]
pub(crate) struct Zone(Option<TimeZone>);

impl Zone {
    /// A zone by its name in the database of zones; UTC for the empty text.
    pub(crate) fn new(name: &str, place: &str) -> Result<Self> {
        match name {
            "" | "UTC" | "Etc/UTC" => Ok(Self(None)),
            _ => TimeZone::get(name).map(|zone| Self(Some(zone))).map_err(|_| Error::invalid(format!("{place}: no time zone {name:?} on this machine"))),
        }
    }

    /// The same wall clock in this zone, of an instant that was read as if the zone were UTC.
    fn shift(&self, ns: i64) -> Option<i64> {
        let Some(zone) = &self.0 else { return Some(ns) };
        let wall = Timestamp::from_nanosecond(ns.into()).ok()?.to_zoned(TimeZone::UTC).datetime();
        i64::try_from(zone.to_timestamp(wall).ok()?.as_nanosecond()).ok()
    }
}

impl Format {
    /// A format by its name, or one of strptime.
    pub(crate) fn new(text: &str, place: &str) -> Result<Self> {
        Ok(match text {
            "auto" => Self::Auto,
            "rfc3339" => Self::Rfc3339,
            "unix" => Self::Unix(1_000_000_000),
            "unix_ms" => Self::Unix(1_000_000),
            "unix_us" => Self::Unix(1_000),
            "unix_ns" => Self::Unix(1),
            _ if text.contains('%') => {
                // A format that cannot write any time cannot read one either.
                let zoned = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
                strtime::format(text, &zoned).map_err(|error| Error::invalid(format!("{place}: cannot read format {text:?}: {error}")))?;
                Self::Strptime(text.to_owned())
            }
            _ => {
                return Err(Error::invalid(format!(
                    "{place}: no format {text:?}: want auto, rfc3339, unix, unix_ms, unix_us, unix_ns, or one of strptime such as `%Y-%m-%d`"
                )));
            }
        })
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn read(&self, text: &str, zone: &Zone, now_ns: i64) -> Option<i64> {
        let text = text.trim();
        match self {
            Self::Auto => timestamp::parse(text, now_ns),
            Self::Rfc3339 => {
                let ns = timestamp::rfc3339(text)?;
                let time = text.get(10..).unwrap_or_default();
                let has_zone = time.contains(['Z', 'z', '+', '-']) || time.ends_with("UTC") || time.ends_with("GMT");
                if has_zone { Some(ns) } else { zone.shift(ns) }
            }
            Self::Unix(unit) => unix(text, *unit),
            Self::Strptime(format) => strptime(format, text, zone, now_ns),
        }
    }
}

fn unix(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_negative = whole.starts_with('-');
    let mut scale = unit;
    let fraction = fraction.bytes().fold(0, |sum, byte| {
        scale /= 10;
        sum + i64::from(byte - b'0') * scale
    });
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    whole.checked_add(if is_negative { -fraction } else { fraction })
}

fn strptime(format: &str, text: &str, zone: &Zone, now_ns: i64) -> Option<i64> {
    let mut broken = strtime::parse(format, text).ok()?;
    if let Ok(instant) = broken.to_timestamp() {
        return i64::try_from(instant.as_nanosecond()).ok();
    }
    let now = Timestamp::from_nanosecond(now_ns.into()).ok()?;
    let zone_now = now.to_zoned(zone.0.clone().unwrap_or(TimeZone::UTC));
    if broken.year().is_none() {
        broken.set_year(Some(zone_now.year())).ok()?;
    }
    if broken.month().is_none() && broken.day().is_none() && broken.day_of_year().is_none() {
        broken.set_month(Some(zone_now.month())).ok()?;
        broken.set_day(Some(zone_now.day())).ok()?;
    }
    let wall = match broken.to_datetime() {
        Ok(wall) => wall,
        Err(_) => broken.to_date().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    let instant = match (broken.offset(), &zone.0) {
        (Some(offset), _) => offset.to_timestamp(wall).ok()?,
        (None, Some(zone)) => zone.to_timestamp(wall).ok()?,
        (None, None) => TimeZone::UTC.to_timestamp(wall).ok()?,
    };
    i64::try_from(instant.as_nanosecond()).ok()
}

impl TimestampStep {
    pub(super) fn new(settings: &step::Timestamp, place: &str) -> Result<Self> {
        let from = if settings.from.is_empty() { USUAL_FIELDS.iter().map(|name| Field::named(name)).collect() } else { vec![Field::named(&settings.from)] };
        let format = |(number, text): (usize, &String)| Format::new(text, &format!("{place}.formats[{number}]"));
        let mut formats = settings.formats.iter().enumerate().map(format).collect::<Result<Vec<_>>>()?;
        if formats.is_empty() {
            formats.push(Format::Auto);
        }
        Ok(Self { from, formats, zone: Zone::new(&settings.timezone, &format!("{place}.timezone"))?, removes: settings.remove })
    }

    pub(super) fn run(&self, record: &mut Record<'_>, now_ns: i64) -> std::result::Result<(), String> {
        let field = self.from.iter().find(|field| field.text(record).is_some()).ok_or("the field is missing")?;
        let text = field.text(record).unwrap_or_default();
        let found = self.formats.iter().find_map(|format| format.read(&text, &self.zone, now_ns));
        record.timestamp_ns = Some(found.ok_or_else(|| format!("no format fits {:?}", &text[..text.floor_char_boundary(64)]))?);
        if self.removes {
            field.take(record);
        }
        Ok(())
    }
}
