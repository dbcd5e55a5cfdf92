//! LogQL over plain records, in the plainest way: every record goes through every stage with all of its labels.

mod metric;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use regex::Regex;
use signalbox_lang::logql::ast::{LabelChoice, LabelFilter, Parser, Quantity};
use signalbox_lang::logql::{LineFilter, LineOp, LinePattern, LogExpr, Stage};
use signalbox_model::Matcher;

pub(super) use metric::{Answer, evaluate};

/// A record as it was sent. Names of attributes are already names of labels, their values text.
#[derive(Debug, Clone, Default)]
pub(super) struct Plain {
    pub(super) timestamp_ns: i64,
    pub(super) line: String,
    pub(super) resource: Vec<(&'static str, String)>,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) scope: Vec<(&'static str, String)>,
    pub(super) trace_id: String,
    pub(super) severity_number: i32,
    pub(super) severity_text: String,
    pub(super) level: &'static str,
}

/// A record on its way through a pipeline.
#[derive(Debug, Clone)]
pub(super) struct Passing {
    pub(super) timestamp_ns: i64,
    pub(super) line: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Names of the stream and of the record: parsers give way to them.
    taken: Vec<String>,
    /// Names that parsers have found.
    parsed: Vec<String>,
}

impl Passing {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// A record before the first stage.
    pub(super) fn of(record: &Plain) -> Self {
        let mut labels: BTreeMap<String, String> = record.resource.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        labels.entry("service_name".into()).or_insert_with(|| "unknown_service".into());
        let of_stream: Vec<String> = labels.keys().cloned().collect();
        let mut own: Vec<(String, String)> = Vec::new();
        let number = if record.severity_number == 0 { String::new() } else { record.severity_number.to_string() };
        let fields = [
            ("detected_level", record.level.to_owned()),
            ("trace_id", record.trace_id.clone()),
            ("severity_number", number),
            ("severity_text", record.severity_text.clone()),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        for (name, value) in fields.chain(record.attributes.iter().cloned()).chain(record.scope.iter().cloned()) {
            let mut name = name.to_owned();
            if of_stream.contains(&name) {
                name += "_extracted";
            }
            while own.iter().any(|(other, _)| *other == name) {
                name += "_extracted";
            }
            own.push((name, value));
        }
        let taken = of_stream.into_iter().chain(own.iter().map(|(name, _)| name.clone())).collect();
        labels.extend(own);
        Self { timestamp_ns: record.timestamp_ns, line: record.line.clone(), labels, taken, parsed: Vec::new() }
    }

    fn extract(&mut self, name: &str, value: String) {
        let name = if self.taken.iter().any(|taken| taken == name) { format!("{name}_extracted") } else { name.to_owned() };
        if !self.parsed.contains(&name) {
            self.parsed.push(name.clone());
            self.labels.insert(name, value);
        }
    }

    fn passes(&mut self, stage: &Stage) -> bool {
        match stage {
            Stage::Line(filter) => return has(filter, &self.line),
            Stage::Label(filter) => return self.fits(filter),
            Stage::Parser(Parser::Json(extractions)) if extractions.is_empty() => {
                let value: serde_json::Value = serde_json::from_str(&self.line).unwrap();
                self.json("", &value);
            }
            Stage::Parser(Parser::Logfmt { extractions, .. }) if extractions.is_empty() => {
                for pair in self.line.clone().split(' ') {
                    if let Some((key, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) {
                        self.extract(key, value.to_owned());
                    }
                }
            }
            Stage::Parser(Parser::Regexp(pattern)) => {
                let regex = regex(pattern);
                if let Some(captures) = regex.captures(&self.line.clone()) {
                    for name in regex.capture_names().flatten() {
                        if let Some(found) = captures.name(name) {
                            self.extract(name, found.as_str().to_owned());
                        }
                    }
                }
            }
            Stage::LineFormat(template) => {
                // Only `text {{.label}} text`.
                let mut line = String::new();
                let mut rest = template.as_str();
                while let Some((before, behind)) = rest.split_once("{{.") {
                    let (name, after) = behind.split_once("}}").unwrap();
                    line += before;
                    line += self.label(name);
                    rest = after;
                }
                self.line = line + rest;
            }
            Stage::Drop(choices) => self.labels.retain(|name, value| !choices.iter().any(|choice| is_chosen(choice, name, value))),
            Stage::Keep(choices) => self.labels.retain(|name, value| choices.iter().any(|choice| is_chosen(choice, name, value))),
            other => panic!("the plain evaluator knows no {other:?}"),
        }
        true
    }

    fn json(&mut self, prefix: &str, value: &serde_json::Value) {
        for (key, value) in value.as_object().unwrap() {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}_{key}") };
            match value {
                serde_json::Value::Object(_) => self.json(&name, value),
                serde_json::Value::String(text) => self.extract(&name, text.clone()),
                other => self.extract(&name, other.to_string()),
            }
        }
    }

    pub(super) fn fits(&self, filter: &LabelFilter) -> bool {
        match filter {
            LabelFilter::And(left, right) => self.fits(left) && self.fits(right),
            LabelFilter::Or(left, right) => self.fits(left) || self.fits(right),
            LabelFilter::Matcher(matcher) => matcher.matches(self.label(&matcher.name)),
            LabelFilter::Compare { label, op, value: Quantity::Number(wanted) } => {
                self.labels.get(label).is_some_and(|text| op.holds(text.parse::<f64>().unwrap(), *wanted))
            }
            other => panic!("the plain evaluator knows no {other:?}"),
        }
    }
}

/// Compiled once: that is all that is clever here.
fn regex(pattern: &str) -> Regex {
    thread_local!(static KNOWN: RefCell<HashMap<String, Regex>> = RefCell::default());
    KNOWN.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).clone())
}

fn is_chosen(choice: &LabelChoice, name: &str, value: &str) -> bool {
    match choice {
        LabelChoice::Name(chosen) => chosen == name,
        LabelChoice::Matcher(matcher) => matcher.name == name && matcher.matches(value),
    }
}

fn has(filter: &LineFilter, line: &str) -> bool {
    let has_one = filter.alternatives.iter().any(|alternative| match alternative {
        LinePattern::Text(text) if matches!(filter.op, LineOp::Contains | LineOp::NotContains) => line.contains(text.as_str()),
        LinePattern::Text(text) => regex(text).is_match(line),
        LinePattern::Ip(_) => panic!("the plain evaluator knows no addresses"),
    });
    has_one != matches!(filter.op, LineOp::NotContains | LineOp::NotMatches)
}

/// Whether a selector takes a record: names of levels are one.
fn selects(matcher: &Matcher, record: &Passing) -> bool {
    let is_level = ["level", "severity"].contains(&matcher.name.as_str());
    let name = if is_level && !record.labels.contains_key(&matcher.name) { "detected_level" } else { &matcher.name };
    matcher.matches(record.label(name))
}

/// The records that pass a query, in their order.
pub(super) fn run<'r>(expr: &LogExpr, records: impl IntoIterator<Item = &'r Passing>) -> Vec<Passing> {
    let mut passed = Vec::new();
    for record in records.into_iter().filter(|record| expr.matchers.iter().all(|matcher| selects(matcher, record))) {
        let mut record = record.clone();
        if expr.stages.iter().all(|stage| record.passes(stage)) {
            passed.push(record);
        }
    }
    passed
}
