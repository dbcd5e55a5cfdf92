//! The client through which all channels but mails reach a server, and what comes of a request.
//!
//! A redirect is never followed: it could carry the credentials elsewhere. Errors never show a URL, a header or a body that we
//! sent: any of them may hold a secret. Files of secrets, certificates and keys are read at each use, so that they may be
//! rotated.

pub(crate) mod address;
mod connect;
pub(crate) mod jwt;
pub(crate) mod oauth2;

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};

use crate::Receipt;
use crate::retry::{self, Failure};
use crate::settings::{Secret, SecretSource};
use crate::tls::TlsSettings;
use address::Policy;
use connect::Connector;
use oauth2::OAuth2;

/// Bytes of an answer's body that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Bytes of it that an error shows.
const SHOWN_BYTES_MAX: usize = 1_024;
/// Bytes of it that are kept of a yes.
const RECEIPT_BYTES_MAX: usize = 200;
/// What stands for `Retry-After` in answers of Feishu's gateway: seconds.
const RATE_LIMIT_RESET: &str = "x-ogw-ratelimit-reset";
/// Longest wait that a date in `Retry-After` is read as.
const RETRY_AFTER_SECONDS_MAX: i64 = 86_400;

/// How a server is reached.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) timeout: Duration,
    pub(crate) headers: Vec<(String, SecretSource)>,
    pub(crate) authorization: Authorization,
    pub(crate) tls: TlsSettings,
    pub(crate) proxy: Proxy,
    /// Which addresses may be reached.
    pub(crate) policy: Policy,
}

/// What stands between us and the server.
#[derive(Debug, Clone, Default)]
pub(crate) enum Proxy {
    /// Nothing.
    #[default]
    None,
    /// What the environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
    Environment { connect_headers: Vec<(String, SecretSource)> },
    /// An HTTP proxy; its URL may hold a password. Hosts of the list, separated by commas, are reached without it.
    Url { url: Secret, no_proxy: Option<String>, connect_headers: Vec<(String, SecretSource)> },
}

/// What the header of this name says.
#[derive(Debug, Clone)]
pub(crate) enum Authorization {
    None,
    Basic { username: SecretSource, password: Option<SecretSource> },
    Token { scheme: String, token: SecretSource },
    OAuth2(Box<oauth2::Settings>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            authorization: Authorization::None,
            tls: TlsSettings::default(),
            proxy: Proxy::None,
            policy: Policy::default(),
        }
    }
}

