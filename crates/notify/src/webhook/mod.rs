//! Alertmanager's webhook: its JSON, version 4, posted to a URL (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! A retry has the same `Idempotency-Key`. Redirects are not followed: the URL is what was configured.

pub(crate) mod payload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::{self, Authorization, Client, Options, Request};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, Templates};
use crate::tls::TlsSettings;
use crate::{Delivery, Policy, Receipt};

/// The version of Alertmanager's form.
const VERSION: &str = "4";

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
    client: Client,
    url: SecretSource,
    templates: Templates,
    max_alerts: u64,
    sends_resolved: bool,
}

impl Webhook {
    /// From its settings.
    ///
    /// # Errors
    /// Which key cannot be used, and why.
    pub fn new(settings: &Settings, policy: &Policy) -> Result<Self, String> {
        let url = SecretSource::from_keys("url", settings.url.as_ref(), settings.url_file.as_ref())?.ok_or("found neither url nor url_file")?;
        http::parse_url(url.read()?.reveal())?;
        if settings.timeout_seconds == 0 {
            return Err("timeout_seconds: found 0: want at least 1".into());
        }
        let authorization = authorization(settings)?;
        authorization.header()?;
        let options = Options {
            timeout: Duration::from_secs(settings.timeout_seconds),
            headers: settings.headers.iter().map(|(name, value)| (name.clone(), SecretSource::Text(value.clone()))).collect(),
            authorization,
            tls: settings.tls.clone(),
            policy: policy.clone(),
            ..Options::default()
        };
        Self::reached(url, Templates::load(&[])?, settings.max_alerts, settings.send_resolved, options)
    }

    /// From what is left of its settings, besides how the server is reached.
    pub(crate) fn reached(url: SecretSource, templates: Templates, max_alerts: u64, sends_resolved: bool, options: Options) -> Result<Self, String> {
        Ok(Self { client: Client::new(options)?, url, templates, max_alerts, sends_resolved })
    }

    pub(crate) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(crate) async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        let body = {
            let shown = payload::shortened(delivery.message, self.max_alerts);
            let renderer = Renderer::new(&self.templates, &shown, delivery.now_ns);
            payload::render(&shown, renderer.route_labels(), VERSION)
        };
        let request = Request {
            method: "POST",
            // Files of secrets may be about to be replaced: a failure to read one passes.
            url: self.url.read().map_err(Failure::transient)?,
            headers: Vec::new(),
            content_type: "application/json",
            body,
        };
        let answer = self.client.send("the webhook", request.header("Idempotency-Key", format!("signalbox.{}", delivery.key())), delivery.now_ns).await?;
        answer.check()?;
        Ok(answer.receipt())
    }
}

fn authorization(settings: &Settings) -> Result<Authorization, String> {
    let token = SecretSource::from_keys("bearer_token", settings.bearer_token.as_ref(), settings.bearer_token_file.as_ref())?;
    Ok(match (&settings.basic_auth, token) {
        (Some(_), Some(_)) => return Err("found both basic_auth and bearer_token: want one".into()),
        (None, None) => Authorization::None,
        (None, Some(token)) => Authorization::Token { scheme: "Bearer".to_owned(), token },
        (Some(basic), None) => Authorization::Basic {
            username: SecretSource::Text(Secret::new(&basic.username)),
            password: SecretSource::from_keys("basic_auth.password", basic.password.as_ref(), basic.password_file.as_ref())?,
        },
    })
}
