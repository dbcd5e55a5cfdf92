//! Templates against the conformance suite, and the defaults against what people see.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use serde_json::Value as Json;
use signalbox_testkit::conformance;

use super::data::{AlertData, Alerts, Data, Kv, Strings, ZeroTime};
use super::*;
use crate::message::{Alert, Pairs, Reason, Status, group_key};

fn kv(json: &Json) -> Value {
    let Some(map) = json.as_object() else { return Value::Nil };
    Value::object(Kv(Arc::new(map.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect())))
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Int),
        Json::String(text) => Value::text(text),
        Json::Array(list) if list.iter().all(Json::is_string) => Value::object(Strings(list.iter().map(|text| text.as_str().unwrap().to_owned()).collect())),
        Json::Array(list) => Value::List(Arc::new(list.iter().map(from_json).collect())),
        Json::Object(map) if map.keys().any(|key| key.starts_with(char::is_uppercase)) => {
            let alert = |json: &Json| {
                Arc::new(AlertData {
                    status: json["Status"].as_str().unwrap_or_default().to_owned(),
                    labels: kv(&json["Labels"]),
                    annotations: kv(&json["Annotations"]),
                    starts_at: Value::object(ZeroTime),
                    ends_at: Value::object(ZeroTime),
                    generator_url: String::new(),
                    fingerprint: String::new(),
                })
            };
            let alerts = map.get("Alerts").and_then(Json::as_array).into_iter().flatten().map(alert).collect();
            let empty = Json::Null;
            let labels = |name: &str| kv(map.get(name).unwrap_or(&empty));
            let fields = [("Alerts", Value::object(Alerts(alerts))), ("GroupLabels", labels("GroupLabels")), ("CommonLabels", labels("CommonLabels"))];
            Value::object(Data(fields.into()))
        }
        Json::Object(map) => Value::Map(Arc::new(map.iter().map(|(name, value)| (name.clone(), from_json(value))).collect::<BTreeMap<_, _>>())),
    }
}

#[test]
fn passes_the_suite_of_alertmanager() {
    let Some(facts) = conformance::facts("alerting/alertmanager-templates.jsonl") else { return };
    let templates = Templates::load(&[]).unwrap();
    let (mut failures, mut cases) = (Vec::new(), 0);
    for fact in &facts {
        let source = fact["in"].as_str().unwrap();
        cases += 1;
        let pairs = fact["data"]["RouteLabels"].as_object().into_iter().flatten();
        let route_labels = pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let renderer = Renderer {
            templates: &templates,
            dot: from_json(&fact["data"]),
            route_labels,
            are_labels_expanded: false,
            now_ns: 0,
            key: String::new(),
            handle: None,
        };
        let got = renderer.expand(source, fact.get("html").is_some());
        let is_right = match fact.get("out") {
            Some(out) => got.as_deref() == Ok(out.as_str().unwrap()),
            None => got.is_err(),
        };
        if !is_right {
            failures.push(format!("{fact}\n  got {got:?}"));
        }
    }
    assert_eq!(cases, 43);
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
}

fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn message() -> Message {
    let alert = |status, instance: &str| Alert {
        status,
        labels: pairs(&[("alertname", "Slow"), ("instance", instance), ("severity", "page")]),
        annotations: pairs(&[("summary", "a < b")]),
        starts_at_ns: 1_709_210_096_120_000_000,
        ends_at_ns: (status == Status::Resolved).then_some(1_709_210_156_120_000_000),
        generator_url: "http://g".to_owned(),
    };
    let group_labels = pairs(&[("alertname", "Slow")]);
    Message {
        receiver: "ops.team".to_owned(),
        reason: Reason::FirstNotification,
        group_key: group_key("{}", &group_labels),
        group_labels,
        alerts: vec![alert(Status::Firing, "a"), alert(Status::Resolved, "b")],
        external_url: "http://sb".to_owned(),
        route_labels: Pairs::new(),
        truncated_alerts: 0,
    }
}

