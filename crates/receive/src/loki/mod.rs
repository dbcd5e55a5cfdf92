//! Loki's push API.
//!
//! Specification: <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>; `logproto.PushRequest` in Loki's
//! `pkg/push/push.proto`.
//!
//! Endpoints: `POST /loki/api/v1/push`, `POST /api/prom/push`, each also below `/loki` for senders with a path in their address;
//! snappy protobuf, or JSON with `Content-Type: application/json`, either in gzip, deflate or zstd. OTLP at Loki's path
//! `/otlp/v1/logs` is [`crate::otlp`]'s.
//!
//! | wire | column |
//! |---|---|
//! | labels of the stream | attributes of the resource, sorted by name; empty ones are left out |
//! | `service_name` | the service; discovered from other labels when it is missing, and then a label too |
//! | timestamp | timestamp |
//! | line | body; bytes that are not UTF-8 become U+FFFD |
//! | structured metadata | attributes |
//! | `trace_id`, `span_id` in structured metadata, hexadecimal and of their full length | trace id, span id |
//! | `detected_level`, `severity_text`, `severity_number` in structured metadata | severity |
//! | a level among labels or structured metadata, else in a field or word of the line | severity, as it is spelled; its number |
//! | `parsed` of an entry, `hash` of a stream, `format` | none |
//!
//! A stream whose labels cannot be read, and JSON or protobuf that is none, refuse the whole request; entries that are too
//! old or belong to a stream with labels that are not allowed are refused alone, the rest is written, and the answer is 400.
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `loki`.

mod entries;
mod json;
mod labels;
mod proto;
mod reply;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};

use self::entries::Entries;
pub(crate) use self::labels::Streams;
use crate::compression::{Encoding, too_large};
use crate::door::{Context, Decoded, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};
use crate::logs::level;

const PROTOCOL: Protocol = Protocol("loki");
const ENCODINGS: [Encoding; 5] = [Encoding::Identity, Encoding::Snappy, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

/// Settings of Loki's push API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of a listener of its own, such as `127.0.0.1:3100`, where agents and Grafana look for Loki by
    /// default: it takes pushes and answers queries. The main address does the same. Empty: none.
    pub listen: String,
    /// Limits of request bodies.
    pub limits: BodyLimits,
    /// What is found out about entries that say too little.
    pub discovery: Discovery,
}

/// What is found out about entries that say too little, as Loki's distributor does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// Labels that name the service of a stream without `service_name`, the best first; `unknown_service` when there is none
    /// of them. An empty list leaves streams as they are.
    pub discover_service_name: Vec<String>,
    /// Whether the level of an entry that tells none is looked for in its line: in a field of JSON or logfmt, else the first
    /// word that is a level.
    pub discover_log_levels: bool,
    /// Fields that tell a level, among labels, structured metadata and the fields of a line, the best first.
    pub log_level_fields: Vec<String>,
}

impl Default for Discovery {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            discover_service_name: list(&[
                "service",
                "app",
                "application",
                "app_name",
                "name",
                "app_kubernetes_io_name",
                "container",
                "container_name",
                "k8s_container_name",
                "component",
                "workload",
                "job",
                "k8s_job_name",
            ]),
            discover_log_levels: true,
            log_level_fields: list(&level::FIELDS),
        }
    }
}

impl Discovery {
    fn level_names(&self) -> impl Iterator<Item = &str> {
        self.log_level_fields.iter().map(String::as_str)
    }

    fn level_position(&self, name: &str) -> Option<usize> {
        self.level_names().position(|known| known == name)
    }
}

/// How a body is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Protobuf, without its snappy.
    Protobuf,
    /// JSON.
    Json,
}

/// Decodes requests; remembers the streams it has seen.
#[derive(Debug, Default)]
pub struct Decoder {
    streams: Streams,
}

impl Decoder {
    /// With settings.
    pub fn new(discovery: Discovery) -> Self {
        Self { streams: Streams::new(discovery) }
    }

