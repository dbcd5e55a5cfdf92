//! Alerts through their public door: what was saved is there after opening again.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_meta::{AlertChanges, Meta, Pairs, StoredAlert};

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
    }
}

fn changes(name: &str, at_ms: i64, upserts: Vec<StoredAlert>, gone: Vec<(String, Pairs)>) -> AlertChanges {
    AlertChanges { file: "rules.yaml".into(), name: name.into(), evaluated_at_ms: at_ms, upserts, gone }
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
