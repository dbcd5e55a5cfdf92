//! Parameters as Jaeger reads them.

use signalbox_lang::go_duration;
use signalbox_lang::traceql::{AttributeScope, CompareOp, Comparison, Condition, Field, SpanFilter, Value};
use signalbox_model::{Error, Result, TimeRange, TraceId};
use signalbox_query::traceql::{TagMatch, TraceSearch};

use super::stored_service;
use crate::http::Params;

/// Jaeger's default.
const LIMIT_DEFAULT: usize = 100;
const HOUR_NS: i64 = 3_600_000_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// What `GET /traces` asks for.
pub(super) enum TracesQuery {
    /// `traceID=`, any number of them.
    ByIds(Vec<TraceId>),
    Search(TraceSearch),
}

impl TracesQuery {
    pub(super) fn parse(params: &Params, now_ns: i64) -> Result<Self> {
        let ids = params.all("traceID").filter(|id| !id.is_empty()).map(trace_id).collect::<Result<Vec<_>>>()?;
        if !ids.is_empty() {
            return Ok(Self::ByIds(ids));
        }
        let (min_ns, max_ns) = (duration_ns(params, "minDuration")?, duration_ns(params, "maxDuration")?);
        if let (Some(min_ns), Some(max_ns)) = (min_ns, max_ns)
            && min_ns > max_ns
        {
            return Err(Error::invalid("'maxDuration' should be greater than 'minDuration'"));
        }
        let text = |field: Field, text: &str| Comparison { field, op: CompareOp::Equal, value: Value::Text(text.to_owned()) };
        let duration = |op: CompareOp, value: i64| Comparison { field: Field::Duration, op, value: Value::Duration(value) };
        let mut tags = tags(params)?;
        let mut comparisons = Vec::new();
        match params.get("service").map(stored_service) {
            // A span without a service has no attribute to compare; its field is empty.
            Some("") => comparisons.push(Comparison { field: service_field(), op: CompareOp::Equal, value: Value::Nil }),
            Some(service) => comparisons.push(text(service_field(), service)),
            None => {}
        }
        comparisons.extend(params.get("operation").map(|operation| text(Field::Name, operation)));
        comparisons.extend(params.get("spanKind").and_then(kind).map(|kind| Comparison { field: Field::Kind, op: CompareOp::Equal, value: Value::Kind(kind) }));
        comparisons.extend(min_ns.map(|min_ns| duration(CompareOp::GreaterEqual, min_ns)));
        comparisons.extend(max_ns.map(|max_ns| duration(CompareOp::LessEqual, max_ns)));
        tags.dedup();
        Ok(Self::Search(TraceSearch {
            filter: SpanFilter { condition: comparisons.into_iter().map(Condition::Compare).reduce(Condition::and) },
            tags,
            range: range(params, now_ns)?,
            trace_duration_min_ns: None,
            trace_duration_max_ns: None,
            limit: limit(params)?,
        }))
    }
}

fn service_field() -> Field {
    Field::Attribute(AttributeScope::Resource, "service.name".to_owned())
}

fn kind(word: &str) -> Option<i32> {
    let position = signalbox_lang::traceql::KIND_WORDS.iter().position(|candidate| *candidate == word)?;
    i32::try_from(position).ok()
}

/// A trace identifier of up to 32 digits.
pub(super) fn trace_id(text: &str) -> Result<TraceId> {
    TraceId::from_hex(text).ok_or_else(|| Error::invalid(format!("cannot parse trace ID {text:?}: want 1 to 32 hexadecimal digits, not all zero")))
}

fn micros(params: &Params, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| {
        let micros: i64 = text.parse().map_err(|_| Error::invalid(format!("unable to parse param '{name}': cannot parse {text:?} as integer")))?;
        Ok(micros.saturating_mul(NANOS_PER_MICRO))
    };
    params.get(name).map(parse).transpose()
}

fn range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    let end_ns = micros(params, "end")?;
    let lookback = params.get("lookback").and_then(go_duration::parse).unwrap_or(HOUR_NS);
    let start_ns = micros(params, "start")?.unwrap_or_else(|| end_ns.unwrap_or(now_ns).saturating_sub(lookback));
    // The whole last microsecond belongs to the range.
    Ok(TimeRange::from_ns(start_ns, end_ns.unwrap_or(now_ns).saturating_add(NANOS_PER_MICRO - 1)))
}

fn limit(params: &Params) -> Result<usize> {
    let Some(text) = params.get("limit") else { return Ok(LIMIT_DEFAULT) };
    let limit: usize = text.parse().map_err(|_| Error::invalid(format!("unable to parse param 'limit': cannot parse {text:?} as integer")))?;
    if limit == 0 { Err(Error::invalid("unable to parse param 'limit': want at least 1")) } else { Ok(limit) }
}

fn duration_ns(params: &Params, name: &str) -> Result<Option<i64>> {
    let parse = |text: &str| {
        go_duration::parse(text).ok_or_else(|| Error::invalid(format!("cannot parse {name} {text:?}: want a duration such as 1.2s, 100ms, 500us")))
    };
    params.get(name).map(parse).transpose()
}

/// `tag=name:value`, any number of them, and `tags={"name":"value"}`.
fn tags(params: &Params) -> Result<Vec<TagMatch>> {
    let mut tags = Vec::new();
    for pair in params.all("tag") {
        let Some((name, value)) = pair.split_once(':') else {
            return Err(Error::invalid(format!("malformed 'tag' parameter, expecting key:value, received: {pair}")));
        };
        tags.push(TagMatch { name: name.to_owned(), value: value.to_owned() });
    }
    for json in params.all("tags").filter(|json| !json.is_empty()) {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| Error::invalid(format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}")))?;
        for (name, value) in object {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            tags.push(TagMatch { name, value });
        }
    }
    Ok(tags)
}

/// `endTs` and `lookback` of dependencies, in milliseconds.
pub(super) fn dependency_range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    const LOOKBACK_DEFAULT_MS: i64 = 24 * 3_600_000;
    let millis = |name: &str| {
        let parse = |text: &str| text.parse::<i64>().map_err(|_| Error::invalid(format!("unable to parse param '{name}': cannot parse {text:?} as integer")));
        params.get(name).map(parse).transpose()
    };
    let end_ms = millis("endTs")?.unwrap_or(now_ns / 1_000_000);
    let lookback_ms = millis("lookback")?.unwrap_or(LOOKBACK_DEFAULT_MS);
    Ok(TimeRange::from_ms(end_ms.saturating_sub(lookback_ms), end_ms))
}
