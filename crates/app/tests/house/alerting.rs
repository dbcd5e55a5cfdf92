//! Rules in the whole house: loaded, evaluated, shown, told through a webhook, read again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use signalbox_app::Config;
use tokio::sync::Mutex;

use crate::world::World;

/// Longer than anything here should take; a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver that keeps what it is told.
#[derive(Clone, Default)]
struct Pager(Arc<Mutex<Vec<Value>>>);

impl Pager {
    /// Serves on a free port; its URL.
    async fn open(&self) -> String {
        async fn page(State(pager): State<Pager>, body: String) {
            pager.0.lock().await.push(serde_json::from_str(&body).unwrap());
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/page", listener.local_addr().unwrap());
        let router = Router::new().route("/page", post(page)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    async fn pages(&self, count: usize) -> Vec<Value> {
        let pager = self.clone();
        until(move || {
            let pager = pager.clone();
            async move { Some(pager.0.lock().await.clone()).filter(|pages| pages.len() >= count) }
        })
        .await
    }
}

/// Asks again until there is an answer.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
}

const RULES: &str = "
groups:
- name: shop
  interval: 1s
  rules:
  - record: shop:one
    expr: vector(1)
  - alert: Always
    expr: shop:one == 1
    labels: {severity: page}
    annotations: {summary: 'value {{ $value }}'}
";

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_evaluated_shown_told_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    std::fs::write(&rules, RULES).unwrap();
    let pager = Pager::default();
    let url = pager.open().await;
    let file = dir.path().join("signalbox.yaml");
    let text = format!(
        "alert: {{rule_files: ['*.yaml'], group_wait_seconds: 0, group_interval_seconds: 1}}\nnotify: {{receivers: [{{name: ops, webhook: {{url: '{url}'}}}}]}}\n"
    );
    std::fs::write(&file, text.replace("*.yaml", "rules.yaml")).unwrap();
    let loaded = Config::load(&file, |_| None).unwrap();
    assert_eq!(loaded.alert.rule_files, [rules.display().to_string()], "taken from the folder of the file");
    let world = Box::pin(World::open_with(|config| (config.alert, config.notify) = (loaded.alert, loaded.notify))).await;

    let pages = pager.pages(1).await;
    assert_eq!((&pages[0]["status"], &pages[0]["receiver"], &pages[0]["version"]), (&"firing".into(), &"ops".into(), &"4".into()));
    assert_eq!(pages[0]["alerts"][0]["annotations"]["summary"], "value 1");
    let (status, shown) = world.get("/api/v1/rules").await;
    let group = &shown["data"]["groups"][0];
    assert_eq!((status, &group["name"], &group["rules"][0]["health"], &group["rules"][1]["state"]), (200, &"shop".into(), &"ok".into(), &"firing".into()));
    assert_eq!(group["file"], rules.display().to_string());
    let (_, shown) = world.get("/api/v1/alerts").await;
    assert_eq!(shown["data"]["alerts"][0]["labels"]["alertname"], "Always");
    let (_, found) = world.get("/api/v1/query?query=ALERTS%7Balertstate%3D%22firing%22%7D").await;
    assert_eq!(found["data"]["result"][0]["metric"]["severity"], "page", "{found}");

    // A file that is wrong changes nothing; one that is right does.
    std::fs::write(&rules, "groups: [{name: shop, rules: [{alert: A, expr: 'up ='}]}]").unwrap();
    let error = world.server.reload().await.unwrap_err();
    assert!(error.message().contains("rules.yaml: 1:") && error.message().contains("could not parse expression"), "{error}");
    assert_eq!(world.get("/api/v1/alerts").await.1["data"]["alerts"].as_array().map(Vec::len), Some(1));
    std::fs::write(&rules, "groups: []").unwrap();
    world.server.reload().await.unwrap();
    assert_eq!(world.get("/api/v1/rules").await.1["data"]["groups"], serde_json::json!([]));
    let pages = pager.pages(2).await;
    assert_eq!((&pages[1]["status"], &pages[1]["alerts"][0]["labels"]["alertname"]), (&"resolved".into(), &"Always".into()));
    world.server.stop().await.unwrap();
}

#[tokio::test]
async fn a_bad_rule_file_never_starts() {
    use signalbox_app::boot::Bound;
    let dir = tempfile::tempdir().unwrap();
    let mut config = crate::world::config(dir.path());
    config.alert.rule_files = vec![dir.path().join("nothing.yaml").display().to_string()];
    let bound = Bound::bind(config, Arc::new(signalbox_telemetry::SystemClock), Arc::default()).await.unwrap();
    let error = bound.open().await.unwrap_err();
    assert!(error.message().contains("nothing.yaml") && error.message().contains("does not exist"), "{error}");
}
