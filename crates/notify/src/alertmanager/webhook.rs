//! `webhook_configs`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_norway::Value;

use super::http::HttpConfig;
use crate::settings::Secret;
use crate::webhook::{Settings, Webhook};

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
    pub(super) fn channel(self, global: Option<&HttpConfig>, folder: &Path) -> Result<Webhook, String> {
        if self.payload.is_some() {
            return Err("payload is not supported".to_owned());
        }
        match (&self.url, &self.url_file) {
            (None, None) => return Err("one of url or url_file must be configured".to_owned()),
            (Some(_), Some(_)) => return Err("at most one of url & url_file must be configured".to_owned()),
            (Some(url), None) if url.reveal().contains("{{") => return Err("url: templates are not supported".to_owned()),
            _ => {}
        }
        let mut settings = Settings {
            url: self.url,
            url_file: self.url_file.map(|file| folder.join(file)),
            send_resolved: self.send_resolved.unwrap_or(true),
            max_alerts: self.max_alerts.unwrap_or(0),
            ..Settings::default()
        };
        if let Some(timeout) = self.timeout.as_deref().filter(|timeout| *timeout != "0s") {
            settings.timeout_seconds = seconds(timeout)?;
        }
        if let Some(http) = self.http_config.or_else(|| global.cloned()) {
            http.apply(&mut settings, folder)?;
        }
        Webhook::new(&settings)
    }
}

/// A duration as Prometheus writes it, in whole seconds, at least one.
fn seconds(text: &str) -> Result<u64, String> {
    let ms = signalbox_lang::promql::parse_duration(text).map_err(|error| format!("timeout: {}", error.message()))?;
    Ok(u64::try_from(ms).unwrap_or(0).div_ceil(1000).max(1))
}
