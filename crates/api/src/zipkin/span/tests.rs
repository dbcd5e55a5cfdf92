//! Spans as Zipkin shows them: those that came in as Zipkin are as they were.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use serde_json::{Value, json};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};
use signalbox_query::rows::{Attributes, Resource, Scope, Span, SpanEvent};

use super::ZipkinSpan;

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.to_owned())
}

fn attributes(pairs: &[(&str, AttributeValue)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn event(timestamp_ns: i64, name: &str) -> SpanEvent {
    SpanEvent { timestamp_ns, name: name.to_owned(), attributes: Vec::new(), dropped_attributes_count: 0 }
}

fn span(pairs: &[(&str, AttributeValue)]) -> Span {
    Span {
        trace_id: TraceId::from_hex("4d1e00c0db9010db86154a4ba6e91385").unwrap(),
        span_id: SpanId::from_hex("4d1e00c0db9010db"),
        parent_span_id: SpanId::from_hex("86154a4ba6e91385"),
        start_ns: 1_472_470_996_199_000_000,
        duration_ns: 207_000_000,
        service: "frontend".to_owned(),
        name: "get".to_owned(),
        kind: 3,
        status_code: 0,
        status_message: String::new(),
        trace_state: String::new(),
        flags: 0,
        resource: Arc::new(Resource { attributes: attributes(&[("service.name", text("frontend"))]), ..Resource::default() }),
        scope: Arc::new(Scope::default()),
        attributes: attributes(pairs),
        events: Vec::new(),
        links: Vec::new(),
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
    }
}

fn shown(span: &Span) -> Value {
    serde_json::to_value(ZipkinSpan::new(span)).unwrap()
}

#[test]
fn what_came_as_zipkin_is_as_it_was() {
    let mut stored = span(&[
        ("http.path", text("/api")),
        ("clnt/finagle.version", text("6.45.0")),
        ("net.host.ip", text("2001:db8::c001")),
        ("peer.service", text("backend")),
        ("net.peer.ip", text("192.168.99.101")),
        ("net.peer.ipv6", text("2001:db8::c002")),
        ("net.peer.port", AttributeValue::Int(9000)),
        ("zipkin.shared", AttributeValue::Bool(true)),
        ("zipkin.debug", AttributeValue::Bool(true)),
    ]);
    stored.events = vec![event(1_472_470_996_238_000_000, "foo"), event(1_472_470_996_403_000_000, "bar")];
    let want = json!({
        "traceId": "4d1e00c0db9010db86154a4ba6e91385",
        "parentId": "86154a4ba6e91385",
        "id": "4d1e00c0db9010db",
        "kind": "CLIENT",
        "name": "get",
        "timestamp": 1_472_470_996_199_000_i64,
        "duration": 207_000,
        "localEndpoint": { "serviceName": "frontend", "ipv6": "2001:db8::c001" },
        "remoteEndpoint": { "serviceName": "backend", "ipv4": "192.168.99.101", "ipv6": "2001:db8::c002", "port": 9000 },
        "annotations": [{ "timestamp": 1_472_470_996_238_000_i64, "value": "foo" }, { "timestamp": 1_472_470_996_403_000_i64, "value": "bar" }],
        "tags": { "http.path": "/api", "clnt/finagle.version": "6.45.0" },
        "debug": true,
        "shared": true,
    });
    assert_eq!(shown(&stored), want);
}

#[test]
fn what_was_not_sent_is_not_shown() {
    let mut bare = span(&[("otel.zipkin.absentField.startTime", AttributeValue::Bool(true))]);
    bare.trace_id = TraceId::from_hex("86154a4ba6e91385").unwrap();
    (bare.parent_span_id, bare.duration_ns, bare.kind) = (None, 0, 0);
    (bare.service, bare.name) = (String::new(), String::new());
    bare.resource = Arc::default();
    assert_eq!(shown(&bare), json!({ "traceId": "86154a4ba6e91385", "id": "4d1e00c0db9010db" }));
    bare.duration_ns = 7;
    assert_eq!(shown(&bare)["duration"], 1);
}

#[test]
fn a_failed_span_has_the_tag_error() {
    let of = |code: i32, message: &str, pairs: &[(&str, AttributeValue)]| {
        let mut failed = span(pairs);
        (failed.status_code, failed.status_message) = (code, message.to_owned());
        shown(&failed)["tags"].clone()
    };
    assert_eq!(of(2, "boom", &[]), json!({ "otel.status_code": "ERROR", "error": "boom" }));
    assert_eq!(of(2, "", &[]), json!({ "otel.status_code": "ERROR", "error": "" }));
    assert_eq!(of(1, "", &[("error", AttributeValue::Bool(false))]), json!({ "otel.status_code": "OK" }));
    assert_eq!(of(0, "", &[("error", text("false"))]), Value::Null);
    // As Zipkin's own senders say it.
    assert_eq!(of(2, "timeout", &[("error", text("timeout"))]), json!({ "error": "timeout" }));
    assert_eq!(of(2, "", &[("error", text("true"))]), json!({ "error": "true" }));
}

#[test]
fn what_zipkin_has_no_field_for_is_a_tag() {
    let mut full = span(&[("list", AttributeValue::Array(vec![AttributeValue::Int(1), text("a")])), ("truth", AttributeValue::Bool(true))]);
    full.kind = 1;
    full.resource =
        Arc::new(Resource { attributes: attributes(&[("service.name", text("frontend")), ("service.namespace", text("eu"))]), ..Resource::default() });
    full.scope = Arc::new(Scope { name: "lib".to_owned(), version: "1".to_owned(), ..Scope::default() });
    full.trace_state = "a=b".to_owned();
    full.dropped_attributes_count = 3;
    let mut noted = event(5_000, "retry \"now\"");
    noted.attributes = attributes(&[("attempt", AttributeValue::Int(2))]);
    full.events = vec![noted];
    let got = shown(&full);
    let want = json!({
        "service.namespace": "eu",
        "otel.scope.name": "lib",
        "otel.scope.version": "1",
        "list": "[1,\"a\"]",
        "truth": "true",
        "span.kind": "internal",
        "w3c.tracestate": "a=b",
        "otel.dropped_attributes_count": "3",
    });
    assert_eq!((&got["tags"], &got["kind"]), (&want, &Value::Null));
    assert_eq!(got["annotations"][0]["value"], "\"retry \\\"now\\\"\": {\"attempt\":2}");
}

#[test]
fn the_peer_is_named_by_the_best_convention() {
    let of = |kind: i32, pairs: &[(&str, AttributeValue)]| {
        let mut called = span(pairs);
        called.kind = kind;
        shown(&called)["remoteEndpoint"].clone()
    };
    assert_eq!(of(3, &[("server.address", text("db.local")), ("db.name", text("orders"))]), json!({ "serviceName": "db.local" }));
    let address = [("network.peer.address", text("10.0.0.1")), ("network.peer.port", text("3306"))];
    assert_eq!(of(3, &address), json!({ "ipv4": "10.0.0.1", "port": 3306 }));
    // A server's `server.address` is its own.
    assert_eq!(of(2, &[("server.address", text("me"))]), Value::Null);
    assert_eq!(of(2, &[("net.peer.ip", text("52.0.0.05"))]), json!({ "ipv4": "52.0.0.05" }));
    assert_eq!(of(3, &[("network.peer.address", text("db.local"))]), Value::Null);
    assert_eq!(of(3, &[("net.peer.ip", text("not an address")), ("net.peer.port", AttributeValue::Int(70_000))]), Value::Null);
}
