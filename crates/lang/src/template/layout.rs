//! Times in texts, by the layouts of Go.

use jiff::civil::{Date, DateTime};

use super::moment::{DAYS, MONTHS, PIECES, is_part_of_word};

/// A time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedTime {
    /// Date and time of day.
    pub civil: DateTime,
    /// Seconds east of UTC, if the text says so.
    pub offset_s: Option<i32>,
}

#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    is_afternoon: Option<bool>,
    offset_s: Option<i32>,
}

/// Reads a time that is written as a layout says, as Go's `time.Parse` does; what the layout lacks is that of the year 0.
/// `None` if the text is not written so.
pub fn parse_time(layout: &str, text: &str) -> Option<ParsedTime> {
    let (mut parts, mut layout, mut text) = (Parts::default(), layout, text);
    while let Some(first) = layout.chars().next() {
        let piece = PIECES.iter().copied().find(|piece| layout.starts_with(piece) && !is_part_of_word(piece, layout));
        let length = match piece {
            Some(".0" | ",0" | ".9") => {
                let digit = &layout[1..2];
                let after = layout[1..].trim_start_matches(digit);
                if after.starts_with(|next: char| next.is_ascii_digit()) {
                    // Digits of something else: the point is a point.
                    text = text.strip_prefix(first)?;
                    1
                } else {
                    text = parts.fraction(text, digit == "9")?;
                    layout.len() - after.len()
                }
            }
            Some("_2006") | None => {
                text = text.strip_prefix(first)?;
                first.len_utf8()
            }
            Some(piece) => {
                text = parts.read(piece, text)?;
                // A fraction that the layout does not have is read behind seconds.
                let is_second = matches!(piece, "05" | "5") && !layout[piece.len()..].starts_with(['.', ',']);
                if is_second && text.starts_with('.') && text[1..].starts_with(|next: char| next.is_ascii_digit()) {
                    text = parts.fraction(text, true)?;
                }
                piece.len()
            }
        };
        layout = &layout[length..];
    }
    text.is_empty().then(|| parts.finish()).flatten()
}

/// Digits, as many as `min` to `max`, and what follows.
fn digits(text: &str, min: usize, max: usize) -> Option<(i32, &str)> {
    let count = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    let value = text[..count].parse().ok().filter(|_| count >= min)?;
    Some((value, &text[count..]))
}

/// The index of the name that a text starts with, in any case; of its first letters if it is short.
fn named<'a>(names: &[&str], text: &'a str, is_short: bool) -> Option<(i8, &'a str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if is_short { &name[..3] } else { name };
        let found = text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        found.then(|| (i8::try_from(index).unwrap_or_default(), &text[name.len()..]))
    })
}

