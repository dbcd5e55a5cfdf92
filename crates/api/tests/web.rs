//! What the web UI asks, letter by letter as it asks, and the parts of the answers that it reads.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::World;

/// The condition that a row lies in the window, as `within()` of `web/src/api/sql.ts` writes it.
const WITHIN: &str = "timestamp >= to_timestamp_millis(1700000000000) AND timestamp < to_timestamp_millis(1700000060000)";
const BUCKET: &str = "CAST(date_part('epoch', date_bin(INTERVAL '15 seconds', timestamp)) AS BIGINT)";
const TRACE: &str = "5b8efff798038103d269b633813fc60c";

async fn sql(world: &World, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let request = Request::post("/api/v1/sql").header("content-type", "application/json").header("accept", "application/json");
    let answer = world.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let json = answer.json();
    assert!(json.get("error").is_none(), "{query}: {json}");
    json["rows"].clone()
}

async fn get(world: &World, path: &str, query: &[(&str, &str)]) -> Value {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let answer = world.get(&format!("{path}?{}", query.join("&"))).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn home_counts_services() {
    for world in [World::head().await, World::segments().await] {
        let spans = sql(
            &world,
            &format!(
                "SELECT service, count(*) AS n, sum(CASE WHEN status_code = 2 THEN 1 ELSE 0 END) AS errors,
        approx_percentile_cont(duration_ns, 0.5) AS p50, approx_percentile_cont(duration_ns, 0.95) AS p95
        FROM spans WHERE kind IN (2, 5) AND {WITHIN} GROUP BY service"
            ),
        )
        .await;
        assert_eq!(spans, json!([["shop", 1, 0, 250_000_000.0, 250_000_000.0]]));
        let over_time = sql(&world, &format!("SELECT service, {BUCKET} AS t, count(*) AS n FROM spans WHERE kind IN (2, 5) AND {WITHIN} GROUP BY 1, 2")).await;
        assert_eq!(over_time, json!([["shop", 1_699_999_995, 1]]));
        let mut logs = sql(
            &world,
            &format!(
                "SELECT service, count(*) AS n, sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS errors FROM logs WHERE {WITHIN} GROUP BY service"
            ),
        )
        .await;
        logs.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        assert_eq!(logs, json!([["", 1, 0], ["cart", 2, 1], ["shop", 1, 0]]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_has_a_histogram_by_severity() {
    for world in [World::head().await, World::segments().await] {
        let of_trace = format!("trace_id = '{TRACE}'");
        let conditions = [
            ("service = 'cart'", 2),
            ("service <> ''", 3),
            ("CAST(service AS VARCHAR) ~ '^(?:ca.*)$'", 2),
            ("strpos(coalesce(body, ''), 'stock') > 0", 1),
            ("coalesce(body, '') !~ 'order'", 2),
            ("(severity_number = 0 OR severity_number BETWEEN 9 AND 12)", 3),
            (of_trace.as_str(), 1),
            ("span_id = '0000000000000002'", 1),
        ];
        for (condition, want) in conditions {
            let query = format!("SELECT {BUCKET} AS t, severity_number, count(*) AS n FROM logs WHERE {WITHIN} AND {condition} GROUP BY 1, 2");
            let rows = sql(&world, &query).await;
            let rows = rows.as_array().unwrap();
            assert!(rows.iter().all(|row| row[0] == 1_699_999_995), "{condition}: {rows:?}");
            assert_eq!(rows.iter().filter_map(|row| row[2].as_i64()).sum::<i64>(), want, "{condition}: {rows:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_lists_records() {
    let world = World::head().await;
    let window = [("start", "1700000000000000000"), ("end", "1700000060000000000")];
    for (query, want) in [
        (r#"{service_name=~".+"}"#, 4),
        (r#"{service_name="cart"} |= "order""#, 2),
        (r#"{service_name="cart", detected_level=~"(?i)(err|fatal|crit|emerg|alert|panic).*"}"#, 1),
        (format!(r#"{{service_name=~".+", trace_id="{TRACE}"}}"#).as_str(), 1),
        (r#"{service_name=~".+", span_id="0000000000000002"}"#, 1),
    ] {
        let answer = get(&world, "/loki/api/v1/query_range", &[&window[..], &[("query", query), ("limit", "500"), ("direction", "backward")]].concat()).await;
        assert_eq!(answer["status"], "success");
        let streams = answer["data"]["result"].as_array().unwrap();
        assert!(streams.iter().all(|stream| stream["stream"]["service_name"].is_string()), "{query}");
        assert_eq!(streams.iter().map(|stream| stream["values"].as_array().unwrap().len()).sum::<usize>(), want, "{query}: {answer}");
    }
    let services = get(&world, "/loki/api/v1/label/service_name/values", &window).await;
    assert_eq!(services["data"], json!(["cart", "shop", "unknown_service"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_lists_what_there_is() {
    let world = World::head().await;
    let window = [("start", "1700000000"), ("end", "1700000060.5")];
    let names = get(&world, "/api/v1/label/__name__/values", &window).await;
    assert_eq!(names["data"], json!(["latency_seconds", "requests_total", "up"]));
    let series = get(&world, "/api/v1/series", &[&window[..], &[("match[]", r#"{job=~"(.+/)?cart"}"#)]].concat()).await;
    assert_eq!(series["data"], json!([{ "__name__": "up", "instance": "cart-1:80", "job": "cart" }]));
    let metadata = get(&world, "/api/v1/metadata", &[]).await;
    assert_eq!(metadata["data"]["latency_seconds"][0], json!({ "type": "histogram", "help": "How long a request took.", "unit": "seconds" }));
    assert!(get(&world, "/api/v1/status/buildinfo", &[]).await["data"]["version"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_found_and_shown() {
    let world = World::head().await;
    let window = [("start", "1700000000000000"), ("end", "1700000060000000"), ("limit", "20")];
    for query in [&[("service", "cart"), ("tags", r#"{"db.system":"redis"}"#)][..], &[("service", "shop"), ("minDuration", "100ms")], &[]] {
        let found = get(&world, "/jaeger/api/traces", &[&window[..], query].concat()).await;
        assert_eq!(found["data"][0]["traceID"], TRACE, "{query:?}: {found}");
    }
    let trace = get(&world, &format!("/jaeger/api/traces/{TRACE}"), &[]).await;
    let spans = trace["data"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2);
    for span in spans {
        assert!(trace["data"][0]["processes"][span["processID"].as_str().unwrap()]["serviceName"].is_string(), "{span}");
        assert!(span["startTime"].is_number() && span["duration"].is_number(), "{span}");
    }
}
