//! gRPC, as the dialects that have it answer: a handler takes a [`Call`] and answers with a [`Reply`], a [`Replies`] or a
//! [`Status`].
//!
//! It is HTTP with framing: five bytes before each message, and trailers. Routes are ordinary ones, so that a service shares
//! an address, its tenant and its bounds with the HTTP API beside it.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, Bytes};
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use signalbox_model::{Error, ErrorKind, Owners, Tenant};

use crate::http::{only, owners};

/// Bytes of a request that are read at most; a question is small.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Compressed flag and length before each message.
const PREFIX_BYTES: usize = 5;

/// What a call says when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Nobody waits.
    Canceled = 1,
    /// The request makes no sense.
    InvalidArgument = 3,
    /// It took too long.
    DeadlineExceeded = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Not for this caller.
    PermissionDenied = 7,
    /// A bound was reached.
    ResourceExhausted = 8,
    /// There is no such method.
    Unimplemented = 12,
    /// A bug or damage.
    Internal = 13,
    /// Later perhaps.
    Unavailable = 14,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    code: Code,
    message: String,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(u16::from(self.code as u8)));
        // Percent-encoded text is printable ASCII.
        if let Ok(message) = HeaderValue::from_str(&percent_encode(&self.message)) {
            trailers.insert("grpc-message", message);
        }
        trailers
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Invalid => Code::InvalidArgument,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::Denied => Code::PermissionDenied,
            ErrorKind::Limit | ErrorKind::TooLarge => Code::ResourceExhausted,
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::Timeout => Code::DeadlineExceeded,
            ErrorKind::Canceled => Code::Canceled,
            ErrorKind::Corrupt | ErrorKind::Internal => {
                tracing::error!(error = ?error, "cannot answer a call: {error}");
                Code::Internal
            }
        };
        Self::new(code, error.message())
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.headers_mut().extend(self.trailers());
        head(&mut response);
        response
    }
}

/// A call with its only message; whoever asks for several tenants where `W` is one is refused.
#[derive(Debug)]
pub(crate) struct Call<Q, W = Tenant> {
    /// Who asks.
    pub asker: W,
    /// What is asked.
    pub message: Q,
}

/// Who may ask.
pub(crate) trait Who: Sized {
    /// The tenants of a request as this.
    fn of(owners: Owners) -> Result<Self, Status>;
}

impl Who for Tenant {
    fn of(owners: Owners) -> Result<Self, Status> {
        only(&owners).map_err(|(_, message)| Status::new(Code::InvalidArgument, message))
    }
}

impl Who for Owners {
    fn of(owners: Owners) -> Result<Self, Status> {
        Ok(owners)
    }
}

impl<S: Send + Sync, Q: Message + Default, W: Who> FromRequest<S> for Call<Q, W> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        if !parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
        }
        let body = axum::body::to_bytes(body, REQUEST_BYTES_MAX + PREFIX_BYTES)
            .await
            .map_err(|_| Status::new(Code::ResourceExhausted, format!("cannot read the request: want at most {REQUEST_BYTES_MAX} bytes")).into_response())?;
        let message = decode(body).map_err(Status::into_response)?;
        let asker = W::of(owners(&parts.extensions)).map_err(Status::into_response)?;
        Ok(Self { asker, message })
    }
}

/// The only message of a request.
fn decode<Q: Message + Default>(mut body: Bytes) -> Result<Q, Status> {
    let invalid = |text: String| Status::new(Code::InvalidArgument, text);
    if body.len() < PREFIX_BYTES {
        return Err(invalid("cannot read the request: its prefix is cut short".to_owned()));
    }
    let (flag, length) = (body.get_u8(), body.get_u32());
    if flag != 0 {
        return Err(Status::new(Code::Unimplemented, "cannot read the request: want it uncompressed"));
    }
    if usize::try_from(length).ok() != Some(body.len()) {
        return Err(invalid(format!("cannot read the request: {length} bytes announced, {} bytes sent", body.len())));
    }
    Q::decode(body).map_err(|error| invalid(format!("cannot read the request: {error}")))
}

/// The answer to a unary call.
#[derive(Debug)]
pub(crate) struct Reply<A>(pub A);

impl<A: Message + 'static> IntoResponse for Reply<A> {
    fn into_response(self) -> Response {
        let frames = [Ok::<_, std::convert::Infallible>(framed(&self.0)), Ok(finish(None))];
        body(StreamBody::new(stream::iter(frames)))
    }
}

/// The answer to a call that is answered with a stream; the first failure ends it.
pub(crate) struct Replies<A>(BoxStream<'static, Result<A, Status>>);

impl<A: Message + 'static> Replies<A> {
    /// Answers as they come.
    pub(crate) fn new(answers: impl futures::Stream<Item = Result<A, Status>> + Send + 'static) -> Self {
        Self(answers.boxed())
    }

    /// Answers that are there.
    pub(crate) fn of(answers: Vec<A>) -> Self {
        Self::new(stream::iter(answers.into_iter().map(Ok)))
    }
}

impl<A: Message + 'static> IntoResponse for Replies<A> {
    fn into_response(self) -> Response {
        // `None` behind the last answer: the end is a frame too.
        let marked = self.0.map(Some).chain(stream::once(std::future::ready(None)));
        let frames = marked.scan(false, |is_over, answer| {
            let frame = match (*is_over, answer) {
                (true, _) => return std::future::ready(None),
                (false, Some(Ok(answer))) => framed(&answer),
                (false, Some(Err(status))) => {
                    *is_over = true;
                    finish(Some(&status))
                }
                (false, None) => finish(None),
            };
            std::future::ready(Some(Ok::<_, std::convert::Infallible>(frame)))
        });
        body(StreamBody::new(frames))
    }
}

/// The answer to a method that nobody knows, for an address that serves gRPC alone.
pub(crate) async fn unknown_method() -> Status {
    Status::new(Code::Unimplemented, "no such method")
}

fn framed(message: &impl Message) -> Frame<Bytes> {
    let length = message.encoded_len();
    let mut frame = Vec::with_capacity(PREFIX_BYTES + length);
    frame.push(0);
    // An answer beyond 4 GiB cannot be built: what is read for it is bounded far below.
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    frame.extend_from_slice(&message.encode_to_vec());
    Frame::data(Bytes::from(frame))
}

fn finish(status: Option<&Status>) -> Frame<Bytes> {
    let success = || HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    Frame::trailers(status.map_or_else(success, Status::trailers))
}

fn body(frames: impl http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static) -> Response {
    let mut response = Response::new(Body::new(frames));
    head(&mut response);
    response
}

fn head(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
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

#[cfg(test)]
mod tests;
