//! Loki's API beyond its golden files: deletion, thinning, forms, and what a listener of its own has.

use axum::body::Body;
use http::{Method, Request};

use signalbox_proto::loki::{Answer as Message, QueryResponse};
use signalbox_proto::prost::Message as _;

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
    let mut want = serde_json::json!([{
        "request_id": id, "start_time": 1_700_000_000, "end_time": 1_700_000_060, "query": "{service_name=\"cart\"} |= \"coffee\"",
        "status": "received", "created_at": 1_700_000_060, "user_id": "", "deleted_lines": 1,
    }]);
    assert_eq!(listed, want);
    assert_eq!(send(&world, Method::GET, "/loki/api/v1/delete?start=1500000000&end=1600000000").await.text(), "[]");
    world.state.engine.clean_tombstones().await.unwrap();
    want[0]["status"] = "processed".into();
    assert_eq!(send(&world, Method::GET, "/loki/api/v1/delete").await.json(), want);
    let answer = send(&world, Method::DELETE, &format!("/loki/api/v1/delete?request_id={id}&force=true")).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "deletion of request which is in process or already processed is not allowed"));
    let answer = send(&world, Method::DELETE, "/loki/api/v1/delete?request_id=00").await;
    assert_eq!((answer.status, answer.text().as_str()), (404, "could not find delete request with given id"));
}

