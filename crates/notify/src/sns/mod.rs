//! Amazon SNS: a publication to a topic, a phone number or an endpoint
//! (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), signed with keys of the configuration, of AWS' shared files,
//! or of a role that either takes on.
//!
//! Lengths are those of that page, and Alertmanager's. 5xx and 429 pass, and 400 with a code that begins with `Throttl`
//! (<https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html>).
//!
//! In a FIFO topic messages about a group keep their order, and a retry has the id that AWS knows it by.

mod shared;
mod sigv4;
mod sts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::hosted::{Service, group_hash};
use crate::http::oauth2::escaped;
use crate::http::{Answer, Request, parse_url};
use crate::message::Message;
use crate::retry::Failure;
use crate::settings::Secret;
use crate::template::{Renderer, truncate, truncate_bytes};
use shared::{Keys, Role, Shared};
use sigv4::{Signed, Signer, amz_date};
use sts::Session;

/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Characters of a text message to a phone.
const SMS_CHARACTERS_MAX: usize = 1_600;
/// Characters of a subject: SNS wants fewer than 100.
const SUBJECT_CHARACTERS_MAX: usize = 99;
/// The name of the service in signatures and hosts.
const SERVICE: &str = "sns";
/// What we call ourselves in a role.
const SESSION: &str = "signalbox";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Keys of `sns_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    api_url: String,
    sigv4: Sigv4,
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

/// Who signs: keys, or those of a profile of AWS' shared files, or what either takes on as a role.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sigv4 {
    region: String,
    access_key: String,
    secret_key: Option<Secret>,
    profile: String,
    role_arn: String,
    external_id: String,
    service: String,
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
        if !matches!(sigv4.service.as_str(), "" | SERVICE) {
            return Err(format!("sigv4.service: found {:?}: want {SERVICE}", sigv4.service));
        }
        if !sigv4.external_id.is_empty() && sigv4.role_arn.is_empty() {
            return Err("sigv4.external_id: found no sigv4.role_arn, which it is for".to_owned());
        }
        if sigv4.access_key.is_empty() != sigv4.secret_key.as_ref().is_none_or(|key| key.reveal().is_empty()) {
            return Err("must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SNS config".to_owned());
        }
        if !self.api_url.is_empty() && !self.api_url.contains("{{") {
            parse_url(&self.api_url)?;
        }
        Ok(())
    }
}

/// SNS, with where AWS' shared files are.
#[derive(Debug)]
pub(crate) struct Sns {
    settings: Settings,
    aws_folder: PathBuf,
    session: Mutex<Option<Session>>,
}

/// Who signs a message, and where.
struct Signing {
    keys: Keys,
    region: String,
    /// Where SNS is, if not where AWS has it.
    sns_url: Option<String>,
    /// What is taken on first, and where that is asked for.
    role: Option<(Role, String)>,
}

impl Sns {
    /// From an entry of `alertmanager.yml`.
    pub(crate) fn new(settings: Settings, aws_folder: &Path) -> Result<Self, String> {
        settings.check()?;
        let sns = Self { settings, aws_folder: aws_folder.to_owned(), session: Mutex::default() };
        let sigv4 = &sns.settings.sigv4;
        if sigv4.access_key.is_empty() && sigv4.profile.is_empty() && !Shared::read(aws_folder)?.profile(shared::DEFAULT).is_known() {
            return Err(format!(
                "found no credentials: want sigv4.access_key and sigv4.secret_key, or a profile in {} (setting notify.aws_folder): those of the environment and of \
                 the machine are not used",
                aws_folder.join("credentials").display()
            ));
        }
        Ok(sns)
    }

    /// Files may be about to be replaced: what is wrong with them passes.
    fn signing(&self, arns: [&str; 2]) -> Result<Signing, String> {
        let sigv4 = &self.settings.sigv4;
        let shared = Shared::read(&self.aws_folder)?;
        let profile = shared.profile(if sigv4.profile.is_empty() { shared::DEFAULT } else { &sigv4.profile });
        let secret_key = sigv4.secret_key.clone().filter(|_| !sigv4.access_key.is_empty());
        let (keys, inherited) = match secret_key {
            Some(secret_key) => (Keys { access_key: sigv4.access_key.clone(), secret_key, session_token: None }, None),
            None => (profile.keys()?, profile.role()?),
        };
        let own = Role { arn: sigv4.role_arn.clone(), external_id: sigv4.external_id.clone(), session: SESSION.to_owned(), seconds: shared::ROLE_SECONDS };
        let role = match inherited {
            Some(_) if !own.arn.is_empty() => return Err("sigv4.role_arn is not supported for a profile that has a role_arn of its own".to_owned()),
            inherited => inherited.or_else(|| (!own.arn.is_empty()).then_some(own)),
        };
        let region = region(&[&sigv4.region, profile.region().unwrap_or_default()], arns).ok_or("found no region: want sigv4.region")?;
        let sts = if sigv4.use_fips_sts_endpoint { "sts-fips" } else { "sts" };
        let sts_url = profile.endpoint("sts").map_or_else(|| format!("https://{sts}.{region}.{}/", domain(&region)), str::to_owned);
        Ok(Signing { keys, sns_url: profile.endpoint(SERVICE).map(str::to_owned), role: role.map(|role| (role, sts_url)), region })
    }

    fn arns(&self, renderer: &Renderer<'_>) -> Result<[String; 2], Failure> {
        let target = |template: &str| renderer.text(template).map(|text| text.trim().to_owned());
        Ok([target(&self.settings.topic_arn)?, target(&self.settings.target_arn)?])
    }

    fn held(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first region that is given, or the one that stands in an ARN: `arn:aws:sns:us-east-2:698519295917:My-Topic`.
fn region(given: &[&str], arns: [&str; 2]) -> Option<String> {
    let of_arns = arns.into_iter().filter_map(|arn| arn.split(':').nth(3));
    let found = given.iter().copied().chain(of_arns).find(|region| !region.is_empty())?;
    // It becomes part of a host.
    found.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-').then(|| found.to_owned())
}

fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// A form that is posted to a service, signed.
fn signed(url: &str, parameters: &[(String, String)], keys: &Keys, region: &str, service: &str, now_ns: i64) -> Result<Request, String> {
    let (parsed, body, date) = (parse_url(url)?, form(parameters), amz_date(now_ns));
    let host = parsed.host_str().unwrap_or_default();
    let host = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut headers = vec![("content-type", CONTENT_TYPE.to_owned()), ("host", host), ("x-amz-date", date.clone())];
    headers.extend(keys.session_token.iter().map(|token| ("x-amz-security-token", token.reveal().to_owned())));
    let signer = Signer { access_key: &keys.access_key, secret_key: &keys.secret_key, region, service };
    let authorization = signer.authorization(&Signed { method: "POST", path: parsed.path(), headers, body: &body }, &date);
    let mut request = Request { method: "POST", url: Secret::new(parsed.as_str()), headers: Vec::new(), content_type: CONTENT_TYPE.to_owned(), body };
    if let Some(token) = &keys.session_token {
        request = request.header("x-amz-security-token", token.reveal());
    }
    Ok(request.header("x-amz-date", date).header("authorization", authorization))
}

impl Service for Sns {
    fn kind(&self) -> &'static str {
        "sns"
    }

    fn name(&self) -> &'static str {
        "Amazon SNS"
    }

    fn login(&self, renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        let [topic, endpoint] = self.arns(renderer)?;
        let signing = self.signing([&topic, &endpoint]).map_err(Failure::transient)?;
        let Some((role, url)) = signing.role else { return Ok(None) };
        if self.held().as_ref().is_some_and(|session| session.is_good(&role, &signing.keys.access_key, renderer.now_ns())) {
            return Ok(None);
        }
        let request = signed(&url, &sts::parameters(&role), &signing.keys, &signing.region, "sts", renderer.now_ns());
        request.map(Some).map_err(Failure::transient)
    }

    fn learn(&self, answer: &Answer, renderer: &Renderer<'_>) -> Result<(), Failure> {
        let [topic, endpoint] = self.arns(renderer)?;
        let signing = self.signing([&topic, &endpoint]).map_err(Failure::transient)?;
        if let Some((role, _)) = signing.role {
            *self.held() = Some(Session::from_answer(answer, role, signing.keys.access_key)?);
        }
        Ok(())
    }

    fn admit(&self, _answer: &Answer, _requests: &mut [Request]) -> Result<(), Failure> {
        Ok(())
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        let settings = &self.settings;
        let ([topic, endpoint], phone) = (self.arns(renderer)?, renderer.text(&settings.phone_number)?.trim().to_owned());
        let signing = self.signing([&topic, &endpoint]).map_err(Failure::transient)?;
        let held = self.held().clone().filter(|_| signing.role.is_some());
        let keys = held.map_or(signing.keys, |session| session.keys);
        let parameters = self.parameters(message, renderer, [&topic, &phone, &endpoint])?;
        let api_url = renderer.text(&settings.api_url)?;
        let default = || signing.sns_url.unwrap_or_else(|| format!("https://sns.{}.{}/", signing.region, domain(&signing.region)));
        let url = if api_url.is_empty() { default() } else { api_url };
        signed(&url, &parameters, &keys, &signing.region, SERVICE, renderer.now_ns()).map(|request| vec![request]).map_err(Failure::permanent)
    }

    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check().map_err(|failure| {
            // Too many requests have the status of a wrong one; keys of a role may have been withdrawn before their time.
            let is_throttled = ["<Code>Throttl", "<Code>KMSThrottling", "<Code>RequestLimitExceeded"].iter().any(|code| answer.body.contains(code));
            let is_expired = answer.body.contains("<Code>ExpiredToken") && self.held().take().is_some();
            Failure { is_transient: failure.is_transient || is_throttled || is_expired, ..failure }
        })
    }
}

impl Sns {
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
