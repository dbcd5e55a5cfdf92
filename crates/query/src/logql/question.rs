//! A log query, compiled: what is decided column by column, and the stages that need all labels of a record.

use arrow::record_batch::RecordBatch;
use signalbox_lang::logql::{LogExpr, Stage};
use signalbox_model::schema::logs;
use signalbox_model::{Result, TextFilter};
use signalbox_store::ScanRequest;

use super::conditions::{ColumnCondition, Verdict};
use super::fields::LabelReader;
use super::labels::Added;
use super::lines::LineFilters;
use super::select::Selector;
use crate::logs::LogFilter;

/// The part of a query that is decided column by column: its selector, and the filters of lines and labels before any other stage.
pub(super) struct Question {
    selector: Selector,
    conditions: Vec<ColumnCondition>,
    lines: LineFilters,
    /// What the text of a record that passes holds beside.
    text: TextFilter,
    is_decided: bool,
    has_marked: bool,
}

impl Question {
    /// The question, and the stages that records which pass it go through: none if they change nothing.
    ///
    /// # Errors
    /// `Invalid` for a pattern that does not compile.
    pub(super) fn new(expr: &LogExpr, added: Added) -> Result<(Self, &[Stage])> {
        let (mut lines, mut conditions, mut decided) = (Vec::new(), Vec::new(), 0);
        for stage in &expr.stages {
            match stage {
                stage if LineFilters::takes(stage) => lines.push(stage),
                Stage::Label(filter) => match ColumnCondition::new(filter, added) {
                    Some(condition) => conditions.push(condition),
                    None => break,
                },
                _ => break,
            }
            decided += 1;
        }
        let is_decided = decided == expr.stages.len();
        let first = expr.stages.iter().take_while(|stage| LineFilters::takes(stage)).count();
        // What parsers look for depends on all filters of labels, so those decided here stay before other stages.
        let rest = if is_decided && !conditions.iter().any(ColumnCondition::may_mark) { &[] } else { &expr.stages[first..] };
        let (selector, lines) = (Selector::new(&expr.matchers, added), LineFilters::new(&lines)?);
        Ok((Self { selector, conditions, lines, text: TextFilter::default(), is_decided, has_marked: false }, rest))
    }

    /// Only records whose text fits pass the stages that are left.
    pub(super) fn expect(&mut self, text: &TextFilter) {
        self.text.clauses.extend(text.clauses.iter().cloned());
    }

    /// Whether all records that pass it pass the stages that are left.
    pub(super) fn is_decided(&self) -> bool {
        self.is_decided
    }

    /// Whether a record passed that the stages mark with an error.
    pub(super) fn has_marked(&self) -> bool {
        self.has_marked
    }

    fn readers(&self) -> Vec<&LabelReader> {
        let mut readers = Vec::new();
        self.conditions.iter().for_each(|condition| condition.readers(&mut readers));
        readers
    }
}

impl LogFilter for Question {
    fn narrow(&self, scan: &mut ScanRequest) {
        self.selector.narrow(scan);
        self.lines.narrow(scan);
        scan.carried.extend(self.conditions.iter().flat_map(ColumnCondition::carried));
        for clause in &self.text.clauses {
            if !scan.text.clauses.contains(clause) {
                scan.text.clauses.push(clause.clone());
            }
        }
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = self.selector.columns();
        columns.extend(self.readers().into_iter().flat_map(LabelReader::columns));
        if !self.lines.is_empty() {
            columns.push(logs::BODY);
        }
        columns
    }

    fn labels(&self) -> Vec<String> {
        let mut labels = self.selector.labels();
        labels.extend(self.readers().into_iter().filter_map(LabelReader::label).map(str::to_owned));
        labels
    }

    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        self.selector.retain(rows, candidates)?;
        let (mut verdicts, mut marked) = (Vec::new(), Vec::new());
        for condition in &mut self.conditions {
            verdicts.clear();
            condition.judge(rows, candidates, &mut verdicts)?;
            marked.extend(candidates.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Marked).map(|(row, _)| *row));
            let mut verdicts = verdicts.iter();
            candidates.retain(|_| verdicts.next().is_some_and(|verdict| *verdict != Verdict::Gone));
        }
        let bytes = self.lines.retain(rows, candidates)?;
        self.has_marked |= marked.iter().any(|row| candidates.binary_search(row).is_ok());
        Ok(bytes)
    }
}
