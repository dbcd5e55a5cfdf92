//! Files that Alertmanager takes, and what it refuses.

use std::path::Path;

use signalbox_model::Labels;
use signalbox_testkit::conformance;

use super::AlertmanagerFile;

fn message(text: &str) -> String {
    AlertmanagerFile::parse(text, Path::new("/etc")).unwrap_err().message().to_owned()
}

#[test]
fn the_examples_of_alertmanager_load() {
    let Some(root) = conformance::root() else { return };
    for name in ["alertmanager.yml", "route_labels.yml", "simple.yml"] {
        let file = AlertmanagerFile::load(&root.join("config/alertmanager-examples").join(name)).unwrap();
        assert!(!file.receivers.is_empty(), "{name}");
    }
    let file = AlertmanagerFile::load(&root.join("config/alertmanager/config/testdata/conf.good.yml")).unwrap();
    let found = file.route.find(&Labels::from_pairs([("service", "database"), ("owner2", "team-X"), ("owner", "team-Y")]));
    assert_eq!(found.iter().map(|route| route.receiver.as_str()).collect::<Vec<_>>(), ["team-X-pager", "team-Y-pager"]);
    assert_eq!(file.inhibitions.len(), 1);
}

#[test]
fn all_parts_are_read() {
    let text = "
route: {receiver: a, routes: [{matchers: ['x=y'], active_time_intervals: [work], mute_time_intervals: [old]}]}
receivers: [{name: a}]
templates: ['t/*.tmpl', '/abs/*.tmpl']
time_intervals: [{name: work, time_intervals: [{weekdays: ['monday:friday']}]}]
mute_time_intervals: [{name: old, time_intervals: []}]
inhibit_rules: [{source_matchers: ['s=1'], target_match_re: {t: '1|2'}, equal: [e]}]
";
    let file = AlertmanagerFile::parse(text, Path::new("/etc/am")).unwrap();
    assert_eq!(file.templates, [Path::new("/etc/am/t/*.tmpl"), Path::new("/abs/*.tmpl")]);
    assert_eq!(file.intervals.keys().collect::<Vec<_>>(), ["old", "work"]);
    assert_eq!(file.route.routes[0].active_intervals, ["work"]);
    assert!(file.inhibitions[0].target[0].matches("2"));
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(message("receivers: [{name: a}]"), "no route provided in config");
    assert_eq!(message("{route: {receiver: a}, receivers: [{name: a}, {name: a}]}"), "notification config name \"a\" is not unique");
    assert_eq!(message("{route: {receiver: a}, receivers: [{webhook_configs: []}]}"), "missing name in receiver");
    assert_eq!(message("{route: {receiver: b}, receivers: [{name: a}]}"), "undefined receiver \"b\" used in route");
    let twice = "{route: {receiver: a}, receivers: [{name: a}], time_intervals: [{name: w}], mute_time_intervals: [{name: w}]}";
    assert_eq!(message(twice), "time interval \"w\" is not unique");
    assert!(message("{route: {receiver: a}, receivers: [{name: a}], colour: red}").contains("colour"));
    assert!(message("{route: {receiver: a}, receivers: [{name: a}], inhibit_rules: [{source_matchers: ['=']}]}").contains("bad matcher format"));
    assert!(message("{global: {resolve_timeout: soon}, route: {receiver: a}, receivers: [{name: a}]}").starts_with("resolve_timeout: "));
    assert!(AlertmanagerFile::load(Path::new("/does/not/exist.yml")).is_err());
}

#[test]
fn alerts_end_when_the_file_says() {
    let timeout_ms = |global: &str| {
        AlertmanagerFile::parse(&format!("{{{global} route: {{receiver: a}}, receivers: [{{name: a}}]}}"), Path::new("")).unwrap().resolve_timeout_ms
    };
    assert_eq!([timeout_ms(""), timeout_ms("global: {resolve_timeout: 90s},")], [300_000, 90_000]);
}
