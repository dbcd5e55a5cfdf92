//! Framing, both ways.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use axum::body::Body;
use axum::extract::{FromRequest as _, Request};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt as _;
use signalbox_model::Error;
use signalbox_proto::jaeger::api_v2::GetOperationsRequest;

use super::{Call, Code, Replies, Reply, Status, decode};

fn request(bytes: &[u8]) -> Request {
    Request::post("/").header("content-type", "application/grpc+proto").body(Body::from(bytes.to_vec())).unwrap()
}

fn cart() -> GetOperationsRequest {
    GetOperationsRequest { service: "cart".to_owned(), span_kind: String::new() }
}

/// Data and `grpc-status` of an answer.
async fn collected(response: axum::response::Response) -> (Bytes, String, String) {
    let header = |headers: &http::HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let headers = body.trailers().cloned().unwrap_or(parts.headers);
    (body.to_bytes(), header(&headers, "grpc-status"), header(&headers, "grpc-message"))
}

#[tokio::test]
async fn a_call_is_one_message() {
    let call: Call<GetOperationsRequest> = Call::from_request(request(b"\0\0\0\0\x06\x0a\x04cart"), &()).await.unwrap();
    assert_eq!(call.message, cart());
    let plain = Request::post("/").body(Body::empty()).unwrap();
    assert_eq!(Call::<GetOperationsRequest>::from_request(plain, &()).await.unwrap_err().status(), 415);
}

#[test]
fn refuses_what_is_no_message() {
    let cases: [(&'static [u8], Code); 6] = [
        (b"", Code::InvalidArgument),
        (b"\0\0\0", Code::InvalidArgument),
        (b"\x01\0\0\0\0", Code::Unimplemented),
        (b"\0\xff\xff\xff\xffabc", Code::InvalidArgument),
        (b"\0\0\0\0\x02\x0a", Code::InvalidArgument),
        (b"\0\0\0\0\x02\x0a\x7f", Code::InvalidArgument),
    ];
    for (bytes, code) in cases {
        assert_eq!(decode::<GetOperationsRequest>(Bytes::from_static(bytes)).unwrap_err().code, code, "{bytes:?}");
    }
    assert_eq!(decode::<GetOperationsRequest>(Bytes::from_static(b"\0\0\0\0\0")).unwrap(), GetOperationsRequest::default());
}

#[tokio::test]
async fn answers_end_with_trailers() {
    assert_eq!(collected(Reply(cart()).into_response()).await, (Bytes::from_static(b"\0\0\0\0\x06\x0a\x04cart"), "0".to_owned(), String::new()));
    let two = collected(Replies::of(vec![cart(), GetOperationsRequest::default()]).into_response()).await;
    assert_eq!(two, (Bytes::from_static(b"\0\0\0\0\x06\x0a\x04cart\0\0\0\0\0"), "0".to_owned(), String::new()));
    let none = collected(Replies::<GetOperationsRequest>::of(Vec::new()).into_response()).await;
    assert_eq!(none, (Bytes::new(), "0".to_owned(), String::new()));
}

#[tokio::test]
async fn the_first_failure_ends_a_stream() {
    let answers = vec![Ok(cart()), Err(Status::new(Code::NotFound, "100 % \u{fc}")), Ok(cart())];
    let (data, status, message) = collected(Replies::new(stream::iter(answers)).into_response()).await;
    assert_eq!((data.len(), status.as_str(), message.as_str()), (11, "5", "100 %25 %C3%BC"));
    let (_, status, message) = collected(Status::from(Error::limit("too much")).into_response()).await;
    assert_eq!((status.as_str(), message.as_str()), ("8", "too much"));
}
