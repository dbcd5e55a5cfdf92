//! Times in the layouts of Go: the reference time `Mon Jan 2 15:04:05 MST 2006`, in the wanted shape.

use crate::transform::{Format, Zone};

/// Names of layouts.
const NAMED: &[(&str, &str)] = &[
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
];

/// Elements, the longer ones first, and what strptime calls them.
const ELEMENTS: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Monday", "%A"),
    ("Z07:00", "%:z"),
    ("-07:00", "%:z"),
    ("Z0700", "%z"),
    ("-0700", "%z"),
    ("2006", "%Y"),
    ("Jan", "%b"),
    ("Mon", "%a"),
    ("-07", "%z"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("_2", "%e"),
    ("1", "%m"),
    ("2", "%d"),
    ("3", "%I"),
    ("4", "%M"),
    ("5", "%S"),
];

/// A layout that can be read.
#[derive(Debug)]
pub(super) enum Layout {
    /// A format of our own.
    Known(Format),
    /// Of strptime; whether fractions of seconds are cut out of the text, and the name of a zone from its end.
    Text { format: Format, has_zone_name: bool },
}

impl Layout {
    pub(super) fn new(text: &str, place: &str) -> Result<Self, String> {
        let known = |format| Ok(Self::Known(format));
        match text {
            "RFC3339" | "RFC3339Nano" => return known(Format::Rfc3339),
            "Unix" => return known(Format::Unix(1_000_000_000)),
            "UnixMs" => return known(Format::Unix(1_000_000)),
            "UnixUs" => return known(Format::Unix(1_000)),
            "UnixNs" => return known(Format::Unix(1)),
            _ => {}
        }
        let layout = NAMED.iter().find(|(name, _)| *name == text).map_or(text, |(_, layout)| *layout);
        let (mut strptime, mut rest, mut has_zone_name) = (String::new(), layout, false);
        while let Some(first) = rest.chars().next() {
            if let Some((element, directive)) = ELEMENTS.iter().find(|(element, _)| rest.starts_with(element)) {
                strptime.push_str(directive);
                rest = &rest[element.len()..];
                // A fraction after the seconds, whatever its length, as Go reads it.
                if *directive == "%S" {
                    let digits = rest.strip_prefix(['.', ',']).map_or(0, |rest| rest.bytes().take_while(|byte| matches!(byte, b'0' | b'9')).count());
                    rest = if digits > 0 { &rest[digits + 1..] } else { rest };
                    strptime.push_str("%.f");
                }
            } else if let Some(after) = rest.strip_prefix("MST") {
                has_zone_name = true;
                strptime = strptime.trim_end().to_owned();
                rest = after;
            } else {
                if first == '%' {
                    strptime.push('%');
                }
                strptime.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        if !strptime.contains('%') {
            return Err(format!("{place}: {text:?} is no layout of a time: want RFC3339, Unix, UnixMs, or one such as `2006-01-02 15:04:05`"));
        }
        let format = Format::new(&strptime, place).map_err(|error| error.to_string())?;
        Ok(Self::Text { format, has_zone_name })
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn read(&self, text: &str, zone: &Zone, now_ns: i64) -> Option<i64> {
        match self {
            Self::Known(format) => format.read(text, zone, now_ns),
            Self::Text { format, has_zone_name } => {
                // Only UTC can be meant by a name without a doubt.
                let plain = if *has_zone_name { text.replace(" UTC", "").replace(" GMT", "") } else { text.to_owned() };
                format
                    .read(&plain.replace(',', ".").replace("Z", if text.ends_with('Z') { "+00:00" } else { "Z" }), zone, now_ns)
                    .or_else(|| format.read(&plain, zone, now_ns))
            }
        }
    }
}
