//! Search over logs in our own API: the shapes of its answers, and what it refuses.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::world::World;

const RANGE: &str = "start=1700000000&end=1700000010";

#[tokio::test(flavor = "multi_thread")]
async fn finds_records_whole_and_by_fields() {
    for world in [World::head().await, World::segments().await] {
        let mut answer = world.get(&format!("/api/v1/logs/search?query=service:cart%20level:error&limit=5&total=true&{RANGE}")).await.json();
        let stats = answer["stats"].take();
        assert!(stats["seconds"].is_number() && stats["rows_read"].as_u64() >= Some(1), "{stats}");
        let record = json!({
            "timestamp": "2023-11-14T22:13:20.000000001Z", "timestamp_ns": "1700000000000000001", "level": "error", "service": "cart",
            "body": "cannot order \"tea\"\nno stock", "severity_text": "Error", "severity_number": 17, "event_name": "order.failed",
            "trace_id": "5b8efff798038103d269b633813fc60c", "span_id": "0000000000000002", "flags": 1,
            "observed_timestamp": "2023-11-14T22:13:20.000000002Z", "dropped_attributes_count": 3,
            "attributes": { "http.method": "GET", "size": 12 }, "resource": { "service.name": "cart", "k8s.pod.name": "cart-1" },
            "scope": { "name": "lib", "version": "1.2", "attributes": { "language": "rust" } }
        });
        assert_eq!(answer, json!({ "records": [record], "total": 1, "stats": null }));
        let body = json!({ "query": "_exists_:zones OR coffee", "start": 1_700_000_000, "fields": ["zones", "service", "body.a"], "direction": "forward" });
        let request = Request::post("/api/v1/logs/search").header("content-type", "application/json").header("accept", "application/x-ndjson");
        let text = world.send(request.body(Body::from(body.to_string())).unwrap()).await.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(
            lines[1],
            "{\"timestamp\":\"2023-11-14T22:13:20.000000003Z\",\"timestamp_ns\":\"1700000000000000003\",\"fields\":{\"zones\":[\"a\",\"b\"],\"service\":\"shop\"}}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_cursor() {
    let world = World::head().await;
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let answer = world.get(&format!("/api/v1/logs/search?limit=1&cursor={cursor}&{RANGE}")).await.json();
        let Some(record) = answer["records"].get(0) else { break };
        seen.push(record["timestamp_ns"].as_str().unwrap().to_owned());
        cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, ["1700000000000000004", "1700000000000000003", "1700000000000000002", "1700000000000000001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_over_time_and_by_value() {
    let world = World::head().await;
    let answer = world.get(&format!("/api/v1/logs/histogram?interval=5s&by=level&{RANGE}")).await.json();
    let buckets = json!([
        { "start_ms": 1_700_000_000_000_i64, "count": 4, "values": { "error": 1, "info": 1, "unknown": 1, "warn": 1 } },
        { "start_ms": 1_700_000_005_000_i64, "count": 0, "values": {} }
    ]);
    assert_eq!(answer, json!({ "interval_ms": 5_000, "total": 4, "buckets": buckets }));
    let answer = world.get(&format!("/api/v1/logs/histogram?interval=10s&by=level&values=1&{RANGE}")).await.json();
    assert_eq!(answer["buckets"][0]["values"], json!({ "error": 1 }));
    let answer = world.get(&format!("/api/v1/logs/histogram?query=tea&{RANGE}")).await.json();
    assert_eq!((&answer["interval_ms"], &answer["total"], answer["buckets"].as_array().map(Vec::len)), (&json!(500), &json!(1), Some(20)));
    let answer = world.get(&format!("/api/v1/logs/facets?more=1&{RANGE}")).await.json();
    let value = |value: &str, count: u64| json!({ "value": value, "count": count });
    let facets = json!([
        { "field": "service", "count": 3, "distinct": 2, "is_cut": false, "values": [value("cart", 2), value("shop", 1)] },
        { "field": "level", "count": 4, "distinct": 4, "is_cut": false, "values": [value("error", 1), value("info", 1), value("unknown", 1), value("warn", 1)] },
        { "field": "k8s.pod.name", "count": 2, "distinct": 1, "is_cut": false, "values": [value("cart-1", 2)] }
    ]);
    assert_eq!(answer, json!({ "total": 4, "facets": facets }));
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_with_the_place_and_the_reason() {
    let world = World::head().await;
    for (query, want) in [
        ("search?query=a%20AND", "line 1, col 6"),
        ("search?query=/(/", "regular expression"),
        ("search?limit=x", "limit"),
        ("search?limit=99999999", "limit"),
        ("search?direction=up", "direction"),
        ("search?cursor=x", "cursor"),
        ("search?start=soon", "start"),
        ("search?start=now&end=now-1h", "end is before start"),
        ("histogram?interval=0s", "interval"),
        ("histogram?interval=1ms&start=0", "too many buckets"),
        ("facets?values=100000", "values"),
    ] {
        let answer = world.get(&format!("/api/v1/logs/{query}")).await;
        assert!((400..500).contains(&answer.status), "{query}: {}", answer.status);
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(want), "{query}: {}", answer.text());
    }
}
