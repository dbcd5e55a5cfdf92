//! Parameters as Tempo reads them, with its words where it refuses them.

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use signalbox_lang::{go_duration, text};
use signalbox_model::{Error, ErrorKind, Result, TimeRange, TraceId};
use signalbox_proto::tempo::{QueryInstantRequest, QueryRangeRequest, SearchTagValuesRequest, SearchTagsRequest};

use super::json::Shape;
use crate::http::Params;
pub(super) use crate::http::PlainRefusal as Refusal;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const HOUR_NS: i64 = 3_600 * NANOS_PER_SECOND;

/// How an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Protobuf,
    /// `application/vnd.grafana.llm`
    Brief,
}

impl Format {
    /// The first of these that `Accept` names, whatever else it says; JSON if it names none.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        match accept {
            accept if accept.contains("application/protobuf") => Self::Protobuf,
            accept if accept.contains("application/json") => Self::Json,
            accept if accept.contains("application/vnd.grafana.llm") => Self::Brief,
            _ => Self::Json,
        }
    }

    /// The answer as it is wanted.
    pub(super) fn answer(self, message: &impl Shape) -> Response {
        match (self, message) {
            (Self::Protobuf, message) => ([(CONTENT_TYPE, "application/protobuf")], message.encode_to_vec()).into_response(),
            (Self::Json, message) => axum::Json(message.json()).into_response(),
            // What has no short form comes as it is, under the name that was asked for.
            (Self::Brief, message) => {
                let body = message.brief().unwrap_or_else(|| message.json()).to_string();
                ([(CONTENT_TYPE, "application/vnd.grafana.llm+json")], body).into_response()
            }
        }
    }
}

/// What a search asks for, whichever way it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SearchAsked {
    pub(super) query: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) min_ns: Option<i64>,
    pub(super) max_ns: Option<i64>,
    pub(super) limit: Option<u32>,
    /// Spans of a set; 0 leaves it to the server.
    pub(super) spans_per_set: u32,
    /// Seconds since the Unix epoch; 0 is no bound.
    pub(super) start: u32,
    /// As the start.
    pub(super) end: u32,
}

/// Parameters of a search that are no attributes.
const SEARCH_WORDS: [&str; 10] = ["q", "tags", "minDuration", "maxDuration", "limit", "spss", "start", "end", "since", "skip_ast_transformations"];

/// Parameters of `/api/search`. Times are seconds: what would be milliseconds is refused.
pub(super) fn search(params: &Params, now_ns: i64) -> Result<SearchAsked> {
    let number = |name: &str| params.get(name).map(|text| text.parse::<u32>().map_err(|_| not_a_number(name, text))).transpose();
    let duration = |name: &str| {
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot parse {text:?}: want a duration such as 1.2s, 100ms, 500us"));
        params.get(name).map(|text| go_duration::parse(text).ok_or_else(|| invalid(text))).transpose()
    };
    // No length is no bound.
    let (min_ns, max_ns) = (duration("minDuration")?, duration("maxDuration")?.filter(|max_ns| *max_ns > 0));
    if min_ns.zip(max_ns).is_some_and(|(min_ns, max_ns)| min_ns > max_ns) {
        return Err(Error::invalid("invalid maxDuration: must be greater than minDuration"));
    }
    let (query, logfmt) = (params.get("q"), params.get("tags"));
    if query.is_some() && logfmt.is_some() {
        return Err(Error::invalid("invalid request: can't specify tags and q in the same query"));
    }
    let limit = number("limit")?;
    if limit == Some(0) {
        return Err(Error::invalid("invalid limit: must be a positive number"));
    }
    let (mut start, mut end) = (number("start")?.unwrap_or(0), number("end")?.unwrap_or(0));
    let mut tags = tags(logfmt.unwrap_or(""))?;
    if query.is_none() && logfmt.is_none() && start == 0 && end == 0 {
        // Attributes as parameters, as the first versions of Grafana's data source sent them.
        let others = params.to_map().into_iter().filter(|(name, value)| !SEARCH_WORDS.contains(name) && !value.is_empty());
        tags.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
        tags.sort_unstable();
    }
    if params.get("since").is_some() {
        (start, end) = date_range(params, now_ns)?;
    }
    let spans_per_set = number("spss")?.unwrap_or(0);
    Ok(SearchAsked { query: query.map(str::to_owned), tags, min_ns, max_ns, limit, spans_per_set, start, end })
}

fn not_a_number(name: &str, text: &str) -> Error {
    Error::invalid(format!("invalid {name}: cannot parse {text:?}: want a whole number of at most {}", u32::MAX))
}

