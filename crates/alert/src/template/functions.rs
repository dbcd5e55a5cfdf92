//! The functions of templates: Go's own and those that Prometheus adds. `and`, `or`, `query` and `tmpl` are the evaluator's:
//! they decide what is evaluated at all.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use signalbox_lang::duration;
use signalbox_model::re2;

use super::humanize;
use super::printf::{sprint, sprintf, sprintln};
use super::value::Value;

/// Bound on the compiled size of one regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Any number of arguments.
const MANY: usize = usize::MAX;

/// Name and how many arguments at least and at most.
const FUNCTIONS: [(&str, usize, usize); 48] = [
    ("and", 1, MANY),
    ("args", 0, MANY),
    ("eq", 1, MANY),
    ("externalURL", 0, 0),
    ("first", 1, 1),
    ("ge", 2, 2),
    ("graphLink", 1, 1),
    ("gt", 2, 2),
    ("html", 0, MANY),
    ("humanize", 1, 1),
    ("humanize1024", 1, 1),
    ("humanizeDuration", 1, 1),
    ("humanizePercentage", 1, 1),
    ("humanizeTimestamp", 1, 1),
    ("index", 1, MANY),
    ("js", 0, MANY),
    ("label", 2, 2),
    ("le", 2, 2),
    ("len", 1, 1),
    ("lt", 2, 2),
    ("match", 2, 2),
    ("ne", 2, 2),
    ("not", 1, 1),
    ("now", 0, 0),
    ("or", 1, MANY),
    ("parseDuration", 1, 1),
    ("pathPrefix", 0, 0),
    ("print", 0, MANY),
    ("printf", 1, MANY),
    ("println", 0, MANY),
    ("query", 1, 1),
    ("reReplaceAll", 3, 3),
    ("safeHtml", 1, 1),
    ("slice", 1, 4),
    ("sortByLabel", 2, 2),
    ("stripDomain", 1, 1),
    ("stripPort", 1, 1),
    ("strvalue", 1, 1),
    ("tableLink", 1, 1),
    ("title", 1, 1),
    ("tmpl", 2, 2),
    ("toDuration", 1, 1),
    ("toLower", 1, 1),
    ("toTime", 1, 1),
    ("toUpper", 1, 1),
    ("urlQueryEscape", 1, 1),
    ("urlquery", 0, MANY),
    ("value", 1, 1),
];

/// What functions know besides their arguments.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) now_ms: i64,
    pub(super) external_url: &'a str,
}

/// Why a call failed.
#[derive(Debug, PartialEq)]
pub(super) enum CallError {
    /// The function said so.
    Failed(String),
    /// It was called wrongly.
    Wrong(String),
}

pub(super) fn is_known(name: &str) -> bool {
    arity(name).is_some()
}

fn arity(name: &str) -> Option<(usize, usize)> {
    FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, min, max)| (*min, *max))
}

/// Whether a function may have so many arguments.
pub(super) fn check_arity(name: &str, count: usize) -> Result<(), CallError> {
    let (min, max) = arity(name).unwrap_or((0, MANY));
    if (min..=max).contains(&count) {
        return Ok(());
    }
    let want = if max == MANY { format!("at least {min}") } else { max.to_string() };
    Err(CallError::Wrong(format!("wrong number of args for {name}: want {want} got {count}")))
}

/// Calls a function.
pub(super) fn call(name: &str, args: &[Value], surroundings: &Surroundings<'_>) -> Result<Value, CallError> {
    check_arity(name, args.len())?;
    match name {
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, args),
        "index" | "slice" | "len" | "first" | "label" | "value" | "strvalue" | "sortByLabel" | "args" => collection(name, args),
        "humanize" | "humanize1024" | "humanizeDuration" | "humanizePercentage" | "humanizeTimestamp" | "toTime" | "toDuration" => {
            let float = humanize::to_float(&args[0]).map_err(CallError::Failed)?;
            number(name, float).map_err(CallError::Failed)
        }
        "not" => Ok(Value::Bool(!args[0].is_true())),
        "print" => Ok(Value::text(sprint(args))),
        "println" => Ok(Value::text(sprintln(args))),
        "printf" => Ok(Value::text(sprintf(text(&args[0])?, &args[1..]))),
        "html" => Ok(Value::text(escape_html(&joined(args)))),
        "js" => Ok(Value::text(escape_js(&joined(args)))),
        "urlquery" => Ok(Value::text(query_escape(&joined(args)))),
        "now" => Ok(Value::Float(surroundings.now_ms as f64 / 1000.0)),
        "externalURL" => Ok(Value::text(surroundings.external_url)),
        "pathPrefix" => Ok(Value::text(path_of(surroundings.external_url))),
        _ => on_text(name, args),
    }
}

