//! What a handler that panics costs, by side and protocol.

use axum::routing::post;
use signalbox_telemetry::SystemClock;
use tower::ServiceExt as _;

use super::*;

async fn panicking() -> &'static str {
    panic!("a bug")
}

async fn ask(side: Side, content_type: &'static str) -> Response {
    let front = Front { clock: Arc::new(SystemClock), trust_tenant_header: false, writes: TaskTracker::new() };
    let router = front.before(side, Router::new().route("/", post(panicking)));
    router.oneshot(Request::post("/").header("content-type", content_type).body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_question_that_panics_is_500_and_counted() {
    let panics = registry().counter(names::HTTP_PANICS_TOTAL, &[("side", "read")]);
    let before = panics.get();
    let response = ask(Side::Read, "application/json").await;
    assert_eq!((response.status(), panics.get() - before), (StatusCode::INTERNAL_SERVER_ERROR, 1));
    assert!(response.headers().contains_key(REQUEST_ID));
}

#[tokio::test]
async fn telemetry_that_meets_a_panic_is_asked_for_again() {
    let response = ask(Side::Write, "application/json").await;
    assert_eq!((response.status(), response.headers()["retry-after"].to_str().unwrap()), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    let response = ask(Side::Write, "application/grpc").await;
    assert_eq!((response.status(), response.headers()["grpc-status"].to_str().unwrap()), (StatusCode::OK, "14"));
}

#[tokio::test]
async fn questions_are_counted_by_their_dialect() {
    let front = Front { clock: Arc::new(SystemClock), trust_tenant_header: false, writes: TaskTracker::new() };
    let found = || Router::new().route("/api/v2/search", post(|| async {}));
    let counted = |dialect| registry().counter(names::API_REQUESTS_TOTAL, &[("dialect", dialect), ("status", "2xx")]).get();
    let before = (counted("tempo"), counted("prometheus"));
    for router in [front.before_dialect("tempo", found()), front.before(Side::Read, found())] {
        router.oneshot(Request::post("/api/v2/search").body(Body::empty()).unwrap()).await.unwrap();
    }
    assert_eq!((counted("tempo") - before.0, counted("prometheus") - before.1), (1, 1), "by the address, then by the path");
    let by_path =
        ["/loki/api/v1/query", "/api/v1/logs/search", "/api/v1/alerting/routes", "/api/v1/query", "/alertmanager/api/v2/alerts", "/prometheus/api/v1/sql"];
    assert_eq!(by_path.map(dialect), ["loki", "native", "native", "prometheus", "alertmanager", "prometheus"]);
}
