//! Stream selectors over columns: what a resource decides is decided once per distinct resource, not once per row.

use std::collections::HashMap;

use signalbox_model::{MatchOp, Matcher, TraceId};

use super::labels::{LEVEL_LABELS, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
use crate::rows::{LogColumns, Resource, Texts, level_of, span_id, trace_id};

/// All matchers of a query, with what they know of resources seen before.
pub(super) struct Selector {
    matchers: Vec<LabelMatcher>,
}

struct LabelMatcher {
    matcher: Matcher,
    source: Source,
    /// By the text of a resource: whether it matches; `None` when it lacks the label, so that the row decides.
    resources: HashMap<String, Option<bool>>,
}

/// Where the value of a label is.
enum Source {
    Service,
    Level,
    SeverityText,
    SeverityNumber,
    EventName,
    TraceId,
    SpanId,
    ScopeName,
    ScopeVersion,
    Attribute,
}

impl Source {
    fn of(label: &str) -> Self {
        match label {
            SERVICE_LABEL => Self::Service,
            "severity_text" => Self::SeverityText,
            "severity_number" => Self::SeverityNumber,
            "event_name" => Self::EventName,
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            "scope_name" => Self::ScopeName,
            "scope_version" => Self::ScopeVersion,
            label if LEVEL_LABELS.contains(&label) => Self::Level,
            _ => Self::Attribute,
        }
    }
}

impl Selector {
    pub(super) fn new(matchers: &[Matcher]) -> Self {
        let source = |matcher: &Matcher| LabelMatcher { source: Source::of(&matcher.name), matcher: matcher.clone(), resources: HashMap::new() };
        Self { matchers: matchers.iter().map(source).collect() }
    }

    /// The only trace that can match.
    pub(super) fn trace_id(&self) -> Option<TraceId> {
        let is_exact = |each: &&LabelMatcher| matches!(each.source, Source::TraceId) && each.matcher.op == MatchOp::Equal;
        self.matchers.iter().find(is_exact).and_then(|each| TraceId::from_hex(&each.matcher.value))
    }

    /// The only services that can match; empty means all.
    pub(super) fn services(&self) -> Vec<String> {
        let exact = self.matchers.iter().filter(|each| matches!(each.source, Source::Service)).find_map(|each| match each.matcher.op {
            MatchOp::Equal => Some(vec![each.matcher.value.clone()]),
            MatchOp::Regex => literals(&each.matcher.value),
            MatchOp::NotEqual | MatchOp::NotRegex => None,
        });
        let mut services = exact.unwrap_or_default();
        if services.iter().any(|service| service == UNKNOWN_SERVICE) {
            services.push(String::new());
        }
        services
    }

    /// Keeps the candidates that all matchers match.
    pub(super) fn retain(&mut self, columns: &LogColumns<'_>, candidates: &mut Vec<usize>) {
        for each in &mut self.matchers {
            each.retain(columns, candidates);
        }
    }
}

/// The alternatives of a regular expression that is only `a|b|c`.
fn literals(pattern: &str) -> Option<Vec<String>> {
    let is_plain = pattern.chars().all(|character| character.is_ascii_alphanumeric() || "-_|/:".contains(character));
    is_plain.then(|| pattern.split('|').map(str::to_owned).collect())
}

impl LabelMatcher {
    fn retain(&mut self, columns: &LogColumns<'_>, candidates: &mut Vec<usize>) {
        let Self { matcher, source, resources } = self;
        match source {
            Source::Service => {
                retain_by_text(columns.service, candidates, |service| matcher.matches(if service.is_empty() { UNKNOWN_SERVICE } else { service }))
            }
            Source::SeverityText => retain_by_text(columns.severity_text, candidates, |text| matcher.matches(text)),
            Source::EventName => retain_by_text(columns.event_name, candidates, |text| matcher.matches(text)),
            Source::ScopeName => retain_by_text(columns.scope, candidates, |json| matcher.matches(&crate::rows::Scope::from_json(json).name)),
            Source::ScopeVersion => retain_by_text(columns.scope, candidates, |json| matcher.matches(&crate::rows::Scope::from_json(json).version)),
            Source::Level => {
                let mut verdicts: HashMap<(i32, usize), bool> = HashMap::new();
                candidates.retain(|row| {
                    let key = (columns.severity_number.value(*row), columns.severity_text.code(*row));
                    *verdicts.entry(key).or_insert_with(|| matcher.matches(&level_of(key.0, columns.severity_text.value(key.1))))
                });
            }
            Source::SeverityNumber => candidates.retain(|row| matcher.matches(&columns.severity_number.value(*row).to_string())),
            Source::TraceId => {
                let text = |row: usize| trace_id(columns.trace_id, row).map(|id| id.to_string()).unwrap_or_default();
                candidates.retain(|row| matcher.matches(&text(*row)));
            }
            Source::SpanId => {
                let text = |row: usize| span_id(columns.span_id, row).map(|id| id.to_string()).unwrap_or_default();
                candidates.retain(|row| matcher.matches(&text(*row)));
            }
            Source::Attribute => retain_by_attribute(matcher, resources, columns, candidates),
        }
    }
}

fn retain_by_text(texts: Texts<'_>, candidates: &mut Vec<usize>, mut matches: impl FnMut(&str) -> bool) {
    let mut verdicts: Vec<Option<bool>> = vec![None; texts.distinct()];
    candidates.retain(|row| {
        let code = texts.code(*row);
        *verdicts[code].get_or_insert_with(|| matches(texts.value(code)))
    });
}

fn retain_by_attribute(matcher: &Matcher, resources: &mut HashMap<String, Option<bool>>, columns: &LogColumns<'_>, candidates: &mut Vec<usize>) {
    let texts = columns.resource;
    let mut verdicts: Vec<Option<Option<bool>>> = vec![None; texts.distinct()];
    candidates.retain(|row| {
        let code = texts.code(*row);
        let verdict = verdicts[code].get_or_insert_with(|| {
            let json = texts.value(code);
            if let Some(verdict) = resources.get(json) {
                return *verdict;
            }
            let resource = Resource::from_json(json);
            let found = resource.attributes.iter().find(|(key, _)| label_name(key) == matcher.name);
            let verdict = found.map(|(_, value)| matcher.matches(&value.to_text()));
            resources.insert(json.to_owned(), verdict);
            verdict
        });
        verdict.unwrap_or_else(|| matcher.matches(columns.attributes.find(*row, |key| label_name(key) == matcher.name).unwrap_or("")))
    });
}
