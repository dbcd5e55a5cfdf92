//! OAuth 2.0: a token is asked for once and used until it expires. Who asks is said by a secret (client credentials, RFC 6749,
//! section 4.4) or by a signature (RFC 7523).

use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use super::address::Policy;
use super::{Authorization, Client, Options, Proxy, Request, basic, jwt, parse_url, sensitive};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::tls::TlsSettings;

/// A token is not used in the last moments of its life: it would die on the way.
const EARLY_NS: i64 = 10_000_000_000;
/// Longest life that a server can give a token.
const LIFE_SECONDS_MAX: i64 = 365 * 86_400;

/// Where tokens come from.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) client_id: String,
    pub(crate) grant: Grant,
    pub(crate) token_url: Secret,
    pub(crate) scopes: Vec<String>,
    /// Further parameters of the request for a token.
    pub(crate) endpoint_params: Vec<(String, Secret)>,
    pub(crate) tls: TlsSettings,
    pub(crate) proxy: Proxy,
}

/// By what a client shows who it is.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// It knows a secret.
    ClientCredentials(SecretSource),
    /// It has a key.
    JwtBearer(Box<jwt::Settings>),
}

/// Gets tokens and keeps the one in use.
#[derive(Debug)]
pub(super) struct OAuth2 {
    settings: Settings,
    client: Box<Client>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Token>,
    /// How the server wants to know who asks, once it has said yes.
    style: Option<Style>,
}

#[derive(Debug)]
struct Token {
    header: HeaderValue,
    /// Nanoseconds since the Unix epoch; none if it lives until it is refused.
    expires_at_ns: Option<i64>,
}

/// How a client says who it is (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Body,
    /// It signs what it says.
    Assertion,
}

impl OAuth2 {
    pub(super) fn new(settings: &Settings, policy: &Policy, timeout: Duration) -> Result<Self, String> {
        parse_url(settings.token_url.reveal()).map_err(|error| format!("oauth2: token_{error}"))?;
        let (tls, proxy) = (settings.tls.clone(), settings.proxy.clone());
        let options = Options { timeout, headers: Vec::new(), authorization: Authorization::None, tls, proxy, policy: policy.clone() };
        let client = Client::new(options).map_err(|error| format!("oauth2: {error}"))?;
        Ok(Self { settings: settings.clone(), client: Box::new(client), held: Mutex::new(Held::default()) })
    }

    /// The header with the token in use, or with a new one.
    pub(super) async fn token(&self, now_ns: i64) -> Result<HeaderValue, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = &held.token
            && token.expires_at_ns.is_none_or(|at_ns| now_ns < at_ns.saturating_sub(EARLY_NS))
        {
            return Ok(token.header.clone());
        }
        let known = if matches!(self.settings.grant, Grant::JwtBearer(_)) { Some(Style::Assertion) } else { held.style };
        let (token, style) = match known {
            Some(style) => (self.ask(style, now_ns).await?, style),
            // Some servers know only one way; which, they do not say.
            None => match self.ask(Style::Header, now_ns).await {
                Ok(token) => (token, Style::Header),
                Err(_) => (self.ask(Style::Body, now_ns).await?, Style::Body),
            },
        };
        let header = token.header.clone();
        *held = Held { token: Some(token), style: Some(style) };
        Ok(header)
    }

    /// The token in use is worth nothing any more.
    pub(super) async fn forget(&self) {
        self.held.lock().await.token = None;
    }

    async fn ask(&self, style: Style, now_ns: i64) -> Result<Token, Failure> {
        let request = self.request(style, now_ns).map_err(Failure::transient)?;
        // The boxed client has no OAuth 2.0 of its own, so that this ends.
        let answer = Box::pin(self.client.send("the token server", request, now_ns)).await?;
        let json = answer.json();
        // What the server says about an error is meant to be read; anything else may hold a token.
        let shown = ["error", "error_description"].iter().filter_map(|name| json[*name].as_str()).collect::<Vec<_>>().join(": ");
        let refused = |why: &str| Failure { retry_after: answer.retry_after, ..Failure::transient(format!("cannot get a token: {why}")) };
        if !(200..300).contains(&answer.status) || !shown.is_empty() {
            // An operator can mend what a token server refuses, without the message changing.
            return Err(refused(&format!("found status {} {shown}", answer.status)));
        }
        let token = json["access_token"].as_str().filter(|token| !token.is_empty()).ok_or_else(|| refused("found no access_token in the answer"))?;
        let scheme = json["token_type"].as_str().filter(|kind| !kind.eq_ignore_ascii_case("bearer") && !kind.is_empty()).unwrap_or("Bearer");
        let header = sensitive(&format!("{scheme} {token}")).ok_or_else(|| refused("the token is not allowed in a header"))?;
        let life = &json["expires_in"];
        let seconds = life.as_i64().or_else(|| life.as_str().and_then(|text| text.parse().ok())).filter(|seconds| *seconds > 0);
        let expires_at_ns = seconds.map(|seconds| now_ns.saturating_add(seconds.min(LIFE_SECONDS_MAX).saturating_mul(1_000_000_000)));
        Ok(Token { header, expires_at_ns })
    }
}

impl OAuth2 {
    /// The request for a token.
    fn request(&self, style: Style, now_ns: i64) -> Result<Request, String> {
        let settings = &self.settings;
        let scopes = settings.scopes.join(" ");
        let (mut form, mut authorization) = (Vec::new(), None);
        match &settings.grant {
            Grant::ClientCredentials(secret) => {
                let secret = secret.read()?;
                form.push(("grant_type", "client_credentials".to_owned()));
                if style == Style::Body {
                    form.extend([("client_id", settings.client_id.clone()), ("client_secret", secret.reveal().to_owned())]);
                } else {
                    // Both are encoded before they are joined: a colon may be part of either.
                    authorization = Some(basic(&escaped(&settings.client_id), &escaped(secret.reveal())));
                }
            }
            Grant::JwtBearer(signer) => {
                let assertion = signer.assertion(&settings.client_id, settings.token_url.reveal(), &scopes, now_ns)?;
                form.extend([("grant_type", jwt::GRANT_TYPE.to_owned()), ("assertion", assertion)]);
            }
        }
        if !scopes.is_empty() {
            form.push(("scope", scopes));
        }
        for (name, value) in &settings.endpoint_params {
            // Who asks cannot be said otherwise.
            form.retain(|(own, _)| own != name || matches!(*own, "client_id" | "client_secret" | "assertion"));
            form.push((name.as_str(), value.reveal().to_owned()));
        }
        let content_type = "application/x-www-form-urlencoded".to_owned();
        let request = Request { method: "POST", url: settings.token_url.clone(), headers: Vec::new(), content_type, body: encoded(&form) };
        Ok(match authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        })
    }
}

fn encoded(form: &[(&str, String)]) -> String {
    form.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}

/// As forms write it: all but letters, digits and `-._` in percent, blanks as plus.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
