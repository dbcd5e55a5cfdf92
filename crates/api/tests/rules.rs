//! Rules and alerts: a board to show, pages of it, refusals with Prometheus' words.

use std::time::Duration;

use signalbox_meta::{ActiveAlert, AlertBoard, AlertingStatus, GroupStatus, Health, RuleKind, RuleStatus};
use signalbox_model::Labels;

use crate::world::{T0, World};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn rule(name: &str, query: &str, rule_labels: &[(&str, &str)], kind: RuleKind) -> RuleStatus {
    RuleStatus {
        name: name.into(),
        query: query.into(),
        lang: "promql",
        range: None,
        labels: labels(rule_labels),
        health: Health::Good,
        last_error: None,
        evaluated_at_ns: Some(T0 + 1_500_000),
        evaluation: Duration::from_micros(312),
        kind,
    }
}

fn alerting(hold_seconds: u64, annotations: &[(&str, &str)], alerts: Vec<ActiveAlert>) -> RuleKind {
    let (hold, keep_firing) = (Duration::from_secs(hold_seconds), Duration::from_millis(hold_seconds * 500));
    RuleKind::Alerting(AlertingStatus { hold, keep_firing, annotations: labels(annotations), extras: Vec::new(), alerts })
}

fn alert(instance: &str, is_firing: bool, value: f64) -> ActiveAlert {
    ActiveAlert {
        labels: labels(&[("alertname", "Slow"), ("instance", instance)]),
        annotations: labels(&[("summary", &format!("\"{instance}\" is slow"))]),
        is_firing,
        active_at_ms: T0 / 1_000_000 - 60_250,
        keep_firing_since_ms: is_firing.then_some(T0 / 1_000_000),
        value,
    }
}

fn group(name: &str, file: &str, rules: Vec<RuleStatus>) -> GroupStatus {
    let (interval, evaluation) = (Duration::from_secs(30), Duration::from_micros(1_500));
    GroupStatus { file: file.into(), name: name.into(), interval, query_offset: Duration::ZERO, limit: 7, evaluated_at_ns: Some(T0), evaluation, rules }
}

