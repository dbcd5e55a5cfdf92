//! A server in this process, on free ports, over a folder of its own; and what is sent to it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signalbox_app::boot::Bound;
use signalbox_app::{Config, Server};
use signalbox_model::Clock as _;
use signalbox_telemetry::{Queue, SystemClock};

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) client: reqwest::Client,
    pub(crate) queue: Arc<Queue>,
    pub(crate) dir: tempfile::TempDir,
}

/// Everything at its default, but on free ports, in a folder, and silent about itself.
pub(crate) fn config(dir: &std::path::Path) -> Config {
    let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
    let free = || "127.0.0.1:0".to_owned();
    (config.http.listen, config.receive.otlp.grpc_listen, config.receive.otlp.http_listen) = (free(), free(), free());
    (config.receive.syslog.listen, config.receive.gelf.listen, config.receive.forward.listen) = (free(), free(), free());
    config.receive.zipkin.listen = free();
    config.receive.jaeger.listen_on(&free());
    config.telemetry.self_watch = false;
    config
}

pub(crate) fn client() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap()
}

impl World {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        change(&mut config);
        let queue = Arc::new(Queue::default());
        let bound = Bound::bind(config, Arc::new(SystemClock), Arc::clone(&queue)).await.unwrap();
        Self { server: bound.open().await.unwrap(), client: client(), queue, dir }
    }

    pub(crate) fn url(&self, door: &str, path: &str) -> String {
        format!("http://{}{path}", self.server.address(door).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.client.get(self.url("http", path)).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn post_json(&self, door: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(self.url(door, path)).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }
}

pub(crate) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const SPAN_ID: &str = "b7ad6b7169203331";

pub(crate) fn now_ns() -> i64 {
    SystemClock.now_ns()
}

fn resource() -> Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]})
}

pub(crate) fn logs(now_ns: i64) -> Value {
    let record = json!({"timeUnixNano": now_ns.to_string(), "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": "first light"},
        "traceId": TRACE_ID, "spanId": SPAN_ID});
    json!({"resourceLogs": [{"resource": resource(), "scopeLogs": [{"logRecords": [record]}]}]})
}

pub(crate) fn traces(now_ns: i64) -> Value {
    let span = json!({"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "checkout", "kind": 2,
        "startTimeUnixNano": (now_ns - 5_000_000).to_string(), "endTimeUnixNano": now_ns.to_string()});
    json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"spans": [span]}]}]})
}

pub(crate) fn metrics(now_ns: i64) -> Value {
    let point = json!({"timeUnixNano": now_ns.to_string(), "asDouble": 42.5});
    let metric = json!({"name": "queue.depth", "gauge": {"dataPoints": [point]}});
    json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [{"metrics": [metric]}]}]})
}

/// A remote write 1.0 request with one sample, compressed.
pub(crate) fn remote_write(now_ms: i64, value: f64) -> Vec<u8> {
    use prost::Message as _;
    use signalbox_proto::remote_write_v1 as v1;
    let label = |name: &str, value: &str| v1::Label { name: name.into(), value: value.into() };
    let series = v1::TimeSeries {
        labels: vec![label("__name__", "node_load1"), label("job", "node")],
        samples: vec![v1::Sample { value, timestamp: now_ms }],
        ..Default::default()
    };
    let request = v1::WriteRequest { timeseries: vec![series], ..Default::default() };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}
