//! A log query, compiled: what is decided column by column, and the stages that need all labels of a record.

use arrow::record_batch::RecordBatch;
use signalbox_lang::logql::{LogExpr, Stage};
use signalbox_model::schema::logs;
use signalbox_model::{Result, TextFilter};
use signalbox_store::ScanRequest;

use super::labels::Added;
use super::lines::LineFilters;
use super::select::Selector;
use crate::logs::LogFilter;

/// The part of a query that is decided column by column: its selector, and the line filters before any other stage.
pub(super) struct Question {
    selector: Selector,
    lines: LineFilters,
    /// What the text of a record that passes holds beside.
    text: TextFilter,
}

impl Question {
    /// The question, and the stages that are left.
    ///
    /// # Errors
    /// `Invalid` for a pattern that does not compile.
    pub(super) fn new(expr: &LogExpr, added: Added) -> Result<(Self, &[Stage])> {
        let lines = expr.stages.iter().take_while(|stage| LineFilters::takes(stage)).count();
        let (lines, rest) = expr.stages.split_at(lines);
        Ok((Self { selector: Selector::new(&expr.matchers, added), lines: LineFilters::new(lines)?, text: TextFilter::default() }, rest))
    }

    /// Only records whose text fits pass the stages that are left.
    pub(super) fn expect(&mut self, text: &TextFilter) {
        self.text.clauses.extend(text.clauses.iter().cloned());
    }
}

impl LogFilter for Question {
    fn narrow(&self, scan: &mut ScanRequest) {
        self.selector.narrow(scan);
        self.lines.narrow(scan);
        scan.text.clauses.extend(self.text.clauses.iter().cloned());
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = self.selector.columns();
        if !self.lines.is_empty() {
            columns.push(logs::BODY);
        }
        columns
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        self.selector.retain(rows, candidates)?;
        self.lines.retain(rows, candidates)
    }
}
