//! Jaeger's spans: over gRPC, over HTTP and in datagrams they become the same rows; what clients are told to keep.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use prost::Message as _;
use serde_json::{Value as Json, json};
use signalbox_model::ErrorKind;
use signalbox_proto::google_rpc::{Duration, Timestamp};
use signalbox_proto::jaeger::model;
use signalbox_proto::jaeger::sampling::{SamplingStrategyParameters, SamplingStrategyResponse};
use signalbox_receive::Decoded;
use signalbox_receive::jaeger::{self, Calls, Routes, Settings, Wire};
use signalbox_receive::socket::Datagrams as _;
use signalbox_receive::spans::Assembler;
use signalbox_testkit::conformance;

use crate::rows::lines;
use crate::support::{Answer, Memory, NOW_NS, context, entry, post, send};
use crate::thrift::{Value, call, text};
use crate::zipkin::first_thrift;

const WIRES: [Wire; 2] = [Wire::Binary, Wire::Compact];

/// A batch in the words of Jaeger's own fixtures.
pub(crate) fn full() -> Json {
    let micros = NOW_NS / 1000;
    json!({
        "process": {"serviceName": "shop", "tags": [{"key": "hostname", "vType": "STRING", "vStr": "h1"}, {"key": "pid", "vType": "LONG", "vLong": 7}]},
        "spans": [{
            "traceIdLow": 0xa2, "traceIdHigh": 0xa1, "spanId": 0xb1, "parentSpanId": 0xc1, "operationName": "get", "flags": 3, "startTime": micros, "duration": 5,
            "references": [
                {"refType": "CHILD_OF", "traceIdLow": 0xa2, "traceIdHigh": 0xa1, "spanId": 0xc1},
                {"refType": "FOLLOWS_FROM", "traceIdLow": 0xd2, "traceIdHigh": 0, "spanId": 0xd1},
            ],
            "tags": [
                {"key": "span.kind", "vType": "STRING", "vStr": "server"}, {"key": "error", "vType": "BOOL", "vBool": true},
                {"key": "otel.status_description", "vType": "STRING", "vStr": "boom"}, {"key": "otel.scope.name", "vType": "STRING", "vStr": "lib"},
                {"key": "w3c.tracestate", "vType": "STRING", "vStr": "a=b"}, {"key": "n", "vType": "LONG", "vLong": -1},
                {"key": "share", "vType": "DOUBLE", "vDouble": 0.5}, {"key": "raw", "vType": "BINARY", "vBinary": "AAAAAAAAMDk="}, {"key": "n", "vType": "LONG", "vLong": 2},
            ],
            "logs": [{"timestamp": micros + 1, "fields": [{"key": "event", "vType": "STRING", "vStr": "retry"}, {"key": "ok", "vType": "BOOL", "vBool": false}]}],
        }, {
            "traceIdLow": 0xa2, "traceIdHigh": 0xa1, "spanId": 0xb2, "operationName": "late", "flags": 0, "startTime": micros, "duration": 1,
            "references": [{"refType": "FOLLOWS_FROM", "traceIdLow": 0xa2, "traceIdHigh": 0xa1, "spanId": 0xb1}],
        }],
    })
}

fn rows_of_full() -> [String; 2] {
    let resource = r#"resource="{\"service.name\":\"shop\",\"hostname\":\"h1\",\"pid\":7}""#;
    let trace = "trace_id=00000000000000a100000000000000a2";
    [
        format!(
            "timestamp={NOW_NS} duration_ns=5000 {trace} span_id=00000000000000b1 parent_span_id=00000000000000c1 service=\"shop\" name=\"get\" kind=2 status_code=2 \
             status_message=\"boom\" trace_state=\"a=b\" flags=1 {resource} scope=\"{{\\\"$name\\\":\\\"lib\\\"}}\" \
             attributes={{share=\"0.5\", raw=\"AAAAAAAAMDk=\", n=\"2\", jaeger.debug=\"true\"}} attribute_types=\"dyib\" \
             events=[(timestamp={} name=\"retry\" attributes={{ok=\"false\"}} attribute_types=\"b\")] \
             links=[(trace_id=000000000000000000000000000000d2 span_id=00000000000000d1 attributes={{opentracing.ref_type=\"follows_from\"}})]",
            NOW_NS + 1000
        ),
        format!(
            "timestamp={NOW_NS} duration_ns=1000 {trace} span_id=00000000000000b2 parent_span_id=00000000000000b1 service=\"shop\" name=\"late\" {resource} scope=\"{{}}\" \
             links=[(trace_id=00000000000000a100000000000000a2 span_id=00000000000000b1 attributes={{opentracing.ref_type=\"follows_from\"}})]"
        ),
    ]
}

