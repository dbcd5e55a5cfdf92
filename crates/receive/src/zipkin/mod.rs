//! Zipkin's way in: spans of its second model in JSON and protobuf, of its first in JSON and Thrift.
//!
//! Specifications: <https://zipkin.io/zipkin-api/>, `zipkin.proto` and `zipkinCore.thrift` beside it. The mapping is that of OpenTelemetry's
//! collector, but nothing is left out, so that what is read back is what was sent.
//!
//! Endpoints: `POST /api/v2/spans` (JSON; protobuf with `Content-Type: application/x-protobuf`) and `POST /api/v1/spans` (JSON; Thrift with
//! `application/x-thrift`), answered with 202; gzip, deflate, zstd. gRPC `zipkin.proto3.SpanService/Report` at the same addresses, as Zipkin's
//! server has it, and at that of OTLP/gRPC.
//!
//! | wire | column |
//! |---|---|
//! | `traceId` of 64 or 128 bits, `id`, `parentId` | trace id (64 bits are the lower half), span id, parent; a parent that is the span itself is none |
//! | `kind` | kind; none is unspecified, or internal with the tag `span.kind=internal`, which is taken out |
//! | `name`, `timestamp`, `duration` | name, start, duration |
//! | no `timestamp` | start is the first annotation, else arrival less the duration; attribute `otel.zipkin.absentField.startTime=true` |
//! | no `duration` | 0 |
//! | `localEndpoint.serviceName` | `service.name` of the resource, or what the tag `otlp.service.name.source` names |
//! | address and port of `localEndpoint` | attributes `net.host.ip`, `net.host.port` (integer); `net.host.ipv6` for a second address |
//! | `remoteEndpoint` | attributes `peer.service`, `net.peer.ip`, `net.peer.port` (integer); `net.peer.ipv6` for a second address |
//! | `tags` | attributes, text; those that describe a resource (`host.`, `k8s.`, `service.version`, …) are the resource's |
//! | tags `otel.scope.name`, `otel.scope.version`, `otel.library.…` | scope |
//! | tag `otel.status_code`, with it `otel.status_description` and `error` | status |
//! | tag `error` alone, not `false` | status error, the text is its message unless it is `true`; the attribute stays |
//! | tag `w3c.tracestate` | trace state |
//! | tags `otlp.link.0`, … | links |
//! | `annotations` | events; `name\|{json}\|dropped`, as the collector writes them, with attributes |
//! | `debug`, `shared` | attributes `zipkin.debug`, `zipkin.shared`, bool, if true |
//! | spans of the first model | one span, or two of which the server's is shared; `ca`, `sa`, `ma` are the remote endpoint |
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `zipkin` or `zipkin_grpc`.

mod first;
pub(crate) mod first_thrift;
mod json;
mod proto;
pub(crate) mod reply;
mod span;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, Response, header};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use signalbox_model::Result;

use self::json::Model;
use crate::compression::Encoding;
use crate::door::{Context, Decoded, Entry};
use crate::grpc;
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};
use crate::spans::Assembler;
use crate::thrift::{Reader, Wire};

const PROTOCOL: Protocol = Protocol("zipkin");
const GRPC: Protocol = Protocol("zipkin_grpc");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

/// The call of `zipkin.proto` that clients of gRPC make: a list of spans, nothing in answer.
const REPORT: &str = "/zipkin.proto3.SpanService/Report";

/// Settings of Zipkin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port, where Zipkin's clients send by default; port 0 takes a free one, the empty text listens nowhere. The main address
    /// takes the same.
    pub listen: String,
    /// Limits of request bodies.
    pub limits: BodyLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9411".to_owned(), limits: BodyLimits::default() }
    }
}

/// How a body is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Second model, JSON.
    Json,
    /// Second model, protobuf.
    Protobuf,
    /// First model, JSON.
    FirstJson,
    /// First model, Thrift in its binary protocol.
    FirstThrift,
}

/// Decodes a list of spans.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are none.
pub fn decode(format: Format, bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    let mut assembler = Assembler::new(context);
    match format {
        Format::Json => json::read(bytes, Model::Second, &mut assembler)?,
        Format::FirstJson => json::read(bytes, Model::First, &mut assembler)?,
        Format::Protobuf => proto::read(bytes, &mut assembler)?,
        Format::FirstThrift => first_thrift::read(&mut Reader::new(Wire::Binary, bytes), &mut assembler)?,
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
    let door = Arc::new(Door { entry, limits: settings.limits });
    let mut router = Router::new();
    for (path, model) in [("/api/v2/spans", Model::Second), ("/api/v1/spans", Model::First)] {
        let write = move |State(door): State<Arc<Door>>, request: Request<Body>| async move {
            match take(&door, model, request).await {
                Ok(outcome) => reply::accept(&outcome),
                Err(refusal) => reply::refuse(&refusal),
            }
        };
        router = router.route(path, post(write));
    }
    router.route(REPORT, post(report)).layer(DefaultBodyLimit::disable()).with_state(door)
}

/// The call of gRPC alone, for an address that takes calls of other protocols too.
pub fn grpc_routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, limits: settings.limits });
    Router::new().route(REPORT, post(report)).layer(DefaultBodyLimit::disable()).with_state(door)
}

async fn report(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    if let Some(refusal) = grpc::not_a_call(&request) {
        return refusal;
    }
    let decode = |bytes: &[u8], context: &Context<'_>| decode(Format::Protobuf, bytes, context);
    grpc::whole_or_failure(grpc::take(&door.entry, GRPC, &door.limits, request, decode).await)
}

async fn take(door: &Door, model: Model, request: Request<Body>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let format = format(&parts.headers, model)?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.limits).await?;
        Ok((format, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (format, raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    http::take(&door.entry, PROTOCOL, &door.limits, raw, move |bytes, context| decode(format, bytes, context)).await
}

/// By the content type; what is neither protobuf nor Thrift is JSON, for clients that do not say.
fn format(headers: &HeaderMap, model: Model) -> Result<Format, Refusal> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (media_type.as_str(), model) {
        ("application/x-protobuf" | "application/protobuf", Model::Second) => Ok(Format::Protobuf),
        ("application/x-thrift" | "application/vnd.apache.thrift.binary", Model::First) => Ok(Format::FirstThrift),
        (other, _) if other.contains("protobuf") => Err(Refusal::unsupported("cannot decode protobuf here: want POST /api/v2/spans")),
        (other, _) if other.contains("thrift") => Err(Refusal::unsupported("cannot decode this thrift here: want TBinaryProtocol at POST /api/v1/spans")),
        (_, Model::Second) => Ok(Format::Json),
        (_, Model::First) => Ok(Format::FirstJson),
    }
}
