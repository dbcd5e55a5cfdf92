//! Mails on the wire.

use std::net::TcpListener;

use signalbox_notify::email::{AuthMechanism, Encryption, Settings};
use signalbox_notify::message::{Message, Status};
use signalbox_notify::retry::Failure;
use signalbox_notify::{Channel, Delivery, Secret};

use crate::smtp_peer::{Script, SmtpPeer};
use crate::{START_NS, alert, message, pairs, testdata};

fn to(port: u16, encryption: Encryption) -> Settings {
    let mut settings = Settings {
        smarthost: format!("localhost:{port}"),
        from: "Signalbox <alerts@example.org>".into(),
        to: vec!["ops@example.org".into(), "Night Watch <night@example.org>".into()],
        hello: "monitor.example.org".into(),
        encryption,
        ..Settings::default()
    };
    settings.tls.ca_file = Some(testdata("tls/ca.pem"));
    settings
}

fn with_password(settings: Settings) -> Settings {
    Settings { auth_username: Some("user".into()), auth_password: Some(Secret::new("pass")), ..settings }
}

async fn deliver(settings: &Settings, message: &Message) -> Result<(), Failure> {
    let channel = Channel::Email(std::sync::Arc::new(signalbox_notify::email::Email::new(settings).unwrap()));
    channel.deliver(Delivery { message, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.map(|_| ())
}

/// Quoted-printable as text.
fn decoded(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'=' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The lines of a mail's header, folded ones joined, and its two bodies.
fn parts(mail: &str) -> (Vec<String>, String, String) {
    let (head, body) = mail.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ");
    let boundary = head.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let bodies: Vec<String> = body.split(&format!("--{boundary}")).filter_map(|part| part.split_once("\n\n").map(|(_, text)| decoded(text))).collect();
    let [text, html] = <[String; 2]>::try_from(bodies).unwrap();
    (head.lines().map(str::to_owned).collect(), text, html)
}

#[tokio::test]
async fn a_mail_has_its_headers_and_two_bodies() {
    let peer = SmtpPeer::start(Script::default());
    let mut settings = to(peer.port, Encryption::None);
    settings.headers = [("Reply-To".to_owned(), "desk@example.org".to_owned()), ("X-Team".to_owned(), "blue".to_owned())].into();
    deliver(&settings, &message()).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    let commands = ["EHLO monitor.example.org", "MAIL FROM:<alerts@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<night@example.org>", "DATA"];
    assert_eq!(session.commands[..5], commands);
    let (head, text, html) = parts(&session.mail);
    for line in [
        "From: Signalbox <alerts@example.org>",
        "To: ops@example.org, \"Night Watch\" <night@example.org>",
        "Date: Thu, 29 Feb 2024 12:34:56 +0000",
        "Subject: [FIRING:1] Slow (page)",
        "Auto-Submitted: auto-generated",
        "X-Signalbox-Status: firing",
        "Reply-To: desk@example.org",
        "X-Team: blue",
    ] {
        assert!(head.iter().any(|found| found == line), "no {line:?} in {head:#?}");
    }
    let id = head.iter().find(|line| line.starts_with("Message-ID: <7.17b85586d1be6e00.")).expect("the id of the outbox is in the Message-ID");
    assert!(id.ends_with("@example.org>"));
    let thread = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    assert_eq!(thread("References: "), thread("In-Reply-To: "));
    assert_eq!(
        text.trim_end(),
        "2 alerts for alertname=Slow\n\nView in Signalbox: http://localhost:4400/alerts\n\n[1] Firing\n==========\nLabels:\n - alertname = Slow\n - instance = a\n - severity = page\n\
         Annotations:\n - summary = Checkout is slow\nFiring since 2024-02-29T12:34:56.12Z\nSource: http://localhost:4400/metrics?expr=up\n\n\
         [1] Resolved\n============\nLabels:\n - alertname = Slow\n - instance = b\n - severity = page\nAnnotations:\n - summary = Checkout is slow\n\
         Firing from 2024-02-29T12:34:56.12Z to 2024-02-29T12:35:56.12Z\nSource: http://localhost:4400/metrics?expr=up"
    );
    assert!(html.contains("2 alerts for alertname=Slow") && html.contains("instance = a<br>") && html.contains("[1] Resolved"), "{html}");
}

#[tokio::test]
async fn a_retry_is_the_same_mail_and_a_later_message_the_same_thread() {
    let peer = SmtpPeer::start(Script::default());
    let settings = to(peer.port, Encryption::None);
    deliver(&settings, &message()).await.unwrap();
    deliver(&settings, &message()).await.unwrap();
    let (first, second) = (peer.sessions.recv().unwrap().mail, peer.sessions.recv().unwrap().mail);
    assert_eq!(first, second);
    let channel = Channel::Email(std::sync::Arc::new(signalbox_notify::email::Email::new(&settings).unwrap()));
    channel.deliver(Delivery { message: &message(), id: 8, enqueued_at_ns: START_NS + 1, now_ns: START_NS, handle: None }).await.unwrap();
    let later = peer.sessions.recv().unwrap().mail;
    let header = |mail: &str, name: &str| mail.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(header(&first, "References"), header(&later, "References"));
    assert_ne!(header(&first, "Message-ID"), header(&later, "Message-ID"));
}

#[tokio::test]
async fn the_password_is_sent_after_starttls_only() {
    let peer = SmtpPeer::start(Script { offers: vec!["STARTTLS", "AUTH PLAIN LOGIN"], ..Script::default() });
    deliver(&with_password(to(peer.port, Encryption::Starttls)), &message()).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    let expected =
        ["EHLO monitor.example.org", "STARTTLS", "(TLS)", "EHLO monitor.example.org", "AUTH PLAIN AHVzZXIAcGFzcw==", "MAIL FROM:<alerts@example.org>"];
    assert_eq!(session.commands[..6], expected);
    assert!(session.mail.contains("Subject: [FIRING:1] Slow (page)"));
}

#[tokio::test]
async fn without_encryption_no_mail_goes_where_it_is_required() {
    let peer = SmtpPeer::start(Script { offers: vec!["AUTH PLAIN"], ..Script::default() });
    let failure = deliver(&with_password(to(peer.port, Encryption::Starttls)), &message()).await.unwrap_err();
    assert!(failure.is_transient, "{failure:?}");
    let session = peer.sessions.recv().unwrap();
    assert!(session.mail.is_empty() && session.commands.iter().all(|command| !command.starts_with("AUTH") && !command.starts_with("MAIL")), "{session:?}");

    let plain = SmtpPeer::start(Script::default());
    deliver(&to(plain.port, Encryption::Opportunistic), &message()).await.unwrap();
    assert!(plain.sessions.recv().unwrap().mail.contains("Slow"));
}

#[tokio::test]
async fn implicit_tls_and_login_work() {
    let peer = SmtpPeer::start(Script { offers: vec!["AUTH LOGIN"], is_implicit_tls: true, ..Script::default() });
    let settings = Settings { auth_mechanisms: vec![AuthMechanism::Login], ..with_password(to(peer.port, Encryption::Implicit)) };
    deliver(&settings, &message()).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    assert_eq!(session.commands[..4], ["EHLO monitor.example.org", "AUTH LOGIN", "dXNlcg==", "cGFzcw=="]);
}

#[tokio::test]
async fn an_unknown_certificate_stops_the_mail_unless_told_otherwise() {
    let peer = SmtpPeer::start(Script { is_implicit_tls: true, ..Script::default() });
    let mut settings = to(peer.port, Encryption::Implicit);
    settings.tls.ca_file = None;
    let failure = deliver(&settings, &message()).await.unwrap_err();
    assert!(failure.is_transient && failure.error.to_lowercase().contains("certificate"), "{failure:?}");
    assert!(peer.sessions.recv().unwrap().mail.is_empty());
    settings.tls.insecure_skip_verify = true;
    deliver(&settings, &message()).await.unwrap();
}

#[tokio::test]
async fn reply_codes_decide_about_a_retry() {
    let cases = [
        ("RCPT", "550 no such mailbox", false),
        ("RCPT", "450 greylisted, come back", true),
        ("MAIL", "421 too busy", true),
        (".", "554 looks like spam", false),
        (".", "452 disk full", true),
        ("EHLO", "502 what", false),
    ];
    for (command, answer, is_transient) in cases {
        let peer = SmtpPeer::start(Script { answers: [(command, answer)].into(), ..Script::default() });
        let failure = deliver(&to(peer.port, Encryption::None), &message()).await.unwrap_err();
        assert_eq!(failure.is_transient, is_transient, "{command} {answer}: {failure:?}");
        assert!(failure.error.contains(&answer[4..]), "{failure:?}");
    }
    let peer = SmtpPeer::start(Script { offers: vec!["AUTH PLAIN"], answers: [("AUTH", "535 wrong password")].into(), ..Script::default() });
    let failure = deliver(&with_password(to(peer.port, Encryption::None)), &message()).await.unwrap_err();
    assert!(failure.is_transient && failure.error.contains("wrong password") && !failure.error.contains("pass\""), "{failure:?}");
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_tried_again() {
    let free_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = deliver(&to(free_port, Encryption::None), &message()).await.unwrap_err();
    assert!(refused.is_transient && refused.error.contains("refused"), "{refused:?}");
    let silent = SmtpPeer::start(Script { answers: [(".", "")].into(), ..Script::default() });
    let timeout = deliver(&Settings { timeout_seconds: 1, ..to(silent.port, Encryption::None) }, &message()).await.unwrap_err();
    assert!(timeout.is_transient, "{timeout:?}");
}

#[tokio::test]
async fn hostile_labels_stay_text() {
    let peer = SmtpPeer::start(Script::default());
    let mut group = message();
    group.group_labels = pairs(&[("alertname", "Evil\r\nBcc: all@example.org")]);
    let mut evil = alert(Status::Firing, &[("alertname", "<script>alert(1)</script>"), ("quote", "\"'&")]);
    evil.annotations = pairs(&[("dots", "one\n.\ntwo"), ("link", "https://example.org/?a=1&b=<2>"), ("not_a_link", "javascript:alert(1)")]);
    evil.generator_url = "javascript:alert(2)".into();
    group.alerts = vec![evil];
    deliver(&to(peer.port, Encryption::None), &group).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    assert_eq!(session.commands.iter().filter(|command| command.starts_with("RCPT")).count(), 2);
    let (head, text, html) = parts(&session.mail);
    assert!(head.iter().all(|line| !line.starts_with("Bcc")), "{head:#?}");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("&quot;&#39;&amp;"), "{html}");
    assert!(html.contains("<a href=\"https://example.org/?a=1&amp;b=&lt;2&gt;\"") && !html.contains("href=\"javascript"), "{html}");
    assert!(text.contains(" - dots = one\n     .\n     two"), "{text}");
}

#[tokio::test]
async fn a_huge_group_is_listed_in_part() {
    let peer = SmtpPeer::start(Script::default());
    let mut group = message();
    group.alerts = (0..250).map(|n| alert(Status::Firing, &[("alertname", "Slow"), ("instance", &n.to_string())])).collect();
    deliver(&to(peer.port, Encryption::None), &group).await.unwrap();
    let (head, text, html) = parts(&peer.sessions.recv().unwrap().mail);
    assert!(head.iter().any(|line| line.starts_with("Subject: [FIRING:250] Slow")));
    assert!(text.contains("... and 150 more") && html.contains("and 150 more"));
}

#[tokio::test]
async fn templates_of_alertmanager_yml_replace_texts_and_subject() {
    let peer = SmtpPeer::start(Script::default());
    let config = format!(
        "{{name: ops, email_configs: [{{to: b@example.org, from: a@example.org, smarthost: 'localhost:{}', require_tls: false, text: 'on: {{{{ len .Alerts.Firing }}}}',
          html: '{{{{ template \"email.default.html\" . }}}}', headers: {{Subject: '{{{{ .Status }}}} {{{{ .CommonAnnotations.summary }}}}'}}}}]}}",
        peer.port
    );
    let receiver = serde_norway::from_str(&config).unwrap();
    let read = signalbox_notify::alertmanager::receivers(
        &serde_norway::Value::Null,
        &[receiver],
        std::path::Path::new("/"),
        &[],
        &signalbox_notify::Policy::default(),
    )
    .unwrap();
    let channel = read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap().1;
    let mut group = message();
    for alert in &mut group.alerts {
        alert.annotations.insert("summary".into(), "a <b>\r\nBcc: x@example.org".into());
    }
    channel.deliver(Delivery { message: &group, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.unwrap();
    let mail = peer.sessions.recv().unwrap().mail;
    let (head, text, html) = parts(&mail);
    assert_eq!(head.iter().filter(|line| line.starts_with("Subject: ")).collect::<Vec<_>>(), ["Subject: firing a <b>  Bcc: x@example.org"]);
    assert!(!head.iter().any(|line| line.starts_with("Bcc")), "{head:?}");
    assert_eq!(text.trim(), "on: 1");
    assert!(
        html.contains("<h2>[1] Firing</h2>") && html.contains("summary = a &lt;b&gt;") && html.contains("<a href=\"http://localhost:4400/metrics?expr=up\">"),
        "{html}"
    );
}

/// A mail by what `alertmanager.yml` says beside the server.
async fn mailed(peer: &SmtpPeer, keys: &str, message: &Message) -> Result<(), Failure> {
    let config = format!("{{name: ops, email_configs: [{{smarthost: 'localhost:{}', require_tls: false, {keys}}}]}}", peer.port);
    let receiver = serde_norway::from_str(&config).unwrap();
    let policy = signalbox_notify::Policy::default();
    let read = signalbox_notify::alertmanager::receivers(&serde_norway::Value::Null, &[receiver], std::path::Path::new("/"), &[], &policy).unwrap();
    let (_, channel) = read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap();
    channel.deliver(Delivery { message, id: 7, enqueued_at_ns: START_NS, now_ns: START_NS, handle: None }).await.map(|_| ())
}

#[tokio::test]
async fn a_secret_is_never_sent_with_cram_md5() {
    let peer = SmtpPeer::start(Script { offers: vec!["AUTH CRAM-MD5"], ..Script::default() });
    let keys = "to: b@example.org, from: a@example.org, auth_username: tim, auth_secret: tanstaaftanstaaf";
    mailed(&peer, keys, &message()).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    // The answer of RFC 2195: tim b913a602c7eda7a495b4e6e7334d3890
    assert_eq!(session.commands[1..3], ["AUTH CRAM-MD5", "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"]);
    assert!(session.mail.contains("Subject:"));
}

#[tokio::test]
async fn an_identity_goes_before_the_name() {
    let peer = SmtpPeer::start(Script { offers: vec!["AUTH PLAIN"], ..Script::default() });
    let keys = "to: b@example.org, from: a@example.org, auth_username: u, auth_password: p, auth_identity: i";
    mailed(&peer, keys, &message()).await.unwrap();
    assert_eq!(peer.sessions.recv().unwrap().commands[1], "AUTH PLAIN aQB1AHA=");
    let peer = SmtpPeer::start(Script::default());
    let failure = mailed(&peer, keys, &message()).await.unwrap_err();
    assert!(failure.is_transient && failure.error.contains("offers no mechanism"), "{failure:?}");
}

#[tokio::test]
async fn addresses_may_be_templates_and_threads_have_a_day() {
    let peer = SmtpPeer::start(Script::default());
    let keys =
        "to: 'x@example.org, {{ .CommonLabels.severity }}@example.org', from: '{{ .Receiver }}@example.net', threading: {enabled: true, thread_by_date: daily}";
    mailed(&peer, keys, &message()).await.unwrap();
    let session = peer.sessions.recv().unwrap();
    let told: Vec<&str> = session.commands.iter().filter(|command| command.starts_with("RCPT") || command.starts_with("MAIL")).map(String::as_str).collect();
    assert_eq!(told, ["MAIL FROM:<ops@example.net>", "RCPT TO:<x@example.org>", "RCPT TO:<page@example.org>"]);
    let (head, _, _) = parts(&session.mail);
    assert!(head.iter().any(|line| line.starts_with("References: <group.") && line.ends_with(".2024-02-29@example.net>")), "{head:#?}");
    let mut evil = message();
    for alert in &mut evil.alerts {
        alert.labels.insert("severity".to_owned(), "a@b.c>\r\nRCPT TO:<all".to_owned());
    }
    let failure = mailed(&peer, keys, &evil).await.unwrap_err();
    assert!(!failure.is_transient && failure.error.starts_with("to: found"), "{failure:?}");
}