/// Two groups: one that works and one that was never evaluated.
pub(crate) fn board() -> AlertBoard {
    let board = AlertBoard::default();
    let slow = alerting(300, &[("summary", "{{ $labels.instance }} is slow")], vec![alert("a", true, 0.25), alert("b", false, f64::INFINITY)]);
    let broken = RuleStatus {
        health: Health::Bad,
        last_error: Some("exceeded limit of 7 with 9 alerts".into()),
        ..rule("Quiet", "up == 0", &[("team", "ops")], alerting(0, &[], Vec::new()))
    };
    board.show(group(
        "shop",
        "/rules/shop.yaml",
        vec![rule("Slow", "latency_seconds > 1", &[("severity", "page")], slow), rule("job:up:sum", "sum by (job) (up)", &[], RuleKind::Recording), broken],
    ));
    let unknown = |rule: RuleStatus| RuleStatus { health: Health::Unknown, evaluated_at_ns: None, evaluation: Duration::ZERO, ..rule };
    let fresh = vec![
        unknown(rule("fresh", "vector(1)", &[("severity", "page")], RuleKind::Recording)),
        unknown(rule("New", "vector(1)", &[], alerting(1, &[], Vec::new()))),
        unknown(RuleStatus {
            lang: "traceql",
            range: Some(Duration::from_secs(300)),
            ..rule("Traces", "{ status = error } | rate()", &[], alerting(0, &[], Vec::new()))
        }),
    ];
    board.show(GroupStatus { evaluated_at_ns: None, evaluation: Duration::ZERO, ..group("new", "/rules/other.yaml", fresh) });
    board
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another() {
    let world = World::head().await;
    let first = world.get("/api/v1/rules?group_limit=1").await.json();
    let token = first["data"]["groupNextToken"].as_str().unwrap();
    let second = world.get(&format!("/api/v1/rules?group_limit=1&group_next_token={token}")).await.json();
    let all = world.get("/api/v1/rules").await.json();
    assert_eq!((&first["data"]["groups"][0], &second["data"]["groups"][0]), (&all["data"]["groups"][0], &all["data"]["groups"][1]));
    assert!(second["data"].get("groupNextToken").is_none() && all["data"].get("groupNextToken").is_none());
}

/// Names of the groups, each with those of its rules.
async fn shown(world: &World, query: &str) -> Vec<String> {
    let json = world.get(&format!("/api/v1/rules?{query}")).await.json();
    assert_eq!(json["status"], "success", "{query}: {json}");
    let groups = json["data"]["groups"].as_array().unwrap();
    let names = |group: &serde_json::Value| group["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    groups.iter().map(|group| format!("{}: {}", group["name"].as_str().unwrap(), names(group).join(" "))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_chosen_as_prometheus_chooses_them() {
    let world = World::head().await;
    let (shop, new) = ("shop: Slow job:up:sum Quiet", "new: fresh New Traces");
    for (query, want) in [
        ("", vec![new, shop]),
        ("type=&exclude_alerts=&group_limit=&group_next_token=", vec![new, shop]),
        ("type=ALERT", vec!["new: New Traces", "shop: Slow Quiet"]),
        ("type=record", vec!["new: fresh", "shop: job:up:sum"]),
        ("rule_name[]=Slow&rule_name[]=New", vec!["new: New", "shop: Slow"]),
        ("rule_name%5B%5D=Slow&type=record", vec![]),
        ("rule_name[]=", vec![]),
        ("rule_group[]=shop", vec![shop]),
        ("rule_group[]=shop&file[]=/rules/other.yaml", vec![]),
        ("file[]=/rules/other.yaml", vec![new]),
        ("match[]={severity=\"page\"}", vec!["new: fresh", "shop: Slow"]),
        ("match[]={severity=\"page\"}&match[]={team=~\"o.*\"}", vec!["new: fresh", "shop: Slow Quiet"]),
        ("match[]={severity=\"page\",team=\"ops\"}", vec![]),
        ("rule_group=shop&rule_name=Quiet", vec!["shop: Quiet"]),
    ] {
        assert_eq!(shown(&world, &query.replace('"', "%22").replace('{', "%7B").replace('}', "%7D")).await, want, "{query}");
    }
    let without = world.get("/api/v1/rules?exclude_alerts=T&rule_name[]=Slow").await.json();
    assert!(without["data"]["groups"][0]["rules"][0]["alerts"].is_null(), "{without}");
    let with = world.get("/api/v1/rules?exclude_alerts=false&rule_name[]=Slow").await.json();
    assert_eq!(with["data"]["groups"][0]["rules"][0]["alerts"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_parameters_as_prometheus_does() {
    let world = World::head().await;
    for (query, want) in [
        ("type=x", "invalid parameter \"type\": not supported value \"x\""),
        ("exclude_alerts=maybe", "invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing \"maybe\": invalid syntax"),
        ("group_limit=-1", "invalid parameter \"group_limit\": group_limit needs to be greater than 0"),
        (
            "group_limit=99999999999",
            "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing \"99999999999\": value out of range",
        ),
        ("type=x&match%5B%5D=%7B%7D", "match[] must contain at least one non-empty matcher"),
        ("match%5B%5D=up&match%5B%5D=%7Ba%3D~%22.*%22%7D", "match[] must contain at least one non-empty matcher"),
        ("group_next_token=x", "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups"),
        ("group_limit=0", "invalid parameter \"group_limit\": group_limit needs to be greater than 0"),
        ("group_limit=x", "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("group_limit=1&group_next_token=x", "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?"),
        ("match%5B%5D=%7B%7D", "match[] must contain at least one non-empty matcher"),
    ] {
        let answer = world.get(&format!("/api/v1/rules?{query}")).await;
        let json = answer.json();
        assert_eq!((answer.status, json["errorType"].as_str(), json["error"].as_str()), (400, Some("bad_data"), Some(want)), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_lokis_ruler_shows_rules_over_logs_alone() {
    let world = World::head().await;
    assert_eq!(world.get("/loki/prometheus/api/v1/rules").await.json()["data"]["groups"], serde_json::json!([]));
    assert_eq!(world.get("/loki/prometheus/api/v1/alerts").await.json()["data"]["alerts"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_rules_can_be_set_is_said_where_mimir_says_it() {
    let world = World::head().await;
    let features = async |path: &str| world.get(path).await.json()["data"]["features"].clone();
    assert_eq!(features("/prometheus/api/v1/status/buildinfo").await["ruler_config_api"], "true");
    assert!(features("/api/v1/status/buildinfo").await.is_null());
}
