//! GELF, Graylog's format: over UDP (chunked, compressed), TCP and TLS (NUL behind each message), and HTTP.
//!
//! Specification: <https://go2docs.graylog.org/current/getting_in_log_data/gelf.html>.
//!
//! Endpoint: `POST /gelf`, answered with 202; several messages may follow each other in one body. The other transports have
//! no replies: a message that is none is counted, and the connection goes on behind the next NUL.
//!
//! | wire | column |
//! |---|---|
//! | `host` | `host.name` of the resource; required |
//! | `_service.name`, `_service_name` | `service.name` of the resource |
//! | `short_message` | body; required |
//! | `full_message`, `file`, `line`, `facility` and other fields | attribute of the same name |
//! | `_name` | attribute `name` |
//! | `_id`, `version` | none |
//! | `_trace_id`, `_span_id` of 32 and 16 hexadecimal digits | trace and span |
//! | `level` | severity number and name, as of syslog; alert if there is none |
//! | `timestamp`, a number or text | timestamp |
//! | no timestamp, or one that the store does not take | arrival; the latter stays in attribute `gelf.timestamp` |
//!
//! ## Metrics
//! See [`crate::socket`]; `protocol` is `gelf`, over HTTP as well.

pub mod chunks;
mod message;
mod reply;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Request, Response, header};
use axum::routing::post;
use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Tenant};

use self::chunks::{Chunks, Piece};
use self::message::Message;
use crate::compression::{Encoding, decompress};
use crate::door::{Budget, Context, Decoded, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};
use crate::logs::{Assembler, Origins};
use crate::socket::{self, Conversation, Datagrams, Limits, Listening, Socket, Streams, Tls, Turn};

const PROTOCOL: Protocol = Protocol("gelf");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

/// What graypy calls a body of zlib.
const UNCLEAR_ENCODING: &str = "gzip,deflate";

/// Settings of GELF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port for UDP and TCP; port 0 takes a free one, the empty text listens nowhere. The main address takes GELF
    /// over HTTP.
    pub listen: String,
    /// Address and port for TLS; it needs the files of `tls`. Empty: none.
    pub tls_listen: String,
    /// Certificate, key, and who may connect.
    pub tls: Tls,
    /// The tenant whose messages over UDP, TCP and TLS are, which have no header that could name one.
    pub tenant: String,
    /// Largest message over UDP or TCP in bytes, without compression; larger ones are rejected.
    pub message_bytes_max: usize,
    /// Limits of connections and datagrams.
    pub limits: Limits,
    /// Limits of request bodies over HTTP.
    pub http_limits: BodyLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:12201".to_owned(),
            tls_listen: String::new(),
            tls: Tls::default(),
            tenant: Tenant::DEFAULT.to_owned(),
            message_bytes_max: 2 << 20,
            limits: Limits::default(),
            http_limits: BodyLimits::default(),
        }
    }
}

/// Binds the addresses.
///
/// # Errors
/// If an address cannot be had or a setting makes no sense; the message names it.
pub async fn listen(settings: &Settings) -> Result<Vec<Listening>> {
    let bytes_max = settings.message_bytes_max;
    let tenant = socket::tenant(&settings.tenant, "receive.gelf.tenant")?;
    let streams = |door, tls| Streams { door, protocol: PROTOCOL, tenant: tenant.clone(), limits: settings.limits.clone(), tls };
    let converse = move |_: &_, _| Texts::new(bytes_max);
    let mut listening = Vec::new();
    if !settings.listen.is_empty() {
        let (tcp, udp, address) = socket::bind_both(&settings.listen, "receive.gelf.listen").await?;
        listening.push(streams("gelf", None).listen((tcp, address), converse));
        let datagrams = Socket { door: "gelf-udp", protocol: PROTOCOL, tenant: tenant.clone(), limits: settings.limits.clone() };
        listening.push(datagrams.listen((udp, address), move |entry: &Entry| Packets::new(bytes_max, entry.budget.clone())));
    }
    if !settings.tls_listen.is_empty() {
        let acceptor = settings.tls.acceptor("receive.gelf.tls")?;
        let bound = socket::bind(&settings.tls_listen, "receive.gelf.tls_listen").await?;
        listening.push(streams("gelf-tls", Some(acceptor)).listen(bound, converse));
    }
    Ok(listening)
}

/// Reads one message, without compression.
fn push(bytes: &[u8], origins: &mut Origins, context: &Context<'_>, assembler: &mut Assembler<'_>) {
    match serde_json::from_slice::<Message<'_>>(bytes) {
        Ok(message) => message.push(origins, context, assembler),
        Err(error) => assembler.reject(1, "invalid", || not_gelf(&error)),
    }
}

/// How a message is compressed, by its first bytes.
fn sniffed(bytes: &[u8]) -> Encoding {
    match bytes {
        [0x1f, 0x8b, ..] => Encoding::Gzip,
        // zlib's usual window; no JSON object begins with an x.
        [b'x', ..] => Encoding::Deflate,
        _ => Encoding::Identity,
    }
}

