//! Line filters: what a line must hold and what it must not.

use arrow::array::{Array, RecordBatch, StringArray};
use memchr::memmem::Finder;
use regex::Regex;
use signalbox_lang::logql::{LineFilter, LineOp, LinePattern, Stage};
use signalbox_model::schema::logs;
use signalbox_model::{Error, Result};

use crate::pattern;
use crate::rows::column;

/// All line filters of a query, compiled.
pub(super) struct LineFilters(Vec<Filter>);

struct Filter {
    is_negative: bool,
    alternatives: Vec<Needle>,
}

enum Needle {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl LineFilters {
    pub(super) fn new(stages: &[Stage]) -> Result<Self> {
        let unsupported = || Error::invalid("not supported yet: stages other than line filters");
        let compile = |filter: &LineFilter| {
            let needle = |alternative: &LinePattern| match (filter.op, alternative) {
                (LineOp::Matches | LineOp::NotMatches, LinePattern::Text(text)) => pattern::anywhere(text).map(Needle::Regex),
                (LineOp::Contains | LineOp::NotContains, LinePattern::Text(text)) => Ok(Needle::Text(Box::new(Finder::new(text).into_owned()))),
                _ => Err(unsupported()),
            };
            let alternatives = filter.alternatives.iter().map(needle).collect::<Result<_>>()?;
            Ok(Filter { is_negative: filter.op.is_negative(), alternatives })
        };
        let filters = stages.iter().map(|stage| match stage {
            Stage::Line(filter) => compile(filter),
            _ => Err(unsupported()),
        });
        filters.collect::<Result<_>>().map(Self)
    }

    /// Keeps the candidates whose line passes. Answers how many bytes of lines were looked at.
    pub(super) fn retain(&self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<u64> {
        let body: &StringArray = column(rows, logs::BODY)?;
        let mut bytes = 0;
        candidates.retain(|row| {
            let line = if body.is_valid(*row) { body.value(*row) } else { "" };
            bytes += line.len() as u64;
            self.0.iter().all(|filter| filter.passes(line))
        });
        Ok(bytes)
    }
}

impl Filter {
    fn passes(&self, line: &str) -> bool {
        let has_one = self.alternatives.iter().any(|needle| match needle {
            Needle::Text(finder) => finder.find(line.as_bytes()).is_some(),
            Needle::Regex(regex) => regex.is_match(line),
        });
        has_one != self.is_negative
    }
}
