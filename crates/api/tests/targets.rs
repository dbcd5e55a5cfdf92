//! One job of a server that scrapes: two targets, of which one is down, and one that relabelling dropped.

use std::time::Duration;

use serde_json::json;
use signalbox_api::prometheus::{ActiveTarget, RelabelStep, TargetPool, TargetSource};
use signalbox_model::{Labels, MetricKind, MetricMetadata};

use crate::world::World;

const JOB: &str = "node";

/// What would be scraped.
#[derive(Debug)]
pub(crate) struct Scraped;

fn target(instance: &str, error: &str) -> ActiveTarget {
    ActiveTarget {
        discovered: Labels::from_pairs([("__address__", instance), ("__metrics_path__", "/metrics"), ("__scheme__", "http"), ("job", JOB)]),
        labels: Labels::from_pairs([("instance", instance), ("job", JOB)]),
        url: format!("http://{instance}/metrics"),
        global_url: format!("http://{instance}/metrics"),
        is_up: Some(error.is_empty()),
        last_error: error.to_owned(),
        last_scrape_ms: Some(1_700_000_000_250),
        last_duration: Duration::from_micros(2_500),
        interval: "15s".to_owned(),
        timeout: "10s".to_owned(),
    }
}

impl TargetSource for Scraped {
    fn pools(&self) -> Vec<TargetPool> {
        let waiting = ActiveTarget { is_up: None, last_scrape_ms: None, last_duration: Duration::ZERO, ..target("c:9100", "") };
        let node = TargetPool {
            name: JOB.to_owned(),
            active: vec![target("a:9100", ""), target("b:9100", "connection refused")],
            dropped: vec![Labels::from_pairs([("__address__", "d:9100"), ("job", JOB)])],
            dropped_count: 3,
        };
        vec![node, TargetPool { name: "other".to_owned(), active: vec![waiting], dropped: Vec::new(), dropped_count: 0 }]
    }

    fn metadata(&self, family: Option<&str>) -> Vec<(Labels, Vec<MetricMetadata>)> {
        let up = MetricMetadata { name: "up_seconds".to_owned(), kind: MetricKind::Gauge, help: "Up \"since\".".to_owned(), unit: "seconds".to_owned() };
        let families = |name: &str| -> Vec<MetricMetadata> {
            let known = if name == "a:9100" { vec![up.clone()] } else { Vec::new() };
            known.into_iter().filter(|known| family.is_none_or(|family| family == known.name)).collect()
        };
        self.pools().into_iter().flat_map(|pool| pool.active).map(|target| (target.labels.clone(), families(target.labels.get("instance").unwrap()))).collect()
    }

    fn relabel_steps(&self, pool: &str, labels: &Labels) -> Option<Vec<RelabelStep>> {
        let keep = RelabelStep { rule: json!({ "action": "keep", "regex": "a.*", "source_labels": ["__address__"] }), output: labels.clone(), is_kept: true };
        let drop = RelabelStep { rule: json!({ "action": "drop", "regex": "(.*)" }), output: Labels::empty(), is_kept: false };
        (pool == JOB).then(|| vec![keep, drop])
    }

    fn pool_yaml(&self, pool: &str) -> Option<String> {
        (pool == JOB).then(|| "job_name: node\nscrape_interval: 15s\n".to_owned())
    }

    fn config_yaml(&self) -> Option<String> {
        Some("global:\n  scrape_interval: 15s\n".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_chosen_by_state_and_by_job() {
    let world = World::scraping().await;
    for (parameters, active, dropped, has_counts) in [
        ("", 3, 1, true),
        ("state=&scrapePool=", 3, 1, true),
        ("state=Any", 3, 1, true),
        ("state=active", 3, 0, false),
        ("state=DROPPED", 0, 1, true),
        ("scrapePool=other", 1, 0, true),
        ("scrapePool=nothing", 0, 0, true),
        ("state=nonsense", 0, 0, false),
    ] {
        let data = world.get(&format!("/api/v1/targets?{parameters}")).await.json()["data"].clone();
        let count = |key: &str| data[key].as_array().unwrap().len();
        assert_eq!((count("activeTargets"), count("droppedTargets")), (active, dropped), "{parameters}");
        assert_eq!(data["droppedTargetCounts"].is_object(), has_counts, "{parameters}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_as_by_prometheus() {
    let world = World::scraping().await;
    for (path, error) in [
        ("scrape_pools/config", "no scrapePool parameter provided"),
        ("scrape_pools/config?scrapePool=x", "error retrieving scrape config: scrape pool \"x\" not found"),
        ("targets/relabel_steps", "no scrapePool parameter provided"),
        ("targets/relabel_steps?scrapePool=node&labels=", "no labels parameter provided"),
        ("targets/relabel_steps?scrapePool=x&labels=%7B%7D", "error retrieving scrape config: scrape pool \"x\" not found"),
        ("targets/metadata?limit=x", "limit must be a number"),
    ] {
        let answer = world.get(&format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_shown_is_the_one_in_force() {
    let yaml = World::scraping().await.get("/api/v1/status/config").await.json()["data"]["yaml"].clone();
    assert_eq!(yaml, "global:\n  scrape_interval: 15s\n");
}
