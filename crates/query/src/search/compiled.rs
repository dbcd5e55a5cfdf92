//! A filter, compiled: which rows of a batch fit. Cheap tests come first, so that dear ones see few rows.

use arrow::array::{Array, RecordBatch, StringArray, TimestampNanosecondArray};
use signalbox_model::TimeRange;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Result};
use signalbox_store::ScanRequest;

use super::condition::Test;
use super::field::Field;
use super::filter::{Condition, Filter};
use super::narrow::Narrow;
use super::value::Value;
use super::view::Probe;
use crate::logs::LogFilter;
use crate::rows::{AttributeColumns, Texts, column};

/// Depth of a tree.
const NESTING_MAX: usize = 128;
/// Tests of a tree.
const TESTS_MAX: usize = 4_096;
/// Values that tests compare with.
const VALUES_MAX: usize = 65_536;

/// A filter that can be asked for the rows of a batch.
#[derive(Debug)]
pub(crate) struct Compiled {
    root: Node,
    narrow: Narrow,
    columns: Vec<&'static str>,
    bytes: u64,
}

#[derive(Debug)]
enum Node {
    All,
    Nothing,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// The column and the instants.
    Time(&'static str, TimeRange),
    Any(Test),
    Field(Probe, Test),
}

impl Compiled {
    /// Compiles a filter.
    ///
    /// # Errors
    /// `Invalid` for a regular expression that is none, and for a tree too deep or too large.
    pub(crate) fn new(filter: &Filter) -> Result<Self> {
        let mut tests = 0;
        let root = Node::new(filter, 0, &mut tests)?;
        let mut columns: Vec<&'static str> = filter.fields().keys().flat_map(|field| field.columns()).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        Ok(Self { root, narrow: Narrow::of(filter), columns, bytes: 0 })
    }

    /// Instants outside of which nothing fits.
    pub(crate) fn range(&self) -> TimeRange {
        self.narrow.range()
    }
}

impl LogFilter for Compiled {
    fn narrow(&self, scan: &mut ScanRequest) {
        self.narrow.apply(scan);
    }

    fn columns(&self) -> Vec<&'static str> {
        self.columns.clone()
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        self.bytes = 0;
        self.root.retain(rows, candidates, &mut self.bytes)?;
        Ok(self.bytes)
    }
}

impl Node {
    fn new(filter: &Filter, depth: usize, tests: &mut usize) -> Result<Self> {
        if depth > NESTING_MAX {
            return Err(Error::invalid(format!("cannot search: the query nests deeper than {NESTING_MAX}")));
        }
        let many = |filters: &[Filter], tests: &mut usize| {
            let mut nodes = filters.iter().map(|filter| Self::new(filter, depth + 1, tests)).collect::<Result<Vec<_>>>()?;
            nodes.sort_by_key(Self::cost);
            Ok::<_, Error>(nodes)
        };
        Ok(match filter {
            Filter::All => Self::All,
            Filter::Nothing => Self::Nothing,
            Filter::And(filters) => Self::And(many(filters, tests)?),
            Filter::Or(filters) => Self::Or(many(filters, tests)?),
            Filter::Not(inner) => Self::Not(Box::new(Self::new(inner, depth + 1, tests)?)),
            Filter::Field(field, condition) => {
                *tests += 1;
                if *tests > TESTS_MAX {
                    return Err(Error::invalid(format!("cannot search: the query has more than {TESTS_MAX} clauses")));
                }
                if matches!(condition, Condition::OneOf(values) if values.len() > VALUES_MAX) {
                    return Err(Error::invalid(format!("cannot search: one of more than {VALUES_MAX} values")));
                }
                Self::test(field, condition)?
            }
        })
    }

    fn test(field: &Field, condition: &Condition) -> Result<Self> {
        match (field, condition) {
            (Field::Timestamp, Condition::Instants(range)) => return Ok(Self::Time(schema::TIMESTAMP, *range)),
            (Field::ObservedTimestamp, Condition::Instants(range)) => return Ok(Self::Time(logs::OBSERVED_TIMESTAMP, *range)),
            _ => {}
        }
        let test = Test::new(field, condition)?;
        Ok(if *field == Field::Any { Self::Any(test) } else { Self::Field(Probe::new(field.clone()), test) })
    }

    fn cost(&self) -> u32 {
        match self {
            Self::All | Self::Nothing | Self::Time(..) => 0,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().map(Self::cost).fold(1, u32::saturating_add),
            Self::Not(node) => node.cost(),
            Self::Any(_) => Field::Any.cost(),
            Self::Field(probe, _) => probe.field().cost(),
        }
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>, bytes: &mut u64) -> Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        match self {
            Self::All => {}
            Self::Nothing => candidates.clear(),
            Self::And(nodes) => {
                for node in nodes {
                    node.retain(rows, candidates, bytes)?;
                }
            }
            Self::Or(nodes) => {
                let (mut left, mut fitting) = (std::mem::take(candidates), Vec::new());
                for node in nodes {
                    let mut fits = left.clone();
                    node.retain(rows, &mut fits, bytes)?;
                    left = without(&left, &fits);
                    fitting = merged(&fitting, &fits);
                }
                *candidates = fitting;
            }
            Self::Not(node) => {
                let mut fits = candidates.clone();
                node.retain(rows, &mut fits, bytes)?;
                *candidates = without(candidates, &fits);
            }
            Self::Time(name, range) => {
                let times: &TimestampNanosecondArray = column(rows, name)?;
                candidates.retain(|row| times.is_valid(*row) && range.contains_ns(times.value(*row)));
            }
            Self::Any(test) => any(test, rows, candidates, bytes)?,
            Self::Field(probe, test) => {
                let is_text = *probe.field() == Field::Body;
                probe.open(rows)?.retain(candidates, &mut |value| {
                    *bytes += if is_text { value.text.len() as u64 } else { 0 };
                    test.passes(value)
                });
            }
        }
        Ok(())
    }
}

/// Rows whose body, name of the event or own attributes pass.
fn any(test: &Test, rows: &RecordBatch, candidates: &mut Vec<usize>, bytes: &mut u64) -> Result<()> {
    let (body, events, attributes): (&StringArray, _, _) = (column(rows, logs::BODY)?, Texts::of(rows, logs::EVENT_NAME)?, AttributeColumns::of(rows)?);
    let mut by_event: Vec<Option<bool>> = vec![None; events.distinct()];
    candidates.retain(|row| {
        let line = if body.is_valid(*row) { body.value(*row) } else { "" };
        *bytes += line.len() as u64;
        let code = events.code(*row);
        test.passes(&Value::text(line))
            || *by_event[code].get_or_insert_with(|| !events.value(code).is_empty() && test.passes(&Value::text(events.value(code))))
            || attributes.typed(*row).any(|(_, text, _)| test.passes(&Value::text(text)))
    });
    Ok(())
}

/// What of the first is not in the second; both ascend.
fn without(all: &[usize], some: &[usize]) -> Vec<usize> {
    let mut some = some.iter().peekable();
    all.iter().filter(|row| some.next_if_eq(row).is_none()).copied().collect()
}

/// Both together, which have nothing in common; all ascend.
fn merged(left: &[usize], right: &[usize]) -> Vec<usize> {
    let mut both = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(one), Some(other)) if one <= other => both.extend(left.next()),
            (_, Some(_)) => both.extend(right.next()),
            (Some(_), None) => both.extend(left.next()),
            (None, None) => return both,
        }
    }
}
