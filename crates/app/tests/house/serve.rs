//! The doors: what goes in through each comes out of the APIs; readiness, tenants, limits, panics of protocol.

use serde_json::Value;
use signalbox_app::boot::Bound;
use signalbox_telemetry::{Queue, SystemClock};
use std::sync::Arc;

use crate::world::{TRACE_ID, World, client, config, logs, metrics, now_ns, remote_write, traces};

#[tokio::test]
async fn three_signals_over_otlp_come_back_through_every_api() {
    let world = World::open().await;
    let now = now_ns();
    for (door, prefix) in [("http", ""), ("http", "/otlp"), ("otlp-http", "")] {
        for (signal, body) in [("logs", logs(now)), ("traces", traces(now)), ("metrics", metrics(now))] {
            let (status, answer) = world.post_json(door, &format!("{prefix}/v1/{signal}"), &body).await;
            assert_eq!(status, 200, "{door} {prefix} {signal}: {answer}");
        }
    }
    assert_eq!(world.post_json("http", "/api/v1/otlp/v1/metrics", &metrics(now)).await.0, 200);

    let (_, found) = world.get("/loki/api/v1/query_range?query=%7Bservice_name%3D%22cart%22%7D%20%7C%3D%20%22light%22").await;
    assert_eq!(found["data"]["result"][0]["values"][0][1], "first light", "{found}");
    let (_, found) = world.get(&format!("/jaeger/api/traces/{TRACE_ID}")).await;
    assert_eq!(found["data"][0]["spans"][0]["operationName"], "checkout", "{found}");
    let (status, _) = world.get(&format!("/tempo/api/traces/{TRACE_ID}")).await;
    assert_eq!(status, 200);
    let (_, found) = world.post_json("http", "/api/v1/sql", &serde_json::json!({"query": "select value from metrics where name = 'queue_depth'"})).await;
    assert!(found.to_string().contains("42.5"), "{found}");
    let (_, found) = world.get("/api/v1/query?query=queue_depth").await;
    assert_eq!(
        (&found["data"]["result"][0]["metric"]["job"], &found["data"]["result"][0]["value"][1]),
        (&Value::from("cart"), &Value::from("42.5")),
        "{found}"
    );
    world.server.stop().await.unwrap();
}

#[tokio::test]
async fn remote_write_is_taken_at_both_paths() {
    let world = World::open().await;
    let now_ms = now_ns() / 1_000_000;
    for (path, value, ts_ms) in [("/api/v1/write", 0.5, now_ms - 1000), ("/prometheus/api/v1/write", 0.75, now_ms)] {
        let request = world.client.post(world.url("http", path)).header("content-type", "application/x-protobuf").header("content-encoding", "snappy");
        let answer = request.body(remote_write(ts_ms, value)).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{path}");
    }
    let (_, found) = world.get("/prometheus/api/v1/query?query=node_load1").await;
    assert_eq!(found["data"]["result"][0]["value"][1], "0.75", "{found}");
    let sql = serde_json::json!({"query": "select value from metrics where name = 'node_load1' order by timestamp"});
    let (_, found) = world.post_json("http", "/api/v1/sql", &sql).await;
    let text = found.to_string();
    assert!(text.contains("0.5") && text.contains("0.75"), "{text}");
}

