//! What all languages over logs share: names of labels, and finding the first records of a question.
//!
//! A language says what it asks as a [`LogFilter`]: what narrows the reading, and which rows of a batch fit. Everything else
//! (the order of parts, stopping early, how many records are held) is here once.

use arrow::record_batch::RecordBatch;
use signalbox_model::{Result, TimeRange, schema};
use signalbox_store::{LabelColumn, ScanRequest};

mod best;
mod find;
mod names;
mod visit;

pub(crate) use best::{Best, expected, rank};
pub(crate) use find::{best_rank, find, read_chosen};
pub(crate) use names::{LEVEL_LABELS, is_named, may_have_label};
pub use names::{SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
pub(crate) use visit::{Host, Visit, Visitor, visit};

/// Which end of time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Newest first.
    Backward,
    /// Oldest first.
    Forward,
}

/// Which of the records that fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct First {
    /// Records in this range.
    pub(crate) range: TimeRange,
    /// How many records at most.
    pub(crate) limit: usize,
    /// Which come first.
    pub(crate) direction: Direction,
}

/// What is asked of log records.
pub(crate) trait LogFilter {
    /// Narrows a scan of the table of logs. MUST NOT leave out a row that fits; MAY let others pass.
    fn narrow(&self, scan: &mut ScanRequest);

    /// Names of the columns that [`Self::retain`] looks at.
    fn columns(&self) -> Vec<&'static str>;

    /// Names of labels whose columns [`Self::retain`] looks at: `labels.<name>`, of attributes of records.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// Keeps the candidates that fit: numbers of rows of the batch, ascending. The batch has the columns asked for, maybe others.
    /// Answers how many bytes of lines were looked at.
    ///
    /// # Errors
    /// Whatever ends the question.
    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64>;
}

/// Columns of labels by name.
pub(crate) fn label_columns(mut names: Vec<String>) -> Vec<LabelColumn> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| LabelColumn { name, is_named }).collect()
}

/// The time, the columns of a filter, and others, by index.
fn projection(filter: &dyn LogFilter, others: &[&'static str]) -> Vec<usize> {
    let names = filter.columns().into_iter().chain(others.iter().copied()).chain([schema::TIMESTAMP]);
    let mut columns: Vec<usize> = names.map(|name| schema::index(&schema::logs(), name)).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
