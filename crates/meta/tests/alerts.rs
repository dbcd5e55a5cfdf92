//! Alerts through their public door: what was saved is there after opening again.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_meta::{AlertChanges, HistoryEvent, HistoryFilter, HistoryNote, Meta, Pairs, StoredAlert};

fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn alert(rule: &str, instance: &str, state: &str) -> StoredAlert {
    StoredAlert {
        rule: rule.into(),
        labels: pairs(&[("alertname", rule), ("instance", instance)]),
        annotations: pairs(&[("summary", "it's \"down\"")]),
        value: 1.5,
        state: state.into(),
        active_at_ms: 1_000,
        fired_at_ms: (state != "pending").then_some(2_000),
        resolved_at_ms: (state == "inactive").then_some(3_000),
        keep_firing_since_ms: None,
        late_ms: None,
    }
}

fn changes(name: &str, at_ms: i64, upserts: Vec<StoredAlert>, gone: Vec<(String, Pairs)>) -> AlertChanges {
    AlertChanges { file: "rules.yaml".into(), name: name.into(), evaluated_at_ms: at_ms, upserts, gone, history: Vec::new() }
}

#[tokio::test]
async fn alerts_are_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let meta = Meta::open(&path).await.unwrap();
    let (down, slow, over) = (alert("Down", "a", "firing"), alert("Slow", "b", "pending"), alert("Slow", "c", "inactive"));
    meta.save_alerts(&changes("g", 10, vec![down.clone(), slow.clone(), over.clone()], vec![])).await.unwrap();
    meta.save_alerts(&changes("other", 11, vec![], vec![])).await.unwrap();
    drop(meta);

    let meta = Meta::open(&path).await.unwrap();
    let groups = meta.load_alerts().await.unwrap();
    assert_eq!(groups.iter().map(|group| (group.name.as_str(), group.evaluated_at_ms)).collect::<Vec<_>>(), [("g", 10), ("other", 11)]);
    assert_eq!(groups[0].alerts, [down.clone(), slow.clone(), over.clone()]);

    // What is gone goes, what changed changes, what is not mentioned stays.
    let fired = StoredAlert { state: "firing".into(), fired_at_ms: Some(20), value: f64::INFINITY, ..slow };
    meta.save_alerts(&changes("g", 20, vec![fired.clone()], vec![(over.rule, over.labels)])).await.unwrap();
    let groups = meta.load_alerts().await.unwrap();
    assert_eq!((groups[0].evaluated_at_ms, groups[0].alerts.len(), &groups[0].alerts[0]), (20, 2, &down));
    assert_eq!((groups[0].alerts[1].fired_at_ms, groups[0].alerts[1].value.is_nan()), (Some(20), true));

    meta.forget_alert_group("rules.yaml", "g").await.unwrap();
    let groups = meta.load_alerts().await.unwrap();
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(groups[0].alerts, []);
}

#[tokio::test]
async fn nothing_of_a_refused_change_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let odd = StoredAlert { state: "odd".into(), ..alert("Down", "b", "firing") };
    meta.save_alerts(&changes("g", 10, vec![alert("Down", "a", "firing"), odd], vec![])).await.unwrap_err();
    assert_eq!(meta.load_alerts().await.unwrap(), []);
}

fn event(at_ms: i64, fingerprint: u64, change: &str, value: Option<f64>) -> HistoryEvent {
    let labels: Pairs = [("alertname".to_owned(), "Down".to_owned()), ("host".to_owned(), fingerprint.to_string())].into();
    let (file, group, rule) = ("rules.yaml".to_owned(), "g".to_owned(), "Down".to_owned());
    HistoryEvent {
        at_ms,
        file,
        group,
        rule,
        fingerprint: Some(fingerprint),
        labels,
        change: change.into(),
        state: change.into(),
        value,
        ..HistoryEvent::default()
    }
}

#[tokio::test]
async fn history_is_written_with_the_alerts_and_found_by_all_that_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    let began = event(1_000, 7, "pending", Some(f64::INFINITY));
    let fired = HistoryEvent { is_late: true, ..event(2_000, 7, "firing", Some(0.1)) };
    let other = event(2_000, u64::MAX, "firing", None);
    let note = HistoryNote { silenced_by: vec!["id".into()], receiver: Some("ops".into()), ..HistoryNote::default() };
    let silenced = HistoryEvent { file: String::new(), group: String::new(), rule: String::new(), note, ..event(3_000, 7, "silenced", None) };
    let failed = HistoryEvent { fingerprint: None, labels: Pairs::new(), ..event(4_000, 7, "error", None) };
    let changes = AlertChanges { history: vec![began.clone(), fired.clone(), other.clone()], ..changes("g", 2_000, Vec::new(), Vec::new()) };
    meta.save_alerts(&changes).await.unwrap();
    meta.save_alert_events(&[silenced.clone(), failed.clone()]).await.unwrap();

    let all = HistoryFilter { limit: 100, ..HistoryFilter::default() };
    let found = async |filter: HistoryFilter| meta.alert_history(&filter).await.unwrap();
    // What names no rule is of the rule that the alert had.
    let silenced = HistoryEvent { file: "rules.yaml".into(), group: "g".into(), rule: "Down".into(), ..silenced };
    assert_eq!(found(all.clone()).await, [failed.clone(), silenced.clone(), other.clone(), fired.clone(), began.clone()]);
    assert_eq!(found(HistoryFilter { limit: 1, ..all.clone() }).await, std::slice::from_ref(&failed));
    assert_eq!(found(HistoryFilter { of_rules: true, ..all.clone() }).await, [failed]);
    assert_eq!(found(HistoryFilter { fingerprint: Some(u64::MAX), ..all.clone() }).await, std::slice::from_ref(&other));
    assert_eq!(found(HistoryFilter { start_ms: Some(2_000), end_ms: Some(2_000), ..all.clone() }).await, [other, fired]);
    assert_eq!(found(HistoryFilter { alert_name: Some("Down".into()), ..all.clone() }).await.len(), 4);
    for nobody in [
        HistoryFilter { alert_name: Some("Up".into()), ..all.clone() },
        HistoryFilter { file: Some("x".into()), ..all.clone() },
        HistoryFilter { group: Some("x".into()), ..all.clone() },
        HistoryFilter { rule: Some("x".into()), ..all.clone() },
    ] {
        assert_eq!(found(nobody).await, []);
    }
    let with = async |name: &str, value: &str| {
        let found = meta.alerts_with(&[(name.to_owned(), value.to_owned())].into(), 10).await.unwrap();
        found.into_iter().map(|(fingerprint, _)| fingerprint).collect::<Vec<_>>()
    };
    assert_eq!(with("alertname", "Down").await, [u64::MAX, 7]);
    assert_eq!(with("host", "7").await, [7]);
    assert_eq!(with("host", "\"").await, [0; 0]);

    assert_eq!(meta.forget_alert_history(3_000).await.unwrap(), 3);
    assert_eq!(found(all).await.len(), 2);
    assert_eq!(with("alertname", "Down").await, [7], "labels go with the last that names them");
}