/// From `start` to `end` in seconds, both with their whole second; 0 is no bound.
pub(super) fn seconds(start: u32, end: u32) -> Result<TimeRange> {
    let bound = |second: u32| (second > 0).then_some(i64::from(second));
    let (start, end) = (bound(start), bound(end));
    in_order(start, end)?;
    Ok(TimeRange::from_ns(start.map_or(i64::MIN, nanoseconds), end.map_or(i64::MAX, end_of_second)))
}

fn in_order(start: Option<i64>, end: Option<i64>) -> Result<()> {
    match (start, end) {
        (Some(start), Some(end)) if end <= start => Err(Error::invalid(format!("http parameter start must be before end. received start={start} end={end}"))),
        _ => Ok(()),
    }
}

fn nanoseconds(seconds: i64) -> i64 {
    seconds.saturating_mul(NANOS_PER_SECOND)
}

fn end_of_second(seconds: i64) -> i64 {
    nanoseconds(seconds).saturating_add(NANOS_PER_SECOND - 1)
}

/// `start` and `end` of a trace by id.
pub(super) fn range(params: &Params) -> Result<TimeRange> {
    // Tempo's ways to look into a part of its own storage, which is one here.
    if let Some(mode) = params.get("mode").filter(|mode| !matches!(*mode, "ingesters" | "blocks" | "external" | "all")) {
        return Err(Error::invalid(format!("invalid value for mode {mode}")));
    }
    let second = |name: &str| {
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot parse {text:?}: want seconds since the Unix epoch"));
        params.get(name).map(|text| text.parse::<i64>().map_err(|_| invalid(text))).transpose()
    };
    let (start, end) = (second("start")?, second("end")?);
    in_order(start, end)?;
    Ok(TimeRange::from_ns(start.map_or(i64::MIN, nanoseconds), end.map_or(i64::MAX, end_of_second)))
}

/// Parameters of `/api/v2/search/tags`; limits that are no numbers count as absent, as in Tempo.
pub(super) fn tag_names(params: &Params, now_ns: i64) -> Result<SearchTagsRequest> {
    let number = |name: &str| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (start, end) = date_range(params, now_ns)?;
    Ok(SearchTagsRequest {
        scope: params.get("scope").unwrap_or("").to_owned(),
        query: params.get("q").unwrap_or("").to_owned(),
        start,
        end,
        max_tags_per_scope: number("limit"),
        stale_values_threshold: number("maxStaleValues"),
    })
}

/// Parameters of `/api/v2/search/tag/{name}/values`.
pub(super) fn tag_values(name: String, params: &Params, now_ns: i64) -> Result<SearchTagValuesRequest> {
    let number = |name: &str| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (start, end) = date_range(params, now_ns)?;
    Ok(SearchTagValuesRequest {
        tag_name: name,
        query: params.get("q").unwrap_or("").to_owned(),
        start,
        end,
        max_tag_values: number("limit"),
        stale_value_threshold: number("maxStaleValues"),
    })
}

/// `since`, or `start` and `end` as instants, in seconds; 0 for what is not there.
fn date_range(params: &Params, now_ns: i64) -> Result<(u32, u32)> {
    let named =
        |name: &'static str| move |error: Error| Error::invalid(format!("error parsing date range: could not parse '{name}' parameter: {}", error.message()));
    let seconds = |instant_ns: i64| u32::try_from(instant_ns.div_euclid(NANOS_PER_SECOND).max(0)).unwrap_or(u32::MAX);
    if let Some(since) = params.get("since") {
        return Ok((seconds(now_ns.saturating_sub(since_ns(since).map_err(named("since"))?)), seconds(now_ns)));
    }
    let instant = |name: &'static str| params.get(name).map_or(Ok(0), |text| instant_ns(text).map(seconds).map_err(named(name)));
    Ok((instant("start")?, instant("end")?))
}

/// Parameters of `/api/metrics/query`.
pub(super) fn metrics_instant(params: &Params, now_ns: i64) -> Result<QueryInstantRequest> {
    let (start_ns, end_ns) = bounds(params, now_ns)?;
    Ok(QueryInstantRequest { query: metrics_query(params), start: start_ns.cast_unsigned(), end: end_ns.cast_unsigned() })
}

/// Parameters of `/api/metrics/query_range`.
pub(super) fn metrics_range(params: &Params, now_ns: i64) -> Result<QueryRangeRequest> {
    let (start_ns, end_ns) = bounds(params, now_ns)?;
    let number = |name: &str| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(QueryRangeRequest {
        query: metrics_query(params),
        start: start_ns.cast_unsigned(),
        end: end_ns.cast_unsigned(),
        step: params.get("step").map(step_ns).transpose()?.unwrap_or(0).cast_unsigned(),
        exemplars: number("exemplars"),
        max_series: number("maxSeries"),
        instant: params.get("instant").and_then(|text| matches!(text, "true" | "false" | "1" | "0").then(|| matches!(text, "true" | "1"))),
    })
}

