//! Functions of templates over times.

use jiff::tz::TimeZone;
use signalbox_lang::template::moment::format;
use signalbox_lang::template::{CallError, ParsedTime, Value, parse_time, text, wrong_type};

/// Calls a function; `None` if it is none of these.
pub(super) fn call(name: &str, args: &[Value], now_ns: i64) -> Option<Result<Value, CallError>> {
    Some(match (name, args) {
        ("unixEpoch", [time]) => nanoseconds(time).map(|time| Value::text(time.div_euclid(1_000_000_000).to_string())),
        ("unixEpochMillis", [time]) => nanoseconds(time).map(|time| Value::text(time.div_euclid(1_000_000).to_string())),
        ("unixEpochNanos", [time]) => nanoseconds(time).map(|time| Value::text(time.to_string())),
        ("unixToTime", [epoch]) => text(epoch).and_then(unix_to_time),
        ("date", [layout, time]) => text(layout).map(|layout| {
            let time = match time {
                Value::Time(time) => *time,
                Value::Int(seconds) => seconds.saturating_mul(1_000_000_000),
                _ => now_ns,
            };
            Value::text(format(time, layout))
        }),
        ("toDate", [layout, time]) => read(layout, time, &TimeZone::UTC),
        ("toDateInZone", [layout, zone, time]) => match text(zone) {
            // As in Loki, an unknown zone is UTC.
            Ok(zone) => read(layout, time, &TimeZone::get(zone).unwrap_or(TimeZone::UTC)),
            Err(error) => Err(error),
        },
        _ => return None,
    })
}

fn nanoseconds(value: &Value) -> Result<i64, CallError> {
    if let Value::Time(time) = value { Ok(*time) } else { Err(wrong_type("time.Time", value)) }
}

fn read(layout: &Value, time: &Value, zone: &TimeZone) -> Result<Value, CallError> {
    let (layout, time) = (text(layout)?, text(time)?);
    let instant = |parsed: ParsedTime| {
        let timestamp = match parsed.offset_s {
            Some(offset_s) => jiff::tz::Offset::from_seconds(offset_s).ok()?.to_timestamp(parsed.civil).ok()?,
            None => zone.to_timestamp(parsed.civil).ok()?,
        };
        i64::try_from(timestamp.as_nanosecond()).ok()
    };
    match parse_time(layout, time).and_then(instant) {
        Some(instant) => Ok(Value::Time(instant)),
        None => Err(CallError::Failed(format!("cannot parse time {time:?} as {layout:?}"))),
    }
}

/// Days, seconds, milli-, micro- or nanoseconds since the Unix epoch, by the number of digits.
fn unix_to_time(epoch: &str) -> Result<Value, CallError> {
    let unit = match epoch.len() {
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => 0,
    };
    match epoch.parse::<i64>() {
        Ok(count) if unit > 0 => Ok(Value::Time(count.saturating_mul(unit))),
        _ => Err(CallError::Failed(format!("unable to parse time '{epoch}'"))),
    }
}