fn string(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Json) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(string(value)).unwrap()
}

fn items(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

fn thrift_tag(tag: &Json) -> Value {
    let (code, number, value) = match tag["vType"].as_str().unwrap() {
        "STRING" => (0, 3, text(&string(&tag["vStr"]))),
        "DOUBLE" => (1, 4, Value::Double(tag["vDouble"].as_f64().unwrap())),
        "BOOL" => (2, 5, Value::Bool(tag["vBool"].as_bool().unwrap())),
        "LONG" => (3, 6, Value::I64(tag["vLong"].as_i64().unwrap())),
        _ => (4, 7, Value::Bytes(bytes(&tag["vBinary"]))),
    };
    Value::Struct(vec![(1, text(&string(&tag["key"]))), (2, Value::I32(code)), (number, value)])
}

fn tags(list: &Json) -> Value {
    Value::List(items(list).map(thrift_tag).collect())
}

fn i64_of(value: &Json) -> Value {
    Value::I64(value.as_i64().unwrap_or(0))
}

/// A batch as Thrift.
pub(crate) fn as_thrift(batch: &Json) -> Value {
    let reference = |reference: &Json| {
        let kind = i32::from(reference["refType"] == "FOLLOWS_FROM");
        Value::Struct(vec![
            (1, Value::I32(kind)),
            (2, i64_of(&reference["traceIdLow"])),
            (3, i64_of(&reference["traceIdHigh"])),
            (4, i64_of(&reference["spanId"])),
        ])
    };
    let log = |log: &Json| Value::Struct(vec![(1, i64_of(&log["timestamp"])), (2, tags(&log["fields"]))]);
    let span = |span: &Json| {
        let mut fields = vec![
            (1, i64_of(&span["traceIdLow"])),
            (2, i64_of(&span["traceIdHigh"])),
            (3, i64_of(&span["spanId"])),
            (4, i64_of(&span["parentSpanId"])),
            (5, text(&string(&span["operationName"]))),
            (6, Value::List(items(&span["references"]).map(reference).collect())),
            (7, Value::I32(span["flags"].as_i64().unwrap_or(0) as i32)),
            (8, i64_of(&span["startTime"])),
            (9, i64_of(&span["duration"])),
        ];
        if span["tags"].is_array() {
            fields.push((10, tags(&span["tags"])));
        }
        fields.push((11, Value::List(items(&span["logs"]).map(log).collect())));
        Value::Struct(fields)
    };
    let process = Value::Struct(vec![(1, text(&string(&batch["process"]["serviceName"]))), (2, tags(&batch["process"]["tags"]))]);
    let stats = Value::Struct((1..4).map(|number| (number, Value::I64(0))).collect());
    Value::Struct(vec![(1, process), (2, Value::List(items(&batch["spans"]).map(span).collect())), (3, Value::I64(1)), (4, stats)])
}

fn proto_tag(tag: &Json) -> model::KeyValue {
    let v_type = ["STRING", "BOOL", "LONG", "DOUBLE", "BINARY"].iter().position(|word| *word == string(&tag["vType"])).unwrap() as i32;
    let v_binary = if v_type == 4 { bytes(&tag["vBinary"]) } else { Vec::new() };
    model::KeyValue {
        key: string(&tag["key"]),
        v_type,
        v_str: string(&tag["vStr"]),
        v_bool: tag["vBool"] == true,
        v_int64: tag["vLong"].as_i64().unwrap_or(0),
        v_float64: tag["vDouble"].as_f64().unwrap_or(0.0),
        v_binary,
    }
}

fn timestamp(value: &Json) -> Timestamp {
    let micros = value.as_i64().unwrap();
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos: (micros.rem_euclid(1_000_000) * 1000) as i32 }
}

