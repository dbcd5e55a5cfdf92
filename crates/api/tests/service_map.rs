//! `GET /api/v1/service_map`.

use serde_json::Value;
use signalbox_model::{Batch, Histogram, HistogramSample, Labels, MetricBatch, SeriesEntry, SeriesKey, histogram};

use crate::world::{T0, World};

const NOW_MS: i64 = T0 / 1_000_000 + 60_000;
const MINUTE_MS: i64 = 60_000;

/// Series that went from 0 to a value within the last hour, minus the first and last minute, so that a rate is what it looks like.
fn counter(batch: &mut MetricBatch, name: &str, labels: &[(&str, &str)], per_second: f64) {
    let index = series(batch, name, labels);
    for minute in 0..=60 {
        batch.samples.push(index, NOW_MS - (60 - minute) * MINUTE_MS, minute as f64 * 60.0 * per_second);
    }
}

/// Native histograms of observations of about one second.
fn seconds(batch: &mut MetricBatch, name: &str, labels: &[(&str, &str)], per_second: f64) {
    let index = series(batch, name, labels);
    for minute in 0..=60i64 {
        let count = minute as f64 * 60.0 * per_second;
        let histogram = Histogram {
            schema: 3,
            count,
            sum: count,
            positive_spans: vec![histogram::Span { offset: 0, length: 1 }],
            positive_buckets: vec![count],
            ..Histogram::default()
        };
        batch.histograms.push(HistogramSample { series: index, ts_ms: NOW_MS - (60 - minute) * MINUTE_MS, start_ms: 0, is_delta: false, histogram });
    }
}

fn series(batch: &mut MetricBatch, name: &str, labels: &[(&str, &str)]) -> u32 {
    let labels = Labels::from_pairs(labels.iter().copied().chain([("__name__", name)]));
    batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
    batch.series.len() as u32 - 1
}

fn shop(is_classic: bool) -> MetricBatch {
    let mut batch = MetricBatch::default();
    let spans = |service, name, kind, status| [("service", service), ("span_name", name), ("span_kind", kind), ("status_code", status)];
    for (labels, per_second) in [
        (spans("front", "GET /", "SPAN_KIND_SERVER", "STATUS_CODE_UNSET"), 3.0),
        (spans("front", "GET /", "SPAN_KIND_SERVER", "STATUS_CODE_ERROR"), 1.0),
        (spans("front", "call", "SPAN_KIND_CLIENT", "STATUS_CODE_UNSET"), 9.0),
        (spans("cart", "receive", "SPAN_KIND_CONSUMER", "STATUS_CODE_OK"), 2.0),
        (spans("job", "work", "SPAN_KIND_INTERNAL", "STATUS_CODE_OK"), 5.0),
    ] {
        counter(&mut batch, "traces_spanmetrics_calls_total", &labels, per_second);
        if is_classic {
            for (le, part) in [("0.5", 0.0), ("1", 1.0), ("+Inf", 1.0)] {
                let labels: Vec<_> = labels.into_iter().chain([("le", le)]).collect();
                counter(&mut batch, "traces_spanmetrics_latency_bucket", &labels, per_second * part);
            }
        } else {
            seconds(&mut batch, "traces_spanmetrics_latency", &labels, per_second);
        }
    }
    for (client, server, connection, per_second) in [
        ("user", "front", "virtual_node", 4.0),
        ("front", "cart", "messaging_system", 2.0),
        ("front", "orders", "database", 6.0),
        ("cart", "orders", "database", 1.0),
        ("front", "bank", "virtual_node", 0.5),
        ("job", "front", "", 0.25),
    ] {
        let labels = [("client", client), ("server", server), ("connection_type", connection)];
        counter(&mut batch, "traces_service_graph_request_total", &labels, per_second);
        counter(&mut batch, "traces_service_graph_request_failed_total", &labels, per_second / 2.0);
        let side = if client == "user" { "server" } else { "client" };
        seconds(&mut batch, &format!("traces_service_graph_request_{side}_seconds"), &labels, per_second);
    }
    batch
}

async fn world(is_classic: bool) -> World {
    World::of(vec![Batch::Metrics(shop(is_classic))], signalbox_api::prometheus::Settings::default()).await
}

/// Rounded, so that the words of a table are enough.
fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |number| format!("{:.2}", number))
}

fn lines(values: &Value, names: &[&str]) -> Vec<String> {
    let line = |value: &Value| {
        let words = names.iter().map(|name| value[*name].as_str().unwrap().to_owned());
        let known = value["p95"].as_f64().map_or("-", |p95| if (0.5..=1.0).contains(&p95) { "~1s" } else { "?" });
        words.chain([number(&value["rate"]), number(&value["error_rate"]), known.to_owned()]).collect::<Vec<_>>().join(" ")
    };
    values.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_edges_have_rate_errors_and_durations() {
    for is_classic in [false, true] {
        let world = world(is_classic).await;
        let answer = world.get("/api/v1/service_map").await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        let json = answer.json();
        assert_eq!((json["start_ms"].as_i64(), json["end_ms"].as_i64()), (Some(NOW_MS - 60 * MINUTE_MS), Some(NOW_MS)));
        let nodes = lines(&json["nodes"], &["name", "kind"]);
        assert_eq!(
            nodes,
            [
                "bank external 0.50 0.25 ~1s",
                "cart service 2.00 0.00 ~1s",
                "front service 4.00 1.00 ~1s",
                "job service 0.00 0.00 -",
                "orders database 7.00 3.50 ~1s",
                "user user 0.00 0.00 -",
            ]
        );
        let edges = lines(&json["edges"], &["client", "server", "connection"]);
        assert_eq!(
            edges,
            [
                "cart orders database 1.00 0.50 ~1s",
                "front bank virtual_node 0.50 0.25 ~1s",
                "front cart messaging_system 2.00 1.00 ~1s",
                "front orders database 6.00 3.00 ~1s",
                "job front request 0.25 0.12 ~1s",
                "user front virtual_node 4.00 2.00 ~1s",
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_has_its_neighbours_and_its_operations() {
    let world = world(false).await;
    let json = world.get("/api/v1/service_map?service=cart").await.json();
    assert_eq!(lines(&json["edges"], &["client", "server"]), ["cart orders 1.00 0.50 ~1s", "front cart 2.00 1.00 ~1s"]);
    assert_eq!(lines(&json["nodes"], &["name"]).len(), 3);
    let json = world.get("/api/v1/service_map/operations?service=front").await.json();
    assert_eq!(lines(&json["operations"], &["service", "name", "kind"]), ["front call client 9.00 0.00 ~1s", "front GET / server 4.00 1.00 ~1s"]);
    let json = world.get("/api/v1/service_map/operations").await.json();
    assert_eq!(json["operations"].as_array().unwrap().len(), 4);
    let json = world.get("/api/v1/service_map/operations?service=no%22one").await.json();
    assert_eq!(json["operations"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_spans_it_is_empty_and_what_makes_no_sense_is_refused() {
    let world = World::head().await;
    for path in ["", "/operations"] {
        let answer = world.get(&format!("/api/v1/service_map{path}?start=1&end=2")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        for bad in ["start=x", "start=2&end=1", "start=1&end=1", "end=inf"] {
            let answer = world.get(&format!("/api/v1/service_map{path}?{bad}")).await;
            assert_eq!((answer.status, answer.json()["error"]["kind"].as_str()), (400, Some("invalid")), "{bad}");
        }
    }
    assert_eq!(world.get("/api/v1/service_map").await.json()["nodes"].as_array().map(Vec::len), Some(0));
}