    /// Decodes a request, decompressed.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no request.
    pub fn decode(&self, format: Format, bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
        let mut entries = Entries::new(context, &self.streams);
        match format {
            Format::Protobuf => proto::read(bytes, &mut entries)?,
            Format::Json => json::read(bytes, &mut entries)?,
        }
        if entries.streams_seen() == 0 {
            return Err(Error::invalid(NO_STREAMS));
        }
        Ok(entries.finish())
    }
}

const NO_STREAMS: &str = "error at least one valid stream is required for ingestion";

#[derive(Debug)]
struct Door {
    entry: Entry,
    limits: BodyLimits,
    decoder: Arc<Decoder>,
}

/// The routes.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let Settings { limits, discovery, .. } = settings;
    let door = Arc::new(Door { entry, limits, decoder: Arc::new(Decoder::new(discovery)) });
    let mut router = Router::new();
    for path in ["/loki/api/v1/push", "/api/prom/push", "/loki/api/prom/push", "/loki/loki/api/v1/push"] {
        router = router.route(path, post(push));
    }
    router.layer(DefaultBodyLimit::disable()).with_state(door)
}

/// What agents ask a server that they take for Loki, beside what queries and pushes ask: for a listener of its own. Who asks for
/// anything else is told what there is.
pub fn listener_routes() -> Router {
    Router::new().route("/ready", get(|| async { "ready\n" })).fallback(nothing_there)
}

async fn nothing_there(uri: Uri) -> Response<Body> {
    let message = format!("no such path: {}; here is Loki's API, below /loki/api/v1, and metrics of the server are at its main address", uri.path());
    reply::text(StatusCode::NOT_FOUND, &message)
}

async fn push(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    match take(&door, request).await {
        Ok(outcome) => reply::accept(&outcome),
        Err(refusal) if refusal.message() == NO_STREAMS => reply::text(StatusCode::UNPROCESSABLE_ENTITY, NO_STREAMS),
        Err(refusal) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, request: Request<Body>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let format = format(&parts.headers)?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity).map_err(|_| {
            let value = parts.headers.get(header::CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            Refusal::unsupported(format!("Content-Encoding {:?} not supported", value.unwrap_or_default()))
        })?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.limits).await?;
        Ok((format, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (format, mut raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    // Protobuf is always in snappy, whether the header says so or something else is around it; JSON never is.
    let is_snappy_inside = format == Format::Protobuf && !matches!(raw.encoding, Encoding::Identity | Encoding::Snappy);
    raw.encoding = match (format, raw.encoding) {
        (Format::Protobuf, Encoding::Identity) => Encoding::Snappy,
        (Format::Json, Encoding::Snappy) => Encoding::Identity,
        (_, encoding) => encoding,
    };
    let (decoder, bytes_max) = (Arc::clone(&door.decoder), door.limits.bytes_max);
    let decode = move |bytes: &[u8], context: &Context<'_>| {
        let inside;
        let bytes = if is_snappy_inside {
            inside = unpack(bytes, bytes_max)?;
            &inside
        } else {
            bytes
        };
        decoder.decode(format, bytes, context)
    };
    http::take(&door.entry, PROTOCOL, &door.limits, raw, decode).await
}

fn unpack(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let damaged = |source| Error::invalid("cannot decompress body: not snappy block format").with_source(source);
    // The declared length is checked before a byte is allocated.
    if snap::raw::decompress_len(bytes).map_err(damaged)? > bytes_max {
        return Err(too_large(bytes_max));
    }
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(damaged)
}

/// JSON if the content type says so, in words that Go's `mime.ParseMediaType` takes; any other is protobuf.
fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let invalid = |what: &str| Refusal::from(Error::invalid(format!("mime: {what}")));
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Err(invalid("no media type")) };
    let mut parts = value.to_str().map_err(|_| invalid("invalid media parameter"))?.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    if media_type.is_empty() {
        return Err(invalid("no media type"));
    }
    let is_parameter = |part: &str| part.is_empty() || part.split_once('=').is_some_and(|(name, text)| !name.trim().is_empty() && !text.trim().is_empty());
    if !parts.all(is_parameter) {
        return Err(invalid("invalid media parameter"));
    }
    Ok(if media_type == "application/json" { Format::Json } else { Format::Protobuf })
}
