//! Logs as JSON over HTTP: an object a line, or an array of objects.
//!
//! Endpoints: `POST /api/v1/logs/json`, and `POST /insert/jsonline` as VictoriaLogs has it; gzip, zstd, deflate or snappy.
//! Which field means what is found by the usual names, see [`crate::logs::Names`]; parameters of the address choose others:
//!
//! | parameter, or header | meaning |
//! |---|---|
//! | `_time_field`, `time_field`, `VL-Time-Field` | fields of the timestamp, the best first |
//! | `_msg_field`, `message_field`, `VL-Msg-Field` | fields of the body |
//! | `level_field` | fields of the severity |
//! | `_stream_fields`, `resource_fields`, `VL-Stream-Fields` | fields that belong to the resource |
//! | `ignore_fields`, `VL-Ignore-Fields` | fields that are left out |
//! | `extra_fields`, `VL-Extra-Fields` | `name=value`: attributes that every resource gets |
//!
//! Lists have commas. Lines that are no object are refused and counted, the others are written. The answer is
//! `{"accepted": 2, "rejected": 1, "errors": [{"line": 3, "reason": "…"}]}` with 200, with 400 if nothing was accepted.
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `json_lines`.

mod decode;
mod reply;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Request, Response, request::Parts};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

pub use self::decode::{FAULTS_MAX, LineFault, Report, decode};
use crate::compression::Encoding;
use crate::door::{Context, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};
use crate::logs::Names;

const PROTOCOL: Protocol = Protocol("json_lines");
const ENCODINGS: [Encoding; 5] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy];
/// Names that one request may choose for one purpose.
const NAMES_MAX: usize = 64;

/// Settings of logs as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Limits of request bodies.
    pub limits: BodyLimits,
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
}

/// The routes.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings });
    let mut router = Router::new();
    for path in ["/api/v1/logs/json", "/insert/jsonline"] {
        router = router.route(path, post(insert));
    }
    router.layer(DefaultBodyLimit::disable()).with_state(door)
}

async fn insert(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    let report = Arc::new(OnceLock::new());
    match take(&door, request, &report).await {
        Ok(outcome) => reply::accept(&outcome, report.get().unwrap_or(&Report::default())),
        Err(refusal) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, request: Request<Body>, report: &Arc<OnceLock<Report>>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let names = names(&parts)?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.settings.limits).await?;
        Ok((names, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (names, raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    let report = Arc::clone(report);
    let decode = move |bytes: &[u8], context: &Context<'_>| {
        let (decoded, told) = decode(bytes, context, &names);
        // Each request has its own cell.
        let _was_empty = report.set(told);
        Ok(decoded)
    };
    http::take(&door.entry, PROTOCOL, &door.settings.limits, raw, decode).await
}

/// What the address of a request says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    #[serde(alias = "_time_field")]
    time_field: String,
    #[serde(alias = "_msg_field")]
    message_field: String,
    level_field: String,
    #[serde(alias = "_stream_fields")]
    resource_fields: String,
    ignore_fields: String,
    extra_fields: String,
}

fn names(parts: &Parts) -> Result<Names, Refusal> {
    let parameters =
        Query::<Parameters>::try_from_uri(&parts.uri).map_err(|source| Error::invalid(format!("cannot read the parameters of the address: {source}")))?;
    let Parameters { time_field, message_field, level_field, resource_fields, ignore_fields, extra_fields } = parameters.0;
    let or_header = |parameter: String, header: &str| if parameter.is_empty() { text_of(&parts.headers, header) } else { parameter };
    let pairs = list(&or_header(extra_fields, "vl-extra-fields"))?;
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Refusal::from(Error::invalid(format!("cannot read extra_fields: want name=value, not {text:?}")))),
    };
    Ok(Names {
        timestamp: list(&or_header(time_field, "vl-time-field"))?,
        body: list(&or_header(message_field, "vl-msg-field"))?,
        severity: list(&level_field)?,
        resource: list(&or_header(resource_fields, "vl-stream-fields"))?,
        ignored: list(&or_header(ignore_fields, "vl-ignore-fields"))?,
        extra: pairs.iter().map(pair).collect::<Result<_, _>>()?,
    })
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn list(text: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() > NAMES_MAX {
        return Err(Error::invalid(format!("cannot take more than {NAMES_MAX} names of fields in one list")).into());
    }
    Ok(names)
}
