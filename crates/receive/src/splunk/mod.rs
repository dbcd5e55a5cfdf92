//! Splunk's HTTP Event Collector.
//!
//! Specification: <https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints>; the mapping is that of the
//! OpenTelemetry collector's receiver.
//!
//! Endpoints: `POST /services/collector`, `/services/collector/event`, `/services/collector/event/1.0`: JSON events one behind
//! another; `POST /services/collector/raw`, `/services/collector/raw/1.0`: a line an event; `POST /services/collector/ack`;
//! `GET /services/collector/health`, `/services/collector/health/1.0`; `OPTIONS` of those that take events, by which Docker's driver
//! looks whether anybody is there before it lets a container start. Bodies may be in gzip, zstd or deflate.
//!
//! | wire | column |
//! |---|---|
//! | `time`: seconds since the epoch with a fraction, as number or text | timestamp; arrival when there is none |
//! | `event`: text, number, truth or array | body |
//! | `event`: object | its fields by their usual names, see [`crate::logs::Names`]; `line`, where Docker's driver has the line, is one of the body |
//! | `fields` | the same; they do not replace what `event` says |
//! | `host`, `source`, `sourcetype`, `index`, in the event or else in the address | resource: `host.name`, `com.splunk.source`, `com.splunk.sourcetype`, `com.splunk.index` |
//! | a level in a body of text | severity |
//!
//! What is answered with success is durable, so an acknowledgement that is asked for is always true. Events before one that
//! is wrong are written; the answer names its number.
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `splunk`.

mod event;
mod reply;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Request, Response, StatusCode, header, request::Parts};
use axum::routing::{get, post};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

pub use self::event::{Format, Told, decode};
pub use self::reply::Code;
use crate::compression::Encoding;
use crate::door::{Context, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const PROTOCOL: Protocol = Protocol("splunk");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];
/// Body of a question for acknowledgements.
const ACK_BYTES_MAX: usize = 1 << 20;

/// Settings of Splunk's HTTP Event Collector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of a listener of its own, such as `127.0.0.1:8088`, where Splunk's clients look by default; the main
    /// address takes the same paths. Empty: none.
    pub listen: String,
    /// Tokens that are accepted, in `Authorization: Splunk <token>`. Empty: any, and none at all.
    pub tokens: Vec<String>,
    /// Limits of request bodies.
    pub limits: BodyLimits,
}

/// What an address may say about all its events.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Becomes `host.name`.
    pub host: String,
    /// Becomes `com.splunk.source`.
    pub source: String,
    /// Becomes `com.splunk.sourcetype`.
    pub sourcetype: String,
    /// Becomes `com.splunk.index`.
    pub index: String,
    /// Time of events without one, in seconds.
    pub time: String,
    /// Who asks for acknowledgements: a UUID.
    pub channel: String,
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
    /// The acknowledgement that is given out next.
    next_ack: AtomicU64,
}

/// The routes.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings, next_ack: AtomicU64::new(0) });
    let mut router = Router::new();
    for (path, format) in [
        ("/services/collector", Format::Events),
        ("/services/collector/event", Format::Events),
        ("/services/collector/event/1.0", Format::Events),
        ("/services/collector/raw", Format::Raw),
        ("/services/collector/raw/1.0", Format::Raw),
    ] {
        let collect = move |State(door): State<Arc<Door>>, request: Request<Body>| async move { collect(&door, format, request).await };
        router = router.route(path, post(collect).options(|| async { StatusCode::OK }));
    }
    for path in ["/services/collector/health", "/services/collector/health/1.0"] {
        router = router.route(path, get(|| async { reply::answer(Code::Healthy, None, None) }));
    }
    router.route("/services/collector/ack", post(acknowledge)).layer(DefaultBodyLimit::disable()).with_state(door)
}

