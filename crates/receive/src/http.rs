//! One harness for all HTTP doors (and the bodies of gRPC): limits before and after decompression, tenant, metrics, and
//! the one place where an error kind becomes a status.
//!
//! A protocol file contains only the protocol: it hands in a decoder and renders the outcome.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use signalbox_ingest::Written;
use signalbox_model::{Error, ErrorKind, Rejected, Result, Tenant};
use signalbox_telemetry::{names, registry};

use crate::compression::{Encoding, decompress, too_large};
use crate::door::{Context, Decoded, Entry, RETRY_AFTER, Share};
use crate::transform::Pipeline;

/// Bodies larger than this are decompressed and decoded on a thread of their own, so that a large request does not delay
/// the small ones that share its runtime thread. Below, a handover costs more than the work.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// Limits of request bodies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyLimits {
    /// Largest body as it arrives, in bytes. Raise it together with `bytes_max` for senders of very large batches.
    pub wire_bytes_max: usize,
    /// Largest body after decompression, in bytes. OTLP recommends 64 MiB.
    pub bytes_max: usize,
    /// A body that has not arrived completely after this many seconds is given up.
    pub read_timeout_seconds: u64,
    /// Deepest nesting of attribute values; rows with deeper ones are rejected.
    pub attribute_depth_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { wire_bytes_max: 64 << 20, bytes_max: 64 << 20, read_timeout_seconds: 30, attribute_depth_max: 32 }
    }
}

/// Who is speaking: the words in our own metrics.
#[derive(Debug, Clone, Copy)]
pub struct Protocol(pub &'static str);

/// A request as it arrived.
#[derive(Debug)]
pub struct Raw {
    /// Owner of what is in it.
    pub tenant: Tenant,
    /// The body, still compressed.
    pub body: Bytes,
    /// How it is compressed.
    pub encoding: Encoding,
    /// The memory it takes.
    pub share: Share,
}

/// What became of a request that was taken.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Rows that were refused, by the decoder or by admission.
    pub rejected: Vec<Rejected>,
    /// What is durable now.
    pub written: Written,
    /// See [`Decoded::points`].
    pub points: Option<u64>,
}

impl Outcome {
    /// Number of rows that were refused, as the protocol counts.
    pub fn rejected_rows(&self) -> u64 {
        let rows: u64 = self.rejected.iter().map(|rejected| rejected.rows).sum();
        rows.min(self.points.unwrap_or(u64::MAX))
    }

    /// One line for the client: how many rows were refused and why.
    pub fn message(&self) -> String {
        let reasons: Vec<String> =
            self.rejected.iter().map(|rejected| format!("{} rejected ({}): {}", rejected.rows, rejected.reason, rejected.message)).collect();
        let mut message = reasons.join("; ");
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message
    }
}

/// Longest message in an answer: it keeps every answer far below the 4 MiB that OTLP clients accept.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// A request that was not taken.
#[derive(Debug)]
pub struct Refusal {
    /// The status of HTTP doors.
    pub status: StatusCode,
    /// Why.
    pub error: Error,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { status: status(error.kind()), error }
    }
}

impl Refusal {
    /// Of a content type or encoding that the protocol does not have.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error: Error::invalid(message) }
    }

    /// When to try again, for the kinds of errors after which a retry can help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.error.kind() {
            ErrorKind::Limit | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Corrupt | ErrorKind::Internal => {
                Some(self.error.retry_after().unwrap_or(RETRY_AFTER))
            }
            ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::NotFound | ErrorKind::Denied => None,
        }
    }

    /// The value of `Retry-After`: whole seconds, rounded up.
    pub fn retry_after_header(&self) -> Option<String> {
        self.retry_after().map(|delay| delay.as_millis().div_ceil(1000).max(1).to_string())
    }

    /// What the client is told. Details of our own bugs and disks stay in the log.
    pub fn message(&self) -> &str {
        let message = self.error.message();
        &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
    }
}

/// The status of an error. A bug or a damaged store answers 503, not 500: OTLP clients drop data on 500, and the data is
/// not at fault.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Limit => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The tenant that `app` put into the request, else the default one.
pub fn tenant(parts: &Parts) -> Tenant {
    parts.extensions.get::<Tenant>().cloned().unwrap_or_default()
}

/// The one content encoding of a request, if it is among those the protocol allows.
///
/// # Errors
/// 415 for any other.
pub fn encoding(headers: &HeaderMap, allowed: &[Encoding], missing: Encoding) -> Result<Encoding, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(missing) };
    let found = value.to_str().ok().and_then(Encoding::from_name).filter(|found| allowed.contains(found));
    match (found, values.next()) {
        (Some(found), None) => Ok(found),
        _ => Err(Refusal::unsupported(format!("cannot decode content encoding {value:?}"))),
    }
}