/// `q`, or `query` as Prometheus calls it.
fn metrics_query(params: &Params) -> String {
    params.get("q").or_else(|| params.get("query")).unwrap_or("").to_owned()
}

/// `start` and `end`, or `since` before the end; the last hour.
fn bounds(params: &Params, now_ns: i64) -> Result<(i64, i64)> {
    let named = |name: &'static str| move |error: Error| Error::invalid(format!("could not parse '{name}' parameter: {}", error.message()));
    let since_ns = params.get("since").map(since_ns).transpose().map_err(named("since"))?.unwrap_or(HOUR_NS);
    let end_ns = params.get("end").map(instant_ns).transpose().map_err(named("end"))?.unwrap_or(now_ns);
    let before = || end_ns.min(now_ns).saturating_sub(since_ns);
    let start_ns = params.get("start").map(instant_ns).transpose().map_err(named("start"))?.unwrap_or_else(before);
    Ok((start_ns.max(0), end_ns.max(0)))
}

/// An instant: seconds (up to ten digits, or with a point), nanoseconds, or RFC 3339.
fn instant_ns(text: &str) -> Result<i64> {
    let invalid = || Error::invalid(format!("cannot parse {text:?}: want seconds or nanoseconds since the Unix epoch, or RFC 3339"));
    if text.contains('.') && !text.contains(':') {
        let nanoseconds = text.parse::<f64>().map_err(|_| invalid())? * NANOS_PER_SECOND as f64;
        return if nanoseconds.is_finite() { Ok(nanoseconds as i64) } else { Err(invalid()) };
    }
    if let Ok(count) = text.parse::<i64>() {
        return if text.len() <= 10 { count.checked_mul(NANOS_PER_SECOND).ok_or_else(invalid) } else { Ok(count) };
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| invalid())
}

/// A duration as Prometheus writes it (`1d`, `1h30m`), or as Go does.
fn since_ns(text: &str) -> Result<i64> {
    let invalid = || Error::invalid(format!("not a valid duration string: {text:?}"));
    let (mut total, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).filter(|digits| *digits > 0);
        let Some(digits) = digits else { return go_duration::parse(text).ok_or_else(invalid) };
        let count: i64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let (unit, length) = [("ms", 1_000_000), ("s", NANOS_PER_SECOND), ("m", 60 * NANOS_PER_SECOND), ("h", HOUR_NS), ("d", 24 * HOUR_NS)]
            .into_iter()
            .chain([("w", 7 * 24 * HOUR_NS), ("y", 365 * 24 * HOUR_NS)])
            .find(|(unit, _)| rest.starts_with(unit))
            .map_or(("", 0), |found| found);
        if unit.is_empty() {
            return go_duration::parse(text).ok_or_else(invalid);
        }
        total = count.checked_mul(length).and_then(|length| total.checked_add(length)).ok_or_else(invalid)?;
        rest = &rest[unit.len()..];
    }
    Ok(total)
}

/// `step`: seconds, or a duration as Go writes it.
fn step_ns(text: &str) -> Result<i64> {
    let invalid = || Error::invalid(format!("cannot parse {text:?} to a valid duration"));
    let nanoseconds = match text.parse::<f64>() {
        Ok(seconds) => {
            let nanoseconds = seconds * NANOS_PER_SECOND as f64;
            if !nanoseconds.is_finite() || nanoseconds.abs() > i64::MAX as f64 {
                return Err(Error::invalid(format!("cannot parse {text:?} to a valid duration. It overflows int64")));
            }
            nanoseconds as i64
        }
        Err(_) => {
            go_duration::parse(text.strip_prefix('-').unwrap_or(text)).map(|length| if text.starts_with('-') { -length } else { length }).ok_or_else(invalid)?
        }
    };
    if nanoseconds < 0 {
        return Err(Error::invalid(format!("cannot parse {text:?}: step must be positive")));
    }
    Ok(nanoseconds)
}

