//! The API over a desk in memory.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use parking_lot::Mutex;
use serde_json::{Value, json};
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_query::Engine;
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_testkit::ManualClock;
use tower::ServiceExt;

use super::desk::{AlertDesk, DeskAlert, DeskGroup, DeskSilence, PostedAlert};
use super::*;

const T0_MS: i64 = 1_700_000_000_000;
const ID: &str = "00000000-0000-4000-8000-000000000009";
const OTHER_ID: &str = "00000000-0000-4000-8000-000000000008";

#[derive(Debug, Default)]
struct Desk {
    posted: Mutex<Vec<PostedAlert>>,
    silences: Mutex<Vec<DeskSilence>>,
    config: Mutex<Option<DeskConfig>>,
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

    async fn set_config(&self) -> Result<DeskConfig> {
        self.config.lock().clone().ok_or_else(|| Error::new(ErrorKind::NotFound, "no configuration"))
    }

    async fn put_config(&self, config: DeskConfig) -> Result<()> {
        if config.alertmanager_config.is_empty() {
            return Err(Error::invalid("nothing"));
        }
        *self.config.lock() = Some(config);
        Ok(())
    }

    async fn delete_config(&self) -> Result<()> {
        *self.config.lock() = None;
        Ok(())
    }

    async fn silences(&self) -> Vec<DeskSilence> {
        self.silences.lock().clone()
    }

    async fn set_silence(&self, silence: DeskSilence) -> Result<String> {
        self.silences.lock().push(DeskSilence { id: ID.to_owned(), state: "active", ..silence });
        Ok(ID.to_owned())
    }

