//! Receivers of files that people have, and what is refused.

use std::path::Path;

use serde_norway::Value;

use signalbox_testkit::conformance;

use super::receivers;

fn read(text: &str) -> Result<Vec<String>, String> {
    let document: Value = serde_norway::from_str(text).unwrap();
    let list = document.get("receivers").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let global = document.get("global").cloned().unwrap_or(Value::Null);
    let read = receivers(&global, &list, Path::new("/etc/alertmanager"), &[], &crate::Policy::default()).map_err(|error| error.message().to_owned())?;
    Ok(read.into_iter().flat_map(|receiver| receiver.channels).map(|(name, channel)| format!("{name} {}", channel.sends_resolved())).collect())
}

#[test]
fn mails_and_webhooks_become_channels() {
    let text = "
global: {smtp_smarthost: 'mail:587', smtp_from: 'a@example.org', smtp_auth_username: u, smtp_auth_password: p, resolve_timeout: 5m, slack_api_url: 'http://x'}
receivers:
- {name: nobody}
- name: both
  email_configs: [{to: 'b@example.org, c@example.org', headers: {X-Team: ops}}, {to: d@example.org, smarthost: 'mail:465', send_resolved: true}]
  webhook_configs: [{url: 'http://127.0.0.1:1/', http_config: {basic_auth: {username: u, password: p}}, timeout: 90s, max_alerts: 3}]
";
    assert_eq!(read(text).unwrap(), ["both/email[0] false", "both/email[1] true", "both/webhook[0] true"]);
}

#[test]
fn what_is_not_supported_or_wrong_is_refused_by_name() {
    let webhook = |keys: &str| read(&format!("receivers: [{{name: a, webhook_configs: [{{{keys}}}]}}]")).unwrap_err();
    assert_eq!(webhook(""), "receiver \"a\": webhook_configs[0]: one of url or url_file must be configured");
    assert!(webhook("url: 'http://x', payload: {a: '{{ nothing }}'}").contains("not defined"));
    assert!(webhook("url: 'http://{{ nothing }}'").ends_with("url: the template cannot be parsed"));
    let oauth = webhook("url: 'http://x', http_config: {oauth2: {client_id: x}}");
    assert_eq!(oauth, "receiver \"a\": webhook_configs[0]: oauth2 token_url must be configured");
    assert!(webhook("url: 'http://x', colour: red").contains("colour"));
    assert!(webhook("url: 'ftp://x'").contains("ftp"));
    let email = |keys: &str| read(&format!("receivers: [{{name: a, email_configs: [{{{keys}}}]}}]")).unwrap_err();
    assert!(email("smarthost: 'x:25', from: a@b.c").ends_with("missing to address in email config"));
    assert!(email("to: a@b.c").ends_with("no global SMTP smarthost set"));
    assert!(email("to: '{{ nothing }}', smarthost: 'x:25', from: a@b.c").contains("not defined"));
    assert!(email("to: a@b.c, smarthost: 'x:25', from: a@b.c, threading: {enabled: true}").contains("threading.thread_by_date must be either"));
    assert!(email("to: a@b.c, smarthost: 'x:25', from: a@b.c, auth_secret: a, auth_secret_file: b").contains("at most one of auth_secret"));
    assert!(email("to: a@b.c, smarthost: 'x:25', from: a@b.c, headers: {X-a: a, x-A: b}").ends_with("duplicate header \"x-A\" in email config"));
    for (config, path) in [
        ("authorization: {credentials_ref: x}", "authorization.credentials_ref"),
        ("basic_auth: {username: u, password_ref: x}", "basic_auth.password_ref"),
        ("basic_auth: {username_ref: u}", "basic_auth.username_ref"),
        ("tls_config: {ca_ref: x}", "tls_config.ca_ref"),
        ("tls_config: {cert_ref: x, key_ref: y}", "tls_config.cert_ref"),
        ("oauth2: {client_id: c, token_url: 'http://x', client_secret_ref: x}", "oauth2.client_secret_ref"),
    ] {
        let refused = webhook(&format!("url: 'http://x', http_config: {{{config}}}"));
        assert_eq!(refused, format!("receiver \"a\": webhook_configs[0]: http_config.{path}: there is no secret manager"));
    }
    let global = read("global: {http_config: {authorization: {credentials_ref: x}}}\nreceivers: []").unwrap_err();
    assert_eq!(global, "global: http_config.authorization.credentials_ref: there is no secret manager");
    assert!(email("to: a@b.c, smarthost: 'x:25', from: a@b.c, html: '{{ nothing }}'").contains("not defined"));
    let both = "global: {smtp_auth_password: a, smtp_auth_password_file: b}\nreceivers: []";
    assert_eq!(read(both).unwrap_err(), "at most one of smtp_auth_password & smtp_auth_password_file must be configured");
    assert_eq!(read("global: {colour: red}\nreceivers: []").unwrap_err(), "global: field colour not found");
    let sns = read("receivers: [{name: a, sns_configs: [{topic_arn: x, sigv4: {role_arn: y}}]}]").unwrap_err();
    assert!(sns.starts_with("receiver \"a\": sns_configs[0]: found no credentials: want sigv4.access_key and sigv4.secret_key, or a profile in"), "{sns}");
    assert!(read("receivers: [{name: a, pigeon_configs: [{}]}]").unwrap_err().ends_with("pigeon_configs[0]: not supported"));
}

