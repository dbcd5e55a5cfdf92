//! OTLP: the OpenTelemetry protocol, over HTTP (protobuf and JSON) and over gRPC.
//!
//! Specification: <https://opentelemetry.io/docs/specs/otlp/>. Metrics become series by
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.
//!
//! Endpoints: `POST /v1/{metrics,logs,traces}`, the same below `/otlp`, and `/api/v1/otlp/v1/metrics` (where Prometheus
//! has it); gRPC `opentelemetry.proto.collector.{metrics,logs,trace}.v1.*Service/Export`.
//!
//! | wire | column |
//! |---|---|
//! | resource, scope with schema URL and dropped counts | `resource`, `scope` (JSON), `service` |
//! | log `time_unix_nano`, else `observed_time_unix_nano`, else arrival | `timestamp` |
//! | log, span, event and link fields | the column of the name |
//! | attributes | `attributes`, `attribute_types` |
//! | link without valid identifiers | one more in `dropped_links_count` |
//! | gauge, cumulative sum | one series; `_total` for monotonic sums |
//! | histogram | `_count`, `_sum`, `_bucket{le}`; `min` and `max` have no place in Prometheus' model |
//! | exponential histogram | native histogram |
//! | summary | `_count`, `_sum`, `{quantile}` |
//! | delta temporality | increments, which `ingest` accumulates |
//! | `NO_RECORDED_VALUE` | staleness marker |
//! | resource attributes of metrics | `job`, `instance`, the rest on `target_info` |
//! | scope of metrics | `otel_scope_*` labels |
//! | exemplars, of gauges too | exemplars of the series; of histograms, of the bucket they fall into |
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `otlp_http` or `otlp_grpc`.

mod attributes;
pub mod grpc;
mod json;
mod json_schema;
pub mod logs;
pub mod metrics;
pub mod names;
mod reply;
pub mod traces;
mod transforming;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Signal};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use self::names::{Strategy, Translation};
use crate::compression::Encoding;
use crate::door::{Context, Decoded, Entry};
use crate::grpc::{grpc_code, status};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const HTTP: Protocol = Protocol("otlp_http");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];

/// Settings of OTLP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of OTLP/gRPC; port 0 takes a free one, the empty text listens nowhere.
    pub grpc_listen: String,
    /// Address and port of OTLP/HTTP, which the main address takes as well; port 0 takes a free one, the empty text listens
    /// nowhere.
    pub http_listen: String,
    /// Limits of request bodies, over HTTP and gRPC.
    pub limits: BodyLimits,
    /// How metrics become series.
    pub translation: Translation,
    /// Origins whose web pages may send telemetry (browser SDKs), such as `https://shop.example`; `*` allows all.
    /// Empty: none, since any page that a browser of the network opens could write otherwise.
    pub cors_allowed_origins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grpc_listen: "127.0.0.1:4317".to_owned(),
            http_listen: "127.0.0.1:4318".to_owned(),
            limits: BodyLimits::default(),
            translation: Translation::default(),
            cors_allowed_origins: Vec::new(),
        }
    }
}

/// How a body is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Binary protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// Decodes a request of any signal in any format.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no request.
pub fn decode(signal: Signal, format: Format, bytes: &[u8], context: &Context<'_>, translation: &Translation) -> Result<Decoded> {
    let transcoded;
    let bytes = match format {
        Format::Protobuf => bytes,
        Format::Json => {
            let schema = match signal {
                Signal::Metrics => &json_schema::METRICS,
                Signal::Logs => &json_schema::LOGS,
                Signal::Traces => &json_schema::TRACES,
            };
            transcoded = json::to_protobuf(bytes, schema)?;
            &transcoded
        }
    };
    match signal {
        Signal::Metrics => metrics::decode(bytes, context, translation),
        Signal::Logs => logs::decode(bytes, context),
        Signal::Traces => traces::decode(bytes, context),
    }
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
}

