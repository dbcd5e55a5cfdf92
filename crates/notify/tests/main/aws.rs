//! Amazon SNS with keys of AWS' shared files and in roles: servers that check the signature of what they are told, from the wire alone.

use std::path::Path;

use ring::{digest, hmac};
use signalbox_notify::{Channel, Policy, alertmanager};

use crate::http_peer::{HttpPeer, Request};
use crate::services::{OK, deliver};
use crate::{START_NS, message};

const SECOND_NS: i64 = 1_000_000_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tag(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The scope that a request is signed for, if its signature is that of the key (Signature Version 4).
fn signed_for(request: &Request, access_key: &str, secret_key: &str) -> String {
    let header = request.header("authorization").unwrap();
    let field = |name: &str| header.split([' ', ',']).find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let (credential, names, signature) = (field("Credential="), field("SignedHeaders="), field("Signature="));
    let (key_id, scope) = credential.split_once('/').unwrap();
    assert_eq!(key_id, access_key);
    let parts: Vec<&str> = scope.split('/').collect();
    let date = request.header("x-amz-date").unwrap();
    assert!(date.starts_with(parts[0]) && parts[3] == "aws4_request", "{scope} {date}");
    for needed in ["host", "x-amz-date"] {
        assert!(names.split(';').any(|name| name == needed), "{names}");
    }
    assert_eq!(request.header("x-amz-security-token").is_some(), names.contains("x-amz-security-token"), "a token is signed as well");
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let lines: String = names.split(';').map(|name| format!("{name}:{}\n", request.header(name).unwrap())).collect();
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{}", hex(digest::digest(&digest::SHA256, request.body.as_bytes()).as_ref()));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
    let key = parts.iter().fold(format!("AWS4{secret_key}").into_bytes(), |key, part| tag(&key, part));
    assert_eq!(hex(&tag(&key, &text)), signature);
    format!("{}/{}", parts[1], parts[2])
}

/// AWS' shared files, with both services at servers of the test.
struct Aws {
    folder: tempfile::TempDir,
    sts: HttpPeer,
    sns: HttpPeer,
}

impl Aws {
    fn new(sts: &[&'static str], sns: &[&'static str]) -> Self {
        let aws = Self { folder: tempfile::tempdir().unwrap(), sts: HttpPeer::start(sts), sns: HttpPeer::start(sns) };
        let config = format!(
            "[default]\nservices = here\nregion = eu-west-1\n[profile ops]\nrole_arn = arn:aws:iam::1:role/ops\nsource_profile = base\nexternal_id = of profile\nservices = here\n\
             region = eu-west-2\n[services here]\nsts =\n  endpoint_url = http://127.0.0.1:{}/\nsns =\n  endpoint_url = http://127.0.0.1:{}/\n",
            aws.sts.port, aws.sns.port
        );
        std::fs::write(aws.folder.path().join("config"), config).unwrap();
        aws.credentials("[base]\naws_access_key_id = BASE\naws_secret_access_key = base/secret\n");
        aws
    }

    fn credentials(&self, text: &str) {
        std::fs::write(self.folder.path().join("credentials"), text).unwrap();
    }

    fn channel(&self, sigv4: &str) -> Result<Channel, String> {
        let receiver = serde_norway::from_str(&format!("{{name: ops, sns_configs: [{{phone_number: '+49', message: hi, sigv4: {{{sigv4}}}}}]}}")).unwrap();
        let policy = Policy { aws_folder: self.folder.path().to_owned(), ..Policy::default() };
        let read = alertmanager::receivers(&serde_norway::Value::Null, &[receiver], Path::new("/"), &[], &policy);
        read.map(|read| read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap().1).map_err(|error| error.message().to_owned())
    }
}

/// What the Security Token Service answers.
fn keys(access_key: &str, expires_at: &str) -> &'static str {
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<AssumeRoleResult>\n<AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>\n<Credentials>\n\
         <AccessKeyId>{access_key}</AccessKeyId>\n<SecretAccessKey>role/secret</SecretAccessKey>\n<SessionToken>to/ken+1==</SessionToken>\n\
         <Expiration>{expires_at}</Expiration>\n</Credentials>\n</AssumeRoleResult></AssumeRoleResponse>"
    );
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
}

async fn deliver_at(channel: &Channel, now_ns: i64) {
    let message = message();
    channel.deliver(signalbox_notify::Delivery { message: &message, id: 7, enqueued_at_ns: START_NS, now_ns, handle: None }).await.unwrap();
}

#[tokio::test]
async fn keys_of_a_profile_sign() {
    let aws = Aws::new(&[], &[OK, OK]);
    aws.credentials("[default]\naws_access_key_id = AKID\naws_secret_access_key = s3cret\n");
    let channel = aws.channel("region: eu-central-1").unwrap();
    deliver(&channel, &message()).await.unwrap();
    assert_eq!(signed_for(&aws.sns.requests.recv().unwrap(), "AKID", "s3cret"), "eu-central-1/sns");
    aws.credentials("[default]\naws_access_key_id = NEXT\naws_secret_access_key = other\naws_session_token = t\n");
    deliver(&channel, &message()).await.unwrap();
    let request = aws.sns.requests.recv().unwrap();
    assert_eq!(
        (signed_for(&request, "NEXT", "other"), request.header("x-amz-security-token")),
        ("eu-central-1/sns".to_owned(), Some("t")),
        "files may be rotated"
    );
}

