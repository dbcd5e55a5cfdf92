//! Every fuzz target, briefly and on stable: good requests, damaged.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::io::Write as _;

use prost::Message as _;
use signalbox_testkit::mutate;

use signalbox_receive::jaeger::Wire;

use crate::random::{Random, as_v2, random_logs, random_metrics, random_spans, random_v1};
use crate::{jaeger, thrift, zipkin};

const MUTANTS: usize = 300;

/// A few different requests.
fn requests(make: impl Fn(&mut Random) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..8).map(|seed| make(&mut Random::new(seed))).collect()
}

fn run(requests: &[Vec<u8>], body: fn(&[u8])) {
    let seeds: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
    mutate::bytes(&seeds, MUTANTS, body);
}

#[test]
fn otlp_logs() {
    run(&requests(|random| random_logs(random, 2).encode_to_vec()), bodies::otlp_logs);
}

#[test]
fn otlp_metrics() {
    run(&requests(|random| random_metrics(random, 3).encode_to_vec()), bodies::otlp_metrics);
}

#[test]
fn otlp_traces() {
    run(&requests(|random| random_spans(random, 2).encode_to_vec()), bodies::otlp_traces);
}

#[test]
fn otlp_json_logs() {
    run(&requests(|random| serde_json::to_vec(&random_logs(random, 2)).unwrap()), bodies::otlp_json_logs);
}

#[test]
fn otlp_json_metrics() {
    run(&requests(|random| serde_json::to_vec(&random_metrics(random, 2)).unwrap()), bodies::otlp_json_metrics);
}

#[test]
fn otlp_json_traces() {
    run(&requests(|random| serde_json::to_vec(&random_spans(random, 2)).unwrap()), bodies::otlp_json_traces);
}

#[test]
fn remote_write_v1() {
    run(&requests(|random| random_v1(random).encode_to_vec()), bodies::remote_write_v1);
}

#[test]
fn remote_write_v2() {
    run(&requests(|random| as_v2(&random_v1(random)).encode_to_vec()), bodies::remote_write_v2);
}

#[test]
fn influx_lines() {
    let body = "cpu,host=a,re\\ gion=eu\\,w idle=1.5,n=-3i,u=7u,up=t,s=\"a\\\"\nb\" 1700000000000000000\n# comment\n\nm v=1e3\r\nbad,= v=\n";
    run(&[body.as_bytes().to_vec(), b"m v=1".to_vec(), body.repeat(3).into_bytes()], bodies::influx_lines);
}

#[test]
fn influx_query() {
    run(&[b"CREATE DATABASE \"a\\\"b\" WITH DURATION 3d; SHOW DATABASES".to_vec(), b"show retention policies on x;select 'y'".to_vec()], bodies::influx_query);
}

#[test]
fn syslog() {
    let messages = [
        "<34>1 2003-10-11T22:14:15.003Z host su 12 ID47 [ex@1 a=\"b\\\"c\"][empty] \u{feff}'su root' failed",
        "<34>Oct 11 22:14:15.5 UTC 2023 host su[12]: failed\nnext",
        "<13>2003-10-11T22:14:15.003+02:00 host app: text",
        "no priority",
    ];
    let counted: String = messages.iter().map(|message| format!("{} {message}", message.len())).collect();
    run(
        &[
            [b"\x03", counted.as_bytes()].concat(),
            [b"\xff", messages.join("\n").repeat(3).as_bytes()].concat(),
            [b"\x00", messages.join("\0").as_bytes()].concat(),
        ],
        bodies::syslog,
    );
}

#[test]
fn transform() {
    let all = "[{json: {}}, {logfmt: {source: a}}, {regex: {pattern: '(?P<a>\\w+)'}}, {redact: {detect: [email, credit_card, ipv6]}}]\0{\"a\":\"b=c\",\"d\":\"e@f.example ::1\"}";
    let more = "[{timestamp: {from: a, formats: ['%Y']}}, {severity: {}}, {rename: {a: body}}, {truncate: {body_bytes_max: 3}}, {keep: ['a*']}]\0a";
    run(&[all.as_bytes().to_vec(), more.as_bytes().to_vec()], bodies::transform);
}

