//! What can be configured, and what is refused at start.

use signalbox_notify::Settings;

fn settings(json: &str) -> Result<Settings, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn receivers_have_channels_by_name() {
    let text = r#"{"receivers": [
        {"name": "ops", "email": {"smarthost": "mail.example.org:587", "from": "a@example.org", "to": ["b@example.org"]}, "webhook": {"url": "http://h/"}},
        {"name": "dev", "webhook": {"url": "https://h/", "basic_auth": {"username": "u", "password": "p"}}}]}"#;
    let settings = settings(text).unwrap();
    let names: Vec<String> = settings.channels().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ops/email", "ops/webhook", "dev/webhook"]);
    assert_eq!((settings.channels_of("ops"), settings.channels_of("nobody")), (names[..2].to_vec(), Vec::new()));
}

#[test]
fn what_cannot_work_is_refused_with_receiver_and_key() {
    let email = |more: &str| format!(r#"{{"name": "ops", "email": {{"smarthost": "mail:587", "from": "a@example.org", "to": ["b@example.org"]{more}}}}}"#);
    let webhook = |inner: &str| format!(r#"{{"name": "ops", "webhook": {{{inner}}}}}"#);
    let cases = [
        (r#"{"name": ""}"#.to_owned(), "found no name"),
        (r#"{"name": "ops"}"#.to_owned(), "found none: want email, webhook or entries"),
        (r#"{"name": "ops", "email": {"smarthost": "mail", "from": "a@b.c", "to": ["a@b.c"]}}"#.to_owned(), "smarthost: found \"mail\": want host:port"),
        (r#"{"name": "ops", "email": {"smarthost": "mail:25", "from": "nobody", "to": ["a@b.c"]}}"#.to_owned(), "from: found \"nobody\": want an address"),
        (r#"{"name": "ops", "email": {"smarthost": "mail:25", "from": "a@b.c", "to": []}}"#.to_owned(), "to: found no address"),
        (email(r#", "auth_username": "u""#), "auth_username: found no auth_password"),
        (email(r#", "auth_password": "p""#), "auth_password: found no auth_username"),
        (email(r#", "auth_username": "u", "auth_password_file": "/no/such/file""#), "auth_password_file: cannot read /no/such/file"),
        (email(r#", "headers": {"Message-ID": "x"}"#), "headers: found Message-ID: every mail has that of its own"),
        (email(r#", "headers": {"bad name": "x"}"#), "headers: found \"bad name\""),
        (email(r#", "tls": {"ca_file": "/no/such/ca"}"#), "tls.ca_file: cannot read /no/such/ca"),
        (email(r#", "timeout_seconds": 0"#), "timeout_seconds: found 0"),
        (email(r#", "auth_mechanisms": []"#), "auth_mechanisms: found none"),
        (webhook(""), "found neither url nor url_file"),
        (webhook(r#""url": "ftp://h/""#), "url: found scheme \"ftp\""),
        (webhook(r#""url": "h""#), "url: relative URL"),
        (webhook(r#""url": "http://h/", "url_file": "/f""#), "found both url and url_file"),
        (webhook(r#""url": "http://h/", "headers": {"Authorization": "x"}"#), "want basic_auth or bearer_token"),
        (webhook(r#""url": "http://h/", "bearer_token": "t", "basic_auth": {"username": "u"}"#), "found both basic_auth and bearer_token"),
        (webhook(r#""url": "http://h/", "timeout_seconds": 0"#), "timeout_seconds: found 0"),
    ];
    for (receiver, expected) in cases {
        let error = settings(&format!("{{\"receivers\": [{receiver}]}}")).unwrap().channels().unwrap_err();
        assert_eq!(error.kind(), signalbox_model::ErrorKind::Invalid);
        assert!(error.message().contains(expected) && error.message().contains("notify.receivers"), "{receiver}: {error}");
    }
    let twice = settings(r#"{"receivers": [{"name": "ops", "webhook": {"url": "http://h/"}}, {"name": "ops", "webhook": {"url": "http://h/"}}]}"#).unwrap();
    assert!(twice.channels().unwrap_err().message().contains("\"ops\" in notify.receivers: found a second receiver of this name"));
}

#[test]
fn unknown_keys_are_named() {
    for (text, key) in [
        (r#"{"receiver": []}"#, "receiver"),
        (r#"{"receivers": [{"name": "a", "slack": {}}]}"#, "slack"),
        (r#"{"receivers": [{"name": "a", "email": {"smart_host": ""}}]}"#, "smart_host"),
        (r#"{"receivers": [{"name": "a", "webhook": {"tls": {"verify": true}}}]}"#, "verify"),
    ] {
        assert!(settings(text).unwrap_err().contains(&format!("unknown field `{key}`")), "{text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let text = r#"{"receivers": [{"name": "ops", "webhook": {"url": "http://h/s3cret", "bearer_token": "s3cret", "headers": {"X-Key": "s3cret"}},
        "email": {"smarthost": "mail:587", "from": "a@example.org", "to": ["b@example.org"], "auth_username": "u", "auth_password": "s3cret"}}]}"#;
    let settings = settings(text).unwrap();
    let shown = format!("{settings:?} {} {:?}", serde_json::to_string(&settings).unwrap(), settings.channels().unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn receivers_take_all_channels_with_alertmanagers_keys() {
    let keys = [
        ("email_configs", r#"{"to": "a@b.c", "from": "d@e.f", "smarthost": "mail:25"}"#),
        ("webhook_configs", r#"{"url": "http://h/", "payload": {"a": "{{ .Status }}"}}"#),
        ("slack_configs", r#"{"api_url": "https://h/s3cret", "channel": "c"}"#),
        ("pagerduty_configs", r#"{"routing_key": "s3cret"}"#),
        ("opsgenie_configs", r#"{"api_key": "s3cret"}"#),
        ("msteams_configs", r#"{"webhook_url": "https://h"}"#),
        ("msteamsv2_configs", r#"{"webhook_url": "https://h"}"#),
        ("telegram_configs", r#"{"bot_token": "s3cret", "chat_id": 1}"#),
        ("discord_configs", r#"{"webhook_url": "https://h"}"#),
        ("mattermost_configs", r#"{"webhook_url": "https://h"}"#),
        ("pushover_configs", r#"{"user_key": "s3cret", "token": "s3cret"}"#),
        ("sns_configs", r#"{"topic_arn": "arn:aws:sns:eu-west-1:1:x", "sigv4": {"access_key": "AKID", "secret_key": "s3cret"}}"#),
        ("webex_configs", r#"{"room_id": "r", "http_config": {"authorization": {"credentials": "s3cret"}}}"#),
        ("victorops_configs", r#"{"api_key": "s3cret", "routing_key": "r"}"#),
        ("rocketchat_configs", r#"{"token": "s3cret", "token_id": "s3cret"}"#),
        ("jira_configs", r#"{"api_url": "https://h/rest/api/2", "project": "P", "issue_type": "Bug"}"#),
        ("incidentio_configs", r#"{"url": "https://h", "alert_source_token": "s3cret"}"#),
        ("wechat_configs", r#"{"api_secret": "s3cret", "corp_id": "c"}"#),
        ("ntfy_configs", r#"{"topic": "s3cret"}"#),
        ("matrix_configs", r#"{"url": "https://h", "room_id": "!r:h", "access_token": "s3cret"}"#),
        ("gotify_configs", r#"{"url": "https://h", "token": "s3cret"}"#),
        ("googlechat_configs", r#"{"webhook_url": "https://h/s3cret"}"#),
        ("feishu_configs", r#"{"webhook_url": "https://h/s3cret"}"#),
        ("dingtalk_configs", r#"{"webhook_url": "https://h/s3cret"}"#),
    ];
    let entries: Vec<String> = keys.iter().map(|(key, entry)| format!("\"{key}\": [{entry}]")).collect();
    let settings = settings(&format!("{{\"receivers\": [{{\"name\": \"all\", {}}}]}}", entries.join(", "))).unwrap();
    let channels = settings.channels().unwrap();
    let names: Vec<String> = channels.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, keys.iter().map(|(key, _)| format!("all/{}[0]", key.trim_end_matches("_configs"))).collect::<Vec<_>>());
    assert_eq!(settings.channels_of("all"), names);
    let shown = format!("{settings:?} {} {channels:?}", serde_json::to_string(&settings).unwrap());
    assert!(shown.contains("\"routing_key\":\"<hidden>\"") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_entry_that_cannot_work_is_named() {
    let channels = |entry: &str| settings(&format!("{{\"receivers\": [{{\"name\": \"ops\", {entry}}}]}}")).unwrap().channels().unwrap_err();
    let error = channels(r#""slack_configs": [{"api_url": "https://h"}, {"colour": 1}]"#);
    assert!(error.message().starts_with("cannot use slack_configs[1] of receiver \"ops\" in notify.receivers: "), "{error}");
    assert!(
        channels(r#""webhook": {"url": "https://h", "preset": "slack", "body": "x"}"#).message().contains("found more than one of preset, payload and body")
    );
    assert!(channels(r#""webhook": {"url": "https://h", "method": "GET"}"#).message().contains("method: found \"GET\""));
    assert!(channels(r#""webhook": {"url": "https://h", "headers": {"Authorization": "{{ .Status }}"}}"#).message().contains("want basic_auth"));
}

#[test]
fn a_fallback_leads_to_an_end() {
    let with = |fallbacks: [&str; 3]| {
        let receiver = |(name, fallback): (&str, &str)| {
            let fallback = if fallback.is_empty() { String::new() } else { format!("\"fallback\": \"{fallback}\", ") };
            format!("{{\"name\": \"{name}\", {fallback}\"webhook\": {{\"url\": \"https://h\"}}, \"ntfy_configs\": [{{\"topic\": \"t\"}}]}}")
        };
        let receivers: Vec<String> = ["a", "b", "c"].into_iter().zip(fallbacks).map(receiver).collect();
        settings(&format!("{{\"receivers\": [{}]}}", receivers.join(", "))).unwrap()
    };
    let chain = with(["b", "c", ""]);
    chain.channels().unwrap();
    let fallbacks = chain.fallbacks();
    assert_eq!(fallbacks.keys().collect::<Vec<_>>(), ["a/ntfy[0]", "a/webhook", "b/ntfy[0]", "b/webhook"]);
    assert_eq!((fallbacks["a/webhook"].channels.join(" "), fallbacks["a/webhook"].after.as_secs()), ("b/webhook b/ntfy[0]".to_owned(), 900));
    for (fallbacks, why) in
        [(["b", "c", "a"], "found a circle through \"a\""), (["a", "", ""], "found a circle"), (["x", "", ""], "found \"x\": want the name of a receiver")]
    {
        let error = with(fallbacks).channels().unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
}
