//! Line filters: what a line must hold and what it must not.

use std::ops::Range;

use arrow::array::{Array, BooleanBufferBuilder, RecordBatch, StringArray};
use memchr::memmem::Finder;
use regex::Regex;
use signalbox_lang::logql::pattern::{Piece, parse_filter};
use signalbox_lang::logql::{LineFilter, LineOp, LinePattern, Stage};
use signalbox_model::schema::logs;
use signalbox_model::{Phrase, Result};
use signalbox_store::ScanRequest;

use crate::rows::column;
use crate::{literals, pattern};

/// All line filters of a query, compiled.
pub(super) struct LineFilters {
    filters: Vec<Filter>,
    /// What lines that pass hold: one of each.
    phrases: Vec<Vec<Phrase>>,
}

struct Filter {
    is_negative: bool,
    alternatives: Vec<Needle>,
    /// Of regular expressions: texts of which each line that matches holds one; none if nothing is sure.
    held: Vec<Finder<'static>>,
}

/// Texts that all lines are searched for before a regular expression is.
const HELD_MAX: usize = 4;

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
    pub(super) fn new(stages: &[&Stage]) -> Result<Self> {
        let filters: Vec<&LineFilter> = stages.iter().filter_map(|stage| if let Stage::Line(filter) = stage { Some(filter) } else { None }).collect();
        let phrases = filters.iter().flat_map(|filter| phrases(filter)).collect();
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
        let offsets = body.value_offsets();
        let bytes = candidates.iter().map(|row| (offsets[*row + 1] - offsets[*row]) as u64).sum();
        for filter in &self.filters {
            let (Some(first), Some(last)) = (candidates.first(), candidates.last()) else { break };
            let is_dense = candidates.len() * DENSE >= last + 1 - first;
            match filter.texts().filter(|_| is_dense) {
                Some(finders) => {
                    let mut found = BooleanBufferBuilder::new(last + 1 - first);
                    found.append_n(last + 1 - first, false);
                    finders.for_each(|finder| find_rows(body, *first..last + 1, finder, |row| found.set_bit(row - first, true)));
                    let start = *first;
                    candidates.retain(|row| found.get_bit(row - start) != filter.is_negative);
                }
                None if is_dense && !filter.held.is_empty() => {
                    let mut found = BooleanBufferBuilder::new(last + 1 - first);
                    found.append_n(last + 1 - first, false);
                    filter.held.iter().for_each(|finder| find_rows(body, *first..last + 1, finder, |row| found.set_bit(row - first, true)));
                    let start = *first;
                    // What holds none of them does not match.
                    candidates.retain(|row| if found.get_bit(row - start) { filter.passes(body.value(*row)) } else { filter.is_negative });
                }
                None => candidates.retain(|row| filter.passes(if body.is_valid(*row) { body.value(*row) } else { "" })),
            }
        }
        Ok(bytes)
    }
}

/// If at least one of so many lines is a candidate, all are searched as one text.
const DENSE: usize = 4;

/// Visits the rows among neighbours whose line holds a text, ascending: all lines are searched as one text, so that lines
/// without it cost nothing each.
fn find_rows(body: &StringArray, rows: Range<usize>, finder: &Finder<'_>, mut visit: impl FnMut(usize)) {
    let (offsets, text, length) = (body.value_offsets(), body.value_data(), finder.needle().len());
    let offset = |row: usize| offsets[row] as usize;
    let end = offset(rows.end);
    let (mut row, mut from) = (rows.start, offset(rows.start));
    while let Some(hit) = finder.find(&text[from..end]).map(|hit| from + hit) {
        row += offsets[row + 1..rows.end].partition_point(|start| *start as usize <= hit);
        let next = offset(row + 1);
        if hit + length <= next && body.is_valid(row) {
            visit(row);
            from = next;
        } else {
            // It begins in one line and ends in another.
            from = hit + 1;
        }
        if from >= end {
            break;
        }
    }
}

/// What a line that passes a filter holds: of each list one.
pub(super) fn phrases(filter: &LineFilter) -> Vec<Vec<Phrase>> {
    match filter.op {
        LineOp::NotContains | LineOp::NotMatches | LineOp::LacksPattern => Vec::new(),
        _ => held(filter),
    }
}

