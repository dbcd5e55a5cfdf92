//! What every target does with one input: a plain function, so that the tests run it too, on stable.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, Uri};
use serde_json::json;
use tower::ServiceExt as _;

/// Bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A request by its path and parameters: whatever they say, the answer is no internal error. What a URL cannot hold is
/// escaped; escapes that are there stay as they are, good or bad.
pub(crate) async fn parameters(router: &Router, text: &str) -> Option<StatusCode> {
    let mut uri = String::from("/");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/?&=%+:,$*!;@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    let uri = uri.parse::<Uri>().ok()?;
    Some(check(router, Request::get(uri).body(Body::empty()).expect("a URI makes a request"), text).await)
}

/// A statement of SQL: answered or refused, and what it may not do it does not.
pub(crate) async fn sql(router: &Router, text: &str) -> StatusCode {
    let request = Request::post("/api/v1/sql").header("content-type", "application/sql").body(Body::from(text.to_owned()));
    check(router, request.expect("a text makes a body"), text).await
}

/// A body of a remote read, as it comes and as the message in a body that is compressed as it should be.
pub(crate) async fn remote_read(router: &Router, bytes: &[u8]) -> StatusCode {
    let compressed = snap::raw::Encoder::new().compress_vec(bytes).expect("short bytes can be compressed");
    let mut status = StatusCode::OK;
    for body in [bytes.to_vec(), compressed] {
        let request = Request::post("/api/v1/read").body(Body::from(body)).expect("bytes make a body");
        status = check(router, request, "a remote read").await;
    }
    status
}

/// A body of a search of Elasticsearch, alone and as the second line of several: answered or refused.
pub(crate) async fn elastic(router: &Router, text: &str) -> StatusCode {
    let several = Request::post("/elastic/_msearch").body(Body::from(format!("{{}}\n{text}\n")));
    check(router, several.expect("a text makes a body"), text).await;
    let request = Request::post("/elastic/logs-*/_search").body(Body::from(text.to_owned()));
    check(router, request.expect("a text makes a body"), text).await
}

/// A script of Elasticsearch's pipelines, over two numbers of a bucket and as a moving function: read and computed, or refused.
pub(crate) async fn elastic_script(router: &Router, text: &str) -> StatusCode {
    let moving = json!({ "moving_fn": { "buckets_path": "_count", "window": 4, "script": text } });
    let script = json!({ "bucket_script": { "buckets_path": { "a": "_count", "b": "s" }, "script": { "source": text } } });
    let mut status = StatusCode::OK;
    for pipeline in [moving, script] {
        let aggregations = json!({ "s": { "sum": { "field": "size" } }, "p": pipeline });
        let histogram = json!({ "field": "@timestamp", "fixed_interval": "1s" });
        let body = json!({ "size": 0, "aggs": { "h": { "date_histogram": histogram, "aggs": aggregations } } });
        let request = Request::post("/elastic/logs-*/_search").body(Body::from(body.to_string()));
        status = check(router, request.expect("a text makes a body"), text).await;
    }
    status
}

/// Methods of Jaeger's services that take a message with fields.
const METHODS: [&str; 8] = [
    "jaeger.api_v2.QueryService/GetTrace",
    "jaeger.api_v2.QueryService/FindTraces",
    "jaeger.api_v2.QueryService/GetOperations",
    "jaeger.api_v2.QueryService/GetDependencies",
    "jaeger.api_v3.QueryService/GetTrace",
    "jaeger.api_v3.QueryService/FindTraces",
    "jaeger.api_v3.QueryService/FindTraceSummaries",
    "jaeger.api_v3.QueryService/GetOperations",
];

/// The message of a call of every method, as it comes and framed as it should be, and OTLP to translate: answered or refused.
pub(crate) async fn jaeger(router: &Router, bytes: &[u8]) -> StatusCode {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(bytes.len()).expect("short bytes").to_be_bytes());
    framed.extend_from_slice(bytes);
    for method in METHODS {
        for body in [bytes.to_vec(), framed.clone()] {
            let request = Request::post(format!("/{method}")).header("content-type", "application/grpc").body(Body::from(body));
            let status = check(router, request.expect("bytes make a body"), method).await;
            assert_eq!(status, StatusCode::OK, "{method}: a refusal is a status of gRPC");
        }
    }
    let request = Request::post("/jaeger/api/transform").body(Body::from(bytes.to_vec()));
    check(router, request.expect("bytes make a body"), "a translation").await
}

/// A call of Tempo's streaming service: which, and its message, as it comes and with the prefix of gRPC.
pub(crate) async fn streaming(router: &Router, bytes: &[u8]) -> StatusCode {
    const METHODS: [&str; 7] = ["Search", "SearchTags", "SearchTagsV2", "SearchTagValues", "SearchTagValuesV2", "MetricsQueryRange", "MetricsQueryInstant"];
    let (which, message) = bytes.split_first().unwrap_or((&0, &[]));
    let path = format!("/tempopb.StreamingQuerier/{}", METHODS[usize::from(*which) % METHODS.len()]);
    let length = u32::try_from(message.len()).expect("inputs are short").to_be_bytes();
    let mut status = StatusCode::OK;
    for body in [message.to_vec(), [&[0], &length[..], message].concat()] {
        let request = Request::post(&path).header("content-type", "application/grpc").body(Body::from(body));
        status = check(router, request.expect("bytes make a body"), "a call").await;
    }
    status
}

/// A question for the difference of two traces.
pub(crate) async fn trace_diff(router: &Router, text: &str) -> StatusCode {
    let request = Request::post("/tempo/api/v2/traces/diff").body(Body::from(text.to_owned()));
    check(router, request.expect("a text makes a body"), text).await
}

async fn check(router: &Router, request: Request<Body>, text: &str) -> StatusCode {
    let response = router.clone().oneshot(request).await.expect("a router always answers");
    let status = response.status();
    assert_ne!(response.headers().get("grpc-status").map(|status| status.as_bytes()), Some(b"13".as_slice()), "{text:?}: a bug");
    // A body that breaks off says so to its reader; it is no panic.
    let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text:?}: {}", String::from_utf8_lossy(&body));
    status
}
