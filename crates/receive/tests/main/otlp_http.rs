//! OTLP/HTTP: each test names the sentences of the specification that it proves.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use prost::Message as _;
use signalbox_model::{Batch, ErrorKind, Rejected, Tenant};
use signalbox_proto::google_rpc::{RetryInfo, Status};
use signalbox_proto::otlp::collector::logs::v1::ExportLogsServiceResponse;
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceResponse;
use signalbox_proto::otlp::collector::trace::v1::ExportTraceServiceResponse;
use signalbox_proto::otlp::trace::v1::Span;
use signalbox_receive::http::BodyLimits;
use signalbox_receive::otlp::{Settings, routes};

use crate::messages::{gauge, logs, metric, metrics, number, record, span, spans};
use crate::support::{Memory, entry, post, send};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn door(settings: Settings) -> (Arc<Memory>, Router) {
    let sink = Arc::new(Memory::default());
    let router = routes(entry(&sink), settings).unwrap();
    (sink, router)
}

fn small() -> Settings {
    Settings { limits: BodyLimits { bytes_max: 1000, wire_bytes_max: 1000, ..BodyLimits::default() }, ..Settings::default() }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gauges() -> Vec<u8> {
    metrics(vec![metric("a", "", gauge(vec![number(1.0, vec![])]))])
}

// OTLP-053, OTLP-069, OTLP-080, OTLP-082, OTLP-085, OTLP-086, OTLP-087
#[tokio::test]
async fn success_is_200_with_an_empty_response_of_the_same_type() {
    let (sink, router) = door(Settings::default());
    for (path, body) in [("/v1/logs", logs(vec![record("x")])), ("/v1/traces", spans(vec![span("x")])), ("/v1/metrics", gauges())] {
        let answer = post(&router, path, &[PROTOBUF], body).await;
        assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (StatusCode::OK, "application/x-protobuf", 0), "{path}");
    }
    assert_eq!(ExportLogsServiceResponse::decode(&b""[..]).unwrap().partial_success, None);
    assert_eq!(sink.rows(), 3);
}

// OTLP-057, OTLP-081, OTLP-082
#[tokio::test]
async fn json_is_answered_in_json() {
    let (sink, router) = door(Settings::default());
    let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000000","body":{"stringValue":"x"}}]}]}]}"#;
    let answer = post(&router, "/v1/logs", &[("content-type", "application/json; charset=utf-8")], body).await;
    assert_eq!((answer.status, answer.header("content-type"), answer.body.as_slice()), (StatusCode::OK, "application/json", &b"{}"[..]));
    assert_eq!(sink.rows(), 1);
    let answer = post(&router, "/v1/logs", &[JSON], "{\"resourceLogs\":7}").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::BAD_REQUEST, "application/json"));
    let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(status["code"], 3);
    assert!(status["message"].as_str().unwrap().contains("cannot decode JSON"));
}

