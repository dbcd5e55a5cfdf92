//! Which fields lines have, found in a sample of the newest: structured metadata, and what `| json` or `| logfmt` reads.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_lang::go_duration;
use signalbox_lang::logql::ast::Parser;
use signalbox_lang::logql::{self, LogExpr, Stage};
use signalbox_model::{Owners, Result, TimeRange};

use super::labels::{LabelSet, pairs};
use super::log::{LogEntry, LogRequest};
use super::pipeline::{Category, ERROR_DETAILS_LABEL, ERROR_LABEL, PRESERVE_ERROR_LABEL, Pipeline, Runner, json_places};
use crate::Engine;
use crate::logs::Direction;

/// What a name ends in that another label has already.
const EXTRACTED: &str = "_extracted";

/// A question for fields.
#[derive(Debug, Clone)]
pub struct FieldsRequest {
    /// Which records.
    pub expr: LogExpr,
    /// Records in this range.
    pub range: TimeRange,
    /// How many records are looked at, the newest.
    pub lines: usize,
    /// How many fields are told apart at most.
    pub limit: usize,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Integers.
    Int,
    /// Numbers.
    Float,
    /// Truth values.
    Boolean,
    /// Durations as Go writes them.
    Duration,
    /// Sizes with a unit.
    Bytes,
    /// Anything else.
    String,
}

/// A field that lines have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedField {
    /// What its values are: the narrowest that holds all of them.
    pub kind: FieldKind,
    /// All values in the sample.
    pub values: BTreeSet<String>,
    /// Parser stages that read it, `json` and `logfmt`; none for structured metadata.
    pub parsers: Vec<&'static str>,
    /// Keys that lead to it in a JSON line.
    pub json_path: Vec<String>,
}

impl DetectedField {
    /// All values as a query has them: of sizes that were read from lines `1,024 kb` is `1024KB`.
    ///
    /// Loki rounds sizes for that, and writes `1.5 GiB` as `1.6GB`, which no such line is found by.
    pub fn values_in_queries(&self) -> BTreeSet<String> {
        let written = |value: &String| {
            let size = if self.parsers.is_empty() { None } else { size_in_queries(value) };
            size.unwrap_or_else(|| value.clone())
        };
        self.values.iter().map(written).collect()
    }
}

/// A size as LogQL reads it, without spaces and commas and with its unit in the one spelling; `None` for what is none, or
/// has a unit that LogQL does not know.
fn size_in_queries(value: &str) -> Option<String> {
    if FieldKind::of(value) != FieldKind::Bytes {
        return None;
    }
    let (number, unit) = value.split_at(value.find(|character: char| !character.is_ascii_digit() && character != '.' && character != ',')?);
    let unit = unit.trim().to_ascii_uppercase();
    let prefix = unit.strip_suffix('B').unwrap_or(&unit);
    let is_known = prefix.is_empty() || "KMGTP".contains(prefix.strip_suffix('I').unwrap_or(prefix));
    is_known.then(|| format!("{}{}B", number.replace(',', ""), prefix.replace('I', "i")))
}

impl FieldKind {
    /// The word of Loki.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }

    fn of(value: &str) -> Self {
        let unsigned = value.strip_prefix(['-', '+']).unwrap_or(value);
        if value.parse::<i64>().is_ok() {
            Self::Int
        } else if value.parse::<f64>().is_ok() {
            Self::Float
        } else if matches!(value, "t" | "T" | "TRUE" | "true" | "True" | "f" | "F" | "FALSE" | "false" | "False") {
            Self::Boolean
        } else if go_duration::parse(unsigned).is_some() {
            Self::Duration
        } else if logql::parse_bytes(value).is_some() {
            Self::Bytes
        } else {
            Self::String
        }
    }

    fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, another) if one == another => one,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            _ => Self::String,
        }
    }
}

impl Engine {
    /// The fields of records, by name.
    ///
    /// # Errors
    /// As [`Engine::logs`].
    pub async fn log_fields(&self, owners: impl Into<Owners>, request: FieldsRequest) -> Result<BTreeMap<String, DetectedField>> {
        let FieldsRequest { expr, range, lines, limit } = request;
        let answer = self.logs(owners, LogRequest { expr, range, limit: lines, direction: Direction::Backward }).await?;
        let now_ns = self.clock.now_ns();
        self.blocking(move |leash| {
            let mut detector = Detector { limit, fields: BTreeMap::new() };
            let json = Pipeline::new(&[Stage::Parser(Parser::Json(Vec::new()))], None)?;
            let logfmt = Pipeline::new(&[Stage::Parser(Parser::Logfmt { is_strict: false, keeps_empty: false, extractions: Vec::new() })], None)?;
            let (mut json, mut logfmt) = (json.runner(now_ns), logfmt.runner(now_ns));
            for (position, entry) in answer.entries.iter().enumerate() {
                if position % 256 == 0 {
                    leash.check()?;
                }
                detector.take(entry, &mut json, &mut logfmt);
            }
            Ok(detector.fields)
        })
        .await
    }
}

