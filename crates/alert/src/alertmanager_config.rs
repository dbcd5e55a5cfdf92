//! The Alertmanager configuration that is set over HTTP, as Mimir takes it: an `alertmanager.yml` with its templates, in one document.
//!
//! It is in force where the settings name no `alertmanager.yml`; a file goes before it, and nobody can set one then. It is
//! acknowledged when it is durable in `meta` and in force. Whoever can set it is not trusted as the one who writes files: it names no files of
//! the server and no proxy, and reaches internal addresses only where the settings say so (`notify.internal_networks`).

use std::collections::BTreeMap;
use std::path::Path;

use serde_norway::Value;
use signalbox_meta::{Meta, StoredAlertmanagerConfig};
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_notify::template::Templates;

use crate::Alerting;
use crate::alerting;
use crate::alertmanager_file::AlertmanagerFile;
use crate::limits::{CONFIG_TEMPLATE_BYTES_MAX, CONFIG_TEMPLATES_MAX, FILE_BYTES_MAX};
use crate::settings::Settings;

/// A configuration and its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// What an `alertmanager.yml` would say, secrets included.
    pub text: String,
    /// Texts of templates, by the names of their files.
    pub templates: BTreeMap<String, String>,
}

impl Alerting {
    /// The configuration that was set and is in force.
    ///
    /// # Errors
    /// `NotFound` if there is none, and of the database.
    pub async fn alertmanager_config(&self) -> Result<AlertmanagerConfig> {
        if self.settings().has_alertmanager_file() {
            return Err(Error::new(ErrorKind::NotFound, "no configuration was set over HTTP: the file of alert.alertmanager_config_file is in force"));
        }
        let set = self.meta().alertmanager_config().await?;
        let set = set.ok_or_else(|| Error::new(ErrorKind::NotFound, "no configuration was set over HTTP"))?;
        Ok(AlertmanagerConfig { text: set.text, templates: set.templates })
    }

    /// Sets the configuration, in place of the one that was. Durable and in force on return.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with it, `TooLarge`, `Denied` where a file is in force, and of the database. Then nothing changes.
    pub async fn set_alertmanager_config(&self, config: AlertmanagerConfig) -> Result<()> {
        if self.settings().has_alertmanager_file() {
            return Err(Error::new(ErrorKind::Denied, "the file of alert.alertmanager_config_file is in force: it is changed by changing the file"));
        }
        let set = StoredAlertmanagerConfig { text: config.text, templates: config.templates, updated_at_ms: self.now_ms() };
        let _one = self.setting_config().await;
        self.check_config(&set)?;
        self.meta().save_alertmanager_config(&set).await?;
        self.put_config(Some(&set)).await
    }

    /// Deletes the configuration that was set, if there is one: the settings are in force then. Durable on return.
    ///
    /// # Errors
    /// Of the database.
    pub async fn delete_alertmanager_config(&self) -> Result<()> {
        let _one = self.setting_config().await;
        self.meta().delete_alertmanager_config().await?;
        if self.settings().has_alertmanager_file() { Ok(()) } else { self.put_config(None).await }
    }
}

/// The configuration that was set, if it is to be in force. One that cannot be read any more is left out, and the log says so, as it
/// does if a file goes before it.
///
/// # Errors
/// Of the database.
pub(crate) async fn stored(settings: &Settings, notify: &signalbox_notify::Settings, meta: &Meta) -> Result<Option<StoredAlertmanagerConfig>> {
    let Some(set) = meta.alertmanager_config().await? else { return Ok(None) };
    if settings.has_alertmanager_file() {
        tracing::warn!("the Alertmanager configuration that was set over HTTP is not in force: alert.alertmanager_config_file goes before it");
        return Ok(None);
    }
    if let Err(error) = alerting::check(settings, notify, &set) {
        tracing::error!("the Alertmanager configuration that was set over HTTP is not in force, the settings are: {error}");
        return Ok(None);
    }
    Ok(Some(set))
}

/// Reads a configuration with its templates.
///
/// # Errors
/// `Invalid` with what is wrong, in Mimir's words where it has some; `TooLarge`.
pub(crate) fn read(text: &str, templates: &BTreeMap<String, String>) -> Result<(AlertmanagerFile, Templates)> {
    if text.trim().is_empty() {
        let message = "configuration provided is empty, if you'd like to remove your configuration please use the delete configuration endpoint";
        return Err(Error::invalid(message));
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, format!("configuration of {} bytes: want at most {FILE_BYTES_MAX}", text.len())));
    }
    if templates.len() > CONFIG_TEMPLATES_MAX {
        return Err(Error::invalid(format!("too many templates in the configuration: {} (limit: {CONFIG_TEMPLATES_MAX})", templates.len())));
    }
    for (name, text) in templates {
        check_name(name)?;
        if text.len() > CONFIG_TEMPLATE_BYTES_MAX {
            let message = format!("template {name} is too big: {} bytes (limit: {CONFIG_TEMPLATE_BYTES_MAX} bytes)", text.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
    }
    let file = AlertmanagerFile::parse(text, Path::new(""))?;
    let parts = std::iter::once(("global", &file.global)).chain(file.receivers.iter().map(|receiver| ("receivers", receiver)));
    for (part, value) in parts {
        if let Some((path, why)) = refused(value, "") {
            let name = value.get("name").and_then(Value::as_str).map_or_else(|| part.to_owned(), |name| format!("receiver {name:?}"));
            return Err(Error::invalid(format!("{name}: {path}: {why}")));
        }
    }
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for pattern in &file.templates {
        let pattern = pattern.to_string_lossy();
        check_name(&pattern)?;
        let matches = glob::Pattern::new(&pattern).map_err(|error| Error::invalid(format!("templates: {pattern}: {error}")))?;
        wanted.extend(templates.iter().filter(|(name, _)| matches.matches(name)).map(|(name, text)| (name.as_str(), text.as_str())));
    }
    let templates = Templates::of_texts(wanted.into_iter()).map_err(Error::invalid)?;
    Ok((file, templates))
}

/// Names of templates are no paths.
fn check_name(name: &str) -> Result<()> {
    let is_name = !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
    if is_name { Ok(()) } else { Err(Error::invalid(format!("invalid template name {name:?}: the template name cannot contain any path"))) }
}

/// The path of the first key that only whoever writes files may use, and why.
fn refused(value: &Value, path: &str) -> Option<(String, &'static str)> {
    match value {
        Value::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| refused(item, &format!("{path}[{index}]"))),
        Value::Mapping(mapping) => mapping.iter().find_map(|(key, value)| {
            let key = key.as_str()?;
            let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let is_given = value.as_str().is_none_or(|text| !text.is_empty()) && !value.is_null();
            match key {
                "proxy_url" if is_given => Some((below, "a configuration that is set over HTTP cannot name a proxy")),
                "profile" if is_given && path.ends_with("sigv4") => Some((below, "a configuration that is set over HTTP cannot name files of the server")),
                _ if key.ends_with("_file") && is_given => Some((below, "a configuration that is set over HTTP cannot name files of the server")),
                _ => refused(value, &below),
            }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