/// Pairs in logfmt: `service.name=shop http.url="/a b"`.
fn tags(logfmt: &str) -> Result<Vec<(String, String)>> {
    let invalid = || Error::invalid(format!("invalid tags: cannot parse {logfmt:?}: want name=value pairs"));
    let (mut tags, mut rest) = (Vec::<(String, String)>::new(), logfmt.trim_start());
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains([' ', '"'])).ok_or_else(invalid)?;
        let (value, length) = if after.starts_with('"') {
            let quoted = text::read_quoted(after, 0).map_err(|_| invalid())?;
            (quoted.value, quoted.end)
        } else {
            let length = after.find(' ').unwrap_or(after.len());
            (after[..length].to_owned(), length)
        };
        if tags.iter().any(|(known, _)| known == name) {
            return Err(Error::invalid(format!("invalid tags: tag {name} has been set twice")));
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_search_is_read_as_tempo_reads_it() {
        let read = |text: &str| search(&Params::parse(text), 1_700_000_000 * NANOS_PER_SECOND);
        let asked = read("q={}&limit=5&spss=0&start=10&end=20&minDuration=1.5s").unwrap();
        assert_eq!((asked.query.as_deref(), asked.limit, asked.spans_per_set, asked.start, asked.end), (Some("{}"), Some(5), 0, 10, 20));
        assert_eq!((asked.min_ns, asked.max_ns), (Some(1_500_000_000), None));
        assert_eq!(read("").unwrap(), SearchAsked::default());
        assert_eq!(read("maxDuration=0s").unwrap().max_ns, None);
        let asked = read("since=1h&start=5").unwrap();
        assert_eq!((asked.start, asked.end), (1_699_996_400, 1_700_000_000));
        let tags = |text: &str| read(text).unwrap().tags;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(tags("tags=service.name%3Dshop%20a%3D%22b%20c%22"), [pair("service.name", "shop"), pair("a", "b c")]);
        assert_eq!(tags("x=y&service.name=shop&limit=1"), [pair("service.name", "shop"), pair("x", "y")]);
        assert_eq!(tags("x=y&start=1&end=2"), []);
        for (text, want) in [
            ("limit=0", "invalid limit: must be a positive number"),
            ("limit=x", "invalid limit: cannot parse \"x\": want a whole number of at most 4294967295"),
            ("start=-1", "invalid start: cannot parse \"-1\": want a whole number of at most 4294967295"),
            ("start=1700000000000", "invalid start: cannot parse \"1700000000000\": want a whole number of at most 4294967295"),
            ("since=x", "error parsing date range: could not parse 'since' parameter: not a valid duration string: \"x\""),
            ("minDuration=2s&maxDuration=1s", "invalid maxDuration: must be greater than minDuration"),
            ("q={}&tags=a%3Db", "invalid request: can't specify tags and q in the same query"),
            ("tags=a%3Db%20a%3Dc", "invalid tags: tag a has been set twice"),
            ("tags=a", "invalid tags: cannot parse \"a\": want name=value pairs"),
        ] {
            assert_eq!(read(text).unwrap_err().message(), want);
        }
    }

    #[test]
    fn ranges_are_those_of_tempo() {
        let now_ns = 1_700_000_000 * NANOS_PER_SECOND;
        let read = |text: &str| bounds(&Params::parse(text), now_ns).map_err(|error| error.message().to_owned());
        let second = NANOS_PER_SECOND;
        assert_eq!(read(""), Ok((now_ns - HOUR_NS, now_ns)));
        assert_eq!(read("since=1d"), Ok((now_ns - 24 * HOUR_NS, now_ns)));
        assert_eq!(read("since=90m&end=1600000000"), Ok((1_600_000_000 * second - 5_400 * second, 1_600_000_000 * second)));
        assert_eq!(read("end=1700000100"), Ok((now_ns - HOUR_NS, now_ns + 100 * second)));
        assert_eq!(read("start=1600000000.5&end=1600000001000000000"), Ok((1_600_000_000 * second + second / 2, 1_600_000_001 * second)));
        assert_eq!(read("start=2020-09-13T12:26:40Z&end=1600000001"), Ok((1_600_000_000 * second, 1_600_000_001 * second)));
        for text in ["since=x", "since=1q", "since=99999999999y", "start=x", "end=1e5", "end=1.x"] {
            assert!(read(text).unwrap_err().starts_with("could not parse '"), "{text}");
        }
        for (text, want) in [("15", Ok(15 * second)), ("1m30s", Ok(90 * second)), ("0.5", Ok(second / 2)), ("0", Ok(0))] {
            assert_eq!(step_ns(text).map_err(|error| error.message().to_owned()), want, "{text}");
        }
        for text in ["-1", "-5s", "x", "", "1e300", "NaN", "inf"] {
            assert!(step_ns(text).is_err(), "{text}");
        }
        assert_eq!(seconds(0, 0).unwrap(), TimeRange::ALL);
        assert_eq!(seconds(5, 0).unwrap(), TimeRange::from_ns(5 * second, i64::MAX));
        assert_eq!(seconds(5, 6).unwrap(), TimeRange::from_ns(5 * second, 7 * second - 1));
        assert_eq!(seconds(6, 6).unwrap_err().message(), "http parameter start must be before end. received start=6 end=6");
    }
}
