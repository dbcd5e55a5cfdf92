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
        (r#"{"name": "ops"}"#.to_owned(), "found none: want email or webhook"),
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
