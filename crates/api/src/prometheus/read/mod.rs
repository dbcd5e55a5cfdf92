//! Remote read: another Prometheus (or Thanos, or anything that speaks the protocol) reads our samples as they are stored.
//!
//! `POST /api/v1/read`, a `prometheus.ReadRequest` in protobuf, compressed with snappy. Two kinds of answers:
//!
//! | client takes | answer |
//! |---|---|
//! | `SAMPLES` | one `ReadResponse`, compressed with snappy; integer histograms stay integer |
//! | `STREAMED_XOR_CHUNKS` | frames of `ChunkedReadResponse`; floats in XOR chunks, histograms all in float histogram chunks |
//!
//! A frame is its length as a varint, a CRC-32C of the message (four bytes, big end first), the message. An error after the
//! first frame breaks the answer off, which the client notices.

mod bits;
mod chunks;
mod frames;
mod histogram_chunk;
mod request;
mod samples;
mod xor_chunk;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use signalbox_model::Error;

use super::refusal::plain_text;
use crate::ApiState;
use crate::http::{Askers, status};

use request::Request;

/// Bytes of a request, compressed or not. Selectors are short.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Why there is no answer: in plain text, as clients of this endpoint show it.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match status(&error) {
            // What a client asks too much of is its request.
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => StatusCode::BAD_REQUEST,
            code => code,
        };
        if code == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = ?error, "cannot answer a remote read: {error}");
        }
        Self(code, error.message().to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        plain_text(self.0, &self.1)
    }
}

/// `POST /read`
pub(super) async fn read(State(state): State<ApiState>, Askers(owners): Askers, body: Body) -> Response {
    let answer = async {
        let body: Bytes = axum::body::to_bytes(body, REQUEST_BYTES_MAX)
            .await
            .map_err(|_| Refusal::bad(format!("cannot read request: want at most {REQUEST_BYTES_MAX} bytes")))?;
        let request = Request::decode(&body, &state.prometheus.external_labels)?;
        let reads = std::sync::Arc::clone(&state.prometheus.remote_reads);
        let permit = reads.acquire_owned().await.map_err(|error| Error::internal("cannot wait for a remote read").with_source(error))?;
        if request.is_streamed { frames::answer(state, owners, request, permit).await } else { samples::answer(state, owners, request, permit).await }
    };
    answer.await.unwrap_or_else(Refusal::into_response)
}