/// The bytes of a `PostSpansRequest`. The parent is a reference, as it is in this model; the spans come before their process.
pub(crate) fn as_proto(batch: &Json) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct PostSpansRequest {
        #[prost(message, optional, tag = "1")]
        batch: Option<model::Batch>,
    }
    let id = |value: &Json| value.as_i64().unwrap_or(0).to_be_bytes();
    let trace = |value: &Json| [id(&value["traceIdHigh"]), id(&value["traceIdLow"])].concat();
    let spans = items(&batch["spans"]).map(|span| {
        let mut references: Vec<model::SpanRef> = items(&span["references"])
            .map(|one| model::SpanRef { trace_id: trace(one), span_id: id(&one["spanId"]).to_vec(), ref_type: i32::from(one["refType"] == "FOLLOWS_FROM") })
            .collect();
        let parent = id(&span["parentSpanId"]).to_vec();
        if parent != [0; 8] && references.iter().all(|one| one.ref_type != 0 || one.span_id != parent) {
            references.insert(0, model::SpanRef { trace_id: trace(span), span_id: parent, ref_type: 0 });
        }
        let micros = span["duration"].as_i64().unwrap();
        model::Span {
            trace_id: trace(span),
            span_id: id(&span["spanId"]).to_vec(),
            operation_name: string(&span["operationName"]),
            references,
            flags: span["flags"].as_u64().unwrap_or(0) as u32,
            start_time: Some(timestamp(&span["startTime"])),
            duration: Some(Duration { seconds: micros / 1_000_000, nanos: (micros % 1_000_000 * 1000) as i32 }),
            tags: items(&span["tags"]).map(proto_tag).collect(),
            logs: items(&span["logs"])
                .map(|log| model::Log { timestamp: Some(timestamp(&log["timestamp"])), fields: items(&log["fields"]).map(proto_tag).collect() })
                .collect(),
            ..model::Span::default()
        }
    });
    let process = model::Process { service_name: string(&batch["process"]["serviceName"]), tags: items(&batch["process"]["tags"]).map(proto_tag).collect() };
    PostSpansRequest { batch: Some(model::Batch { spans: spans.collect(), process: Some(process) }) }.encode_to_vec()
}

fn rows(decoded: &Decoded) -> Vec<String> {
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    lines(&decoded.batches)
}

fn datagram(wire: Wire, bytes: &[u8]) -> Decoded {
    let context = context();
    let mut assembler = Assembler::new(&context);
    Calls::new(wire).take(bytes, IpAddr::V4(Ipv4Addr::LOCALHOST), &context, &mut assembler);
    assembler.finish()
}

#[test]
fn a_batch_becomes_the_same_rows_in_every_way() {
    assert_eq!(rows(&jaeger::decode_proto(&as_proto(&full()), &context()).unwrap()), rows_of_full());
    for wire in WIRES {
        let batch = as_thrift(&full());
        assert_eq!(rows(&jaeger::decode_thrift(wire, &batch.written(wire), &context()).unwrap()), rows_of_full(), "{wire:?}");
        let arguments = Value::Struct(vec![(1, batch)]);
        assert_eq!(rows(&datagram(wire, &call(wire, "emitBatch", &arguments))), rows_of_full(), "{wire:?}");
    }
}

#[test]
fn jaegers_own_batches_are_taken_in_every_way() {
    for name in ["thrift_batch_01", "thrift_batch_02"] {
        let Some(json) = conformance::read(&format!("traces/jaeger/internal/converter/thrift/jaeger/fixtures/{name}.json")) else { return };
        let batch: Json = serde_json::from_str(&json).unwrap();
        let expected = rows(&jaeger::decode_proto(&as_proto(&batch), &context()).unwrap());
        assert_eq!(expected.len(), batch["spans"].as_array().unwrap().len());
        for wire in WIRES {
            let got = rows(&jaeger::decode_thrift(wire, &as_thrift(&batch).written(wire), &context()).unwrap());
            // A parent beside a reference to it that is another kind makes one reference more in the model that has only references.
            assert_eq!(got, expected, "{name}");
        }
        if name == "thrift_batch_01" {
            let says = [
                "service=\"api\" name=\"get\" kind=2",
                "parent_span_id=000000000068c4e3",
                "peer.port=\"53931\", someBool=\"true\", someDouble=\"129.8\"",
                "name=\"nothing\"",
            ];
            assert!(says.iter().all(|part| expected[0].contains(part)), "{}", expected[0]);
        }
    }
}

#[test]
fn spans_of_zipkin_come_through_the_agent_too() {
    for wire in WIRES {
        let decoded = datagram(wire, &call(wire, "emitZipkinBatch", &Value::Struct(vec![(1, first_thrift())])));
        assert_eq!(rows(&decoded).len(), 2, "{wire:?}");
    }
}

#[test]
fn a_span_may_have_a_process_of_its_own() {
    let process = |name: &str| model::Process { service_name: name.into(), tags: Vec::new() };
    let span = |id: u8, process| model::Span { trace_id: vec![1; 16], span_id: vec![id; 8], process, ..model::Span::default() };
    let batch = model::Batch { spans: vec![span(1, None), span(2, Some(process("own"))), span(3, None)], process: Some(process("all")) };
    let request = [vec![0x0a, batch.encoded_len() as u8], batch.encode_to_vec()].concat();
    let services: Vec<String> = rows(&jaeger::decode_proto(&request, &context()).unwrap())
        .iter()
        .map(|row| row.split_once("service=\"").unwrap().1.split_once('"').unwrap().0.to_owned())
        .collect();
    assert_eq!(services, ["all", "own", "all"]);
}

