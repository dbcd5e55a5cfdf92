//! Admin endpoints: off unless asked for; deletions are seen at once and cost nothing else.

use axum::body::Body;
use http::{Method, Request};
use signalbox_api::prometheus::Settings;

use crate::world::{Answer, World};

async fn send(world: &World, method: Method, path: &str, form: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/x-www-form-urlencoded");
    world.send(request.body(Body::from(form.replace("[]", "%5B%5D"))).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_unless_the_settings_allow_it() {
    let world = World::head().await;
    for path in ["delete_series?match%5B%5D=up", "clean_tombstones", "snapshot"] {
        let answer = send(&world, Method::POST, &format!("/api/v1/admin/tsdb/{path}"), "").await;
        let want = r#"{"status":"error","errorType":"unavailable","error":"admin APIs disabled"}"#;
        assert_eq!((answer.status, answer.text().as_str()), (500, want), "{path}");
    }
    assert_eq!(world.get("/api/v1/query?query=up&time=1700000030").await.json()["data"]["result"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_at_once() {
    let world = World::with(Settings { admin_api: true, ..Settings::default() }).await;
    let count = async || {
        world.get("/api/v1/query?query=count_over_time(%7B__name__%3D~%22up%7Crequests_total%22%7D%5B2m%5D)&time=1700000060").await.json()["data"]["result"]
            .clone()
    };
    assert_eq!(count().await.as_array().unwrap().len(), 3);
    // One series over a part of its time, another as a whole.
    let answer = send(&world, Method::PUT, "/api/v1/admin/tsdb/delete_series?match%5B%5D=up%7Bjob%3D%22cart%22%7D&end=1700000015", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    let answer = send(&world, Method::POST, "/api/v1/admin/tsdb/delete_series", "match[]=requests_total&match[]=nothing").await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let left = count().await;
    let values: Vec<(&str, &str)> =
        left.as_array().unwrap().iter().map(|series| (series["metric"]["job"].as_str().unwrap(), series["value"][1].as_str().unwrap())).collect();
    assert_eq!(values, [("cart", "3"), ("shop", "5")]);
    assert_eq!(world.get("/api/v1/label/__name__/values").await.json()["data"], serde_json::json!(["latency_seconds", "up"]));
    assert_eq!(send(&world, Method::POST, "/api/v1/admin/tsdb/clean_tombstones", "").await.status, 204);
    assert_eq!(count().await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_make_no_sense_are_refused() {
    let world = World::with(Settings { admin_api: true, ..Settings::default() }).await;
    for (query, want) in [
        ("", "no match[] parameter provided"),
        ("match[]=up&start=x", "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp"),
        ("match[]=%7B%7D", "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"),
        ("match[]=up&match[]=%7B", "invalid parameter \"match[]\": 1:2: parse error: unexpected end of input inside braces"),
    ] {
        let answer = send(&world, Method::POST, "/api/v1/admin/tsdb/delete_series", query).await;
        let json = answer.json();
        assert_eq!((answer.status, json["errorType"].as_str(), json["error"].as_str()), (400, Some("bad_data"), Some(want)), "{query}");
    }
    assert_eq!(world.get("/api/v1/admin/tsdb/delete_series?match%5B%5D=up").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_a_name() {
    let world = World::with(Settings { admin_api: true, ..Settings::default() }).await;
    let answer = send(&world, Method::POST, "/api/v1/admin/tsdb/snapshot?skip_head=false", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let name = answer.json()["data"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("20231114T221420Z-"), "{name}");
    assert!(world.dir().join("snapshots").join(&name).is_dir(), "{name}");
    let answer = send(&world, Method::POST, "/api/v1/admin/tsdb/snapshot?skip_head=maybe", "").await;
    let want = "invalid parameter \"skip_head\": unable to parse boolean: strconv.ParseBool: parsing \"maybe\": invalid syntax";
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(want)));
}