#[tokio::test]
async fn every_path_has_its_aliases() {
    let (sink, router) = door(Settings::default());
    for path in ["/v1/metrics", "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics"] {
        assert_eq!(post(&router, path, &[PROTOBUF], gauges()).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/otlp/v1/logs", "/otlp/v1/traces"] {
        assert_eq!(post(&router, path, &[PROTOBUF], "").await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(sink.rows(), 3);
}

// OTLP-026: an empty request is a success, and writes nothing.
#[tokio::test]
async fn an_empty_request_is_a_success() {
    let (sink, router) = door(Settings::default());
    for (headers, body) in [([PROTOBUF], ""), ([JSON], "{}")] {
        assert_eq!(post(&router, "/v1/traces", &headers, body).await.status, StatusCode::OK);
    }
    assert!(sink.written.lock().is_empty());
}

// OTLP-001, OTLP-058
#[tokio::test]
async fn compressed_bodies_are_taken() {
    let (sink, router) = door(Settings::default());
    let plain = logs(vec![record("x")]);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(&plain).unwrap();
    let bodies = [("gzip", gzip(&plain)), ("zstd", zstd::encode_all(&*plain, 0).unwrap()), ("deflate", zlib.finish().unwrap()), ("identity", plain.clone())];
    for (encoding, body) in bodies {
        assert_eq!(post(&router, "/v1/logs", &[PROTOBUF, ("content-encoding", encoding)], body).await.status, StatusCode::OK, "{encoding}");
    }
    assert_eq!(sink.rows(), 4);
    for encoding in ["br", "snappy", "gzip, gzip"] {
        let answer = post(&router, "/v1/logs", &[PROTOBUF, ("content-encoding", encoding)], plain.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
    }
}

// OTLP-061, OTLP-064: before decompression by the declared and by the real length, and after it.
#[tokio::test]
async fn a_body_past_the_limit_is_413() {
    let (sink, router) = door(small());
    let large = logs(vec![record(&"x".repeat(2000))]);
    let streamed = || Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(large[..900].to_vec()), Ok(large[900..].to_vec())]));
    let bomb = gzip(&large);
    assert!(bomb.len() < 1000);
    let cases = [
        (post(&router, "/v1/logs", &[PROTOBUF], large.clone()).await, "whole"),
        (post(&router, "/v1/logs", &[PROTOBUF], streamed()).await, "streamed"),
        (post(&router, "/v1/logs", &[PROTOBUF, ("content-encoding", "gzip")], bomb).await, "compressed"),
        (post(&router, "/v1/logs", &[PROTOBUF, ("content-length", "1001")], "").await, "declared"),
    ];
    for (answer, case) in cases {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{case}");
        let status = Status::decode(&*answer.body).unwrap();
        assert_eq!((status.code, status.details.len(), answer.header("retry-after")), (8, 0, ""), "{case}");
    }
    assert_eq!(sink.rows(), 0);
}

// OTLP-088, OTLP-089, OTLP-090
#[tokio::test]
async fn what_was_rejected_is_counted_in_partial_success() {
    let (sink, router) = door(Settings::default());
    let rejected = Span { trace_id: vec![1; 15], ..span("short id") };
    let answer = post(&router, "/v1/traces", &[PROTOBUF], spans(vec![span("good"), rejected.clone(), rejected])).await;
    let partial = ExportTraceServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap();
    assert_eq!((answer.status, partial.rejected_spans), (StatusCode::OK, 2));
    assert!(partial.error_message.contains("invalid_id"), "{}", partial.error_message);

    *sink.reject.lock() = vec![Rejected { rows: 3, reason: "too_old", message: "older than the server accepts".into() }];
    let answer = post(&router, "/v1/logs", &[PROTOBUF], logs(vec![record("x")])).await;
    let partial = ExportLogsServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (3, "3 rejected (too_old): older than the server accepts"));

    let answer = post(&router, "/v1/metrics", &[PROTOBUF], metrics(vec![metric("a", "", gauge(vec![number(1.0, vec![]); 5]))])).await;
    let partial = ExportMetricsServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 3);
    let answer = post(&router, "/v1/logs", &[JSON], r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#).await;
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["partialSuccess"]["rejectedLogRecords"], "3");
}

// OTLP-095, OTLP-096, OTLP-105: 400 and a Status for what is no request.
#[tokio::test]
async fn undecodable_data_is_400_with_a_status() {
    let (_, router) = door(Settings::default());
    let whole = logs(vec![record("x")]);
    for (headers, body) in [
        (vec![PROTOBUF], whole[..whole.len() - 1].to_vec()),
        (vec![PROTOBUF], b"\xff\xff\xff\xff not protobuf".to_vec()),
        (vec![PROTOBUF, ("content-encoding", "gzip")], whole.clone()),
    ] {
        let answer = post(&router, "/v1/logs", &headers, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::BAD_REQUEST, "application/x-protobuf"));
        let status = Status::decode(&*answer.body).unwrap();
        assert_eq!((status.code, status.details.len()), (3, 0));
        assert!(!status.message.is_empty());
    }
}

#[tokio::test]
async fn other_content_types_and_methods_are_refused_with_a_status() {
    let (_, router) = door(Settings::default());
    for headers in [vec![], vec![("content-type", "text/plain")], vec![("content-type", "application/protobuf")]] {
        let answer = post(&router, "/v1/logs", &headers, "x").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json"));
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["message"].is_string());
    }
    let answer = send(&router, Request::get("/v1/logs").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["code"], 3);
}