#[tokio::test]
async fn points_of_influx_are_taken_at_the_main_address_and_at_their_own() {
    let world = World::open_with(|config| "127.0.0.1:0".clone_into(&mut config.receive.influx.listen)).await;
    for (at, door) in ["http", "influx"].into_iter().enumerate() {
        for (way, path) in
            ["/write?db=telegraf", "/influx/write?db=telegraf", "/api/v2/write?bucket=telegraf", "/api/v3/write_lp?db=telegraf"].into_iter().enumerate()
        {
            let body = format!("cpu,host=a,door={door},way={way} idle=9{at}.5");
            let answer = world.client.post(world.url(door, path)).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 204, "{door} {path}");
        }
        for (path, status) in [("/ping", 204), ("/health", 200), ("/query?q=SHOW%20DATABASES", 200)] {
            let answer = world.client.get(world.url(door, path)).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers()["x-influxdb-version"].to_str().unwrap()), (status, "1.8.10"), "{door} {path}");
        }
    }
    // The paths of others are still theirs.
    let (_, found) = world.get("/api/v1/query?query=sum%20by%20(db,host,door)%20(cpu_idle)").await;
    let values: Vec<_> = found["data"]["result"].as_array().unwrap().iter().map(|series| (series["metric"].to_string(), series["value"][1].clone())).collect();
    let metric = |door: &str| format!("{{\"db\":\"telegraf\",\"door\":\"{door}\",\"host\":\"a\"}}");
    assert_eq!(values, [(metric("http"), "362".into()), (metric("influx"), "366".into())], "{found}");
}

