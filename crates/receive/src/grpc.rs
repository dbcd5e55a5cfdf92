//! gRPC's unary calls, for the doors that have some: five bytes, a message, trailers.
//!
//! A gRPC framework would decode into an object tree, know nothing of the budget of memory, and answer `OUT_OF_RANGE` to messages that
//! are too large, where OTLP demands `RESOURCE_EXHAUSTED`.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf as _, Bytes};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_proto::google_rpc::{Any, Duration, RetryInfo, Status};

use crate::compression::Encoding;
use crate::door::{Context, Decoded, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];
/// Compressed flag and length before each message.
const PREFIX_BYTES: usize = 5;
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity,gzip,zstd,deflate");

/// gRPC status codes that are used.
pub(crate) mod code {
    pub(crate) const OK: i32 = 0;
    pub(crate) const INVALID_ARGUMENT: i32 = 3;
    pub(crate) const NOT_FOUND: i32 = 5;
    pub(crate) const PERMISSION_DENIED: i32 = 7;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
    pub(crate) const UNAVAILABLE: i32 = 14;
}

/// The gRPC code of an error. `RESOURCE_EXHAUSTED` is retried only beside a `RetryInfo`, which [`status`] adds for a limit
/// of rate and never for a message that is too large. Our own bugs are `UNAVAILABLE`: clients drop data on `INTERNAL`.
pub(crate) fn grpc_code(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Invalid => code::INVALID_ARGUMENT,
        ErrorKind::TooLarge | ErrorKind::Limit => code::RESOURCE_EXHAUSTED,
        ErrorKind::NotFound => code::NOT_FOUND,
        ErrorKind::Denied => code::PERMISSION_DENIED,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Corrupt | ErrorKind::Internal => code::UNAVAILABLE,
    }
}

/// The `google.rpc.Status` of a refusal.
pub(crate) fn status(refusal: &Refusal, code: i32) -> Status {
    let details = refusal.retry_after().map(|delay| {
        let retry_delay = Duration { seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX), nanos: delay.subsec_nanos() as i32 };
        Any { type_url: RetryInfo::TYPE_URL.into(), value: RetryInfo { retry_delay: Some(retry_delay) }.encode_to_vec() }
    });
    Status { code, message: refusal.message().to_owned(), details: details.into_iter().collect() }
}

/// Adds the answer to calls that no route knows, for a listener that serves gRPC alone.
pub fn with_unknown_calls(router: Router) -> Router {
    router.fallback(|| async { failure(code::UNIMPLEMENTED, &Refusal::unsupported("no such method")) })
}

/// The answer to a request that is no call, if it is none.
pub(crate) fn not_a_call(request: &Request<Body>) -> Option<Response<Body>> {
    let is_grpc = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    (!is_grpc).then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        response
    })
}

/// Reads the message of a call.
///
/// # Errors
/// With the code of the answer.
pub(crate) async fn read(entry: &Entry, limits: &BodyLimits, request: Request<Body>) -> Result<Raw, (i32, Refusal)> {
    let (parts, body) = request.into_parts();
    let declared = grpc_encoding(&parts.headers).map_err(|refusal| (code::UNIMPLEMENTED, refusal))?;
    let mut limits = limits.clone();
    limits.wire_bytes_max = limits.wire_bytes_max.saturating_add(PREFIX_BYTES);
    let read = http::read_body(entry, &parts.headers, body, &limits).await;
    let (body, share) = read.map_err(|refusal| (grpc_code(refusal.error.kind()), refusal))?;
    let (body, is_compressed) = unframe(body).map_err(|error| (code::INVALID_ARGUMENT, error.into()))?;
    let encoding = if is_compressed { declared } else { Encoding::Identity };
    Ok(Raw { tenant: http::tenant(&parts), body, encoding, share })
}

/// Reads the message of a call and takes what it holds.
///
/// # Errors
/// With the code of the answer.
pub(crate) async fn take<D>(entry: &Entry, protocol: Protocol, limits: &BodyLimits, request: Request<Body>, decode: D) -> Result<Outcome, (i32, Refusal)>
where
    D: FnOnce(&[u8], &Context<'_>) -> Result<Decoded> + Send + 'static,
{
    let raw = read(entry, limits, request).await.inspect_err(|(_, refusal)| http::count_refusal(protocol, refusal))?;
    http::take(entry, protocol, limits, raw, decode).await.map_err(|refusal| (grpc_code(refusal.error.kind()), refusal))
}

/// The answer of a protocol that has no word for a part and none for success: what is good is kept, and no client repeats a call
/// after `INVALID_ARGUMENT`.
pub(crate) fn whole_or_failure(taken: Result<Outcome, (i32, Refusal)>) -> Response<Body> {
    match taken {
        Ok(outcome) if !outcome.rejected.is_empty() => failure(code::INVALID_ARGUMENT, &Refusal::from(Error::invalid(outcome.message()))),
        Ok(_) => success(&[]),
        Err((code, refusal)) => failure(code, &refusal),
    }
}

fn grpc_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get("grpc-encoding") else { return Ok(Encoding::Identity) };
    let found = value.to_str().ok().and_then(Encoding::from_name).filter(|found| ENCODINGS.contains(found));
    found.ok_or_else(|| Refusal::unsupported(format!("cannot decode grpc-encoding {value:?}: want identity, gzip, zstd or deflate")))
}

/// The only message of a unary call, and whether it is compressed.
fn unframe(mut body: Bytes) -> Result<(Bytes, bool)> {
    if body.len() < PREFIX_BYTES {
        return Err(Error::invalid("cannot read gRPC message: its prefix is cut short"));
    }
    let (flag, length) = (body.get_u8(), body.get_u32());
    if flag > 1 {
        return Err(Error::invalid(format!("cannot read gRPC message: compressed flag {flag}")));
    }
    if usize::try_from(length).ok() != Some(body.len()) {
        return Err(Error::invalid(format!("cannot read gRPC message: {length} bytes announced, {} bytes sent", body.len())));
    }
    Ok((body, flag == 1))
}

/// The answer to a call that was taken.
pub(crate) fn success(message: &[u8]) -> Response<Body> {
    let mut framed = Vec::with_capacity(PREFIX_BYTES + message.len());
    framed.push(0);
    // Messages of answers are bounded by a few kilobytes.
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code::OK));
    let frames = [Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(framed))), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
    head(response.headers_mut());
    response
}

/// The answer to a call that was refused: trailers only.
pub(crate) fn failure(code: i32, refusal: &Refusal) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    head(headers);
    headers.insert("grpc-status", HeaderValue::from(code));
    let details = STANDARD_NO_PAD.encode(status(refusal, code).encode_to_vec());
    for (name, text) in [("grpc-message", percent_encode(refusal.message())), ("grpc-status-details-bin", details)] {
        // Both encodings are printable ASCII.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    response
}

fn head(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", ACCEPT_ENCODING);
}

/// `grpc-message` is percent-encoded UTF-8.
fn percent_encode(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