// OTLP-108: 429 and 503 with Retry-After; a bug of ours is retryable, since clients drop data on 500.
#[tokio::test]
async fn overload_says_when_to_come_back() {
    let (sink, router) = door(Settings::default());
    let cases = [
        (ErrorKind::Limit, Some(Duration::from_millis(2500)), 429, "3", 8),
        (ErrorKind::Unavailable, Some(Duration::from_secs(7)), 503, "7", 14),
        (ErrorKind::Unavailable, None, 503, "1", 14),
        (ErrorKind::Internal, None, 503, "1", 14),
        (ErrorKind::Denied, None, 403, "", 7),
    ];
    for (kind, retry_after, status, header, code) in cases {
        *sink.refuse.lock() = Some((kind, retry_after));
        let answer = post(&router, "/v1/logs", &[PROTOBUF], logs(vec![record("x")])).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (status, header), "{kind:?}");
        let status = Status::decode(&*answer.body).unwrap();
        assert_eq!(status.code, code);
        assert_eq!(status.details.len(), usize::from(!header.is_empty()));
        for detail in status.details {
            assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.RetryInfo");
            let delay = RetryInfo::decode(&*detail.value).unwrap().retry_delay.unwrap();
            assert_eq!(Duration::new(delay.seconds as u64, delay.nanos as u32), retry_after.unwrap_or(Duration::from_secs(1)));
        }
    }
}

// OTLP-074: the message of an answer is bounded, however long the reason is.
#[tokio::test]
async fn answers_are_small() {
    let (sink, router) = door(Settings::default());
    *sink.reject.lock() = vec![Rejected { rows: 1, reason: "too_old", message: "é".repeat(10 << 20) }];
    let answer = post(&router, "/v1/logs", &[PROTOBUF], logs(vec![record("x")])).await;
    assert!(answer.body.len() < 5000);
    assert_eq!(ExportLogsServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap().rejected_log_records, 1);
}

#[tokio::test]
async fn the_tenant_comes_from_whoever_serves_the_routes() {
    let (sink, router) = door(Settings::default());
    let mut request = Request::post("/v1/logs").header("content-type", "application/x-protobuf").body(Body::from(logs(vec![record("x")]))).unwrap();
    request.extensions_mut().insert(Tenant::new("acme").unwrap());
    assert_eq!(send(&router, request).await.status, StatusCode::OK);
    post(&router, "/v1/logs", &[PROTOBUF], logs(vec![record("x")])).await;
    let tenants: Vec<String> = sink.written.lock().iter().map(|(tenant, _)| tenant.to_string()).collect();
    assert_eq!(tenants, ["acme", "default"]);
}

#[tokio::test]
async fn browsers_may_send_only_from_allowed_origins() {
    let preflight = || {
        let request = Request::options("/v1/traces").header("origin", "https://shop.example");
        request.header("access-control-request-method", "POST").header("access-control-request-headers", "content-type").body(Body::empty()).unwrap()
    };
    let (_, router) = door(Settings::default());
    assert_eq!(send(&router, preflight()).await.header("access-control-allow-origin"), "");
    for (allowed, want) in [("https://shop.example", "https://shop.example"), ("*", "*"), ("https://other.example", "")] {
        let (_, router) = door(Settings { cors_allowed_origins: vec![allowed.into()], ..Settings::default() });
        assert_eq!(send(&router, preflight()).await.header("access-control-allow-origin"), want, "{allowed}");
    }
    assert!(routes(entry(&Arc::new(Memory::default())), Settings { cors_allowed_origins: vec!["\n".into()], ..Settings::default() }).is_err());
}

// OTLP-122, OTLP-125: fields that a later version adds do not hinder; a sender without newer ones is understood.
#[tokio::test]
async fn fields_of_later_versions_are_passed_over() {
    let (sink, router) = door(Settings::default());
    let mut body = logs(vec![record("x")]);
    body.extend_from_slice(&[0xf2, 0x3e, 3, b'n', b'e', b'w', 0xf8, 0x3e, 1]);
    assert_eq!(post(&router, "/v1/logs", &[PROTOBUF], body).await.status, StatusCode::OK);
    assert_eq!(sink.rows(), 1);
}

#[tokio::test]
async fn a_large_body_takes_the_same_way() {
    let (sink, router) = door(Settings::default());
    let body = logs((0..20_000).map(|number| record(&format!("line {number}"))).collect());
    assert!(body.len() > 256 << 10);
    assert_eq!(post(&router, "/v1/logs", &[PROTOBUF], body).await.status, StatusCode::OK);
    let batches = sink.batches();
    assert!(matches!(&batches[..], [Batch::Logs(logs)] if logs.rows().num_rows() == 20_000));
}
