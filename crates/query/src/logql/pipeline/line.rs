//! Filters of lines.

use memchr::memmem::{self, Finder};
use regex::Regex;
use signalbox_lang::logql::pattern::{Piece, parse_filter};
use signalbox_lang::logql::{LineFilter, LineOp, LinePattern};
use signalbox_model::Result;

use super::ip::IpSet;
use crate::pattern;

/// A line filter, compiled.
#[derive(Debug)]
pub(super) struct LineTest {
    is_negative: bool,
    alternatives: Vec<Needle>,
}

#[derive(Debug)]
enum Needle {
    Text(Box<Finder<'static>>),
    Regex(Regex),
    Pattern(Vec<Piece>),
    Ip(IpSet),
}

impl LineTest {
    pub(super) fn new(filter: &LineFilter) -> Result<Self> {
        let needle = |alternative: &LinePattern| match (filter.op, alternative) {
            (_, LinePattern::Ip(text)) => IpSet::parse(text).map(Needle::Ip),
            (LineOp::Contains | LineOp::NotContains, LinePattern::Text(text)) => Ok(Needle::Text(Box::new(Finder::new(text).into_owned()))),
            (LineOp::Matches | LineOp::NotMatches, LinePattern::Text(text)) => pattern::anywhere(text).map(Needle::Regex),
            (LineOp::HasPattern | LineOp::LacksPattern, LinePattern::Text(text)) => parse_filter(text).map(Needle::Pattern),
        };
        Ok(Self { is_negative: filter.op.is_negative(), alternatives: filter.alternatives.iter().map(needle).collect::<Result<_>>()? })
    }

    pub(super) fn passes(&self, line: &str) -> bool {
        let has_one = self.alternatives.iter().any(|needle| match needle {
            Needle::Text(finder) => finder.find(line.as_bytes()).is_some(),
            Needle::Regex(regex) => regex.is_match(line),
            Needle::Pattern(pieces) => has_pattern(pieces, line),
            Needle::Ip(addresses) => addresses.is_in(line),
        });
        has_one != self.is_negative
    }
}

/// Whether a line is text and gaps as the pattern says: a gap is never empty, and at the ends only a gap leaves something.
fn has_pattern(pieces: &[Piece], line: &str) -> bool {
    if line.is_empty() || pieces.is_empty() {
        return line.is_empty() && pieces.is_empty();
    }
    let mut rest = line.as_bytes();
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Literal(literal) = piece else { continue };
        match memmem::find(rest, literal.as_bytes()) {
            Some(0) if index > 0 => return false,
            Some(at) => rest = &rest[at + literal.len()..],
            None => return false,
        }
    }
    let ends_in_gap = !matches!(pieces.last(), Some(Piece::Literal(_)));
    ends_in_gap != rest.is_empty()
}
