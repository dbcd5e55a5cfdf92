//! Putting rules in force while the server runs.

use signalbox_testkit::ManualClock;

use super::*;
use crate::rule_text::Implied;

const CALM: &str = "- {name: calm, interval: 1h, rules: [{alert: Calm, expr: down > 0}]}\n";

fn file(changing: &str) -> String {
    format!("groups:\n{CALM}- {{name: changing, interval: 1h, rules: [{{alert: Changing, expr: {changing}}}]}}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_groups_that_changed_are_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yaml");
    std::fs::write(&path, file("errors > 0")).unwrap();
    let settings = Settings {
        rule_files: vec![path.display().to_string()],
        builtin: crate::settings::Builtin { enabled: false, ..crate::settings::Builtin::default() },
        ..Settings::default()
    };
    let parts = crate::flow_tests::parts(dir.path(), &ManualClock::at_ms(1_700_000_000_000)).await;
    let alerting = Alerting::start(settings, &signalbox_notify::Settings::default(), parts).await.unwrap();
    let task = |groups: &[Arc<Group>], name: &str| groups.iter().find(|group| group.name == name).cloned();
    let mut before = alerting.running.lock().await.groups();
    // What is done, and whether the group that changes, the one that does not, and the one that is set are as before.
    let goes_on = |before: &[Arc<Group>], now: &[Arc<Group>], name: &str| match (task(before, name), task(now, name)) {
        (Some(before), Some(now)) => Arc::ptr_eq(&before, &now),
        (before, now) => before.is_none() && now.is_none(),
    };
    for (step, expected) in [("nothing", [true, true, true]), ("edit", [false, true, true]), ("set", [true, true, false]), ("delete", [true, true, false])] {
        match step {
            "edit" => std::fs::write(&path, file("errors > 1")).unwrap(),
            "set" => alerting.set_rule_group("mine", "{name: set, rules: [{alert: Set, expr: full > 0}]}", Implied::Promql).await.unwrap(),
            "delete" => alerting.delete_rule_groups("mine", None).await.unwrap(),
            _ => {}
        }
        alerting.reload_rules().await.unwrap();
        let now = alerting.running.lock().await.groups();
        let as_before = ["changing", "calm", "set"].map(|name| goes_on(&before, &now, name));
        assert_eq!(as_before, expected, "{step}");
        before = now;
    }
    alerting.shutdown().await;
}
