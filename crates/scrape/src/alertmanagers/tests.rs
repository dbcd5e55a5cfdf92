use super::*;
use crate::config::PrometheusConfig;

fn section(yaml: &str) -> AlertmanagerConfig {
    let text = format!("alerting: {{alertmanagers: [{yaml}]}}");
    PrometheusConfig::parse(&text, |_| None).unwrap().alerting.alertmanagers.remove(0)
}

fn placed(yaml: &str) -> Vec<Placed> {
    let section = section(yaml);
    let groups: Vec<TargetGroup> = section.discovery.statics.iter().map(|group| group.named("0".to_owned())).collect();
    groups.iter().flat_map(|group| place(group, &section).collect::<Vec<_>>()).collect()
}

fn told(yaml: &str) -> String {
    match placed(yaml).remove(0) {
        Placed::Told(url) => url,
        other => panic!("{yaml}: {other:?}"),
    }
}

#[test]
fn an_address_is_made_of_scheme_target_and_prefix() {
    assert_eq!(told("{static_configs: [{targets: ['am:9093']}]}"), "http://am:9093/api/v2/alerts");
    assert_eq!(told("{scheme: https, static_configs: [{targets: [am]}]}"), "https://am/api/v2/alerts");
    for (prefix, path) in [
        ("/", "/api/v2/alerts"),
        ("am", "/am/api/v2/alerts"),
        ("/am/", "/am/api/v2/alerts"),
        ("//a/./b/../c", "/a/c/api/v2/alerts"),
        ("../..", "/api/v2/alerts"),
        ("/a b", "/a%20b/api/v2/alerts"),
    ] {
        assert_eq!(told(&format!("{{path_prefix: '{prefix}', static_configs: [{{targets: ['h:1']}}]}}")), format!("http://h:1{path}"));
    }
}

#[test]
fn relabelling_moves_and_drops_alertmanagers() {
    let moved = told(
        "{static_configs: [{targets: ['am:1'], labels: {zone: b, __scheme__: https}}], relabel_configs: [
            {source_labels: [__address__, zone], regex: '(.+):1;(.+)', target_label: __address__, replacement: '$1-$2:2'},
            {target_label: __alerts_path__, replacement: /elsewhere}]}",
    );
    assert_eq!(moved, "https://am-b:2/elsewhere", "labels of a group go before what the section says, as in Prometheus");
    let dropping = "{static_configs: [{targets: ['a:1', 'b:1']}], relabel_configs: [{source_labels: [__address__], regex: 'a.*', action: drop}]}";
    assert_eq!(placed(dropping), [Placed::Dropped("http://a:1/api/v2/alerts".to_owned()), Placed::Told("http://b:1/api/v2/alerts".to_owned())]);
    let nowhere = "{static_configs: [{targets: ['a:1']}], relabel_configs: [{target_label: __address__, replacement: 'x/y'}]}";
    assert_eq!(placed(nowhere), [Placed::Failed("\"x/y\" is not a valid hostname".to_owned())]);
    let nobody = "{static_configs: [{targets: ['a:1']}], relabel_configs: [{target_label: __address__, replacement: ''}]}";
    assert_eq!(placed(nobody), [Placed::Failed("no address".to_owned())]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = |yaml: &str| {
        let text = format!("alerting: {{alertmanagers: [{yaml}]}}");
        PrometheusConfig::parse(&text, |_| None).and_then(|config| config.ensure_supported()).unwrap_err().to_string()
    };
    for (yaml, said) in [
        ("{static_configs: [{targets: [a]}], api_version: v1}", "expected Alertmanager api version to be one of [v2] but got v1"),
        ("{sigv4: {region: r}}", "alerting.alertmanagers[0].sigv4: requests are not signed as Amazon wants it"),
        ("{consul_sd_configs: [{server: x}]}", "alerting.alertmanagers[0].consul_sd_configs: targets are found by"),
        ("{authorization: {credentials_ref: x}}", "alerting.alertmanagers[0].authorization.credentials_ref: there is no secret manager"),
    ] {
        let error = refused(yaml);
        assert!(error.contains(said), "{yaml}: {error}");
    }
}

#[tokio::test]
async fn sections_that_stay_are_found_once_and_have_rules_of_their_own() {
    let around = discovery::Surroundings::new(Arc::new(signalbox_testkit::ManualClock::at_ms(0)), |_| None);
    let alertmanagers = Alertmanagers::new(around);
    let apply = |text: &str| alertmanagers.apply(&PrometheusConfig::parse(text, |_| None).unwrap());
    apply(
        "alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers:
    - static_configs: [{targets: ['a:1', 'a:1']}]
      alert_relabel_configs: [{source_labels: [severity], regex: info, action: drop}]
    - static_configs: [{targets: ['a:1']}]",
    )
    .unwrap();
    let found = alertmanagers.found();
    let keys: Vec<&str> = found.active.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["0 http://a:1/api/v2/alerts", "1 http://a:1/api/v2/alerts"], "once for each section");
    let (info, page) = (Labels::from_pairs([("severity", "info"), ("replica", "1")]), Labels::from_pairs([("severity", "page"), ("replica", "1")]));
    assert_eq!(found.active[0].relabel(&info), None);
    assert_eq!(found.active[0].relabel(&page).unwrap().into_owned(), page, "rules for everybody have been obeyed before");
    assert_eq!(found.active[1].relabel(&info).unwrap().into_owned(), info);
    let broken = apply("alerting: {alertmanagers: [{static_configs: [{targets: ['b:1']}], tls_config: {ca_file: /nowhere}}]}");
    assert!(broken.unwrap_err().message().starts_with("alerting.alertmanagers[0]: "));
    assert_eq!(alertmanagers.found().active.len(), 2, "what is wrong changes nothing");
    apply("{}").unwrap();
    assert!(alertmanagers.found().active.is_empty());
}
