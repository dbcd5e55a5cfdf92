//! The client through which all channels but mails reach a server, and what comes of a request.
//!
//! A redirect is never followed: it could carry the credentials elsewhere. Errors never show a URL, a header or a body that we
//! sent: any of them may hold a secret.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};

use crate::Receipt;
use crate::retry::{self, Failure};
use crate::settings::{Secret, SecretSource, TlsSettings};

/// Bytes of an answer's body that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Bytes of it that an error shows.
const SHOWN_BYTES_MAX: usize = 1_024;

/// Bytes of it that are kept of a yes.
const RECEIPT_BYTES_MAX: usize = 200;

/// How a server is reached.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) timeout: Duration,
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) authorization: Authorization,
    pub(crate) tls: TlsSettings,
    /// An HTTP proxy; it may hold a password.
    pub(crate) proxy_url: Option<Secret>,
    /// Hosts that are reached without it, separated by commas.
    pub(crate) no_proxy: Option<String>,
}

/// What the header of this name says.
#[derive(Debug)]
pub(crate) enum Authorization {
    None,
    Basic { username: SecretSource, password: Option<SecretSource> },
    Token { scheme: String, token: SecretSource },
}

impl Default for Options {
    fn default() -> Self {
        let (headers, authorization, tls) = (Vec::new(), Authorization::None, TlsSettings::default());
        Self { timeout: Duration::from_secs(10), headers, authorization, tls, proxy_url: None, no_proxy: None }
    }
}

/// A request on its way to a server.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: Secret,
    pub(crate) headers: Vec<(&'static str, Secret)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Request {
    /// A POST of JSON.
    pub(crate) fn json(url: Secret, body: &serde_json::Value) -> Self {
        Self { method: "POST", url, headers: Vec::new(), content_type: "application/json", body: body.to_string() }
    }

    /// The same with another method.
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The same with a header more.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value)));
        self
    }
}

/// What a server said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    /// By the status alone.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let shown = &self.body[..self.body.floor_char_boundary(SHOWN_BYTES_MAX)];
        retry::http_status(self.status, shown).map_err(|failure| Failure { retry_after: self.retry_after, ..failure })
    }

    /// What a yes is remembered by.
    pub(crate) fn receipt(&self) -> Receipt {
        let text = self.body[..self.body.floor_char_boundary(RECEIPT_BYTES_MAX)].trim();
        Receipt { answer: format!("{}{}{text}", self.status, if text.is_empty() { "" } else { ": " }) }
    }

    /// The body as JSON; what is none is null.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// That the server said no for good, in words that may come from its answer.
    pub(crate) fn refused(&self, service: &str, why: &str) -> Failure {
        Failure::permanent(format!("{service} refused the message: {why}"))
    }
}

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Client {
    client: reqwest::Client,
    headers: HeaderMap,
    authorization: Authorization,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        Ok(Self { client: client(&options)?, headers: headers(&options.headers)?, authorization: options.authorization, timeout: options.timeout })
    }

    /// Sends a request to what people call the server; `Ok` is an answer of any status.
    pub(crate) async fn send(&self, server: &str, request: Request) -> Result<Answer, Failure> {
        // Files of secrets may be about to be replaced: a failure to read one passes.
        let url = parse_url(request.url.reveal()).map_err(Failure::transient)?;
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| Failure::permanent(error.to_string()))?;
        let mut builder = self.client.request(method, url).header(CONTENT_TYPE, request.content_type).headers(self.headers.clone()).body(request.body);
        if let Some(authorization) = self.authorization.header().map_err(Failure::transient)? {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        for (name, value) in request.headers {
            builder =
                builder.header(name, sensitive(value.reveal()).ok_or_else(|| Failure::permanent(format!("the value of {name} is not allowed in a header")))?);
        }
        match tokio::time::timeout(self.timeout, exchange(server, builder)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::transient(format!("cannot post to {server}: no answer within {} s", self.timeout.as_secs()))),
        }
    }
}

async fn exchange(server: &str, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    let mut response = request.send().await.map_err(|error| Failure::transient(format!("cannot post to {server}: {}", chain(&error.without_url()))))?;
    let mut body = Vec::new();
    // The status is the answer; the body only explains it, so a body that breaks off is no failure.
    while body.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
    }
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| value.trim().parse().ok());
    Ok(Answer { status: response.status().as_u16(), body: String::from_utf8_lossy(&body).into_owned(), retry_after: seconds.map(Duration::from_secs) })
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

pub(crate) fn parse_url(text: &str) -> Result<reqwest::Url, String> {
    // The URL is not part of the message: it may hold a secret.
    let url = reqwest::Url::parse(text).map_err(|error| format!("url: {error}"))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(format!("url: found scheme {:?}: want http or https", url.scheme())) }
}

fn client(options: &Options) -> Result<reqwest::Client, String> {
    // Whoever installs one first wins; both are the same.
    if rustls::crypto::CryptoProvider::get_default().is_none() && rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("the cryptography was installed by another part of the process");
    }
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(options.timeout)
        .pool_max_idle_per_host(1)
        .tls_danger_accept_invalid_certs(options.tls.insecure_skip_verify);
    if let Some(pem) = options.tls.ca()? {
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| format!("tls.ca_file: {error}"))?;
        if certificates.is_empty() {
            return Err("tls.ca_file: found no certificate: want PEM".into());
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(url) = &options.proxy_url {
        let proxy = reqwest::Proxy::all(url.reveal()).map_err(|_| "proxy_url: want the URL of a proxy".to_owned())?;
        builder = builder.proxy(proxy.no_proxy(options.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string)));
    }
    builder.build().map_err(|error| format!("tls: {}", chain(&error)))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn headers(configured: &[(String, Secret)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Signalbox/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in configured {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: found {name:?}: want the name of a header"))?;
        if header == AUTHORIZATION {
            return Err("headers: found Authorization: want basic_auth or bearer_token".into());
        }
        let value = sensitive(value.reveal()).ok_or_else(|| format!("headers: the value of {name:?} is not allowed in a header"))?;
        if header == USER_AGENT {
            headers.insert(header, value);
        } else {
            // A header may have many values.
            headers.append(header, value);
        }
    }
    Ok(headers)
}

impl Authorization {
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Token { scheme, token } => format!("{scheme} {}", token.read()?.reveal()),
            Self::Basic { username, password } => {
                let password = password.as_ref().map(SecretSource::read).transpose()?;
                let pair = format!("{}:{}", username.read()?.reveal(), password.as_ref().map_or("", Secret::reveal));
                format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair))
            }
        };
        sensitive(&text).map(Some).ok_or_else(|| "the token is not allowed in a header".to_owned())
    }
}
