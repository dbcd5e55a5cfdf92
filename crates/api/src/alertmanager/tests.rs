//! The API over a desk in memory.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use parking_lot::Mutex;
use serde_json::json;
use signalbox_model::{ErrorKind, Result};
use signalbox_query::Engine;
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_testkit::ManualClock;
use tower::ServiceExt;

use super::desk::{AlertDesk, DeskAlert, DeskGroup, DeskSilence, PostedAlert};
use super::*;

const T0_MS: i64 = 1_700_000_000_000;

#[derive(Debug, Default)]
struct Desk {
    posted: Mutex<Vec<PostedAlert>>,
    silences: Mutex<Vec<DeskSilence>>,
}

fn alert(name: &str, silenced_by: &[&str], inhibited_by: &[&str]) -> DeskAlert {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    DeskAlert {
        labels: [("alertname".to_owned(), name.to_owned())].into(),
        annotations: [("summary".to_owned(), "why".to_owned())].into(),
        fingerprint: name.to_owned(),
        starts_at_ms: T0_MS,
        ends_at_ms: T0_MS + 300_000,
        updated_at_ms: T0_MS + 1,
        generator_url: "http://here".to_owned(),
        receivers: vec!["ops".to_owned()],
        silenced_by: owned(silenced_by),
        inhibited_by: owned(inhibited_by),
        muted_by: Vec::new(),
    }
}

#[async_trait]
impl AlertDesk for Desk {
    async fn alerts(&self) -> Vec<DeskAlert> {
        vec![alert("A", &[], &[]), alert("B", &["s1"], &[]), alert("C", &[], &["f"])]
    }

    async fn groups(&self) -> Vec<DeskGroup> {
        let group = |receiver: &str, alerts| DeskGroup { labels: [].into(), route_labels: [].into(), receiver: receiver.to_owned(), alerts };
        vec![group("ops", self.alerts().await), group("night", vec![alert("B", &["s1"], &[])])]
    }

    async fn post(&self, alerts: Vec<PostedAlert>) -> Result<()> {
        self.posted.lock().extend(alerts);
        Ok(())
    }

    async fn receivers(&self) -> Vec<DeskReceiver> {
        let receiver =
            |name: &str, owner: &str| DeskReceiver { name: name.to_owned(), labels: [("owner".to_owned(), owner.to_owned())].into(), channels: Vec::new() };
        vec![receiver("ops", "web"), DeskReceiver { name: "night".to_owned(), labels: [].into(), channels: Vec::new() }]
    }

    async fn silences(&self) -> Vec<DeskSilence> {
        self.silences.lock().clone()
    }

    async fn set_silence(&self, silence: DeskSilence) -> Result<String> {
        self.silences.lock().push(DeskSilence { id: "s9".to_owned(), state: "active", ..silence });
        Ok("s9".to_owned())
    }

    async fn expire_silence(&self, id: &str) -> Result<()> {
        if id == "s9" { Ok(()) } else { Err(Error::new(ErrorKind::NotFound, "silence not found")) }
    }

    fn config(&self) -> String {
        "route: {}".to_owned()
    }
}

struct Server {
    _dir: tempfile::TempDir,
    desk: Arc<Desk>,
    router: Router,
}