fn not_gelf(error: &serde_json::Error) -> String {
    format!("cannot read message of GELF: {error}")
}

/// Messages and pieces of messages, in datagrams.
#[derive(Debug)]
pub struct Packets {
    bytes_max: usize,
    budget: Budget,
    chunks: Chunks,
    origins: Origins,
}

impl Packets {
    /// Of at most so many bytes; the budget is for what is decompressed.
    pub fn new(bytes_max: usize, budget: Budget) -> Self {
        Self { bytes_max, budget, chunks: Chunks::default(), origins: Origins::default() }
    }

    fn message(&mut self, bytes: &[u8], context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let encoding = sniffed(bytes);
        if encoding == Encoding::Identity {
            return push(bytes, &mut self.origins, context, assembler);
        }
        match decompress(encoding, Bytes::copy_from_slice(bytes), self.bytes_max, &mut self.budget.share()) {
            Ok(plain) => push(&plain, &mut self.origins, context, assembler),
            Err(error) => assembler.reject(1, "invalid", || error.to_string()),
        }
    }
}

impl Datagrams for Packets {
    type Rows<'c> = Assembler<'c>;

    fn take(&mut self, datagram: &[u8], peer: IpAddr, context: &Context<'_>, assembler: &mut Assembler<'_>) {
        match self.chunks.take(datagram, peer, context.now_ns) {
            Piece::Whole => self.message(datagram, context, assembler),
            Piece::Last(message) => self.message(&message, context, assembler),
            Piece::Bad(why) => assembler.reject(1, "invalid", || why.to_owned()),
            Piece::Kept => {}
        }
        let forgotten = self.chunks.forget(context.now_ns);
        assembler.reject(forgotten, "incomplete", || "chunks of a message did not arrive".to_owned());
    }
}

/// Messages of one connection, each followed by NUL.
#[derive(Debug)]
pub struct Texts {
    bytes_max: usize,
    /// Whether the rest of a message that is too large is still to come.
    is_skipping: bool,
    origins: Origins,
}

impl Texts {
    /// Of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, is_skipping: false, origins: Origins::default() }
    }

    fn message(&mut self, bytes: &[u8], context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let was_skipping = std::mem::take(&mut self.is_skipping);
        let is_blank = bytes.iter().all(u8::is_ascii_whitespace);
        if was_skipping || is_blank {
            return;
        }
        if bytes.len() > self.bytes_max {
            return self.too_large(assembler);
        }
        push(bytes, &mut self.origins, context, assembler);
    }

    fn too_large(&self, assembler: &mut Assembler<'_>) {
        assembler.reject(1, "too_large", || format!("a message is larger than the limit of {} bytes", self.bytes_max));
    }
}

impl Conversation for Texts {
    fn read(&mut self, input: &mut BytesMut, is_last: bool, context: &Context<'_>) -> Turn {
        let mut assembler = Assembler::new(context);
        while let Some(end) = memchr(0, input) {
            let message = input.split_to(end);
            input.advance(1);
            self.message(&message, context, &mut assembler);
        }
        if is_last {
            let message = input.split();
            self.message(&message, context, &mut assembler);
        } else if self.is_skipping {
            input.clear();
        } else if input.len() > self.bytes_max {
            self.too_large(&mut assembler);
            self.is_skipping = true;
            input.clear();
        }
        Turn { decoded: assembler.finish(), ..Turn::default() }
    }
}

/// Decodes a body: one message, or several that follow each other.
///
/// # Errors
/// `Invalid` if the first one is none.
pub fn decode(bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let (mut assembler, mut origins) = (Assembler::new(context), Origins::default());
    for (position, message) in serde_json::Deserializer::from_slice(bytes).into_iter::<Message<'_>>().enumerate() {
        match message {
            Ok(message) => message.push(&mut origins, context, &mut assembler),
            Err(error) if position == 0 => return Err(Error::invalid(not_gelf(&error))),
            Err(error) => assembler.reject(1, "invalid", || not_gelf(&error)),
        }
    }
    Ok(assembler.finish())
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    limits: BodyLimits,
}

/// The routes.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, limits: settings.http_limits });
    Router::new().route("/gelf", post(write)).layer(DefaultBodyLimit::disable()).with_state(door)
}

async fn write(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    match take(&door, request).await {
        Ok(outcome) => reply::accept(&outcome),
        Err(refusal) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, request: Request<Body>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let is_unclear = parts.headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == UNCLEAR_ENCODING);
        let declared = if is_unclear { Encoding::Identity } else { http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)? };
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.limits).await?;
        let encoding = if is_unclear { sniffed(&body) } else { declared };
        Ok((encoding, body, share))
    };
    let (encoding, body, share) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    http::take(&door.entry, PROTOCOL, &door.limits, Raw { tenant: http::tenant(&parts), body, encoding, share }, decode).await
}