/// OTLP/HTTP.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if an allowed origin is no header value.
pub fn routes(entry: Entry, settings: Settings) -> Result<Router> {
    let cors = cors(&settings.cors_allowed_origins)?;
    let door = Arc::new(Door { entry, settings });
    let mut router = Router::new();
    for (signal, paths) in [
        (Signal::Metrics, &["/v1/metrics", "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics"][..]),
        (Signal::Logs, &["/v1/logs", "/otlp/v1/logs", "/loki/otlp/v1/logs"]),
        (Signal::Traces, &["/v1/traces", "/otlp/v1/traces"]),
    ] {
        for path in paths {
            let export = move |State(door): State<Arc<Door>>, request: Request<Body>| async move { export(&door, signal, request).await };
            router = router.route(path, post(export).fallback(wrong_method));
        }
    }
    // Limits are our own, with their own answers.
    let router = router.layer(axum::extract::DefaultBodyLimit::disable()).with_state(door);
    Ok(match cors {
        Some(cors) => router.layer(cors),
        None => router,
    })
}

/// OTLP/HTTP of logs alone, at the path where Loki takes it, for Loki's own listener.
pub fn log_routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings });
    let mut router = Router::new();
    for path in ["/otlp/v1/logs", "/loki/otlp/v1/logs"] {
        let export = |State(door): State<Arc<Door>>, request: Request<Body>| async move { export(&door, Signal::Logs, request).await };
        router = router.route(path, post(export).fallback(wrong_method));
    }
    router.layer(axum::extract::DefaultBodyLimit::disable()).with_state(door)
}

fn cors(origins: &[String]) -> Result<Option<CorsLayer>> {
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let value = |origin: &String| {
            HeaderValue::from_str(origin).map_err(|source| Error::invalid(format!("cannot use {origin:?} in cors_allowed_origins")).with_source(source))
        };
        AllowOrigin::list(origins.iter().map(value).collect::<Result<Vec<_>>>()?)
    };
    let layer = CorsLayer::new().allow_origin(allowed).allow_methods([Method::POST]).allow_headers(tower_http::cors::Any);
    Ok(Some(layer.max_age(std::time::Duration::from_secs(7200))))
}

async fn export(door: &Door, signal: Signal, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let format = match format(parts.headers.get(header::CONTENT_TYPE)) {
        Ok(format) => format,
        Err(refusal) => {
            http::count_refusal(HTTP, &refusal);
            return refuse(Format::Json, &refusal);
        }
    };
    let read = async {
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.settings.limits).await?;
        Ok::<_, Refusal>(Raw { tenant: http::tenant(&parts), body, encoding, share })
    };
    let raw = match read.await {
        Ok(raw) => raw,
        Err(refusal) => {
            http::count_refusal(HTTP, &refusal);
            return refuse(format, &refusal);
        }
    };
    let translation = door.settings.translation.clone();
    let decode = move |bytes: &[u8], context: &Context<'_>| decode(signal, format, bytes, context, &translation);
    match http::take(&door.entry, HTTP, &door.settings.limits, raw, decode).await {
        Ok(outcome) => accept(signal, format, &outcome),
        Err(refusal) => refuse(format, &refusal),
    }
}

fn format(content_type: Option<&HeaderValue>) -> Result<Format, Refusal> {
    let media_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Ok(Format::Protobuf),
        "application/json" => Ok(Format::Json),
        other => Err(Refusal::unsupported(format!("cannot decode content type {other:?}: want application/x-protobuf or application/json"))),
    }
}

fn accept(signal: Signal, format: Format, outcome: &Outcome) -> Response<Body> {
    let body = match format {
        Format::Protobuf => Body::from(reply::response(signal, outcome)),
        Format::Json => Body::from(reply::response_json(signal, outcome).to_string()),
    };
    answer(StatusCode::OK, format, body)
}

fn refuse(format: Format, refusal: &Refusal) -> Response<Body> {
    use prost::Message as _;
    let code = grpc_code(refusal.error.kind());
    let body = match format {
        Format::Protobuf => Body::from(status(refusal, code).encode_to_vec()),
        Format::Json => Body::from(reply::status_json(refusal, code).to_string()),
    };
    let mut response = answer(refusal.status, format, body);
    if let Some(seconds) = refusal.retry_after_header().and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

async fn wrong_method() -> Response<Body> {
    let refusal = Refusal { status: StatusCode::METHOD_NOT_ALLOWED, error: Error::invalid("cannot take telemetry by this method: want POST") };
    refuse(Format::Json, &refusal)
}

fn answer(status: StatusCode, format: Format, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}
