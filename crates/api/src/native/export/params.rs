//! Parameters of exports.

use http::HeaderValue;
use signalbox_lang::logql::{self, Expr};
use signalbox_model::{Error, Result};
use signalbox_query::export::ExportRequest;

use super::format::Format;
use crate::native::search::Asked;

const NAMES: [&str; 7] = ["query", "language", "start", "end", "format", "fields", "filename"];
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
    match asked.get("language").map_or_else(|| guess(query), Ok)? {
        "logql" => match logql::parse(query)? {
            Expr::Logs(expr) => Ok(ExportRequest::Lines(expr, asked.range(now_ns)?, asked.fields()?)),
            _ => Err(Error::invalid("cannot export a metric query of LogQL: want a log query, or SQL")),
        },
        "search" => Ok(ExportRequest::Records(asked.filter(now_ns)?, asked.range(now_ns)?, asked.fields()?)),
        "sql" => match ["start", "end", "fields"].into_iter().find(|name| asked.get(name).is_some()) {
            Some(name) => Err(Error::invalid(format!("cannot use {name} with SQL: say it in the statement"))),
            None => Ok(ExportRequest::Sql(query.to_owned())),
        },
        other => Err(Error::invalid(format!("cannot use language {other:?}: want logql, search or sql"))),
    }
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