impl Parts {
    fn read<'a>(&mut self, piece: &str, text: &'a str) -> Option<&'a str> {
        let small = |text: &'a str, min: usize| digits(text, min, 2).and_then(|(value, rest)| Some((i8::try_from(value).ok()?, rest)));
        let rest = match piece {
            "2006" => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = i16::try_from(year).ok();
                rest
            }
            "06" => {
                let (year, rest) = digits(text, 2, 2)?;
                self.year = i16::try_from(year + if year >= 69 { 1900 } else { 2000 }).ok();
                rest
            }
            "January" | "Jan" => {
                let (index, rest) = named(&MONTHS, text, piece == "Jan")?;
                self.month = Some(index + 1);
                rest
            }
            "Monday" | "Mon" => named(&DAYS, text, piece == "Mon")?.1,
            "01" | "1" => {
                let (month, rest) = small(text, piece.len())?;
                self.month = Some(month);
                rest
            }
            "02" | "_2" | "2" => {
                let text = if piece == "_2" { text.strip_prefix(' ').unwrap_or(text) } else { text };
                let (day, rest) = small(text, if piece == "02" { 2 } else { 1 })?;
                self.day = Some(day);
                rest
            }
            "002" | "__2" => {
                let (day, rest) = digits(text.trim_start_matches(' '), 1, 3)?;
                self.day_of_year = i16::try_from(day).ok();
                rest
            }
            "15" | "03" | "3" => {
                let (hour, rest) = small(text, if piece == "03" { 2 } else { 1 })?;
                self.hour = hour;
                rest
            }
            "04" | "4" => {
                let (minute, rest) = small(text, piece.len())?;
                self.minute = minute;
                rest
            }
            "05" | "5" => {
                let (second, rest) = small(text, piece.len())?;
                self.second = second;
                rest
            }
            "PM" | "pm" => {
                let half = text.get(..2)?;
                self.is_afternoon = Some(half.eq_ignore_ascii_case("PM")).filter(|afternoon| *afternoon || half.eq_ignore_ascii_case("AM"));
                self.is_afternoon?;
                &text[2..]
            }
            "MST" => {
                let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
                // Names of zones are ambiguous; only this one says something.
                if matches!(&text[..length], "UTC" | "GMT") {
                    self.offset_s = Some(0);
                }
                text.get(length..).filter(|_| (3..=4).contains(&length))?
            }
            zone => return self.zone(zone, text),
        };
        Some(rest)
    }

    fn zone<'a>(&mut self, piece: &str, text: &'a str) -> Option<&'a str> {
        if let (true, Some(rest)) = (piece.starts_with('Z'), text.strip_prefix('Z')) {
            self.offset_s = Some(0);
            return Some(rest);
        }
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let mut offset_s = 0;
        let colons = piece.matches(':').count();
        let fields = (piece.len() - 1 - colons) / 2;
        for (index, unit) in [3600, 60, 1].into_iter().take(fields).enumerate() {
            if index > 0 && colons > 0 {
                rest = rest.strip_prefix(':')?;
            }
            let (value, after) = digits(rest, 2, 2)?;
            offset_s += value * unit;
            rest = after;
        }
        self.offset_s = Some(sign * offset_s);
        Some(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str, may_lack: bool) -> Option<&'a str> {
        let Some(rest) = text.strip_prefix(['.', ',']) else { return may_lack.then_some(text) };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let kept = &rest[..count.min(9)];
        self.nanosecond = format!("{kept:0<9}").parse().ok().filter(|_| count > 0)?;
        Some(&rest[count..])
    }

    fn finish(self) -> Option<ParsedTime> {
        let year = self.year.unwrap_or(0);
        let date = match self.day_of_year {
            Some(day) => {
                let date = Date::new(year, 1, 1).ok()?.checked_add(jiff::Span::new().try_days(i64::from(day) - 1).ok()?).ok()?;
                Some(date).filter(|date| date.year() == year)?
            }
            None => Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let time = jiff::civil::Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        Some(ParsedTime { civil: date.to_datetime(time), offset_s: self.offset_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_go_does() {
        let cases = [
            ("2006-01-02", "2024-02-29", "2024-02-29T00:00:00", None),
            ("2006-01-02T15:04:05Z07:00", "2024-03-01T12:30:05Z", "2024-03-01T12:30:05", Some(0)),
            ("2006-01-02T15:04:05Z07:00", "2024-03-01T12:30:05.25+02:30", "2024-03-01T12:30:05.25", Some(9_000)),
            ("02/Jan/2006:15:04:05 -0700", "10/Oct/2000:13:55:36 -0700", "2000-10-10T13:55:36", Some(-25_200)),
            ("Mon Jan _2 15:04:05 2006", "Tue Jun  3 13:19:44 2015", "2015-06-03T13:19:44", None),
            ("Monday, January 2 06 3:4:5PM MST", "tuesday, june 23 15 1:9:4PM UTC", "2015-06-23T13:09:04", Some(0)),
            ("2006.002 05,000", "2024.366 07,123", "2024-12-31T00:00:07.123", None),
            ("15:04:05.999", "01:02:03", "0000-01-01T01:02:03", None),
        ];
        for (layout, text, civil, offset_s) in cases {
            let want = ParsedTime { civil: civil.parse().unwrap(), offset_s };
            assert_eq!(parse_time(layout, text), Some(want), "{layout} {text}");
        }
        for (layout, text) in [
            ("2006-01-02", "2023-02-29"),
            ("2006-01-02", "2024-1-02"),
            ("2006", "20245"),
            ("15:04", "25:00"),
            ("Jan", "Foo"),
            ("3PM", "4XM"),
            ("x", "y"),
            ("-0700", "0700"),
            ("2006", "é"),
        ] {
            assert_eq!(parse_time(layout, text), None, "{layout} {text}");
        }
    }
}