/// A request on its way to a server.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: Secret,
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Request {
    /// A POST of JSON.
    pub(crate) fn json(url: Secret, body: &serde_json::Value) -> Self {
        Self { method: "POST", url, headers: Vec::new(), content_type: "application/json".to_owned(), body: body.to_string() }
    }

    /// The same with another method.
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The same with a header more.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), Secret::new(value)));
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
        Receipt { answer: format!("{}{}{text}", self.status, if text.is_empty() { "" } else { ": " }), handle: None }
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
pub(crate) struct Client {
    connector: Connector,
    headers: Vec<(HeaderName, SecretSource)>,
    authorization: Authorization,
    oauth2: Option<OAuth2>,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("connector", &self.connector).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        let headers = options.headers.into_iter().map(|(name, value)| header_name(&name, value)).collect::<Result<Vec<_>, _>>()?;
        let oauth2 = match &options.authorization {
            Authorization::OAuth2(settings) => Some(OAuth2::new(settings, &options.policy, options.timeout)?),
            _ => None,
        };
        let connector = Connector::new(options.tls, options.proxy, options.policy, options.timeout)?;
        Ok(Self { connector, headers, authorization: options.authorization, oauth2, timeout: options.timeout })
    }

    /// Sends a request to what people call the server, at an instant; `Ok` is an answer of any status.
    pub(crate) async fn send(&self, server: &str, request: Request, now_ns: i64) -> Result<Answer, Failure> {
        let attempt = async {
            let Some(oauth2) = &self.oauth2 else {
                return self.exchange(server, request, self.authorization.header().map_err(Failure::transient)?, now_ns).await;
            };
            let token = oauth2.token(now_ns).await?;
            let answer = self.exchange(server, request.clone(), Some(token), now_ns).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            // It may have been withdrawn before its time: a new one tells.
            oauth2.forget().await;
            let token = oauth2.token(now_ns).await?;
            self.exchange(server, request, Some(token), now_ns).await
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Failure::transient(format!("cannot post to {server}: no answer within {} s", self.timeout.as_secs()))),
        }
    }

    async fn exchange(&self, server: &str, request: Request, authorization: Option<HeaderValue>, now_ns: i64) -> Result<Answer, Failure> {
        // Files of secrets may be about to be replaced: a failure to read one passes.
        let url = parse_url(request.url.reveal()).map_err(Failure::transient)?;
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| Failure::permanent(error.to_string()))?;
        let refused = |why: String| Failure::transient(format!("cannot post to {server}: {why}"));
        let mut headers = self.configured_headers().map_err(Failure::transient)?;
        let content_type = HeaderValue::from_str(&request.content_type).map_err(|_| Failure::permanent("content_type: it is not allowed in a header"))?;
        headers.entry(CONTENT_TYPE).or_insert(content_type);
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        for (name, value) in &request.headers {
            let wrong = || Failure::permanent(format!("the value of {name} is not allowed in a header"));
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, sensitive(value.reveal()).ok_or_else(wrong)?);
        }
        let builder = self.connector.request(method, url).map_err(refused)?.headers(headers).body(request.body);
        let mut response = builder.send().await.map_err(|error| Failure::transient(format!("cannot post to {server}: {}", chain(&error.without_url()))))?;
        let mut body = Vec::new();
        // The status is the answer; the body only explains it, so a body that breaks off is no failure.
        while body.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).and_then(|value| retry_after(value, now_ns));
        let retry_after = header(RETRY_AFTER.as_str()).or_else(|| header(RATE_LIMIT_RESET));
        Ok(Answer { status: response.status().as_u16(), body: String::from_utf8_lossy(&body).into_owned(), retry_after })
    }

    fn configured_headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, source) in &self.headers {
            let value = sensitive(source.read()?.reveal()).ok_or_else(|| format!("headers: the value of {name:?} is not allowed in a header"))?;
            // A header may have many values, but a program has one name and a body one type.
            if *name == USER_AGENT || *name == CONTENT_TYPE {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("Signalbox/", env!("CARGO_PKG_VERSION"))));
        Ok(headers)
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3); some say parts of a second.
fn retry_after(value: &str, now_ns: i64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return after_seconds(seconds);
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let seconds = at.as_second().saturating_sub(now_ns.div_euclid(1_000_000_000)).clamp(0, RETRY_AFTER_SECONDS_MAX);
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// A wait of so many seconds, as servers write it.
pub(crate) fn after_seconds(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(RETRY_AFTER_SECONDS_MAX as f64)))
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

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether headers with these names may be configured.
pub(crate) fn check_headers<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    names.into_iter().try_for_each(|name| header_name(name, SecretSource::Text(Secret::new(""))).map(|_| ()))
}

fn header_name(name: &str, source: SecretSource) -> Result<(HeaderName, SecretSource), String> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: found {name:?}: want the name of a header"))?;
    if header == AUTHORIZATION {
        return Err("headers: found Authorization: want basic_auth or bearer_token".into());
    }
    if let SecretSource::Text(text) = &source
        && sensitive(text.reveal()).is_none()
    {
        return Err(format!("headers: the value of {name:?} is not allowed in a header"));
    }
    Ok((header, source))
}

impl Authorization {
    /// What the header says; nothing if it is not known before another server was asked.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Self::None | Self::OAuth2(_) => return Ok(None),
            Self::Token { scheme, token } => format!("{scheme} {}", token.read()?.reveal()),
            Self::Basic { username, password } => {
                let password = password.as_ref().map(SecretSource::read).transpose()?;
                basic(username.read()?.reveal(), password.as_ref().map_or("", Secret::reveal))
            }
        };
        sensitive(&text).map(Some).ok_or_else(|| "the token is not allowed in a header".to_owned())
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{username}:{password}")))
}