#[test]
fn promtail() {
    let text = "scrape_configs: [{static_configs: [{labels: {__path__: /x, a: b}}], relabel_configs: [{regex: a, action: labeldrop}], pipeline_stages: [{cri: {}}, {template: {source: a, template: '{{ if eq .a \"b\" }}c{{ end }}'}}, {timestamp: {source: a, format: '2006-01-02'}}]}]";
    run(&[text.as_bytes().to_vec()], bodies::promtail);
}

#[test]
fn container_lines() {
    let lines = "2024-05-06T07:08:09.5Z stdout F one\n2024-05-06T07:08:09.5+02:00 stderr P:x two \n2024-05-06T07:08:09Z stdout F  more\n2024-05-06T07:08:09.5Z stderr F and\n";
    let docker = r#"{"log":"a \u00e9\n","stream":"stdout","time":"2024-05-06T07:08:09.5Z"}
{"log":" cut","stream":"stderr","time":"x","attrs":{"a":"b"}}
{"log":" end\r\n","stream":"stderr"}"#;
    run(&[lines.into(), docker.into(), format!("{lines}{docker}\n{}", "x".repeat(300)).into()], bodies::container_lines);
}

#[test]
fn promtail_positions() {
    run(&[b"positions:\n  /var/log/a.log: \"123\"\n  'b c': 7\n  cursor-x: s=1;i=2\n".to_vec()], bodies::promtail_positions);
}

#[test]
fn trace_link() {
    let text = "X-B3-TraceId: 4bf92f3577b34da6a3ce929d0e0e4736 traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \"trace\":{\"id\":\"1\"} span_id=00f067aa0ba902b7";
    run(&[text.as_bytes().to_vec()], bodies::trace_link);
}

#[test]
fn forward() {
    let event = serde_json::json!([{"time": [1_700_000_000, 7]}, {"log": "x", "level": 30, "deep": [{"a": null}, 1.5, -3]}]);
    let plain = [crate::forward::packed(&event), crate::forward::packed(&event)].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).unwrap();
    let bytes = |bytes: &[u8]| serde_json::json!({"bin": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)});
    let messages = [
        serde_json::json!(["t", 1_700_000_000, {"message": "m"}, {"chunk": "c"}]),
        serde_json::json!(["t", [event, event], {"chunk": "c", "size": 2}]),
        serde_json::json!(["t", bytes(&plain)]),
        serde_json::json!(["t", bytes(&gzip.finish().unwrap()), {"compressed": "gzip", "chunk": "c"}]),
        serde_json::json!(null),
    ];
    let all: Vec<u8> = messages.iter().flat_map(crate::forward::packed).collect();
    run(&[[b"\x07", all.as_slice()].concat(), [b"\xff", all.as_slice()].concat()], bodies::forward);
}

#[test]
fn gelf_stream() {
    let message = r#"{"version":"1.1","host":"h","short_message":"m","timestamp":1385053862.3072,"level":3,"_a":{"b":[1,null]},"_trace_id":"0af7651916cd43dd8448eb211c80319c"}"#;
    let stream = [message, "{}", message, "x"].join("\0");
    run(&[[b"\x05", stream.as_bytes()].concat(), [b"\xff", stream.repeat(2).as_bytes()].concat(), message.into()], bodies::gelf_stream);
}

#[test]
fn gelf_datagrams() {
    let message = br#"{"host":"h","short_message":"m","level":"err"}"#;
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(message).unwrap();
    let compressed = zlib.finish().unwrap();
    let piece = |number: u8, payload: &[u8]| [b"\x1e\x0f12345678".as_slice(), &[number, 2], payload].concat();
    let packets = [message.to_vec(), compressed.clone(), piece(0, &compressed[..9]), piece(1, &compressed[9..])];
    let all: Vec<u8> = packets.iter().flat_map(|packet| [&[packet.len() as u8], packet.as_slice()].concat()).collect();
    run(&[all], bodies::gelf_datagrams);
}

