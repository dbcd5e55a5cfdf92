//! Alertmanager's webhook: its JSON, version 4, posted to a URL (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! A retry has the same `Idempotency-Key`. Redirects are not followed: the URL is what was configured.

mod payload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use serde::{Deserialize, Serialize};

use crate::Delivery;
use crate::retry::{self, Failure};
use crate::settings::{Secret, SecretSource, TlsSettings};

/// Bytes of an answer's body that are read, for the error's text.
const ANSWER_BYTES_MAX: usize = 1_024;

/// Settings of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to post, `http` or `https`. It may hold a secret, so it is not shown.
    pub url: Option<Secret>,
    /// A file with the URL, read at each message, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// Tell about resolved alerts too.
    pub send_resolved: bool,
    /// Alerts a message has at most; of a larger group the first ones are sent with the number of those left out. 0 means all.
    pub max_alerts: u64,
    /// Seconds that a request may take. A receiver that is slower gets the message again.
    pub timeout_seconds: u64,
    /// Further headers of the request.
    pub headers: BTreeMap<String, Secret>,
    /// Name and password (HTTP Basic).
    pub basic_auth: Option<BasicAuth>,
    /// A token (`Authorization: Bearer`).
    pub bearer_token: Option<Secret>,
    /// A file with the token, read at each message.
    pub bearer_token_file: Option<PathBuf>,
    /// How the server's certificate is checked.
    pub tls: TlsSettings,
}

/// Name and password.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasicAuth {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Option<Secret>,
    /// A file with the password, read at each message.
    pub password_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            send_resolved: true,
            max_alerts: 0,
            timeout_seconds: 10,
            headers: BTreeMap::new(),
            basic_auth: None,
            bearer_token: None,
            bearer_token_file: None,
            tls: TlsSettings::default(),
        }
    }
}

/// A webhook, ready to be posted to.
#[derive(Debug)]
pub struct Webhook {
    client: reqwest::Client,
    url: SecretSource,
    headers: HeaderMap,
    authorization: Authorization,
    max_alerts: u64,
    timeout: Duration,
    sends_resolved: bool,
}

#[derive(Debug)]
enum Authorization {
    None,
    Basic { username: String, password: Option<SecretSource> },
    Bearer(SecretSource),
}

impl Webhook {
    /// From its settings.
    ///
    /// # Errors
    /// Which key cannot be used, and why.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let url = SecretSource::from_keys("url", settings.url.as_ref(), settings.url_file.as_ref())?.ok_or("found neither url nor url_file")?;
        parse_url(url.read()?.reveal())?;
        if settings.timeout_seconds == 0 {
            return Err("timeout_seconds: found 0: want at least 1".into());
        }
        let timeout = Duration::from_secs(settings.timeout_seconds);
        Ok(Self {
            client: client(settings, timeout)?,
            url,
            headers: headers(&settings.headers)?,
            authorization: Authorization::new(settings)?,
            max_alerts: settings.max_alerts,
            timeout,
            sends_resolved: settings.send_resolved,
        })
    }

    pub(crate) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(crate) async fn deliver(&self, delivery: Delivery<'_>) -> Result<(), Failure> {
        // Files of secrets may be about to be replaced: a failure to read one passes.
        let url = parse_url(self.url.read().map_err(Failure::transient)?.reveal()).map_err(Failure::transient)?;
        let mut request = self.client.post(url).body(payload::render(delivery.message, self.max_alerts)).headers(self.headers.clone());
        request = request.header("Idempotency-Key", format!("signalbox.{}", delivery.key()));
        if let Some(authorization) = self.authorization.header().map_err(Failure::transient)? {
            request = request.header(AUTHORIZATION, authorization);
        }
        match tokio::time::timeout(self.timeout, post(request)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::transient(format!("cannot post to the webhook: no answer within {} s", self.timeout.as_secs()))),
        }
    }
}

async fn post(request: reqwest::RequestBuilder) -> Result<(), Failure> {
    let mut response = request.send().await.map_err(|error| Failure::transient(format!("cannot post to the webhook: {}", chain(&error.without_url()))))?;
    let mut body = Vec::new();
    // The status is the answer; the body only explains it, so a body that breaks off is no failure.
    while body.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
    }
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| value.trim().parse().ok());
    retry::http_status(response.status().as_u16(), &String::from_utf8_lossy(&body))
        .map_err(|failure| Failure { retry_after: seconds.map(Duration::from_secs), ..failure })
}

/// The error with its causes: "error sending request" alone says nothing.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

fn parse_url(text: &str) -> Result<reqwest::Url, String> {
    // The URL is not part of the message: it may hold a secret.
    let url = reqwest::Url::parse(text).map_err(|error| format!("url: {error}"))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(format!("url: found scheme {:?}: want http or https", url.scheme())) }
}

fn client(settings: &Settings, timeout: Duration) -> Result<reqwest::Client, String> {
    // Whoever installs one first wins; both are the same.
    if rustls::crypto::CryptoProvider::get_default().is_none() && rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("the cryptography was installed by another part of the process");
    }
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(timeout)
        .pool_max_idle_per_host(1)
        .tls_danger_accept_invalid_certs(settings.tls.insecure_skip_verify);
    if let Some(pem) = settings.tls.ca()? {
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| format!("tls.ca_file: {error}"))?;
        if certificates.is_empty() {
            return Err("tls.ca_file: found no certificate: want PEM".into());
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| format!("tls: {}", chain(&error)))
}

fn headers(configured: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Signalbox/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in configured {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: found {name:?}: want the name of a header"))?;
        if header == AUTHORIZATION {
            return Err("headers: found Authorization: want basic_auth or bearer_token".into());
        }
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| format!("headers: the value of {name:?} is not allowed in a header"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

impl Authorization {
    fn new(settings: &Settings) -> Result<Self, String> {
        let token = SecretSource::from_keys("bearer_token", settings.bearer_token.as_ref(), settings.bearer_token_file.as_ref())?;
        let authorization = match (&settings.basic_auth, token) {
            (Some(_), Some(_)) => return Err("found both basic_auth and bearer_token: want one".into()),
            (None, None) => Self::None,
            (None, Some(token)) => Self::Bearer(token),
            (Some(basic), None) => Self::Basic {
                username: basic.username.clone(),
                password: SecretSource::from_keys("basic_auth.password", basic.password.as_ref(), basic.password_file.as_ref())?,
            },
        };
        authorization.header()?;
        Ok(authorization)
    }

    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) => format!("Bearer {}", token.read()?.reveal()),
            Self::Basic { username, password } => {
                let password = password.as_ref().map(SecretSource::read).transpose()?;
                let pair = format!("{username}:{}", password.as_ref().map_or("", Secret::reveal));
                format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair))
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| "the token is not allowed in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