struct Detector {
    limit: usize,
    fields: BTreeMap<String, DetectedField>,
}

impl Detector {
    fn take(&mut self, entry: &LogEntry, json: &mut Runner<'_>, logfmt: &mut Runner<'_>) {
        for (name, value) in &entry.metadata {
            self.add(name, value, None);
        }
        // What the query itself parsed is no label of the stream, whatever its name.
        let (mut parser, mut parsed) = (Some("json"), read(json, entry));
        if parsed.is_none() {
            (parser, parsed) = (Some("logfmt"), read(logfmt, entry));
        }
        let places = if parser == Some("json") && self.wants_places(parsed.as_ref()) { json_places(&entry.line) } else { Vec::new() };
        if parsed.is_none() {
            parser = None;
        }
        for (name, value) in entry.parsed.iter().filter(|(name, _)| !is_error(name)).chain(parsed.iter().flatten()) {
            if let Some(field) = self.add(name, value, parser)
                && field.json_path.is_empty()
                && let Some((_, keys)) = places.iter().find(|(place, _)| place == name || name.strip_suffix(EXTRACTED) == Some(place))
            {
                field.json_path.clone_from(keys);
            }
        }
    }

    /// Whether one of the labels of a JSON line is of a field whose place is not known.
    fn wants_places(&self, parsed: Option<&LabelSet>) -> bool {
        parsed.is_some_and(|labels| labels.iter().any(|(name, _)| self.fields.get(name).is_none_or(|field| field.json_path.is_empty())))
    }

    fn add(&mut self, name: &str, value: &str, parser: Option<&'static str>) -> Option<&mut DetectedField> {
        if !self.fields.contains_key(name) {
            if self.fields.len() >= self.limit {
                return None;
            }
            let field = DetectedField { kind: FieldKind::of(value), values: BTreeSet::new(), parsers: Vec::new(), json_path: Vec::new() };
            self.fields.insert(name.to_owned(), field);
        }
        let field = self.fields.get_mut(name)?;
        field.parsers.extend(parser.filter(|parser| !field.parsers.contains(parser)));
        if !field.values.contains(value) {
            field.kind = field.kind.with(FieldKind::of(value));
            field.values.insert(value.to_owned());
        }
        Some(field)
    }
}

/// The labels that a parser stage reads from a line; `None` if it reads none, or cannot.
fn read(runner: &mut Runner<'_>, entry: &LogEntry) -> Option<LabelSet> {
    runner.enter_stream(pairs(&entry.stream));
    let outcome = runner.run(entry.record.timestamp_ns, &entry.line, [])?;
    if outcome.labels.error().is_some() {
        return None;
    }
    let parsed = outcome.labels.sorted().into_iter().filter(|(name, _, category)| *category == Category::Parsed && !is_error(name));
    let labels: LabelSet = parsed.map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect();
    (!labels.is_empty()).then_some(labels)
}

fn is_error(name: &str) -> bool {
    [ERROR_LABEL, ERROR_DETAILS_LABEL, PRESERVE_ERROR_LABEL].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_queries_read_them() {
        let values: BTreeSet<String> = ["5 KB", "5kb", "1,024 kb", "1.5 GiB", "2 mi", "7b", "9 EB", "5", "1, 2", "5m", "of 5 MB"].map(str::to_owned).into();
        let mut field = DetectedField { kind: FieldKind::Bytes, values: values.clone(), parsers: vec!["json"], json_path: Vec::new() };
        let found = field.values_in_queries();
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["1, 2", "1.5GiB", "1024KB", "2MiB", "5", "5KB", "5m", "7B", "9 EB", "of 5 MB"]);
        for size in ["1.5GiB", "1024KB", "2MiB", "5KB", "7B"] {
            assert!(logql::parse(&format!("{{a=\"b\"}} | json | size={size}")).is_ok(), "{size}");
        }
        field.parsers.clear();
        assert_eq!(field.values_in_queries(), values, "what is beside a line is compared as text");
    }

    #[test]
    fn kinds_are_the_narrowest_that_hold_all_values() {
        let cases = [
            ("12", "int"),
            ("-1.5e3", "float"),
            ("true", "boolean"),
            ("1m30s", "duration"),
            ("-5ms", "duration"),
            ("12 MB", "bytes"),
            ("1.5GiB", "bytes"),
            ("1,024kb", "bytes"),
            ("", "string"),
            ("MB", "string"),
            ("12 apples", "string"),
            ("ü", "string"),
        ];
        for (value, kind) in cases {
            assert_eq!(FieldKind::of(value).as_str(), kind, "{value}");
        }
        assert_eq!(FieldKind::Int.with(FieldKind::Float), FieldKind::Float);
        assert_eq!(FieldKind::Int.with(FieldKind::Duration), FieldKind::String);
    }
}