impl Server {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ms(T0_MS));
        let store = Store::open(signalbox_store::Settings::default(), dir.path(), Arc::new(RealDisk::new(dir.path())), clock.clone()).await.unwrap();
        let engine = Arc::new(Engine::new(store, clock, signalbox_query::Settings { partitions: 1, ..signalbox_query::Settings::default() }));
        let desk = Arc::new(Desk::default());
        let state = ApiState::new(engine).with_alert_desk(desk.clone());
        Self { _dir: dir, desk, router: router(state) }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let (status, body) = self.ask("GET", &format!("/api/v2/alerts?{query}"), "").await;
        assert_eq!(status, 200, "{body}");
        body.as_array().unwrap().iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn alerts_are_filtered_as_there() {
    let server = Server::new().await;
    assert_eq!(server.names("").await, ["A", "B", "C"]);
    assert_eq!(server.names("active=false").await, ["B", "C"]);
    assert_eq!(server.names("silenced=false").await, ["A", "C"]);
    assert_eq!(server.names("inhibited=false&silenced=false").await, ["A"]);
    assert_eq!(server.names("filter=alertname%3D~%22A%7CB%22&filter=alertname!%3DA").await, ["B"]);
    assert_eq!(server.names("filter=team%3D%22%22").await, ["A", "B", "C"]);
    assert_eq!(server.names("receiver=o.*").await, ["A", "B", "C"]);
    assert_eq!(server.names("receiver=o").await, [""; 0]);
    let (status, body) = server.ask("GET", "/api/v2/alerts?filter=%3D", "").await;
    assert_eq!((status, body.as_str().unwrap().starts_with("bad matcher format")), (400, true));
    assert_eq!(server.ask("GET", "/api/v2/alerts?active=maybe", "").await.0, 400);
    let (_, body) = server.ask("GET", "/api/v2/alerts", "").await;
    assert_eq!(body[1]["status"], json!({ "state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": [], "mutedBy": [] }));
    assert_eq!(body[0]["startsAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!(body[0]["receivers"], json!([{ "name": "ops" }]));
}

#[tokio::test]
async fn groups_are_shown_with_their_alerts() {
    let server = Server::new().await;
    let (_, body) = server.ask("GET", "/api/v2/alerts/groups", "").await;
    assert_eq!(body.as_array().unwrap().len(), 2);
    assert_eq!(body[1]["alerts"].as_array().unwrap().len(), 3);
    let (_, body) = server.ask("GET", "/api/v2/alerts/groups?muted=false", "").await;
    assert_eq!(body.as_array().unwrap().len(), 1, "a group in which all is muted");
    let (_, body) = server.ask("GET", "/api/v2/alerts/groups?silenced=false&receiver=ops", "").await;
    assert_eq!(body[0]["alerts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn alerts_are_taken_or_refused() {
    let server = Server::new().await;
    let body =
        r#"[{"labels":{"alertname":"X"},"startsAt":"2023-11-14T22:13:20.5+01:00","endsAt":"0001-01-01T00:00:00Z"},{"labels":{"a":"b"},"annotations":null}]"#;
    assert_eq!(server.ask("POST", "/api/v2/alerts", body).await.0, 200);
    let posted = server.desk.posted.lock().clone();
    assert_eq!((posted[0].starts_at_ms, posted[0].ends_at_ms), (Some(T0_MS - 3_600_000 + 500), None));
    assert_eq!(posted.len(), 2);
    for bad in ["", "{}", "[{}]", r#"[{"labels":{"a":1}}]"#, r#"[{"labels":{"a":"b"},"startsAt":"soon"}]"#] {
        let (status, answer) = server.ask("POST", "/api/v2/alerts", bad).await;
        assert_eq!((status, answer.is_string()), (400, true), "{bad}: {answer}");
    }
    assert_eq!(server.ask("POST", "/api/v1/alerts", "[]").await.0, 410);
}

#[tokio::test]
async fn silences_are_set_listed_and_ended() {
    let server = Server::new().await;
    let body = r#"{"matchers":[{"name":"a","value":"b|c","isRegex":true},{"name":"d","value":"e","isRegex":false,"isEqual":false}],
        "startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T23:13:20Z","createdBy":"me","comment":"why"}"#;
    assert_eq!(server.ask("POST", "/api/v2/silences", body).await, (200, json!({ "silenceID": "s9" })));
    let (_, listed) = server.ask("GET", "/api/v2/silences?filter=a%3D%22b%7Cc%22", "").await;
    assert_eq!(listed[0]["matchers"][1], json!({ "name": "d", "value": "e", "isRegex": false, "isEqual": false }));
    assert_eq!(listed[0]["status"], json!({ "state": "active" }));
    assert_eq!(server.ask("GET", "/api/v2/silences?active=false", "").await.1, json!([]));
    assert_eq!(server.ask("GET", "/api/v2/silences?filter=x%3Dy", "").await.1, json!([]));
    assert_eq!(server.ask("GET", "/api/v2/silence/s9", "").await.0, 200);
    assert_eq!(server.ask("GET", "/api/v2/silence/s8", "").await.0, 404);
    assert_eq!(server.ask("DELETE", "/api/v2/silence/s9", "").await.0, 200);
    assert_eq!(server.ask("DELETE", "/api/v2/silence/s8", "").await.0, 404);
    let broken = body.replace("b|c", "[");
    assert_eq!(server.ask("POST", "/api/v2/silences", &broken).await.0, 400);
    assert_eq!(server.ask("POST", "/api/v2/silences", "{}").await.0, 400);
}

#[tokio::test]
async fn status_and_receivers() {
    let server = Server::new().await;
    let (_, status) = server.ask("GET", "/api/v2/status", "").await;
    assert_eq!((status["cluster"]["status"].as_str(), status["config"]["original"].as_str()), (Some("disabled"), Some("route: {}")));
    assert_eq!(server.ask("GET", "/api/v2/receivers", "").await.1, json!([{ "name": "ops", "labels": { "owner": "web" } }, { "name": "night" }]));
    assert_eq!(server.ask("GET", "/api/v2/receivers?receiver_matchers=owner%3D%22%22", "").await.1, json!([{ "name": "night" }]));
    assert_eq!(server.ask("GET", "/api/v2/receivers?receiver_matchers=owner", "").await.0, 400);
    assert_eq!(server.names("receiver_matchers=owner%3Dweb").await, ["A", "B", "C"]);
    assert_eq!(server.names("receiver_matchers=owner%3Ddb").await, [""; 0]);
}
