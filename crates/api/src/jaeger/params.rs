//! Parameters of the HTTP API as Jaeger reads them.

use signalbox_lang::go_duration;
use signalbox_lang::traceql::KIND_WORDS;
use signalbox_model::{Error, Result, TimeRange, TraceId};

use super::adjust::Adjustment;
use super::{Settings, stored_service};
use crate::http::Params;
use crate::trace_search::{TraceSearch, tagged};

/// Jaeger's default.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// Identifiers that one request may name.
const IDS_MAX: usize = 1_000;
/// Tags that one request may name: each is looked for in five places.
pub(super) const TAGS_MAX: usize = 64;
const HOUR_NS: i64 = 3_600_000_000_000;
const NANOS_PER_MICRO: i64 = 1_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What `GET /traces` asks for.
#[derive(Debug)]
pub(super) enum TracesQuery {
    /// `traceID=`, any number of them.
    ByIds(Vec<TraceId>),
    /// Everything else.
    Search(TraceSearch),
}

impl TracesQuery {
    pub(super) fn parse(params: &Params, now_ns: i64) -> Result<Self> {
        let ids = params.all("traceID").filter(|id| !id.is_empty()).map(trace_id).collect::<Result<Vec<_>>>()?;
        if ids.len() > IDS_MAX {
            return Err(Error::invalid(format!("cannot answer {} traces: want at most {IDS_MAX} of parameter 'traceID'", ids.len())));
        }
        if !ids.is_empty() {
            return Ok(Self::ByIds(ids));
        }
        let (min_ns, max_ns) = (duration_ns(params, "minDuration")?, duration_ns(params, "maxDuration")?);
        Ok(Self::Search(TraceSearch {
            service: params.get("service").map(|service| stored_service(service).to_owned()),
            name: params.get("operation").map(str::to_owned),
            kind: params.get("spanKind").map(kind).transpose()?,
            duration_min_ns: min_ns,
            duration_max_ns: ordered(min_ns, max_ns)?,
            conditions: tags(params)?.iter().map(|(name, value)| tagged(name, value)).collect(),
            ..TraceSearch::all(range(params, now_ns)?, limit(params)?)
        }))
    }
}

/// The greater of two bounds, which must not be below the lesser.
pub(super) fn ordered(min_ns: Option<i64>, max_ns: Option<i64>) -> Result<Option<i64>> {
    match (min_ns, max_ns) {
        (Some(min_ns), Some(max_ns)) if min_ns > max_ns => Err(Error::invalid("'maxDuration' should be greater than 'minDuration'")),
        _ => Ok(max_ns),
    }
}

/// What is done to the traces of an answer.
pub(super) fn adjustment(params: &Params, settings: &Settings) -> Result<Adjustment> {
    Ok(match boolean(params, "raw")? {
        true => Adjustment::Raw,
        false => settings.adjustment(),
    })
}

/// Go's booleans.
pub(super) fn boolean(params: &Params, name: &str) -> Result<bool> {
    match params.get(name) {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(other) => Err(unparsed(name, &format!("cannot parse {other:?} as a boolean"))),
    }
}

/// The OTLP kind of a word of Jaeger's.
pub(super) fn kind(word: &str) -> Result<i32> {
    let position = KIND_WORDS.iter().position(|candidate| candidate.eq_ignore_ascii_case(word)).and_then(|position| i32::try_from(position).ok());
    position.ok_or_else(|| unparsed("spanKind", &format!("unsupported span kind: '{word}'")))
}

/// A trace identifier of up to 32 digits.
pub(super) fn trace_id(text: &str) -> Result<TraceId> {
    TraceId::from_hex(text).ok_or_else(|| Error::invalid(format!("cannot parse trace ID {text:?}: want 1 to 32 hexadecimal digits, not all zero")))
}

fn unparsed(name: &str, what: &str) -> Error {
    Error::invalid(format!("unable to parse param '{name}': {what}"))
}

/// An integer that is there.
pub(super) fn integer(params: &Params, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| text.parse().map_err(|_| unparsed(name, &format!("cannot parse {text:?} as integer")));
    params.get(name).map(parse).transpose()
}

/// A time in microseconds since the Unix epoch, as nanoseconds.
pub(super) fn micros(params: &Params, name: &str) -> Result<Option<i64>> {
    Ok(integer(params, name)?.map(|micros| micros.saturating_mul(NANOS_PER_MICRO)))
}

fn range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    let end_ns = micros(params, "end")?;
    let lookback = params.get("lookback").and_then(lookback_ns).unwrap_or(HOUR_NS);
    let start_ns = micros(params, "start")?.unwrap_or_else(|| end_ns.unwrap_or(now_ns).saturating_sub(lookback));
    // The whole last microsecond belongs to the range.
    Ok(TimeRange::from_ns(start_ns, end_ns.unwrap_or(now_ns).saturating_add(NANOS_PER_MICRO - 1)))
}

/// What the UI offers: `1h`, `2d`, `custom`.
fn lookback_ns(text: &str) -> Option<i64> {
    let days = |number: &str, days: i64| number.parse::<i64>().ok().filter(|number| *number >= 0)?.checked_mul(days * 24 * HOUR_NS);
    match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => days(number, 1),
        (None, Some(number)) => days(number, 7),
        (None, None) => go_duration::parse(text),
    }
}

fn limit(params: &Params) -> Result<usize> {
    match integer(params, "limit")? {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if limit > 0 => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
        Some(_) => Err(unparsed("limit", "want at least 1")),
    }
}

fn duration_ns(params: &Params, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| {
        go_duration::parse(text).ok_or_else(|| Error::invalid(format!("cannot parse {name} {text:?}: want a duration such as 1.2s, 100ms, 500us")))
    };
    params.get(name).map(parse).transpose()
}

/// `tag=name:value`, any number of them, and `tags={"name":"value"}`.
fn tags(params: &Params) -> Result<Vec<(String, String)>> {
    let mut tags = Vec::new();
    for pair in params.all("tag") {
        let Some((name, value)) = pair.split_once(':') else {
            return Err(Error::invalid(format!("malformed 'tag' parameter, expecting key:value, received: {pair}")));
        };
        tags.push((name.to_owned(), value.to_owned()));
    }
    for json in params.all("tags").filter(|json| !json.is_empty()) {
        tags.extend(tags_of_json(json).map_err(|error| Error::invalid(format!("malformed 'tags' parameter, {}", error.message())))?);
    }
    tags.dedup();
    if tags.len() > TAGS_MAX { Err(Error::invalid(format!("cannot search for {} tags: want at most {TAGS_MAX}", tags.len()))) } else { Ok(tags) }
}

/// `{"name":"value"}`; values of other types by their text.
pub(super) fn tags_of_json(json: &str) -> Result<Vec<(String, String)>> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|error| Error::invalid(format!("cannot unmarshal JSON: {error}")))?;
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(object.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// `endTs` and `lookback`, in milliseconds.
pub(super) fn millis_range(params: &Params, lookback_default_ms: i64, now_ns: i64) -> Result<TimeRange> {
    let end_ms = integer(params, "endTs")?.unwrap_or(now_ns / NANOS_PER_MILLI);
    let lookback_ms = integer(params, "lookback")?.unwrap_or(lookback_default_ms);
    Ok(TimeRange::from_ms(end_ms.saturating_sub(lookback_ms), end_ms))
}

#[cfg(test)]
mod tests;
