//! `POST /api/v1/sql` in its three formats.

use axum::body::Body;
use futures::StreamExt as _;
use http::Request;

use crate::world::{Answer, World};

async fn post(world: &World, content_type: &str, accept: &str, body: &str) -> Answer {
    let request = Request::post("/api/v1/sql").header("content-type", content_type).header("accept", accept);
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

const QUERY: &str = "SELECT timestamp, service, severity_number, body, trace_id, attributes, 9007199254740993 AS big, 0.5 AS half, \
                     CAST('NaN' AS DOUBLE) AS nan, ARRAY[1, 2] AS list FROM logs WHERE service = 'cart' ORDER BY timestamp LIMIT 1";

#[tokio::test(flavor = "multi_thread")]
async fn json_has_columns_rows_and_stats() {
    for world in [World::head().await, World::segments().await] {
        let answer = post(&world, "application/json", "*/*", &serde_json::json!({ "query": QUERY }).to_string()).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        let mut json = answer.json();
        assert!(json["stats"]["seconds"].take().is_number());
        let columns = [
            ("timestamp", "timestamp"),
            ("service", "string"),
            ("severity_number", "int32"),
            ("body", "string"),
            ("trace_id", "binary"),
            ("attributes", "map"),
            ("big", "int64"),
            ("half", "float64"),
            ("nan", "float64"),
            ("list", "list"),
        ];
        let columns: Vec<_> = columns.iter().map(|(name, kind)| serde_json::json!({ "name": name, "type": kind })).collect();
        let row = serde_json::json!([
            "2023-11-14T22:13:20.000000001Z", "cart", 17, "cannot order \"tea\"\nno stock", "5b8efff798038103d269b633813fc60c",
            { "http.method": "GET", "size": "12" }, "9007199254740993", 0.5, "NaN", [1, 2]
        ]);
        assert_eq!(json, serde_json::json!({ "columns": columns, "rows": [row], "stats": { "rows": 1, "truncated": false, "seconds": null } }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_quotes_what_it_must() {
    let world = World::head().await;
    let answer = post(&world, "text/plain", "text/csv", QUERY).await;
    assert_eq!(answer.content_type, "text/csv; charset=utf-8");
    let want = "timestamp,service,severity_number,body,trace_id,attributes,big,half,nan,list\n\
                2023-11-14T22:13:20.000000001Z,cart,17,\"cannot order \"\"tea\"\"\nno stock\",5b8efff798038103d269b633813fc60c,\
                \"{\"\"http.method\"\":\"\"GET\"\",\"\"size\"\":\"\"12\"\"}\",9007199254740993,0.5,NaN,\"[1,2]\"\n";
    assert_eq!(answer.text(), want);
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_reads_back() {
    let world = World::head().await;
    let body = serde_json::json!({ "query": "SELECT service, count(*) AS n FROM logs GROUP BY service ORDER BY service", "format": "arrow" }).to_string();
    let answer = post(&world, "application/json", "*/*", &body).await;
    assert_eq!(answer.content_type, "application/vnd.apache.arrow.stream");
    let reader = arrow::ipc::reader::StreamReader::try_new(answer.body.as_slice(), None).unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_kind_and_message() {
    let world = World::head().await;
    let cases = [
        ("application/json", "{\"query\": \"DROP TABLE logs\"}", 400, "invalid"),
        ("application/json", "{\"query\": \"SELECT 1\", \"nonsense\": 1}", 400, "invalid"),
        ("application/json", "{\"query\": \"SELECT 1\", \"format\": \"xml\"}", 400, "invalid"),
        ("application/json", "{\"query\": \"SELECT 1\", \"limits\": {\"timeout_seconds\": -1}}", 400, "invalid"),
        ("application/json", "SELECT 1", 400, "invalid"),
        ("application/json", "", 400, "invalid"),
        ("text/plain", "SELECT * FROM nowhere", 400, "invalid"),
        ("text/plain", "SELECT body FROM logs WHERE CAST(body AS INT) = 1", 400, "invalid"),
    ];
    for (content_type, body, status, kind) in cases {
        let answer = post(&world, content_type, "*/*", body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        let json = answer.json();
        assert_eq!(json["error"]["kind"], kind, "{body}");
        assert!(!json["error"]["message"].as_str().unwrap().is_empty(), "{body}");
    }
    let request = Request::post("/api/v1/sql").header("content-type", "text/plain").body(Body::from(vec![0xff, 0xfe])).unwrap();
    assert_eq!(world.send(request).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_rows_shows() {
    let world = World::head().await;
    let body = |format: &str| serde_json::json!({ "query": "SELECT body FROM logs", "format": format, "limits": { "rows": 2 } }).to_string();
    let json = post(&world, "application/json", "*/*", &body("json")).await.json();
    assert_eq!((json["rows"].as_array().unwrap().len(), &json["stats"]["truncated"]), (2, &serde_json::json!(true)));
    let broken = post(&world, "application/json", "*/*", &body("csv")).await;
    assert!(broken.text().contains("more than 2 rows"), "{}", broken.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_has_ended_may_be_asked_again() {
    let world = World::head().await;
    let request = Request::post("/api/v1/sql").header("content-type", "text/plain").body(Body::from("SELECT body FROM logs")).unwrap();
    let mut body = world.respond(request).await.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        chunk.unwrap();
    }
    assert!(body.next().await.is_none());
}