#[tokio::test]
async fn it_is_ready_when_the_store_is_open_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let bound = Bound::bind(config(dir.path()), Arc::new(SystemClock), Arc::new(Queue::default())).await.unwrap();
    let address = |door: &str| bound.addresses().iter().find(|(name, _)| *name == door).unwrap().1;
    let (http, grpc) = (address("http"), address("otlp-grpc"));
    let status = async |path: &str| client().get(format!("http://{http}{path}")).send().await.unwrap().status().as_u16();
    assert_eq!((status("/-/healthy").await, status("/-/ready").await, status("/metrics").await), (200, 503, 200));
    let early = client().post(format!("http://{http}/v1/logs")).header("content-type", "application/json").body("{}").send().await.unwrap();
    assert_eq!((early.status().as_u16(), early.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let early = client().post(format!("http://{grpc}/x")).header("content-type", "application/grpc").send().await.unwrap();
    assert_eq!((early.status().as_u16(), early.headers()["grpc-status"].to_str().unwrap()), (200, "14"));

    let server = bound.open().await.unwrap();
    assert_eq!((status("/-/healthy").await, status("/-/ready").await), (200, 200));
    server.stop().await.unwrap();
    assert!(client().get(format!("http://{http}/-/healthy")).send().await.is_err(), "nobody listens after the stop");
}

#[tokio::test]
async fn flush_and_compact_are_done_when_they_answer() {
    let world = World::open().await;
    assert_eq!(world.post_json("http", "/v1/logs", &logs(now_ns())).await.0, 200);
    for _ in 0..2 {
        let answer = world.client.post(world.url("http", "/-/flush")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "done\n"));
        assert_eq!(world.post_json("http", "/v1/logs", &logs(now_ns())).await.0, 200);
    }
    let segments = || std::fs::read_dir(world.dir.path().join("data/segments/default/logs")).unwrap().count();
    assert_eq!(segments(), 2);
    assert_eq!(world.client.post(world.url("http", "/-/compact")).send().await.unwrap().status(), 200);
    assert_eq!(segments(), 1);
    assert_eq!(world.client.get(world.url("http", "/-/compact")).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn metrics_are_exposed_with_those_of_the_process() {
    let world = World::open().await;
    assert_eq!(world.post_json("http", "/v1/logs", &logs(now_ns())).await.0, 200);
    let answer = world.client.get(world.url("http", "/metrics")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for line in [
        "# TYPE process_cpu_seconds_total counter",
        "process_resident_memory_bytes ",
        "signalbox_build_info{version=",
        "signalbox_receive_rows_total{protocol=\"otlp_http\"",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn the_tenant_header_counts_only_where_it_is_trusted() {
    let lines = async |world: &World, tenant: Option<&str>| {
        let mut request = world.client.get(world.url("http", "/loki/api/v1/query_range?query=%7Bservice_name%3D%22cart%22%7D"));
        if let Some(tenant) = tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let found: Value = request.send().await.unwrap().json().await.unwrap();
        found["data"]["result"].as_array().map_or(0, Vec::len)
    };
    let send = async |world: &World| {
        let request = world.client.post(world.url("http", "/v1/logs")).header("content-type", "application/json").header("x-scope-orgid", "blue");
        assert_eq!(request.body(logs(now_ns()).to_string()).send().await.unwrap().status(), 200);
    };
    let world = World::open().await;
    send(&world).await;
    assert_eq!((lines(&world, None).await, lines(&world, Some("red")).await), (1, 1));

    let world = World::open_with(|config| config.http.trust_tenant_header = true).await;
    send(&world).await;
    assert_eq!((lines(&world, None).await, lines(&world, Some("red")).await, lines(&world, Some("blue")).await), (0, 0, 1));
    let bad = world.client.get(world.url("http", "/loki/api/v1/labels")).header("x-scope-orgid", "../x").send().await.unwrap();
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn answers_are_compressed_and_carry_the_id_of_the_request() {
    let world = World::open().await;
    for _ in 0..40 {
        assert_eq!(world.post_json("http", "/v1/logs", &logs(now_ns())).await.0, 200);
    }
    let url = world.url("http", "/loki/api/v1/query_range?query=%7Bservice_name%3D%22cart%22%7D");
    let answer = world.client.get(url).header("accept-encoding", "gzip").header("x-request-id", "mine-7").send().await.unwrap();
    assert_eq!((answer.headers()["content-encoding"].to_str().unwrap(), answer.headers()["x-request-id"].to_str().unwrap()), ("gzip", "mine-7"));
    let answer = world.client.get(world.url("http", "/-/healthy")).send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"].len(), 16);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused() {
    let world = World::open_with(|config| config.http.body_bytes_max = 1000).await;
    let body = serde_json::json!({"query": "x".repeat(2000)});
    let (status, _) = world.post_json("http", "/api/v1/sql", &body).await;
    assert!((400..500).contains(&status), "{status}");
}

#[tokio::test]
async fn http2_is_spoken_without_tls() {
    let world = World::open().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let answer = client.get(world.url("http", "/-/healthy")).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn own_records_become_rows_of_the_service_signalbox() {
    use signalbox_telemetry::LogRecord;
    let world = World::open_with(|config| config.telemetry.self_watch = true).await;
    let record = LogRecord {
        timestamp_ns: now_ns(),
        severity_number: 13,
        severity_text: "WARN",
        scope: "signalbox_store".to_owned(),
        body: "the disk is slow".to_owned(),
        attributes: vec![("seconds", signalbox_model::attributes::AttributeValue::Int(3))],
        span: None,
    };
    world.queue.push_log(record);
    let dir = world.dir;
    // Stopping writes what waits.
    world.server.stop().await.unwrap();
    let bound = Bound::bind(config(dir.path()), Arc::new(SystemClock), Arc::new(Queue::default())).await.unwrap();
    let world = World { server: bound.open().await.unwrap(), client: client(), queue: Arc::default(), dir };
    let (_, found) = world.get("/loki/api/v1/query_range?query=%7Bservice_name%3D%22signalbox%22%7D").await;
    assert!(found.to_string().contains("the disk is slow"), "{found}");
    let sql = serde_json::json!({"query": "select count(*) as n from metrics where name = 'process_resident_memory_bytes'"});
    let (_, found) = world.post_json("http", "/api/v1/sql", &sql).await;
    assert!(found["rows"][0][0].as_i64().is_some_and(|samples| samples >= 1), "{found}");
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_closed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::open_with(|config| config.http.idle_timeout_seconds = 1).await;
    // Nothing, half a request, and half of HTTP/2's preface; each would wait for ever.
    for begun in [&b""[..], b"GET / HTTP/1.1\r\nhost:", b"PRI * HTTP/2.0\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(world.server.address("http").unwrap()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still open after {begun:?}");
    }
}

#[tokio::test]
async fn connections_past_the_bound_wait_their_turn() {
    let world = World::open_with(|config| config.http.connections_max = 1).await;
    let address = world.server.address("http").unwrap();
    let first = tokio::net::TcpStream::connect(address).await.unwrap();
    let second = tokio::spawn(client().get(world.url("http", "/-/healthy")).send());
    // The second is answered when the first has gone, and could not have been before.
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}