/// Functions of texts.
fn on_text(name: &str, args: &[Value]) -> Result<Value, CallError> {
    let first = text(&args[0])?;
    let value = match name {
        "title" => humanize::title(first),
        "toUpper" => first.to_uppercase(),
        "toLower" => first.to_lowercase(),
        "stripPort" => humanize::strip_port(first),
        "stripDomain" => humanize::strip_domain(first),
        "graphLink" => format!("/graph?g0.expr={}&g0.tab=0", query_escape(first)),
        "tableLink" => format!("/graph?g0.expr={}&g0.tab=1", query_escape(first)),
        "urlQueryEscape" => query_escape(first),
        "safeHtml" => first.to_owned(),
        "match" => return Ok(Value::Bool(regex(first)?.is_match(text(&args[1])?))),
        "reReplaceAll" => {
            let (replacement, replaced) = (text(&args[1])?, text(&args[2])?);
            regex(first)?.replace_all(replaced, replacement).into_owned()
        }
        "parseDuration" => {
            let nanoseconds = duration::parse_signed_ns(first).map_err(|error| CallError::Failed(error.message().to_owned()))?;
            return Ok(Value::Float(nanoseconds as f64 / 1e9));
        }
        _ => return Err(CallError::Wrong(format!("{name} is not defined"))),
    };
    Ok(Value::text(value))
}

fn number(name: &str, float: f64) -> Result<Value, String> {
    Ok(match name {
        "humanize" => Value::text(humanize::humanize(float)),
        "humanize1024" => Value::text(humanize::humanize1024(float)),
        "humanizeDuration" => Value::text(humanize::humanize_duration(float)),
        "humanizePercentage" => Value::text(humanize::humanize_percentage(float)),
        "humanizeTimestamp" => Value::text(humanize::humanize_timestamp(float)?),
        "toTime" => Value::Time(humanize::to_time(float)?),
        // Saturates where Go's conversion is undefined.
        _ => Value::Duration((float * 1e9) as i64),
    })
}

fn wrong_type(want: &str, got: &Value) -> CallError {
    CallError::Wrong(format!("wrong type for value; expected {want}; got {}", got.type_name()))
}

fn text(value: &Value) -> Result<&str, CallError> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_type("string", value)),
    }
}

fn regex(pattern: &str) -> Result<regex::Regex, CallError> {
    let failed = |why: &str| CallError::Failed(format!("error parsing regexp: {why}: {}", signalbox_lang::text::quote(pattern)));
    let translated = re2::translate(pattern).map_err(failed)?;
    let compiled = regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES_MAX).build();
    compiled.map_err(|error| failed(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")))
}

fn collection(name: &str, args: &[Value]) -> Result<Value, CallError> {
    match (name, args) {
        ("args", _) => {
            let named = args.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone()));
            Ok(Value::Map(Arc::new(named.collect())))
        }
        ("len", [value]) => {
            let length = value.len().ok_or_else(|| CallError::Failed(format!("len of type {}", value.type_name())))?;
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        ("first", [Value::Samples(samples)]) => {
            let first = samples.first().ok_or_else(|| CallError::Failed("first() called on vector with no elements".into()))?;
            Ok(Value::Sample(Arc::clone(first)))
        }
        ("first", [other]) => Err(wrong_type("template.queryResult", other)),
        ("label", [name, Value::Sample(sample)]) => Ok(Value::text(sample.labels.get(text(name)?).unwrap_or(""))),
        ("label", [_, other]) => Err(wrong_type("*template.sample", other)),
        ("value", [Value::Sample(sample)]) => Ok(sample.value.to_value()),
        ("strvalue", [Value::Sample(sample)]) => Ok(Value::text(sample.labels.get("__value__").unwrap_or(""))),
        ("value" | "strvalue", [other]) => Err(wrong_type("*template.sample", other)),
        ("sortByLabel", [name, Value::Samples(samples)]) => {
            let name = text(name)?;
            let mut sorted = samples.to_vec();
            sorted.sort_by(|left, right| left.labels.get(name).unwrap_or("").cmp(right.labels.get(name).unwrap_or("")));
            Ok(Value::Samples(Arc::new(sorted)))
        }
        ("sortByLabel", [_, other]) => Err(wrong_type("template.queryResult", other)),
        ("slice", [value, indices @ ..]) => slice(value, indices),
        (_, [value, indices @ ..]) => {
            let mut found = value.clone();
            for at in indices {
                found = index(&found, at)?;
            }
            Ok(found)
        }
        _ => Err(CallError::Wrong(format!("{name} is not defined"))),
    }
}