/// What a line holds that has one of the alternatives.
fn held(filter: &LineFilter) -> Vec<Vec<Phrase>> {
    let of_one = |alternative: &LinePattern| match (filter.op, alternative) {
        (_, LinePattern::Ip(_)) => Vec::new(),
        (LineOp::Matches | LineOp::NotMatches, LinePattern::Text(text)) => literals::required(text),
        (LineOp::HasPattern | LineOp::LacksPattern, LinePattern::Text(text)) => {
            let literal = |piece: Piece| if let Piece::Literal(text) = piece { Some(vec![Phrase::anywhere(text)]) } else { None };
            parse_filter(text).map(|pieces| pieces.into_iter().filter_map(literal).collect()).unwrap_or_default()
        }
        (_, LinePattern::Text(text)) if text.is_empty() => Vec::new(),
        (_, LinePattern::Text(text)) => vec![vec![Phrase::anywhere(text)]],
    };
    if let [one] = filter.alternatives.as_slice() {
        return of_one(one);
    }
    // One alternative of which nothing is known, and nothing is known of the whole.
    let either: Option<Vec<Vec<Phrase>>> = filter.alternatives.iter().map(|one| of_one(one).into_iter().next()).collect();
    either.map(|either| either.concat()).into_iter().collect()
}

impl Needle {
    fn text(&self) -> Option<&Finder<'static>> {
        match self {
            Self::Text(finder) => Some(finder),
            Self::Regex(_) => None,
        }
    }
}

impl Filter {
    fn new(filter: &LineFilter) -> Result<Self> {
        let needle = |alternative: &LinePattern| {
            let (LinePattern::Text(text) | LinePattern::Ip(text)) = alternative;
            if filter.op.is_regex() { pattern::anywhere(text).map(Needle::Regex) } else { Ok(Needle::Text(Box::new(Finder::new(text).into_owned()))) }
        };
        let alternatives = filter.alternatives.iter().map(needle).collect::<Result<_>>()?;
        let is_cheap = |clause: &Vec<Phrase>| clause.len() <= HELD_MAX && clause.iter().all(|phrase| phrase.is_case_sensitive);
        let shortest = |clause: &Vec<Phrase>| clause.iter().map(|phrase| phrase.text.len()).min();
        let clause = if filter.op.is_regex() { held(filter).into_iter().filter(is_cheap).max_by_key(shortest) } else { None };
        let held = clause.unwrap_or_default().into_iter().map(|phrase| Finder::new(&phrase.text).into_owned()).collect();
        Ok(Self { is_negative: filter.op.is_negative(), alternatives, held })
    }

    /// Its texts, if it is one of texts alone, none of them empty.
    fn texts(&self) -> Option<impl Iterator<Item = &Finder<'static>>> {
        let text = |needle: &Needle| needle.text().is_some_and(|finder| !finder.needle().is_empty());
        self.alternatives.iter().all(text).then(|| self.alternatives.iter().filter_map(Needle::text))
    }

    fn passes(&self, line: &str) -> bool {
        let has_one = self.alternatives.iter().any(|needle| match needle {
            Needle::Text(finder) => finder.find(line.as_bytes()).is_some(),
            Needle::Regex(regex) => regex.is_match(line),
        });
        has_one != self.is_negative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_searched_as_one_text_are_those_that_hold_it() {
        let lines = [Some("abab"), None, Some("ab"), Some(""), Some("a"), Some("b"), Some("xab"), Some("aab"), Some("bab"), Some("a"), Some("bb")];
        let body = StringArray::from(lines.to_vec());
        for needle in ["a", "b", "ab", "ba", "bab", "aab", "abab", "bb", "c", "aba"] {
            let finder = Finder::new(needle);
            for start in 0..lines.len() {
                for end in start + 1..=lines.len() {
                    let mut found = Vec::new();
                    find_rows(&body, start..end, &finder, |row| found.push(row));
                    let want: Vec<usize> = (start..end).filter(|row| lines[*row].is_some_and(|line| line.contains(needle))).collect();
                    assert_eq!(found, want, "{needle} in {start}..{end}");
                }
            }
        }
    }
}
