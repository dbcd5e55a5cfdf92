//! Loki's API beyond its golden files: deletion, thinning, forms, and what a listener of its own has.

use axum::body::Body;
use http::{Method, Request};

use crate::world::{Answer, World};

const ALL: &str = "%7Bservice_name%3D~%22.%2B%22%7D";

async fn send(world: &World, method: Method, path: &str) -> Answer {
    world.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

async fn lines(world: &World, parameters: &str) -> Vec<String> {
    let answer = world.get(&format!("/loki/api/v1/query_range?query={ALL}&start=1700000000&end=1700000010&{parameters}")).await.json();
    let streams = answer["data"]["result"].as_array().unwrap().clone();
    let mut values: Vec<(String, String)> = Vec::new();
    for value in streams.iter().flat_map(|stream| stream["values"].as_array().unwrap()) {
        values.push((value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap().to_owned()));
    }
    values.sort();
    values.into_iter().map(|(_, line)| line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_deleted_by_query() {
    let world = World::deleting().await;
    assert_eq!(send(&world, Method::GET, "/loki/api/v1/delete").await.text(), "[]");
    let path = "/loki/api/v1/delete?query=%7Bservice_name%3D%22cart%22%7D%20%7C%3D%20%22coffee%22&start=1700000000";
    let answer = send(&world, Method::POST, path).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(lines(&world, "").await, ["cannot order \"tea\"\nno stock", "{\"a\":1}", ""]);
    let listed = send(&world, Method::GET, "/loki/api/v1/delete").await.json();
    let id = listed[0]["request_id"].as_str().unwrap().to_owned();
    let want = serde_json::json!([{
        "request_id": id, "start_time": 1_700_000_000, "end_time": 1_700_000_060, "query": "{service_name=\"cart\"} |= \"coffee\"",
        "status": "processed", "created_at": 1_700_000_060, "deleted_lines": 1,
    }]);
    assert_eq!(listed, want);
    assert_eq!(send(&world, Method::GET, "/loki/api/v1/delete?start=1500000000&end=1600000000").await.text(), "[]");
    let answer = send(&world, Method::DELETE, &format!("/loki/api/v1/delete?request_id={id}")).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "deletion of request which is in process or already processed is not allowed"));
    let answer = send(&world, Method::DELETE, "/loki/api/v1/delete?request_id=00").await;
    assert_eq!((answer.status, answer.text().as_str()), (404, "could not find delete request with given id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_make_no_sense_are_refused() {
    let world = World::deleting().await;
    let cases = [
        ("start=1700000000", "query not set"),
        ("query=%7Ba%3D%22b%22%7D", "start time not set"),
        ("query=%7Ba%3D%22b%22%7D&start=yesterday", "cannot parse \"yesterday\" to a valid timestamp"),
        ("query=%7Ba%3D%22b%22%7D&start=1700000000&end=1700000061", "deletes in the future are not allowed"),
        ("query=%7Ba%3D%22b%22%7D&start=1700000001&end=1700000001", "start time can't be greater than or equal to end time"),
        ("query=vector(1)&start=1700000000", "cannot delete by a metric query: want a query for log records"),
    ];
    for (parameters, want) in cases {
        let answer = send(&world, Method::POST, &format!("/loki/api/v1/delete?{parameters}")).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, want), "{parameters}");
    }
    assert_eq!(send(&world, Method::POST, "/loki/api/v1/delete?query=%7B%7D&start=1700000000").await.status, 400);
    assert_eq!(lines(&world, "").await.len(), 4);
    let off = World::head().await;
    for method in [Method::POST, Method::PUT, Method::GET, Method::DELETE] {
        assert_eq!(send(&off, method, "/loki/api/v1/delete?query=%7Ba%3D%22b%22%7D&start=1700000000").await.status, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_lie_an_interval_apart() {
    for world in [World::head().await, World::segments().await] {
        assert_eq!(lines(&world, "direction=forward&interval=0.000000002").await, ["cannot order \"tea\"\nno stock", "{\"a\":1}"]);
        assert_eq!(lines(&world, "direction=backward&interval=0.000000002").await, ["ordered coffee", ""]);
        assert_eq!(lines(&world, "direction=backward&interval=1s").await, [""]);
        assert_eq!(lines(&world, "direction=forward&interval=0.000000001&limit=3").await.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_read_everywhere() {
    let world = World::head().await;
    for path in ["index/stats", "index/volume", "index/volume_range", "patterns", "detected_fields", "detected_labels", "series", "labels", "index/shards"] {
        let parameters = format!("query={ALL}&match[]={ALL}&start=1700000000&end=1700000010");
        let by_url = world.get(&format!("/loki/api/v1/{path}?{parameters}")).await;
        let request = Request::post(format!("/loki/api/v1/{path}")).header("content-type", "application/x-www-form-urlencoded");
        let by_form = world.send(request.body(Body::from(parameters)).unwrap()).await;
        assert_eq!((by_url.status, by_url.text()), (200, by_form.text()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_its_own_has_what_loki_has_at_the_root() {
    let world = World::as_loki().await;
    for (path, status) in [
        ("/loki/api/v1/labels", 200),
        ("/loki/ready", 200),
        ("/services", 200),
        ("/config", 200),
        ("/prometheus/api/v1/rules", 200),
        ("/prometheus/api/v1/alerts", 200),
        ("/loki/prometheus/api/v1/rules", 200),
        ("/ring", 404),
        ("/log_level", 404),
        ("/api/prom/tail", 410),
        ("/api/prom/label/job/values", 410),
        ("/flush", 405),
    ] {
        assert_eq!(world.get(path).await.status, status, "{path}");
    }
    assert_eq!(send(&world, Method::POST, "/flush").await.status, 204);
    assert_eq!(lines(&world, "").await.len(), 4);
}
