//! Stream selectors over columns: what a resource decides is decided once per distinct resource, not once per row.
//!
//! Selectors accept more than labels of streams: fields and attributes of records, and `level` and `severity` for the level.

use arrow::array::RecordBatch;
use signalbox_model::{MatchOp, Matcher, Result};
use signalbox_store::ScanRequest;

use super::fields::LabelReader;
use super::labels::Added;
use crate::logs::{LEVEL_LABELS, SERVICE_LABEL, UNKNOWN_SERVICE};

/// Values that are looked for at once.
const VALUES_MAX: usize = 64;

/// All matchers of a query, with what they know of resources seen before.
#[derive(Debug)]
pub(super) struct Selector {
    added: Added,
    matchers: Vec<LabelMatcher>,
}

#[derive(Debug)]
struct LabelMatcher {
    matcher: Matcher,
    label: LabelReader,
    /// What to look at when the label is missing.
    otherwise: Option<LabelReader>,
}

impl Selector {
    pub(super) fn new(matchers: &[Matcher], added: Added) -> Self {
        let compile = |matcher: &Matcher| {
            let is_level = LEVEL_LABELS.contains(&matcher.name.as_str()) && !(added.detected_level && matcher.name == LEVEL_LABELS[0]);
            LabelMatcher {
                label: LabelReader::new(&matcher.name, added),
                otherwise: is_level.then(|| LabelReader::new(LEVEL_LABELS[0], Added { detected_level: true, ..added })),
                matcher: matcher.clone(),
            }
        };
        // What the stream of each record has needs no look.
        let is_always = |matcher: &Matcher| {
            let is_anything =
                matcher.op == MatchOp::Regex && (matcher.value == ".*" || matcher.value == ".+" && added.service_name && matcher.name == SERVICE_LABEL);
            is_anything || matcher.op == MatchOp::NotEqual && matcher.value.is_empty() && added.service_name && matcher.name == SERVICE_LABEL
        };
        Self { added, matchers: matchers.iter().filter(|matcher| !is_always(matcher)).map(compile).collect() }
    }

    /// Narrows a scan to what can match.
    pub(super) fn narrow(&self, scan: &mut ScanRequest) {
        scan.services = self.services();
        let is_plain = |each: &&LabelMatcher| each.otherwise.is_none();
        let carried = |each: &LabelMatcher| values_of(&each.matcher).and_then(|values| each.label.carried(&values));
        scan.carried.extend(self.matchers.iter().filter(is_plain).filter_map(carried));
    }

    /// The only services that can match; empty means all.
    pub(super) fn services(&self) -> Vec<String> {
        let exact = self.matchers.iter().filter(|each| each.matcher.name == SERVICE_LABEL).find_map(|each| values_of(&each.matcher));
        let mut services = exact.unwrap_or_default();
        if self.added.service_name && services.iter().any(|service| service == UNKNOWN_SERVICE) {
            services.push(String::new());
        }
        // Without the label added, a missing service is one that an attribute of the record may name.
        if !self.added.service_name && !services.is_empty() {
            services.push(String::new());
        }
        services
    }

    /// Columns that the matchers look at.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let readers = self.matchers.iter().flat_map(|each| std::iter::once(&each.label).chain(&each.otherwise));
        readers.flat_map(LabelReader::columns).collect()
    }

    /// Labels whose columns the matchers look at.
    pub(super) fn labels(&self) -> Vec<String> {
        let readers = self.matchers.iter().flat_map(|each| std::iter::once(&each.label).chain(&each.otherwise));
        readers.filter_map(LabelReader::label).map(str::to_owned).collect()
    }

    /// Keeps the candidates that all matchers match.
    pub(super) fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<()> {
        self.matchers.iter_mut().try_for_each(|each| each.retain(rows, candidates))
    }
}

/// The only values that match; `None` if others may, or there are many.
pub(super) fn values_of(matcher: &Matcher) -> Option<Vec<String>> {
    match matcher.op {
        MatchOp::Equal => Some(vec![matcher.value.clone()]),
        MatchOp::Regex => literals(&matcher.value).filter(|values| values.len() <= VALUES_MAX),
        MatchOp::NotEqual | MatchOp::NotRegex => None,
    }
}

/// The alternatives of a regular expression that is only `a|b|c`.
fn literals(pattern: &str) -> Option<Vec<String>> {
    let is_plain = pattern.chars().all(|character| character.is_ascii_alphanumeric() || "-_|/:".contains(character));
    is_plain.then(|| pattern.split('|').map(str::to_owned).collect())
}

impl LabelMatcher {
    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<()> {
        let Self { matcher, label, otherwise } = self;
        let mut verdicts = Vec::new();
        label.map(rows, candidates, |value| value.map(|value| matcher.matches(value)), &mut verdicts)?;
        let mut others = Vec::new();
        if let Some(otherwise) = otherwise {
            otherwise.map(rows, candidates, |value| matcher.matches(value.unwrap_or("")), &mut others)?;
        }
        let is_missing_wanted = matcher.matches("");
        let mut at = 0;
        candidates.retain(|_| {
            let verdict = verdicts[at].unwrap_or_else(|| others.get(at).copied().unwrap_or(is_missing_wanted));
            at += 1;
            verdict
        });
        Ok(())
    }
}