fn status_of(tags: Json) -> String {
    let batch = json!({"process": {"serviceName": "a", "tags": []}, "spans": [{"traceIdLow": 1, "spanId": 2, "startTime": 0, "duration": 0, "tags": tags}]});
    let row = rows(&jaeger::decode_thrift(Wire::Binary, &as_thrift(&batch).written(Wire::Binary), &context()).unwrap()).remove(0);
    let (_, rest) = row.split_once("service=\"a\"").unwrap();
    let (head, tail) = rest.split_once(" resource=").unwrap();
    format!("{}{}", head.trim(), tail.split_once("scope=\"{}\"").unwrap().1)
}

#[test]
fn error_is_the_last_word_about_the_status() {
    let tag = |key: &str, value: &str| json!({"key": key, "vType": "STRING", "vStr": value});
    let truth = |value: bool| json!({"key": "error", "vType": "BOOL", "vBool": value});
    let (code, description) = (|value| tag("otel.status_code", value), tag("otel.status_description", "why"));
    assert_eq!(status_of(json!([truth(true)])), "status_code=2");
    assert_eq!(status_of(json!([truth(false)])), " attributes={error=\"false\"} attribute_types=\"b\"");
    assert_eq!(status_of(json!([tag("error", "true")])), "status_code=2 attributes={error=\"true\"}");
    assert_eq!(status_of(json!([code("OK"), truth(true), description])), "status_code=2 status_message=\"why\"");
    assert_eq!(status_of(json!([code("ERROR"), description])), "status_code=2 status_message=\"why\"");
    assert_eq!(status_of(json!([code("OK")])), "status_code=1");
    assert_eq!(status_of(json!([code("odd")])), " attributes={otel.status_code=\"odd\"}");
    assert_eq!(status_of(json!([tag("span.kind", "odd")])), " attributes={span.kind=\"odd\"}");
}

