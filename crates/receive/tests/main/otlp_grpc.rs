//! OTLP/gRPC: with a real client over a socket, and frame by frame.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;
use signalbox_model::{ErrorKind, Rejected};
use signalbox_proto::google_rpc::{RetryInfo, Status};
use signalbox_proto::otlp::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_client::LogsServiceClient};
use signalbox_proto::otlp::collector::metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient};
use signalbox_proto::otlp::collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient};
use signalbox_receive::http::BodyLimits;
use signalbox_receive::otlp::{Settings, grpc};

use crate::messages::{gauge, logs, metric, metrics, number, record, span, spans};
use crate::support::{Answer, Memory, entry, post};

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![flag];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

fn door(settings: Settings) -> (Arc<Memory>, Router) {
    let sink = Arc::new(Memory::default());
    let router = grpc::with_unknown_calls(grpc::routes(entry(&sink), settings));
    (sink, router)
}

async fn call(router: &Router, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.extend_from_slice(headers);
    post(router, path, &all, body).await
}

fn status(answer: &Answer) -> (i32, Status) {
    let code = answer.header("grpc-status").parse().unwrap();
    let details = STANDARD_NO_PAD.decode(answer.header("grpc-status-details-bin")).unwrap();
    (code, Status::decode(&*details).unwrap())
}

// OTLP-016, OTLP-027, OTLP-028
#[tokio::test(flavor = "multi_thread")]
async fn a_client_sends_all_signals_and_sees_full_success() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let sink = Arc::new(Memory::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(grpc::serve(listener, entry(&sink), Settings::default(), async move {
        stopped.await.ok();
    }));
    let channel = tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap();
    let request = ExportLogsServiceRequest::decode(&*logs(vec![record("x")])).unwrap();
    let answer = LogsServiceClient::new(channel.clone()).export(request).await.unwrap();
    assert_eq!(answer.into_inner().partial_success, None);
    let request = ExportTraceServiceRequest::decode(&*spans(vec![span("x")])).unwrap();
    assert_eq!(TraceServiceClient::new(channel.clone()).export(request).await.unwrap().into_inner().partial_success, None);
    let request = ExportMetricsServiceRequest::decode(&*metrics(vec![metric("a", "", gauge(vec![number(1.0, vec![])]))])).unwrap();
    assert_eq!(MetricsServiceClient::new(channel.clone()).export(request).await.unwrap().into_inner().partial_success, None);
    assert_eq!(sink.rows(), 3);

    // OTLP-029, OTLP-030
    *sink.reject.lock() = vec![Rejected { rows: 2, reason: "too_old", message: "old".into() }];
    let request = ExportLogsServiceRequest::decode(&*logs(vec![record("x")])).unwrap();
    let partial = LogsServiceClient::new(channel.clone()).export(request.clone()).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (2, "2 rejected (too_old): old"));

    *sink.refuse.lock() = Some((ErrorKind::Unavailable, Some(Duration::from_millis(1500))));
    let refused = LogsServiceClient::new(channel.clone()).export(request).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (tonic::Code::Unavailable, "the test says no"));
    let detail = Status::decode(refused.details()).unwrap().details.remove(0);
    let delay = RetryInfo::decode(&*detail.value).unwrap().retry_delay.unwrap();
    assert_eq!((delay.seconds, delay.nanos), (1, 500_000_000));
    drop(channel);
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server).await.unwrap().unwrap().unwrap();
}

// OTLP-001
#[tokio::test]
async fn messages_may_be_compressed() {
    let (sink, router) = door(Settings::default());
    let message = logs(vec![record("x")]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&message).unwrap();
    let gzip = encoder.finish().unwrap();
    let cases = [
        ("gzip", frame(1, &gzip)),
        ("zstd", frame(1, &zstd::encode_all(&*message, 0).unwrap())),
        ("identity", frame(0, &message)),
        ("gzip", frame(0, &message)),
    ];
    for (encoding, body) in cases {
        let answer = call(&router, LOGS, &[("grpc-encoding", encoding)], body).await;
        assert_eq!(answer.trailers["grpc-status"], "0", "{encoding}");
        assert_eq!(ExportLogsServiceResponse::decode(&answer.body[5..]).unwrap().partial_success, None);
    }
    assert_eq!(sink.rows(), 4);
    let (code, _) = status(&call(&router, LOGS, &[("grpc-encoding", "snappy")], frame(1, &message)).await);
    assert_eq!(code, 12);
}

// OTLP-002, OTLP-005: RESOURCE_EXHAUSTED without RetryInfo, before and after decompression.
#[tokio::test]
async fn a_message_past_the_limit_is_resource_exhausted_for_good() {
    let limits = BodyLimits { bytes_max: 1000, wire_bytes_max: 1000, ..BodyLimits::default() };
    let (sink, router) = door(Settings { limits, ..Settings::default() });
    let message = logs(vec![record(&"x".repeat(2000))]);
    for (encoding, body) in [("identity", frame(0, &message)), ("zstd", frame(1, &zstd::encode_all(&*message, 0).unwrap()))] {
        let (code, status) = status(&call(&router, LOGS, &[("grpc-encoding", encoding)], body).await);
        assert_eq!((code, status.code, status.details.len()), (8, 8, 0), "{encoding}");
    }
    // The limit is that of the message: its five bytes of prefix do not count.
    let mut fitting = logs(vec![record(&"x".repeat(900))]);
    fitting.resize(1000, 0);
    let filler = fitting.len() - logs(vec![record(&"x".repeat(900))]).len();
    let exact = logs(vec![record(&"x".repeat(900 + filler))]);
    assert_eq!(exact.len(), 1000);
    assert_eq!(call(&router, LOGS, &[], frame(0, &exact)).await.trailers["grpc-status"], "0");
    assert_eq!(sink.rows(), 1);
}

// OTLP-020: answers are bounded.
#[tokio::test]
async fn answers_are_small() {
    let (sink, router) = door(Settings::default());
    *sink.reject.lock() = vec![Rejected { rows: 1, reason: "too_old", message: "x".repeat(10 << 20) }];
    let answer = call(&router, LOGS, &[], frame(0, &logs(vec![record("x")]))).await;
    assert!(answer.body.len() < 5000);
    *sink.refuse.lock() = Some((ErrorKind::Limit, None));
    let answer = call(&router, LOGS, &[], frame(0, &logs(vec![record("x")]))).await;
    let (code, status) = status(&answer);
    // A limit of rate is retryable, which for this code only RetryInfo says.
    assert_eq!((code, status.details.len()), (8, 1));
}

#[tokio::test]
async fn broken_frames_are_invalid_and_unknown_calls_unimplemented() {
    let (_, router) = door(Settings::default());
    let message = logs(vec![record("x")]);
    let mut long = frame(0, &message);
    long[1] = 0xff;
    for body in [vec![], vec![0, 0], frame(2, &message), long, frame(0, &message[..message.len() - 1]), [frame(0, &message), frame(0, &message)].concat()] {
        let (code, _) = status(&call(&router, LOGS, &[], body).await);
        assert_eq!(code, 3);
    }
    let (code, _) = status(&call(&router, "/some.Service/Call", &[], frame(0, &[])).await);
    assert_eq!(code, 12);
    assert_eq!(post(&router, LOGS, &[("content-type", "text/plain")], "x").await.status, 415);
}

// OTLP-026
#[tokio::test]
async fn an_empty_request_is_a_success() {
    let (sink, router) = door(Settings::default());
    assert_eq!(call(&router, LOGS, &[], frame(0, &[])).await.trailers["grpc-status"], "0");
    assert_eq!(sink.rows(), 0);
}
