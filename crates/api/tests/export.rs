//! Exports over HTTP: the formats, what breaks off, what is refused.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::ipc::reader::StreamReader;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use signalbox_api::ApiState;
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Tenant};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;
use tower::ServiceExt;

use crate::world::{T0, World};

const RANGE: &str = "start=1700000000&end=1700000010";

#[tokio::test(flavor = "multi_thread")]
async fn records_are_lines_of_json() {
    for world in [World::head().await, World::segments().await] {
        let answer = world.get(&format!("/api/v1/export?query=service:cart&{RANGE}")).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/x-ndjson"));
        let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let resource = json!({ "service.name": "cart", "k8s.pod.name": "cart-1" });
        let first = json!({
            "timestamp": "2023-11-14T22:13:20.000000001Z", "service": "cart", "level": "error", "body": "cannot order \"tea\"\nno stock",
            "trace_id": "5b8efff798038103d269b633813fc60c", "span_id": "0000000000000002", "resource": resource,
            "attributes": { "http.method": "GET", "size": "12" }
        });
        let second = json!({
            "timestamp": "2023-11-14T22:13:20.000000002Z", "service": "cart", "level": "info", "body": "ordered coffee",
            "trace_id": null, "span_id": null, "resource": resource, "attributes": {}
        });
        assert_eq!(lines, [first, second]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_names_and_quotes() {
    let world = World::segments().await;
    let query = format!("query=%7Bservice_name%3D~%22cart|shop%22%7D&fields=timestamp,line,service_name,http_method,labels&{RANGE}");
    let answer = world.get(&format!("/api/v1/export?format=csv&{query}")).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/csv; charset=utf-8"));
    let text = answer.text();
    let start = "timestamp,line,service_name,http_method,labels\n2023-11-14T22:13:20.000000001Z,\"cannot order \"\"tea\"\"\nno stock\",cart,GET,\"{\"\"detected_level\"\":\"\"error\"\",";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("\n2023-11-14T22:13:20.000000003Z,\"{\"\"a\"\":1}\",shop,,\"{"), "{text}");
    let answer = world.get("/api/v1/export?language=sql&format=csv&query=SELECT%20trace_id%20FROM%20logs%20ORDER%20BY%20timestamp%20LIMIT%202").await;
    assert_eq!(answer.text(), "trace_id\n5b8efff798038103d269b633813fc60c\n\"\"\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_and_parquet_are_whole_files_with_and_without_rows() {
    for world in [World::head().await, World::segments().await] {
        for (query, count) in [("", 4), ("nothing_like_this", 0)] {
            let body = json!({ "query": query, "start": 1_700_000_000, "end": 1_700_000_010, "format": "arrow", "filename": "my logs.arrows" });
            let request = Request::post("/api/v1/export").header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
            let response = world.respond(request).await;
            assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"my logs.arrows\"");
            assert_eq!(response.headers()["content-type"], "application/vnd.apache.arrow.stream");
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            // The mark of the end.
            assert!(bytes.ends_with(&[255, 255, 255, 255, 0, 0, 0, 0]));
            let batches: Vec<_> = StreamReader::try_new(&bytes[..], None).unwrap().map(|rows| rows.unwrap()).collect();
            assert_eq!(batches.iter().map(|rows| rows.num_rows()).sum::<usize>(), count);
            let bodies: Vec<Option<&str>> = batches.iter().flat_map(|rows| rows.column_by_name("body").unwrap().as_string::<i32>().iter()).collect();
            let want = [Some("cannot order \"tea\"\nno stock"), Some("ordered coffee"), Some("{\"a\":1}"), None];
            assert!(bodies.len() == count && want.iter().all(|body| count == 0 || bodies.contains(body)), "{bodies:?}");

            let answer = world.get(&format!("/api/v1/export?format=parquet&query={query}&{RANGE}")).await;
            assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/vnd.apache.parquet"));
            assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"));
        }
        assert_eq!(world.get(&format!("/api/v1/export?query=nothing_like_this&{RANGE}")).await.text(), "");
        let answer = world.get(&format!("/api/v1/export?query=nothing_like_this&format=csv&fields=body,user&{RANGE}")).await;
        assert_eq!(answer.text(), "body,user\n");
    }
}

/// A server with so many records in each of two segments.
async fn large(rows: i64) -> (axum::Router, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 60_000_000_000));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    for half in 0..2 {
        for first in (half * rows..(half + 1) * rows).step_by(1_000) {
            let mut builder = LogBuilder::default();
            builder.set_resource("{\"service.name\":\"bulk\"}", "bulk");
            builder.set_scope("{}");
            (first..first + 1_000).for_each(|number| builder.close_row(&LogRow { timestamp_ns: T0 + number, body: Some("line"), ..LogRow::default() }));
            store.append(&Tenant::default(), vec![Batch::Logs(builder.finish())]).await.unwrap();
        }
        store.flush().await.unwrap();
    }
    let engine = Engine::new(store, clock, Settings { partitions: 1, ..Settings::default() });
    (signalbox_api::router(&ApiState::new(Arc::new(engine))), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_breaks_off_where_reading_fails() {
    use http_body_util::BodyExt;
    let (router, _dir) = large(10_000).await;
    // The last row of a segment cannot be computed.
    let query = format!("SELECT%20body,1/(CAST(timestamp%20AS%20BIGINT)-{})%20AS%20part%20FROM%20logs", T0 + 19_999);
    for format in ["ndjson", "csv", "arrow", "parquet"] {
        let uri = format!("/api/v1/export?format={format}&language=sql&query={query}");
        let response = router.clone().oneshot(Request::get(&uri).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{format}");
        let (mut body, mut bytes, mut is_broken) = (response.into_body(), Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(frame.data_ref().unwrap()),
                Err(_) => is_broken = true,
            }
        }
        assert!(is_broken, "{format}");
        if format == "ndjson" {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.lines().count() >= 4_096 && text.lines().all(|line| line.starts_with("{\"body\":\"line\",\"part\":") && line.ends_with('}')));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_with_the_reason() {
    let world = World::head().await;
    for (query, want) in [
        ("format=xlsx", "format"),
        ("language=promql", "language"),
        ("limit=10", "parameter \"limit\""),
        ("order=time", "parameter \"order\""),
        ("query=SELECT%201", "say language=sql"),
        ("query=SELECT%201&language=sql&start=0", "start"),
        ("query=SELECT%201&language=sql&fields=a", "fields"),
        ("query=DROP%20TABLE%20logs&language=sql", "want one select"),
        ("query=SELECT%201%20AS%20a&language=sql&format=parquet&fields=", ""),
        ("query=SELECT%20a.body,b.body%20FROM%20logs%20a%20CROSS%20JOIN%20logs%20b&language=sql", "two columns"),
        ("query=SELECT%201/(count(*)-4)%20FROM%20logs&language=sql", "zero"),
        ("language=sql", "empty query"),
        ("query=rate(%7Ba%3D%22b%22%7D[5m])&language=logql&fields=a", "fields"),
        ("query=rate(%7Ba%3D%22b%22%7D[5m])&language=logql&step=-1s", "step"),
        ("query=tea&step=5s", "step"),
        ("query=%7Ba%3D", "line 1"),
        ("query=a%20AND", "line 1"),
        ("query=/(/", "regular expression"),
        ("start=soon", "start"),
        ("start=now&end=now-1h", "end is before start"),
        ("fields=a,a", "twice"),
        (&format!("fields={}", "a,".repeat(101)), "more than 100"),
        ("filename=..%2Fpasswd", "filename"),
        ("filename=a%22%0D%0Ab", "filename"),
        (&format!("filename={}", "a".repeat(121)), "filename"),
    ] {
        let answer = world.get(&format!("/api/v1/export?{query}")).await;
        if want.is_empty() {
            assert_eq!(answer.status, 200, "{query}: {}", answer.text());
            continue;
        }
        assert!((400..500).contains(&answer.status), "{query}: {} {}", answer.status, answer.text());
        assert!(answer.json()["error"]["message"].as_str().unwrap().to_lowercase().contains(want), "{query}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn series_and_spans_are_exported_too() {
    for world in [World::head().await, World::segments().await] {
        let query = "sum%20by%20(service_name)%20(count_over_time(%7Bservice_name%3D%22cart%22%7D%5B10s%5D))";
        let answer = world.get(&format!("/api/v1/export?language=logql&query={query}&start=1700000005&end=1700000010&step=5s&format=csv")).await;
        assert_eq!(answer.text(), "timestamp,labels,value\n2023-11-14T22:13:25Z,\"{\"\"service_name\"\":\"\"cart\"\"}\",2.0\n");
        let answer = world.get("/api/v1/export?language=traceql&query=%7B%7D&start=1699990000&end=1700010000").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let rows: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["trace_id"].is_string() && row["duration_ns"].is_number()), "{rows:?}");
        let answer = world.get("/api/v1/export?language=traceql&query=%7B%7D%20%7C%20rate()&start=1699999980&end=1700000040&step=30s").await;
        assert!(answer.text().lines().count() >= 1, "{}", answer.text());
        for wrong in ["query=%7B%7D&fields=a", "query=%7B%7D&step=1s", "query=%7B%20%7D%20%7C%20rate()&step=0", "query=%7B"] {
            let answer = world.get(&format!("/api/v1/export?language=traceql&{wrong}")).await;
            assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
        }
    }
}
