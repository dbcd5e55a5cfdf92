use signalbox_testkit::ManualClock;

use super::*;

const CONFIG: &str = "
global: {slack_api_url: 'https://hooks.slack.com/x'}
route: {receiver: people}
receivers: [{name: people, slack_configs: [{channel: '#a', text: '{{ template \"mine\" . }}'}]}]
templates: ['*.tmpl']
";

fn templates(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn wrong(text: &str, all: &[(&str, &str)]) -> String {
    read(text, &templates(all)).map(|_| ()).unwrap_err().message().to_owned()
}

#[test]
fn what_only_files_may_say_is_refused_by_name() {
    read(CONFIG, &templates(&[("a.tmpl", "{{ define \"mine\" }}x{{ end }}"), ("unused.txt", "{{ wrong")])).unwrap();
    assert!(wrong(" ", &[]).starts_with("configuration provided is empty, if you'd like to remove"));
    assert!(wrong(CONFIG, &[("a.tmpl", "{{ wrong")]).starts_with("templates: a.tmpl: "));
    for name in ["", "../a.tmpl", "t/a.tmpl", ".."] {
        assert_eq!(wrong(CONFIG, &[(name, "")]), format!("invalid template name {name:?}: the template name cannot contain any path"));
    }
    assert!(wrong(&CONFIG.replace("*.tmpl", "t/*.tmpl"), &[]).contains("the template name cannot contain any path"));
    let receiver = |config: &str| wrong(&format!("route: {{receiver: a}}\nreceivers: [{{name: a, {config}}}]"), &[]);
    let files = "a configuration that is set over HTTP cannot name files of the server";
    for (config, path) in [
        ("slack_configs: [{api_url_file: /etc/x}]", "slack_configs[0].api_url_file"),
        ("webhook_configs: [{url: 'http://x'}, {url_file: /etc/x}]", "webhook_configs[1].url_file"),
        ("webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca_file: /etc/x}}}]", "webhook_configs[0].http_config.tls_config.ca_file"),
        ("webhook_configs: [{url: 'http://x', http_config: {basic_auth: {password_file: x}}}]", "webhook_configs[0].http_config.basic_auth.password_file"),
        ("sns_configs: [{sigv4: {profile: x}}]", "sns_configs[0].sigv4.profile"),
    ] {
        assert_eq!(receiver(config), format!("receiver \"a\": {path}: {files}"));
    }
    let proxy = receiver("webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'http://p'}}]");
    assert_eq!(proxy, "receiver \"a\": webhook_configs[0].http_config.proxy_url: a configuration that is set over HTTP cannot name a proxy");
    assert_eq!(
        wrong("global: {smtp_auth_password_file: x}\nroute: {receiver: a}\nreceivers: [{name: a}]", &[]),
        format!("global: smtp_auth_password_file: {files}")
    );
    assert_eq!(wrong("receivers: []", &[]), "no route provided in config");
    let many: Vec<(String, &str)> = (0..=CONFIG_TEMPLATES_MAX).map(|index| (index.to_string(), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(wrong(CONFIG, &many), "too many templates in the configuration: 101 (limit: 100)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_is_in_force_also_after_a_restart_until_it_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let start = async |settings: Settings| {
        let parts = crate::flow_tests::parts(dir.path(), &ManualClock::at_ms(1_700_000_000_000)).await;
        Alerting::start(settings, &signalbox_notify::Settings::default(), parts).await.unwrap()
    };
    let names = async |alerting: &Alerting| alerting.receivers().await.into_iter().map(|receiver| receiver.name).collect::<Vec<_>>();
    let config = AlertmanagerConfig { text: CONFIG.to_owned(), templates: templates(&[("a.tmpl", "{{ define \"mine\" }}x{{ end }}")]) };
    let alerting = start(Settings::default()).await;
    assert_eq!(alerting.alertmanager_config().await.unwrap_err().kind(), ErrorKind::NotFound);
    alerting.set_alertmanager_config(config.clone()).await.unwrap();
    assert_eq!((alerting.alertmanager_config().await.unwrap(), names(&alerting).await), (config.clone(), vec!["people".to_owned()]));
    let broken = AlertmanagerConfig { text: "route: {receiver: nobody}\nreceivers: []".to_owned(), ..config.clone() };
    assert_eq!(alerting.set_alertmanager_config(broken).await.unwrap_err().kind(), ErrorKind::Invalid);
    let inner = AlertmanagerConfig { text: CONFIG.replace("'{{ template \"mine\" . }}'", "x, colour: red"), ..config.clone() };
    assert!(alerting.set_alertmanager_config(inner).await.unwrap_err().message().contains("colour"));
    assert_eq!(names(&alerting).await, ["people"], "what is wrong changes nothing");
    // A reload of rule files leaves it in force; a restart finds it.
    alerting.reload().await.unwrap();
    assert_eq!(names(&alerting).await, ["people"]);
    alerting.shutdown().await;
    // The store is of one process at a time.
    drop(alerting);
    let alerting = start(Settings::default()).await;
    assert_eq!((alerting.alertmanager_config().await.unwrap(), names(&alerting).await), (config.clone(), vec!["people".to_owned()]));
    alerting.shutdown().await;
    // The store is of one process at a time.
    drop(alerting);
    // A file goes before it, and it comes back when the file is not named any more.
    let file = dir.path().join("alertmanager.yml");
    std::fs::write(&file, "route: {receiver: filed}\nreceivers: [{name: filed}]").unwrap();
    let alerting = start(Settings { alertmanager_config_file: file, ..Settings::default() }).await;
    assert_eq!((names(&alerting).await, alerting.alertmanager_config().await.unwrap_err().kind()), (vec!["filed".to_owned()], ErrorKind::NotFound));
    assert_eq!(alerting.set_alertmanager_config(config).await.unwrap_err().kind(), ErrorKind::Denied);
    alerting.shutdown().await;
    // The store is of one process at a time.
    drop(alerting);
    let alerting = start(Settings::default()).await;
    assert_eq!(names(&alerting).await, ["people"]);
    alerting.delete_alertmanager_config().await.unwrap();
    alerting.delete_alertmanager_config().await.unwrap();
    assert_eq!((names(&alerting).await, alerting.alertmanager_config().await.unwrap_err().kind()), (vec![], ErrorKind::NotFound));
    alerting.shutdown().await;
    // The store is of one process at a time.
    drop(alerting);
}
