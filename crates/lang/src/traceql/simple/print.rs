//! A syntax tree back to text; the text parses to an equal tree.

use std::fmt;

use super::ast::{AttributeScope, Comparison, Condition, Field, SpanFilter, Value};
use crate::{
    go_duration,
    text::quote,
    traceql::tree::{KIND_WORDS, STATUS_WORDS},
};

impl fmt::Display for SpanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.condition {
            Some(condition) => write!(f, "{{ {condition} }}"),
            None => f.write_str("{}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The right side in parentheses when it is a chain itself: chains associate to the left.
            Self::And(left, right) => write!(f, "{} && {}", grouped(left, |inner| matches!(inner, Self::Or(..))), grouped(right, Self::is_chain)),
            Self::Or(left, right) => write!(f, "{left} || {}", grouped(right, |inner| matches!(inner, Self::Or(..)))),
            Self::Compare(comparison) => comparison.fmt(f),
            Self::Constant(value) => value.fmt(f),
        }
    }
}

impl Condition {
    fn is_chain(&self) -> bool {
        matches!(self, Self::And(..) | Self::Or(..))
    }
}

fn grouped(condition: &Condition, needs_parentheses: impl Fn(&Condition) -> bool) -> String {
    if needs_parentheses(condition) { format!("({condition})") } else { condition.to_string() }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.field, self.op.as_str(), self.value)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, name) = match self {
            Self::Name => return f.write_str("name"),
            Self::Duration => return f.write_str("duration"),
            Self::Status => return f.write_str("status"),
            Self::StatusMessage => return f.write_str("statusMessage"),
            Self::Kind => return f.write_str("kind"),
            Self::Attribute(scope, name) => (scope, name),
        };
        f.write_str(match scope {
            AttributeScope::Any => ".",
            AttributeScope::Span => "span.",
            AttributeScope::Resource => "resource.",
        })?;
        if !name.is_empty() && name.chars().all(super::lex::is_name_character) { f.write_str(name) } else { f.write_str(&quote(name)) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |words: &[&'static str], code: i32| usize::try_from(code).ok().and_then(|code| words.get(code).copied()).unwrap_or("unset");
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Bool(value) => value.fmt(f),
            Self::Duration(nanoseconds) => f.write_str(&go_duration::print(*nanoseconds)),
            Self::Status(code) => f.write_str(word(&STATUS_WORDS, *code)),
            Self::Kind(code) => f.write_str(word(&KIND_WORDS, *code)),
            Self::Nil => f.write_str("nil"),
        }
    }
}