    async fn expire_silence(&self, id: &str) -> Result<()> {
        if id == ID { Ok(()) } else { Err(Error::new(ErrorKind::NotFound, "silence not found")) }
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
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap();
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
    assert_eq!(server.names("active=maybe").await, ["B", "C"], "what is not true is false");
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
    for (bad, status, code, message) in [
        ("", 422, 602, "alerts in body is required"),
        ("{}", 400, 400, "parsing alerts body from \"\" failed, because "),
        ("[", 400, 400, "parsing alerts body from \"\" failed, because "),
        ("[{}]", 422, 602, "0.labels in body is required"),
        ("[null]", 422, 602, "0.labels in body is required"),
        (r#"[{"labels":{"a":"b"}},{"labels":null}]"#, 422, 602, "1.labels in body is required"),
        (r#"[{"labels":{"a":1}}]"#, 400, 400, "parsing alerts body from \"\" failed, because "),
        (r#"[{"labels":{"a":"b"},"startsAt":"soon"}]"#, 400, 400, "parsing alerts body from \"\" failed, because parsing time \"soon\""),
        (r#"[{"labels":{"a":"b"},"generatorURL":"not an address"}]"#, 422, 601, "0.generatorURL in body must be of type uri: \"not an address\""),
    ] {
        let (found, answer) = server.ask("POST", "/api/v2/alerts", bad).await;
        assert_eq!((found, answer["code"].as_u64()), (status, Some(code)), "{bad}: {answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(message), "{bad}: {answer}");
    }
    for good in ["null", "[]", r#"[{"labels":{"a":"b"},"generatorURL":"/graph?g0.expr=up","startsAt":"2023-11-14T22:13:20"}]"#] {
        assert_eq!(server.ask("POST", "/api/v2/alerts", good).await.0, 200, "{good}");
    }
    assert_eq!(server.desk.posted.lock().last().unwrap().starts_at_ms, Some(T0_MS));
    assert_eq!(server.ask("POST", "/api/v1/alerts", "[]").await.0, 410);
}

#[tokio::test]
async fn the_configuration_is_set_and_read_as_mimir_does() {
    let server = Server::new().await;
    assert_eq!(server.ask("GET", "/api/v1/alerts", "").await.0, 404);
    let document = "template_files:\n  a.tmpl: |\n    {{ define \"a\" }}b{{ end }}\nalertmanager_config: |\n  route: {receiver: a}\n";
    assert_eq!(server.ask("POST", "/api/v1/alerts", document).await.0, 201);
    let config = DeskConfig {
        template_files: [("a.tmpl".to_owned(), "{{ define \"a\" }}b{{ end }}\n".to_owned())].into(),
        alertmanager_config: "route: {receiver: a}\n".to_owned(),
    };
    assert_eq!(*server.desk.config.lock(), Some(config));
    for (document, status) in
        [("alertmanager_config: x\ntemplate_files: null", 201), ("template_files: {}", 400), ("colour: red", 400), ("{", 400), ("[]", 410)]
    {
        assert_eq!(server.ask("POST", "/api/v1/alerts", document).await.0, status, "{document}");
    }
    assert_eq!(server.ask("GET", "/api/v1/alerts", "").await.0, 200);
    for _ in 0..2 {
        assert_eq!(server.ask("DELETE", "/api/v1/alerts", "").await.0, 200);
    }
    assert_eq!(server.ask("GET", "/api/v1/alerts", "").await.0, 404);
}

#[tokio::test]
async fn silences_are_set_listed_and_ended() {
    let server = Server::new().await;
    let body = r#"{"matchers":[{"name":"a","value":"b|c","isRegex":true},{"name":"d","value":"e","isRegex":false,"isEqual":false}],
        "startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T23:13:20Z","createdBy":"me","comment":"why"}"#;
    assert_eq!(server.ask("POST", "/api/v2/silences", body).await, (200, json!({ "silenceID": ID })));
    let (_, listed) = server.ask("GET", "/api/v2/silences?filter=a%3D~%22b%7Cc%22&filter=d!%3De", "").await;
    assert_eq!(listed[0]["matchers"][1], json!({ "name": "d", "value": "e", "isRegex": false, "isEqual": false }));
    assert_eq!(listed[0]["status"], json!({ "state": "active" }));
    assert_eq!(server.ask("GET", "/api/v2/silences?active=false", "").await.1, json!([]));
    for other in ["x%3Dy", "a%3D%22b%7Cc%22", "a%3D~b", "d%3De", "x!%3Dy"] {
        assert_eq!(server.ask("GET", &format!("/api/v2/silences?filter={other}"), "").await.1, json!([]), "{other} is none of its matchers");
    }
    assert_eq!(server.ask("GET", &format!("/api/v2/silence/{ID}"), "").await.0, 200);
    assert_eq!(server.ask("GET", &format!("/api/v2/silence/{OTHER_ID}"), "").await.0, 404);
    assert_eq!(server.ask("DELETE", &format!("/api/v2/silence/{ID}"), "").await.0, 200);
    assert_eq!(server.ask("DELETE", &format!("/api/v2/silence/{OTHER_ID}"), "").await.0, 404);
    let broken = body.replace("b|c", "[");
    let (status, answer) = server.ask("POST", "/api/v2/silences", &broken).await;
    let words = "invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"[\": ";
    assert_eq!((status, answer.as_str().unwrap().starts_with(words)), (400, true), "{answer}");
    let uuid = (422, json!({ "code": 601, "message": "silenceID in path must be of type uuid: \"x\"" }));
    assert_eq!((server.ask("GET", "/api/v2/silence/x", "").await, server.ask("DELETE", "/api/v2/silence/x", "").await), (uuid.clone(), uuid));
    for (from, to, code, message) in [
        (body, "null", 602, "comment in body is required"),
        (body, "{}", 602, "comment in body is required"),
        (r#","createdBy":"me""#, "", 602, "createdBy in body is required"),
        (r#""endsAt":"2023-11-14T23:13:20Z","#, "", 602, "endsAt in body is required"),
        (r#""startsAt":"2023-11-14T22:13:20Z","#, "", 602, "startsAt in body is required"),
        (r#""isRegex":true"#, r#""isEqual":true"#, 602, "matchers.0.isRegex in body is required"),
        (r#""name":"d","#, "", 602, "matchers.1.name in body is required"),
        (r#""value":"e","#, "", 602, "matchers.1.value in body is required"),
    ] {
        let broken = body.replace(from, to);
        assert_ne!(broken, body);
        assert_eq!(server.ask("POST", "/api/v2/silences", &broken).await, (422, json!({ "code": code, "message": message })), "{broken}");
    }
    let nothing = r#"{"matchers":[],"startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T23:13:20Z","createdBy":"","comment":""}"#;
    let answer = server.ask("POST", "/api/v2/silences", nothing).await;
    assert_eq!(answer, (422, json!({ "code": 612, "message": "matchers in body should have at least 1 items" })));
}

#[tokio::test]
async fn what_is_not_there_is_said_as_there() {
    let server = Server::new().await;
    let answer = server.ask("GET", "/api/v2/nothing", "").await;
    assert_eq!(answer, (404, json!({ "code": 404, "message": "path /api/v2/nothing was not found" })));
    let (status, answer) = server.ask("PUT", "/api/v2/alerts", "").await;
    assert_eq!((status, answer["message"].as_str()), (405, Some("method PUT is not allowed, but [POST,GET] are")));
    let request = Request::builder().method("POST").uri("/api/v2/alerts").header("content-type", "text/plain").body(Body::from("[]")).unwrap();
    let answer = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 415, "a page in a browser can post text without being asked whether it may");
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
