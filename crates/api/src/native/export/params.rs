//! Parameters of exports.

use http::HeaderValue;
use signalbox_lang::duration;
use signalbox_lang::logql::{self, Expr};
use signalbox_lang::traceql;
use signalbox_lang::traceql::tree::Root;
use signalbox_model::{Error, Result, TimeRange};
use signalbox_query::export::ExportRequest;
use signalbox_query::logql::MetricRequest;
use signalbox_query::traceql::MetricsRequest;

use super::format::Format;
use crate::native::search::Asked;

const NAMES: [&str; 8] = ["query", "language", "start", "end", "step", "format", "fields", "filename"];
/// Characters of the name of a file.
const FILENAME_CHARS_MAX: usize = 120;

/// The format that is asked for.
pub(super) fn format(asked: &Asked) -> Result<Format> {
    let name = asked.get("format").unwrap_or("ndjson");
    Format::named(name).ok_or_else(|| Error::invalid(format!("cannot use format {name:?}: want ndjson, csv, parquet or arrow")))
}

/// Says that the answer is a file, and its name.
pub(super) fn disposition(asked: &Asked, format: Format) -> Result<HeaderValue> {
    let name = match asked.get("filename") {
        Some(name) => name.to_owned(),
        None => format!("export.{}", format.ending()),
    };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || " ._-+".contains(character);
    let invalid = || Error::invalid(format!("cannot use filename {name:?}: want at most {FILENAME_CHARS_MAX} letters, digits, spaces and any of ._-+"));
    if name.len() > FILENAME_CHARS_MAX || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(invalid());
    }
    HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).map_err(|_| invalid())
}

/// What is asked for.
pub(super) fn request(asked: &Asked, now_ns: i64) -> Result<ExportRequest> {
    if let Some(unknown) = asked.names().find(|name| !NAMES.contains(name)) {
        return Err(Error::invalid(format!("cannot use parameter {unknown:?}: want {}", NAMES.join(", "))));
    }
    let query = asked.get("query").unwrap_or("");
    let without = |names: &[&str], why: &str| match names.iter().find(|name| asked.get(name).is_some()) {
        Some(name) => Err(Error::invalid(format!("cannot use {name} with {why}"))),
        None => Ok(()),
    };
    match asked.get("language").map_or_else(|| guess(query), Ok)? {
        "logql" => match logql::parse(query)? {
            Expr::Logs(expr) => {
                without(&["step"], "a log query: records have no steps")?;
                Ok(ExportRequest::Lines(expr, asked.range(now_ns)?, asked.fields()?))
            }
            Expr::Metric(expr) => {
                without(&["fields"], "a metric query: rows are instants, labels and values")?;
                let (range, step_ns) = steps(asked, now_ns)?;
                Ok(ExportRequest::Metric(MetricRequest { expr, start_ns: range.start_ns, end_ns: range.end_ns, step_ns }))
            }
        },
        "traceql" => {
            without(&["fields"], "TraceQL: say select(...) in the query")?;
            let query = traceql::parse_query(query)?;
            if matches!(query.root, Root::Spansets(_)) {
                without(&["step"], "a search of TraceQL: spans have no steps")?;
                return Ok(ExportRequest::Spans(Box::new(query), asked.range(now_ns)?));
            }
            let (range, step_ns) = steps(asked, now_ns)?;
            let request = MetricsRequest { query, start_ns: range.start_ns, end_ns: range.end_ns.saturating_add(1), step_ns, exemplars_max: 0 };
            Ok(ExportRequest::SpanSeries(Box::new(request)))
        }
        "search" => {
            without(&["step"], "a search: records have no steps")?;
            Ok(ExportRequest::Records(asked.filter(now_ns)?, asked.range(now_ns)?, asked.fields()?))
        }
        "sql" => {
            without(&["start", "end", "step", "fields"], "SQL: say it in the statement")?;
            Ok(ExportRequest::Sql(query.to_owned()))
        }
        other => Err(Error::invalid(format!("cannot use language {other:?}: want logql, traceql, search or sql"))),
    }
}

/// The range and `step` of series: a duration or seconds; a minute if it is not said.
fn steps(asked: &Asked, now_ns: i64) -> Result<(TimeRange, i64)> {
    const MINUTE_NS: i64 = 60_000_000_000;
    let Some(text) = asked.get("step") else { return Ok((asked.range(now_ns)?, MINUTE_NS)) };
    let seconds = text.parse::<f64>().ok().map(|seconds| (seconds * 1e9) as i64);
    let step_ns = seconds.or_else(|| duration::parse_ns(text).ok()).filter(|step_ns| *step_ns >= 1_000_000);
    let step_ns = step_ns.ok_or_else(|| Error::invalid(format!("cannot use step {text:?}: want a duration such as 30s, of a millisecond at least")))?;
    Ok((asked.range(now_ns)?, step_ns))
}

/// The language of a query that does not say which.
fn guess(query: &str) -> Result<&'static str> {
    let query = query.trim_start();
    if query.starts_with('{') {
        return Ok("logql");
    }
    let first = query.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or("").to_ascii_lowercase();
    if ["select", "with", "explain"].contains(&first.as_str()) {
        return Err(Error::invalid("cannot tell what language the query is in: say language=sql or language=search"));
    }
    Ok("search")
}
