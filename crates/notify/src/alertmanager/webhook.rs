//! `webhook_configs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_norway::Value;

use super::http::HttpConfig;
use super::seconds;
use super::services::check_templates;
use crate::http::address::Policy;
use crate::settings::{Secret, SecretSource};
use crate::template::Templates;
use crate::webhook::{Call, Form, Preset, Webhook};

/// One entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WebhookConfig {
    url: Option<Secret>,
    url_file: Option<PathBuf>,
    send_resolved: Option<bool>,
    max_alerts: Option<u64>,
    timeout: Option<String>,
    http_config: Option<HttpConfig>,
    payload: Option<Value>,
}

impl WebhookConfig {
    pub(super) fn channel(self, global: Option<&HttpConfig>, folder: &Path, templates: &Templates, policy: &Policy) -> Result<Webhook, String> {
        let url = match (self.url.filter(|url| !url.reveal().is_empty()), self.url_file.filter(|file| !file.as_os_str().is_empty())) {
            (None, None) => return Err("one of url or url_file must be configured".to_owned()),
            (Some(_), Some(_)) => return Err("at most one of url & url_file must be configured".to_owned()),
            (Some(url), None) => SecretSource::Text(url),
            (None, Some(file)) => SecretSource::File(folder.join(file)),
        };
        let mut options = self.http_config.or_else(|| global.cloned()).unwrap_or_default().options(folder, policy)?;
        if let Some(timeout) = self.timeout.as_deref().filter(|timeout| *timeout != "0s") {
            options.timeout = Duration::from_secs(seconds(timeout)?);
        }
        let form = match self.payload {
            None => Form::Preset(Preset::default()),
            Some(payload) => {
                check_templates(&payload)?;
                Form::Payload(serde_json::to_value(payload).map_err(|error| format!("payload: {error}"))?)
            }
        };
        let call = Call { method: "POST", url, headers: Vec::new(), form, max_alerts: self.max_alerts.unwrap_or(0) };
        Webhook::reached(call, templates.clone(), self.send_resolved.unwrap_or(true), options)
    }
}
