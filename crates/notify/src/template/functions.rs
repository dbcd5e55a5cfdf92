//! The functions that Alertmanager adds to those of Go.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use jiff::tz::{Offset, TimeZone};
use signalbox_lang::template::{CallError, Functions, MANY, Object, Value, humanize, moment, parse_time, text, wrong_type};
use signalbox_model::re2;

use super::data::{Strings, ZeroTime, texts_of};
use super::json;
use super::markup::{Kind, Markup};

/// Bound on the compiled size of one regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Name and how many arguments at least and at most.
const FUNCTIONS: [(&str, usize, usize); 24] = [
    ("append", 1, MANY),
    ("base64decode", 1, 1),
    ("base64encode", 1, 1),
    ("date", 2, 2),
    ("dict", 0, MANY),
    ("humanizeDuration", 1, 1),
    ("join", 2, 2),
    ("list", 0, MANY),
    ("match", 2, 2),
    ("mustToDate", 2, 2),
    ("now", 0, 0),
    ("reReplaceAll", 3, 3),
    ("routeLabels", 1, 1),
    ("safeHtml", 1, 1),
    ("safeUrl", 1, 1),
    ("since", 1, 1),
    ("stringSlice", 0, MANY),
    ("title", 1, 1),
    ("toDate", 2, 2),
    ("toJson", 1, 1),
    ("toLower", 1, 1),
    ("toUpper", 1, 1),
    ("trimSpace", 1, 1),
    ("tz", 2, 2),
];
/// Beside the table, because it alone is named like a function of Go's library.
const URL_UNESCAPE: &str = "urlUnescape";

/// What functions know besides their arguments.
pub(super) struct World<'a> {
    pub(super) now_ns: i64,
    /// Where the text is in its markup, if it is HTML.
    pub(super) markup: Option<RefCell<Markup>>,
    /// A label of the route, expanded.
    pub(super) route_label: &'a dyn Fn(&str) -> Result<String, String>,
}

impl World<'static> {
    /// While a template is parsed, when only the names of functions matter.
    pub(super) fn nowhere() -> Self {
        Self { now_ns: 0, markup: None, route_label: &|_| Ok(String::new()) }
    }
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now_ns", &self.now_ns).finish_non_exhaustive()
    }
}

/// A text that is markup already, or an address.
#[derive(Debug)]
struct Written(String, Kind);

/// An instant in a time zone.
#[derive(Debug)]
struct Zoned {
    instant_ns: i64,
    zone: TimeZone,
}

impl Functions for World<'_> {
    fn arity(&self, name: &str) -> Option<(usize, usize)> {
        if name == URL_UNESCAPE {
            return Some((1, 1));
        }
        FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, min, max)| (*min, *max))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        match name {
            "append" | "dict" | "join" | "list" | "stringSlice" => collection(name, args),
            "date" | "tz" | "since" | "now" | "toDate" | "mustToDate" => self.time(name, args),
            "humanizeDuration" => humanize::to_float(&args[0]).map(|seconds| Value::text(humanize::humanize_duration(seconds))).map_err(CallError::Failed),
            "toJson" => json::print(&args[0]).map(Value::text).map_err(CallError::Failed),
            "routeLabels" => (self.route_label)(text(&args[0])?).map(Value::text).map_err(CallError::Failed),
            _ => on_text(name, args),
        }
    }

    fn show(&self, value: &Value, written: &str) -> String {
        let (text, kind) = match value.downcast::<Written>() {
            Some(Written(text, kind)) => (text.clone(), *kind),
            None => (value.print(), Kind::Text),
        };
        match &self.markup {
            Some(markup) => markup.borrow_mut().show(&text, kind, written),
            None => text,
        }
    }
}

impl World<'_> {
    fn time(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        match (name, args) {
            ("now", _) => Ok(Value::Time(self.now_ns)),
            ("since", [time]) => Ok(Value::Duration(instant(time)?.map_or(i64::MAX, |then| self.now_ns.saturating_sub(then)))),
            ("tz", [name, time]) => {
                let name = text(name)?;
                let zone = TimeZone::get(name).map_err(|_| CallError::Failed(format!("unknown time zone {name}")))?;
                Ok(instant(time)?.map_or_else(|| Value::object(ZeroTime), |instant_ns| Value::object(Zoned { instant_ns, zone })))
            }
            ("date", [layout, time]) => {
                let layout = text(layout)?;
                if let Some(zoned) = time.downcast::<Zoned>() {
                    return Ok(Value::text(zoned.format(layout)));
                }
                Ok(Value::text(instant(time)?.map_or_else(|| ZeroTime::format(layout), |instant_ns| moment::format(instant_ns, layout))))
            }
            (_, [layout, written]) => {
                let (layout, written) = (text(layout)?, text(written)?);
                match read_time(layout, written) {
                    Some(instant_ns) => Ok(Value::Time(instant_ns)),
                    None if name == "toDate" => Ok(Value::object(ZeroTime)),
                    None => Err(CallError::Failed(format!("parsing time {written:?} as {layout:?}: cannot parse"))),
                }
            }
            _ => Err(CallError::Wrong(format!("{name} is not defined"))),
        }
    }
}

/// Nanoseconds since the Unix epoch; `None` is the zero time.
fn instant(value: &Value) -> Result<Option<i64>, CallError> {
    match value {
        Value::Time(instant_ns) => Ok(Some(*instant_ns)),
        _ if value.downcast::<ZeroTime>().is_some() => Ok(None),
        _ => value.downcast::<Zoned>().map(|zoned| Some(zoned.instant_ns)).ok_or_else(|| wrong_type("time.Time", value)),
    }
}