#[test]
fn what_makes_no_sense_is_rejected() {
    let batch = json!({"process": {"serviceName": "a", "tags": []}, "spans": [
        {"traceIdLow": 0, "spanId": 2, "startTime": 0, "duration": 0}, {"traceIdLow": 1, "spanId": 0, "startTime": 0, "duration": 0},
        {"traceIdLow": 1, "spanId": 2, "startTime": i64::MAX, "duration": 0}, {"traceIdLow": 1, "spanId": 2, "startTime": i64::MAX / 1000, "duration": 1000},
        {"traceIdLow": 1, "spanId": 2, "startTime": 0, "duration": 0}]});
    let decoded = jaeger::decode_thrift(Wire::Binary, &as_thrift(&batch).written(Wire::Binary), &context()).unwrap();
    let reasons: Vec<(u64, &str)> = decoded.rejected.iter().map(|rejected| (rejected.rows, rejected.reason)).collect();
    assert_eq!((lines(&decoded.batches).len(), reasons), (1, vec![(2, "invalid_id"), (2, "invalid_timestamp")]));
    for bad in [&b""[..], b"\x0c\x00\x01", b"\x0f\x00\x02\x0c\x7f\xff\xff\xff", b"no thrift at all"] {
        assert_eq!(jaeger::decode_thrift(Wire::Binary, bad, &context()).unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
    }
    assert_eq!(jaeger::decode_proto(b"\x0a\x05\x0a", &context()).unwrap_err().kind(), ErrorKind::Invalid);
}

/// A datagram that is cut short keeps the spans before the cut: nobody sends them again.
#[test]
fn datagrams_that_are_no_calls_are_counted() {
    let whole = call(Wire::Compact, "emitBatch", &Value::Struct(vec![(1, as_thrift(&full()))]));
    let cut = datagram(Wire::Compact, &whole[..whole.len() - 30]);
    assert_eq!((lines(&cut.batches), cut.rejected.len()), (rows_of_full()[..1].to_vec(), 1));
    for bad in [&b""[..], b"x", &call(Wire::Compact, "other", &Value::Struct(vec![])), &call(Wire::Binary, "emitBatch", &Value::Struct(vec![]))] {
        let decoded = datagram(Wire::Compact, bad);
        assert!(decoded.batches.is_empty() && decoded.rejected[0].reason == "invalid", "{bad:?}");
    }
}

fn doors(sink: &Arc<Memory>) -> Routes {
    jaeger::routes(entry(sink), &Settings::default()).unwrap()
}

async fn called(doors: &Routes, method: &str, message: &[u8]) -> Answer {
    let framed = [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat();
    post(&doors.grpc, method, &[("content-type", "application/grpc")], framed).await
}

fn grpc_status(answer: &Answer) -> String {
    answer.trailers.get("grpc-status").or_else(|| answer.headers.get("grpc-status")).unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_collector_answers_over_grpc() {
    const POST: &str = "/jaeger.api_v2.CollectorService/PostSpans";
    let sink = Arc::new(Memory::default());
    let doors = doors(&sink);
    let answer = called(&doors, POST, &as_proto(&full())).await;
    assert_eq!((grpc_status(&answer).as_str(), answer.body, sink.rows()), ("0", vec![0; 5], 2));
    assert_eq!(grpc_status(&called(&doors, POST, b"\x0a\x7f").await), "3");
    let partial = json!({"process": {"serviceName": "a", "tags": []}, "spans": [{"spanId": 2, "startTime": 0, "duration": 0}, {"traceIdLow": 1, "spanId": 2, "startTime": 0, "duration": 0}]});
    assert_eq!((grpc_status(&called(&doors, POST, &as_proto(&partial)).await).as_str(), sink.rows()), ("3", 3));
    *sink.refuse.lock() = Some((ErrorKind::Unavailable, None));
    assert_eq!(grpc_status(&called(&doors, POST, &as_proto(&full())).await), "14");
    assert_eq!(post(&doors.grpc, POST, &[], "").await.status, 415);
}

#[tokio::test]
async fn the_collector_answers_over_http() {
    let sink = Arc::new(Memory::default());
    let doors = doors(&sink);
    let status = async |content_type: &str, body: Vec<u8>| {
        post(&doors.http, "/api/traces?format=jaeger.thrift", &[("content-type", content_type)], body).await.status.as_u16()
    };
    let batch = as_thrift(&full());
    assert_eq!(status("application/x-thrift", batch.written(Wire::Binary)).await, 202);
    assert_eq!(status("application/vnd.apache.thrift.binary", batch.written(Wire::Binary)).await, 202);
    assert_eq!(status("application/vnd.apache.thrift.compact", batch.written(Wire::Compact)).await, 202);
    assert_eq!(sink.rows(), 6);
    assert_eq!(status("application/json", b"{}".to_vec()).await, 415);
    assert_eq!(status("application/x-thrift", b"nonsense".to_vec()).await, 400);
    *sink.refuse.lock() = Some((ErrorKind::Limit, None));
    assert_eq!(status("application/x-thrift", batch.written(Wire::Binary)).await, 429);
}

#[tokio::test]
async fn clients_are_told_what_to_keep() {
    let sink = Arc::new(Memory::default());
    let doors = doors(&sink);
    let ask = async |path: &str| send(&doors.sampling, Request::get(path).body(Body::empty()).unwrap()).await;
    for path in ["/sampling?service=a", "/api/sampling?service=a", "/?service=a"] {
        let answer = ask(path).await;
        let told: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told, json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 1.0}}));
    }
    assert_eq!(ask("/sampling").await.status, 400);
    let question = SamplingStrategyParameters { service_name: "a".into() }.encode_to_vec();
    let answer = called(&doors, "/jaeger.api_v2.SamplingManager/GetSamplingStrategy", &question).await;
    let told = SamplingStrategyResponse::decode(&answer.body[5..]).unwrap();
    assert_eq!((grpc_status(&answer).as_str(), told.probabilistic_sampling.unwrap().sampling_rate), ("0", 1.0));
    let settings = Settings { sampling_strategies_file: "/no/such/file".into(), ..Settings::default() };
    assert!(jaeger::routes(entry(&sink), &settings).unwrap_err().to_string().contains("/no/such/file"));
}

#[test]
fn one_address_moves_all_doors() {
    let all = |address: &str| {
        let mut settings = Settings::default();
        settings.listen_on(address);
        [settings.grpc_listen, settings.http_listen, settings.compact_listen, settings.binary_listen, settings.sampling_listen]
    };
    assert_eq!(all("0.0.0.0"), ["0.0.0.0:14250", "0.0.0.0:14268", "0.0.0.0:6831", "0.0.0.0:6832", "0.0.0.0:5778"]);
    assert_eq!((all("[::1]:0"), all("")), (["[::1]:0"; 5].map(str::to_owned), [const { String::new() }; 5]));
}
