//! Label filters before any parser, over columns: a value that many rows share is compared once.

use arrow::array::RecordBatch;
use signalbox_lang::logql::ast::{CompareOp, LabelFilter, Quantity};
use signalbox_model::{Matcher, Result};
use signalbox_store::Carried;

use super::fields::LabelReader;
use super::labels::Added;
use super::pipeline::compare_label;
use super::select::values_of;

/// A label filter over columns.
#[derive(Debug)]
pub(super) enum ColumnCondition {
    And(Box<ColumnCondition>, Box<ColumnCondition>),
    Or(Box<ColumnCondition>, Box<ColumnCondition>),
    Matcher { label: LabelReader, matcher: Matcher },
    Compare { label: LabelReader, op: CompareOp, value: Quantity },
}

/// What a filter says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Gone,
    Passes,
    /// It passes, and is marked: its value could not be compared.
    Marked,
}

impl Verdict {
    fn of(passes: bool) -> Self {
        if passes { Self::Passes } else { Self::Gone }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Gone, _) | (_, Self::Gone) => Self::Gone,
            (Self::Passes, Self::Passes) => Self::Passes,
            _ => Self::Marked,
        }
    }
}

impl ColumnCondition {
    /// `None` if columns do not tell: of labels that only a record with all its labels knows, and of addresses.
    pub(super) fn new(filter: &LabelFilter, added: Added) -> Option<Self> {
        let both = |left: &LabelFilter, right: &LabelFilter| Some((Box::new(Self::new(left, added)?), Box::new(Self::new(right, added)?)));
        Some(match filter {
            LabelFilter::And(left, right) => both(left, right).map(|(left, right)| Self::And(left, right))?,
            LabelFilter::Or(left, right) => both(left, right).map(|(left, right)| Self::Or(left, right))?,
            LabelFilter::Matcher(matcher) => Self::Matcher { label: LabelReader::exact(&matcher.name, added)?, matcher: matcher.clone() },
            LabelFilter::Compare { label, op, value } => Self::Compare { label: LabelReader::exact(label, added)?, op: *op, value: *value },
            LabelFilter::Ip { .. } => return None,
        })
    }

    /// Whether it may mark records.
    pub(super) fn may_mark(&self) -> bool {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.may_mark() || right.may_mark(),
            Self::Matcher { .. } => false,
            Self::Compare { .. } => true,
        }
    }

    /// Adds what it reads.
    pub(super) fn readers<'a>(&'a self, readers: &mut Vec<&'a LabelReader>) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.readers(readers);
                right.readers(readers);
            }
            Self::Matcher { label, .. } | Self::Compare { label, .. } => readers.push(label),
        }
    }

    /// What every record that passes carries.
    pub(super) fn carried(&self) -> Vec<Carried> {
        match self {
            Self::And(left, right) => [left.carried(), right.carried()].concat(),
            // Of each side one is enough: together they say what either carries.
            Self::Or(left, right) => match (left.carried().into_iter().next(), right.carried().into_iter().next()) {
                (Some(left), Some(right)) => left.or(right).into_iter().collect(),
                _ => Vec::new(),
            },
            Self::Matcher { label, matcher } => values_of(matcher).and_then(|values| label.carried(&values)).into_iter().collect(),
            Self::Compare { .. } => Vec::new(),
        }
    }

    /// Verdicts of rows, into an empty list.
    pub(super) fn judge(&mut self, rows: &RecordBatch, wanted: &[usize], out: &mut Vec<Verdict>) -> Result<()> {
        match self {
            Self::Matcher { label, matcher } => label.map(rows, wanted, |value| Verdict::of(matcher.matches(value.unwrap_or_default())), out),
            Self::Compare { label, op, value } => {
                let judge = |text: Option<&str>| text.map_or(Verdict::Gone, |text| compare_label(text, *op, *value).map_or(Verdict::Marked, Verdict::of));
                label.map(rows, wanted, judge, out)
            }
            Self::And(left, right) => {
                let mut others = Vec::new();
                left.judge(rows, wanted, out)?;
                right.judge(rows, wanted, &mut others)?;
                out.iter_mut().zip(others).for_each(|(own, other)| *own = own.and(other));
                Ok(())
            }
            // What the left lets pass the right does not look at.
            Self::Or(left, right) => {
                let mut others = Vec::new();
                left.judge(rows, wanted, out)?;
                right.judge(rows, wanted, &mut others)?;
                out.iter_mut().zip(others).filter(|(own, _)| **own == Verdict::Gone).for_each(|(own, other)| *own = other);
                Ok(())
            }
        }
    }
}