async fn deletions(world: &World, parameters: &str) -> serde_json::Value {
    world.get(&format!("/api/v1/logs/deletions?{parameters}")).await.json()["deletions"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_kept_with_who_asked_for_them() {
    let world = World::deleting().await;
    assert_eq!(deletions(&world, "").await, serde_json::json!([]));
    let mut request = Request::post("/loki/api/v1/delete?query=%7Bservice_name%3D%22cart%22%7D&start=1700000000&end=1700000060")
        .header("user-agent", "logcli/3.8.0")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(signalbox_api::http::RemoteAddress("10.0.0.7:51234".parse().unwrap()));
    assert_eq!(world.send(request).await.status, 204);
    let id = deletions(&world, "").await[0]["request"].as_str().unwrap().to_owned();
    let mut want = serde_json::json!([{
        "request": id, "state": "masked", "query": "{service_name=\"cart\"}", "start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:14:20Z",
        "asked_at": "2023-11-14T22:14:20Z", "asker": "10.0.0.7:51234 for 192.0.2.1, logcli/3.8.0", "records": 2, "masked_at": "2023-11-14T22:14:20Z", "note": "",
    }]);
    assert_eq!(deletions(&world, "").await, want);
    world.restarted().await;
    assert_eq!(deletions(&world, "").await, want, "a start finds it as it was");
    world.state.engine.clean_tombstones().await.unwrap();
    want[0]["state"] = "erased".into();
    want[0]["ended_at"] = "2023-11-14T22:14:20Z".into();
    assert_eq!(deletions(&world, "").await, want);
    // What selects nothing is over at once.
    assert_eq!(send(&world, Method::POST, "/loki/api/v1/delete?query=%7Ba%3D%22b%22%7D&start=1700000000").await.status, 204);
    let listed = deletions(&world, "").await;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["state"], &listed[0]["records"], &listed[0]["asker"]),
        (2, &"erased".into(), &0.into(), &"unknown".into())
    );
    assert_eq!(deletions(&world, "state=masked&state=asked").await, serde_json::json!([]));
    assert_eq!(deletions(&world, &format!("state=erased&request={id}")).await, want);
    assert_eq!(deletions(&world, "limit=1").await, serde_json::json!([listed[0]]));
    assert_eq!(deletions(&world, "start=1500000000&end=1600000000").await, serde_json::json!([]));
    assert_eq!(world.get_as("blue", "/api/v1/logs/deletions").await.json()["deletions"], serde_json::json!([]), "those of others are theirs");
    for wrong in ["state=gone", "limit=0", "limit=1001", "limit=x", "start=x"] {
        assert_eq!(world.get(&format!("/api/v1/logs/deletions?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_cancelled_until_something_is_erased() {
    let world = World::deleting().await;
    let whole = lines(&world, "").await;
    let coffee = "/loki/api/v1/delete?query=%7Bservice_name%3D%22cart%22%7D%20%7C%3D%20%22coffee%22&start=1700000000";
    assert_eq!(send(&world, Method::POST, coffee).await.status, 204);
    let id = deletions(&world, "").await[0]["request"].as_str().unwrap().to_owned();
    let answer = send(&world, Method::DELETE, &format!("/loki/api/v1/delete?request_id={id}")).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(lines(&world, "").await, whole);
    world.state.engine.clean_tombstones().await.unwrap();
    assert_eq!(lines(&world, "").await, whole);
    let listed = deletions(&world, "").await;
    assert_eq!((&listed[0]["state"], &listed[0]["note"], &listed[0]["records"]), (&"cancelled".into(), &"cancelled by unknown".into(), &1.into()));
    assert_eq!(send(&world, Method::GET, "/loki/api/v1/delete").await.text(), "[]", "Loki forgets it");
    assert_eq!(send(&world, Method::DELETE, &format!("/loki/api/v1/delete?request_id={id}")).await.status, 404);
    // The same again is another request.
    assert_eq!(send(&world, Method::POST, coffee).await.status, 204);
    assert_eq!((lines(&world, "").await.len(), deletions(&world, "").await.as_array().unwrap().len()), (whole.len() - 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_broke_off_is_found_out_at_the_next_start() {
    use signalbox_meta::{LogDeletion, LogDeletionState as State, LogDeletionStep};
    let world = World::deleting().await;
    let meta = world.meta();
    let engine = &world.state.engine;
    let deletion = |request: &str, state: State| LogDeletion {
        request: request.to_owned(),
        tenant: "default".to_owned(),
        query: format!("{{service_name=\"{request}\"}}"),
        start_ns: 0,
        end_ns: i64::MAX,
        asked_at_ns: 1,
        asker: "somebody".to_owned(),
        state,
        records: (state != State::Asked).then_some(2),
        masked_at_ns: (state != State::Asked).then_some(2),
        ended_at_ns: None,
        note: String::new(),
    };
    let mask = async |request: &str| {
        let reason = format!("request {request} from 0 to {}: {{service_name=\"{request}\"}}", i64::MAX);
        let signalbox_lang::logql::Expr::Logs(expr) = signalbox_lang::logql::parse(&format!("{{service_name=\"{request}\"}}")).unwrap() else {
            panic!("records")
        };
        engine.delete_logs(&signalbox_model::Tenant::default(), expr, signalbox_model::TimeRange::ALL, &reason).await.unwrap();
    };
    // Written down and no more; deleted and not written down; cancelled and not written down; not cancelled yet.
    for (request, state, is_masked) in
        [("none", State::Asked, false), ("shop", State::Asked, true), ("gone", State::Cancelling, false), ("cart", State::Cancelling, true)]
    {
        assert!(meta.add_log_deletion(&deletion(request, state)).await.unwrap());
        if is_masked {
            mask(request).await;
        }
    }
    let states = async || -> Vec<(String, String)> {
        let listed = deletions(&world, "").await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        listed.as_array().unwrap().iter().map(|each| (text(&each["request"]), text(&each["state"]))).collect()
    };
    let pairs = |pairs: [(&str, &str); 4]| pairs.map(|(request, state)| (request.to_owned(), state.to_owned()));
    // As long as it runs, what is under way is left alone.
    assert_eq!(states().await, pairs([("cart", "cancelling"), ("gone", "cancelled"), ("shop", "masked"), ("none", "asked")]));
    world.restarted().await;
    assert_eq!(states().await, pairs([("cart", "masked"), ("gone", "cancelled"), ("shop", "masked"), ("none", "failed")]));
    let listed = deletions(&world, "").await;
    assert_eq!((&listed[2]["records"], &listed[3]["note"]), (&1.into(), &"the server stopped before anything was deleted".into()));
    let step = LogDeletionStep { tenant: "default", request: "cart", from: State::Masked, to: State::Masked, at_ns: 0, records: None, note: "" };
    assert!(meta.move_log_deletion(&step).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_make_no_sense_are_refused() {
    let world = World::deleting().await;
    let cases = [
        ("start=1700000000", "query not set"),
        ("query=%7Ba%3D%22b%22%7D", "start time not set"),
        ("query=%7Ba%3D%22b%22%7D&start=yesterday", "invalid start time: require unix seconds or RFC3339 format"),
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
        let parameters = format!("query={ALL}&match[]={ALL}&start=1700000000&end=1700000010&targetBytesPerShard=1MB");
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
        ("/config/tenant/v1/limits", 200),
        ("/prometheus/api/v1/rules", 200),
        ("/prometheus/api/v1/alerts", 200),
        ("/loki/prometheus/api/v1/rules", 200),
        ("/ring", 404),
        ("/log_level", 404),
        ("/api/prom/tail", 410),
        ("/api/prom/label/job/values", 410),
    ] {
        assert_eq!(world.get(path).await.status, status, "{path}");
    }
    assert_eq!(send(&world, Method::POST, "/flush").await.status, 204);
    assert_eq!(lines(&world, "").await.len(), 4);
}

/// The same question, answered as a message.
async fn message(world: &World, path: &str) -> Message {
    let request = Request::get(path).header("accept", "application/vnd.google.protobuf").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/vnd.google.protobuf"), "{path}: {}", answer.text());
    let response = QueryResponse::decode(answer.body.as_slice()).unwrap();
    assert_eq!(response.status.unwrap().code, 0, "{path}");
    response.response.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_say_what_json_says() {
    for world in [World::head().await, World::segments().await] {
        let path = |path: &str, more: &str| format!("/loki/api/v1/{path}?query={ALL}&start=1700000000&end=1700000010&{more}");
        let json = async |path: &str| world.get(path).await.json();

        let labels = path("labels", "");
        let Message::Labels(found) = message(&world, &labels).await else { panic!() };
        assert_eq!(serde_json::json!({ "status": found.status, "data": found.data }), json(&labels).await);
        assert_eq!(found.version, 1);
        let series = path("series", "");
        let Message::Series(found) = message(&world, &series).await else { panic!() };
        assert_eq!(found.data.len(), json(&series).await["data"].as_array().unwrap().len());

        let streams = path("query_range", "direction=forward&limit=7");
        let Message::Streams(found) = message(&world, &streams).await else { panic!() };
        assert_eq!((found.direction, found.limit, found.version), (0, 7, 1));
        let data = found.data.unwrap();
        let told: Vec<(String, String)> =
            data.result.iter().flat_map(|stream| &stream.entries).map(|entry| (entry.timestamp.unwrap().to_ns().to_string(), entry.line.clone())).collect();
        let answer = json(&streams).await;
        let values = answer["data"]["result"].as_array().unwrap().iter().flat_map(|stream| stream["values"].as_array().unwrap());
        let want: Vec<(String, String)> = values.map(|value| (value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap().to_owned())).collect();
        assert_eq!(told, want);
        // Flat, a stream has all labels of its records, which carry their own beside.
        let stream = data.result.iter().find(|stream| stream.entries.iter().any(|entry| !entry.structured_metadata.is_empty())).unwrap();
        let own = &stream.entries[0].structured_metadata[0];
        assert!(stream.labels.contains(&format!("{}=\"{}\"", own.name, own.value)), "{stream:?}");
        let summary = found.statistics.unwrap().summary.unwrap();
        assert_eq!(summary.total_entries_returned, 4);

        let count = "/loki/api/v1/query_range?query=sum(count_over_time(%7Bservice_name%3D~%22.%2B%22%7D%5B10s%5D))&start=1700000005&end=1700000015&step=5";
        let Message::Metric(found) = message(&world, count).await else { panic!() };
        let data = found.response.unwrap().data.unwrap();
        let points: Vec<(i64, f64)> = data.result[0].samples.iter().map(|sample| (sample.timestamp_ms, sample.value)).collect();
        assert_eq!((data.result_type.as_str(), points), ("matrix", vec![(1_700_000_005_000, 4.0), (1_700_000_010_000, 4.0)]));

        let stats = path("index/stats", "");
        let Message::Stats(found) = message(&world, &stats).await else { panic!() };
        assert_eq!(found.response.unwrap().entries, json(&stats).await["entries"].as_u64().unwrap());
        let Message::Shards(found) = message(&world, &path("index/shards", "targetBytesPerShard=1MB")).await else { panic!() };
        assert_eq!(found.response.unwrap().shards[0].bounds.unwrap().max, u64::MAX);
        let Message::Metric(found) = message(&world, &path("index/volume", "")).await else { panic!() };
        assert_eq!(found.response.unwrap().data.unwrap().result_type, "vector");
        let Message::Patterns(found) = message(&world, &path("patterns", "step=1m")).await else { panic!() };
        assert_eq!(found.response.unwrap().series.iter().flat_map(|series| &series.samples).map(|sample| sample.value).sum::<i64>(), 3);
        let Message::DetectedFields(found) = message(&world, &path("detected_fields", "")).await else { panic!() };
        assert!(found.response.unwrap().fields.iter().any(|field| field.label == "a" && field.parsers == ["json"]));
        let Message::DetectedLabels(found) = message(&world, &path("detected_labels", "")).await else { panic!() };
        assert!(found.response.unwrap().detected_labels.iter().any(|label| label.label == "service_name" && label.cardinality == 3));
        // Refusals are text in any case, and nothing but the very name asks for a message.
        let request = Request::get(path("labels", "start=x").replace("start=1700000000&", "")).header("accept", "application/vnd.google.protobuf");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"));
        let request = Request::get(path("labels", "")).header("accept", "application/vnd.google.protobuf, application/json");
        assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.content_type, "application/json; charset=UTF-8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_lokis_order_and_words() {
    let world = World::head().await;
    let count = "sum(count_over_time(%7Ba%3D%22b%22%7D%5B1m%5D))";
    for (path, want) in [
        (format!("query_range?query={ALL}&start=abc"), "could not parse 'start' parameter: strconv.ParseInt: parsing \"abc\": invalid syntax"),
        (format!("query_range?query={ALL}&end=now"), "could not parse 'end' parameter: strconv.ParseInt: parsing \"now\": invalid syntax"),
        (format!("query_range?query={ALL}&since=x"), "could not parse 'since' parameter: cannot parse \"x\" to a valid duration"),
        (format!("query_range?query={ALL}&step=0"), "zero or negative query resolution step widths are not accepted. Try a positive integer"),
        (
            format!("query_range?query={ALL}&start=1&end=1700000000&step=1"),
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
        ),
        (format!("query_range?query={ALL}&limit=5000000000"), "max entries limit per query exceeded, limit > max_entries_limit_per_query (5000000000 > 50000)"),
        (format!("query_range?query={count}&limit=0"), "limit must be a positive value"),
        ("query_range?query=%7B&limit=0".to_owned(), "limit must be a positive value"),
        (format!("query_range?query={count}&direction=up"), "invalid direction 'up': want forward or backward"),
        (format!("query?query={count}&limit=-1"), "limit must be a positive value"),
        (format!("query?query={count}&direction=up"), "invalid direction 'up': want forward or backward"),
        (format!("index/stats?query={ALL}&step=0"), "zero or negative query resolution step widths are not accepted. Try a positive integer"),
        (format!("index/shards?query={ALL}"), "targetBytesPerShard must be a positive value"),
        (format!("detected_fields?query={ALL}&step=-1"), "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ] {
        let answer = world.get(&format!("/loki/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, want), "{path}");
    }
}
