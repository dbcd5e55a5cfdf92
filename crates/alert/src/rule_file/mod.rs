//! Rule files of Prometheus: found by patterns, read strictly, every expression and template parsed. A bad rule never
//! starts: all that is wrong with a file is said at once, with places, in the words of `promtool check rules`.
//!
//! More than Prometheus: several YAML documents in one file are all read (it drops all but the first without a word), a rule
//! that is in a group twice is an error (it is a warning of `promtool`), and a path without `*` must exist. `lang`, of a rule or
//! of all rules of a group, names the language of the expression; [`policy`] has what else a rule may say.

mod document;
mod expression;
mod lenient;
mod lint;
mod locate;
mod policy;
mod problem;
mod severities;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use signalbox_lang::promql;
use signalbox_lang::text::quote;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, Result};

use crate::limits::{FILE_BYTES_MAX, FILES_MAX, PLACES_MAX};
use crate::presence::Presence;
use crate::template::Template;
pub(crate) use document::describe as yaml_problem;
use document::{RawGroup, RawRule};
pub use expression::{Expression, Language};
pub use lint::{DuplicateRule, duplicates};
use locate::{Step, locate};
pub use policy::{NoData, OnError, Policies, Recovery};
pub use problem::{Problem, RulePlace};

/// Rules that are evaluated one after another, on one interval.
#[derive(Debug, Clone)]
pub struct Group {
    /// Path of the file, as found.
    pub file: String,
    /// Name, unique in the file.
    pub name: String,
    /// How often it is evaluated, if the file says so.
    pub interval_ms: Option<i64>,
    /// How far back of the evaluation its queries look, if the file says so.
    pub query_offset_ms: Option<i64>,
    /// Series or alerts that one rule may make; 0 is no limit.
    pub limit: usize,
    /// The rules in order.
    pub rules: Vec<Rule>,
}

impl Group {
    /// Whether a group evaluates and tells exactly what another does, as it is written; comments and the order of keys are nothing.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let head = |group: &Self| (group.file.clone(), group.name.clone(), group.interval_ms, group.query_offset_ms, group.limit, group.rules.len());
        head(self) == head(other) && self.rules.iter().zip(&other.rules).all(|(left, right)| left.is_same_as(right))
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Name of the series or of the alert.
    pub name: String,
    /// What is evaluated.
    pub expr: Expression,
    /// The expression as written: places in annotations are places in it.
    pub text: String,
    /// Canonical text of the expression.
    pub query: String,
    /// Labels as written, those of the group among them.
    pub labels: Labels,
    /// What becomes of the result.
    pub kind: RuleKind,
    /// Its place among the severities of the rule in the file, if that has several.
    pub rank: Option<Rank>,
}

impl Rule {
    /// Everything that its rule says is in these; trees and templates are made of them.
    fn is_same_as(&self, other: &Self) -> bool {
        let is_kind = match (&self.kind, &other.kind) {
            (RuleKind::Recording, RuleKind::Recording) => true,
            (RuleKind::Alerting(left), RuleKind::Alerting(right)) => {
                let policies =
                    |rule: &AlertingRule| (rule.policies.no_data, rule.policies.on_error, rule.policies.recovery.as_ref().map(|way| way.text.clone()));
                let times = |rule: &AlertingRule| (rule.hold_ms, rule.keep_firing_ms);
                times(left) == times(right) && left.annotations == right.annotations && policies(left) == policies(right)
            }
            _ => false,
        };
        let expression = |rule: &Self| (rule.expr.language(), rule.expr.range_ms());
        is_kind
            && expression(self) == expression(other)
            && self.text == other.text
            && self.name == other.name
            && self.labels == other.labels
            && self.rank == other.rank
    }
}

/// The place of a rule among the severities of one rule in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// 0 is the highest.
    pub position: usize,
    /// Whether those below are not told while it fires.
    pub outranks: bool,
}

/// The two kinds of rules.
#[derive(Debug, Clone)]
pub enum RuleKind {
    /// The result is written as series.
    Recording,
    /// The result are alerts.
    Alerting(AlertingRule),
}

/// What only alerting rules have.
#[derive(Debug, Clone)]
pub struct AlertingRule {
    /// How long an alert is pending before it fires.
    pub hold_ms: i64,
    /// How long it goes on firing after its element is gone.
    pub keep_firing_ms: i64,
    /// Annotations as written.
    pub annotations: Labels,
    /// Templates of the labels, by name.
    pub label_templates: Vec<(String, Template)>,
    /// Templates of the annotations, by name.
    pub annotation_templates: Vec<(String, Template)>,
    /// What the rule says about no data, errors and the way back.
    pub policies: Policies,
    /// How to find out whether there is data.
    pub presence: Presence,
}