async fn collect(door: &Door, format: Format, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Err(code) = authorize(&parts.headers, &door.settings.tokens) {
        return reply::answer(code, None, None);
    }
    let channel = match channel(&parts) {
        Ok(channel) => channel,
        Err(code) => return reply::answer(code, None, None),
    };
    let told = Arc::new(OnceLock::new());
    match take(door, format, parts, body, &told).await {
        Ok(outcome) => {
            let told = told.get().copied().unwrap_or_default();
            let ack = channel.map(|_| door.next_ack.fetch_add(1, Ordering::Relaxed));
            reply::accept(&outcome, told, ack)
        }
        Err(refusal) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, format: Format, parts: Parts, body: Body, told: &Arc<OnceLock<Told>>) -> Result<Outcome, Refusal> {
    let limits = &door.settings.limits;
    let read = async {
        let metadata =
            Query::<Metadata>::try_from_uri(&parts.uri).map_err(|source| Error::invalid("cannot read the parameters of the address").with_source(source))?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, limits).await?;
        Ok((metadata.0, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (metadata, raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    let told = Arc::clone(told);
    let decode = move |bytes: &[u8], context: &Context<'_>| {
        let (decoded, report) = decode(format, bytes, context, &metadata);
        // Each request has its own cell.
        let _was_empty = told.set(report);
        Ok(decoded)
    };
    http::take(&door.entry, PROTOCOL, limits, raw, decode).await
}

/// Compares the token in the ways that Splunk takes it: behind the word `Splunk` (or `Bearer`), or as a password.
fn authorize(headers: &HeaderMap, tokens: &[String]) -> Result<(), Code> {
    if tokens.is_empty() {
        return Ok(());
    }
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Err(Code::TokenRequired) };
    let (scheme, given) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')).ok_or(Code::InvalidAuthorization)?;
    let token = match scheme.to_ascii_lowercase().as_str() {
        "splunk" | "bearer" => given.trim().to_owned(),
        "basic" => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(given.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.and_then(|text| text.split_once(':').map(|(_, password)| password.to_owned())).ok_or(Code::InvalidAuthorization)?
        }
        _ => return Err(Code::InvalidAuthorization),
    };
    // All are compared, and each in full: the time tells nothing.
    let is_known = tokens.iter().fold(false, |known, accepted| known | is_same(accepted.as_bytes(), token.as_bytes()));
    if is_known { Ok(()) } else { Err(Code::InvalidToken) }
}

fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

/// The channel of a request, in the address or a header; it is a UUID.
fn channel(parts: &Parts) -> Result<Option<String>, Code> {
    let in_address = Query::<Metadata>::try_from_uri(&parts.uri).map(|metadata| metadata.0.channel).unwrap_or_default();
    let in_header = parts.headers.get("x-splunk-request-channel").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let channel = if in_address.is_empty() { in_header.to_owned() } else { in_address };
    if channel.is_empty() {
        return Ok(None);
    }
    let digits = channel.bytes().filter(|byte| *byte != b'-');
    let is_uuid = channel.len() <= 36 && digits.clone().count() == 32 && digits.clone().all(|digit| digit.is_ascii_hexdigit());
    if is_uuid { Ok(Some(channel)) } else { Err(Code::InvalidChannel) }
}

/// What a client asks to be acknowledged.
#[derive(Debug, Deserialize)]
struct Question {
    acks: Vec<u64>,
}

async fn acknowledge(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Err(code) = authorize(&parts.headers, &door.settings.tokens) {
        return reply::answer(code, None, None);
    }
    match channel(&parts) {
        Ok(Some(_)) => {}
        Ok(None) => return reply::answer(Code::ChannelMissing, None, None),
        Err(code) => return reply::answer(code, None, None),
    }
    let limits = BodyLimits { wire_bytes_max: ACK_BYTES_MAX, ..door.settings.limits.clone() };
    let bytes = match http::read_body(&door.entry, &parts.headers, body, &limits).await {
        Ok((bytes, _share)) => bytes,
        Err(refusal) => return reply::refuse(&refusal),
    };
    let Ok(question) = serde_json::from_slice::<Question>(&bytes) else { return reply::answer(Code::InvalidFormat, None, None) };
    // What was given out was durable before.
    let next = door.next_ack.load(Ordering::Relaxed);
    let acks = question.acks.iter().map(|ack| (ack.to_string(), serde_json::Value::Bool(*ack < next))).collect();
    reply::json(StatusCode::OK, &serde_json::json!({ "acks": serde_json::Value::Object(acks) }))
}
