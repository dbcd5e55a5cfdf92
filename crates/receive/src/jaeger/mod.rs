//! Jaeger's ways in: its collector over gRPC and HTTP, its agent over UDP, and the shares of traces that its clients ask for.
//!
//! Specifications: <https://github.com/jaegertracing/jaeger-idl>, `proto/api_v2` and `thrift`. The mapping is that of OpenTelemetry's
//! collector, but nothing is renamed or left out, so that what is read back is what was sent.
//!
//! Endpoints: gRPC `jaeger.api_v2.CollectorService/PostSpans` and `jaeger.api_v2.SamplingManager/GetSamplingStrategy`; `POST /api/traces`
//! (Thrift, `application/x-thrift` or `application/vnd.apache.thrift.binary`, also `…compact`; gzip), answered with 202; UDP with
//! `Agent.emitBatch` and `Agent.emitZipkinBatch` in the compact and in the binary protocol; `GET /sampling?service=` and
//! `GET /api/sampling?service=`.
//!
//! | wire | column |
//! |---|---|
//! | trace id of 64 or 128 bits, span id | trace id (64 bits are the lower half), span id |
//! | `parentSpanId`; else the first `CHILD_OF`, else the first `FOLLOWS_FROM` of the same trace | parent |
//! | other references, and what the span follows | links with attribute `opentracing.ref_type` |
//! | `operationName`, `startTime`, `duration` | name, start, duration |
//! | `flags` | flags: sampled; attribute `jaeger.debug` for debug |
//! | `process.serviceName`, tags of the process; a span's own process before the batch's | `service.name` and attributes of the resource |
//! | `tags` | attributes with their types; of the same key the last |
//! | tag `span.kind` | kind |
//! | tag `error` = true | status error |
//! | tags `otel.status_code`, `otel.status_description` | status |
//! | tags `otel.scope.name`, `otel.scope.version`, `otel.library.…` | scope |
//! | tag `w3c.tracestate` | trace state |
//! | `logs` | events; the field `event` is the name |
//! | `warnings`, `processId`, `seqNo`, `stats` | none |
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `jaeger_grpc`, `jaeger_http`, `jaeger_compact` or `jaeger_binary`; see [`crate::socket`] for the
//! latter two.

mod proto;
mod sampling;
mod span;
mod thrift;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use signalbox_model::{Result, Tenant};
use signalbox_proto::jaeger::sampling::SamplingStrategyParameters;

pub use self::proto::decode as decode_proto;
use self::sampling::Strategies;
pub use self::thrift::decode as decode_thrift;
use crate::compression::{Encoding, decompress};
use crate::door::{Context, Entry};
use crate::grpc::{self, code, failure, success};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};
use crate::socket::{self, Datagrams, Limits, Listening, Socket};
use crate::spans::Assembler;
pub use crate::thrift::Wire;
use crate::zipkin::reply;

const GRPC: Protocol = Protocol("jaeger_grpc");
const HTTP: Protocol = Protocol("jaeger_http");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

/// Settings of Jaeger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of the collector over gRPC; port 0 takes a free one, the empty text listens nowhere.
    pub grpc_listen: String,
    /// Address and port of the collector over HTTP, which the main address takes as well; port 0 takes a free one, the empty text listens
    /// nowhere.
    pub http_listen: String,
    /// Address and port of the agent over UDP, for clients that speak Thrift's compact protocol; port 0 takes a free one, the empty text
    /// listens nowhere.
    pub compact_listen: String,
    /// Address and port of the agent over UDP, for clients that speak Thrift's binary protocol; port 0 takes a free one, the empty text
    /// listens nowhere.
    pub binary_listen: String,
    /// Address and port where clients ask which share of traces to keep; port 0 takes a free one, the empty text listens nowhere. The
    /// collector's addresses answer, too.
    pub sampling_listen: String,
    /// The share of traces that clients are told to keep, from 0 to 1.
    pub sampling_probability: f64,
    /// A file of strategies by service and operation, JSON, as Jaeger's collector takes with `--sampling.strategies-file`. Empty:
    /// `sampling_probability` holds for all. Read at the start.
    pub sampling_strategies_file: PathBuf,
    /// Limits of request bodies, over HTTP and gRPC.
    pub limits: BodyLimits,
    /// The tenant whose spans over UDP are, which have no header that could name one.
    pub datagram_tenant: String,
    /// Limits of datagrams.
    pub datagram_limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grpc_listen: "127.0.0.1:14250".to_owned(),
            http_listen: "127.0.0.1:14268".to_owned(),
            compact_listen: "127.0.0.1:6831".to_owned(),
            binary_listen: "127.0.0.1:6832".to_owned(),
            sampling_listen: "127.0.0.1:5778".to_owned(),
            sampling_probability: 1.0,
            sampling_strategies_file: PathBuf::new(),
            limits: BodyLimits::default(),
            datagram_tenant: Tenant::DEFAULT.to_owned(),
            datagram_limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Puts all doors on an address, each on its port; on free ports if the address ends with `:0`, nowhere if it is empty.
    pub fn listen_on(&mut self, address: &str) {
        for (listen, port) in [
            (&mut self.grpc_listen, 14250),
            (&mut self.http_listen, 14268),
            (&mut self.compact_listen, 6831),
            (&mut self.binary_listen, 6832),
            (&mut self.sampling_listen, 5778),
        ] {
            *listen = if address.is_empty() || address.ends_with(":0") { address.to_owned() } else { format!("{address}:{port}") };
        }
    }
}