#[test]
fn files_of_the_suite_get_their_verdicts() {
    let Some(facts) = conformance::facts("config/alertmanager-expected.jsonl") else { return };
    let (mut failures, mut cases) = (Vec::new(), 0);
    for fact in &facts {
        let file = fact["file"].as_str().unwrap();
        let Some(text) = conformance::read(&format!("config/alertmanager/config/testdata/{file}")) else { return };
        cases += 1;
        let verdict = read(&text);
        let is_right = match (fact["load"].as_str(), fact["error_informative"].as_str(), &verdict) {
            (Some("ok"), _, Ok(_)) => true,
            (Some("error"), Some(sentence), Err(error)) => error.ends_with(sentence),
            (Some("error"), None, Err(_)) => true,
            _ => false,
        };
        if !is_right {
            failures.push(format!("{fact}\n  got {verdict:?}"));
        }
    }
    assert_eq!(cases, 29);
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn services_take_what_global_says_unless_they_say_it() {
    let text = "
global: {slack_app_token: xoxb, telegram_bot_token: '1:a', opsgenie_api_key: k, http_config: {proxy_url: 'http://127.0.0.1:1'}}
receivers:
- name: all
  slack_configs: [{channel: '#a', timeout: 5s}, {api_url: 'https://hooks', send_resolved: true}]
  pagerduty_configs: [{routing_key_file: key, details: {n: 1, more: [a, '{{ .Status }}']}}]
  discord_configs: [{webhook_url_file: url}]
  telegram_configs: [{chat_id: 7, parse_mode: ''}]
  msteams_configs: [{webhook_url: 'https://x'}]
  msteamsv2_configs: [{webhook_url: 'https://x', title: t}]
  opsgenie_configs: [null, {responders: [{name: a, type: team}]}]
";
    let kinds = ["slack[0] false", "slack[1] true", "pagerduty[0] true", "discord[0] true", "telegram[0] true", "msteams[0] true", "msteamsv2[0] true"];
    let expected = kinds.into_iter().chain(["opsgenie[0] true", "opsgenie[1] true"]).map(|name| format!("all/{name}")).collect::<Vec<_>>();
    assert_eq!(read(text).unwrap(), expected);
}

#[test]
fn services_refuse_what_alertmanager_refuses() {
    for (key, config, why) in [
        ("slack_configs", "{channel: x}", "no Slack API URL nor App token set either inline or in a file"),
        ("slack_configs", "{api_url: 'http://x', api_url_file: y}", "at most one of api_url & api_url_file must be configured"),
        (
            "slack_configs",
            "{api_url: 'http://x', update_message: true}",
            "update_message can only be used with bot tokens. api_url must be set to https://slack.com/api/chat.postMessage",
        ),
        ("slack_configs", "{api_url: 'http://x', actions: [{type: button, text: x}]}", "missing name or url in Slack action configuration"),
        ("slack_configs", "{api_url: 'http://x', text: '{{ nothing }}'}", "template: :1: function \"nothing\" not defined"),
        ("pagerduty_configs", "{}", "missing service or routing key in PagerDuty config"),
        ("pagerduty_configs", "{service_key: x, service_key_file: y}", "at most one of service_key & service_key_file must be configured"),
        ("discord_configs", "{}", "one of webhook_url or webhook_url_file must be configured"),
        ("discord_configs", "{webhook_url: 'http://x', timeout: 5s}", "`timeout`"),
        ("telegram_configs", "{bot_token: x}", "missing chat_id or chat_id_file on telegram_config"),
        (
            "telegram_configs",
            "{bot_token: x, chat_id: 1, parse_mode: x}",
            "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string",
        ),
        ("msteamsv2_configs", "{webhook_url: 'http://x', summary: x}", "field summary not found"),
        ("opsgenie_configs", "{api_key: x, responders: [{type: team}]}", "opsGenieConfig responder has to have at least one of id, username or name specified"),
        (
            "opsgenie_configs",
            "{api_key: x, http_config: {bearer_token: a, basic_auth: {}}}",
            "at most one of basic_auth, oauth2, bearer_token & authorization must be configured",
        ),
    ] {
        let error = read(&format!("receivers: [{{name: a, {key}: [{config}]}}]")).unwrap_err();
        assert!(error.starts_with(&format!("receiver \"a\": {key}[0]: ")) && error.contains(why), "{error}");
    }
}
