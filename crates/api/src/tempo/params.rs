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
    /// Spans of a set; 0 is no bound.
    pub(super) spans_per_set: u32,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Tempo's default of `spss`.
const SPANS_PER_SET_DEFAULT: u32 = 3;
/// Parameters of a search that are no attributes.
const SEARCH_WORDS: [&str; 9] = ["q", "tags", "minDuration", "maxDuration", "limit", "spss", "start", "end", "skip_ast_transformations"];

/// Parameters of `/api/search`.
pub(super) fn search(params: &Params) -> Result<SearchAsked> {
    let number = |name: &str| params.get(name).map(|text| text.parse::<u32>().map_err(|_| not_a_number(name, text))).transpose();
    let duration = |name: &str| {
        let invalid = |text: &str| Error::invalid(format!("invalid {name}: cannot parse {text:?}: want a duration such as 1.2s, 100ms, 500us"));
        params.get(name).map(|text| go_duration::parse(text).ok_or_else(|| invalid(text))).transpose()
    };
    let (min_ns, max_ns) = (duration("minDuration")?, duration("maxDuration")?);
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
    let (start, end) = (second(params, "start")?, second(params, "end")?);
    let mut tags = tags(logfmt.unwrap_or(""))?;
    if query.is_none() && logfmt.is_none() && start == 0 && end == 0 {
        // Attributes as parameters, as the first versions of Grafana's data source sent them.
        let others = params.to_map().into_iter().filter(|(name, value)| !SEARCH_WORDS.contains(name) && !value.is_empty());
        tags.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
        tags.sort_unstable();
    }
    let spans_per_set = number("spss")?.unwrap_or(SPANS_PER_SET_DEFAULT);
    Ok(SearchAsked { query: query.map(str::to_owned), tags, min_ns, max_ns, limit, spans_per_set, start, end })
}

fn not_a_number(name: &str, text: &str) -> Error {
    Error::invalid(format!("invalid {name}: cannot parse {text:?}: want a number that is not negative"))
}

/// Seconds since the Unix epoch; 0 without it.
fn second(params: &Params, name: &str) -> Result<u64> {
    params.get(name).map_or(Ok(0), |text| text.parse::<u64>().map_err(|_| not_a_number(name, text)))
}

/// From `start` to `end` in seconds, both with their whole second; 0 is no bound.
pub(super) fn seconds(start: u64, end: u64) -> Result<TimeRange> {
    if start > 0 && end > 0 && end <= start {
        return Err(Error::invalid(format!("http parameter start must be before end. received start={start} end={end}")));
    }
    let nanoseconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(NANOS_PER_SECOND);
    let start_ns = if start == 0 { i64::MIN } else { nanoseconds(start) };
    let end_ns = if end == 0 { i64::MAX } else { nanoseconds(end).saturating_add(NANOS_PER_SECOND - 1) };
    Ok(TimeRange::from_ns(start_ns, end_ns))
}

/// `start` and `end` of a trace by id.
pub(super) fn range(params: &Params) -> Result<TimeRange> {
    seconds(second(params, "start")?, second(params, "end")?)
}

/// Parameters of `/api/v2/search/tags`; those that are no numbers count as absent, as in Tempo.
pub(super) fn tag_names(params: &Params) -> SearchTagsRequest {
    let number = |name: &str| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    SearchTagsRequest {
        scope: params.get("scope").unwrap_or("").to_owned(),
        query: params.get("q").unwrap_or("").to_owned(),
        start: number("start"),
        end: number("end"),
        max_tags_per_scope: number("limit"),
        stale_values_threshold: number("maxStaleValues"),
    }
}

/// Parameters of `/api/v2/search/tag/{name}/values`.
pub(super) fn tag_values(name: String, params: &Params) -> SearchTagValuesRequest {
    let number = |name: &str| params.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    SearchTagValuesRequest {
        tag_name: name,
        query: params.get("q").unwrap_or("").to_owned(),
        start: number("start"),
        end: number("end"),
        max_tag_values: number("limit"),
        stale_value_threshold: number("maxStaleValues"),
    }
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
        let read = |text: &str| search(&Params::parse(text));
        let asked = read("q={}&limit=5&spss=0&start=10&end=20&minDuration=1.5s").unwrap();
        assert_eq!((asked.query.as_deref(), asked.limit, asked.spans_per_set, asked.start, asked.end), (Some("{}"), Some(5), 0, 10, 20));
        assert_eq!((asked.min_ns, asked.max_ns), (Some(1_500_000_000), None));
        assert_eq!(read("").unwrap(), SearchAsked { spans_per_set: 3, ..SearchAsked::default() });
        let tags = |text: &str| read(text).unwrap().tags;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(tags("tags=service.name%3Dshop%20a%3D%22b%20c%22"), [pair("service.name", "shop"), pair("a", "b c")]);
        assert_eq!(tags("x=y&service.name=shop&limit=1"), [pair("service.name", "shop"), pair("x", "y")]);
        assert_eq!(tags("x=y&start=1&end=2"), []);
        for (text, want) in [
            ("limit=0", "invalid limit: must be a positive number"),
            ("limit=x", "invalid limit: cannot parse \"x\": want a number that is not negative"),
            ("start=-1", "invalid start: cannot parse \"-1\": want a number that is not negative"),
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
