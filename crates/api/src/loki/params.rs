//! Parameters as Loki reads them.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use signalbox_lang::logql::{self, Expr, LogExpr};
use signalbox_lang::text::quote;
use signalbox_model::{Error, ErrorKind, Result, TimeRange};
use signalbox_query::logql::Direction;

use crate::http::{Params, status};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// How far back Loki looks where a request does not say.
pub(super) const HOUR_NS: i64 = 3_600 * NANOS_PER_SECOND;
/// Records in an answer when the request does not say; as in Loki.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// A refusal: plain text, as Loki's.
pub(super) struct Refusal(pub(super) Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = match self.0.kind() {
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Limit => StatusCode::BAD_REQUEST,
            _ => status(&self.0),
        };
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer a log query: {}", self.0);
        }
        (code, self.0.message().to_owned()).into_response()
    }
}

/// An instant: nanoseconds, seconds (up to ten digits, or with a point), or RFC 3339.
pub(super) fn instant_ns(text: &str) -> Result<i64> {
    // The words of Go's parser, which Loki passes on.
    let invalid = || Error::invalid(format!("strconv.ParseInt: parsing {}: invalid syntax", quote(text)));
    if let Some(seconds) = text.contains('.').then(|| text.parse::<f64>().ok()).flatten() {
        let nanoseconds = seconds * NANOS_PER_SECOND as f64;
        return if nanoseconds.is_finite() { Ok(nanoseconds as i64) } else { Err(invalid()) };
    }
    if let Ok(count) = text.parse::<i64>() {
        return if text.len() <= 10 { count.checked_mul(NANOS_PER_SECOND).ok_or_else(invalid) } else { Ok(count) };
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| invalid())
}

/// An instant under a name.
fn bound_ns(params: &Params, name: &str) -> Result<Option<i64>> {
    let wrong = |error: Error| Error::invalid(format!("could not parse '{name}' parameter: {}", error.message()));
    params.get(name).map(instant_ns).transpose().map_err(wrong)
}

/// `start` (included), `end` (excluded) or `since` before the end; the default is so long before now.
pub(super) fn range(params: &Params, now_ns: i64, default_ns: i64) -> Result<TimeRange> {
    let wrong_since = |error: Error| Error::invalid(format!("could not parse 'since' parameter: {}", error.message()));
    let since_ns = params.get("since").map(duration_ns).transpose().map_err(wrong_since)?.unwrap_or(default_ns);
    let end_ns = bound_ns(params, "end")?.unwrap_or(now_ns);
    let start_ns = bound_ns(params, "start")?.unwrap_or_else(|| end_ns.min(now_ns).saturating_sub(since_ns));
    if start_ns > end_ns {
        return Err(Error::invalid("end timestamp must not be before or equal to start time"));
    }
    // What arrives right now carries the time of now: an end of now includes it.
    let is_open = params.get("end").is_none();
    Ok(TimeRange::from_ns(start_ns, if is_open { end_ns } else { end_ns.saturating_sub(1) }))
}

fn duration_ns(text: &str) -> Result<i64> {
    let invalid = || Error::invalid(format!("cannot parse {text:?} to a valid duration"));
    if let Ok(seconds) = text.parse::<f64>() {
        return if seconds.is_finite() && seconds >= 0.0 { Ok((seconds * NANOS_PER_SECOND as f64) as i64) } else { Err(invalid()) };
    }
    signalbox_lang::duration::parse_ns(text).ok().or_else(|| signalbox_lang::go_duration::parse(text)).ok_or_else(invalid)
}

/// `step`: seconds or a duration, in nanoseconds; without it a 250th of the range in whole seconds, at least one.
fn step_ns(params: &Params, range: TimeRange) -> Result<i64> {
    const POINTS: i64 = 250;
    let default_ns = || (range.end_ns.saturating_sub(range.start_ns) / (POINTS * NANOS_PER_SECOND)).max(1) * NANOS_PER_SECOND;
    let text = params.get("step");
    let is_negative = text.is_some_and(|text| text.parse::<f64>().is_ok_and(|seconds| seconds < 0.0));
    let step_ns = if is_negative { 0 } else { text.map(duration_ns).transpose()?.unwrap_or_else(default_ns) };
    if step_ns < 1_000_000 {
        Err(Error::invalid("zero or negative query resolution step widths are not accepted. Try a positive integer"))
    } else {
        Ok(step_ns)
    }
}

