//! Tokens of OAuth 2 by client credentials (RFC 6749, section 4.4): fetched when needed, kept until shortly before they end.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use signalbox_model::{Clock, Error, Result};
use tokio::sync::Mutex;

use super::{Options, Transport, secret_or_file};
use crate::config::{OAuth2, Secret};

/// How long before its end a token is no longer used.
const EARLY: Duration = Duration::from_secs(10);
/// How long the server of tokens may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer of the server of tokens.
const ANSWER_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Tokens {
    config: OAuth2,
    url: Url,
    transport: Transport,
    clock: Arc<dyn Clock>,
    /// Locked while a token is fetched, so that it is fetched once.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The value of the header, and when it ends if it does.
    token: Option<(Secret, Option<Duration>)>,
    /// Where the server wants the secret, once that is known.
    style: Option<Style>,
}

/// Where the name and the secret of the client stand in a request (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Body,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    token_type: String,
    /// Seconds; a number, or as some servers write it a text.
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Tokens {
    pub(super) fn new(config: &OAuth2, clock: Arc<dyn Clock>) -> Result<Self> {
        let url = Url::parse(&config.token_url).map_err(|error| Error::invalid("cannot use oauth2.token_url").with_source(error))?;
        let transport = Transport::new(Options { follow_redirects: true, enable_http2: true }, &config.tls_config, &config.proxy)?;
        Ok(Self { config: config.clone(), url, transport, clock, state: Mutex::default() })
    }

    /// The value of the header `Authorization`.
    pub(super) async fn header(&self) -> Result<String> {
        let mut state = self.state.lock().await;
        let now = self.clock.monotonic();
        if let Some((token, end)) = &state.token
            && end.is_none_or(|end| now + EARLY < end)
        {
            return Ok(token.reveal().to_owned());
        }
        let secret = secret_or_file(&self.config.client_secret, &self.config.client_secret_file).await?;
        let (answer, style) = match state.style {
            Some(style) => (self.fetch(&secret, style).await?, style),
            // The header is the standard, the body what some servers want instead.
            None => match self.fetch(&secret, Style::Header).await {
                Ok(answer) => (answer, Style::Header),
                Err(_) => (self.fetch(&secret, Style::Body).await?, Style::Body),
            },
        };
        let kind = if answer.token_type.is_empty() || answer.token_type.eq_ignore_ascii_case("bearer") { "Bearer" } else { &answer.token_type };
        let header = format!("{kind} {}", answer.access_token);
        let seconds = answer.expires_in.as_u64().or_else(|| answer.expires_in.as_str()?.parse().ok()).filter(|seconds| *seconds > 0);
        let end = seconds.map(|seconds| now.saturating_add(Duration::from_secs(seconds)));
        *state = State { token: Some((Secret::new(header.clone()), end)), style: Some(style) };
        Ok(header)
    }

    async fn fetch(&self, secret: &Secret, style: Style) -> Result<Answer> {
        let OAuth2 { client_id, scopes, endpoint_params, .. } = &self.config;
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ")));
        }
        form.extend(endpoint_params.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let mut request = self.transport.client()?.post(self.url.clone()).header(ACCEPT, "application/json").timeout(TIMEOUT);
        match style {
            // Both are encoded as in a form before they are put together (RFC 6749, section 2.3.1).
            Style::Header => request = request.basic_auth(form_encoded(client_id), Some(form_encoded(secret.reveal()))),
            Style::Body => form.extend([("client_id", client_id.clone()), ("client_secret", secret.reveal().to_owned())]),
        }
        let cannot = |why: String| Error::unavailable(format!("cannot fetch a token from {}: {why}", self.url.host_str().unwrap_or_default()));
        let mut answer = request.form(&form).send().await.map_err(|error| cannot(error.without_url().to_string()))?;
        let (status, content_type) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| cannot(error.without_url().to_string()))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(cannot(format!("found more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        if !status.is_success() {
            return Err(cannot(format!("found status {status}")));
        }
        serde_json::from_slice(&body).map_err(|_| cannot(format!("found no token in an answer of type {content_type:?}")))
    }
}

fn form_encoded(text: &str) -> String {
    let mut url = Url::parse("http://x/").expect("a constant");
    url.query_pairs_mut().append_key_only(text);
    url.query().unwrap_or_default().to_owned()
}
