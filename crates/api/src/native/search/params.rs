//! Parameters of searches.

use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use signalbox_lang::search;
use signalbox_model::{Error, ErrorKind, Result, TimeRange};
use signalbox_query::search::times::{self, Now};
use signalbox_query::search::{After, Direction, Filter, Meaning, SearchRequest, translate};

use crate::http::{FORM_BYTES_MAX, Params};
use crate::native::sql::refuse;

const HOUR_NS: i64 = 3_600_000_000_000;
const LIMIT_DEFAULT: u64 = 100;
/// Fields that one question may name.
const FIELDS_MAX: usize = 100;

/// Parameters from the address, a form or a JSON object.
#[derive(Debug)]
pub(in crate::native) struct Asked(Params);

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if !content_type.starts_with("application/json") {
            let params = Params::from_request(request, state).await;
            return params.map(Self).map_err(|(_, message)| refuse(&Error::new(ErrorKind::TooLarge, message)));
        }
        let too_large = |_| refuse(&Error::new(ErrorKind::TooLarge, format!("cannot read the request: want at most {FORM_BYTES_MAX} bytes")));
        let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await.map_err(too_large)?;
        of_json(&body).map(Self).map_err(|error| refuse(&error))
    }
}

fn of_json(body: &[u8]) -> Result<Params> {
    let invalid = |reason: String| Error::invalid(format!("cannot read the request: {reason}: want {{\"query\": \"...\"}}"));
    let entries: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    let mut pairs = Vec::new();
    for (name, value) in entries {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null => continue,
            Value::Array(items) if items.iter().all(Value::is_string) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            _ => return Err(invalid(format!("{name} is an object"))),
        };
        pairs.push((name, text));
    }
    Ok(Params::of(pairs))
}

impl Asked {
    pub(in crate::native) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Names of the parameters that are not the empty text.
    pub(in crate::native) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names()
    }

    /// What is asked for, without what is to be answered.
    pub(super) fn request(&self, now_ns: i64) -> Result<SearchRequest> {
        Ok(SearchRequest::newest(self.filter(now_ns)?, self.range(now_ns)?, 0))
    }

    pub(in crate::native) fn filter(&self, now_ns: i64) -> Result<Filter> {
        translate(&search::parse(self.get("query").unwrap_or(""))?, &Meaning::for_people(now_ns))
    }

    pub(in crate::native) fn range(&self, now_ns: i64) -> Result<TimeRange> {
        let instant = |name: &str| self.get(name).map(|text| instant(name, text, now_ns)).transpose();
        // What arrives right now carries the time of now: an end of now includes it.
        let end_ns = instant("end")?.map_or(now_ns, |end_ns| end_ns.saturating_sub(1));
        let start_ns = instant("start")?.unwrap_or_else(|| end_ns.saturating_sub(HOUR_NS));
        if end_ns < start_ns.saturating_sub(1) {
            return Err(Error::invalid("cannot search: end is before start"));
        }
        Ok(TimeRange::from_ns(start_ns, end_ns))
    }

    pub(in crate::native) fn number(&self, name: &str, default: u64, max: u64) -> Result<u64> {
        let Some(text) = self.get(name) else { return Ok(default.min(max)) };
        let number = text.parse().ok().filter(|number| *number <= max);
        number.ok_or_else(|| Error::invalid(format!("cannot use {name} {text:?}: want a number from 0 to {max}")))
    }

    pub(super) fn limit(&self, max: u64) -> Result<u64> {
        self.number("limit", LIMIT_DEFAULT, max)
    }

    pub(super) fn direction(&self) -> Result<Direction> {
        match self.get("direction").unwrap_or("backward") {
            "backward" => Ok(Direction::Backward),
            "forward" => Ok(Direction::Forward),
            other => Err(Error::invalid(format!("cannot use direction {other:?}: want backward or forward"))),
        }
    }

    pub(in crate::native) fn fields(&self) -> Result<Vec<String>> {
        let fields: Vec<String> = self.get("fields").unwrap_or("").split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if fields.len() > FIELDS_MAX { Err(Error::invalid(format!("cannot answer more than {FIELDS_MAX} fields"))) } else { Ok(fields) }
    }

    pub(super) fn cursor(&self) -> Result<Option<After>> {
        let Some(text) = self.get("cursor") else { return Ok(None) };
        let read = || {
            let (time_ns, sequence) = text.split_once('-')?;
            Some(After::exactly(i64::from_str_radix(time_ns, 16).ok()?, u64::from_str_radix(sequence, 16).ok()?))
        };
        read().map(Some).ok_or_else(|| Error::invalid(format!("cannot use cursor {text:?}: want what an earlier answer said")))
    }
}

pub(in crate::native) fn instant(name: &str, text: &str, now_ns: i64) -> Result<i64> {
    if let Some(seconds) = text.contains('.').then(|| text.parse::<f64>().ok()).flatten().filter(|seconds| seconds.is_finite()) {
        return Ok((seconds * 1e9) as i64);
    }
    let range = times::parse(text, &Now::utc(now_ns)).map_err(|error| Error::invalid(format!("cannot use {name}: {error}")))?;
    Ok(range.start_ns)
}