/// `step`, of which the range has not too many.
pub(super) fn bounded_step_ns(params: &Params, range: TimeRange) -> Result<i64> {
    const STEPS_MAX: i64 = 11_000;
    let step_ns = step_ns(params, range)?;
    if range.end_ns.saturating_sub(range.start_ns) / step_ns > STEPS_MAX {
        return Err(Error::invalid("exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"));
    }
    Ok(step_ns)
}

/// How a range is asked for, whatever the query is of: Loki reads all of it first, and refuses what makes no sense even if the
/// query needs none of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Records in the answer at most.
    pub(super) limit: usize,
    pub(super) direction: Direction,
    /// Nanoseconds between two points of a series.
    pub(super) step_ns: i64,
    /// Nanoseconds that lie between two records of a stream at least; 0 for all.
    pub(super) interval_ns: i64,
}

impl Manner {
    pub(super) fn of(params: &Params, range: TimeRange) -> Result<Self> {
        let (limit, direction) = (count(params, "limit", LIMIT_DEFAULT)?, direction(params)?);
        let (step_ns, interval_ns) = (bounded_step_ns(params, range)?, interval_ns(params)?);
        Ok(Self { limit, direction, step_ns, interval_ns })
    }
}

/// `interval`: nanoseconds that lie between two records of a stream of records at least; 0 without it.
fn interval_ns(params: &Params) -> Result<i64> {
    match params.get("interval") {
        Some(text) if text.starts_with('-') => Err(Error::invalid("interval must be >= 0")),
        text => text.map(duration_ns).transpose().map(Option::unwrap_or_default),
    }
}

/// A positive count under a name, with what it is when there is none.
pub(super) fn count(params: &Params, name: &str, default: usize) -> Result<usize> {
    let Some(text) = params.get(name) else { return Ok(default) };
    match text.parse::<i64>() {
        Ok(count) if count > 0 => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        Ok(_) => Err(Error::invalid(format!("{name} must be a positive value"))),
        Err(_) => Err(Error::invalid(format!("cannot parse {name} {}: want a positive integer", quote(text)))),
    }
}

/// `limit`, 100 when there is none.
pub(super) fn limit(params: &Params, limit_max: u64) -> Result<usize> {
    let limit = count(params, "limit", LIMIT_DEFAULT)?;
    within(limit, limit_max)?;
    Ok(limit)
}

/// Whether so many records may be asked for.
pub(super) fn within(limit: usize, limit_max: u64) -> Result<()> {
    if limit as u64 > limit_max {
        return Err(Error::invalid(format!("max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {limit_max})")));
    }
    Ok(())
}

/// `direction`, backward when there is none.
pub(super) fn direction(params: &Params) -> Result<Direction> {
    match params.get("direction").map(str::to_ascii_lowercase).as_deref() {
        None | Some("backward") => Ok(Direction::Backward),
        Some("forward") => Ok(Direction::Forward),
        Some(other) => Err(Error::invalid(format!("invalid direction '{other}': want forward or backward"))),
    }
}

/// `query`, which must be there.
pub(super) fn query(params: &Params) -> Result<Expr> {
    logql::parse(params.get("query").unwrap_or(""))
}

/// `query` for records: a selector and filters; `{}` and nothing select all.
pub(super) fn records(params: &Params) -> Result<LogExpr> {
    let text = params.get("query").unwrap_or("");
    if text.is_empty() || text.replace(' ', "") == "{}" {
        return Ok(LogExpr::default());
    }
    match logql::parse(text)? {
        Expr::Logs(expr) => Ok(expr),
        Expr::Metric(_) => Err(Error::invalid(format!("cannot use {text:?} here: want a query for log records"))),
    }
}

/// Selectors under one of some names; `{}` selects all.
pub(super) fn selectors(params: &Params, names: &[&str]) -> Result<Vec<LogExpr>> {
    let texts = names.iter().flat_map(|name| params.all(name)).filter(|text| !text.is_empty() && text.replace(' ', "") != "{}");
    let parse = |text: &str| match logql::parse(text)? {
        Expr::Logs(logs) if logs.stages.is_empty() => Ok(logs),
        _ => Err(Error::invalid(format!("cannot use {text:?} here: want a selector without filters"))),
    };
    texts.map(parse).collect()
}
