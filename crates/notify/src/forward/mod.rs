//! The way to another Alertmanager: its API, version 2 (`POST /api/v2/alerts`), as Prometheus uses it.
//!
//! What is sent and when is not decided here; a request is tried once.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::{self, Authorization, Client, Options, Request};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::tls::TlsSettings;
use crate::webhook::BasicAuth;
use crate::{Pairs, Policy};

/// Where alerts are posted below the address of an Alertmanager.
const PATH: &str = "/api/v2/alerts";

/// Another Alertmanager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Its address, `http` or `https`, with the prefix of its paths if it has one: `http://alertmanager:9093`.
    pub url: String,
    /// Seconds that a request may take.
    pub timeout_seconds: u64,
    /// Name and password (HTTP Basic).
    pub basic_auth: Option<BasicAuth>,
    /// A token (`Authorization: Bearer`).
    pub bearer_token: Option<Secret>,
    /// A file with the token, read at each request.
    pub bearer_token_file: Option<PathBuf>,
    /// How its certificate is checked.
    pub tls: TlsSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: String::new(), timeout_seconds: 10, basic_auth: None, bearer_token: None, bearer_token_file: None, tls: TlsSettings::default() }
    }
}

/// An alert as it is posted. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// Labels.
    pub labels: Pairs,
    /// Annotations.
    pub annotations: Pairs,
    /// When it began.
    pub starts_at: String,
    /// When it is over, if nobody says more until then.
    pub ends_at: String,
    /// Where to look at its expression.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
}

/// The way to one Alertmanager.
#[derive(Debug)]
pub struct Forwarder {
    url: String,
    client: Client,
}

impl Forwarder {
    /// From its settings.
    ///
    /// # Errors
    /// Which key cannot be used, and why.
    pub fn new(settings: &Settings, policy: &Policy) -> Result<Self, String> {
        let base = settings.url.trim_end_matches('/');
        let url = format!("{base}{PATH}");
        http::parse_url(&url)?;
        if settings.timeout_seconds == 0 {
            return Err("timeout_seconds: found 0: want at least 1".into());
        }
        let token = SecretSource::from_keys("bearer_token", settings.bearer_token.as_ref(), settings.bearer_token_file.as_ref())?;
        let authorization = match (&settings.basic_auth, token) {
            (Some(_), Some(_)) => return Err("found both basic_auth and bearer_token: want at most one".into()),
            (Some(basic), None) => Authorization::Basic {
                username: SecretSource::Text(Secret::new(&basic.username)),
                password: SecretSource::from_keys("basic_auth.password", basic.password.as_ref(), basic.password_file.as_ref())?,
            },
            (None, Some(token)) => Authorization::Token { scheme: "Bearer".to_owned(), token },
            (None, None) => Authorization::None,
        };
        let timeout = Duration::from_secs(settings.timeout_seconds);
        let options = Options { timeout, authorization, tls: settings.tls.clone(), policy: policy.clone(), ..Options::default() };
        Ok(Self { url, client: Client::new(options)? })
    }

    /// Where alerts are posted.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Posts alerts, once.
    ///
    /// # Errors
    /// Why not, and whether to try again.
    pub async fn post(&self, alerts: &[Posted], now_ns: i64) -> Result<(), Failure> {
        let body = serde_json::to_value(alerts).map_err(|error| Failure::permanent(format!("cannot write alerts as JSON: {error}")))?;
        let answer = self.client.send("the Alertmanager", Request::json(Secret::new(&self.url), &body), now_ns).await?;
        answer.check()
    }
}