#[tokio::test]
async fn keys_of_a_role_are_asked_for_kept_and_renewed() {
    let answers = [keys("ROLE1", "2024-02-29T12:50:00Z"), keys("ROLE2", "2024-02-29T13:50:00.123Z")];
    let aws = Aws::new(&answers, &[OK, OK, OK]);
    let channel = aws.channel("access_key: AKID, secret_key: s3cret, role_arn: 'arn:aws:iam::1:role/r', external_id: 'a b'").unwrap();
    // The third comes half a minute before the first keys end.
    for after_s in [0, 60, 15 * 60 - 26] {
        deliver_at(&channel, START_NS + after_s * SECOND_NS).await;
    }
    let asked: Vec<Request> = aws.sts.requests.try_iter().collect();
    assert_eq!(asked.len(), 2);
    assert_eq!(signed_for(&asked[0], "AKID", "s3cret"), "eu-west-1/sts");
    let expected =
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=signalbox&DurationSeconds=900&ExternalId=a+b";
    assert_eq!(asked[0].body, expected);
    let told: Vec<(String, bool)> = aws
        .sns
        .requests
        .try_iter()
        .zip(["ROLE1", "ROLE1", "ROLE2"])
        .map(|(request, key)| (signed_for(&request, key, "role/secret"), request.header("x-amz-security-token") == Some("to/ken+1==")))
        .collect();
    assert_eq!(told, vec![("eu-west-1/sns".to_owned(), true); 3]);
}

#[tokio::test]
async fn a_profile_takes_on_its_role_with_the_keys_of_another() {
    let aws = Aws::new(&[keys("ROLE", "2024-02-29T12:50:00Z")], &[OK]);
    deliver(&aws.channel("profile: ops").unwrap(), &message()).await.unwrap();
    let asked = aws.sts.requests.recv().unwrap();
    assert_eq!(signed_for(&asked, "BASE", "base/secret"), "eu-west-2/sts");
    assert!(asked.body.ends_with("&ExternalId=of+profile"), "{}", asked.body);
    assert_eq!(signed_for(&aws.sns.requests.recv().unwrap(), "ROLE", "role/secret"), "eu-west-2/sns");
}

#[tokio::test]
async fn what_is_wrong_with_a_role_passes_and_shows_no_secret() {
    let denied = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 97\r\n\r\n<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>\n";
    let aws = Aws::new(&[denied, keys("ROLE", "soon")], &[]);
    let channel = aws.channel("profile: ops").unwrap();
    let failure = deliver(&channel, &message()).await.unwrap_err();
    assert_eq!((failure.is_transient, failure.error.as_str()), (true, "cannot assume role arn:aws:iam::1:role/ops: found status 403 AccessDenied: not you"));
    let failure = deliver(&channel, &message()).await.unwrap_err();
    assert_eq!((failure.is_transient, failure.error.as_str()), (true, "cannot assume role arn:aws:iam::1:role/ops: cannot read Expiration in the answer"));
    aws.credentials("");
    let failure = deliver(&channel, &message()).await.unwrap_err();
    assert!(failure.is_transient && failure.error.contains("found no profile \"base\""), "the file may be about to be replaced: {failure:?}");
}

#[tokio::test]
async fn keys_that_were_withdrawn_are_asked_for_anew() {
    let expired = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 31\r\n\r\n<Error><Code>ExpiredToken</Code>";
    let answers = [keys("ROLE1", "2024-02-29T12:50:00Z"), keys("ROLE2", "2024-02-29T12:50:00Z")];
    let aws = Aws::new(&answers, &[expired, OK]);
    let channel = aws.channel("profile: ops").unwrap();
    assert!(deliver(&channel, &message()).await.unwrap_err().is_transient);
    deliver(&channel, &message()).await.unwrap();
    assert_eq!(aws.sns.requests.try_iter().map(|request| request.header("authorization").unwrap().contains("ROLE2")).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_cannot_sign_is_refused_when_it_is_read() {
    let aws = Aws::new(&[], &[]);
    std::fs::remove_file(aws.folder.path().join("config")).unwrap();
    for (sigv4, why) in [
        ("region: x", "found no credentials: want sigv4.access_key and sigv4.secret_key, or a profile in"),
        ("access_key: a", "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SNS config"),
        ("profile: base, external_id: x", "sigv4.external_id: found no sigv4.role_arn, which it is for"),
        ("profile: base, service: sqs", "sigv4.service: found \"sqs\": want sns"),
    ] {
        let error = aws.channel(sigv4).unwrap_err();
        assert!(error.contains(why), "{sigv4}: {error}");
    }
    aws.channel("profile: base").unwrap();
}
