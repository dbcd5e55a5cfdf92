//! Splunk's HTTP Event Collector: events in every shape, tokens, acknowledgements, the codes of its errors.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value as Json, json};
use signalbox_receive::splunk::{self, Code, Format, Metadata, decode};

use crate::rows::lines;
use crate::support::{Memory, context, entry, post, send};

fn rows(format: Format, body: &str) -> (Vec<String>, Option<(u64, Code)>) {
    let (decoded, told) = decode(format, body.as_bytes(), &context(), &Metadata { source: "app".into(), ..Metadata::default() });
    (lines(&decoded.batches), told.fault)
}

#[test]
fn events_stand_one_behind_another() {
    let body = r#"{"time":1700000000.123,"host":"web","sourcetype":"_json","index":"main","event":{"message":"hi","level":"warn","code":7},"fields":{"zone":"a","n":1}}{"event":"ERROR plain","time":"1700000001","fields":{"message":"no"}}
 {"event":5} {"event":[1,2],"source":"own"}"#;
    let (rows, fault) = rows(Format::Events, body);
    assert_eq!(fault, None);
    assert_eq!(
        rows[0],
        format!(
            "timestamp=1700000000123000000 severity_number=13 severity_text=\"warn\" body=\"hi\" \
             resource=\"{{\\\"host.name\\\":\\\"web\\\",\\\"com.splunk.source\\\":\\\"app\\\",\\\"com.splunk.sourcetype\\\":\\\"_json\\\",\\\"com.splunk.index\\\":\\\"main\\\"}}\" \
             scope=\"{{}}\" attributes={{code=\"7\", zone=\"a\", n=\"1\"}} attribute_types=\"isi\""
        )
    );
    assert!(rows[1].starts_with("timestamp=1700000001000000000 ") && rows[1].contains("severity_text=\"ERROR\" body=\"ERROR plain\""), "{}", rows[1]);
    assert!(rows[1].contains("attributes={message=\"no\"}"), "{}", rows[1]);
    assert!(rows[2].contains("body=\"5\"") && rows[3].contains("body=\"[1,2]\"") && rows[3].contains("own"), "{rows:?}");
    assert_eq!(rows.len(), 4);
}

#[test]
fn what_stands_before_a_fault_is_taken() {
    for (body, taken, fault) in [
        ("", 0, Some((0, Code::NoData))),
        (" \n", 0, Some((0, Code::NoData))),
        ("{}", 0, Some((0, Code::EventRequired))),
        (r#"{"event":"a"}{"event":null}"#, 1, Some((1, Code::EventRequired))),
        (r#"{"event":"a"}{"event":" "}{"event":"c"}"#, 1, Some((1, Code::EventBlank))),
        (r#"{"event":"a"}{"event":"#, 1, Some((1, Code::InvalidFormat))),
        (r#"{"event":"a","fields":7}"#, 0, Some((0, Code::InvalidFields))),
        (r#"{"event":"a","time":"soon"}"#, 0, Some((0, Code::InvalidFormat))),
        (r#"[{"event":"a"},{"event":"b"}]"#, 2, None),
        (r#"[{"event":"a"},{"event":"b"}"#, 2, Some((2, Code::InvalidFormat))),
        ("[]", 0, Some((0, Code::NoData))),
        ("text", 0, Some((0, Code::InvalidFormat))),
    ] {
        let (rows, told) = rows(Format::Events, body);
        assert_eq!((rows.len(), told), (taken, fault), "{body}");
    }
    let (rows, told) = rows(Format::Raw, "one\r\n\n two info \n");
    assert_eq!((rows.len(), told), (2, None));
    assert!(rows[1].contains("severity_text=\"info\" body=\" two info \""), "{}", rows[1]);
}

fn door(sink: &Arc<Memory>, tokens: &[&str]) -> Router {
    let settings = splunk::Settings { tokens: tokens.iter().map(|token| (*token).to_owned()).collect(), ..splunk::Settings::default() };
    splunk::routes(entry(sink), settings)
}

async fn told(router: &Router, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Json) {
    let answer = post(router, path, headers, body.to_owned()).await;
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn tokens_are_asked_for_when_there_are_any() {
    let sink = Arc::new(Memory::default());
    let event = r#"{"event":"x"}"#;
    let success = (200, json!({"text": "Success", "code": 0}));
    assert_eq!(told(&door(&sink, &[]), "/services/collector", &[], event).await, success);
    let router = door(&sink, &["one", "two"]);
    let with = async |value: &str| told(&router, "/services/collector/event", &[("authorization", value)], event).await;
    assert_eq!(with("Splunk two").await, success);
    // A user of any name with the token as password.
    assert_eq!(with("Basic eDpvbmU=").await, success);
    assert_eq!(with("Splunk three").await, (403, json!({"text": "Invalid token", "code": 4})));
    assert_eq!(with("Digest one").await, (401, json!({"text": "Invalid authorization", "code": 3})));
    assert_eq!(told(&router, "/services/collector/raw", &[], "x").await, (401, json!({"text": "Token is required", "code": 2})));
    assert_eq!(told(&router, "/services/collector/ack?channel=x", &[], "x").await.0, 401);
    assert_eq!(sink.rows(), 3);
}

#[tokio::test]
async fn what_was_answered_is_acknowledged() {
    let sink = Arc::new(Memory::default());
    let router = door(&sink, &[]);
    let channel = [("x-splunk-request-channel", "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba")];
    assert_eq!(told(&router, "/services/collector/raw", &channel, "one\ntwo").await, (200, json!({"text": "Success", "code": 0, "ackId": 0})));
    let path = "/services/collector/event/1.0?channel=0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba&host=h";
    assert_eq!(told(&router, path, &[], r#"{"event":"x"}"#).await, (200, json!({"text": "Success", "code": 0, "ackId": 1})));
    assert_eq!(told(&router, "/services/collector/ack", &channel, r#"{"acks":[0,1,2]}"#).await, (200, json!({"acks": {"0": true, "1": true, "2": false}})));
    assert_eq!(told(&router, "/services/collector/ack", &[], "{}").await, (400, json!({"text": "Data channel is missing", "code": 10})));
    assert_eq!(
        told(&router, "/services/collector/ack", &[("x-splunk-request-channel", "7")], "{}").await,
        (400, json!({"text": "Invalid data channel", "code": 11}))
    );
    assert_eq!(told(&router, "/services/collector/ack", &channel, "x").await.0, 400);
    assert!(lines(&sink.batches())[2].contains("host.name"), "the address tells of all its events");
    let request = http::Request::get("/services/collector/health").body(axum::body::Body::empty()).unwrap();
    let answer = send(&router, request).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &br#"{"text":"HEC is healthy","code":17}"#[..]));
}

#[tokio::test]
async fn errors_have_splunks_codes() {
    let sink = Arc::new(Memory::default());
    let router = door(&sink, &[]);
    assert_eq!(told(&router, "/services/collector", &[], "").await, (400, json!({"text": "No data", "code": 5})));
    let partial = (400, json!({"text": "Event field is required", "code": 12, "invalid-event-number": 1}));
    assert_eq!(told(&router, "/services/collector", &[], r#"{"event":"x"}{}"#).await, partial);
    assert_eq!(sink.rows(), 1);
    *sink.refuse.lock() = Some((signalbox_model::ErrorKind::Unavailable, None));
    let (status, body) = told(&router, "/services/collector", &[], r#"{"event":"x"}"#).await;
    assert_eq!((status, &body["code"]), (503, &json!(9)));
}