/// Reads all files that match the patterns, in order of pattern and name, each once.
///
/// # Errors
/// `Invalid` with everything that is wrong with any of them, one problem a line; `NotFound` if a path without pattern does not exist.
pub fn load_all(patterns: &[String]) -> Result<Vec<Group>> {
    let (mut groups, mut problems) = (Vec::new(), Vec::new());
    for path in find(patterns)? {
        let name = path.display().to_string();
        match read(&path).and_then(|text| parse(&name, &text)) {
            Ok(more) => groups.extend(more),
            Err(error) => problems.push(error.message().to_owned()),
        }
    }
    if problems.is_empty() { Ok(groups) } else { Err(Error::invalid(problems.join("\n"))) }
}

/// The files that match patterns, in order of pattern and name, each once.
///
/// # Errors
/// `Invalid` for what is no pattern, a folder that cannot be read, and too many files; `NotFound` if a path without pattern does not exist.
pub fn find(patterns: &[String]) -> Result<Vec<PathBuf>> {
    let (mut paths, mut known) = (Vec::new(), BTreeSet::new());
    for pattern in patterns {
        let invalid = |why: &dyn std::fmt::Display| Error::invalid(format!("cannot read rule files {pattern:?}: {why}"));
        let found = glob::glob(pattern).map_err(|error| invalid(&error))?;
        let mut matches = 0;
        for path in found {
            let path = path.map_err(|error| invalid(&error))?;
            matches += 1;
            if path.is_file() && known.insert(path.clone()) {
                paths.push(path);
            }
        }
        let is_literal = !pattern.contains(['*', '?', '[']);
        if matches == 0 && is_literal {
            return Err(Error::new(signalbox_model::ErrorKind::NotFound, format!("cannot read rule file {pattern:?}: it does not exist")));
        }
        if paths.len() > FILES_MAX {
            return Err(invalid(&format!("found more than {FILES_MAX} files")));
        }
    }
    Ok(paths)
}

/// Reads a file of bounded size.
///
/// # Errors
/// `Invalid` if it cannot be read, is too large, or is no text.
pub fn read(path: &Path) -> Result<String> {
    let cannot = |why: &dyn std::fmt::Display| Error::invalid(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(cannot(&format!("file of {size} bytes: want at most {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|error| cannot(&error))
}

/// Parses the text of a rule file, YAML or JSON.
///
/// # Errors
/// `Invalid` with everything that is wrong, one problem a line: `file: line:column: group "g", rule 1, "name": what`.
pub fn parse(file: &str, text: &str) -> Result<Vec<Group>> {
    refuse(file, check(file, text, UnknownFields::Refused))
}

/// As [`parse`], where keys that no rule file has are passed over.
///
/// # Errors
/// As [`parse`].
pub fn parse_leniently(file: &str, text: &str) -> Result<Vec<Group>> {
    refuse(file, check(file, text, UnknownFields::Ignored))
}

fn refuse(file: &str, checked: Checked) -> Result<Vec<Group>> {
    if checked.problems.is_empty() {
        return Ok(checked.groups);
    }
    let lines: Vec<String> = checked.problems.iter().map(|problem| format!("{file}: {problem}")).collect();
    Err(Error::invalid(lines.join("\n")))
}

/// What becomes of keys that no rule file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are a problem.
    Refused,
    /// They are passed over.
    Ignored,
}

/// A rule file that was read.
#[derive(Debug)]
pub struct Checked {
    /// The groups that have no problem.
    pub groups: Vec<Group>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

/// Reads the text of a rule file, YAML or JSON, and says all that is wrong with it.
pub fn check(file: &str, text: &str, unknown: UnknownFields) -> Checked {
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("{} bytes: want at most {FILE_BYTES_MAX}", text.len());
        return Checked { groups: Vec::new(), problems: vec![Problem { at: None, rule: None, message }] };
    }
    let documents = match document::read(text, unknown) {
        Ok(documents) => documents,
        Err(problem) => return Checked { groups: Vec::new(), problems: vec![problem] },
    };
    let mut checker = Checker { file, text, problems: Vec::new(), names: BTreeSet::new() };
    let mut groups = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        for (position, group) in document.groups().iter().enumerate() {
            groups.extend(checker.group(group, &[Step::Document(index), Step::Key("groups"), Step::Index(position)]));
        }
    }
    Checked { groups, problems: checker.problems }
}

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
    names: BTreeSet<String>,
}

/// Where a rule stands, for messages.
struct Place<'a> {
    path: Vec<Step<'a>>,
    rule: RulePlace,
}

