//! Alertmanager's own cases, and what it refuses.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use signalbox_model::Labels;
use signalbox_testkit::conformance;

use super::{Names, RawRoute, Route};
use crate::group::GroupBy;

fn read(yaml: &str) -> signalbox_model::Result<Arc<Route>> {
    let receivers: BTreeSet<String> =
        ["notify-def", "notify-A", "notify-BC", "notify-testing", "notify-productionA", "notify-productionB"].map(str::to_owned).into();
    let intervals = BTreeSet::from(["nights".to_owned()]);
    let raw: RawRoute = serde_norway::from_str(yaml).map_err(|error| signalbox_model::Error::invalid(error.to_string()))?;
    raw.read(&Names { receivers: &receivers, intervals: &intervals }).map(Arc::new)
}

fn labels(pairs: &Map<String, Value>) -> Labels {
    Labels::from_pairs(pairs.iter().map(|(name, value)| (name, value.as_str().unwrap())))
}

/// Whether a route is what the case wants; what the case does not say is as the root has it.
fn is_wanted(route: &Route, want: &Value) -> bool {
    let millis = |key: &str, default: i64| want[key].as_i64().map_or(default, |nanos| nanos / 1_000_000);
    let group_by = match want["group_by_all"].as_bool().unwrap() {
        true => GroupBy::Everything,
        false => GroupBy::Labels(want["group_by"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()),
    };
    route.receiver == want["receiver"].as_str().unwrap()
        && route.group_by == group_by
        && route.wait_ms == millis("group_wait_ns", 30_000)
        && route.interval_ms == millis("group_interval_ns", 300_000)
        && route.repeat_ms == millis("repeat_interval_ns", 14_400_000)
}

#[test]
fn alertmanagers_routes_match() {
    let (mut count, mut failures) = (0, Vec::new());
    for file in ["TestRouteMatch", "TestRouteMatchers", "TestRouteMatchersAndMatch"] {
        let Some(cases) = conformance::facts(&format!("alerting/alertmanager-routing-{file}.jsonl")) else { return };
        for case in cases {
            count += 1;
            let tree = read(case["config_yaml"].as_str().unwrap()).unwrap();
            let found = tree.find(&labels(case["labels"].as_object().unwrap()));
            let keys: Vec<&str> = found.iter().map(|route| route.key.as_str()).collect();
            let wanted_keys: Vec<&str> = case["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            let wanted = case["routes"].as_array().unwrap();
            if keys != wanted_keys || found.len() != wanted.len() || !found.iter().zip(wanted).all(|(route, want)| is_wanted(route, want)) {
                failures.push(format!("{file} {}: {keys:?}, want {wanted_keys:?}; {found:?}", case["labels"]));
            }
        }
    }
    assert_eq!(count, 15);
    conformance::report("routes", count, &failures);
}

#[test]
fn what_alertmanager_refuses_is_refused_in_its_words() {
    let message = |yaml: &str| read(yaml).unwrap_err().message().to_owned();
    assert_eq!(message("routes: []"), "root route must specify a default receiver");
    assert_eq!(message("{receiver: notify-A, match: {a: b}}"), "root route must not have any matchers");
    assert_eq!(message("{receiver: notify-A, mute_time_intervals: [nights]}"), "root route must not have any mute time intervals");
    assert_eq!(message("{receiver: nobody}"), "undefined receiver \"nobody\" used in route");
    assert_eq!(message("{receiver: notify-A, routes: [{mute_time_intervals: [days]}]}"), "undefined time interval \"days\" used in route");
    assert_eq!(message("{receiver: notify-A, group_by: [a, a]}"), "duplicated label \"a\" in group_by");
    let wildcard = "cannot have wildcard group_by (`...`) and other other labels at the same time";
    assert_eq!(message("{receiver: notify-A, group_by: [a, ...]}"), wildcard);
    assert_eq!(message("{receiver: notify-A, group_interval: 0s}"), "group_interval cannot be zero");
    assert!(message("{receiver: notify-A, colour: red}").contains("colour"));
    assert!(
        message("{receiver: notify-A, routes: [{matchers: ['a=~\"[\"']}]}").contains("regular expression"),
        "{}",
        message("{receiver: notify-A, routes: [{matchers: ['a=~\"[\"']}]}")
    );
}

#[test]
fn places_are_unique_where_keys_are_not() {
    let tree = read(
        "{receiver: notify-A, labels: {x: a, y: b}, routes: [{match: {a: b}, continue: true}, {match: {a: b}, labels: {x: c}, mute_time_intervals: [nights]}]}",
    )
    .unwrap();
    let found = tree.find(&Labels::from_pairs([("a", "b")]));
    assert_eq!(found.iter().map(|route| route.id.as_str()).collect::<Vec<_>>(), ["{}/{a=\"b\"}/0", "{}/{a=\"b\"}/1"]);
    assert_eq!(found[1].key, "{}/{a=\"b\"}");
    assert_eq!(found[1].labels.clone().into_iter().collect::<Vec<_>>(), [("x".to_owned(), "c".to_owned()), ("y".to_owned(), "b".to_owned())]);
    assert_eq!(tree.all().len(), 3);
}
