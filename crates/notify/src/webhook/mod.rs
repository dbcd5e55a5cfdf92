//! Webhooks: a request to a URL, by default with Alertmanager's JSON, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>); method, headers and body may be others.
//!
//! A retry has the same `Idempotency-Key`. Redirects are not followed: the URL is what was configured. A URL may be a template;
//! if that says which host is asked, it is no host that the configuration named, so that no alert can point inside.

mod form;
pub(crate) mod payload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::{self, Authorization, Client, Options, Request};
use crate::retry::Failure;
use crate::settings::{Secret, SecretSource};
use crate::template::{Renderer, Templates};
use crate::tls::TlsSettings;
use crate::{Delivery, Policy, Receipt};
pub(crate) use form::Form;
pub use form::Preset;

/// Methods that a request may have: those with a body.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

/// Settings of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to post, `http` or `https`; a template. It may hold a secret, so it is not shown.
    pub url: Option<Secret>,
    /// A file with the URL, read at each message, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// Tell about resolved alerts too.
    pub send_resolved: bool,
    /// Alerts a message has at most; of a larger group the first ones are sent with the number of those left out. 0 means all.
    pub max_alerts: u64,
    /// Seconds that a request may take. A receiver that is slower gets the message again.
    pub timeout_seconds: u64,
    /// How: `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// The form of the body: `alertmanager`, `slack`, `cloudevents` or `plain`.
    pub preset: Preset,
    /// JSON instead of a preset: its texts are templates, and one that expands to JSON becomes that.
    pub payload: Option<serde_json::Value>,
    /// A text instead of a preset; a template. JSON is made more safely by `payload`.
    pub body: Option<String>,
    /// The type of that text.
    pub content_type: String,
    /// Further headers of the request; templates.
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
            method: METHODS[0].to_owned(),
            preset: Preset::default(),
            payload: None,
            body: None,
            content_type: "text/plain; charset=utf-8".to_owned(),
            headers: BTreeMap::new(),
            basic_auth: None,
            bearer_token: None,
            bearer_token_file: None,
            tls: TlsSettings::default(),
        }
    }
}

impl Settings {
    /// The same with files beside the file that names them.
    pub(crate) fn beside(mut self, folder: &Path) -> Self {
        let beside = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        self.url_file = beside(self.url_file);
        self.bearer_token_file = beside(self.bearer_token_file);
        if let Some(basic) = &mut self.basic_auth {
            basic.password_file = beside(basic.password_file.take());
        }
        self.tls = self.tls.beside(folder);
        self
    }
}

/// A webhook, ready to be posted to.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    /// For hosts that a template says.
    strict: Option<Client>,
    call: Call,
    templates: Templates,
    sends_resolved: bool,
}

/// What a request is made of.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) url: SecretSource,
    /// Headers whose values are templates.
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) form: Form,
    /// Alerts that are told at most; 0 means all.
    pub(crate) max_alerts: u64,
}

impl Webhook {
    /// From its settings.
    ///
    /// # Errors
    /// Which key cannot be used, and why.
    pub fn new(settings: &Settings, templates: Templates, policy: &Policy) -> Result<Self, String> {
        let url = SecretSource::from_keys("url", settings.url.as_ref(), settings.url_file.as_ref())?.ok_or("found neither url nor url_file")?;
        if settings.timeout_seconds == 0 {
            return Err("timeout_seconds: found 0: want at least 1".into());
        }
        let method = METHODS.into_iter().find(|method| *method == settings.method);
        let method = method.ok_or_else(|| format!("method: found {:?}: want one of {METHODS:?}", settings.method))?;
        let is_preset = settings.preset != Preset::default();
        let form = match (&settings.payload, &settings.body) {
            (None, None) => Form::Preset(settings.preset),
            (Some(payload), None) if !is_preset => Form::Payload(payload.clone()),
            (None, Some(body)) if !is_preset => {
                Templates::check(body).map_err(|error| format!("body: {error}"))?;
                Form::Text { template: body.clone(), content_type: settings.content_type.clone() }
            }
            _ => return Err("found more than one of preset, payload and body: want one".into()),
        };
        let (rendered, fixed): (Vec<_>, Vec<_>) =
            settings.headers.iter().map(|(name, value)| (name.clone(), value.clone())).partition(|(_, value)| value.reveal().contains("{{"));
        for (name, value) in &rendered {
            // The template may hold a secret.
            Templates::check(value.reveal()).map_err(|_| format!("headers: the template of {name} cannot be parsed"))?;
        }
        let authorization = authorization(settings)?;
        authorization.header()?;
        let options = Options {
            timeout: Duration::from_secs(settings.timeout_seconds),
            headers: fixed.into_iter().map(|(name, value)| (name, SecretSource::Text(value))).collect(),
            authorization,
            tls: settings.tls.clone(),
            policy: policy.clone(),
            ..Options::default()
        };
        // A second look at the names: the client has only those that are no templates.
        http::check_headers(rendered.iter().map(|(name, _)| name.as_str()))?;
        let call = Call { method, url, headers: rendered, form, max_alerts: settings.max_alerts };
        Self::reached(call, templates, settings.send_resolved, options)
    }

