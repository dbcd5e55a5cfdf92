//! `webhook_configs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_norway::Value;

use super::http::HttpConfig;
use super::seconds;
use crate::http::address::Policy;
use crate::settings::{Secret, SecretSource};
use crate::template::Templates;
use crate::webhook::Webhook;

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
        if self.payload.is_some() {
            return Err("payload is not supported".to_owned());
        }
        match (&self.url, &self.url_file) {
            (None, None) => return Err("one of url or url_file must be configured".to_owned()),
            (Some(_), Some(_)) => return Err("at most one of url & url_file must be configured".to_owned()),
            (Some(url), None) if url.reveal().contains("{{") => return Err("url: templates are not supported".to_owned()),
            _ => {}
        }
        let url = match (self.url, self.url_file) {
            (Some(url), _) => {
                crate::http::parse_url(url.reveal())?;
                SecretSource::Text(url)
            }
            (None, file) => SecretSource::File(folder.join(file.unwrap_or_default())),
        };
        let mut options = self.http_config.or_else(|| global.cloned()).unwrap_or_default().options(folder, policy)?;
        if let Some(timeout) = self.timeout.as_deref().filter(|timeout| *timeout != "0s") {
            options.timeout = Duration::from_secs(seconds(timeout)?);
        }
        Webhook::reached(url, templates.clone(), self.max_alerts.unwrap_or(0), self.send_resolved.unwrap_or(true), options)
    }
}
