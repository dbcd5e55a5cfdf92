//! The functions that Prometheus adds to those of Go.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_lang::duration;
use signalbox_lang::template::{CallError, Functions, MANY, Object, Value, humanize, query_escape, text, wrong_type};
use signalbox_model::re2;

use super::limits::QUERIES_MAX;
use super::objects::{Sample, Samples};

/// Answers to queries, by their text. The message of a query that failed is its answer, too.
pub(super) type Answers = BTreeMap<String, Result<Arc<Samples>, String>>;

/// Bound on the compiled size of one regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Name and how many arguments at least and at most.
const FUNCTIONS: [(&str, usize, usize); 30] = [
    ("args", 0, MANY),
    ("externalURL", 0, 0),
    ("first", 1, 1),
    ("graphLink", 1, 1),
    ("humanize", 1, 1),
    ("humanize1024", 1, 1),
    ("humanizeDuration", 1, 1),
    ("humanizePercentage", 1, 1),
    ("humanizeTimestamp", 1, 1),
    ("label", 2, 2),
    ("match", 2, 2),
    ("now", 0, 0),
    ("parseDuration", 1, 1),
    ("pathPrefix", 0, 0),
    ("query", 1, 1),
    ("reReplaceAll", 3, 3),
    ("safeHtml", 1, 1),
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
    ("value", 1, 1),
];

/// What functions know besides their arguments.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) now_ms: i64,
    pub(super) external_url: &'a str,
    pub(super) answers: &'a Answers,
}

impl Functions for Surroundings<'_> {
    fn arity(&self, name: &str) -> Option<(usize, usize)> {
        FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, min, max)| (*min, *max))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        match name {
            "first" | "label" | "value" | "strvalue" | "sortByLabel" | "args" => collection(name, args),
            "humanize" | "humanize1024" | "humanizeDuration" | "humanizePercentage" | "humanizeTimestamp" | "toTime" | "toDuration" => {
                let float = humanize::to_float(&args[0]).map_err(CallError::Failed)?;
                number(name, float).map_err(CallError::Failed)
            }
            "query" => self.query(text(&args[0])?),
            "now" => Ok(Value::Float(self.now_ms as f64 / 1000.0)),
            "externalURL" => Ok(Value::text(self.external_url)),
            "pathPrefix" => Ok(Value::text(path_of(self.external_url))),
            _ => on_text(name, args),
        }
    }
}

impl Surroundings<'_> {
    fn query(&self, query: &str) -> Result<Value, CallError> {
        match self.answers.get(query) {
            Some(Ok(samples)) => Ok(Value::Object(Arc::clone(samples) as Arc<dyn Object>)),
            Some(Err(message)) => Err(CallError::Failed(message.clone())),
            None if self.answers.len() >= QUERIES_MAX => Err(CallError::Failed(format!("more than {QUERIES_MAX} queries"))),
            None => Err(CallError::Needs(query.to_owned())),
        }
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

fn regex(pattern: &str) -> Result<regex::Regex, CallError> {
    let failed = |why: &str| CallError::Failed(format!("error parsing regexp: {why}: {}", signalbox_lang::text::quote(pattern)));
    let translated = re2::translate(pattern).map_err(failed)?;
    let compiled = regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES_MAX).build();
    compiled.map_err(|error| failed(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")))
}

fn collection(name: &str, args: &[Value]) -> Result<Value, CallError> {
    let samples = |value: &Value| value.downcast::<Samples>().map(|samples| samples.0.clone()).ok_or_else(|| wrong_type("template.queryResult", value));
    let sample = |value: &Value| value.downcast::<Sample>().cloned().ok_or_else(|| wrong_type("*template.sample", value));
    match (name, args) {
        ("args", _) => {
            let named = args.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone()));
            Ok(Value::Map(Arc::new(named.collect())))
        }
        ("first", [value]) => match samples(value)?.first() {
            Some(first) => Ok(Value::Object(Arc::clone(first) as Arc<dyn Object>)),
            None => Err(CallError::Failed("first() called on vector with no elements".into())),
        },
        ("label", [name, value]) => Ok(Value::text(sample(value)?.labels.get(text(name)?).unwrap_or(""))),
        ("value", [value]) => Ok(sample(value)?.value.to_value()),
        ("strvalue", [value]) => Ok(Value::text(sample(value)?.labels.get("__value__").unwrap_or(""))),
        ("sortByLabel", [name, value]) => {
            let (mut sorted, name) = (samples(value)?, text(name)?);
            sorted.sort_by(|left, right| left.labels.get(name).unwrap_or("").cmp(right.labels.get(name).unwrap_or("")));
            Ok(Value::object(Samples(sorted)))
        }
        _ => Err(CallError::Wrong(format!("{name} is not defined"))),
    }
}

/// The path of a URL, without what follows it.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("", |start| &after_scheme[start..]);
    path.split(['?', '#']).next().unwrap_or_default()
}