impl Checker<'_> {
    /// Where something stands. Each place costs a reading of the text, so a text with very many problems has places of the first.
    fn place(&self, path: &[Step<'_>]) -> Option<(usize, usize)> {
        if self.problems.len() < PLACES_MAX { locate(self.text, path) } else { None }
    }

    fn problem(&mut self, path: &[Step<'_>], message: &str) {
        self.problems.push(Problem { at: self.place(path), rule: None, message: message.to_owned() });
    }

    fn rule_problem(&mut self, place: &Place<'_>, key: Option<&str>, message: &str) {
        let at = key.and_then(|key| self.place(&[place.path.as_slice(), &[Step::Key(key)]].concat())).or_else(|| self.place(&place.path));
        self.problems.push(Problem { at, rule: Some(place.rule.clone()), message: message.to_owned() });
    }

    fn duration(&mut self, path: &[Step<'_>], text: Option<&str>) -> Option<i64> {
        let text = text.filter(|text| !text.is_empty())?;
        match promql::parse_duration(text) {
            Ok(milliseconds) => Some(milliseconds),
            Err(error) => {
                self.problem(path, error.message());
                None
            }
        }
    }

    fn group(&mut self, raw: &RawGroup, path: &[Step<'_>]) -> Option<Group> {
        let before = self.problems.len();
        let below = |key| [path, &[Step::Key(key)]].concat();
        let name = raw.name.clone().unwrap_or_default();
        if name.is_empty() {
            self.problem(path, "Groupname must not be empty");
        } else if !self.names.insert(name.clone()) {
            self.problem(path, &format!("groupname: {} is repeated in the same file", quote(&name)));
        }
        self.language(&below("lang"), raw.lang.as_deref());
        self.group_policies(raw, path);
        for (label, _) in raw.labels.iter() {
            if label.is_empty() || label == METRIC_NAME {
                self.problem(&below("labels"), &format!("invalid label name: {label}"));
            }
        }
        let interval_ms = self.duration(&below("interval"), raw.interval.as_deref()).filter(|interval| *interval > 0);
        let query_offset_ms = self.duration(&below("query_offset"), raw.query_offset.as_deref());
        let mut rules = Vec::new();
        let raws: Vec<RawRule> = raw.rules().iter().map(RawRule::merged).collect();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (index, rule) in raws.iter().enumerate() {
            let name = if rule.alert().is_empty() { rule.record() } else { rule.alert() };
            let rule_place = RulePlace { group: raw.name.clone().unwrap_or_default(), number: index + 1, name: name.to_owned() };
            let place = Place { path: [path, &[Step::Key("rules"), Step::Index(index)]].concat(), rule: rule_place };
            // By its text, because a file may hold as many rules as fit.
            let earlier = *known.entry(format!("{rule:?}")).or_insert(index);
            if earlier < index {
                self.rule_problem(&place, None, &format!("duplicate of rule {}", earlier + 1));
            }
            match &rule.severities {
                None => rules.extend(self.rule(rule, &place, raw)),
                Some(severities) => rules.extend(self.severities(rule, severities, &place, raw)),
            }
        }
        let limit = usize::try_from(raw.limit.unwrap_or(0)).unwrap_or(0);
        (self.problems.len() == before).then(|| Group { file: self.file.to_owned(), name, interval_ms, query_offset_ms, limit, rules })
    }

    fn rule(&mut self, raw: &RawRule, place: &Place<'_>, group: &RawGroup) -> Option<Rule> {
        let before = self.problems.len();
        let (record, alert) = (raw.record(), raw.alert());
        match (record.is_empty(), alert.is_empty()) {
            (false, false) => self.rule_problem(place, Some("alert"), "only one of 'record' and 'alert' must be set"),
            (true, true) => self.rule_problem(place, None, "one of 'record' or 'alert' must be set"),
            _ => {}
        }
        let expr = self.expression(raw, place, group);
        let hold_ms = self.duration(&[place.path.as_slice(), &[Step::Key("for")]].concat(), raw.hold.as_deref()).unwrap_or(0);
        let keep_firing_ms = self.duration(&[place.path.as_slice(), &[Step::Key("keep_firing_for")]].concat(), raw.keep_firing_for.as_deref()).unwrap_or(0);
        if !record.is_empty() {
            let fields = [(!raw.annotations.is_empty(), "annotations"), (hold_ms != 0, "for"), (keep_firing_ms != 0, "keep_firing_for")];
            let own = [(raw.no_data.is_some(), "no_data"), (raw.on_error.is_some(), "on_error"), (raw.recovery_expr.is_some(), "recovery_expr")];
            for (is_set, field) in fields.into_iter().chain(own) {
                if is_set {
                    self.rule_problem(place, Some(field), &format!("invalid field '{field}' in recording rule"));
                }
            }
            if record.contains(['{', '}']) {
                self.rule_problem(place, Some("record"), &format!("braces present in the recording rule name; should it be in expr?: {record}"));
            }
        }
        for (name, _) in raw.labels.iter().filter(|(name, _)| name.is_empty() || name == METRIC_NAME) {
            self.rule_problem(place, Some("labels"), &format!("invalid label name: {name}"));
        }
        for (name, _) in raw.annotations.iter().filter(|(name, _)| name.is_empty()) {
            self.rule_problem(place, Some("annotations"), &format!("invalid annotation name: {name}"));
        }
        let labels = Labels::from_pairs(group.labels.iter().chain(raw.labels.iter()).map(|(name, value)| (name, value)));
        let annotations = Labels::from_pairs(raw.annotations.iter().map(|(name, value)| (name, value)));
        let kind = if alert.is_empty() {
            RuleKind::Recording
        } else {
            let policies = self.policies(raw, place, group, expr.as_ref().map(Expression::language));
            let presence = expr.as_ref().map_or(Presence::Rows, Presence::of);
            let label_templates = self.templates(place, alert, "label", &labels);
            let annotation_templates = self.templates(place, alert, "annotation", &annotations);
            RuleKind::Alerting(AlertingRule { hold_ms, keep_firing_ms, annotations, label_templates, annotation_templates, policies, presence })
        };
        let expr = expr?;
        let name = if alert.is_empty() { record } else { alert };
        (self.problems.len() == before).then(|| Rule {
            name: name.to_owned(),
            text: raw.expr.clone().unwrap_or_default(),
            query: expr.to_string(),
            expr,
            labels,
            kind,
            rank: None,
        })
    }

    fn language(&mut self, path: &[Step<'_>], word: Option<&str>) -> Option<Language> {
        let word = word?;
        let language = Language::of_word(word);
        if language.is_none() {
            self.problem(path, &format!("unknown lang {}: want promql, logql, traceql or sql", quote(word)));
        }
        language
    }

    fn expression(&mut self, raw: &RawRule, place: &Place<'_>, group: &RawGroup) -> Option<Expression> {
        let before = self.problems.len();
        let below = |key| [place.path.as_slice(), &[Step::Key(key)]].concat();
        let of_group = || group.lang.as_deref().and_then(Language::of_word);
        let language = self.language(&below("lang"), raw.lang.as_deref()).or_else(of_group).unwrap_or_default();
        let range_ms = self.duration(&below("range"), raw.range.as_deref());
        if raw.range.is_some() && language != Language::Traceql {
            self.rule_problem(place, Some("range"), &format!("invalid field 'range' in {} rule: the expression says it", language.as_str()));
        } else if range_ms == Some(0) {
            self.rule_problem(place, Some("range"), "invalid field 'range': want more than 0s");
        }
        let text = raw.expr.as_deref().unwrap_or_default();
        if text.is_empty() {
            self.rule_problem(place, Some("expr"), "field 'expr' must be set in rule");
        }
        if self.problems.len() > before {
            // The language may be another one.
            return None;
        }
        Expression::parse(language, text, range_ms).map_err(|problem| self.rule_problem(place, Some("expr"), &problem)).ok()
    }

    fn templates(&mut self, place: &Place<'_>, alert: &str, what: &str, pairs: &Labels) -> Vec<(String, Template)> {
        let mut templates = Vec::new();
        for (name, text) in pairs {
            match Template::parse(alert, text) {
                Ok(template) => templates.push((name.to_owned(), template)),
                Err(message) => {
                    let key = if what == "label" { "labels" } else { "annotations" };
                    self.rule_problem(place, Some(key), &format!("{what} {}: {message}", quote(name)));
                }
            }
        }
        templates
    }
}

#[cfg(test)]
mod tests;
