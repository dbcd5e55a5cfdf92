//! Stream selectors over columns: what a resource decides is decided once per distinct resource, not once per row.

use std::collections::HashMap;

use arrow::array::{FixedSizeBinaryArray, Int32Array, RecordBatch};
use signalbox_model::schema::{self, logs};
use signalbox_model::{MatchOp, Matcher, Result, TraceId};
use signalbox_store::ScanRequest;

use crate::logs::{LEVEL_LABELS, SERVICE_LABEL, UNKNOWN_SERVICE, label_name};
use crate::rows::{AttributeColumns, Resource, Scope, Texts, column, level_of, span_id, trace_id};

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

    /// Where it is.
    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Service => &[schema::SERVICE],
            Self::Level => &[logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT],
            Self::SeverityText => &[logs::SEVERITY_TEXT],
            Self::SeverityNumber => &[logs::SEVERITY_NUMBER],
            Self::EventName => &[logs::EVENT_NAME],
            Self::TraceId => &[schema::TRACE_ID],
            Self::SpanId => &[schema::SPAN_ID],
            Self::ScopeName | Self::ScopeVersion => &[schema::SCOPE],
            Self::Attribute => &[schema::RESOURCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES],
        }
    }
}

impl Selector {
    pub(super) fn new(matchers: &[Matcher]) -> Self {
        let source = |matcher: &Matcher| LabelMatcher { source: Source::of(&matcher.name), matcher: matcher.clone(), resources: HashMap::new() };
        Self { matchers: matchers.iter().map(source).collect() }
    }

    /// Narrows a scan to what can match.
    pub(super) fn narrow(&self, scan: &mut ScanRequest) {
        scan.trace_id = self.trace_id();
        scan.services = self.services();
    }

    /// The only trace that can match.
    fn trace_id(&self) -> Option<TraceId> {
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

    /// Columns that the matchers look at.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        self.matchers.iter().flat_map(|each| each.source.columns()).copied().collect()
    }

    /// Keeps the candidates that all matchers match.
    pub(super) fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<()> {
        self.matchers.iter_mut().try_for_each(|each| each.retain(rows, candidates))
    }
}

/// The alternatives of a regular expression that is only `a|b|c`.
fn literals(pattern: &str) -> Option<Vec<String>> {
    let is_plain = pattern.chars().all(|character| character.is_ascii_alphanumeric() || "-_|/:".contains(character));
    is_plain.then(|| pattern.split('|').map(str::to_owned).collect())
}

impl LabelMatcher {
    fn retain(&mut self, rows: &RecordBatch, candidates: &mut Vec<usize>) -> Result<()> {
        let Self { matcher, source, resources } = self;
        let texts = |name: &str| Texts::of(rows, name);
        match source {
            Source::Service => {
                let matches = |service: &str| matcher.matches(if service.is_empty() { UNKNOWN_SERVICE } else { service });
                retain_by_text(texts(schema::SERVICE)?, candidates, matches);
            }
            Source::SeverityText => retain_by_text(texts(logs::SEVERITY_TEXT)?, candidates, |text| matcher.matches(text)),
            Source::EventName => retain_by_text(texts(logs::EVENT_NAME)?, candidates, |text| matcher.matches(text)),
            Source::ScopeName => retain_by_text(texts(schema::SCOPE)?, candidates, |json| matcher.matches(&Scope::from_json(json).name)),
            Source::ScopeVersion => retain_by_text(texts(schema::SCOPE)?, candidates, |json| matcher.matches(&Scope::from_json(json).version)),
            Source::Level => {
                let (number, text): (&Int32Array, _) = (column(rows, logs::SEVERITY_NUMBER)?, texts(logs::SEVERITY_TEXT)?);
                let mut verdicts: HashMap<(i32, usize), bool> = HashMap::new();
                candidates.retain(|row| {
                    let key = (number.value(*row), text.code(*row));
                    *verdicts.entry(key).or_insert_with(|| matcher.matches(&level_of(key.0, text.value(key.1))))
                });
            }
            Source::SeverityNumber => {
                let number: &Int32Array = column(rows, logs::SEVERITY_NUMBER)?;
                candidates.retain(|row| matcher.matches(&number.value(*row).to_string()));
            }
            Source::TraceId => {
                let ids: &FixedSizeBinaryArray = column(rows, schema::TRACE_ID)?;
                candidates.retain(|row| matcher.matches(&trace_id(ids, *row).map(|id| id.to_string()).unwrap_or_default()));
            }
            Source::SpanId => {
                let ids: &FixedSizeBinaryArray = column(rows, schema::SPAN_ID)?;
                candidates.retain(|row| matcher.matches(&span_id(ids, *row).map(|id| id.to_string()).unwrap_or_default()));
            }
            Source::Attribute => {
                let attributes = AttributeColumns::of(rows)?;
                retain_by_attribute(matcher, resources, texts(schema::RESOURCE)?, attributes, candidates);
            }
        }
        Ok(())
    }
}

fn retain_by_text(texts: Texts<'_>, candidates: &mut Vec<usize>, mut matches: impl FnMut(&str) -> bool) {
    let mut verdicts: Vec<Option<bool>> = vec![None; texts.distinct()];
    candidates.retain(|row| {
        let code = texts.code(*row);
        *verdicts[code].get_or_insert_with(|| matches(texts.value(code)))
    });
}

fn retain_by_attribute(
    matcher: &Matcher,
    resources: &mut HashMap<String, Option<bool>>,
    texts: Texts<'_>,
    attributes: AttributeColumns<'_>,
    candidates: &mut Vec<usize>,
) {
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
        verdict.unwrap_or_else(|| matcher.matches(attributes.find(*row, |key| label_name(key) == matcher.name).unwrap_or("")))
    });
}
