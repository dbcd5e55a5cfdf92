//! Rules over HTTP as Mimir's, Cortex' and Loki's clients set and read them, over a ruler in memory.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::{Method, Request};
use parking_lot::Mutex;
use signalbox_api::ruler::{GroupText, Implied, RuleFileText, Ruler};
use signalbox_model::{Error, ErrorKind, Result};

use crate::world::World;

const FILE: &str = "/rules/logs.yaml";
const LOGS: &str = "name: logs\nlang: logql\nrules:\n- alert: Errors\n  expr: sum(rate({app=\"a\"} |= \"error\" [5m])) > 1\n  lang: logql\n";
const METRICS: &str = "name: shop\nrules:\n- record: job:up:sum\n  expr: sum by (job) (up)\n";

/// Keeps what it is given: a group whose text has the word `logql` is LogQL.
#[derive(Debug)]
pub(crate) struct Memory(Mutex<Vec<GroupText>>);

impl Memory {
    /// With a group of a file and one that was set.
    pub(crate) fn filled() -> Arc<Self> {
        let group = |namespace: &str, name: &str, text: &str| GroupText {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            is_logql: text.contains("logql"),
            text: text.to_owned(),
        };
        Arc::new(Self(Mutex::new(vec![group(FILE, "logs", LOGS), group("shop/web", "shop", METRICS)])))
    }
}

#[async_trait]
impl Ruler for Memory {
    async fn groups(&self) -> Result<Vec<GroupText>> {
        Ok(self.0.lock().clone())
    }

    async fn files(&self) -> Result<Vec<RuleFileText>> {
        let file = |group: &GroupText| RuleFileText { namespace: group.namespace.clone(), is_file: group.namespace == FILE, text: group.text.clone() };
        Ok(self.0.lock().iter().map(file).collect())
    }

    async fn set(&self, namespace: &str, text: &str, implied: Implied) -> Result<()> {
        if namespace == FILE {
            return Err(Error::new(ErrorKind::Denied, "it is a rule file"));
        }
        let name = text.strip_prefix("name: ").and_then(|text| text.lines().next()).ok_or_else(|| Error::invalid("want a name"))?;
        let text = if implied == Implied::Promql { text.to_owned() } else { format!("{text}lang: logql\n") };
        let group = GroupText { namespace: namespace.to_owned(), name: name.to_owned(), is_logql: text.contains("logql"), text };
        self.0.lock().push(group);
        Ok(())
    }

    async fn delete(&self, namespace: &str, name: Option<&str>) -> Result<()> {
        let mut groups = self.0.lock();
        let before = groups.len();
        groups.retain(|group| group.namespace != namespace || name.is_some_and(|name| group.name != name));
        if groups.len() < before { Ok(()) } else { Err(Error::new(ErrorKind::NotFound, "group does not exist")) }
    }
}

async fn ask(world: &World, method: Method, path: &str, body: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/yaml").header("x-scope-orgid", "anonymous");
    let answer = world.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    (answer.status, answer.text())
}

/// Names of groups by namespace, of a list.
async fn listed(world: &World, path: &str) -> Vec<(String, Vec<String>)> {
    let (status, text) = ask(world, Method::GET, path, "").await;
    assert_eq!(status, 200, "{path}: {text}");
    let namespaces: std::collections::BTreeMap<String, Vec<serde_json::Value>> = serde_norway::from_str(&text).unwrap();
    let names = |groups: Vec<serde_json::Value>| groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect();
    namespaces.into_iter().map(|(namespace, groups)| (namespace, names(groups))).collect()
}

