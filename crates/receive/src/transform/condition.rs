//! Which records a rule or a step is for.

use std::collections::BTreeMap;

use glob::Pattern;
use regex::Regex;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

use super::field::Field;
use super::limits::compile;
use crate::logs::{Record, severity};

/// A condition; all that it says must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Doors, by the words of `signalbox_receive_requests_total{protocol}`: `otlp_http`, `loki`, `syslog`, `files`, …
    pub doors: Vec<String>,
    /// Services, with `*` and `?` for any text and any character.
    pub services: Vec<String>,
    /// Fields and the regular expressions that their text must match somewhere; a missing field is the empty text.
    pub fields: BTreeMap<String, String>,
    /// Fields and the regular expressions that their text must not match.
    pub not_fields: BTreeMap<String, String>,
    /// A word such as `info`: the severity is known and lower.
    pub severity_below: String,
    /// A word such as `error`: the severity is known and not lower.
    pub severity_at_least: String,
}

/// A condition, compiled. The default holds for every record.
#[derive(Debug, Default)]
pub(super) struct Test {
    services: Vec<Pattern>,
    fields: Vec<(Field, Regex, bool)>,
    below: Option<i32>,
    at_least: Option<i32>,
}

impl Test {
    pub(super) fn new(condition: &Condition, place: &str) -> Result<Self> {
        let pattern = |(number, text): (usize, &String)| {
            Pattern::new(text).map_err(|error| Error::invalid(format!("{place}.services[{number}]: cannot read pattern {text:?}: {}", error.msg)))
        };
        let services = condition.services.iter().enumerate().map(pattern).collect::<Result<_>>()?;
        let mut fields = Vec::new();
        for (section, all, wanted) in [("fields", &condition.fields, true), ("not_fields", &condition.not_fields, false)] {
            for (name, pattern) in all {
                fields.push((Field::named(name), compile(pattern, &format!("{place}.{section}.{name}"))?, wanted));
            }
        }
        let word = |name: &str, text: &str| match text {
            "" => Ok(None),
            _ => {
                severity::of_word(text).map(Some).ok_or_else(|| Error::invalid(format!("{place}.{name}: {text:?} is no severity: want a word such as `info`")))
            }
        };
        let below = word("severity_below", &condition.severity_below)?;
        Ok(Self { services, fields, below, at_least: word("severity_at_least", &condition.severity_at_least)? })
    }

    pub(super) fn holds(&self, record: &Record<'_>) -> bool {
        if !self.services.is_empty() {
            let service = record.origin.text("service.name").or_else(|| record.origin.text("service_name")).unwrap_or_default();
            if !self.services.iter().any(|pattern| pattern.matches(service)) {
                return false;
            }
        }
        let number = record.severity_number;
        if self.below.is_some_and(|below| number == 0 || number >= below) || self.at_least.is_some_and(|least| number == 0 || number < least) {
            return false;
        }
        self.fields.iter().all(|(field, regex, wanted)| regex.is_match(&field.text(record).unwrap_or_default()) == *wanted)
    }
}
