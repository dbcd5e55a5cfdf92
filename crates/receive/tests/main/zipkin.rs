//! Zipkin's spans: its own traces back as they were, every way of writing them down, what is refused and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use arrow_array::{Array as _, RecordBatch};
use prost::Message;
use serde_json::{Value as Json, json};
use signalbox_model::{Batch, ErrorKind};
use signalbox_receive::Decoded;
use signalbox_receive::http::BodyLimits;
use signalbox_receive::jaeger::Wire;
use signalbox_receive::zipkin::{self, Format, Settings};
use signalbox_testkit::conformance;

use crate::rows::lines;
use crate::support::{Memory, NOW_NS, context, entry, post};
use crate::thrift::{Value, text};

const TRACES: [&str; 8] =
    ["ascend", "envoy", "messaging-kafka", "messaging2", "simple-db-p6", "smartthings-mobile-web-install", "smartthings-oauth-authorization", "zipkin2-client"];

/// A span with everything in it.
pub(crate) fn full() -> Json {
    json!([{
        "traceId": "4d1e00c0db9010db86154a4ba6e91385", "parentId": "86154a4ba6e91385", "id": "4d1e00c0db9010db", "kind": "CLIENT", "name": "get",
        "timestamp": NOW_NS / 1000, "duration": 207_000,
        "localEndpoint": {"serviceName": "frontend", "ipv4": "10.0.0.1", "ipv6": "2001:db8::c001", "port": 80},
        "remoteEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.101", "port": 9000},
        "annotations": [{"timestamp": NOW_NS / 1000 + 1, "value": "foo|bar"}, {"timestamp": NOW_NS / 1000 + 2, "value": "retry|{\"n\":2,\"ok\":true}|1"}],
        "tags": {"http.path": "/api", "error": "no route", "host.name": "h1", "otel.scope.name": "lib"},
        "debug": true, "shared": true
    }])
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ListOfSpans {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<ProtoSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local_endpoint: Option<ProtoEndpoint>,
    #[prost(message, optional, tag = "9")]
    remote_endpoint: Option<ProtoEndpoint>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<ProtoAnnotation>,
    #[prost(message, repeated, tag = "11")]
    tags: Vec<ProtoTag>,
    #[prost(bool, tag = "12")]
    debug: bool,
    #[prost(bool, tag = "13")]
    shared: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoEndpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoAnnotation {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

/// An entry of the map, so that the order of tags is that of the test.
#[derive(Clone, PartialEq, Message)]
struct ProtoTag {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// The protobuf of a list in JSON.
pub(crate) fn as_protobuf(list: &Json) -> ListOfSpans {
    let id = |value: &Json| value.as_str().map(|text| hex::decode(text).unwrap()).unwrap_or_default();
    let string = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let endpoint = |value: &Json| {
        value.is_object().then(|| ProtoEndpoint {
            service_name: string(&value["serviceName"]),
            ipv4: value["ipv4"].as_str().map(|ip| ip.parse::<std::net::Ipv4Addr>().unwrap().octets().to_vec()).unwrap_or_default(),
            ipv6: value["ipv6"].as_str().map(|ip| ip.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec()).unwrap_or_default(),
            port: value["port"].as_i64().unwrap_or(0) as i32,
        })
    };
    let spans = list.as_array().unwrap().iter().map(|span| ProtoSpan {
        trace_id: id(&span["traceId"]),
        parent_id: id(&span["parentId"]),
        id: id(&span["id"]),
        kind: ["", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"].iter().position(|kind| *kind == string(&span["kind"])).unwrap() as i32,
        name: string(&span["name"]),
        timestamp: span["timestamp"].as_u64().unwrap_or(0),
        duration: span["duration"].as_u64().unwrap_or(0),
        local_endpoint: endpoint(&span["localEndpoint"]),
        remote_endpoint: endpoint(&span["remoteEndpoint"]),
        annotations: span["annotations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| ProtoAnnotation { timestamp: one["timestamp"].as_u64().unwrap(), value: string(&one["value"]) })
            .collect(),
        tags: span["tags"].as_object().into_iter().flatten().map(|(key, value)| ProtoTag { key: key.clone(), value: string(value) }).collect(),
        debug: span["debug"] == true,
        shared: span["shared"] == true,
    });
    ListOfSpans { spans: spans.collect() }
}

fn decode(format: Format, bytes: &[u8]) -> Decoded {
    let decoded = zipkin::decode(format, bytes, &context()).unwrap();
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    decoded
}

fn rows(decoded: &Decoded) -> Vec<String> {
    lines(&decoded.batches)
}

/// The spans that rows came from, by the table of the module.
fn back(batches: &[Batch]) -> Vec<Json> {
    let mut spans = Vec::new();
    for batch in batches {
        let Batch::Traces(batch) = batch else { panic!("only spans are expected") };
        let batch = batch.rows();
        spans.extend((0..batch.num_rows()).map(|row| span_back(batch, row)));
    }
    spans
}

fn pairs(entries: &arrow_array::StructArray) -> Vec<(String, String)> {
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    (0..keys.len()).map(|at| (keys.value(at).to_owned(), values.value(at).to_owned())).collect()
}

fn span_back(batch: &RecordBatch, row: usize) -> Json {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let word = |name: &str| {
        let dictionary = column(name).as_dictionary::<UInt32Type>();
        dictionary.values().as_string::<i32>().value(dictionary.keys().value(row) as usize).to_owned()
    };
    let id = |name: &str| hex::encode(column(name).as_fixed_size_binary().value(row));
    let mut tags: BTreeMap<String, String> = pairs(&column("attributes").as_map().value(row)).into_iter().collect();
    let mut span = json!({"id": id("span_id")});
    let trace_id = id("trace_id");
    span["traceId"] = json!(trace_id.strip_prefix("0000000000000000").unwrap_or(&trace_id));
    if !column("parent_span_id").is_null(row) {
        span["parentId"] = json!(id("parent_span_id"));
    }
    let kind = ["", "", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][column("kind").as_primitive::<Int32Type>().value(row) as usize];
    for (key, value) in [("kind", kind.to_owned()), ("name", word("name"))] {
        if !value.is_empty() {
            span[key] = json!(value);
        }
    }
    if tags.remove("otel.zipkin.absentField.startTime").is_none() {
        span["timestamp"] = json!(column("timestamp").as_primitive::<TimestampNanosecondType>().value(row) / 1000);
    }
    let duration = column("duration_ns").as_primitive::<Int64Type>().value(row) / 1000;
    if duration > 0 {
        span["duration"] = json!(duration);
    }
    for (key, name) in [("debug", "zipkin.debug"), ("shared", "zipkin.shared")] {
        if tags.remove(name).is_some() {
            span[key] = json!(true);
        }
    }
    let resource: Json = serde_json::from_str(&word("resource")).unwrap();
    let sides = [
        ("localEndpoint", ["", "net.host.ip", "net.host.ipv6", "net.host.port"]),
        ("remoteEndpoint", ["peer.service", "net.peer.ip", "net.peer.ipv6", "net.peer.port"]),
    ];
    for (side, [service, ip, second, port]) in sides {
        let mut endpoint = json!({});
        if let Some(name) = resource["service.name"].as_str().filter(|_| service.is_empty()).map(str::to_owned).or_else(|| tags.remove(service)) {
            endpoint["serviceName"] = json!(name);
        }
        for name in [ip, second] {
            if let Some(address) = tags.remove(name) {
                endpoint[if address.contains(':') { "ipv6" } else { "ipv4" }] = json!(address);
            }
        }
        if let Some(port) = tags.remove(port) {
            endpoint["port"] = json!(port.parse::<u16>().unwrap());
        }
        if endpoint != json!({}) {
            span[side] = endpoint;
        }
    }
    let events = column("events").as_list::<i32>().value(row);
    let annotations: Vec<Json> = (0..events.len())
        .map(|at| {
            let event = events.as_struct();
            let name = event.column_by_name("name").unwrap().as_string::<i32>().value(at);
            json!({"timestamp": event.column(0).as_primitive::<TimestampNanosecondType>().value(at) / 1000, "value": name})
        })
        .collect();
    if !annotations.is_empty() {
        span["annotations"] = json!(annotations);
    }
    if !tags.is_empty() {
        span["tags"] = json!(tags);
    }
    span
}

#[test]
fn zipkins_traces_come_back_as_they_were() {
    let mut spans = 0;
    for name in TRACES {
        let Some(bytes) = conformance::read(&format!("traces/zipkin/{name}.json")) else { return };
        let list: Json = serde_json::from_str(&bytes).unwrap();
        let list = if list.is_array() { list } else { json!([list]) };
        let decoded = decode(Format::Json, bytes.as_bytes());
        let expected = list.as_array().unwrap().clone();
        for (got, want) in back(&decoded.batches).iter().zip(&expected) {
            assert_eq!(got, want, "{name}");
        }
        assert_eq!(back(&decoded.batches).len(), expected.len());
        // Some addresses have a zero in front of a digit, which no bytes have.
        let list: Json = serde_json::from_str(&list.to_string().replace(".04\"", ".4\"").replace(".05\"", ".5\"")).unwrap();
        let again = decode(Format::Json, list.to_string().as_bytes());
        assert_eq!(rows(&decode(Format::Protobuf, &as_protobuf(&list).encode_to_vec())), rows(&again), "{name}");
        spans += expected.len();
    }
    assert!(spans > 1200, "{spans} spans");
}

#[test]
fn every_field_of_a_span_has_its_place() {
    let row = &rows(&decode(Format::Json, full().to_string().as_bytes()))[0];
    assert_eq!(
        *row,
        format!(
            "timestamp={NOW_NS} duration_ns=207000000 trace_id=4d1e00c0db9010db86154a4ba6e91385 span_id=4d1e00c0db9010db parent_span_id=86154a4ba6e91385 \
             service=\"frontend\" name=\"get\" kind=3 status_code=2 status_message=\"no route\" \
             resource=\"{{\\\"service.name\\\":\\\"frontend\\\",\\\"host.name\\\":\\\"h1\\\"}}\" scope=\"{{\\\"$name\\\":\\\"lib\\\"}}\" \
             attributes={{http.path=\"/api\", error=\"no route\", net.host.ip=\"10.0.0.1\", net.host.ipv6=\"2001:db8::c001\", net.host.port=\"80\", \
             peer.service=\"backend\", net.peer.ip=\"192.168.99.101\", net.peer.port=\"9000\", zipkin.debug=\"true\", zipkin.shared=\"true\"}} \
             attribute_types=\"ssssissibb\" \
             events=[(timestamp={} name=\"foo|bar\"), (timestamp={} name=\"retry\" attributes={{n=\"2\", ok=\"true\"}} attribute_types=\"ib\" dropped_attributes_count=1)]",
            NOW_NS + 1000,
            NOW_NS + 2000
        )
    );
}

fn one(change: impl FnOnce(&mut Json)) -> String {
    let mut span = json!({"traceId": "a1", "id": "b2", "timestamp": NOW_NS / 1000});
    change(&mut span);
    rows(&decode(Format::Json, json!([span]).to_string().as_bytes())).remove(0)
}

#[test]
fn short_ids_are_the_lower_half_and_a_parent_that_is_the_span_is_none() {
    let row = one(|span| span["parentId"] = json!("b2"));
    assert!(row.contains("trace_id=000000000000000000000000000000a1 span_id=00000000000000b2 resource"), "{row}");
    assert!(one(|span| span["parentId"] = json!("0000000000000000")).contains("span_id=00000000000000b2 resource"));
    assert!(one(|span| span["parentId"] = json!("c3")).contains("parent_span_id=00000000000000c3"));
}

#[test]
fn what_opentelemetry_wrote_into_tags_is_taken_out() {
    let tags = json!({"otel.status_code": "ERROR", "error": "boom", "w3c.tracestate": "a=b", "span.kind": "internal", "otel.library.name": "l", "otel.library.version": "2",
        "otlp.service.name.source": "faas.name", "otlp.link.0": "4d1e00c0db9010db86154a4ba6e91385|4d1e00c0db9010db|x=y|{\"n\":1}|3"});
    let row = one(|span| {
        span["tags"] = tags;
        span["localEndpoint"] = json!({"serviceName": "fn"});
    });
    let says = [
        "kind=1 status_code=2 status_message=\"boom\" trace_state=\"a=b\"",
        r#"resource="{\"faas.name\":\"fn\"}" scope="{\"$name\":\"l\",\"$version\":\"2\"}""#,
        "links=[(trace_id=4d1e00c0db9010db86154a4ba6e91385 span_id=4d1e00c0db9010db trace_state=\"x=y\" attributes={n=\"1\"} attribute_types=\"i\" dropped_attributes_count=3)]",
    ];
    assert!(says.iter().all(|part| row.contains(part)), "{row}");
    assert!(!row.contains(" attributes={otel") && !row.contains("error="), "{row}");
    let status = |tags: Json| {
        let row = one(|span| span["tags"] = tags);
        row.split_once(" status_code=").map_or("", |(_, rest)| &rest[..1]).to_owned()
    };
    let all = [
        json!({"error": "true"}),
        json!({"error": ""}),
        json!({"error": "false"}),
        json!({"otel.status_code": "STATUS_CODE_OK"}),
        json!({"otel.status_code": "nonsense"}),
    ];
    assert_eq!(all.map(status), ["2", "2", "", "1", ""]);
}

#[test]
fn a_span_without_a_start_begins_with_its_first_annotation_or_before_its_arrival() {
    let bare = |span: Json| rows(&decode(Format::Json, json!([span]).to_string().as_bytes())).remove(0);
    let row = bare(json!({"traceId": "a1", "id": "b2", "duration": 5, "annotations": [{"timestamp": 30, "value": "b"}, {"timestamp": 20, "value": "a"}]}));
    assert!(row.starts_with("timestamp=20000 duration_ns=5000 "), "{row}");
    let row = bare(json!({"traceId": "a1", "id": "b2", "duration": 5}));
    assert!(row.starts_with(&format!("timestamp={} duration_ns=5000 ", NOW_NS - 5000)) && row.contains("otel.zipkin.absentField.startTime=\"true\""), "{row}");
}

#[test]
fn numbers_in_quotes_nulls_and_values_that_are_no_text_are_taken() {
    let row = one(|span| {
        span["timestamp"] = json!((NOW_NS / 1000).to_string());
        span["duration"] = json!(7.0);
        span["parentId"] = Json::Null;
        span["localEndpoint"] = json!({"serviceName": null, "ipv4": "nonsense", "ipv6": "::ffff:10.1.2.3", "port": 70000});
        span["tags"] = json!({"n": 5, "b": true, "x": null});
        span["later"] = json!([{}]);
    });
    assert!(row.starts_with(&format!("timestamp={NOW_NS} duration_ns=7000 ")), "{row}");
    assert!(row.contains("attributes={n=\"5\", b=\"true\", x=\"\", net.host.ip=\"10.1.2.3\"}"), "{row}");
}

pub(crate) fn first_json() -> Json {
    let (front, back) = (json!({"serviceName": "front", "ipv4": "10.0.0.1", "port": 80}), json!({"serviceName": "back", "ipv4": "10.0.0.2"}));
    let at = |offset: i64| NOW_NS / 1000 + offset;
    json!([{
        "traceId": "00000000000000a100000000000000a2", "id": "b1", "parentId": "c1", "name": "get", "timestamp": at(0), "duration": 8, "debug": true,
        "annotations": [
            {"timestamp": at(0), "value": "cs", "endpoint": front}, {"timestamp": at(2), "value": "sr", "endpoint": back},
            {"timestamp": at(3), "value": "miss", "endpoint": back}, {"timestamp": at(5), "value": "ss", "endpoint": back}, {"timestamp": at(8), "value": "cr", "endpoint": front},
        ],
        "binaryAnnotations": [
            {"key": "http.path", "value": "/x", "endpoint": front}, {"key": "size", "value": "7", "endpoint": back}, {"key": "sa", "value": true, "endpoint": back},
        ],
    }])
}

pub(crate) fn first_thrift() -> Value {
    let endpoint = |ipv4: i32, port: i16, service: &str| Value::Struct(vec![(1, Value::I32(ipv4)), (2, Value::I16(port)), (3, text(service))]);
    let (front, back) = (endpoint(0x0a00_0001, 80, "front"), endpoint(0x0a00_0002, 0, "back"));
    let at = |offset: i64| Value::I64(NOW_NS / 1000 + offset);
    let annotation = |offset, value, endpoint: &Value| Value::Struct(vec![(1, at(offset)), (2, text(value)), (3, endpoint.clone())]);
    let binary = |key, value: Value, code, endpoint: &Value| Value::Struct(vec![(1, text(key)), (2, value), (3, Value::I32(code)), (4, endpoint.clone())]);
    Value::List(vec![Value::Struct(vec![
        (1, Value::I64(0xa2)),
        (3, text("get")),
        (4, Value::I64(0xb1)),
        (5, Value::I64(0xc1)),
        (
            6,
            Value::List(vec![
                annotation(0, "cs", &front),
                annotation(2, "sr", &back),
                annotation(3, "miss", &back),
                annotation(5, "ss", &back),
                annotation(8, "cr", &front),
            ]),
        ),
        (
            8,
            Value::List(vec![
                binary("http.path", text("/x"), 6, &front),
                binary("size", Value::Bytes(7_i32.to_be_bytes().to_vec()), 3, &back),
                binary("sa", Value::Bytes(vec![1]), 0, &back),
            ]),
        ),
        (9, Value::Bool(true)),
        (10, at(0)),
        (11, Value::I64(8)),
        (12, Value::I64(0xa1)),
    ])])
}

#[test]
fn spans_of_the_first_model_become_spans_of_the_second() {
    let got = rows(&decode(Format::FirstJson, first_json().to_string().as_bytes()));
    let head = "trace_id=00000000000000a100000000000000a2 span_id=00000000000000b1 parent_span_id=00000000000000c1";
    let client = format!(
        "timestamp={NOW_NS} duration_ns=8000 {head} service=\"front\" name=\"get\" kind=3 resource=\"{{\\\"service.name\\\":\\\"front\\\"}}\" scope=\"{{}}\" \
         attributes={{http.path=\"/x\", net.host.ip=\"10.0.0.1\", net.host.port=\"80\", peer.service=\"back\", net.peer.ip=\"10.0.0.2\", zipkin.debug=\"true\"}} attribute_types=\"ssissb\""
    );
    let server = format!(
        "timestamp={} duration_ns=3000 {head} service=\"back\" name=\"get\" kind=2 resource=\"{{\\\"service.name\\\":\\\"back\\\"}}\" scope=\"{{}}\" \
         attributes={{size=\"7\", net.host.ip=\"10.0.0.2\", zipkin.debug=\"true\", zipkin.shared=\"true\"}} attribute_types=\"ssbb\" events=[(timestamp={} name=\"miss\")]",
        NOW_NS + 2000,
        NOW_NS + 3000
    );
    assert_eq!(got, [client, server]);
    assert_eq!(rows(&decode(Format::FirstThrift, &first_thrift().written(Wire::Binary))), got);
}

#[test]
fn what_is_no_span_is_rejected_alone_and_what_is_no_list_as_a_whole() {
    let list = json!([{"traceId": "", "id": "1"}, {"traceId": "zz", "id": "1"}, {"traceId": "1", "id": "12345678901234567"}, {"traceId": "1", "id": "2", "parentId": "x"},
        {"traceId": "1", "id": "2", "timestamp": u64::MAX}, {"traceId": "1", "id": "2", "timestamp": 1, "annotations": [{"timestamp": u64::MAX, "value": "a"}]}, {"traceId": "1", "id": "2"}]);
    let decoded = zipkin::decode(Format::Json, list.to_string().as_bytes(), &context()).unwrap();
    let reasons: Vec<(u64, &str)> = decoded.rejected.iter().map(|rejected| (rejected.rows, rejected.reason)).collect();
    assert_eq!((rows(&decoded).len(), reasons), (1, vec![(4, "invalid_id"), (2, "invalid_timestamp")]));
    for bad in ["", "[{]", "\"x\"", "[1]", r#"[{"tags": []}]"#, r#"[{"timestamp": 1.5}]"#, r#"[{"timestamp": "x"}]"#] {
        let error = zipkin::decode(Format::Json, bad.as_bytes(), &context()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
    }
    assert!(rows(&decode(Format::Json, b"[]")).is_empty() && rows(&decode(Format::Protobuf, b"")).is_empty());
    assert_eq!(zipkin::decode(Format::FirstThrift, b"\x0c\x7f\xff\xff\xff", &context()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(zipkin::decode(Format::Protobuf, b"\x0a\x7f", &context()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn answers_are_zipkins() {
    let sink = Arc::new(Memory::default());
    let router = zipkin::routes(entry(&sink), Settings::default());
    let (json, protobuf) = (full().to_string(), as_protobuf(&full()).encode_to_vec());
    let status = async |path: &str, content_type: &str, body: Vec<u8>| post(&router, path, &[("content-type", content_type)], body).await.status.as_u16();
    assert_eq!(status("/api/v2/spans", "application/json; charset=utf-8", json.clone().into_bytes()).await, 202);
    assert_eq!(status("/api/v2/spans", "", json.clone().into_bytes()).await, 202);
    assert_eq!(status("/api/v2/spans", "application/x-protobuf", protobuf.clone()).await, 202);
    assert_eq!(status("/api/v1/spans", "application/json", first_json().to_string().into_bytes()).await, 202);
    assert_eq!(status("/api/v1/spans", "application/x-thrift", first_thrift().written(Wire::Binary)).await, 202);
    assert_eq!(sink.rows(), 7);
    assert_eq!(status("/api/v1/spans", "application/x-protobuf", protobuf).await, 415);
    assert_eq!(status("/api/v2/spans", "application/x-thrift", first_thrift().written(Wire::Binary)).await, 415);
    assert_eq!(status("/api/v2/spans", "application/json", b"[{".to_vec()).await, 400);
    assert_eq!(post(&router, "/api/v2/spans", &[("content-encoding", "br")], json.clone()).await.status, 415);
    let partial = json!([{"traceId": "1", "id": "2"}, {"id": "2"}]).to_string();
    let answer = post(&router, "/api/v2/spans", &[], partial).await;
    assert_eq!((answer.status.as_u16(), sink.rows()), (400, 8));
    assert!(String::from_utf8(answer.body).unwrap().starts_with("1 rejected (invalid_id): "));
    *sink.refuse.lock() = Some((ErrorKind::Limit, Some(std::time::Duration::from_secs(3))));
    let answer = post(&router, "/api/v2/spans", &[], json).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "3"));
}

#[tokio::test]
async fn reports_are_answered_over_grpc() {
    const REPORT: &str = "/zipkin.proto3.SpanService/Report";
    let sink = Arc::new(Memory::default());
    let call = async |router: &axum::Router, message: &[u8]| {
        let framed = [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat();
        let answer = post(router, REPORT, &[("content-type", "application/grpc")], framed).await;
        let status = answer.trailers.get("grpc-status").or_else(|| answer.headers.get("grpc-status")).unwrap().to_str().unwrap().to_owned();
        (status, answer.body)
    };
    let spans = as_protobuf(&full()).encode_to_vec();
    for router in [zipkin::routes(entry(&sink), Settings::default()), zipkin::grpc_routes(entry(&sink), Settings::default())] {
        let before = sink.rows();
        assert_eq!((call(&router, &spans).await, sink.rows()), (("0".to_owned(), vec![0; 5]), before + 1));
        assert_eq!(call(&router, b"\x0a\x7f").await.0, "3", "no list");
        // A span without identifiers beside a good one.
        assert_eq!((call(&router, &[&spans[..], b"\x0a\x00"].concat()).await.0.as_str(), sink.rows()), ("3", before + 2));
        assert_eq!(post(&router, REPORT, &[], "").await.status, 415);
    }
    let small = Settings { limits: BodyLimits { wire_bytes_max: 64, ..BodyLimits::default() }, ..Settings::default() };
    assert_eq!(call(&zipkin::grpc_routes(entry(&sink), small), &spans).await.0, "8", "too large");
    *sink.refuse.lock() = Some((ErrorKind::Unavailable, None));
    assert_eq!(call(&zipkin::grpc_routes(entry(&sink), Settings::default()), &spans).await.0, "14");
}