fn read_time(layout: &str, written: &str) -> Option<i64> {
    let time = parse_time(layout, written)?;
    let offset = Offset::from_seconds(time.offset_s.unwrap_or(0)).ok()?;
    i64::try_from(offset.to_timestamp(time.civil).ok()?.as_nanosecond()).ok()
}

impl Zoned {
    /// As Go's `Format`; what a layout says about the zone is written here, the rest as if the local time were UTC.
    fn format(&self, layout: &str) -> String {
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(self.instant_ns)).unwrap_or_default();
        let info = self.zone.to_offset_info(timestamp);
        let seconds = info.offset().seconds();
        let local_ns = self.instant_ns.saturating_add(i64::from(seconds).saturating_mul(1_000_000_000));
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let mut out = String::new();
        let mut rest = layout;
        const PIECES: [&str; 6] = ["Z07:00", "Z0700", "-07:00", "-0700", "-07", "MST"];
        while let Some((at, piece)) =
            PIECES.iter().filter_map(|piece| rest.find(piece).map(|at| (at, *piece))).min_by_key(|(at, piece)| (*at, usize::MAX - piece.len()))
        {
            out.push_str(&moment::format(local_ns, &rest[..at]));
            match piece {
                "Z07:00" | "Z0700" if seconds == 0 => out.push('Z'),
                "Z07:00" | "-07:00" => out.push_str(&format!("{sign}{hours:02}:{minutes:02}")),
                "Z0700" | "-0700" => out.push_str(&format!("{sign}{hours:02}{minutes:02}")),
                "-07" => out.push_str(&format!("{sign}{hours:02}")),
                _ => out.push_str(info.abbreviation()),
            }
            rest = &rest[at + piece.len()..];
        }
        out + &moment::format(local_ns, rest)
    }
}

impl Object for Zoned {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn print(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn prints_as_text(&self) -> bool {
        true
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match (name, args) {
            ("Format", [Value::Text(layout)]) => Some(Ok(Value::text(self.format(layout)))),
            ("UTC", []) => Some(Ok(Value::Time(self.instant_ns))),
            ("Unix", []) => Some(Ok(Value::Int(self.instant_ns.div_euclid(1_000_000_000)))),
            ("IsZero", []) => Some(Ok(Value::Bool(false))),
            _ => None,
        }
    }
}

impl Object for Written {
    fn type_name(&self) -> &'static str {
        "template.HTML"
    }

    fn print(&self) -> String {
        self.0.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn prints_as_text(&self) -> bool {
        true
    }
}

/// Functions of texts.
fn on_text(name: &str, args: &[Value]) -> Result<Value, CallError> {
    let first = if let Some(Written(text, _)) = args[0].downcast() { text.as_str() } else { text(&args[0])? };
    let failed = |why: String| CallError::Failed(why);
    let value = match name {
        "toUpper" => first.to_uppercase(),
        "toLower" => first.to_lowercase(),
        "title" => humanize::title(&first.to_lowercase()),
        "trimSpace" => first.trim().to_owned(),
        // What a URL may not hold inside of an attribute is a quotation mark.
        "safeUrl" => return Ok(Value::object(Written(first.to_owned(), Kind::Address))),
        "safeHtml" => return Ok(Value::object(Written(first.to_owned(), Kind::Markup))),
        URL_UNESCAPE => query_unescape(first).map_err(failed)?,
        "match" => return Ok(Value::Bool(regex(first)?.is_match(text(&args[1])?))),
        "reReplaceAll" => {
            let (replacement, replaced) = (text(&args[1])?, text(&args[2])?);
            regex(first)?.replace_all(replaced, replacement).into_owned()
        }
        "base64encode" => URL_SAFE.encode(first),
        "base64decode" => {
            let bytes = URL_SAFE.decode(first).map_err(|error| failed(format!("illegal base64 data: {error}")))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => return Err(CallError::Wrong(format!("{name} is not defined"))),
    };
    Ok(Value::text(value))
}

fn regex(pattern: &str) -> Result<regex::Regex, CallError> {
    let failed = |why: &str| CallError::Failed(format!("error parsing regexp: {why}: {}", signalbox_lang::text::quote(pattern)));
    let translated = re2::translate(pattern).map_err(failed)?;
    let compiled = regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES_MAX).build();
    compiled.map_err(|error| failed(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")))
}

fn collection(name: &str, args: &[Value]) -> Result<Value, CallError> {
    match (name, args) {
        ("join", [separator, texts]) => Ok(Value::text(texts_of(texts).map_err(CallError::Wrong)?.join(text(separator)?))),
        ("stringSlice", _) => {
            let texts: Result<Vec<String>, CallError> = args.iter().map(|value| text(value).map(str::to_owned)).collect();
            Ok(Value::object(Strings(texts?)))
        }
        ("append", [Value::List(list), more @ ..]) => Ok(Value::List(Arc::new(list.iter().chain(more).cloned().collect()))),
        ("append", [other, ..]) => Err(wrong_type("[]interface {}", other)),
        ("dict", _) if args.len() % 2 == 1 => Err(CallError::Failed("dict requires an even number of arguments".to_owned())),
        ("dict", _) => {
            let mut map = BTreeMap::new();
            for pair in args.chunks_exact(2) {
                let Value::Text(key) = &pair[0] else { return Err(CallError::Failed("dict keys must be strings".to_owned())) };
                map.insert(key.to_string(), pair[1].clone());
            }
            Ok(Value::Map(Arc::new(map)))
        }
        _ => Ok(Value::List(Arc::new(args.to_vec()))),
    }
}

/// Go's `url.QueryUnescape`.
fn query_unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let escape =
                    after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or_else(|| format!("invalid URL escape {:?}", String::from_utf8_lossy(&after[..after.len().min(2)])))?);
                rest = &after[2..];
            }
            other => bytes.push(*other),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
