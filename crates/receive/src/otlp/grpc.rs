//! OTLP/gRPC.
//!
//! The three `Export` calls are unary, so this speaks gRPC's framing itself: five bytes, a message, trailers. A gRPC
//! framework would decode into an object tree, know nothing of the budget of memory, and answer `OUT_OF_RANGE` where OTLP
//! demands `RESOURCE_EXHAUSTED`.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, Response, header};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf as _, Bytes};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use signalbox_model::{Error, Result, Signal};
use tokio::net::TcpListener;

use super::reply::{self, code};
use super::{Format, Settings};
use crate::compression::Encoding;
use crate::door::{Context, Entry};
use crate::http::{self, Protocol, Raw, Refusal};

const GRPC: Protocol = Protocol("otlp_grpc");
/// Compressed flag and length before each message.
const PREFIX_BYTES: usize = 5;
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity,gzip,zstd,deflate");

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
}

/// OTLP/gRPC as routes, to be served over HTTP/2.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings });
    let mut router = Router::new();
    for (signal, path) in [
        (Signal::Metrics, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
        (Signal::Logs, "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        (Signal::Traces, "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ] {
        let export = move |State(door): State<Arc<Door>>, request: Request<Body>| async move { export(&door, signal, request).await };
        router = router.route(path, post(export));
    }
    router.layer(axum::extract::DefaultBodyLimit::disable()).with_state(door)
}

/// Adds the answer to calls that no route knows, for a listener that serves gRPC alone.
pub fn with_unknown_calls(router: Router) -> Router {
    router.fallback(|| async { failure(code::UNIMPLEMENTED, &Refusal::unsupported("no such method")) })
}

/// Serves OTLP/gRPC (HTTP/2 with prior knowledge) until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// Of the listener.
pub async fn serve(listener: TcpListener, entry: Entry, settings: Settings, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    axum::serve(listener, with_unknown_calls(routes(entry, settings))).with_graceful_shutdown(shutdown).await
}

async fn export(door: &Door, signal: Signal, request: Request<Body>) -> Response<Body> {
    let is_grpc = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let raw = match read(door, request).await {
        Ok(raw) => raw,
        Err((code, refusal)) => {
            http::count_refusal(GRPC, &refusal);
            return failure(code, &refusal);
        }
    };
    let translation = door.settings.translation.clone();
    let decode = move |bytes: &[u8], context: &Context<'_>| super::decode(signal, Format::Protobuf, bytes, context, &translation);
    match http::take(&door.entry, GRPC, &door.settings.limits, raw, decode).await {
        Ok(outcome) => success(&reply::response(signal, &outcome)),
        Err(refusal) => failure(reply::grpc_code(refusal.error.kind()), &refusal),
    }
}

async fn read(door: &Door, request: Request<Body>) -> Result<Raw, (i32, Refusal)> {
    let (parts, body) = request.into_parts();
    let declared = grpc_encoding(&parts.headers).map_err(|refusal| (code::UNIMPLEMENTED, refusal))?;
    let mut limits = door.settings.limits.clone();
    limits.wire_bytes_max = limits.wire_bytes_max.saturating_add(PREFIX_BYTES);
    let read = http::read_body(&door.entry, &parts.headers, body, &limits).await;
    let (body, share) = read.map_err(|refusal| (reply::grpc_code(refusal.error.kind()), refusal))?;
    let (body, is_compressed) = unframe(body).map_err(|error| (code::INVALID_ARGUMENT, error.into()))?;
    let encoding = if is_compressed { declared } else { Encoding::Identity };
    Ok(Raw { tenant: http::tenant(&parts), body, encoding, share })
}

fn grpc_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get("grpc-encoding") else { return Ok(Encoding::Identity) };
    let found = value.to_str().ok().and_then(Encoding::from_name).filter(|found| super::ENCODINGS.contains(found));
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

fn success(message: &[u8]) -> Response<Body> {
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

/// A trailers-only answer.
fn failure(code: i32, refusal: &Refusal) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    head(headers);
    headers.insert("grpc-status", HeaderValue::from(code));
    let details = STANDARD_NO_PAD.encode(reply::status(refusal, code).encode_to_vec());
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