/// Binds the addresses of the agent.
///
/// # Errors
/// If an address cannot be had or the tenant has no name; the message names the setting.
pub async fn listen(settings: &Settings) -> Result<Vec<Listening>> {
    let tenant = socket::tenant(&settings.datagram_tenant, "receive.jaeger.datagram_tenant")?;
    let mut listening = Vec::new();
    for (door, protocol, wire, listen, setting) in [
        ("jaeger-compact", Protocol("jaeger_compact"), Wire::Compact, &settings.compact_listen, "receive.jaeger.compact_listen"),
        ("jaeger-binary", Protocol("jaeger_binary"), Wire::Binary, &settings.binary_listen, "receive.jaeger.binary_listen"),
    ] {
        if !listen.is_empty() {
            let socket = Socket { door, protocol, tenant: tenant.clone(), limits: settings.datagram_limits.clone() };
            listening.push(socket.listen(socket::bind_datagrams(listen, setting).await?, move |_| Calls::new(wire)));
        }
    }
    Ok(listening)
}

/// Calls to the agent, a datagram each.
#[derive(Debug)]
pub struct Calls {
    wire: Wire,
}

impl Calls {
    /// In this protocol.
    pub fn new(wire: Wire) -> Self {
        Self { wire }
    }
}

impl Datagrams for Calls {
    type Rows<'c> = Assembler<'c>;

    fn take(&mut self, datagram: &[u8], _peer: IpAddr, _context: &Context<'_>, assembler: &mut Assembler<'_>) {
        // Spans before the fault are taken: nobody sends them again.
        if let Err(error) = thrift::read_call(self.wire, datagram, assembler) {
            assembler.reject(1, "invalid", || format!("cannot read a call to Jaeger's agent: {error}"));
        }
    }
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    limits: BodyLimits,
    strategies: Strategies,
}

/// The doors that speak HTTP.
#[derive(Debug)]
pub struct Routes {
    /// The collector over gRPC.
    pub grpc: Router,
    /// The collector over HTTP.
    pub http: Router,
    /// The shares of traces.
    pub sampling: Router,
}

/// The routes.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the file of strategies makes no sense.
pub fn routes(entry: Entry, settings: &Settings) -> Result<Routes> {
    let strategies = if settings.sampling_strategies_file.as_os_str().is_empty() {
        Strategies::of_share(settings.sampling_probability)
    } else {
        Strategies::load(&settings.sampling_strategies_file, settings.sampling_probability)?
    };
    let door = Arc::new(Door { entry, limits: settings.limits.clone(), strategies });
    let grpc = Router::new()
        .route("/jaeger.api_v2.CollectorService/PostSpans", post(post_spans))
        .route("/jaeger.api_v2.SamplingManager/GetSamplingStrategy", post(sampling_strategy))
        .layer(DefaultBodyLimit::disable());
    let http = Router::new().route("/api/traces", post(post_traces)).layer(DefaultBodyLimit::disable());
    let sampling = ["/sampling", "/api/sampling", "/"].into_iter().fold(Router::new(), |router, path| router.route(path, get(share)));
    let behind = |router: Router<Arc<Door>>| router.with_state(Arc::clone(&door));
    Ok(Routes { grpc: behind(grpc), http: behind(http), sampling: behind(sampling) })
}

async fn post_spans(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    if let Some(refusal) = grpc::not_a_call(&request) {
        return refusal;
    }
    grpc::whole_or_failure(grpc::take(&door.entry, GRPC, &door.limits, request, decode_proto).await)
}

async fn sampling_strategy(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    if let Some(refusal) = grpc::not_a_call(&request) {
        return refusal;
    }
    let read = async {
        let Raw { body, encoding, mut share, .. } = grpc::read(&door.entry, &door.limits, request).await?;
        let invalid = |error| (code::INVALID_ARGUMENT, Refusal::from(error));
        let plain = decompress(encoding, body, door.limits.bytes_max, &mut share).map_err(invalid)?;
        let message = |_| signalbox_model::Error::invalid("cannot read the name of a service");
        SamplingStrategyParameters::decode(plain).map_err(message).map_err(invalid)
    };
    match read.await {
        Ok(parameters) => success(&door.strategies.of(&parameters.service_name).encode_to_vec()),
        Err((code, refusal)) => failure(code, &refusal),
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    service: Option<String>,
}

async fn share(State(door): State<Arc<Door>>, Query(asked): Query<Asked>) -> Response<Body> {
    match asked.service.filter(|service| !service.is_empty()) {
        Some(service) => axum::Json(sampling::render(door.strategies.of(&service))).into_response(),
        None => (StatusCode::BAD_REQUEST, "'service' parameter must be provided once\n").into_response(),
    }
}

async fn post_traces(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    match take(&door, request).await {
        Ok(outcome) => reply::accept(&outcome),
        Err(refusal) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, request: Request<Body>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let wire = wire(&parts.headers)?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.limits).await?;
        Ok((wire, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (wire, raw) = read.await.inspect_err(|refusal| http::count_refusal(HTTP, refusal))?;
    http::take(&door.entry, HTTP, &door.limits, raw, move |bytes, context| decode_thrift(wire, bytes, context)).await
}

fn wire(headers: &HeaderMap) -> Result<Wire, Refusal> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-thrift" | "application/vnd.apache.thrift.binary" => Ok(Wire::Binary),
        "application/vnd.apache.thrift.compact" => Ok(Wire::Compact),
        other => Err(Refusal::unsupported(format!("cannot decode content type {other:?}: want application/x-thrift"))),
    }
}
