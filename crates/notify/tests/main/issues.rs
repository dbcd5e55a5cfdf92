//! Jira and Amazon SNS on the wire.

use serde_json::{Value, json};
use signalbox_notify::message::Message;
use signalbox_notify::retry::Failure;

use crate::http_peer::HttpPeer;
use crate::message;
use crate::services::{HASH, OK, body, channel, deliver, judged, resolved, told};

/// An answer with this body, on a connection that ends.
fn answer(status: &str, body: &Value) -> &'static str {
    let body = body.to_string();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
}

fn found(category: &str) -> &'static str {
    answer("200 OK", &json!({"issues": [{"key": "OPS-7", "fields": {"status": {"name": "x", "statusCategory": {"key": category}}}}]}))
}

const CONFIG: &str = "{api_url: URL/rest/api/2, project: OPS, issue_type: Bug, labels: ['sev-{{ .CommonLabels.severity }}'], fields: {customfield_1: {value: '{{ .Status }}'}},
  reopen_transition: Reopen, resolve_transition: Done, reopen_duration: 1h, wont_fix_resolution: Won't Do, http_config: {basic_auth: {username: u, password: p}}}";

async fn lines(config: &str, message: &Message, answers: &[&'static str]) -> Vec<String> {
    told("jira_configs", config, message, answers).await.into_iter().map(|request| request.line).collect()
}

#[tokio::test]
async fn jira_gets_an_issue_that_it_does_not_have() {
    let (nothing, made) = (answer("200 OK", &json!({"issues": []})), answer("201 Created", &json!({"key": "OPS-8"})));
    let requests = told("jira_configs", CONFIG, &message(), &[nothing, made]).await;
    assert_eq!(requests[0].line, "POST /rest/api/2/search HTTP/1.1");
    assert_eq!((requests[0].header("authorization"), requests[0].header("accept-language")), (Some("Basic dTpw"), Some("en")));
    let jql = format!(
        "(resolution is EMPTY or resolution != \"Won't Do\") and (resolutiondate is EMPTY OR resolutiondate >= -60m) and project=\"OPS\" and labels=\"ALERT{{{HASH}}}\" order by status ASC,resolutiondate DESC"
    );
    assert_eq!(body(&requests[0]), json!({"jql": jql, "maxResults": 2, "fields": ["status"]}));
    assert_eq!(requests[1].line, "POST /rest/api/2/issue HTTP/1.1");
    let fields = &body(&requests[1])["fields"];
    assert_eq!(
        (&fields["summary"], &fields["project"], &fields["issuetype"]),
        (&json!("[FIRING:1] Slow (page)"), &json!({"key": "OPS"}), &json!({"name": "Bug"}))
    );
    assert_eq!((&fields["labels"], &fields["customfield_1"]), (&json!([format!("ALERT{{{HASH}}}"), "sev-page"]), &json!({"value": "firing"})));
    assert!(fields["description"].as_str().unwrap().contains("# Alerts Firing:") && fields.get("priority").is_none(), "{fields}");
    assert_eq!(lines(CONFIG, &resolved(), &[nothing]).await, ["POST /rest/api/2/search HTTP/1.1"], "nobody needs an issue about what is over");
}

#[tokio::test]
async fn jira_updates_reopens_and_resolves_what_it_has() {
    let done = answer("200 OK", &json!({"transitions": [{"id": "31", "name": "Done"}, {"id": "41", "name": "Reopen"}]}));
    let none = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    let (search, update) = ("POST /rest/api/2/search HTTP/1.1", "PUT /rest/api/2/issue/OPS-7 HTTP/1.1");
    assert_eq!(lines(CONFIG, &message(), &[found("new"), none]).await, [search, update]);
    for (message, category, id) in [(message(), "done", "41"), (resolved(), "indeterminate", "31")] {
        let requests = told("jira_configs", CONFIG, &message, &[found(category), none, done, none]).await;
        let found: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
        let (list, change) = ("GET /rest/api/2/issue/OPS-7/transitions HTTP/1.1", "POST /rest/api/2/issue/OPS-7/transitions HTTP/1.1");
        assert_eq!(found, [search, update, list, change]);
        assert_eq!(body(&requests[3]), json!({"transition": {"id": id}}));
    }
    let quiet = "{api_url: URL/rest/api/2, project: OPS, issue_type: Bug, summary: {template: s, enable_update: false}, description: {template: d, enable_update: false}}";
    let fields = body(&told("jira_configs", quiet, &message(), &[found("new"), none]).await[1])["fields"].clone();
    assert!(fields.get("summary").is_none() && fields.get("description").is_none() && fields["labels"].is_array(), "{fields}");
    let peer = HttpPeer::start(&[found("new"), none, answer("200 OK", &json!({"transitions": []}))]);
    let failure = deliver(&channel("jira_configs", CONFIG, &peer), &resolved()).await.unwrap_err();
    assert_eq!(failure, Failure::permanent("Jira has no transition \"Done\" for issue OPS-7"));
    assert!(judged("jira_configs", CONFIG, "HTTP/1.1 429 Slow Down\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n").await.is_transient);
}

#[tokio::test]
async fn jira_in_the_cloud_has_another_search_and_version_three_a_document() {
    let nothing = answer("200 OK", &json!({"issues": []}));
    let two = "{api_url: URL/rest/api/2, api_type: cloud, project: OPS, issue_type: Bug}";
    assert_eq!(lines(two, &message(), &[nothing, OK]).await, ["POST /rest/api/3/search/jql HTTP/1.1", "POST /rest/api/2/issue HTTP/1.1"]);
    let three = "{api_url: URL/rest/api/3, project: OPS, issue_type: Bug, description: 'plain \"text\"'}";
    let fields = body(&told("jira_configs", three, &message(), &[nothing, OK]).await[1])["fields"].clone();
    assert_eq!(fields["description"]["content"][0]["content"][0]["text"], "plain \"text\"");
    let own = "{api_url: URL/rest/api/3, project: OPS, issue_type: Bug, description: '{\"type\": \"doc\", \"version\": 1, \"content\": []}'}";
    let fields = body(&told("jira_configs", own, &message(), &[nothing, OK]).await[1])["fields"].clone();
    assert_eq!(fields["description"], json!({"type": "doc", "version": 1, "content": []}));
}

const KEYS: &str = "sigv4: {access_key: AKID, secret_key: s3cret}";

fn form(text: &str) -> Vec<String> {
    text.split('&').map(str::to_owned).collect()
}

#[tokio::test]
async fn sns_gets_a_signed_publication() {
    let config = format!(
        "{{api_url: URL, topic_arn: 'arn:aws:sns:eu-west-1:1:Ops', message: 'a b&c', attributes: {{severity: '{{{{ .CommonLabels.severity }}}}'}}, {KEYS}}}"
    );
    let requests = told("sns_configs", &config, &message(), &[OK]).await;
    let request = &requests[0];
    assert_eq!((request.line.as_str(), request.header("x-amz-date")), ("POST / HTTP/1.1", Some("20240229T123456Z")));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded; charset=utf-8"));
    let head = "AWS4-HMAC-SHA256 Credential=AKID/20240229/eu-west-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=";
    assert_eq!(request.header("authorization").unwrap().strip_prefix(head).map(str::len), Some(64));
    let expected = [
        "Action=Publish",
        "Version=2010-03-31",
        "TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A1%3AOps",
        "Subject=%5BFIRING%3A1%5D+Slow+%28page%29",
        "Message=a+b%26c",
        "MessageAttributes.entry.1.Name=severity",
        "MessageAttributes.entry.1.Value.DataType=String",
        "MessageAttributes.entry.1.Value.StringValue=page",
    ];
    assert_eq!(form(&request.body), expected);
    let fifo = format!("{{api_url: URL, topic_arn: 'arn:aws:sns:eu-west-1:1:Ops.fifo', {KEYS}}}");
    let sent = form(&told("sns_configs", &fifo, &message(), &[OK]).await[0].body);
    assert!(sent.contains(&format!("MessageGroupId={HASH}")) && sent.contains(&"MessageDeduplicationId=signalbox.7.17b85586d1be6e00".to_owned()), "{sent:?}");
    let sms = "{api_url: URL, phone_number: '+4912', message: '{{ printf \"%02000d\" 1 }}', sigv4: {region: eu-west-1, access_key: a, secret_key: b}}";
    let sent = form(&told("sns_configs", sms, &message(), &[OK]).await[0].body);
    assert!(sent.contains(&"PhoneNumber=%2B4912".to_owned()) && sent.contains(&"MessageAttributes.entry.1.Name=truncated".to_owned()), "{sent:?}");
    let slow = answer("400 Bad Request", &json!("<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"));
    assert!(judged("sns_configs", &config, slow).await.is_transient);
    let wrong = answer("403 Forbidden", &json!("<Code>SignatureDoesNotMatch</Code>"));
    assert!(!judged("sns_configs", &config, wrong).await.is_transient);
}
