//! Conditions over labels.

use signalbox_lang::go_duration;
use signalbox_lang::logql::ast::{CompareOp, LabelFilter, Quantity};
use signalbox_lang::logql::parse_bytes;
use signalbox_lang::text::quote;
use signalbox_model::{Matcher, Result};

use super::ip::IpSet;
use super::labels::{ERROR_DETAILS_LABEL, ERROR_LABEL, LabelSet};

const FILTER_ERROR: &str = "LabelFilterErr";

/// A condition, compiled.
#[derive(Debug)]
pub(super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Matcher(Matcher),
    Compare { label: String, op: CompareOp, value: Quantity },
    Ip { label: String, is_negative: bool, addresses: IpSet },
}

impl Condition {
    pub(super) fn new(filter: &LabelFilter) -> Result<Self> {
        Ok(match filter {
            LabelFilter::And(left, right) => Self::And(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            LabelFilter::Or(left, right) => Self::Or(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            LabelFilter::Matcher(matcher) => Self::Matcher(matcher.clone()),
            LabelFilter::Compare { label, op, value } => Self::Compare { label: label.clone(), op: *op, value: *value },
            LabelFilter::Ip { label, is_negative, pattern } => Self::Ip { label: label.clone(), is_negative: *is_negative, addresses: IpSet::parse(pattern)? },
        })
    }

    /// Whether the record stays. A value that cannot be compared marks the record and lets it pass.
    pub(super) fn passes(&self, labels: &mut LabelSet) -> bool {
        match self {
            // What can fail on the right may mark the record only if the left lets it pass.
            Self::And(left, right) => left.passes(labels) && right.passes(labels),
            Self::Or(left, right) => left.passes(labels) || right.passes(labels),
            Self::Matcher(matcher) => matcher.matches(labels.get(&matcher.name).unwrap_or_default()),
            Self::Compare { label, op, value } => {
                // Only matchers see errors.
                let is_error = label == ERROR_LABEL || label == ERROR_DETAILS_LABEL;
                let Some(text) = labels.get(label).filter(|_| !is_error) else { return false };
                match compare(text, *op, *value) {
                    Ok(holds) => holds,
                    Err(details) => {
                        // The first error is the more useful one.
                        if labels.error().is_none() {
                            labels.set_error(FILTER_ERROR, &details);
                        }
                        true
                    }
                }
            }
            // After an error only matchers filter.
            Self::Ip { .. } if labels.error().is_some() => true,
            Self::Ip { label, is_negative, addresses } => labels.get(label).is_some_and(|text| addresses.is_in(text) != *is_negative),
        }
    }

    /// Adds the names of labels that it looks at.
    pub(super) fn labels(&self, names: &mut Vec<String>) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.labels(names);
                right.labels(names);
            }
            Self::Matcher(matcher) => names.push(matcher.name.clone()),
            Self::Compare { label, .. } | Self::Ip { label, .. } => names.push(label.clone()),
        }
    }
}

/// Whether a comparison of a value holds.
///
/// # Errors
/// Why the value cannot be compared.
pub(in crate::logql) fn compare(text: &str, op: CompareOp, value: Quantity) -> Result<bool, String> {
    Ok(match value {
        Quantity::Number(want) => op.holds(number(text)?, want),
        Quantity::Duration(want) => op.holds(duration_ns(text)?, want),
        Quantity::Bytes(want) => op.holds(bytes(text)?, want),
    })
}

pub(super) fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(text)))
}

pub(super) fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| {
        let number: String = text.chars().take_while(|character| character.is_ascii_digit() || ".,".contains(*character)).collect();
        match number.replace(',', "").parse::<f64>() {
            Ok(_) => format!("unhandled size name: {}", text[number.len()..].trim()),
            Err(_) => format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(&number)),
        }
    })
}

/// Nanoseconds of a duration of Go, with a sign or none.
pub(super) fn duration_ns(text: &str) -> Result<i64, String> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let nanoseconds = go_duration::parse(unsigned).ok_or_else(|| why_no_duration(text, unsigned))?;
    Ok(if is_negative { -nanoseconds } else { nanoseconds })
}

/// What is wrong with a duration, in the words of Go.
fn why_no_duration(text: &str, unsigned: &str) -> String {
    let is_number = |character: char| character.is_ascii_digit() || character == '.';
    let invalid = || format!("time: invalid duration {}", quote(text));
    let mut rest = unsigned;
    while !rest.is_empty() {
        let digits = rest.find(|character| !is_number(character)).unwrap_or(rest.len());
        if rest[..digits].parse::<f64>().is_err() {
            return invalid();
        }
        rest = &rest[digits..];
        let unit = &rest[..rest.find(is_number).unwrap_or(rest.len())];
        if unit.is_empty() {
            return format!("time: missing unit in duration {}", quote(text));
        }
        if !["ns", "us", "µs", "μs", "ms", "s", "m", "h"].contains(&unit) {
            return format!("time: unknown unit {} in duration {}", quote(unit), quote(text));
        }
        rest = &rest[unit.len()..];
    }
    invalid()
}
