//! What a search asks for, from its body and its address.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use signalbox_model::TimeRange;
use signalbox_query::search::times::Now;
use signalbox_query::search::{After, Direction, Field, Filter, Highlighter, SearchRequest};

use super::aggregation::{self, Plan, duration_ns};
use super::refusal::{Refusal, Result};
use super::{index, query};
use crate::http::Params;

/// Hits within which one may page, as in Elasticsearch.
const WINDOW: u64 = 10_000;
/// Hits that are counted if the request does not say, as in Elasticsearch.
const TOTAL_DEFAULT: u64 = 10_000;
/// Bits of the order of arrival in `_doc` of a sort; the rest tells times of one millisecond apart. Together they are as many as
/// a double holds exactly, because clients read them as one.
const SEQUENCE_BITS: u32 = 33;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;

/// A search.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) asked: SearchRequest,
    pub(super) from: usize,
    pub(super) size: usize,
    pub(super) plans: Vec<Plan>,
    pub(super) source: Source,
    /// Fields that are answered beside the source, with the format of dates.
    pub(super) fields: Vec<(String, String)>,
    pub(super) sort: Vec<SortKey>,
    pub(super) highlight: Option<Highlight>,
    /// How many hits are counted; `None` for all.
    pub(super) count_to: Option<u64>,
    pub(super) is_total_plain: bool,
    /// The query, for our own logs.
    pub(super) text: String,
}

/// A key that hits are sorted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SortKey {
    pub(super) by: SortBy,
    pub(super) direction: Direction,
    /// Of dates.
    pub(super) format: String,
}

impl SortKey {
    /// As a request says it.
    pub(super) fn json(&self) -> Value {
        let name = match self.by {
            SortBy::Time => "@timestamp",
            SortBy::Arrival => "_doc",
            SortBy::Score => "_score",
        };
        json!({ name: { "order": if self.direction == Direction::Forward { "asc" } else { "desc" }, "format": self.format } })
    }
}

/// What hits are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBy {
    Time,
    Arrival,
    /// Nothing has any.
    Score,
}

/// How words that were found are marked.
#[derive(Debug)]
pub(super) struct Highlight {
    pub(super) before: String,
    pub(super) after: String,
    pub(super) finder: Highlighter,
    /// Patterns of names of fields.
    pub(super) fields: Vec<String>,
}

/// What of the source is answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Source {
    pub(super) is_hidden: bool,
    pub(super) includes: Vec<String>,
    pub(super) excludes: Vec<String>,
}

impl Source {
    pub(super) fn of(value: Option<&Value>) -> Result<Self> {
        let names = |value: Option<&Value>| match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split(',').map(str::to_owned).collect()),
            Some(Value::Array(items)) => Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            Some(_) => Err(Refusal::parsing("[_source] wants a boolean, names or an object of includes and excludes")),
        };
        match value {
            Some(Value::Bool(is_shown)) => Ok(Self { is_hidden: !is_shown, ..Self::default() }),
            Some(Value::Object(entries)) => Ok(Self {
                is_hidden: false,
                includes: names(entries.get("includes").or_else(|| entries.get("include")))?,
                excludes: names(entries.get("excludes").or_else(|| entries.get("exclude")))?,
            }),
            other => Ok(Self { includes: names(other)?, ..Self::default() }),
        }
    }

    pub(super) fn shows(&self, name: &str) -> bool {
        // A name stands for all below it, too.
        let fits = |pattern: &String| super::document::fits(pattern, name) || name.strip_prefix(pattern.as_str()).is_some_and(|rest| rest.starts_with('.'));
        (self.includes.is_empty() || self.includes.iter().any(fits)) && !self.excludes.iter().any(fits)
    }
}

/// Members of a body that ask for what is not spoken.
const REFUSED: [&str; 11] = ["collapse", "rescore", "suggest", "knn", "pit", "slice", "post_filter", "min_score", "retriever", "rank", "derived"];

