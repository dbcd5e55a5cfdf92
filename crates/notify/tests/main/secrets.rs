//! No secret is ever shown: not in an error, not in an answer that is kept, not in any line of any log.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use signalbox_notify::{Channel, Delivery, Policy, alertmanager};

use crate::http_peer::HttpPeer;
use crate::{START_NS, message};

/// Collects what is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every channel with a canary wherever a secret may stand; `URL` stands for the server.
const CHANNELS: [(&str, &str); 22] = [
    (
        "webhook_configs",
        "{url: 'URL/c4nary?t=c4nary', payload: {a: '{{ .Status }}'}, http_config: {authorization: {credentials: c4nary}, http_headers: {X-K: {secrets: [c4nary]}}}}",
    ),
    ("slack_configs", "{api_url: 'URL/c4nary', http_config: {basic_auth: {username: u, password: c4nary}}}"),
    ("pagerduty_configs", "{routing_key: c4nary, url: URL}"),
    ("opsgenie_configs", "{api_key: c4nary, api_url: URL}"),
    ("msteams_configs", "{webhook_url: 'URL/c4nary'}"),
    ("msteamsv2_configs", "{webhook_url: 'URL/c4nary'}"),
    ("telegram_configs", "{bot_token: c4nary, chat_id: 1, api_url: URL}"),
    ("discord_configs", "{webhook_url: 'URL/c4nary'}"),
    ("mattermost_configs", "{webhook_url: 'URL/c4nary'}"),
    ("sns_configs", "{api_url: URL, topic_arn: 'arn:aws:sns:eu-west-1:1:x', sigv4: {access_key: AKID, secret_key: c4nary}}"),
    ("webex_configs", "{api_url: URL, room_id: r, http_config: {authorization: {credentials: c4nary}}}"),
    ("victorops_configs", "{api_url: 'URL/', api_key: c4nary, routing_key: r}"),
    ("rocketchat_configs", "{api_url: URL, token: c4nary, token_id: c4nary}"),
    ("jira_configs", "{api_url: 'URL/rest/api/2', project: P, issue_type: Bug, http_config: {basic_auth: {username: u, password: c4nary}}}"),
    ("incidentio_configs", "{url: 'URL/c4nary', alert_source_token: c4nary}"),
    ("wechat_configs", "{api_url: 'URL/', api_secret: c4nary, corp_id: c}"),
    ("ntfy_configs", "{url: URL, topic: c4nary}"),
    ("matrix_configs", "{url: URL, room_id: '!r:h', access_token: c4nary}"),
    ("gotify_configs", "{url: URL, token: c4nary}"),
    ("googlechat_configs", "{webhook_url: 'URL/x?key=c4nary'}"),
    ("feishu_configs", "{webhook_url: 'URL/c4nary', secret: c4nary}"),
    ("dingtalk_configs", "{webhook_url: 'URL/x?access_token=c4nary', secret: c4nary}"),
];

fn channel(key: &str, config: &str, port: u16) -> Channel {
    let config = config.replace("URL", &format!("http://127.0.0.1:{port}"));
    let receiver = serde_norway::from_str(&format!("{{name: ops, {key}: [{config}]}}")).unwrap();
    let read = alertmanager::receivers(&serde_norway::Value::Null, &[receiver], Path::new("/"), &[], &Policy::default()).unwrap();
    read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap().1
}

#[test]
fn no_channel_shows_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let mut shown = String::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for (key, config) in CHANNELS {
            let refusing = HttpPeer::start(&["HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 6\r\n\r\nno way"]);
            let broken = HttpPeer::start(&["nonsense\r\n\r\n"]);
            let free_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            for port in [refusing.port, broken.port, free_port] {
                let channel = channel(key, config, port);
                let delivery = Delivery { message: &message(), id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None };
                let failure = runtime.block_on(channel.deliver(delivery)).unwrap_err();
                shown.push_str(&format!("{key}: {failure:?} {channel:?}\n"));
            }
        }
    });
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("TRACE") || logged.contains("DEBUG"), "the libraries below log, so that this means something");
    for line in shown.lines().chain(logged.lines()) {
        assert!(!line.contains("c4nary"), "{}", &line[..line.floor_char_boundary(500)]);
    }
}
