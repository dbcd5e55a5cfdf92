//! Prometheus remote write, versions 1.0 and 2.0.
//!
//! Specifications: <https://prometheus.io/docs/specs/prw/remote_write_spec/> and
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>.
//!
//! Endpoints: `POST /api/v1/write` and `POST /prometheus/api/v1/write`. The content type says which version it is.
//!
//! | wire | column |
//! |---|---|
//! | labels | series |
//! | sample value, timestamp (ms), start timestamp | `samples` |
//! | histogram with integer or float counts, custom bounds | `histograms`, absolute counts; resolutions above 8 are coarsened |
//! | exemplar labels `trace_id`, `span_id` | the exemplar's identifiers if they are valid ones, else labels |
//! | metadata | metadata by family |
//! | NaN `0x7ff0000000000002` | staleness marker, bit for bit |
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `remote_write`.

mod histogram;
mod reply;
mod series;
pub mod v1;
pub mod v2;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, Response, header};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use signalbox_model::Result;

use crate::compression::Encoding;
use crate::door::{Context, Decoded, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const PROTOCOL: Protocol = Protocol("remote_write");

/// Settings of remote write.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Limits of request bodies.
    pub limits: BodyLimits,
}

/// Version of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// Decodes a request, decompressed.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the bytes are no request.
pub fn decode(version: Version, bytes: &[u8], context: &Context<'_>) -> Result<Decoded> {
    match version {
        Version::V1 => v1::decode(bytes, context),
        Version::V2 => v2::decode(bytes, context),
    }
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
    for path in ["/api/v1/write", "/prometheus/api/v1/write"] {
        router = router.route(path, post(write));
    }
    router.layer(axum::extract::DefaultBodyLimit::disable()).with_state(door)
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
        let version = version(parts.headers.get(header::CONTENT_TYPE))?;
        // Early senders of 1.0 name no encoding; the body is snappy all the same.
        let encoding = http::encoding(&parts.headers, &[Encoding::Snappy], Encoding::Snappy)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.settings.limits).await?;
        Ok((version, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (version, raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    let decode = move |bytes: &[u8], context: &Context<'_>| decode(version, bytes, context);
    http::take(&door.entry, PROTOCOL, &door.settings.limits, raw, decode).await
}

fn version(content_type: Option<&HeaderValue>) -> Result<Version, Refusal> {
    let Some(value) = content_type else { return Ok(Version::V1) };
    let text = value.to_str().unwrap_or_default();
    let unsupported = || {
        Refusal::unsupported(format!(
            "cannot decode content type {value:?}: want application/x-protobuf, optionally with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request"
        ))
    };
    let mut parts = text.split(';').map(str::trim);
    if !parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/x-protobuf")) {
        return Err(unsupported());
    }
    let mut version = Version::V1;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { return Err(unsupported()) };
        if name.trim().eq_ignore_ascii_case("proto") {
            version = match value.trim().trim_matches('"') {
                "prometheus.WriteRequest" => Version::V1,
                "io.prometheus.write.v2.Request" => Version::V2,
                _ => return Err(unsupported()),
            };
        }
    }
    Ok(version)
}
