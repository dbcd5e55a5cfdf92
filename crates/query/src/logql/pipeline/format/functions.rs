//! The functions that LogQL adds to those of Go's templates.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use regex::Regex;
use signalbox_lang::template::{CallError, Functions, MANY, Value, text};

use super::{numbers, texts, times};
use crate::logql::pipeline::condition;
use crate::pattern;

/// Name and how many arguments at least and at most.
const FUNCTIONS: [(&str, usize, usize); 67] = [
    ("ToLower", 1, 1),
    ("ToUpper", 1, 1),
    ("Replace", 4, 4),
    ("Trim", 2, 2),
    ("TrimLeft", 2, 2),
    ("TrimRight", 2, 2),
    ("TrimPrefix", 2, 2),
    ("TrimSuffix", 2, 2),
    ("TrimSpace", 1, 1),
    ("regexReplaceAll", 3, 3),
    ("regexReplaceAllLiteral", 3, 3),
    ("count", 2, 2),
    ("urldecode", 1, 1),
    ("urlencode", 1, 1),
    ("bytes", 1, 1),
    ("duration", 1, 1),
    ("duration_seconds", 1, 1),
    ("unixEpochMillis", 1, 1),
    ("unixEpochNanos", 1, 1),
    ("toDateInZone", 3, 3),
    ("unixToTime", 1, 1),
    ("alignLeft", 2, 2),
    ("alignRight", 2, 2),
    ("b64dec", 1, 1),
    ("b64enc", 1, 1),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("title", 1, 1),
    ("trunc", 2, 2),
    ("substr", 3, 3),
    ("contains", 2, 2),
    ("hasPrefix", 2, 2),
    ("hasSuffix", 2, 2),
    ("indent", 2, 2),
    ("nindent", 2, 2),
    ("replace", 3, 3),
    ("repeat", 2, 2),
    ("trim", 1, 1),
    ("trimAll", 2, 2),
    ("trimSuffix", 2, 2),
    ("trimPrefix", 2, 2),
    ("int", 1, 1),
    ("float64", 1, 1),
    ("add", 0, MANY),
    ("sub", 2, 2),
    ("mul", 1, MANY),
    ("div", 2, 2),
    ("mod", 2, 2),
    ("addf", 0, MANY),
    ("subf", 1, MANY),
    ("mulf", 1, MANY),
    ("divf", 1, MANY),
    ("max", 1, MANY),
    ("min", 1, MANY),
    ("maxf", 1, MANY),
    ("minf", 1, MANY),
    ("ceil", 1, 1),
    ("floor", 1, 1),
    ("round", 2, 3),
    ("fromJson", 1, 1),
    ("date", 2, 2),
    ("toDate", 2, 2),
    ("now", 0, 0),
    ("unixEpoch", 1, 1),
    ("default", 1, 2),
    ("__line__", 0, 0),
    ("__timestamp__", 0, 0),
];

/// Regular expressions of templates, compiled once; threads share them.
#[derive(Debug, Default)]
pub(super) struct RegexCache(Mutex<HashMap<String, Regex>>);

impl RegexCache {
    /// Expressions that are kept. A template may make them of labels.
    const ENTRIES_MAX: usize = 64;

    fn get(&self, text: &str) -> Result<Regex, CallError> {
        let mut known = self.0.lock();
        if let Some(regex) = known.get(text) {
            return Ok(regex.clone());
        }
        let regex = pattern::anywhere(text).map_err(|error| CallError::Failed(error.message().to_owned()))?;
        if known.len() >= Self::ENTRIES_MAX {
            known.clear();
        }
        known.insert(text.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// What functions know besides their arguments.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) line: &'a str,
    pub(super) timestamp_ns: i64,
    pub(super) now_ns: i64,
    pub(super) regexes: &'a RegexCache,
}

impl<'a> Surroundings<'a> {
    /// Those while a template is parsed, when only the names of functions matter.
    pub(super) fn nowhere(regexes: &'a RegexCache) -> Self {
        Self { line: "", timestamp_ns: 0, now_ns: 0, regexes }
    }
}

impl Functions for Surroundings<'_> {
    fn arity(&self, name: &str) -> Option<(usize, usize)> {
        FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, min, max)| (*min, *max))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        match (name, args) {
            ("__line__", _) => Ok(Value::text(self.line)),
            ("__timestamp__", _) => Ok(Value::Time(self.timestamp_ns)),
            ("now", _) => Ok(Value::Time(self.now_ns)),
            ("default", [fallback]) => Ok(fallback.clone()),
            ("default", [fallback, value]) => Ok(if value.is_true() { value.clone() } else { fallback.clone() }),
            ("fromJson", [json]) => Ok(serde_json::from_str(text(json)?).map_or(Value::Nil, from_json)),
            ("bytes", [amount]) => condition::bytes(text(amount)?).map(|bytes| Value::Float(bytes as f64)).map_err(CallError::Failed),
            ("duration" | "duration_seconds", [duration]) => {
                condition::duration_ns(text(duration)?).map(|nanoseconds| Value::Float(nanoseconds as f64 / 1e9)).map_err(CallError::Failed)
            }
            ("regexReplaceAll", [regex, value, replacement]) => Ok(Value::text(self.regexes.get(text(regex)?)?.replace_all(text(value)?, text(replacement)?))),
            ("regexReplaceAllLiteral", [regex, value, replacement]) => {
                Ok(Value::text(self.regexes.get(text(regex)?)?.replace_all(text(value)?, regex::NoExpand(text(replacement)?))))
            }
            ("count", [regex, value]) => {
                let count = self.regexes.get(text(regex)?)?.find_iter(text(value)?).count();
                Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
            }
            _ => times::call(name, args, self.now_ns).or_else(|| numbers::call(name, args)).unwrap_or_else(|| texts::call(name, args)),
        }
    }
}

fn from_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(list) => Value::List(Arc::new(list.into_iter().map(from_json).collect())),
        serde_json::Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().map(|(name, value)| (name, from_json(value))).collect();
            Value::Map(Arc::new(map))
        }
    }
}