/// Reads the body of a search, and what its address says.
pub(super) fn read(indices: &str, body: &Value, params: &Params, now_ns: i64, window: u64) -> Result<Search> {
    let empty = Map::new();
    let body = match body {
        Value::Object(body) => body,
        Value::Null => &empty,
        _ => return Err(Refusal::parsing("a search wants an object")),
    };
    if let Some(name) = REFUSED.iter().find(|name| body.get(**name).is_some_and(|value| !value.is_null())) {
        return Err(Refusal::parsing(format!("[{name}] is not supported")));
    }
    for name in ["script_fields", "runtime_mappings"] {
        if body.get(name).and_then(Value::as_object).is_some_and(|entries| !entries.is_empty()) {
            return Err(Refusal::parsing(format!("[{name}] is not supported")));
        }
    }
    if params.get("typed_keys") == Some("true") {
        return Err(Refusal::illegal("[typed_keys] is not supported"));
    }
    let (size, from) = (count(body, params, "size", 10)?, count(body, params, "from", 0)?);
    if from.saturating_add(size) > window.min(WINDOW) {
        return Err(Refusal::illegal(format!(
            "Result window is too large, from + size must be less than or equal to: [{}] but was [{}]. See the scroll api for a more efficient way to request large data sets.",
            window.min(WINDOW),
            from.saturating_add(size)
        )));
    }
    let sort = match params.get("sort") {
        Some(text) => sort_of_address(text)?,
        None => sort(body.get("sort"))?,
    };
    let direction = sort.iter().find(|key| key.by != SortBy::Score).map_or(Direction::Backward, |key| key.direction);
    let after = body.get("search_after").map(|values| after(values, &sort, direction)).transpose()?;
    if after.is_some() && from > 0 {
        return Err(Refusal::illegal("`from` parameter must be set to 0 when `search_after` is used"));
    }
    let query = query_of(body, params)?;
    let filter = query::filter(&query, now_ns)?;
    let highlight = body.get("highlight").map(|options| highlight(options, &filter)).transpose()?.filter(|highlight| !highlight.finder.is_empty());
    let plans = body.get("aggs").or_else(|| body.get("aggregations")).map(|aggs| aggregation::read(aggs, now_ns)).transpose()?.unwrap_or_default();
    let count_to = total(body.get("track_total_hits"), params.get("track_total_hits"))?;
    let limit = usize::try_from(from.saturating_add(size)).unwrap_or(usize::MAX);
    let asked = SearchRequest {
        limit,
        direction,
        after,
        count_to: Some(count_to.unwrap_or(u64::MAX)).filter(|count| *count > 0),
        aggregations: aggregation::asked(&plans),
        timeout: timeout(body, params)?,
        ..SearchRequest::newest(Filter::all_of([index::filter(indices)?, filter]), TimeRange::ALL, limit)
    };
    Ok(Search {
        asked,
        from: usize::try_from(from).unwrap_or(usize::MAX),
        size: usize::try_from(size).unwrap_or(usize::MAX),
        plans,
        source: source(body, params)?,
        fields: fields(body)?,
        sort,
        highlight,
        count_to,
        is_total_plain: params.get("rest_total_hits_as_int") == Some("true"),
        text: query.to_string(),
    })
}

/// The query of a body, or of `q` of the address.
pub(super) fn query_of(body: &Map<String, Value>, params: &Params) -> Result<Value> {
    if let Some(text) = params.get("q") {
        let operator = params.get("default_operator").unwrap_or("or");
        let mut options = json!({ "query": text, "default_operator": operator });
        if let (Some(field), Some(options)) = (params.get("df"), options.as_object_mut()) {
            options.insert("default_field".to_owned(), json!(field));
        }
        return Ok(json!({ "query_string": options }));
    }
    Ok(body.get("query").filter(|query| !query.is_null()).cloned().unwrap_or_else(|| json!({ "match_all": {} })))
}

