//! Loki's push API: its own cases, what streams and entries become, what is refused and how.

use std::io::Write as _;

use axum::Router;
use prost::Message;
use serde_json::Value as Json;
use signalbox_model::TimeRange;
use signalbox_receive::loki::{self, Decoder, Format};
use signalbox_receive::{Context, Decoded};
use signalbox_testkit::conformance;

use crate::rows::lines;
use crate::support::{Memory, NOW_NS, context, entry, post};
use std::sync::Arc;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) streams: Vec<StreamAdapter>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamAdapter {
    #[prost(string, tag = "1")]
    pub(crate) labels: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) entries: Vec<EntryAdapter>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct EntryAdapter {
    #[prost(message, optional, tag = "1")]
    pub(crate) timestamp: Option<Instant>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) line: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Instant {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

fn line(at_ns: i64, line: &str, metadata: &[(&str, &str)]) -> EntryAdapter {
    EntryAdapter {
        timestamp: Some(Instant { seconds: at_ns.div_euclid(1_000_000_000), nanos: at_ns.rem_euclid(1_000_000_000) as i32 }),
        line: line.as_bytes().to_vec(),
        metadata: metadata.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect(),
    }
}

fn stream(labels: &str, entries: Vec<EntryAdapter>) -> StreamAdapter {
    StreamAdapter { labels: labels.into(), entries }
}

/// A request with everything in it.
pub(crate) fn request() -> PushRequest {
    let ids = [("trace_id", "0af7651916cd43dd8448eb211c80319c"), ("span_id", "b7ad6b7169203331"), ("user", "7")];
    let first = vec![line(NOW_NS, "one ERROR \"x\"", &ids), line(NOW_NS + 1, "level=warn msg=two", &[("traceID", "0AF7651916CD43DD8448EB211C80319C")])];
    PushRequest { streams: vec![stream(r#"{app="shop", zone="a\"b"}"#, first), stream(r#"{job="x", level="debug"}"#, vec![line(NOW_NS + 2, "", &[])])] }
}

fn decode(format: Format, bytes: &[u8]) -> Decoded {
    Decoder::default().decode(format, bytes, &context()).unwrap()
}

fn rows(decoded: &Decoded) -> Vec<String> {
    lines(&decoded.batches)
}

#[test]
fn streams_become_resources_and_entries_records() {
    let rows = rows(&decode(Format::Protobuf, &request().encode_to_vec()));
    assert_eq!(
        rows,
        [
            format!(
                "timestamp={NOW_NS} service=\"shop\" severity_number=17 severity_text=\"ERROR\" body=\"one ERROR \\\"x\\\"\" \
                 trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 \
                 resource=\"{{\\\"app\\\":\\\"shop\\\",\\\"service_name\\\":\\\"shop\\\",\\\"zone\\\":\\\"a\\\\\\\"b\\\"}}\" scope=\"{{}}\" attributes={{user=\"7\"}}"
            ),
            format!(
                "timestamp={} service=\"shop\" severity_number=13 severity_text=\"warn\" body=\"level=warn msg=two\" \
                 trace_id=0af7651916cd43dd8448eb211c80319c \
                 resource=\"{{\\\"app\\\":\\\"shop\\\",\\\"service_name\\\":\\\"shop\\\",\\\"zone\\\":\\\"a\\\\\\\"b\\\"}}\" scope=\"{{}}\" \
                 attributes={{traceID=\"0AF7651916CD43DD8448EB211C80319C\"}}",
                NOW_NS + 1
            ),
            format!(
                "timestamp={} service=\"x\" severity_number=5 severity_text=\"debug\" \
                 resource=\"{{\\\"job\\\":\\\"x\\\",\\\"level\\\":\\\"debug\\\",\\\"service_name\\\":\\\"x\\\"}}\" scope=\"{{}}\"",
                NOW_NS + 2
            ),
        ]
    );
}

/// The same request in JSON, with the entries before the labels, and as the old API had it.
#[test]
fn json_means_what_protobuf_means() {
    let expected = rows(&decode(Format::Protobuf, &request().encode_to_vec()));
    let json = format!(
        r#"{{"streams":[
            {{"values":[["{NOW_NS}","one ERROR \"x\"",{{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","user":"7"}}],
                        ["{}","level=warn msg=two",{{"traceID":"0AF7651916CD43DD8448EB211C80319C"}}]],
              "unknown":[{{}}],"stream":{{"zone":"a\"b","app":"shop"}}}},
            {{"stream":{{"job":"x","level":"debug"}},"values":[["{}",""]]}}],"format":"loki"}}"#,
        NOW_NS + 1,
        NOW_NS + 2
    );
    assert_eq!(rows(&decode(Format::Json, json.as_bytes())), expected);
    let old = r#"{"streams":[{"labels":"{job=\"x\", level=\"debug\"}","entries":[{"ts":"2023-11-14T23:13:20.000000002+01:00","line":""}]}]}"#;
    assert_eq!(rows(&decode(Format::Json, old.as_bytes())), expected[2..]);
}

#[test]
fn levels_come_from_metadata_labels_and_lines_in_this_order() {
    let level = |labels: &str, text: &str, metadata: &[(&str, &str)]| {
        let body = PushRequest { streams: vec![stream(labels, vec![line(NOW_NS, text, metadata)])] }.encode_to_vec();
        let rows = rows(&decode(Format::Protobuf, &body));
        let severity = rows[0].split(" body").next().unwrap().split("service=\"a\"").nth(1).unwrap().trim().to_owned();
        (severity, rows[0].contains("attributes"))
    };
    let is = |text: &str, attributes: bool| (text.to_owned(), attributes);
    assert_eq!(level("{app=\"a\"}", "an error", &[]), is("severity_number=17 severity_text=\"error\"", false));
    assert_eq!(level("{app=\"a\"}", "an error", &[("level", "WARN")]), is("severity_number=13 severity_text=\"WARN\"", true));
    assert_eq!(level("{app=\"a\",level=\"info\"}", "an error", &[("level", "WARN")]), is("severity_number=9 severity_text=\"info\"", true));
    assert_eq!(level("{app=\"a\",level=\"info\"}", "x", &[("detected_level", "fatal")]), is("severity_number=21 severity_text=\"fatal\"", false));
    assert_eq!(level("{app=\"a\"}", "x", &[("severity", "odd"), ("lvl", "info")]), is("severity_text=\"odd\"", true));
    assert_eq!(
        level("{app=\"a\"}", "error", &[("severity_number", "10"), ("severity_text", "Notice")]),
        is("severity_number=10 severity_text=\"Notice\"", false)
    );
    assert_eq!(level("{app=\"a\"}", "nothing", &[]), is("", false));
}

#[test]
fn bytes_that_are_no_text_are_mended_and_not_lost() {
    let entry = EntryAdapter { line: b"caf\xe9".to_vec(), ..line(NOW_NS, "", &[]) };
    let body = PushRequest { streams: vec![stream("{a=\"b\"}", vec![entry])] }.encode_to_vec();
    assert!(rows(&decode(Format::Protobuf, &body))[0].contains("body=\"caf\u{fffd}\""));
}

#[test]
fn entries_out_of_time_and_streams_with_labels_that_are_not_allowed_are_refused_alone() {
    let entries = vec![line(NOW_NS - 10_000_000_000, "old", &[]), line(NOW_NS, "good", &[]), line(NOW_NS + 10_000_000_000, "new", &[])];
    let long = format!("{{a=\"{}\"}}", "x".repeat(2_049));
    let body = PushRequest { streams: vec![stream("{a=\"b\"}", entries), stream(&long, vec![line(NOW_NS, "1", &[]), line(NOW_NS, "2", &[])])] };
    let near = Context { accepted_time: TimeRange::from_ns(NOW_NS - 1_000_000_000, NOW_NS + 1_000_000_000), ..context() };
    let decoded = Decoder::default().decode(Format::Protobuf, &body.encode_to_vec(), &near).unwrap();
    assert_eq!(rows(&decoded).len(), 1);
    let told: Vec<_> = decoded.rejected.iter().map(|rejected| (rejected.rows, rejected.reason, rejected.message.as_str())).collect();
    let labels = r#"{a="b", service_name="unknown_service"}"#;
    assert_eq!(
        told[..2],
        [
            (
                1,
                "too_old",
                &*format!("entry for stream '{labels}' has timestamp too old: 2023-11-14T22:13:10Z, oldest acceptable timestamp is: 2023-11-14T22:13:19Z")
            ),
            (1, "too_far_in_future", &*format!("entry for stream '{labels}' has timestamp too new: 2023-11-14T22:13:30Z")),
        ]
    );
    assert_eq!((told[2].0, told[2].1), (2, "label_value_too_long"));
    assert!(told[2].2.ends_with(&format!("has label value too long: '{}'", "x".repeat(2_049))));
}

#[test]
fn what_is_no_request_is_refused_as_a_whole() {
    for (body, message) in [
        ("", "cannot read JSON: the JSON ends early at byte 1"),
        ("[]", "cannot read JSON: want an object with streams at byte 2"),
        ("{}", "error at least one valid stream is required for ingestion"),
        (r#"{"streams":{}}"#, "cannot read JSON: want an array of streams at byte 13"),
        (r#"{"streams":[]}x"#, "cannot read JSON: want the end of the request at byte 15"),
        (r#"{"streams":[{"stream":{"a.b":"c"},"values":[]}]}"#, "couldn't parse labels: 1:3: parse error: want \"=\""),
        (r#"{"streams":[{"stream":{"a":"b"},"values":[[1700000000000000000,"x"]]}]}"#, "error reading entry timestamp: want a text of nanoseconds"),
        (r#"{"streams":[{"stream":{"a":"b"},"values":[["now","x"]]}]}"#, "error reading entry timestamp: \"now\" is no number of nanoseconds"),
        (r#"{"streams":[{"stream":{"a":"b"},"values":[["1"]]}]}"#, "array must have at least 2 and up to 3 values"),
        (r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x",{},1]]}]}"#, "array must have at least 2 and up to 3 values"),
        (r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"y":1}]]}]}"#, "want a text in structured metadata"),
    ] {
        let error = Decoder::default().decode(Format::Json, body.as_bytes(), &context()).unwrap_err();
        assert!(error.message().contains(message), "{body}: {}", error.message());
    }
    let error = Decoder::default().decode(Format::Protobuf, b"\x0a\x05\x0a\x03{a}", &context()).unwrap_err();
    assert_eq!(error.message(), "couldn't parse labels: 1:3: parse error: want \"=\"");
    let whole = request().encode_to_vec();
    let cut = (1..whole.len()).filter(|end| Decoder::default().decode(Format::Protobuf, &whole[..*end], &context()).is_err()).count();
    assert!(cut > whole.len() - 10, "only between streams a request may end: {cut} of {}", whole.len());
}

fn door(sink: &Arc<Memory>) -> Router {
    loki::routes(entry(sink), loki::Settings::default())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_case_of_loki_is_answered_as_loki_answers() {
    let Some(facts) = conformance::facts("logs/loki-push/push.jsonl") else { return };
    let mut cases = 0;
    for case in facts {
        cases += 1;
        let body = match &case["body"] {
            Json::String(text) => text.clone().into_bytes(),
            object => {
                let (how, text) = object.as_object().unwrap().iter().next().unwrap();
                let text = text.as_str().unwrap().as_bytes();
                if how == "$gzip" { gzip(text) } else { deflate(text) }
            }
        };
        let sink = Arc::new(Memory::default());
        let settings = if case["service_name_discovery"] == true {
            loki::Settings::default()
        } else {
            loki::Settings { discovery: loki::Discovery { discover_service_name: Vec::new(), ..loki::Discovery::default() }, ..loki::Settings::default() }
        };
        let mut headers = vec![("content-type", case["contentType"].as_str().unwrap())];
        headers.extend(case["contentEncoding"].as_str().map(|encoding| ("content-encoding", encoding)));
        let answer = post(&loki::routes(entry(&sink), settings), case["path"].as_str().unwrap(), &headers, body).await;
        let expected = if case["valid"] == true { 204 } else { 400 };
        assert_eq!(answer.status, expected, "{case}: {}", String::from_utf8_lossy(&answer.body));
        let rows = lines(&sink.batches());
        for (row, labels) in rows.iter().zip(case["stream_labels_first"].as_array().unwrap_or(&Vec::new())) {
            let resource = row.split("resource=").nth(1).unwrap().split(" scope=").next().unwrap();
            let resource: Json = serde_json::from_str(&serde_json::from_str::<String>(resource).unwrap()).unwrap();
            assert_eq!(&resource, labels, "{case}");
        }
        let streams = case["stream_labels_first"].as_array().map_or(usize::from(case["valid"] == true), Vec::len);
        assert_eq!(rows.len(), streams, "{case}");
    }
    assert!(cases >= 15);
}

#[tokio::test]
async fn protobuf_comes_in_snappy_whatever_is_around_it() {
    let packed = snap::raw::Encoder::new().compress_vec(&request().encode_to_vec()).unwrap();
    for (path, encoding, body) in [
        ("/loki/api/v1/push", None, packed.clone()),
        ("/api/prom/push", Some("snappy"), packed.clone()),
        ("/loki/loki/api/v1/push", Some("gzip"), gzip(&packed)),
    ] {
        let sink = Arc::new(Memory::default());
        let mut headers = vec![("content-type", "application/x-protobuf")];
        headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
        let answer = post(&door(&sink), path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.body.len(), sink.rows()), (204, 0, 3), "{path}");
    }
}

#[tokio::test]
async fn refusals_are_told_in_lokis_words() {
    let sink = Arc::new(Memory::default());
    let json = [("content-type", "application/json")];
    let answer = post(&door(&sink), "/loki/api/v1/push", &json, r#"{"streams":[]}"#).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (422, &b"error at least one valid stream is required for ingestion\n"[..]));
    let answer = post(&door(&sink), "/loki/api/v1/push", &[], "").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (400, &b"mime: no media type\n"[..]));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let answer = post(&door(&sink), "/loki/api/v1/push", &[json[0], ("content-encoding", "br")], "{}").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (400, &b"Content-Encoding \"br\" not supported\n"[..]));
    let answer = post(&door(&sink), "/loki/api/v1/push", &[("content-type", "application/x-protobuf")], "no snappy").await;
    assert_eq!(answer.status, 400);
    // The length that snappy declares is believed by nobody.
    let answer = post(&door(&sink), "/loki/api/v1/push", &[("content-type", "application/x-protobuf")], vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]).await;
    assert_eq!(answer.status, 413);
    let inside = gzip(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    let answer = post(&door(&sink), "/loki/api/v1/push", &[("content-type", "application/x-protobuf"), ("content-encoding", "gzip")], inside).await;
    assert_eq!(answer.status, 413);
    assert_eq!(sink.rows(), 0);
    // What admission refuses is told, the rest is kept.
    sink.reject.lock().push(signalbox_model::Rejected { rows: 2, reason: "body_too_long", message: "the body is too long".into() });
    let body = r#"{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","x"]]}]}"#;
    let answer = post(&door(&sink), "/loki/api/v1/push", &json, body).await;
    assert_eq!((answer.status.as_u16(), &*answer.body, sink.rows()), (400, &b"2 errors like: the body is too long\n"[..], 1));
    // Nothing is acknowledged that the sink did not take.
    *sink.refuse.lock() = Some((signalbox_model::ErrorKind::Limit, None));
    let answer = post(&door(&sink), "/loki/api/v1/push", &json, body).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after").is_empty()), (429, false));
}
