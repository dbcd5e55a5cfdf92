//! The webhook on the wire.

use std::net::TcpListener;
use std::time::Duration;

use signalbox_notify::message::{Message, Status};
use signalbox_notify::retry::Failure;
use signalbox_notify::template::Templates;
use signalbox_notify::webhook::{BasicAuth, Settings};
use signalbox_notify::{Channel, Delivery, Secret};

use crate::http_peer::HttpPeer;
use crate::{START_NS, alert, message, testdata};

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

fn to(url: &str) -> Settings {
    Settings { url: Some(Secret::new(url)), ..Settings::default() }
}

async fn deliver(settings: &Settings, message: &Message) -> Result<(), Failure> {
    let channel = Channel::Webhook(std::sync::Arc::new(
        signalbox_notify::webhook::Webhook::new(settings, Templates::load(&[]).unwrap(), &signalbox_notify::Policy::default()).unwrap(),
    ));
    channel.deliver(Delivery { message, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.map(|_| ())
}

#[tokio::test]
async fn posts_alertmanagers_json() {
    let peer = HttpPeer::start(&[OK]);
    let mut settings = to(&peer.url());
    settings.headers = [("X-Team".to_owned(), Secret::new("blue"))].into();
    settings.bearer_token = Some(Secret::new("t0ken"));
    deliver(&settings, &message()).await.unwrap();
    let request = peer.requests.recv().unwrap();
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("user-agent"), Some(concat!("Signalbox/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("x-team"), Some("blue"));
    assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
    assert_eq!(request.header("idempotency-key"), Some("signalbox.7.17b85586d1be6e00"));
    let firing = format!("{:016x}", message().alerts[0].fingerprint());
    let resolved = format!("{:016x}", message().alerts[1].fingerprint());
    let expected = format!(
        concat!(
            r#"{{"receiver":"ops","status":"firing","alerts":["#,
            r#"{{"status":"firing","labels":{{"alertname":"Slow","instance":"a","severity":"page"}},"annotations":{{"summary":"Checkout is slow"}},"#,
            r#""startsAt":"2024-02-29T12:34:56.12Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://localhost:4400/metrics?expr=up","fingerprint":"{}"}},"#,
            r#"{{"status":"resolved","labels":{{"alertname":"Slow","instance":"b","severity":"page"}},"annotations":{{"summary":"Checkout is slow"}},"#,
            r#""startsAt":"2024-02-29T12:34:56.12Z","endsAt":"2024-02-29T12:35:56.12Z","generatorURL":"http://localhost:4400/metrics?expr=up","fingerprint":"{}"}}],"#,
            r#""notification_reason":"first notification","groupLabels":{{"alertname":"Slow"}},"commonLabels":{{"alertname":"Slow","severity":"page"}},"#,
            r#""commonAnnotations":{{"summary":"Checkout is slow"}},"routeLabels":{{}},"externalURL":"http://localhost:4400","version":"4","#,
            r#""groupKey":"{{}}:{{alertname=\"Slow\"}}","truncatedAlerts":0}}"#,
            "\n"
        ),
        firing, resolved
    );
    assert_eq!(request.body, expected);
}

#[tokio::test]
async fn a_large_group_is_cut_and_says_so() {
    let peer = HttpPeer::start(&[OK]);
    let mut group = message();
    group.alerts.push(alert(Status::Firing, &[("alertname", "Slow"), ("instance", "c")]));
    deliver(&Settings { max_alerts: 2, ..to(&peer.url()) }, &group).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&peer.requests.recv().unwrap().body).unwrap();
    assert_eq!(json["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(json["truncatedAlerts"], 1);
    assert_eq!(json["commonLabels"], serde_json::json!({"alertname": "Slow", "severity": "page"}));
}

#[tokio::test]
async fn statuses_decide_about_a_retry() {
    let answers = [
        ("HTTP/1.1 204 No Content\r\n\r\n", None),
        ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 17\r\nContent-Length: 4\r\n\r\nbusy", Some((true, Some(17), "unexpected status code 503: busy"))),
        ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", Some((true, None, "unexpected status code 429"))),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno hook", Some((false, None, "unexpected status code 404: no hook"))),
        ("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Some((false, None, "unexpected status code 307"))),
    ];
    for (answer, expected) in answers {
        let peer = HttpPeer::start(&[answer]);
        let failure = deliver(&to(&peer.url()), &message()).await.err();
        let found = failure.as_ref().map(|failure| (failure.is_transient, failure.retry_after.map(|after| after.as_secs()), failure.error.as_str()));
        assert_eq!(found, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_silent_or_broken_is_tried_again() {
    let free_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = deliver(&to(&format!("http://127.0.0.1:{free_port}/?token=hidden")), &message()).await.unwrap_err();
    assert!(refused.is_transient && !refused.error.contains("hidden") && refused.error.contains("refused"), "{refused:?}");

    let silent = HttpPeer::start(&["", OK]);
    let timeout = deliver(&Settings { timeout_seconds: 1, ..to(&silent.url()) }, &message()).await.unwrap_err();
    assert_eq!(timeout, Failure::transient("cannot post to the webhook: no answer within 1 s"));

    let broken = HttpPeer::start(&["HTTP/1.1 2"]);
    assert!(deliver(&to(&broken.url()), &message()).await.unwrap_err().is_transient);
}

#[tokio::test]
async fn a_yes_counts_even_if_its_body_breaks_off() {
    let peer = HttpPeer::start(&["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]);
    deliver(&to(&peer.url()), &message()).await.unwrap();
}

#[tokio::test]
async fn certificates_are_checked_against_the_configured_authority() {
    let peer = HttpPeer::start_tls(&[OK, OK]);
    let mut settings = to(&format!("https://localhost:{}/hook", peer.port));
    let stranger = deliver(&settings, &message()).await.unwrap_err();
    assert!(stranger.is_transient && stranger.error.to_lowercase().contains("certificate"), "{stranger:?}");
    settings.tls.insecure_skip_verify = true;
    deliver(&settings, &message()).await.unwrap();
    settings.tls.insecure_skip_verify = false;
    settings.tls.ca_file = Some(testdata("tls/ca.pem"));
    deliver(&settings, &message()).await.unwrap();
    assert_eq!(peer.requests.try_iter().count(), 2);
}

#[tokio::test]
async fn a_password_file_may_be_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "first\n").unwrap();
    let peer = HttpPeer::start(&[OK, OK]);
    let settings = Settings {
        basic_auth: Some(BasicAuth { username: "ops".into(), password: None, password_file: Some(file.clone()) }),
        timeout_seconds: 60,
        ..to(&peer.url())
    };
    let channel = Channel::Webhook(std::sync::Arc::new(
        signalbox_notify::webhook::Webhook::new(&settings, Templates::load(&[]).unwrap(), &signalbox_notify::Policy::default()).unwrap(),
    ));
    let group = message();
    let delivery = Delivery { message: &group, id: 1, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None };
    channel.deliver(delivery).await.unwrap();
    std::fs::write(&file, "second\n").unwrap();
    channel.deliver(delivery).await.unwrap();
    // ops:first and ops:second.
    for expected in ["Basic b3BzOmZpcnN0", "Basic b3BzOnNlY29uZA=="] {
        assert_eq!(peer.requests.recv_timeout(Duration::from_secs(60)).unwrap().header("authorization"), Some(expected));
    }
}

/// A label that would break JSON, a URL or a line if it were put there as it is.
fn hostile() -> Message {
    let mut message = message();
    for alert in &mut message.alerts {
        alert.labels.insert("evil".to_owned(), "\"}],\\ \u{1}\n</script>".to_owned());
        alert.labels.insert("host".to_owned(), "127.0.0.1".to_owned());
    }
    message
}

#[tokio::test]
async fn a_payload_stays_json_whatever_a_label_holds() {
    let peer = HttpPeer::start(&[OK, OK]);
    let payload = serde_json::json!({"text": "{{ .CommonLabels.evil }}", "{{ .Status }}": [1, true, null, "{{ len .Alerts }}"], "data": "{{ .CommonLabels.evil | toJson }}",
        "list": "{{ .Alerts | toJson }}"});
    let settings = Settings { payload: Some(payload), method: "PUT".into(), ..to(&peer.url()) };
    deliver(&settings, &hostile()).await.unwrap();
    let request = peer.requests.recv().unwrap();
    assert_eq!((request.line.as_str(), request.header("content-type")), ("PUT /hook HTTP/1.1", Some("application/json")));
    let sent: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(sent["text"], "\"}],\\ \u{1}\n</script>");
    assert_eq!(sent["firing"], serde_json::json!([1, true, null, 2]));
    assert_eq!(sent["list"].as_array().unwrap().len(), 2, "what a template makes of alerts is JSON");
    // Alertmanager's key is the same.
    let receiver =
        serde_norway::from_str(&format!("{{name: ops, webhook_configs: [{{url: '{}', max_alerts: 1, payload: {{n: '{{{{ len .Alerts }}}}'}}}}]}}", peer.url()));
    let read = signalbox_notify::alertmanager::receivers(
        &serde_norway::Value::Null,
        &[receiver.unwrap()],
        std::path::Path::new("/"),
        &[],
        &signalbox_notify::Policy::default(),
    );
    let channel = read.unwrap().remove(0).channels.remove(0).1;
    channel.deliver(Delivery { message: &message(), id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.unwrap();
    assert_eq!(peer.requests.recv().unwrap().body, "{\"n\":1}");
}

#[tokio::test]
async fn presets_have_their_forms() {
    use signalbox_notify::webhook::Preset;
    let peer = HttpPeer::start(&[OK, OK, OK, OK]);
    for preset in [Preset::Slack, Preset::Cloudevents, Preset::Plain] {
        deliver(&Settings { preset, ..to(&peer.url()) }, &message()).await.unwrap();
    }
    let json = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
    let slack = json(&peer.requests.recv().unwrap().body);
    assert_eq!((&slack["text"], &slack["attachments"][0]["color"]), (&"[FIRING:1] Slow (page)".into(), &"danger".into()));
    assert!(slack["attachments"][0]["text"].as_str().unwrap().contains("instance = a"));
    let request = peer.requests.recv().unwrap();
    assert_eq!(request.header("content-type"), Some("application/cloudevents+json; charset=utf-8"));
    let event = json(&request.body);
    assert_eq!(
        (&event["specversion"], &event["type"], &event["id"]),
        (&"1.0".into(), &"io.signalbox.alert.firing".into(), &"signalbox.7.17b85586d1be6e00".into())
    );
    assert_eq!(
        (&event["time"], &event["data"]["version"], &event["source"]),
        (&"2024-02-29T12:34:56.12Z".into(), &"4".into(), &"http://localhost:4400".into())
    );
    let request = peer.requests.recv().unwrap();
    assert_eq!(request.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(request.body.starts_with("[FIRING:1] Slow (page)\nAlerts Firing:\nLabels:\n"), "{}", request.body);
    let own = Settings { body: Some("{{ .Status }} {{ .TruncatedAlerts }}".into()), content_type: "text/x-own".into(), max_alerts: 1, ..to(&peer.url()) };
    deliver(&own, &message()).await.unwrap();
    let request = peer.requests.recv().unwrap();
    assert_eq!((request.body.as_str(), request.header("content-type")), ("firing 1", Some("text/x-own")));
}

#[tokio::test]
async fn urls_and_headers_may_be_templates_that_cannot_point_inside() {
    let peer = HttpPeer::start(&[OK]);
    let mut settings = to(&format!("http://127.0.0.1:{}/{{{{ .CommonLabels.severity }}}}?s={{{{ .Status }}}}", peer.port));
    settings.headers = [("X-Status".to_owned(), Secret::new("{{ .Status }}")), ("X-Fixed".to_owned(), Secret::new("f"))].into();
    deliver(&settings, &message()).await.unwrap();
    let request = peer.requests.recv().unwrap();
    assert_eq!((request.line.as_str(), request.header("x-status"), request.header("x-fixed")), ("POST /page?s=firing HTTP/1.1", Some("firing"), Some("f")));
    let failure = deliver(&to(&format!("http://{{{{ .CommonLabels.host }}}}:{}/", peer.port)), &hostile()).await.unwrap_err();
    assert!(failure.error.contains("127.0.0.1, a loopback address, is refused"), "{failure:?}");
    settings.headers = [("X-Evil".to_owned(), Secret::new("{{ .CommonLabels.evil }}"))].into();
    let failure = deliver(&settings, &hostile()).await.unwrap_err();
    assert_eq!(failure, Failure::permanent("the value of X-Evil is not allowed in a header"), "no header can be smuggled in");
    assert_eq!(peer.requests.try_iter().count(), 0);
}