#[test]
fn defaults_and_data_read_as_alertmanagers() {
    let templates = Templates::load(&[]).unwrap();
    let message = message();
    let renderer = Renderer::new(&templates, &message, 1_709_210_100_120_000_000);
    let cases = [
        (r#"{{ template "slack.default.title" . }}"#, "[FIRING:1] Slow (page)"),
        (r#"{{ template "slack.default.titlelink" . }}"#, r"http://sb/#/alerts?receiver=ops%5C.team"),
        ("{{ .GroupLabels }} {{ .CommonLabels.severity }} {{ .GroupKey }}", r#"alertname=Slow page {}:{alertname="Slow"}"#),
        ("{{ range .Alerts.Firing }}{{ .Labels.instance }} {{ .EndsAt.IsZero }} {{ .EndsAt.Format \"2006-01-02 15:04\" }}{{ end }}", "a true 0001-01-01 00:00"),
        ("{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"15:04 MST -07:00\" }}", "13:34 CET +01:00"),
        ("{{ (index .Alerts 0).StartsAt | since }}", "4s"),
        ("{{ range $name, $value := .CommonLabels }}{{ $name }}={{ $value }};{{ end }}", "alertname=Slow;severity=page;"),
        (
            "{{ .Alerts.Firing | toJson }}",
            concat!(
                r#"[{"status":"firing","labels":{"alertname":"Slow","instance":"a","severity":"page"},"#,
                r#""annotations":{"summary":"a \u003c b"},"startsAt":"2024-02-29T12:34:56.12Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://g","fingerprint":"FP"}]"#
            ),
        ),
    ];
    let fingerprint = format!("{:016x}", message.alerts[0].fingerprint());
    for (text, want) in cases {
        assert_eq!(renderer.text(text).unwrap(), want.replace("FP", &fingerprint), "{text}");
    }
    let list = renderer.html(r#"{{ template "telegram.default.message" . }}"#).unwrap();
    assert!(
        list.starts_with(
            "\n\nAlerts Firing:\nLabels:\n - alertname = Slow\n - instance = a\n - severity = page\nAnnotations:\n - summary = a &lt; b\nSource: http://g\n\n"
        ),
        "{list}"
    );
    assert!(!renderer.text("{{ .Nothing }}").unwrap_err().is_transient);
}

#[test]
fn files_add_and_replace_templates() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("own.tmpl"),
        r#"{{ define "slack.default.text" }}own {{ template "mine" . }}{{ end }}{{ define "mine" }}{{ .Receiver }}{{ end }}"#,
    )
    .unwrap();
    let templates = Templates::load(&[folder.path().join("*.tmpl"), folder.path().join("none*.tmpl")]).unwrap();
    let message = message();
    let renderer = Renderer::new(&templates, &message, 0);
    assert_eq!(renderer.text(r#"{{ template "slack.default.text" . }}"#).unwrap(), r"own ops\.team");
    std::fs::write(folder.path().join("wrong.tmpl"), "{{ nothing }}").unwrap();
    assert!(Templates::load(&[folder.path().join("*.tmpl")]).unwrap_err().contains("wrong.tmpl"));
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert_eq!(truncate("äbcdé", 5), "äbcdé");
    assert_eq!(truncate("äbcdéf", 5), "äbcd…");
    assert_eq!(truncate("äbcd", 2), "äb");
}

#[test]
fn labels_of_the_route_are_expanded_once() {
    let templates = Templates::load(&[]).unwrap();
    let mut message = Message { truncated_alerts: 3, ..message() };
    message.group_labels.insert("evil".to_owned(), "{{ .Receiver }}".to_owned());
    let labels = [
        ("team", "db-{{ .CommonLabels.severity }} {{ .NotificationReason }}"),
        ("page", "{{ routeLabels \"team\" }}!"),
        ("evil", "{{ .GroupLabels.evil }}"),
        ("loop", "{{ routeLabels \"loop\" }}"),
    ];
    message.route_labels = pairs(&labels);
    let renderer = Renderer::new(&templates, &message, 0);
    assert_eq!(renderer.text("{{ routeLabels \"page\" }} {{ .RouteLabels.team }}").unwrap(), "db-page unknown! db-page unknown");
    assert_eq!(renderer.text("{{ routeLabels \"evil\" }} {{ routeLabels \"none\" }}").unwrap(), "{{ .Receiver }} ", "a label's value is no template");
    assert_eq!(renderer.text("{{ .TruncatedAlerts }} {{ .NotificationReason }}").unwrap(), "3 first notification");
    assert!(!renderer.route_labels().contains_key("loop"), "what cannot be expanded is left out");
}