fn one(namespace: &str, names: &[&str]) -> (String, Vec<String>) {
    (namespace.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_dialect_sees_the_rules_of_its_language() {
    let world = World::head().await;
    for path in ["/prometheus/config/v1/rules", "/config/v1/rules", "/api/v1/rules/shop%2Fweb", "/prometheus/api/v1/rules/shop%2Fweb"] {
        assert_eq!(listed(&world, path).await, [one("shop/web", &["shop"])], "{path}");
    }
    for path in ["/loki/api/v1/rules", "/loki/api/v1/rules/%2Frules%2Flogs.yaml"] {
        assert_eq!(listed(&world, path).await, [one(FILE, &["logs"])], "{path}");
    }
    for path in ["/api/prom/rules", "/loki/api/prom/rules"] {
        assert_eq!(listed(&world, path).await, [one(FILE, &["logs"]), one("shop/web", &["shop"])], "{path}");
    }
    let (_, text) = ask(&world, Method::GET, "/loki/api/v1/rules/%2Frules%2Flogs.yaml/logs", "").await;
    assert!(text.starts_with("name: logs\nrules:\n") && !text.contains("lang"), "{text}");
    let (_, text) = ask(&world, Method::GET, "/api/prom/rules/%2Frules%2Flogs.yaml/logs", "").await;
    assert_eq!(text, LOGS);
    for (path, why) in [
        ("/prometheus/config/v1/rules/%2Frules%2Flogs.yaml", "no rule groups found\n"),
        ("/prometheus/config/v1/rules/%2Frules%2Flogs.yaml/logs", "group does not exist\n"),
        ("/loki/api/v1/rules/shop%2Fweb", "no rule groups found\n"),
        ("/loki/api/v1/rules/shop%2Fweb/shop", "group does not exist\n"),
    ] {
        assert_eq!(ask(&world, Method::GET, path, "").await, (404, why.to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_set_and_deleted() {
    let world = World::head().await;
    let accepted = (202, "{\"status\":\"success\",\"data\":null,\"errorType\":\"\",\"error\":\"\"}".to_owned());
    assert_eq!(ask(&world, Method::POST, "/prometheus/config/v1/rules/a%20b", METRICS).await, accepted);
    assert_eq!(ask(&world, Method::POST, "/loki/api/v1/rules/a%20b", "name: l\nrules: []\n").await, accepted);
    assert_eq!(listed(&world, "/prometheus/config/v1/rules/a%20b").await, [one("a b", &["shop"])]);
    assert_eq!(listed(&world, "/loki/api/v1/rules/a%20b").await, [one("a b", &["l"])]);
    assert_eq!(ask(&world, Method::DELETE, "/prometheus/config/v1/rules/a%20b/shop", "").await, accepted);
    assert_eq!(ask(&world, Method::DELETE, "/prometheus/config/v1/rules/a%20b/shop", "").await, (404, "group does not exist\n".to_owned()));
    assert_eq!(ask(&world, Method::DELETE, "/loki/api/v1/rules/a%20b", "").await, accepted);
    assert_eq!(ask(&world, Method::DELETE, "/api/v1/rules/shop%2Fweb", "").await, accepted);
    assert_eq!(ask(&world, Method::GET, "/prometheus/config/v1/rules", "").await, (200, "{}\n".to_owned()));
    assert_eq!(ask(&world, Method::POST, "/prometheus/config/v1/rules/x", "nonsense").await, (400, "want a name\n".to_owned()));
    assert_eq!(ask(&world, Method::POST, "/loki/api/v1/rules/%2Frules%2Flogs.yaml", LOGS).await, (403, "it is a rule file\n".to_owned()));
    let request = Request::post("/prometheus/config/v1/rules/x").body(Body::from(vec![0xff])).unwrap();
    assert_eq!(world.send(request).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_listed_by_labels_where_loki_does() {
    let world = World::head().await;
    let group = "name: l\nrules:\n- {alert: A, expr: a, labels: {team: web, tier: x}}\n- {alert: B, expr: b, labels: {team: db}}\n- {alert: C, expr: c}\n";
    assert_eq!(ask(&world, Method::POST, "/loki/api/v1/rules/ns", group).await.0, 202);
    for (labels, want) in [("team:web", "A"), ("team:db", "B"), ("team:db,tier:x", "A B"), ("team:none", ""), ("", "A B C")] {
        for path in ["/loki/api/v1/rules/ns", "/loki/api/v1/rules", "/api/prom/rules/ns"] {
            let (status, text) = ask(&world, Method::GET, &format!("{path}?labels={labels}"), "").await;
            let namespaces: serde_json::Value = serde_norway::from_str(&text).unwrap();
            let rules = namespaces["ns"][0]["rules"].as_array().cloned().unwrap_or_default();
            let names: Vec<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
            assert_eq!((status, names.join(" ").as_str()), (200, want), "{path} {labels}: {text}");
        }
    }
    assert_eq!(listed(&world, "/prometheus/config/v1/rules?labels=team:web").await, [one("shop/web", &["shop"])], "Mimir does not know it");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_exported_as_files() {
    let world = World::head().await;
    let (_, text) = ask(&world, Method::GET, "/api/v1/alerting/rules/export", "").await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let want = serde_json::json!([
        { "namespace": FILE, "source": "file", "text": LOGS },
        { "namespace": "shop/web", "source": "api", "text": METRICS },
    ]);
    assert_eq!(answer["data"], want);
    assert_eq!(ask(&world, Method::GET, "/api/v1/alerting/rules/export?namespace=shop/web", "").await, (200, METRICS.to_owned()));
    assert_eq!(ask(&world, Method::GET, "/api/v1/alerting/rules/export?namespace=x", "").await.0, 404);
}
