//! What a record must hold, as a tree that all languages of search are read into.

use std::collections::HashMap;

use signalbox_lang::search::Piece;
use signalbox_model::TimeRange;

use super::field::Field;

/// What a record must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Nothing.
    All,
    /// What no record does.
    Nothing,
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A field has a value that fits.
    Field(Field, Condition),
}

/// What a value must be. A field with several values fits if one does. Values are compared as numbers when what they are
/// compared with is one.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Any value at all.
    Exists,
    /// One of these values, in their case. In prose: a word.
    OneOf(Vec<String>),
    /// Prose that holds this text as whole words, or another value that is it; in either case.
    Text(String),
    /// Prose that holds these words one after the other, or another value that is this text; in either case.
    Sequence(Vec<String>),
    /// Prose that holds a word like this, or another value that is like this; in either case.
    Wildcard(Vec<Piece>),
    /// A value in which a place fits the regular expression.
    Regex(String),
    /// A value that as a whole fits the regular expression; in prose a place is enough.
    WholeRegex(String),
    /// A value between bounds.
    Range(Bounds),
    /// An instant in this range; of other values, a date written as RFC 3339 or a number of milliseconds.
    Instants(TimeRange),
}

/// Values between bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bounds {
    /// The lower bound, and whether it is in the range.
    pub low: Option<(String, bool)>,
    /// The upper bound, and whether it is in the range.
    pub high: Option<(String, bool)>,
}

impl Filter {
    /// All of these, as simple as it can be said.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for filter in filters {
            match filter {
                Self::All => {}
                Self::Nothing => return Self::Nothing,
                Self::And(filters) => all.extend(filters),
                other => all.push(other),
            }
        }
        match all.len() {
            0 => Self::All,
            1 => all.remove(0),
            _ => Self::And(all),
        }
    }

    /// One of these, as simple as it can be said.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for filter in filters {
            match filter {
                Self::Nothing => {}
                Self::All => return Self::All,
                Self::Or(filters) => any.extend(filters),
                other => any.push(other),
            }
        }
        match any.len() {
            0 => Self::Nothing,
            1 => any.remove(0),
            _ => Self::Or(any),
        }
    }

    /// Not this.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// At least so many of these; tells apart what counting cannot.
    pub fn at_least(count: usize, filters: Vec<Self>) -> Option<Self> {
        match count {
            0 => Some(Self::All),
            1 => Some(Self::any_of(filters)),
            _ if count == filters.len() => Some(Self::all_of(filters)),
            _ if count > filters.len() => Some(Self::Nothing),
            // As a tree it would grow without bound.
            _ => None,
        }
    }

    /// Fields that are tested, with how often.
    pub fn fields(&self) -> HashMap<&Field, usize> {
        let (mut fields, mut open) = (HashMap::new(), vec![self]);
        while let Some(filter) = open.pop() {
            match filter {
                Self::All | Self::Nothing => {}
                Self::And(filters) | Self::Or(filters) => open.extend(filters),
                Self::Not(inner) => open.push(inner),
                Self::Field(field, _) => *fields.entry(field).or_default() += 1,
            }
        }
        fields
    }
}
