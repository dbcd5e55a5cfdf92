#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;

fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn alert(status: Status, labels: &[(&str, &str)]) -> Alert {
    let ends_at_ns = (status == Status::Resolved).then_some(2);
    Alert { status, labels: pairs(labels), annotations: pairs(&[("summary", "slow")]), starts_at_ns: 1, ends_at_ns, generator_url: String::new() }
}

fn message(group: &[(&str, &str)], alerts: Vec<Alert>) -> Message {
    let group_labels = pairs(group);
    Message {
        receiver: "ops".into(),
        reason: Reason::FirstNotification,
        group_key: group_key("{}", &group_labels),
        group_labels,
        alerts,
        external_url: "http://localhost:4400".into(),
        route_labels: Pairs::new(),
        truncated_alerts: 0,
    }
}

#[test]
fn fingerprints_are_those_of_prometheus() {
    // The empty set, and two sets whose sums stand in the tests of Prometheus' `common/model`.
    assert_eq!(fingerprint(&Pairs::new()), 14_695_981_039_346_656_037);
    assert_eq!(fingerprint(&pairs(&[("name", "garland, briggs"), ("fear", "love is not enough")])), 5_799_056_148_416_392_346);
    assert_eq!(fingerprint(&pairs(&[("first-label", "first-label-value"), ("second-label", "second-label-value")])), {
        // Independent of the order in which the labels come.
        let reversed = [("second-label".to_owned(), "second-label-value".to_owned()), ("first-label".to_owned(), "first-label-value".to_owned())];
        fingerprint(reversed.iter().map(|(name, value)| (name, value)))
    });
}

#[test]
fn a_group_key_quotes_values_as_go_does() {
    assert_eq!(group_key("{}", &Pairs::new()), "{}:{}");
    let labels = pairs(&[("alertname", "A \"b\" \\ \n\u{1}é"), ("cluster", "eu")]);
    assert_eq!(group_key("{}/{severity=\"page\"}", &labels), r#"{}/{severity="page"}:{alertname="A \"b\" \\ \n\x01é", cluster="eu"}"#);
}

#[test]
fn subjects_read_as_alertmanagers() {
    let firing = |instance: &str| alert(Status::Firing, &[("alertname", "Slow"), ("instance", instance), ("severity", "page"), ("app", "shop")]);
    let two = message(&[("alertname", "Slow")], vec![firing("a"), firing("b")]);
    assert_eq!(two.subject(), "[FIRING:2] Slow (shop page)");
    let grouped = message(&[("alertname", "Slow"), ("app", "shop"), ("severity", "page")], vec![firing("a"), firing("b")]);
    assert_eq!(grouped.subject(), "[FIRING:2] Slow shop page");
    let over = message(&[("app", "shop"), ("alertname", "Slow")], vec![alert(Status::Resolved, &[("alertname", "Slow"), ("app", "shop")])]);
    assert_eq!(over.subject(), "[RESOLVED] Slow shop");
    let half = message(&[("alertname", "Slow")], vec![firing("a"), alert(Status::Resolved, &[("alertname", "Slow"), ("instance", "b")])]);
    assert_eq!(half.subject(), "[FIRING:1] Slow");
}

#[test]
fn common_pairs_are_those_of_all_alerts() {
    let alerts = vec![
        alert(Status::Firing, &[("alertname", "Slow"), ("instance", "a"), ("severity", "page")]),
        alert(Status::Firing, &[("alertname", "Slow"), ("instance", "b"), ("severity", "page"), ("only", "here")]),
    ];
    let group = message(&[("alertname", "Slow")], alerts);
    assert_eq!(group.common_labels(), pairs(&[("alertname", "Slow"), ("severity", "page")]));
    assert_eq!(group.common_annotations(), pairs(&[("summary", "slow")]));
    assert_eq!(message(&[], Vec::new()).common_labels(), Pairs::new());
}

#[test]
fn alerts_are_sorted_by_job_and_instance_then_labels() {
    let mut alerts = vec![
        alert(Status::Firing, &[("alertname", "Z")]),
        alert(Status::Firing, &[("alertname", "A"), ("x", "y")]),
        alert(Status::Firing, &[("instance", "b"), ("job", "1")]),
        alert(Status::Firing, &[("instance", "a"), ("job", "2")]),
        alert(Status::Firing, &[("instance", "a"), ("job", "1")]),
    ];
    sort_alerts(&mut alerts);
    let order: Vec<String> = alerts.iter().map(|alert| alert.labels.values().cloned().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(order, ["a 1", "b 1", "a 2", "Z", "A y"]);
}

#[test]
fn a_message_survives_the_outbox() {
    let group = message(&[("alertname", "Slow")], vec![alert(Status::Resolved, &[("alertname", "Slow")])]);
    assert_eq!(serde_json::from_str::<Message>(&serde_json::to_string(&group).unwrap()).unwrap(), group);
}
