//! Stages that read labels from lines.

use memchr::memmem;
use regex::Regex;
use signalbox_lang::logql::ast::Parser;
use signalbox_lang::logql::pattern::{Piece, parse_parser};
use signalbox_model::Result;

use super::Flow;
use super::labels::LabelSet;
use crate::pattern;

mod json;
mod json_path;
mod logfmt;
mod name;
mod places;
mod scan;
mod unpack;

pub(in crate::logql) use places::json_places;

use json_path::JsonPaths;
use logfmt::LogfmtKeys;

const JSON_ERROR: &str = "JSONParserErr";
const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// A parser, compiled.
#[derive(Debug)]
pub(super) enum LineParser {
    Json,
    JsonPaths(JsonPaths),
    Logfmt { is_strict: bool, keeps_empty: bool },
    LogfmtKeys { is_strict: bool, keys: LogfmtKeys },
    Regexp { regex: Regex, names: Vec<Option<String>> },
    Pattern(Vec<Piece>),
    Unpack,
}

impl LineParser {
    pub(super) fn new(parser: &Parser) -> Result<Self> {
        Ok(match parser {
            Parser::Json(extractions) if extractions.is_empty() => Self::Json,
            Parser::Json(extractions) => Self::JsonPaths(JsonPaths::new(extractions)?),
            Parser::Logfmt { is_strict, keeps_empty, extractions } if extractions.is_empty() => {
                Self::Logfmt { is_strict: *is_strict, keeps_empty: *keeps_empty }
            }
            Parser::Logfmt { is_strict, extractions, .. } => Self::LogfmtKeys { is_strict: *is_strict, keys: LogfmtKeys::new(extractions)? },
            Parser::Regexp(text) => {
                let regex = pattern::anywhere(text)?;
                let names = regex.capture_names().map(|name| name.map(|name| name::sanitized(name).into_owned())).collect();
                Self::Regexp { regex, names }
            }
            Parser::Pattern(text) => Self::Pattern(parse_parser(text)?),
            Parser::Unpack => Self::Unpack,
        })
    }

    pub(super) fn run(&self, line: &str, written: &mut String, labels: &mut LabelSet) -> Flow {
        if labels.is_complete() {
            return Flow::Stay;
        }
        match self {
            Self::Json => json::parse(line, labels),
            Self::JsonPaths(paths) => paths.parse(line, labels),
            Self::Logfmt { is_strict, keeps_empty } => logfmt::parse(line, *is_strict, *keeps_empty, labels),
            Self::LogfmtKeys { is_strict, keys } => keys.parse(line, *is_strict, labels),
            Self::Regexp { regex, names } => {
                let Some(captures) = regex.captures(line) else { return Flow::Stay };
                for (name, capture) in names.iter().zip(captures.iter()) {
                    if let Some(name) = name {
                        extract_text(labels, name, capture.map_or("", |capture| capture.as_str()));
                    }
                }
            }
            Self::Pattern(pieces) => capture(pieces, line, labels),
            Self::Unpack => return unpack::parse(line, written, labels),
        }
        Flow::Stay
    }
}

fn extract_text(labels: &mut LabelSet, name: &str, value: &str) {
    labels.extract(name, |text| {
        text.push_str(value);
        true
    });
}

/// The captures of a pattern. Where its text ends to fit, the last capture is the rest of the line.
fn capture(pieces: &[Piece], line: &str, labels: &mut LabelSet) {
    let (mut rest, mut pieces) = (line, pieces);
    if line.is_empty() {
        return;
    }
    if let [Piece::Literal(literal), following @ ..] = pieces {
        let Some(after) = rest.strip_prefix(literal.as_str()) else { return };
        (rest, pieces) = (after, following);
    }
    while let [gap, following @ ..] = pieces {
        // After a capture stands text, or nothing.
        let (captured, after) = match following {
            [Piece::Literal(literal), ..] => match memmem::find(rest.as_bytes(), literal.as_bytes()) {
                Some(at) => (&rest[..at], Some(&rest[at + literal.len()..])),
                None => (rest, None),
            },
            _ => (rest, None),
        };
        if let Piece::Named(name) = gap {
            extract_text(labels, name, captured);
        }
        let Some(after) = after else { return };
        rest = after;
        pieces = &following[1..];
    }
}
