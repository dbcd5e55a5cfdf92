//! Times and durations as Go prints them, always in UTC: `.Format` with its layouts, `.String`, and the few methods that
//! templates call.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::Offset};

use super::value::Value;

const NANOS: i64 = 1_000_000_000;

/// The calendar of an instant.
fn calendar(nanoseconds: i64) -> DateTime {
    // Every i64 of nanoseconds (1677 to 2262) is in the range of a timestamp.
    let instant = Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(instant)
}

/// `2006-01-02 15:04:05.999999999 +0000 UTC`.
pub fn print(nanoseconds: i64) -> String {
    format(nanoseconds, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// `72h3m0.5s`; shorter than a second in the largest unit that leaves a whole part.
pub fn print_duration(nanoseconds: i64) -> String {
    let (sign, total) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    let fraction = |whole: u64, part: u64, digits: usize| {
        let fraction = format!("{part:0digits$}");
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
    };
    match total {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(total / 1_000, total % 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(total / 1_000_000, total % 1_000_000, 6)),
        _ => {
            let (seconds, part) = (total / 1_000_000_000, total % 1_000_000_000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let mut text = sign.to_owned();
            if hours > 0 {
                text += &format!("{hours}h");
            }
            if hours > 0 || minutes > 0 {
                text += &format!("{minutes}m");
            }
            text + &fraction(seconds % 60, part, 9) + "s"
        }
    }
}

pub(super) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Pieces of a layout that stand for a part of the time, longer ones before those they start with.
pub(super) const PIECES: [&str; 37] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "_2006",
    "__2",
    "_2",
    "PM",
    "pm",
    "1",
    "2",
    "3",
    "4",
    "5",
    ".0",
    ",0",
    ".9",
];

/// `Format` of a Go time.
pub fn format(nanoseconds: i64, layout: &str) -> String {
    let (time, mut text, mut rest) = (calendar(nanoseconds), String::new(), layout);
    while let Some(first) = rest.chars().next() {
        let piece = PIECES.iter().copied().find(|piece| rest.starts_with(piece) && !is_part_of_word(piece, rest));
        let length = match piece {
            Some(".0" | ",0" | ".9") => fraction(&time, rest, &mut text),
            Some("_2006") => {
                // An underscore before a year is an underscore.
                text.push('_');
                1
            }
            Some(piece) => {
                write_piece(&time, piece, &mut text);
                piece.len()
            }
            None => {
                text.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    text
}

/// `Jan` in `January` was tried before; in `Janitor` it is no month.
pub(super) fn is_part_of_word(piece: &str, rest: &str) -> bool {
    matches!(piece, "Jan" | "Mon") && rest[piece.len()..].starts_with(|next: char| next.is_ascii_lowercase())
}

/// `.000` writes as many digits, `.999` drops trailing zeros. Returns the bytes of the layout that it stands for.
fn fraction(time: &DateTime, rest: &str, text: &mut String) -> usize {
    let digit = &rest[1..2];
    let digits = rest[1..].len() - rest[1..].trim_start_matches(digit).len();
    let is_fraction = !rest[1 + digits..].starts_with(|next: char| next.is_ascii_digit());
    if !is_fraction {
        text.push_str(&rest[..1]);
        return 1;
    }
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let kept = format!("{}{}", &nanoseconds[..digits.min(9)], "0".repeat(digits.saturating_sub(9)));
    let kept = if digit == "9" { kept.trim_end_matches('0') } else { kept.as_str() };
    if !kept.is_empty() {
        text.push_str(&rest[..1]);
        text.push_str(kept);
    }
    1 + digits
}

fn write_piece(time: &DateTime, piece: &str, text: &mut String) {
    let month = MONTHS[time.month().unsigned_abs() as usize - 1];
    let day = DAYS[time.weekday().to_monday_zero_offset().unsigned_abs() as usize];
    let hour = time.hour();
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    // Writing into a text cannot fail.
    let _infallible = match piece {
        "January" => write!(text, "{month}"),
        "Jan" => write!(text, "{}", &month[..3]),
        "Monday" => write!(text, "{day}"),
        "Mon" => write!(text, "{}", &day[..3]),
        "MST" => write!(text, "UTC"),
        "2006" => write!(text, "{:04}", time.year()),
        "06" => write!(text, "{:02}", time.year().rem_euclid(100)),
        "01" => write!(text, "{:02}", time.month()),
        "1" => write!(text, "{}", time.month()),
        "002" => write!(text, "{:03}", time.day_of_year()),
        "__2" => write!(text, "{:3}", time.day_of_year()),
        "02" => write!(text, "{:02}", time.day()),
        "_2" => write!(text, "{:2}", time.day()),
        "2" => write!(text, "{}", time.day()),
        "15" => write!(text, "{hour:02}"),
        "03" => write!(text, "{hour12:02}"),
        "3" => write!(text, "{hour12}"),
        "04" => write!(text, "{:02}", time.minute()),
        "4" => write!(text, "{}", time.minute()),
        "05" => write!(text, "{:02}", time.second()),
        "5" => write!(text, "{}", time.second()),
        "PM" => write!(text, "{}", if hour >= 12 { "PM" } else { "AM" }),
        "pm" => write!(text, "{}", if hour >= 12 { "pm" } else { "am" }),
        "-07:00:00" => write!(text, "+00:00:00"),
        "-070000" => write!(text, "+000000"),
        "-07:00" => write!(text, "+00:00"),
        "-0700" => write!(text, "+0000"),
        "-07" => write!(text, "+00"),
        _ => write!(text, "Z"),
    };
}

/// A method of a time; `None` if there is none with this name.
pub(super) fn time_method(nanoseconds: i64, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let time = calendar(nanoseconds);
    let arity = match name {
        "Format" | "Add" | "Sub" | "Before" | "After" | "Equal" | "Truncate" => 1,
        "AddDate" => 3,
        _ => 0,
    };
    let value = match (name, args) {
        (_, args) if args.len() != arity => return Some(Err(format!("wrong number of args for {name}: want {arity} got {}", args.len()))),
        ("Format", [Value::Text(layout)]) => Value::text(format(nanoseconds, layout)),
        ("Add", [Value::Duration(by)]) => Value::Time(nanoseconds.saturating_add(*by)),
        ("Sub", [Value::Time(other)]) => Value::Duration(nanoseconds.saturating_sub(*other)),
        ("Before", [Value::Time(other)]) => Value::Bool(nanoseconds < *other),
        ("After", [Value::Time(other)]) => Value::Bool(nanoseconds > *other),
        ("Equal", [Value::Time(other)]) => Value::Bool(nanoseconds == *other),
        ("Truncate", [Value::Duration(by)]) if *by > 0 => Value::Time(nanoseconds - nanoseconds.rem_euclid(*by)),
        ("Truncate", [Value::Duration(_)]) => Value::Time(nanoseconds),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => match add_date(time, *years, *months, *days) {
            Some(nanoseconds) => Value::Time(nanoseconds),
            None => return Some(Err("time is out of range".into())),
        },
        ("Format" | "Add" | "Sub" | "Before" | "After" | "Equal" | "Truncate" | "AddDate", _) => {
            return Some(Err(format!("wrong type of argument for {name}")));
        }
        ("String", _) => Value::text(print(nanoseconds)),
        ("UTC", _) => Value::Time(nanoseconds),
        ("Unix", _) => Value::Int(nanoseconds.div_euclid(NANOS)),
        ("UnixMilli", _) => Value::Int(nanoseconds.div_euclid(1_000_000)),
        ("UnixMicro", _) => Value::Int(nanoseconds.div_euclid(1_000)),
        ("UnixNano", _) => Value::Int(nanoseconds),
        ("Year", _) => Value::Int(i64::from(time.year())),
        ("Month", _) => Value::text(MONTHS[time.month().unsigned_abs() as usize - 1]),
        ("Weekday", _) => Value::text(DAYS[time.weekday().to_monday_zero_offset().unsigned_abs() as usize]),
        ("Day", _) => Value::Int(i64::from(time.day())),
        ("YearDay", _) => Value::Int(i64::from(time.day_of_year())),
        ("Hour", _) => Value::Int(i64::from(time.hour())),
        ("Minute", _) => Value::Int(i64::from(time.minute())),
        ("Second", _) => Value::Int(i64::from(time.second())),
        ("Nanosecond", _) => Value::Int(i64::from(time.subsec_nanosecond())),
        ("IsZero", _) => Value::Bool(false),
        _ => return None,
    };
    Some(Ok(value))
}

/// Months first, then days; the 31st of a shorter month runs into the next, as in Go.
fn add_date(time: DateTime, years: i64, months: i64, days: i64) -> Option<i64> {
    let months = years.checked_mul(12)?.checked_add(months)?.checked_add(i64::from(time.month()) - 1)?;
    let year = i16::try_from(i64::from(time.year()).checked_add(months.div_euclid(12))?).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    let first = jiff::civil::Date::new(year, month, 1).ok()?;
    let days = i64::from(time.day()).checked_sub(1)?.checked_add(days)?;
    let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    let instant = Offset::UTC.to_timestamp(date.to_datetime(time.time())).ok()?;
    i64::try_from(instant.as_nanosecond()).ok()
}

/// A method of a duration; `None` if there is none with this name.
pub(super) fn duration_method(nanoseconds: i64, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let float = |unit: f64| Value::Float(nanoseconds as f64 / unit);
    let value = match (name, args) {
        ("Round" | "Truncate", [Value::Duration(to)]) => {
            let (to, half) = ((*to).max(1), if name == "Round" { to / 2 } else { 0 });
            let away = if nanoseconds < 0 { -half } else { half };
            let shifted = nanoseconds.saturating_add(away);
            Value::Duration(shifted - shifted % to)
        }
        ("Round" | "Truncate", _) => return Some(Err(format!("wrong arguments for {name}: want one duration"))),
        ("String", []) => Value::text(print_duration(nanoseconds)),
        ("Hours", []) => float(3600e9),
        ("Minutes", []) => float(60e9),
        ("Seconds", []) => float(1e9),
        ("Milliseconds", []) => Value::Int(nanoseconds / 1_000_000),
        ("Microseconds", []) => Value::Int(nanoseconds / 1_000),
        ("Nanoseconds", []) => Value::Int(nanoseconds),
        ("Abs", []) => Value::Duration(nanoseconds.saturating_abs()),
        _ => return None,
    };
    Some(Ok(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT: i64 = 1_435_065_584_128_000_000;

    #[test]
    fn prints_times_as_go_does() {
        let cases = [
            ("2006-01-02T15:04:05Z07:00", "2015-06-23T13:19:44Z"),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Tue, 23 Jun 2015 13:19:44 UTC"),
            ("Monday, January _2 06 3:4:5PM", "Tuesday, June 23 15 1:19:44PM"),
            ("15:04:05.000", "13:19:44.128"),
            ("15:04:05.999999", "13:19:44.128"),
            ("05,00", "44,12"),
            ("2006.01.02", "2015.06.23"),
            ("002 of Janitor", "174 of Janitor"),
            ("x_2006 03pm -0700", "x_2015 01pm +0000"),
        ];
        for (layout, want) in cases {
            assert_eq!(format(INSTANT, layout), want, "{layout}");
        }
        assert_eq!(print(0), "1970-01-01 00:00:00 +0000 UTC");
        print(i64::MIN);
        print(i64::MAX);
    }

    #[test]
    fn prints_durations_as_go_does() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (1_800_000_000_000, "30m0s"),
            (-3_600_000_000_000, "-1h0m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (nanoseconds, want) in cases {
            assert_eq!(print_duration(nanoseconds), want);
        }
    }

    #[test]
    fn dates_run_over_as_in_go() {
        let january_31 = Value::Time(1_706_659_200_000_000_000);
        let Value::Time(nanoseconds) = january_31 else { unreachable!() };
        let added = time_method(nanoseconds, "AddDate", &[Value::Int(0), Value::Int(1), Value::Int(0)]);
        let Some(Ok(Value::Time(added))) = added else { panic!("{added:?}") };
        assert_eq!(format(added, "2006-01-02"), "2024-03-02");
        assert!(time_method(0, "AddDate", &[Value::Int(i64::MAX), Value::Int(1), Value::Int(0)]).unwrap().is_err());
        assert!(time_method(0, "Nothing", &[]).is_none());
    }
}
