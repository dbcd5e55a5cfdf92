//! What is true of every path of Prometheus' dialect: other origins, methods, paths that do not exist.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};

use crate::world::World;

async fn send(world: &World, method: Method, path: &str, origin: Option<&str>) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    world.respond(request.body(Body::empty()).unwrap()).await
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_ask() {
    let world = World::head().await;
    for (method, path, status) in [
        (Method::GET, "/api/v1/query?query=1", 200),
        (Method::GET, "/api/v1/query?query=(", 400),
        (Method::GET, "/prometheus/api/v1/labels", 200),
        (Method::OPTIONS, "/api/v1/query", 204),
        (Method::OPTIONS, "/api/v1/label/job/values", 204),
    ] {
        let response = send(&world, method, path, Some("http://grafana.example")).await;
        assert_eq!((response.status().as_u16(), header(&response, "access-control-allow-origin").as_str()), (status, "*"), "{path}");
        assert_eq!(header(&response, "access-control-allow-methods"), "GET, POST, OPTIONS");
        assert_eq!(header(&response, "access-control-allow-headers"), "Accept, Authorization, Content-Type, Origin");
        assert_eq!(header(&response, "vary"), "Origin");
    }
    let response = send(&world, Method::GET, "/api/v1/query?query=1", None).await;
    assert_eq!((header(&response, "access-control-allow-origin").as_str(), header(&response, "vary").as_str()), ("", "Origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_origins_that_match_may_ask() {
    let settings = signalbox_api::prometheus::Settings { cors_origin: r"https?://(a|b)\.example".into(), ..Default::default() };
    let world = World::with(settings).await;
    for (origin, want) in [("http://a.example", "http://a.example"), ("http://c.example", ""), ("http://a.example.evil", "")] {
        let response = send(&world, Method::GET, "/api/v1/query?query=1", Some(origin)).await;
        assert_eq!((response.status().as_u16(), header(&response, "access-control-allow-origin").as_str()), (200, want));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_said_in_the_envelope() {
    let world = World::head().await;
    for path in ["/api/v1/nothing", "/api/v1/", "/api/v1/label/x", "/prometheus/api/v1/status/x"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.json()["errorType"].as_str()), (404, Some("not_found")), "{path}");
        assert!(answer.json()["error"].as_str().unwrap().contains("openapi.yaml"), "{path}");
    }
    for (method, path) in [(Method::POST, "/api/v1/rules"), (Method::DELETE, "/api/v1/series"), (Method::PUT, "/api/v1/query")] {
        let response = send(&world, method, path, None).await;
        assert_eq!(response.status(), 405, "{path}");
        assert!(header(&response, "allow").contains("GET"), "{path}");
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        assert_eq!(body, "Method Not Allowed\n", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_an_answer_without_its_body() {
    let world = World::head().await;
    let response = send(&world, Method::HEAD, "/api/v1/query?query=1", None).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type").as_str()), (200, "application/json"));
    assert!(axum::body::to_bytes(response.into_body(), 1_000).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown() {
    let settings = signalbox_api::prometheus::Settings {
        external_labels: [("region".to_owned(), "eu \"west\"".to_owned())].into(),
        admin_api: true,
        ..Default::default()
    };
    let world = World::with(settings).await;
    let yaml = world.get("/api/v1/status/config").await.json()["data"]["yaml"].as_str().unwrap().to_owned();
    let parsed: serde_json::Value = serde_norway::from_str(&yaml).unwrap();
    assert_eq!(parsed["global"]["external_labels"]["region"], "eu \"west\"", "{yaml}");
    let flags = world.get("/api/v1/status/flags").await.json();
    assert_eq!((&flags["data"]["web.enable-admin-api"], &flags["data"]["query.lookback-delta"]), (&"true".into(), &"5m".into()));
    let features = world.get("/api/v1/features").await.json();
    assert_eq!((&features["data"]["api"]["admin"], &features["data"]["promql_functions"]["info"]), (&true.into(), &true.into()));
    for path in ["/version", "/prometheus/version"] {
        assert_eq!(world.get(path).await.json()["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_cardinality_have_the_words_of_prometheus() {
    let world = World::head().await;
    for (limit, want) in [
        ("x", "limit must be a positive number"),
        ("0", "limit must be a positive number"),
        ("-1", "limit must be a positive number"),
        ("10001", "limit must not exceed 10000"),
    ] {
        let answer = world.get(&format!("/api/v1/status/tsdb?limit={limit}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(want)), "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_shown_as_blocks() {
    let head = World::head().await.get("/api/v1/status/tsdb/blocks").await.json();
    assert_eq!(head["data"]["blocks"], serde_json::json!([]));
    let flushed = World::segments().await.get("/api/v1/status/tsdb/blocks").await.json();
    let samples: u64 = flushed["data"]["blocks"].as_array().unwrap().iter().map(|block| block["stats"]["numSamples"].as_u64().unwrap()).sum();
    assert_eq!(samples, 20, "{flushed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_of_notices_begins_at_once() {
    let world = World::head().await;
    let response = send(&world, Method::GET, "/api/v1/notifications/live", None).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type").as_str()), (200, "text/event-stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_feature_that_prometheus_names_is_answered() {
    let Some(golden) = signalbox_testkit::conformance::read("api/prometheus/features.json") else { return };
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let own = World::head().await.get("/api/v1/features").await.json()["data"].clone();
    let names = |value: &serde_json::Value| -> Vec<String> {
        let categories = value.as_object().unwrap().iter();
        categories.flat_map(|(category, names)| names.as_object().unwrap().keys().map(move |name| format!("{category}/{name}"))).collect()
    };
    let own = names(&own);
    let missing: Vec<String> = names(&golden).into_iter().filter(|name| !own.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