    /// From what is left of its settings, besides how the server is reached.
    pub(crate) fn reached(call: Call, templates: Templates, sends_resolved: bool, options: Options) -> Result<Self, String> {
        let is_host_rendered = match &call.url {
            SecretSource::Text(url) if url.reveal().contains("{{") => {
                Templates::check(url.reveal()).map_err(|_| "url: the template cannot be parsed")?;
                is_host_rendered(url.reveal())
            }
            SecretSource::Text(url) => {
                http::parse_url(url.reveal())?;
                false
            }
            // What it will say is not known yet.
            SecretSource::File(_) => true,
        };
        let strict = is_host_rendered.then(|| Client::new(Options { policy: options.policy.strict(), ..options.clone() })).transpose()?;
        Ok(Self { client: Client::new(options)?, strict, call, templates, sends_resolved })
    }

    pub(crate) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(crate) async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        let (request, is_host_rendered) = self.request(delivery)?;
        let client = if is_host_rendered { self.strict.as_ref().unwrap_or(&self.client) } else { &self.client };
        let answer = client.send("the webhook", request, delivery.now_ns).await?;
        answer.check()?;
        Ok(answer.receipt())
    }

    /// The request, and whether a template said to which host.
    fn request(&self, delivery: Delivery<'_>) -> Result<(Request, bool), Failure> {
        let call = &self.call;
        let shown = payload::shortened(delivery.message, call.max_alerts);
        let key = format!("signalbox.{}", delivery.key());
        let renderer = Renderer::new(&self.templates, &shown, delivery.now_ns).keyed(delivery.key());
        // Files of secrets may be about to be replaced: a failure to read one passes.
        let mut url = call.url.read().map_err(Failure::transient)?;
        let is_host_rendered = is_host_rendered(url.reveal());
        if url.reveal().contains("{{") {
            url = Secret::new(renderer.text(url.reveal()).map_err(|_| Failure::permanent("url: the template fails"))?.trim());
        }
        let (body, content_type) = call.form.render(&shown, &renderer, form::Identity { key: &key, enqueued_at_ns: delivery.enqueued_at_ns })?;
        let mut request = Request { method: call.method, url, headers: Vec::new(), content_type, body }.header("Idempotency-Key", key.clone());
        for (name, template) in &call.headers {
            let value = renderer.text(template.reveal()).map_err(|_| Failure::permanent(format!("headers: the template of {name} fails")))?;
            request = request.header(name, value);
        }
        Ok((request, is_host_rendered))
    }
}

/// Whether a template says who is asked: if any stands before the path.
fn is_host_rendered(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(scheme, rest)| if scheme.contains("{{") { url } else { rest });
    // An action may hold any of the characters that end a host.
    let host_ends_at = after_scheme.find(['/', '?', '#', '\\']).unwrap_or(after_scheme.len());
    after_scheme.find("{{").is_some_and(|action_at| action_at < host_ends_at)
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

#[cfg(test)]
mod tests {
    use super::is_host_rendered;

    #[test]
    fn a_template_before_the_path_says_the_host() {
        for (url, expected) in [
            ("https://h/{{ .Receiver }}", false),
            ("https://h?x={{ .Receiver }}", false),
            ("https://h#{{ .Receiver }}", false),
            ("https://h", false),
            ("https://{{ .Receiver }}/x", true),
            ("https://h{{ .Receiver }}/x", true),
            ("https://h:{{ .Receiver }}/x", true),
            ("{{ .Receiver }}://h/x", true),
            ("{{ .Receiver }}", true),
            ("https://h{{ \"/\" }}", true),
            ("{{ \"https://h/\" }}", true),
        ] {
            assert_eq!(is_host_rendered(url), expected, "{url}");
        }
    }
}
