//! Amazon SNS: a publication to a topic, a phone number or an endpoint
//! (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), signed with keys of the configuration.
//!
//! In a FIFO topic messages about a group keep their order, and a retry has the id that AWS knows it by.

mod sigv4;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::hosted::{Service, group_hash};
use crate::http::oauth2::escaped;
use crate::http::{Answer, Request, parse_url};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, truncate, truncate_bytes};
use sigv4::{Signed, Signer, amz_date};

/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Characters of a text message to a phone.
const SMS_CHARACTERS_MAX: usize = 1_600;
/// Characters of a subject: SNS wants fewer than 100.
const SUBJECT_CHARACTERS_MAX: usize = 99;
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Keys of `sns_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    api_url: String,
    pub(crate) sigv4: Sigv4,
    topic_arn: String,
    phone_number: String,
    target_arn: String,
    subject: String,
    message: String,
    attributes: BTreeMap<String, String>,
    // It chooses between two clients of Alertmanager; here is one.
    #[allow(dead_code, reason = "taken, without effect")]
    use_aws_http_client: bool,
}

/// Who signs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sigv4 {
    region: String,
    access_key: String,
    pub(crate) secret_key: Option<Secret>,
    profile: String,
    role_arn: String,
    external_id: String,
    use_fips_sts_endpoint: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_url: String::new(),
            sigv4: Sigv4::default(),
            topic_arn: String::new(),
            phone_number: String::new(),
            target_arn: String::new(),
            subject: r#"{{ template "sns.default.subject" . }}"#.to_owned(),
            message: r#"{{ template "sns.default.message" . }}"#.to_owned(),
            attributes: BTreeMap::new(),
            use_aws_http_client: false,
        }
    }
}

impl Settings {
    /// Refuses what contradicts itself or is not there.
    pub(crate) fn check(&self) -> Result<(), String> {
        let targets = [&self.topic_arn, &self.phone_number, &self.target_arn];
        if targets.into_iter().filter(|target| !target.is_empty()).count() != 1 {
            return Err("must provide either a Target ARN, Topic ARN, or Phone Number for SNS config".to_owned());
        }
        let sigv4 = &self.sigv4;
        for (key, is_given) in [
            ("profile", !sigv4.profile.is_empty()),
            ("role_arn", !sigv4.role_arn.is_empty()),
            ("external_id", !sigv4.external_id.is_empty()),
            ("use_fips_sts_endpoint", sigv4.use_fips_sts_endpoint),
        ] {
            if is_given {
                return Err(format!("sigv4.{key} is not supported: want access_key and secret_key"));
            }
        }
        if sigv4.access_key.is_empty() || sigv4.secret_key.as_ref().is_none_or(|key| key.reveal().is_empty()) {
            return Err("must provide both of sigv4.access_key and sigv4.secret_key: the credentials of the environment are not used".to_owned());
        }
        if !self.api_url.is_empty() && !self.api_url.contains("{{") {
            parse_url(&self.api_url)?;
        }
        Ok(())
    }
}

/// SNS, with the key that signs.
#[derive(Debug)]
pub(crate) struct Sns {
    pub(crate) settings: Settings,
    pub(crate) secret_key: SecretSource,
}

impl Service for Sns {
    fn kind(&self) -> &'static str {
        "sns"
    }

    fn name(&self) -> &'static str {
        "Amazon SNS"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let target = |template: &str| renderer.text(template).map(|text| text.trim().to_owned());
        let (topic, phone, endpoint) = (target(&settings.topic_arn)?, target(&settings.phone_number)?, target(&settings.target_arn)?);
        let region = self.region([&topic, &endpoint]).ok_or_else(|| Failure::permanent("found no region: want sigv4.region"))?;
        let body = form(&self.parameters(message, renderer, [&topic, &phone, &endpoint])?);
        let api_url = renderer.text(&settings.api_url)?;
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = if api_url.is_empty() { format!("https://sns.{region}.{domain}/") } else { api_url };
        let parsed = parse_url(&url).map_err(Failure::permanent)?;
        let host = parsed.host_str().unwrap_or_default();
        let host = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let (secret_key, date) = (self.secret_key.read().map_err(Failure::transient)?, amz_date(renderer.now_ns()));
        let headers = vec![("content-type", CONTENT_TYPE.to_owned()), ("host", host), ("x-amz-date", date.clone())];
        let signer = Signer { access_key: &settings.sigv4.access_key, secret_key: &secret_key, region: &region, service: "sns" };
        let authorization = signer.authorization(&Signed { method: "POST", path: parsed.path(), headers, body: &body }, &date);
        let request = Request { method: "POST", url: Secret::new(parsed.as_str()), headers: Vec::new(), content_type: CONTENT_TYPE.to_owned(), body };
        Ok(vec![request.header("x-amz-date", date).header("authorization", authorization)])
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check().map_err(|failure| {
            // Too many requests have the status of a wrong one.
            let is_throttled = ["<Code>Throttl", "<Code>KMSThrottling", "<Code>RequestLimitExceeded"].iter().any(|code| answer.body.contains(code));
            Failure { is_transient: failure.is_transient || is_throttled, ..failure }
        })
    }
}

impl Sns {
    /// The region of the configuration, or the one that stands in an ARN: `arn:aws:sns:us-east-2:698519295917:My-Topic`.
    fn region(&self, arns: [&str; 2]) -> Option<String> {
        let own = Some(self.settings.sigv4.region.as_str());
        let found = own.into_iter().chain(arns.into_iter().filter_map(|arn| arn.split(':').nth(3))).find(|region| !region.is_empty())?;
        // It becomes part of a host.
        found.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-').then(|| found.to_owned())
    }

    fn parameters(&self, message: &Message, renderer: &Renderer<'_>, targets: [&str; 3]) -> Result<Vec<(String, String)>, Failure> {
        let settings = &self.settings;
        let [topic, phone, endpoint] = targets;
        let text = renderer.text(&settings.message)?;
        let told = if phone.is_empty() { truncate_bytes(&text, MESSAGE_BYTES_MAX) } else { truncate(&text, SMS_CHARACTERS_MAX) };
        let subject: String = renderer.text(&settings.subject)?.trim().chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let (subject, group) = (truncate(&subject, SUBJECT_CHARACTERS_MAX), group_hash(message));
        let id = format!("signalbox.{}", renderer.key());
        let is_fifo = topic.ends_with(".fifo");
        let given = [
            ("Action", "Publish"),
            ("Version", "2010-03-31"),
            ("TopicArn", topic),
            ("PhoneNumber", phone),
            ("TargetArn", endpoint),
            ("Subject", &subject),
            ("Message", &told),
            ("MessageGroupId", if is_fifo { &group } else { "" }),
            ("MessageDeduplicationId", if is_fifo { &id } else { "" }),
        ];
        let mut parameters: Vec<(String, String)> =
            given.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut attributes = Vec::new();
        for (name, value) in &settings.attributes {
            attributes.push((renderer.text(name)?, renderer.text(value)?));
        }
        if told.len() != text.len() {
            attributes.push(("truncated".to_owned(), "true".to_owned()));
        }
        for (index, (name, value)) in attributes.into_iter().enumerate() {
            let entry = format!("MessageAttributes.entry.{}", index + 1);
            parameters.push((format!("{entry}.Name"), name));
            parameters.push((format!("{entry}.Value.DataType"), "String".to_owned()));
            parameters.push((format!("{entry}.Value.StringValue"), value));
        }
        Ok(parameters)
    }
}

fn form(parameters: &[(String, String)]) -> String {
    parameters.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}
