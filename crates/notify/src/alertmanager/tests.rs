//! Receivers of files that people have, and what is refused.

use std::path::Path;

use serde_norway::Value;

use super::receivers;

fn read(text: &str) -> Result<Vec<String>, String> {
    let document: Value = serde_norway::from_str(text).unwrap();
    let list = document.get("receivers").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let global = document.get("global").cloned().unwrap_or(Value::Null);
    let read = receivers(&global, &list, Path::new("/etc/alertmanager")).map_err(|error| error.message().to_owned())?;
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
    assert_eq!(webhook("url: 'http://x', payload: {}"), "receiver \"a\": webhook_configs[0]: payload is not supported");
    let oauth = webhook("url: 'http://x', http_config: {oauth2: {client_id: x}}");
    assert_eq!(oauth, "receiver \"a\": webhook_configs[0]: http_config: oauth2 is not supported");
    assert!(webhook("url: 'http://x', colour: red").contains("colour"));
    assert!(webhook("url: 'ftp://x'").contains("ftp"));
    let email = |keys: &str| read(&format!("receivers: [{{name: a, email_configs: [{{{keys}}}]}}]")).unwrap_err();
    assert!(email("smarthost: 'x:25', from: a@b.c").ends_with("missing to address in email config"));
    assert!(email("to: a@b.c").ends_with("no global SMTP smarthost set"));
    assert!(email("to: a@b.c, smarthost: 'x:25', from: a@b.c, html: x").ends_with("html is not supported"));
    let both = "global: {smtp_auth_password: a, smtp_auth_password_file: b}\nreceivers: []";
    assert_eq!(read(both).unwrap_err(), "at most one of smtp_auth_password & smtp_auth_password_file must be configured");
    assert_eq!(read("global: {colour: red}\nreceivers: []").unwrap_err(), "global: field colour not found");
    let slack = read("receivers: [{name: a, slack_configs: [{channel: x}]}]").unwrap_err();
    assert_eq!(slack, "receiver \"a\": slack_configs[0]: not supported: want email_configs or webhook_configs");
}
