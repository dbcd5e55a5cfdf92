//! Discovery from the outside: what a job sees of files and servers.

use std::time::Duration;

use serde_json::json;
use signalbox_testkit::{ManualClock, conformance};

use super::*;
use crate::config::from_text;
use crate::serve::{Answer, Server};

fn start(yaml: &str) -> Discovery {
    let (configs, _): (DiscoveryConfigs, _) = from_text(yaml).unwrap();
    Discovery::start_with("job", &configs, &Surroundings::new(Arc::new(ManualClock::default()), |_| None), Duration::ZERO).unwrap()
}

/// Waits until the groups are as wanted; a test that waits in vain is ended by the harness.
async fn until(discovery: &Discovery, wanted: impl Fn(&[Arc<TargetGroup>]) -> bool) -> Groups {
    discovery.groups().wait_for(|groups| wanted(groups)).await.unwrap().clone()
}

fn addresses(groups: &[Arc<TargetGroup>]) -> Vec<String> {
    let mut all: Vec<String> = groups.iter().flat_map(|group| &group.targets).map(|target| target.get(ADDRESS).unwrap_or_default().to_owned()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn static_targets_are_there_at_once() {
    let discovery = start("static_configs: [{targets: [a, b], labels: {x: y}}, {targets: []}, {targets: [c]}]");
    let groups = discovery.groups().borrow().clone();
    assert_eq!(addresses(&groups), ["a", "b", "c"]);
    assert_eq!((groups[0].source.as_str(), groups[0].labels.get("x")), ("0", Some("y")));
}

#[test]
fn files_of_prometheus_get_its_verdict() {
    let Some(root) = conformance::root() else { return };
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in std::fs::read_dir(root.join("config/prometheus-sd/file/fixtures")).unwrap().flatten() {
        let (name, text) = (entry.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(entry.path()).unwrap());
        let read = if name.ends_with(".json") { file::parse_json(text.as_bytes()) } else { file::parse_yaml(&text) };
        cases += 1;
        if read.is_ok() != name.starts_with("valid") {
            failures.push(format!("{name}: {read:?}"));
        }
    }
    conformance::report("files of targets", cases, &failures);
    assert_eq!(cases, 5);
}

#[tokio::test]
async fn files_are_read_when_they_come_change_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.json"), r#"[{"targets": ["a"], "labels": {"x": "y"}}]"#).unwrap();
    let discovery =
        start(&format!("file_sd_configs: [{{files: ['{}/*.json', '{}/*.yml'], refresh_interval: 2ms}}]", folder.path().display(), folder.path().display()));
    let groups = until(&discovery, |groups| addresses(groups) == ["a"]).await;
    let file = path("a.json").display().to_string();
    assert_eq!((groups[0].labels.get("__meta_filepath"), groups[0].labels.get("x")), (Some(file.as_str()), Some("y")));
    std::fs::write(path("b.yml"), "- targets: [b]\n- targets: [c]\n").unwrap();
    until(&discovery, |groups| addresses(groups) == ["a", "b", "c"]).await;
    std::fs::write(path("a.json"), r#"[{"targets": ["d"], "#).unwrap();
    std::fs::write(path("b.yml"), "- targets: [b]\n").unwrap();
    until(&discovery, |groups| addresses(groups) == ["a", "b"]).await;
    std::fs::remove_file(path("a.json")).unwrap();
    until(&discovery, |groups| addresses(groups) == ["b"]).await;
}

#[tokio::test]
async fn servers_are_asked_and_what_they_said_stays_when_they_fail() {
    let times = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = times.clone();
    let server = Server::start(move |_| match counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Answer::json(json!([{"targets": ["a"], "labels": {"x": "y"}}, {"targets": ["b"]}])),
        1 => Answer::status(500),
        2 => Answer::text("text/plain", "[]"),
        3 => Answer::text("application/json; charset=utf-8", r#"[{"targets": ["c"], "unknown": 1}]"#),
        4 => Answer::text("application/json", "[null]"),
        _ => Answer::text("application/json; charset=\"UTF-8\"", r#"[{"targets": ["d"]}]"#),
    })
    .await;
    let url = server.url("/sd?q=1");
    let discovery = start(&format!("http_sd_configs: [{{url: '{url}', refresh_interval: 20ms, http_headers: {{X-A: {{values: [v]}}}}}}]"));
    let seen: Vec<Vec<String>> = {
        let mut groups = discovery.groups();
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last: &Vec<String>| last != &["d"]) {
            groups.changed().await.unwrap();
            seen.push(addresses(&groups.borrow()));
        }
        seen
    };
    assert_eq!(seen, [vec!["a", "b"], vec!["d"]]);
    let groups = discovery.groups().borrow().clone();
    assert_eq!((groups[0].source.as_str(), groups[0].labels.get("__meta_url")), (format!("{url}:0").as_str(), Some(url.as_str())));
    let asked = server.asked().remove(0);
    let headers = ["accept", "x-prometheus-refresh-interval-seconds", "x-a"].map(|name| asked.headers[name].clone());
    assert_eq!(headers, ["application/json", "0.02", "v"]);
    assert!(times.load(std::sync::atomic::Ordering::SeqCst) > 5);
}

#[test]
fn updates_add_replace_and_remove() {
    let group = |source: &str, target: &str| TargetGroup {
        source: source.to_owned(),
        targets: if target.is_empty() { Vec::new() } else { vec![Labels::from_pairs([(ADDRESS, target)])] },
        labels: Labels::empty(),
    };
    let mut found = Found::default();
    let update = |provider, groups, is_all| Update { provider, groups, is_all };
    assert!(found.apply(update(1, vec![group("a", "1"), group("b", "2")], true)));
    assert!(found.apply(update(2, vec![group("a", "3")], false)));
    assert!(!found.apply(update(2, vec![group("a", "3"), group("x", "")], false)), "nothing new");
    assert!(found.apply(update(1, vec![group("b", "4")], true)));
    assert_eq!(addresses(&found.all()), ["3", "4"], "a of the first is gone, that of the second stays");
    assert!(found.apply(update(1, vec![group("b", "")], false)));
    assert_eq!(addresses(&found.all()), ["3"]);
}