/// The element of a list, byte of a text or value of a map.
fn index(value: &Value, at: &Value) -> Result<Value, CallError> {
    match (value, at) {
        (Value::Texts(map), Value::Text(key)) => Ok(Value::text(map.get(&**key).map_or("", String::as_str))),
        (Value::Map(map), Value::Text(key)) => Ok(map.get(&**key).cloned().unwrap_or(Value::Nil)),
        (Value::Texts(_) | Value::Map(_), _) => Err(CallError::Failed(format!("value has type {}; should be string", at.type_name()))),
        (Value::Nil, _) => Err(CallError::Failed("index of untyped nil".into())),
        (Value::Text(_) | Value::List(_) | Value::Samples(_), Value::Int(position)) => {
            let out_of_range = || CallError::Failed(format!("index out of range: {position}"));
            let position = usize::try_from(*position).map_err(|_| out_of_range())?;
            let found = match value {
                Value::Text(text) => text.as_bytes().get(position).map(|byte| Value::Int(i64::from(*byte))),
                Value::List(list) => list.get(position).cloned(),
                Value::Samples(samples) => samples.get(position).map(|sample| Value::Sample(Arc::clone(sample))),
                _ => None,
            };
            found.ok_or_else(out_of_range)
        }
        (Value::Text(_) | Value::List(_) | Value::Samples(_), _) => Err(CallError::Failed(format!("cannot index slice/array with type {}", at.type_name()))),
        _ => Err(CallError::Failed(format!("can't index item of type {}", value.type_name()))),
    }
}

fn slice(value: &Value, indices: &[Value]) -> Result<Value, CallError> {
    let length = match value {
        Value::Text(_) | Value::List(_) | Value::Samples(_) => value.len().unwrap_or(0),
        _ => return Err(CallError::Failed(format!("can't slice item of type {}", value.type_name()))),
    };
    let mut bounds = [0, length];
    for (bound, at) in bounds.iter_mut().zip(indices) {
        let Value::Int(at) = at else { return Err(CallError::Failed(format!("cannot index slice/array with type {}", at.type_name()))) };
        *bound = usize::try_from(*at).ok().filter(|at| *at <= length).ok_or_else(|| CallError::Failed(format!("index out of range: {at}")))?;
    }
    let [start, end] = bounds;
    if start > end {
        return Err(CallError::Failed(format!("invalid slice index: {start} > {end}")));
    }
    Ok(match value {
        Value::Text(text) => Value::text(String::from_utf8_lossy(&text.as_bytes()[start..end])),
        Value::List(list) => Value::List(Arc::new(list[start..end].to_vec())),
        Value::Samples(samples) => Value::Samples(Arc::new(samples[start..end].to_vec())),
        other => other.clone(),
    })
}

/// Go compares values of one kind only: `eq 1 1.0` is an error.
fn compare(name: &str, args: &[Value]) -> Result<Value, CallError> {
    let failed = |message: &str| CallError::Failed(message.into());
    let [first, others @ ..] = args else { return Err(failed("missing argument for comparison")) };
    if others.is_empty() {
        return Err(failed("missing argument for comparison"));
    }
    if matches!(name, "eq" | "ne") {
        let mut is_equal = false;
        for other in others {
            is_equal |= equal(first, other)?;
        }
        return Ok(Value::Bool(is_equal == (name == "eq")));
    }
    let order = match (first, &others[0]) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (left, right) if is_basic(left) && is_basic(right) => return Err(failed("incompatible types for comparison")),
        _ => return Err(failed("invalid type for comparison")),
    };
    Ok(Value::Bool(match name {
        "lt" => order == Some(Ordering::Less),
        "gt" => order == Some(Ordering::Greater),
        // Go has `le` as "less or equal" and `ge` as "not less".
        "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        _ => order != Some(Ordering::Less),
    }))
}

fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Duration(_))
}

fn equal(left: &Value, right: &Value) -> Result<bool, CallError> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Int(left), Value::Int(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::Duration(left), Value::Duration(right)) | (Value::Time(left), Value::Time(right)) => Ok(left == right),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        _ if is_basic(left) && is_basic(right) => Err(CallError::Failed("incompatible types for comparison".into())),
        _ => Err(CallError::Failed(format!("non-comparable type {}: {}", left.print(), left.type_name()))),
    }
}

fn joined(args: &[Value]) -> String {
    match args {
        [Value::Text(text)] => text.to_string(),
        [Value::Nil] => "<no value>".into(),
        _ => sprint(args),
    }
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => escaped.push(char::REPLACEMENT_CHARACTER),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn escape_js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' | '>' | '&' | '=' | '\0'..=' ' if character != ' ' => {
                // Writing into a text cannot fail.
                let _infallible = write!(escaped, "\\u{:04X}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// As in a query: a space is `+`, everything but letters, digits and `-_.~` is `%41`.
pub(crate) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => {
                // Writing into a text cannot fail.
                let _infallible = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// The path of a URL, without what follows it.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("", |start| &after_scheme[start..]);
    path.split(['?', '#']).next().unwrap_or_default()
}
