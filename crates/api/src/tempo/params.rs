//! Parameters as Tempo reads them.

use axum::response::{IntoResponse, Response};
use signalbox_lang::traceql::{self, AttributeScope, CompareOp, Comparison, Condition, Field, SpanFilter, Value};
use signalbox_lang::{go_duration, text};
use signalbox_model::{Error, ErrorKind, Result, TimeRange, TraceId};
use signalbox_query::traceql::{TagMatch, TraceSearch};

use crate::http::{Params, status};

/// Tempo's defaults.
const LIMIT_DEFAULT: usize = 20;
const SPANS_PER_TRACE_DEFAULT: usize = 3;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A refusal: plain text, as Tempo's.
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a trace query: {}", self.0);
        }
        (status(&self.0), self.0.message().to_owned()).into_response()
    }
}

/// A search and how many spans of each trace are wanted.
pub(super) struct SearchQuery {
    pub(super) search: TraceSearch,
    pub(super) spans_per_trace: usize,
}

pub(super) fn search(params: &Params) -> Result<SearchQuery> {
    let filter = match params.get("q") {
        Some(query) => traceql::parse(query).map_err(|error| Error::new(error.kind(), format!("invalid TraceQL query: {}", error.message())))?,
        None => SpanFilter { condition: None },
    };
    let number = |name: &str, default: usize| {
        let parse = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot use {text:?}: want a positive number"));
        params.get(name).map_or(Ok(default), |text| parse(text).ok_or_else(|| invalid(text)))
    };
    let duration = |name: &str| {
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot parse {text:?}: want a duration such as 1.2s, 100ms, 500us"));
        params.get(name).map(|text| go_duration::parse(text).ok_or_else(|| invalid(text))).transpose()
    };
    let (min_ns, max_ns) = (duration("minDuration")?, duration("maxDuration")?);
    if let (Some(min_ns), Some(max_ns)) = (min_ns, max_ns)
        && min_ns > max_ns
    {
        return Err(Error::invalid("invalid maxDuration: must be greater than minDuration"));
    }
    let search = TraceSearch {
        filter: with_tags(filter, &tags(params.get("tags").unwrap_or(""))?),
        tags: Vec::<TagMatch>::new(),
        range: range(params)?,
        trace_duration_min_ns: min_ns,
        trace_duration_max_ns: max_ns,
        limit: number("limit", LIMIT_DEFAULT)?,
    };
    Ok(SearchQuery { search, spans_per_trace: number("spss", SPANS_PER_TRACE_DEFAULT)? })
}

/// `start` and `end` in seconds, both with their whole second; all of time without them.
pub(super) fn range(params: &Params) -> Result<TimeRange> {
    let seconds = |name: &str| {
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot parse {text:?}: want seconds since the Unix epoch"));
        params.get(name).map(|text| text.parse::<i64>().map_err(|_| invalid(text))).transpose()
    };
    let (start, end) = (seconds("start")?, seconds("end")?);
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(Error::invalid(format!("invalid start: {start} is after end {end}")));
    }
    let start_ns = start.filter(|start| *start > 0).map_or(i64::MIN, |start| start.saturating_mul(NANOS_PER_SECOND));
    let end_ns = end.filter(|end| *end > 0).map_or(i64::MAX, |end| end.saturating_mul(NANOS_PER_SECOND).saturating_add(NANOS_PER_SECOND - 1));
    Ok(TimeRange::from_ns(start_ns, end_ns))
}

fn with_tags(filter: SpanFilter, tags: &[(String, String)]) -> SpanFilter {
    let conditions = tags.iter().map(|(name, value)| Condition::Compare(tag_comparison(name, value)));
    SpanFilter { condition: filter.condition.into_iter().chain(conditions).reduce(Condition::and) }
}

/// A tag means an attribute of that name, except that some names mean fields.
fn tag_comparison(name: &str, value: &str) -> Comparison {
    let is = |field: Field, value: Value| Comparison { field, op: CompareOp::Equal, value };
    let code = |words: &[&str]| words.iter().position(|word| *word == value).and_then(|code| i32::try_from(code).ok());
    match (name, code(&traceql::STATUS_WORDS), code(&traceql::KIND_WORDS)) {
        ("name", _, _) => is(Field::Name, Value::Text(value.to_owned())),
        ("status" | "status.code", Some(code), _) => is(Field::Status, Value::Status(code)),
        ("kind", _, Some(kind)) => is(Field::Kind, Value::Kind(kind)),
        ("error", _, _) if value == "true" => is(Field::Status, Value::Status(2)),
        ("service.name", _, _) => is(Field::Attribute(AttributeScope::Resource, name.to_owned()), Value::Text(value.to_owned())),
        _ => {
            let typed = match (value.parse::<i64>(), value.parse::<bool>()) {
                (Ok(number), _) => Value::Int(number),
                (_, Ok(truth)) => Value::Bool(truth),
                _ => Value::Text(value.to_owned()),
            };
            is(Field::Attribute(AttributeScope::Any, name.to_owned()), typed)
        }
    }
}

/// Pairs in logfmt: `service.name=shop http.url="/a b"`.
fn tags(logfmt: &str) -> Result<Vec<(String, String)>> {
    let invalid = || Error::invalid(format!("invalid tags: cannot parse {logfmt:?}: want name=value pairs"));
    let (mut tags, mut rest) = (Vec::new(), logfmt.trim_start());
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains([' ', '"'])).ok_or_else(invalid)?;
        let (value, length) = if after.starts_with('"') {
            let quoted = text::read_quoted(after, 0).map_err(|_| invalid())?;
            (quoted.value, quoted.end)
        } else {
            let length = after.find(' ').unwrap_or(after.len());
            (after[..length].to_owned(), length)
        };
        tags.push((name.to_owned(), value));
        rest = after[length..].trim_start();
    }
    Ok(tags)
}

/// A trace identifier of up to 32 digits.
pub(super) fn trace_id(text: &str) -> Result<TraceId> {
    if let Some((at, character)) = text.char_indices().find(|(_, character)| !character.is_ascii_hexdigit()) {
        return Err(Error::invalid(format!("trace IDs can only contain hex characters: invalid character {character:?} at position {}", at + 1)));
    }
    if text.len() > 32 {
        return Err(Error::invalid("trace IDs can't be larger than 128 bits"));
    }
    // The trace of identifier 0 cannot exist: data sources ask for it to see whether somebody is at home.
    TraceId::from_hex(text).ok_or_else(|| Error::new(ErrorKind::NotFound, "trace not found"))
}