/// A body of JSON; none is nothing.
pub(super) fn json_of(body: &Bytes) -> Result<Value> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| Refusal::parsing(format!("cannot read the body: {error}")))
}

fn count(body: &Map<String, Value>, params: &Params, name: &str, default: u64) -> Result<u64> {
    let invalid = || Refusal::illegal(format!("[{name}] parameter cannot be negative, nor anything but a count"));
    if let Some(text) = params.get(name) {
        return text.parse().map_err(|_| invalid());
    }
    match body.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or_else(invalid),
    }
}

/// How many hits are to be counted: all (`None`), so many, or 0.
fn total(member: Option<&Value>, param: Option<&str>) -> Result<Option<u64>> {
    let text = member.map(Value::to_string).or_else(|| param.map(str::to_owned));
    match text.as_deref() {
        None | Some("null") => Ok(Some(TOTAL_DEFAULT)),
        Some("true") => Ok(None),
        Some("false") => Ok(Some(0)),
        Some(text) => text.parse().map(Some).map_err(|_| Refusal::illegal("[track_total_hits] wants a boolean or a count")),
    }
}

fn timeout(body: &Map<String, Value>, params: &Params) -> Result<Option<Duration>> {
    let Some(text) = body.get("timeout").and_then(Value::as_str).or_else(|| params.get("timeout")) else { return Ok(None) };
    if text == "-1" {
        return Ok(None);
    }
    let timeout = duration_ns(text).and_then(|timeout| u64::try_from(timeout).ok());
    timeout
        .map(|timeout| Some(Duration::from_nanos(timeout)))
        .ok_or_else(|| Refusal::parsing(format!("failed to parse setting [timeout] with value [{text}] as a time value")))
}

fn source(body: &Map<String, Value>, params: &Params) -> Result<Source> {
    let list = |name: &str| params.get(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
    let mut source = match params.get("_source") {
        Some("true") => Source::default(),
        Some("false") => Source { is_hidden: true, ..Source::default() },
        Some(names) => Source { includes: names.split(',').map(str::to_owned).collect(), ..Source::default() },
        None => Source::of(body.get("_source"))?,
    };
    source.includes.extend(list("_source_includes"));
    source.excludes.extend(list("_source_excludes"));
    Ok(source)
}

fn fields(body: &Map<String, Value>) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    for member in ["fields", "docvalue_fields"] {
        for item in body.get(member).and_then(Value::as_array).into_iter().flatten() {
            let (name, format) = match item {
                Value::String(name) => (Some(name.as_str()), None),
                item => (item.get("field").and_then(Value::as_str), item.get("format").and_then(Value::as_str)),
            };
            let name = name.ok_or_else(|| Refusal::parsing(format!("[{member}] wants names of fields")))?;
            if !fields.iter().any(|(known, _)| known == name) {
                fields.push((name.to_owned(), format.unwrap_or("").to_owned()));
            }
        }
    }
    Ok(fields)
}

/// Reads a sort: a name, `{"name": "asc"}`, `{"name": {"order": "asc"}}`, several of them.
pub(super) fn sort(value: Option<&Value>) -> Result<Vec<SortKey>> {
    let mut keys = Vec::new();
    let items = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    for item in items {
        match item {
            Value::String(name) => keys.push(key(name, &Value::Null)?),
            Value::Object(entries) => {
                for (name, options) in entries {
                    keys.push(key(name, options)?);
                }
            }
            _ => return Err(Refusal::parsing("[sort] wants names of fields")),
        }
    }
    one_way(keys)
}

fn sort_of_address(text: &str) -> Result<Vec<SortKey>> {
    let key = |item: &str| {
        let (name, order) = item.split_once(':').unwrap_or((item, ""));
        key(name, &if order.is_empty() { Value::Null } else { json!(order) })
    };
    one_way(text.split(',').map(key).collect::<Result<_>>()?)
}

