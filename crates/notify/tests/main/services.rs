//! Services on the web, on the wire: what they are told, and what is made of their answers.

use serde_json::{Value, json};
use signalbox_notify::message::{Message, Reason, Status};
use signalbox_notify::retry::Failure;
use signalbox_notify::{Channel, Delivery, alertmanager};

use crate::http_peer::{HttpPeer, Request};
use crate::{START_NS, alert, message};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
/// The SHA-256 of the key of the group.
pub(crate) const HASH: &str = "cad65463d11e13d83ed22ad561d73269e67fe33734367787065cd4e397bf771c";

/// A channel from what `alertmanager.yml` says; `URL` stands for the server.
pub(crate) fn channel(key: &str, config: &str, peer: &HttpPeer) -> Channel {
    let config = config.replace("URL", &format!("http://127.0.0.1:{}", peer.port));
    let receiver = serde_norway::from_str(&format!("{{name: ops, {key}: [{config}]}}")).unwrap();
    let read = alertmanager::receivers(&serde_norway::Value::Null, &[receiver], std::path::Path::new("/"), &[], &signalbox_notify::Policy::default()).unwrap();
    read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap().1
}

pub(crate) async fn deliver(channel: &Channel, message: &Message) -> Result<(), Failure> {
    channel.deliver(Delivery { message, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.map(|_| ())
}

/// What a service is told about a message, when it says yes.
pub(crate) async fn told(key: &str, config: &str, message: &Message, answers: &[&'static str]) -> Vec<Request> {
    let peer = HttpPeer::start(answers);
    deliver(&channel(key, config, &peer), message).await.unwrap();
    peer.requests.try_iter().collect()
}

/// What comes of an answer.
pub(crate) async fn judged(key: &str, config: &str, answer: &'static str) -> Failure {
    let peer = HttpPeer::start(&[answer]);
    deliver(&channel(key, config, &peer), &message()).await.unwrap_err()
}

pub(crate) fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

pub(crate) fn resolved() -> Message {
    Message { alerts: vec![alert(Status::Resolved, &[("alertname", "Slow"), ("severity", "page")])], ..message() }
}

#[tokio::test]
async fn slack_gets_an_attachment() {
    let config = "{api_url: URL/services/T, channel: '#{{ .CommonLabels.severity }}', text: '{{ .CommonAnnotations.summary }}', fields: [{title: a, value: '{{ .Status }}'}],
      actions: [{type: button, text: go, url: 'http://u', name: dropped}], link_names: true}";
    let requests = told("slack_configs", config, &message(), &[OK]).await;
    assert_eq!(requests[0].line, "POST /services/T HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    let link = "http://localhost:4400/#/alerts?receiver=ops";
    let attachment = json!({
        "title": "[FIRING:1] Slow (page)", "title_link": link, "fallback": format!("[FIRING:1] Slow (page) | {link}"), "color": "danger",
        "text": "Checkout is slow", "mrkdwn_in": ["fallback", "pretext", "text"], "fields": [{"title": "a", "value": "firing", "short": false}],
        "actions": [{"type": "button", "text": "go", "url": "http://u"}],
    });
    assert_eq!(body(&requests[0]), json!({"channel": "#page", "username": "Alertmanager", "link_names": true, "attachments": [attachment]}));
}

#[tokio::test]
async fn slacks_api_gets_a_token_and_says_no_in_its_body() {
    let config = "{app_token: xoxb-1, app_url: URL/api/chat.postMessage, channel: c}";
    let requests = told("slack_configs", config, &message(), &["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("authorization")), ("POST /api/chat.postMessage HTTP/1.1", Some("Bearer xoxb-1")));
    let unknown = judged("slack_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"ok\":false,\"error\":\"channel_not_found\"}").await;
    assert_eq!(unknown, Failure::permanent("Slack refused the message: channel_not_found"));
    let limited = judged("slack_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"ok\":false,\"error\":\"ratelimited\"}").await;
    assert!(limited.is_transient);
    let gone = judged("slack_configs", "{api_url: URL}", "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno_service").await;
    assert_eq!(gone, Failure::permanent("unexpected status code 404: no_service"));
    let busy = judged("slack_configs", "{api_url: URL}", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((busy.is_transient, busy.retry_after.map(|after| after.as_secs())), (true, Some(30)));
}

#[tokio::test]
async fn slack_changes_what_it_was_told_about_a_group() {
    let posted = |ts: &str| -> &'static str {
        let body = json!({"ok": true, "channel": "C0123", "ts": ts}).to_string();
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
    };
    let gone = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 40\r\n\r\n{\"ok\":false,\"error\":\"message_not_found\"}";
    let peer = HttpPeer::start(&[posted("1709.000100"), posted("1709.000100"), posted("1709.000200"), gone, posted("1709.000300"), gone, gone]);
    let channel = channel("slack_configs", "{app_token: xoxb-1, app_url: URL/api/chat.postMessage, channel: '#ops', update_message: true}", &peer);
    let tell = async |reason: Reason, handle: Option<&str>| {
        let message = Message { reason, ..message() };
        channel.deliver(Delivery { message: &message, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle }).await.map(|receipt| receipt.handle)
    };
    let first = tell(Reason::FirstNotification, None).await.unwrap();
    assert_eq!(first.as_deref(), Some("C0123 1709.000100"));
    assert_eq!(tell(Reason::NewAlertsInGroup, first.as_deref()).await.unwrap(), first);
    let next = tell(Reason::FirstNotification, first.as_deref()).await.unwrap();
    assert_eq!(next.as_deref(), Some("C0123 1709.000200"), "after all was well");
    let another = tell(Reason::AllAlertsResolved, next.as_deref()).await.unwrap();
    assert_eq!(another.as_deref(), Some("C0123 1709.000300"), "somebody deleted it");
    assert!(!tell(Reason::RepeatIntervalElapsed, next.as_deref()).await.unwrap_err().is_transient);
    let (post, update) = ("POST /api/chat.postMessage HTTP/1.1", "POST /api/chat.update HTTP/1.1");
    let requests: Vec<Request> = peer.requests.try_iter().collect();
    assert_eq!(requests.iter().map(|request| request.line.as_str()).collect::<Vec<_>>(), [post, update, post, update, post, update, post]);
    let told = body(&requests[1]);
    assert_eq!((&told["channel"], &told["ts"]), (&json!("C0123"), &json!("1709.000100")));
    assert_eq!((&told["attachments"], body(&requests[0]).get("ts")), (&body(&requests[0])["attachments"], None));
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer xoxb-1")));
}

#[tokio::test]
async fn pagerduty_gets_an_event_with_the_key_of_the_group() {
    let config = "{routing_key: r0ute, url: URL/v2/enqueue, severity: '{{ .CommonLabels.severity }}', details: {team: '{{ .Receiver }}'}, links: [{href: 'http://l', text: l}, {href: ''}]}";
    let requests = told("pagerduty_configs", config, &message(), &["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]).await;
    assert_eq!(requests[0].line, "POST /v2/enqueue HTTP/1.1");
    let event = body(&requests[0]);
    let head: Vec<&str> = ["routing_key", "event_action", "dedup_key", "client"].iter().map(|name| event[name].as_str().unwrap()).collect();
    assert_eq!(head, ["r0ute", "trigger", HASH, "Alertmanager"]);
    assert_eq!(event["links"], json!([{"href": "http://l", "text": "l"}]));
    let payload = &event["payload"];
    assert_eq!((&payload["summary"], &payload["source"], &payload["severity"]), (&json!("[FIRING:1] Slow (page)"), &json!("Alertmanager"), &json!("page")));
    let details = &payload["custom_details"];
    assert_eq!((&details["team"], &details["num_firing"], &details["num_resolved"]), (&json!("ops"), &json!(1), &json!(1)));
    assert_eq!(details["firing"][0]["labels"]["instance"], "a");
    let over = body(&told("pagerduty_configs", config, &resolved(), &[OK]).await[0]);
    assert_eq!((&over["event_action"], &over["dedup_key"]), (&json!("resolve"), &json!(HASH)));
}

#[tokio::test]
async fn pagerduty_takes_old_keys_of_services() {
    let config = "{service_key: 'k-{{ .CommonLabels.severity }}', url: URL/generic/2010-04-15/create_event.json, details: {team: '{{ .Receiver }}'}}";
    let requests = told("pagerduty_configs", config, &message(), &[OK]).await;
    assert_eq!(requests[0].line, "POST /generic/2010-04-15/create_event.json HTTP/1.1");
    let event = body(&requests[0]);
    let texts: Vec<&str> = ["service_key", "event_type", "incident_key", "description", "client"].iter().map(|name| event[name].as_str().unwrap()).collect();
    assert_eq!(texts, ["k-page", "trigger", HASH, "[FIRING:1] Slow (page)", "Alertmanager"]);
    assert_eq!((&event["details"]["team"], &event["details"]["num_firing"]), (&json!("ops"), &json!(1)));
    let over = body(&told("pagerduty_configs", config, &resolved(), &[OK]).await[0]);
    assert_eq!((&over["event_type"], over.get("client")), (&json!("resolve"), None));
    assert!(judged("pagerduty_configs", config, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.is_transient, "too many");
    let new = judged("pagerduty_configs", "{routing_key: k, url: URL}", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    assert!(!new.is_transient);
}

#[tokio::test]
async fn an_event_too_large_for_pagerduty_goes_without_details() {
    let mut large = message();
    large.alerts[0].annotations.insert("long".to_owned(), "x".repeat(520_000));
    let event = body(&told("pagerduty_configs", "{routing_key: r, url: URL}", &large, &[OK]).await[0]);
    assert!(event["payload"]["custom_details"]["error"].as_str().unwrap().contains("exceeds the maximum size"));
}

#[tokio::test]
async fn discord_gets_an_embed_within_its_limits() {
    let config = "{webhook_url: URL/api/webhooks/1/t, username: bot, message: '{{ range .Alerts }}{{ printf \"%03000d\" 1 }}{{ end }}'}";
    let requests = told("discord_configs", config, &message(), &["HTTP/1.1 204 No Content\r\n\r\n"]).await;
    assert_eq!(requests[0].line, "POST /api/webhooks/1/t HTTP/1.1");
    let sent = body(&requests[0]);
    assert_eq!((&sent["username"], &sent["content"], &sent["embeds"][0]["title"]), (&json!("bot"), &json!(""), &json!("[FIRING:1] Slow (page)")));
    assert_eq!((sent["embeds"][0]["description"].as_str().unwrap().chars().count(), &sent["embeds"][0]["color"]), (4_096, &json!(0x99_2d_22)));
    assert_eq!(body(&told("discord_configs", "{webhook_url: URL}", &resolved(), &[OK]).await[0])["embeds"][0]["color"], 0x2e_cc_71);
}

#[tokio::test]
async fn telegram_gets_html_that_is_escaped() {
    let config = "{api_url: URL, bot_token: '1:a', chat_id: -100123, message_thread_id: 5, message: '<b>{{ .CommonAnnotations.summary }}</b> {{ \"<\" }} {{ safeHtml \"<i>\" }}'}";
    let requests = told("telegram_configs", config, &message(), &["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"]).await;
    assert_eq!(requests[0].line, "POST /bot1:a/sendMessage HTTP/1.1");
    let expected = json!({"chat_id": "-100123", "text": "<b>Checkout is slow</b> &lt; <i>", "disable_web_page_preview": true, "message_thread_id": 5, "parse_mode": "HTML"});
    assert_eq!(body(&requests[0]), expected);
    let flood = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 78\r\n\r\n{\"ok\":false,\"error_code\":429,\"description\":\"x\",\"parameters\":{\"retry_after\":9}}";
    let flooded = judged("telegram_configs", config, flood).await;
    assert_eq!((flooded.is_transient, flooded.retry_after.map(|after| after.as_secs())), (true, Some(9)));
    let failure = judged("telegram_configs", config, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}").await;
    assert!(!failure.is_transient && !failure.error.contains("1:a"), "{failure:?}");
}

#[tokio::test]
async fn teams_gets_a_card() {
    let requests =
        told("msteamsv2_configs", "{webhook_url: 'URL/workflows/x?sig=s', text: body}", &message(), &["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"])
            .await;
    assert_eq!(requests[0].line, "POST /workflows/x?sig=s HTTP/1.1");
    let card = body(&requests[0]);
    assert_eq!((&card["type"], &card["attachments"][0]["contentType"]), (&json!("message"), &json!("application/vnd.microsoft.card.adaptive")));
    let content = &card["attachments"][0]["content"];
    assert_eq!(
        (&content["body"][0]["text"], &content["body"][0]["color"], &content["body"][1]["text"]),
        (&json!("[FIRING:1] Slow (page)"), &json!("Attention"), &json!("body"))
    );
    let old = body(&told("msteams_configs", "{webhook_url: URL, text: body}", &resolved(), &[OK]).await[0]);
    assert_eq!(
        old,
        json!({"@context": "http://schema.org/extensions", "type": "MessageCard", "title": "[RESOLVED] Slow (page)", "summary": "[RESOLVED] Slow (page)",
            "text": "body", "themeColor": "2DC72D"})
    );
}

#[tokio::test]
async fn opsgenie_creates_updates_and_closes_an_alert() {
    let config = "{api_url: URL, api_key: k3y, update_alerts: true, description: d, tags: 'a,,b', priority: P1, details: {x: '{{ .Status }}'},
      responders: [{name: 'one,two', type: teams}, {name: '{{ .CommonLabels.nobody }}', type: team}, {username: u, type: User}]}";
    let requests = told("opsgenie_configs", config, &message(), &[OK, OK, OK]).await;
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    let at = |what: &str| format!("PUT /v2/alerts/{HASH}/{what}?identifierType=alias HTTP/1.1");
    assert_eq!(lines, ["POST /v2/alerts HTTP/1.1", &at("message"), &at("description")]);
    assert!(requests.iter().all(|request| request.header("authorization") == Some("GenieKey k3y")));
    let expected = json!({
        "alias": HASH, "message": "[FIRING:1] Slow (page)", "description": "d", "source": "http://localhost:4400/#/alerts?receiver=ops", "priority": "P1",
        "details": {"alertname": "Slow", "severity": "page", "x": "firing"}, "tags": ["a", "b"],
        "responders": [{"name": "one", "type": "team"}, {"name": "two", "type": "team"}, {"username": "u", "type": "user"}],
    });
    assert_eq!(body(&requests[0]), expected);
    let closing = told("opsgenie_configs", config, &resolved(), &[OK]).await;
    assert_eq!(closing[0].line, format!("POST /v2/alerts/{HASH}/close?identifierType=alias HTTP/1.1"));
    assert_eq!(
        judged("opsgenie_configs", config, "HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n").await,
        Failure::permanent("unexpected status code 422")
    );
}

#[tokio::test]
async fn mattermost_gets_attachments() {
    let config = "{webhook_url: URL/hooks/k, channel: c, text: t, color: red, fields: [{title: a, value: b}], priority: {priority: Urgent, requested_ack: true}, props: {card: x}}";
    let requests = told("mattermost_configs", config, &message(), &[OK]).await;
    assert_eq!(requests[0].line, "POST /hooks/k HTTP/1.1");
    let link = "http://localhost:4400/#/alerts?receiver=ops";
    let attachment = json!({
        "title": "[FIRING:1] Slow (page)", "title_link": link, "fallback": format!("[FIRING:1] Slow (page) | {link}"), "color": "red", "text": "t",
        "fields": [{"title": "a", "value": "b"}],
    });
    let priority = json!({"priority": "urgent", "requested_ack": true});
    let expected = json!({"channel": "c", "username": "Alertmanager", "attachments": [attachment], "priority": priority, "props": {"card": "x"}});
    assert_eq!(body(&requests[0]), expected);
    let own = body(&told("mattermost_configs", "{webhook_url: URL, text: above, attachments: [{text: below}]}", &message(), &[OK]).await[0]);
    assert_eq!((&own["text"], &own["attachments"]), (&json!("above"), &json!([{"text": "below"}])));
}

#[tokio::test]
async fn rocketchat_gets_a_message_and_says_no_in_its_body() {
    let config = "{api_url: URL, token: t0ken, token_id: me, channel: '#c', text: t, actions: [{type: button, text: go, url: 'http://u'}]}";
    let requests = told("rocketchat_configs", config, &message(), &["HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}"]).await;
    assert_eq!(requests[0].line, "POST /api/v1/chat.postMessage HTTP/1.1");
    assert_eq!((requests[0].header("x-auth-token"), requests[0].header("x-user-id")), (Some("t0ken"), Some("me")));
    let attachment = json!({"title": "[FIRING:1] Slow (page)", "title_link": "http://localhost:4400/#/alerts?receiver=ops", "text": "t", "color": "red",
        "actions": [{"type": "button", "text": "go", "url": "http://u"}]});
    assert_eq!(body(&requests[0]), json!({"channel": "#c", "attachments": [attachment]}));
    let refused = judged("rocketchat_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"success\":false,\"error\":\"no\"}").await;
    assert_eq!(refused, Failure::permanent("Rocket.Chat refused the message: no"));
}

#[tokio::test]
async fn webex_gets_markdown_within_its_limit() {
    let config = "{api_url: URL/v1/messages, room_id: r, message: '{{ range .Alerts }}{{ printf \"%04000d\" 1 }}{{ end }}', http_config: {authorization: {credentials: t}}}";
    let requests = told("webex_configs", config, &message(), &[OK]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("authorization")), ("POST /v1/messages HTTP/1.1", Some("Bearer t")));
    let sent = body(&requests[0]);
    assert_eq!((&sent["roomId"], sent["markdown"].as_str().unwrap().len()), (&json!("r"), 7_439));
}

#[tokio::test]
async fn victorops_gets_an_entity() {
    let config = "{api_url: URL/alert/, api_key: k3y, routing_key: 'team-{{ .CommonLabels.severity }}', message_type: other, state_message: s, custom_fields: {x: '{{ .Status }}'}}";
    let requests = told("victorops_configs", config, &message(), &[OK]).await;
    assert_eq!(requests[0].line, "POST /alert/k3y/team-page HTTP/1.1");
    let expected = json!({"message_type": "CRITICAL", "entity_id": HASH, "entity_display_name": "[FIRING:1] Slow (page)", "state_message": "s",
        "monitoring_tool": "Alertmanager", "x": "firing"});
    assert_eq!(body(&requests[0]), expected);
    assert_eq!(body(&told("victorops_configs", config, &resolved(), &[OK]).await[0])["message_type"], "RECOVERY");
}

#[tokio::test]
async fn wechat_is_asked_for_a_token_first() {
    const TOKEN: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 34\r\n\r\n{\"errcode\":0,\"access_token\":\"a b\"}";
    let config = "{api_url: URL/cgi-bin/, api_secret: s&, corp_id: c, agent_id: '1', to_user: '@all', message: m, message_type: markdown}";
    let requests = told("wechat_configs", config, &message(), &[TOKEN, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"errcode\":0}"]).await;
    assert_eq!(requests[0].line, "GET /cgi-bin/gettoken?corpid=c&corpsecret=s%26 HTTP/1.1");
    assert_eq!(requests[1].line, "POST /cgi-bin/message/send?access_token=a+b HTTP/1.1");
    assert_eq!(body(&requests[1]), json!({"touser": "@all", "agentid": "1", "msgtype": "markdown", "safe": "0", "markdown": {"content": "m"}}));
    let refused = judged("wechat_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"errcode\":40001,\"errmsg\":\"wrong\"}").await;
    assert_eq!(refused, Failure::permanent("WeChat refused the token: wrong"));
    let busy = judged("wechat_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"errcode\":-1}").await;
    assert!(busy.is_transient);
}

#[tokio::test]
async fn ntfy_and_gotify_get_a_message_with_a_priority() {
    let requests = told("ntfy_configs", "{url: URL, topic: alerts, message: m, tags: 'a,b', http_config: {bearer_token: t}}", &message(), &[OK]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("authorization")), ("POST / HTTP/1.1", Some("Bearer t")));
    let expected =
        json!({"topic": "alerts", "title": "[FIRING:1] Slow (page)", "message": "m", "priority": 4, "tags": ["a", "b"], "click": "http://localhost:4400"});
    assert_eq!(body(&requests[0]), expected);
    let requests = told("gotify_configs", "{url: URL/gotify/, token: t, message: m}", &resolved(), &[OK]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("x-gotify-key")), ("POST /gotify/message HTTP/1.1", Some("t")));
    assert_eq!(body(&requests[0]), json!({"title": "[RESOLVED] Slow (page)", "message": "m", "priority": 2}));
    let empty = body(&told("gotify_configs", "{url: URL, token: t, message: ' '}", &resolved(), &[OK]).await[0]);
    assert_eq!(empty["message"], "[RESOLVED] Slow (page)", "a message without a text is refused there");
    let long =
        body(&told("ntfy_configs", "{url: URL, topic: a, message: '{{ range .Alerts }}{{ printf \"%03000d\" 1 }}ü{{ end }}'}", &message(), &[OK]).await[0]);
    assert!((4_090..=4_096).contains(&long["message"].as_str().unwrap().len()), "bytes are counted");
    let tags: Vec<String> = (100..400).map(|tag| format!("tag{tag}")).collect();
    let config = format!("{{url: URL, topic: a, message: m, title: '{{{{ printf \"%02000d\" 1 }}}}', tags: '{}'}}", tags.join(","));
    let long = body(&told("ntfy_configs", &config, &message(), &[OK]).await[0]);
    let kept: Vec<&str> = long["tags"].as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
    assert_eq!((long["title"].as_str().unwrap().len(), kept.join(",").len(), kept[0]), (1_024, 510, "tag100"), "the next tag would be one too many");
    let peer = HttpPeer::start(&[OK]);
    let failure = deliver(&channel("ntfy_configs", "{url: URL, topic: a, priority: high}", &peer), &message()).await.unwrap_err();
    assert_eq!(failure, Failure::permanent("priority: found \"high\": want 1 to 5"));
}

#[tokio::test]
async fn matrix_gets_a_transaction_that_a_retry_repeats() {
    let config = "{url: URL, access_token: t, room_id: '!r:example.org', message: m}";
    let requests = told("matrix_configs", config, &message(), &[OK]).await;
    assert_eq!(requests[0].line, "PUT /_matrix/client/v3/rooms/%21r%3Aexample.org/send/m.room.message/signalbox.7.17b85586d1be6e00 HTTP/1.1");
    assert_eq!((requests[0].header("authorization"), body(&requests[0])), (Some("Bearer t"), json!({"msgtype": "m.text", "body": "m"})));
    // What an alias means is asked first.
    let config_alias = "{url: URL, access_token: t, room_id: '#ops:example.org', message: m}";
    let found = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 28\r\n\r\n{\"room_id\":\"!r:example.org\"}";
    let requests = told("matrix_configs", config_alias, &message(), &[found, OK]).await;
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    let expected = [
        "GET /_matrix/client/v3/directory/room/%23ops%3Aexample.org HTTP/1.1",
        "PUT /_matrix/client/v3/rooms/%21r%3Aexample.org/send/m.room.message/signalbox.7.17b85586d1be6e00 HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    let unknown = judged("matrix_configs", config_alias, "HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\n\r\n{\"errcode\":\"M_NOT_FOUND\"}").await;
    assert!(!unknown.is_transient, "{unknown:?}");
    let limited = judged("matrix_configs", config, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 23\r\n\r\n{\"retry_after_ms\":2000}").await;
    assert_eq!((limited.is_transient, limited.retry_after.map(|after| after.as_secs())), (true, Some(2)));
}

#[tokio::test]
async fn google_chat_gets_a_thread_for_each_group() {
    let requests = told("googlechat_configs", "{webhook_url: 'URL/v1/spaces/s/messages?key=k', message: m}", &message(), &[OK]).await;
    assert_eq!(requests[0].line, "POST /v1/spaces/s/messages?key=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD HTTP/1.1");
    assert_eq!(body(&requests[0]), json!({"text": "m", "thread": {"threadKey": HASH}}));
}

#[tokio::test]
async fn feishu_and_dingtalk_get_signed_messages() {
    let fine = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"code\":0,\"errcode\":0}";
    let requests = told("feishu_configs", "{webhook_url: URL/hook/x, secret: s3cret, message: m}", &message(), &[fine]).await;
    assert_eq!(requests[0].line, "POST /hook/x HTTP/1.1");
    assert_eq!(
        body(&requests[0]),
        json!({"msg_type": "text", "content": {"text": "m"}, "timestamp": "1709210096", "sign": "O+fA3DLC/QxhjDrWSKmO9WtlZRLnZYSz+t+Ub8hL8iE="})
    );
    let config = "{webhook_url: 'URL/robot/send?access_token=t', secret: s3cret, message: m}";
    let requests = told("dingtalk_configs", config, &message(), &[fine]).await;
    assert_eq!(requests[0].line, "POST /robot/send?access_token=t&timestamp=1709210096120&sign=UZMp0f4iiw8v454a7mXCDtdmhXyZFQoMcmmjV%2BcPhXs%3D HTTP/1.1");
    assert_eq!(body(&requests[0]), json!({"msgtype": "markdown", "markdown": {"title": "[FIRING:1] Slow (page)", "text": "m"}}));
    let fast = judged("dingtalk_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"errcode\":130101}").await;
    let wrong = judged("dingtalk_configs", config, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"errcode\":310000}").await;
    assert_eq!((fast.is_transient, wrong.is_transient), (true, false));
    assert_eq!((fast.retry_after.map(|after| after.as_secs()), wrong.retry_after), (Some(600), None), "a robot that was too fast is not heard for a while");
    for (answer, is_transient) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"code\":11232}", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 56\r\n\r\n{\"StatusCode\":9499,\"StatusMessage\":\"too many request\"}  ", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{\"code\":9499,\"msg\":\"Bad Request\"}", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"code\":19021}", false),
    ] {
        assert_eq!(judged("feishu_configs", "{webhook_url: URL}", answer).await.is_transient, is_transient, "{answer}");
    }
    let old = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"StatusCode\":0}";
    told("feishu_configs", "{webhook_url: URL}", &message(), &[old]).await;
}

#[tokio::test]
async fn incidentio_gets_the_json_of_a_webhook() {
    let config = "{url: URL/v2/alert_events/alertmanager/1, alert_source_token: t, max_alerts: 1, timeout: 5s}";
    let requests = told("incidentio_configs", config, &message(), &["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("authorization")), ("POST /v2/alert_events/alertmanager/1 HTTP/1.1", Some("Bearer t")));
    let sent = body(&requests[0]);
    assert_eq!((&sent["version"], &sent["groupKey"], &sent["truncatedAlerts"]), (&json!("1"), &json!("{}:{alertname=\"Slow\"}"), &json!(1)));
    assert_eq!((sent["alerts"].as_array().unwrap().len(), &sent["alerts"][0]["labels"]["instance"]), (1, &json!("a")));
    assert!(judged("incidentio_configs", config, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n").await.is_transient);
}

#[tokio::test]
async fn http_config_says_through_which_proxy_and_with_which_headers() {
    let http = "{proxy_url: URL, http_headers: {X-Team: {values: [blue], secrets: [red]}}, authorization: {type: Token, credentials: s3cret}}";
    let requests = told("discord_configs", &format!("{{webhook_url: 'http://discord.invalid/w', http_config: {http}}}"), &message(), &[OK]).await;
    assert_eq!((requests[0].line.as_str(), requests[0].header("host")), ("POST http://discord.invalid/w HTTP/1.1", Some("discord.invalid")));
    let teams: Vec<&str> = requests[0].headers.iter().map(String::as_str).filter(|line| line.starts_with("x-team")).collect();
    assert_eq!((teams, requests[0].header("authorization")), (vec!["x-team: blue", "x-team: red"], Some("Token s3cret")));
}

#[tokio::test]
async fn a_template_that_fails_is_no_reason_to_try_again() {
    let peer = HttpPeer::start(&[OK]);
    let failure = deliver(&channel("slack_configs", "{api_url: URL, text: '{{ template \"nobody\" . }}'}", &peer), &message()).await.unwrap_err();
    assert!(!failure.is_transient && failure.error.contains("template \"nobody\" not defined"), "{failure:?}");
}

#[tokio::test]
async fn services_say_in_ways_of_their_own_what_passes_and_when() {
    let teams = |status: u16| format!("Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ContextId x.");
    let hook = "{webhook_url: URL}";
    let webex = "{api_url: URL, room_id: r, http_config: {authorization: {credentials: t}}}";
    for (key, config, status, body, is_transient, after_ms) in [
        ("discord_configs", hook, "429 Too Many", r#"{"retry_after": 64.57}"#.to_owned(), true, Some(64_570)),
        ("discord_configs", hook, "429 Too Many\r\nRetry-After: 65", r#"{"retry_after": 64.57}"#.to_owned(), true, Some(65_000)),
        ("discord_configs", hook, "404 Not Found", r#"{"code": 10015}"#.to_owned(), false, None),
        ("feishu_configs", hook, "400 Bad Request", r#"{"code": 11232, "msg": "frequency limited"}"#.to_owned(), true, None),
        ("feishu_configs", hook, "400 Bad Request\r\nx-ogw-ratelimit-reset: 52", r#"{"code": 99991400}"#.to_owned(), true, Some(52_000)),
        ("feishu_configs", hook, "400 Bad Request", r#"{"code": 19024, "msg": "Key Words Not Found"}"#.to_owned(), false, None),
        ("feishu_configs", hook, "502 Bad Gateway", "<html>".to_owned(), true, None),
        ("dingtalk_configs", hook, "200 OK", r#"{"errcode": 90030, "errmsg": "webhook over limit"}"#.to_owned(), true, Some(600_000)),
        ("msteams_configs", hook, "200 OK", teams(429), true, None),
        ("msteams_configs", hook, "200 OK", teams(413), false, None),
        ("webex_configs", webex, "423 Locked\r\nRetry-After: 0.5", String::new(), true, Some(500)),
        ("webex_configs", webex, "401 Unauthorized\r\nRetry-After: -1", String::new(), false, None),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let failure = judged(key, config, answer.leak()).await;
        let found = (failure.is_transient, failure.retry_after.map(|after| after.as_millis()));
        assert_eq!(found, (is_transient, after_ms), "{key} {status} {body}: {failure:?}");
    }
}

#[tokio::test]
async fn messages_that_are_too_long_are_cut_to_what_a_service_takes() {
    let long = "'{{ (index .Alerts 0).Annotations.long }}'";
    let mut verbose = message();
    verbose.alerts[0].annotations.insert("long".to_owned(), "x".repeat(100_000));
    let opsgenie =
        body(&told("opsgenie_configs", &format!("{{api_url: URL, api_key: k, description: {long}, note: {long}, entity: {long}}}"), &verbose, &[OK]).await[0]);
    assert_eq!(["description", "note", "entity"].map(|name| opsgenie[name].as_str().unwrap().chars().count()), [15_000, 25_000, 512]);
    let space = body(&told("googlechat_configs", &format!("{{webhook_url: URL, message: {long}}}"), &verbose, &[OK]).await[0]);
    assert_eq!(space["text"].as_str().unwrap().len(), 28_000);
    let note = body(&told("gotify_configs", &format!("{{url: URL, token: t, title: {long}, message: {long}}}"), &verbose, &[OK]).await[0]);
    assert_eq!(["title", "message"].map(|name| note[name].as_str().unwrap().len()), [65_535; 2]);
    let fine = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 22\r\n\r\n{\"code\":0,\"errcode\":0}";
    let group = body(&told("feishu_configs", &format!("{{webhook_url: URL, message: {long}}}"), &verbose, &[fine]).await[0]);
    assert_eq!(group["content"]["text"].as_str().unwrap().len(), 15_000);
    let token = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 32\r\n\r\n{\"errcode\":0,\"access_token\":\"t\"}";
    let config = format!("{{api_url: URL/, api_secret: s, corp_id: c, message: {long}}}");
    let member = body(&told("wechat_configs", &config, &verbose, &[token, fine]).await[1]);
    assert_eq!(member["text"]["content"].as_str().unwrap().len(), 2_048);
    for key in ["msteams_configs", "msteamsv2_configs"] {
        let request = told(key, &format!("{{webhook_url: URL, title: {long}, text: {long}}}"), &verbose, &[OK]).await.remove(0);
        assert!((20_000..28_000).contains(&request.body.len()), "{key}: {}", request.body.len());
    }
    let mut large = message();
    large.alerts[1].annotations.insert("long".to_owned(), "x".repeat(530_000));
    let event = body(&told("incidentio_configs", "{url: URL, alert_source_token: t}", &large, &[OK]).await[0]);
    assert_eq!((event["alerts"].as_array().unwrap().len(), &event["truncatedAlerts"]), (1, &json!(1)));
}
