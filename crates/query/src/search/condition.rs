//! A condition, compiled: asked for every value of a field.

use std::cmp::Ordering;
use std::collections::HashSet;

use regex::Regex;
use signalbox_lang::search::Piece;
use signalbox_model::{Result, TimeRange};

use super::field::Field;
use super::filter::{Bounds, Condition};
use super::times;
use super::value::{Value, number};
use super::words::Words;
use crate::pattern;
use crate::rows::level_of;

/// Beyond, different integers are one number of floating point: they are compared as text alone.
const INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// A condition on the values of a field.
#[derive(Debug)]
pub(crate) enum Test {
    Exists,
    Words(Vec<Words>),
    /// Whole values, in their case or in lower case; and numbers.
    Values {
        texts: HashSet<String>,
        numbers: Vec<f64>,
        is_any_case: bool,
    },
    Fits(Regex),
    Range(Limits),
    Levels(Limits),
    Instants(TimeRange),
}

impl Test {
    pub(crate) fn new(field: &Field, condition: &Condition) -> Result<Self> {
        let is_prose = field.is_prose();
        Ok(match condition {
            Condition::Exists => Self::Exists,
            Condition::OneOf(texts) if is_prose => Self::Words(texts.iter().map(|text| Words::text(text)).collect::<Result<_>>()?),
            Condition::Text(text) if is_prose => Self::Words(vec![Words::text(text)?]),
            Condition::Sequence(words) if is_prose => Self::Words(vec![Words::sequence(words)?]),
            Condition::Wildcard(pieces) if is_prose => Self::Words(vec![Words::pattern(pieces)?]),
            Condition::OneOf(texts) => Self::values(field, texts.iter().map(String::as_str), *field == Field::Level),
            // Services are compared in their case, so that readers can skip by them.
            Condition::Text(text) => Self::values(field, [text.as_str()], *field != Field::Service),
            Condition::Sequence(words) => Self::values(field, [words.join(" ").as_str()], *field != Field::Service),
            Condition::Wildcard(pieces) => Self::Fits(whole(pieces)?),
            Condition::Regex(text) => Self::Fits(pattern::anywhere(text)?),
            Condition::WholeRegex(text) if is_prose => Self::Fits(pattern::anywhere(text)?),
            Condition::WholeRegex(text) => Self::Fits(pattern::whole(text)?),
            Condition::Range(bounds) if *field == Field::Level => Self::Levels(Limits::new(bounds)),
            Condition::Range(bounds) => Self::Range(Limits::new(bounds)),
            Condition::Instants(range) => Self::Instants(*range),
        })
    }

    fn values<'a>(field: &Field, texts: impl IntoIterator<Item = &'a str>, is_any_case: bool) -> Self {
        let (mut wanted, mut numbers) = (HashSet::new(), Vec::new());
        for text in texts {
            // `warning` is how people say `warn`.
            let text = if *field == Field::Level { level_of(0, text) } else { text.to_owned() };
            numbers.extend(number(&text).filter(|number| number.abs() < INTEGERS_MAX));
            wanted.insert(if is_any_case { text.to_lowercase() } else { text });
        }
        Self::Values { texts: wanted, numbers, is_any_case }
    }

    /// Whether the value passes.
    pub(crate) fn passes(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::Words(words) => words.iter().any(|words| words.is_in(&value.text)),
            Self::Values { texts, numbers, is_any_case } => {
                let is_text = if *is_any_case { contains_any_case(texts, &value.text) } else { texts.contains(value.text.as_ref()) };
                is_text || (!numbers.is_empty() && value.is_number() && value.number().is_some_and(|number| numbers.contains(&number)))
            }
            Self::Fits(regex) => regex.is_match(&value.text),
            Self::Range(limits) => limits.hold(value),
            Self::Levels(limits) => limits.hold_level(&value.text),
            Self::Instants(range) => times::of_value(value).is_some_and(|time_ns| range.contains_ns(time_ns)),
        }
    }
}

fn contains_any_case(texts: &HashSet<String>, text: &str) -> bool {
    match texts.iter().next() {
        // One text that has no capitals: without making lower case of the value.
        Some(wanted) if texts.len() == 1 && wanted.is_ascii() && text.is_ascii() => wanted.eq_ignore_ascii_case(text),
        _ => texts.contains(&text.to_lowercase()),
    }
}

/// The pattern of whole values.
fn whole(pieces: &[Piece]) -> Result<Regex> {
    let mut pattern = String::from("(?i)");
    for piece in pieces {
        match piece {
            Piece::Text(text) => pattern.push_str(&regex::escape(text)),
            Piece::Any => pattern.push_str(".*"),
            Piece::One => pattern.push('.'),
        }
    }
    crate::pattern::whole(&pattern)
}

/// Bounds as numbers where they are, else as text.
#[derive(Debug)]
pub(crate) struct Limits {
    low: Option<Limit>,
    high: Option<Limit>,
}

#[derive(Debug)]
struct Limit {
    text: String,
    number: Option<f64>,
    /// Severity number of the level, if it is one.
    level: i32,
    is_included: bool,
}

impl Limits {
    fn new(bounds: &Bounds) -> Self {
        let limit = |bound: &Option<(String, bool)>| {
            bound.as_ref().map(|(text, is_included)| Limit {
                number: number(text),
                level: level_number(&level_of(0, text)),
                text: text.clone(),
                is_included: *is_included,
            })
        };
        Self { low: limit(&bounds.low), high: limit(&bounds.high) }
    }

    fn hold(&self, value: &Value<'_>) -> bool {
        let compare = |limit: &Limit| match limit.number {
            // What is no number is in no range of numbers.
            Some(wanted) => value.number().and_then(|number| number.partial_cmp(&wanted)),
            None => Some(value.text.as_ref().cmp(limit.text.as_str())),
        };
        self.within(compare)
    }

    fn hold_level(&self, level: &str) -> bool {
        let number = level_number(level);
        self.within(|limit| (number > 0 && limit.level > 0).then(|| number.cmp(&limit.level)))
    }

    fn within(&self, compare: impl Fn(&Limit) -> Option<Ordering>) -> bool {
        let holds = |limit: &Option<Limit>, side: Ordering| {
            limit.as_ref().is_none_or(|limit| compare(limit).is_some_and(|order| order == side || (limit.is_included && order == Ordering::Equal)))
        };
        holds(&self.low, Ordering::Greater) && holds(&self.high, Ordering::Less)
    }
}

/// The first severity number of a level, 0 for what is none.
pub(crate) fn level_number(level: &str) -> i32 {
    match level {
        "trace" => 1,
        "debug" => 5,
        "info" => 9,
        "warn" => 13,
        "error" => 17,
        "fatal" => 21,
        _ => 0,
    }
}
