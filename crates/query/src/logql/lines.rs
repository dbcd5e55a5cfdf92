//! Line filters: what a line must hold and what it must not.

use arrow::array::{Array, RecordBatch, StringArray};
use memchr::memmem::Finder;
use regex::Regex;
use signalbox_lang::logql::{LineFilter, LineOp, LinePattern, Stage};
use signalbox_model::schema::logs;
use signalbox_model::{Phrase, Result};
use signalbox_store::ScanRequest;

use crate::pattern;
use crate::rows::column;

/// All line filters of a query, compiled.
pub(super) struct LineFilters {
    filters: Vec<Filter>,
    /// What lines that pass hold: one of each.
    phrases: Vec<Vec<Phrase>>,
}

struct Filter {
    is_negative: bool,
    alternatives: Vec<Needle>,
}

enum Needle {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl LineFilters {
    /// Whether a stage is a filter of this kind: of text or a regular expression.
    pub(super) fn takes(stage: &Stage) -> bool {
        let Stage::Line(filter) = stage else { return false };
        let is_plain = !matches!(filter.op, LineOp::HasPattern | LineOp::LacksPattern);
        is_plain && filter.alternatives.iter().all(|alternative| matches!(alternative, LinePattern::Text(_)))
    }

    /// Compiles those of some stages that are filters of this kind.
    pub(super) fn new(stages: &[Stage]) -> Result<Self> {
        let filters: Vec<&LineFilter> = stages.iter().filter_map(|stage| if let Stage::Line(filter) = stage { Some(filter) } else { None }).collect();
        let phrases = filters.iter().filter_map(|filter| phrases(filter)).collect();
        let filters = filters.into_iter().map(Filter::new).collect::<Result<_>>()?;
        Ok(Self { filters, phrases })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Narrows a scan to rows whose line may pass.
    pub(super) fn narrow(&self, scan: &mut ScanRequest) {
        scan.text.clauses.extend(self.phrases.iter().cloned());
    }

    /// Keeps the candidates whose line passes. Answers how many bytes of lines were looked at.
    pub(super) fn retain(&self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        if self.filters.is_empty() {
            return Ok(0);
        }
        let body: &StringArray = column(rows, logs::BODY)?;
        let mut bytes = 0;
        candidates.retain(|row| {
            let line = if body.is_valid(*row) { body.value(*row) } else { "" };
            bytes += line.len() as u64;
            self.filters.iter().all(|filter| filter.passes(line))
        });
        Ok(bytes)
    }
}

/// What a line that passes holds, one of them; `None` if nothing is sure.
fn phrases(filter: &LineFilter) -> Option<Vec<Phrase>> {
    if filter.op != LineOp::Contains {
        return None;
    }
    let text = |pattern: &LinePattern| match pattern {
        LinePattern::Text(text) if !text.is_empty() => Some(Phrase::anywhere(text)),
        _ => None,
    };
    filter.alternatives.iter().map(text).collect()
}

impl Filter {
    fn new(filter: &LineFilter) -> Result<Self> {
        let needle = |alternative: &LinePattern| {
            let (LinePattern::Text(text) | LinePattern::Ip(text)) = alternative;
            if filter.op.is_regex() { pattern::anywhere(text).map(Needle::Regex) } else { Ok(Needle::Text(Box::new(Finder::new(text).into_owned()))) }
        };
        let alternatives = filter.alternatives.iter().map(needle).collect::<Result<_>>()?;
        Ok(Self { is_negative: filter.op.is_negative(), alternatives })
    }

    fn passes(&self, line: &str) -> bool {
        let has_one = self.alternatives.iter().any(|needle| match needle {
            Needle::Text(finder) => finder.find(line.as_bytes()).is_some(),
            Needle::Regex(regex) => regex.is_match(line),
        });
        has_one != self.is_negative
    }
}