/// Reads a body within its limits; the declared length is checked before the first byte is read.
///
/// # Errors
/// 413 past the limit, 503 when too much is in flight, 400 when the client stops in the middle.
pub async fn read_body(entry: &Entry, headers: &HeaderMap, mut body: Body, limits: &BodyLimits) -> Result<(Bytes, Share), Refusal> {
    let mut share = entry.budget.share();
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limits.wire_bytes_max) {
        return Err(too_large(limits.wire_bytes_max).into());
    }
    let read = async {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| Error::invalid("cannot read body: the connection ended early").with_source(source))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.len() + all.len() + data.len() > limits.wire_bytes_max {
                return Err(too_large(limits.wire_bytes_max));
            }
            share.grow(data.len())?;
            // A body that comes in one frame is not copied.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                if all.is_empty() {
                    all.reserve(declared.unwrap_or(first.len() + data.len()));
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.extend_from_slice(&data);
            }
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    };
    let late = |_| Error::invalid("cannot read body: it did not arrive in time");
    let body = tokio::time::timeout(Duration::from_secs(limits.read_timeout_seconds), read).await.map_err(late)??;
    Ok((body, share))
}

/// Decompresses, decodes and writes a request, and counts what happened.
///
/// # Errors
/// When nothing of the request was written.
pub async fn take<D>(entry: &Entry, protocol: Protocol, limits: &BodyLimits, raw: Raw, decode: D) -> Result<Outcome, Refusal>
where
    D: FnOnce(&[u8], &Context<'_>) -> Result<Decoded> + Send + 'static,
{
    let bytes = raw.body.len();
    let pipeline = entry.transform.pipeline(protocol.0);
    let result = take_uncounted(entry, limits, raw, pipeline, decode).await;
    count(protocol, bytes, &result);
    result
}

async fn take_uncounted<D>(entry: &Entry, limits: &BodyLimits, raw: Raw, pipeline: Option<Pipeline>, decode: D) -> Result<Outcome, Refusal>
where
    D: FnOnce(&[u8], &Context<'_>) -> Result<Decoded> + Send + 'static,
{
    let Raw { tenant, body, encoding, mut share } = raw;
    let known = entry.sink.known_series(&tenant);
    let (now_ns, bytes_max, attribute_depth_max) = (entry.clock.now_ns(), limits.bytes_max, limits.attribute_depth_max);
    let accepted_time = entry.sink.accepted_time(now_ns);
    let is_small = body.len() <= INLINE_BYTES_MAX;
    let work = move || {
        let plain = decompress(encoding, body, bytes_max, &mut share)?;
        let decoded = decode(&plain, &Context { now_ns, known: &*known, accepted_time, attribute_depth_max, transform: pipeline.as_ref() })?;
        Ok::<_, Error>((decoded, share))
    };
    let (decoded, share) = if is_small {
        work()?
    } else {
        tokio::task::spawn_blocking(work).await.map_err(|source| Error::internal("cannot decode request: the decoder stopped").with_source(source))??
    };
    let Decoded { batches, mut rejected, points } = decoded;
    let mut written = Written::default();
    if !batches.is_empty() {
        let accepted = entry.sink.write(&tenant, batches).await?;
        written = accepted.written;
        rejected.extend(accepted.rejected);
    }
    drop(share);
    Ok(Outcome { rejected, written, points })
}

/// Counts what became of a request.
pub(crate) fn count(protocol: Protocol, bytes: usize, result: &Result<Outcome, Refusal>) {
    let Protocol(protocol) = protocol;
    let metrics = registry();
    let outcome = match result {
        Ok(outcome) if outcome.rejected.is_empty() => "ok",
        Ok(_) => "partial",
        Err(refusal) => refusal_word(refusal),
    };
    metrics.counter(names::RECEIVE_REQUESTS_TOTAL, &[("protocol", protocol), ("outcome", outcome)]).add(1);
    metrics.counter(names::RECEIVE_BYTES_TOTAL, &[("protocol", protocol)]).add(bytes as u64);
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(refusal) => {
            if matches!(refusal.error.kind(), ErrorKind::Corrupt | ErrorKind::Internal) {
                // The client is told to retry; what is wrong is here.
                tracing::error!(protocol, error = ?refusal.error, "cannot take request: {}", refusal.error);
            }
            return;
        }
    };
    let Written { samples, histograms, logs, spans, .. } = outcome.written;
    for (signal, rows) in [("metrics", samples + histograms), ("logs", logs), ("traces", spans)] {
        if rows > 0 {
            metrics.counter(names::RECEIVE_ROWS_TOTAL, &[("protocol", protocol), ("signal", signal)]).add(rows);
        }
    }
    for rejected in &outcome.rejected {
        metrics.counter(names::RECEIVE_REJECTED_ROWS_TOTAL, &[("protocol", protocol), ("reason", rejected.reason)]).add(rejected.rows);
    }
}

/// Counts a request that was refused before its body was read.
pub fn count_refusal(protocol: Protocol, refusal: &Refusal) {
    registry().counter(names::RECEIVE_REQUESTS_TOTAL, &[("protocol", protocol.0), ("outcome", refusal_word(refusal))]).add(1);
}

fn refusal_word(refusal: &Refusal) -> &'static str {
    match refusal.error.kind() {
        _ if refusal.status == StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported",
        ErrorKind::Invalid | ErrorKind::NotFound => "invalid",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Denied => "denied",
        ErrorKind::Limit => "limit",
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled => "unavailable",
        ErrorKind::Corrupt | ErrorKind::Internal => "internal",
    }
}