/// Records have one order, and its reverse.
fn one_way(keys: Vec<SortKey>) -> Result<Vec<SortKey>> {
    let first = keys.iter().find(|key| key.by == SortBy::Time);
    if let Some(first) = first
        && keys.iter().any(|key| key.by == SortBy::Time && key.direction != first.direction)
    {
        return Err(Refusal::illegal("[sort] by time in two directions is not supported"));
    }
    Ok(keys)
}

fn key(name: &str, options: &Value) -> Result<SortKey> {
    let by = match name {
        "_doc" | "_shard_doc" | "_seq_no" => SortBy::Arrival,
        "_score" => SortBy::Score,
        name if Field::named(name) == Field::Timestamp => SortBy::Time,
        other => return Err(Refusal::illegal(format!("sorting by [{other}] is not supported: want [@timestamp] or [_doc]"))),
    };
    let order = options.as_str().or_else(|| options.get("order").and_then(Value::as_str));
    let direction = match order.map(str::to_ascii_lowercase).as_deref() {
        Some("desc") => Direction::Backward,
        Some("asc") => Direction::Forward,
        None if by == SortBy::Score => Direction::Backward,
        None => Direction::Forward,
        Some(other) => return Err(Refusal::illegal(format!("No enum constant SortOrder.{other}"))),
    };
    let format = options.get("format").and_then(Value::as_str).unwrap_or("").to_owned();
    Ok(SortKey { by, direction, format })
}

/// What `_doc` of a record is in a sort: tells apart what milliseconds do not.
pub(super) fn tie(time_ns: i64, sequence: u64) -> u64 {
    (time_ns.rem_euclid(1_000_000).unsigned_abs() << SEQUENCE_BITS) | (sequence & SEQUENCE_MASK)
}

/// The place that the sort values of a hit stand for.
fn after(values: &Value, sort: &[SortKey], direction: Direction) -> Result<After> {
    let invalid = || Refusal::illegal("[search_after] wants the values of [sort] of a hit, for a sort by [@timestamp] or [_doc]");
    let values = values.as_array().filter(|values| !values.is_empty() && values.len() == sort.len()).ok_or_else(invalid)?;
    let (mut time, mut doc) = (None, None);
    for (key, value) in sort.iter().zip(values) {
        match key.by {
            SortBy::Time => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                time = Some(query::formatted(&text, "", &Now::utc(0))?);
            }
            SortBy::Arrival => {
                doc = Some(value.as_u64().or_else(|| value.as_f64().map(|number| number as u64)).or_else(|| value.as_str()?.parse().ok()).ok_or_else(invalid)?)
            }
            SortBy::Score => {}
        }
    }
    match (time, doc) {
        (Some(time), Some(doc)) => {
            let time_ns =
                time.start_ns.div_euclid(1_000_000).saturating_mul(1_000_000).saturating_add(i64::try_from(doc >> SEQUENCE_BITS).map_err(|_| invalid())?);
            Ok(After { time_ns, sequence: doc & SEQUENCE_MASK, mask: SEQUENCE_MASK })
        }
        // All of its time, a millisecond or less, lies behind.
        (Some(time), None) if direction == Direction::Backward => Ok(After::exactly(time.start_ns, 0)),
        (Some(time), None) => Ok(After::exactly(time.end_ns, u64::MAX)),
        (None, _) => Err(Refusal::illegal("[search_after] wants a sort by [@timestamp]")),
    }
}

fn highlight(options: &Value, filter: &Filter) -> Result<Highlight> {
    let tag = |name: &str, default: &str| {
        options.get(name).and_then(Value::as_array).and_then(|tags| tags.first()).and_then(Value::as_str).unwrap_or(default).to_owned()
    };
    let fields = match options.get("fields") {
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).flat_map(Map::keys).cloned().collect(),
        _ => return Err(Refusal::parsing("[highlight] wants [fields]")),
    };
    Ok(Highlight { before: tag("pre_tags", "<em>"), after: tag("post_tags", "</em>"), finder: Highlighter::new(filter), fields })
}