#[test]
fn loki_protobuf() {
    run(&[crate::loki::request().encode_to_vec()], bodies::loki_protobuf);
}

#[test]
fn loki_json() {
    let new = r#"{"streams":[{"stream":{"app":"a\u00e9"},"values":[["1700000000000000000","level=warn {\"level\":\"x\"}",{"trace_id":"0af7651916cd43dd8448eb211c80319c"}]]}]}"#;
    let old = r#"{"streams":[{"labels":"{a=\"\\x41\", b=`c`}","entries":[{"ts":"2023-11-14T22:13:20+01:00","line":"{\"a\":{\"level\":\"info\"}}"}]}]}"#;
    run(&[new.into(), old.into()], bodies::loki_json);
}

#[test]
fn json_lines() {
    let line = r#"{"@timestamp":"Mon, 06 May 2024 07:08:09 GMT","msg":"a\ud83d\ude00 ERROR","a":{"b":[1,{"c":-1.5e3}]},"level":30,"host":"h","traceId":"0af7651916cd43dd8448eb211c80319c"}"#;
    run(&[format!("{line}\n{{}}\nx\n{line}").into(), format!("[{line},{line}]").into()], bodies::json_lines);
}

#[test]
fn elastic_bulk() {
    let body = "{\"index\":{\"_index\":\"ab\",\"_id\":7}}\n{\"message\":\"x\",\"time\":1700000000}\n{\"delete\":{\"_id\":\"1\"}}\r\n{\"create\":{}}\n{\"log\":{\"level\":\"info\"}}\n";
    run(&[body.into(), body.repeat(2).into()], bodies::elastic_bulk);
}

#[test]
fn splunk_events() {
    let body = r#"{"time":1.5,"host":"h","event":{"message":"x","a":[1]},"fields":{"b":"c"}} {"event":"y","time":"2"}"#;
    run(&[body.into(), format!("[{body}]").into()], bodies::splunk_events);
}

#[test]
fn decompress() {
    let plain = random_logs(&mut Random::new(1), 3).encode_to_vec();
    // What expands to more than the limit, in every encoding that can.
    for content in [plain, vec![0; 2 << 20]] {
        let mut gzip = flate2::write::GzEncoder::new(vec![0], flate2::Compression::default());
        gzip.write_all(&content).unwrap();
        let mut deflate = flate2::write::ZlibEncoder::new(vec![2], flate2::Compression::default());
        deflate.write_all(&content).unwrap();
        let tagged = |tag: u8, compressed: Vec<u8>| [vec![tag], compressed].concat();
        let zstd = tagged(1, zstd::encode_all(content.as_slice(), 1).unwrap());
        let snappy = tagged(3, snap::raw::Encoder::new().compress_vec(&content).unwrap());
        run(&[gzip.finish().unwrap(), zstd, deflate.finish().unwrap(), snappy], bodies::decompress);
    }
}

#[test]
fn zipkin_json() {
    run(&[zipkin::full().to_string().into_bytes(), zipkin::first_json().to_string().into_bytes()], bodies::zipkin_json);
}

#[test]
fn zipkin_protobuf() {
    run(&[zipkin::as_protobuf(&zipkin::full()).encode_to_vec()], bodies::zipkin_protobuf);
}

#[test]
fn zipkin_thrift() {
    run(&[zipkin::first_thrift().written(Wire::Binary)], bodies::zipkin_thrift);
}

#[test]
fn jaeger_protobuf() {
    run(&[jaeger::as_proto(&jaeger::full())], bodies::jaeger_protobuf);
}

#[test]
fn jaeger_thrift() {
    let batch = jaeger::as_thrift(&jaeger::full());
    let arguments = thrift::Value::Struct(vec![(1, batch.clone())]);
    let seeds = [Wire::Binary, Wire::Compact].map(|wire| [batch.written(wire), thrift::call(wire, "emitBatch", &arguments)]);
    run(seeds.as_flattened(), bodies::jaeger_thrift);
}
